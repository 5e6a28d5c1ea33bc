"""Several people give the regions of one face: their places never add up to more than one, and each has its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts, Region
from face_part_fusion.fusion.regions.tasks import PART_OF, regions_from
from face_part_fusion.injection.ip_adapter.givers import (
    one_giver_each,
    steer_regions,
    steered_regions,
    unsteered,
)
from face_part_fusion.injection.ip_adapter.part_tokens import PartTokens

SIZE = 64
BOXES = {
    "skin": (12, 12, 52, 58), "left_eye": (18, 22, 28, 28), "right_eye": (36, 22, 46, 28),
    "left_brow": (17, 16, 29, 19), "right_brow": (35, 16, 47, 19), "nose": (28, 26, 36, 40),
    "mouth": (24, 44, 40, 50), "hair": (8, 0, 56, 16),
}  # fmt: skip


def face(*without: str) -> FaceParts:
    regions = {}
    for part, (x0, y0, x1, y1) in BOXES.items():
        if part not in without:
            regions[part] = Region((torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=torch.float32),))
    return FaceParts(torch.rand(1, SIZE, SIZE, 3), ((Face((12, 12, 52, 58), 1.0, regions=regions),),), (0,))


def with_region(one: Face, part: str, region: Region) -> Face:
    return replace(one, regions={**one.regions, part: region})


def person(*regions: str, seed: int = 0) -> PartTokens:
    draw = torch.Generator().manual_seed(seed)
    tokens = {PART_OF[r]: torch.randn(1, 5, 8, generator=draw) for r in regions}
    return PartTokens(tokens, torch.zeros(1, 5, 8), {part: 0.5 for part in tokens}, "a test")


def inside(box: tuple[int, int, int, int]) -> torch.Tensor:
    area = torch.zeros(1, SIZE, SIZE)
    area[:, box[1] : box[3], box[0] : box[2]] = 1
    return area


def test_of_a_whole_face_every_region_is_steered_once_and_by_its_own_part():
    found = regions_from("face swap")
    regions = steered_regions(found, "source")
    assert regions == ("skin", "eyebrows", "eyes", "nose", "lips")
    giver = person(*regions)
    steerings = steer_regions({"source": giver}, found, face("hair"), strength=2.0)
    assert [s.name for s in steerings] == [f"{region} of the source" for region in regions]
    assert torch.equal(sum(s.mask for s in steerings), inside(BOXES["skin"]))
    for region, steering in zip(regions, steerings, strict=True):
        assert steering.strength == 1.0 and steering.tokens is giver.parts[PART_OF[region]]


def test_two_peoples_regions_share_no_pixel_and_soft_edges_never_add_up_to_more_than_one():
    found = regions_from("face swap", {"lips": "source 2", "eyes": "source 3"})
    people = {"source": person("skin", "eyebrows", "nose"), "source 2": person("lips"), "source 3": person("eyes")}
    hard = {s.name: s.mask for s in steer_regions(people, found, face("hair"))}
    assert torch.equal(hard["lips of the source 2"], inside(BOXES["mouth"]))
    assert (hard["skin of the source"] * (hard["lips of the source 2"] + hard["eyes of the source 3"])).max() == 0
    soft = steer_regions(people, found, face("hair"), grow=0.05, feather=0.2)
    total = sum(s.mask for s in soft)
    assert total.max() <= 1 + 1e-6 and total.min() >= 0 and total[0, 47, 32] == pytest.approx(1)
    assert soft[0].name == "skin of the source" and soft[0].mask[0, 47, 32] < 0.01


@pytest.mark.parametrize("giver", ["target", "anew"])
def test_what_nobody_gives_stays_free(giver):
    found = regions_from("face swap", {"eyes": giver})
    steerings = steer_regions({"source": person("skin", "eyebrows", "nose", "lips")}, found, face())
    for part in ("left_eye", "hair"):
        assert sum((s.mask * inside(BOXES[part])).max() for s in steerings) == 0


def test_a_picture_without_a_face_is_steered_nowhere():
    found = regions_from("attribute edit", {"lips": "source"})
    two = FaceParts(torch.rand(2, SIZE, SIZE, 3), (face().faces[0], ()), (0, None))
    mask = steer_regions({"source": person("lips")}, found, two)[0].mask
    assert mask[0].max() == 1 and mask[1].max() == 0


def test_hidden_bald_or_unknown_regions_are_left_out_and_told():
    found = regions_from("head swap")
    giver, without_hair = person(*steered_regions(found, "source")), person("skin", "eyebrows", "eyes", "nose", "lips")
    bald = replace(face(), faces=((with_region(face().faces[0][0], "hair", Region(mask=torch.zeros(1, 1))),),))
    for base in (face("hair"), bald):
        steerings = steer_regions({"source": giver}, found, base)
        assert unsteered(found, "target", steerings) == ("ears of the source", "hair of the source")
        assert torch.equal(sum(s.mask for s in steerings), inside(BOXES["skin"]))
    # Where the source shows no hair, its forehead may take the place of the target's.
    steerings = steer_regions({"source": without_hair}, found, face())
    assert torch.equal(sum(s.mask for s in steerings), inside(BOXES["skin"]))
    assert "hair of the source" in unsteered(found, "target", steerings)
    assert not unsteered(regions_from("face swap"), "target", steerings)


def test_people_with_regions_of_their_own_are_steered_as_an_assembly_of_them_is():
    one, two = person("skin", "nose"), person("lips", "eyes", seed=1)
    people, found = one_giver_each([one, two])
    assert {region: giver for region, giver in found.items() if giver != "target"} == {
        "skin": "representation 1", "nose": "representation 1", "lips": "representation 2", "eyes": "representation 2",
    }  # fmt: skip
    other = {"representation 1": "source", "representation 2": "source 2", "target": "target"}
    named = {region: other[giver] for region, giver in found.items()}
    ours = steer_regions(people, found, face(), grow=0.05, feather=0.1)
    theirs = steer_regions({"source": one, "source 2": two}, named, face(), grow=0.05, feather=0.1)
    assert all(torch.equal(a.mask, b.mask) and a.tokens is b.tokens for a, b in zip(ours, theirs, strict=True))
    with pytest.raises(ValueError, match="representation 1 and representation 3 both give 'nose'"):
        one_giver_each([one, two, person("nose")])
    whole = PartTokens({"face": torch.zeros(1, 5, 8)}, torch.zeros(1, 5, 8), {"face": 1.0}, "a test")
    with pytest.raises(ValueError, match="representation 1 gives 'face', which lies over several regions"):
        one_giver_each([whole])
