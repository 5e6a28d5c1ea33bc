"""A pasted face takes the broad light and colour of the picture around it, and keeps its own texture."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts, Region
from face_part_fusion.fusion.lab import to_lab, to_rgb
from face_part_fusion.fusion.regions.assembly import Assembly
from face_part_fusion.fusion.regions.match import match_assembly
from face_part_fusion.fusion.regions.tasks import GIVERS, REGIONS

H, W = 60, 70
OVAL = (15, 10, 51, 50)
LIPS = (slice(38, 44), slice(26, 40))


def rect(x0: int, y0: int, x1: int, y1: int) -> torch.Tensor:
    mask = torch.zeros(H, W)
    mask[y0:y1, x0:x1] = 1
    return mask


def skin(lab: tuple[float, float, float], slope: float = 0.0, seed: int = 0) -> torch.Tensor:
    """Skin of a colour, lighter towards the right by `slope` steps of L, with pores and red lips."""
    picture = torch.tensor(lab) + torch.randn(H, W, 3, generator=torch.Generator().manual_seed(seed))
    picture[..., 0] += torch.linspace(-slope, slope, W)
    picture[LIPS] += torch.tensor([-10.0, 25.0, 5.0])
    return to_rgb(picture)


def pasted(target: torch.Tensor, source: torch.Tensor, amount: float = 1.0, giver: str = "source") -> torch.Tensor:
    regions = {"skin": Region(mask=rect(*OVAL)), "mouth": Region(mask=rect(26, 38, 40, 44))}
    base = FaceParts(target[None], ((Face(tuple(map(float, OVAL)), 1.0, regions=regions),),), (0,))
    area = rect(*OVAL).bool()
    picture = torch.where(area[..., None], source, target)[None]
    origin = torch.where(area, GIVERS.index(giver), GIVERS.index("target"))[None]
    people = {region: giver if region == "skin" else "target" for region in REGIONS}
    return match_assembly(Assembly(picture, area[None].float(), origin, "target", people, ()), base, amount).picture[0]


def inside(picture: torch.Tensor) -> torch.Tensor:
    return to_lab(picture)[16:36, 20:46]


def test_light_from_one_side_and_colour_become_the_targets_and_pores_stay():
    target, source = skin((60, 14, 18), 8), skin((75, 8, 25), -8, seed=1)
    before, after, goal = (inside(p) for p in (source, pasted(target, source), target))
    assert float((after.mean((0, 1)) - goal.mean((0, 1))).abs().max()) < 1.5
    sides = [float(p[:, -8:, 0].mean() - p[:, :8, 0].mean()) for p in (before, after, goal)]
    assert abs(sides[1] - sides[2]) < 0.35 * abs(sides[0] - sides[2])
    assert 0.8 < float(after.diff(dim=1).std() / before.diff(dim=1).std()) < 1.25


def test_outside_the_face_nothing_changes_and_lips_stay_red():
    target, source = skin((60, 14, 18)), skin((75, 8, 25), seed=1)
    result = pasted(target, source)
    assert torch.equal(result[rect(*OVAL) == 0], target[rect(*OVAL) == 0])
    lips, around = to_lab(result)[LIPS].mean((0, 1)), inside(result).mean((0, 1))
    assert float(lips[1] - around[1]) > 12


@pytest.mark.parametrize(("amount", "giver"), [(0.0, "source"), (1.0, "target")])
def test_at_tone_0_and_under_the_targets_own_skin_the_picture_stays_bit_for_bit(amount, giver):
    target, source = skin((60, 14, 18)), skin((75, 8, 25), seed=1)
    area = rect(*OVAL).bool()
    assert torch.equal(pasted(target, source, amount, giver), torch.where(area[..., None], source, target))
