"""FaceX's representation assembler: one face's representations, picked from several people's.

arXiv 2401.00551, section 3.3 and figure 4: identity comes from the source, motion from the target, each region from
whom the task (`fusion.regions.tasks`) says.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...fusion.regions.tasks import ANEW, REGIONS, SOURCE, TARGET
from ..faces.motion_groups import PROVIDER, motion_groups
from .representation import FaceRepresentation

_OF_THE_MOTION_GIVER = ("pose", "expression", "gaze")


def identity_giver(regions_from: Mapping[str, str]) -> str:
    """Who gives the identity tokens: the source (arXiv 2401.00551, section 3.3).

    Ours: where the source gives no region, the further source that gives the skin, else the target.
    """
    if SOURCE in regions_from.values():
        return SOURCE
    return regions_from["skin"] if regions_from["skin"].startswith(SOURCE) else TARGET


def assemble_representation(
    people: Mapping[str, FaceRepresentation], regions_from: Mapping[str, str], empty: Tensor, inpaint: Tensor,
    *, identity: str = SOURCE, motion: str = TARGET,
) -> FaceRepresentation:  # fmt: skip
    """What the controller attends to, put together from several people. One of a single picture serves them all.

    `people`: giver, by its name in tasks.GIVERS, -> representation.
    `regions_from`: region -> giver, as tasks.regions_from gives it.
    `empty`: (R, C), a controller's `regions.empty`, the tokens of regions that are made anew.
    `inpaint`: (B, n, C), tokens of the inpainting reference.
    `identity`: who gives identity. `motion`: who gives pose, expression and gaze.
    Ours: the skin's colour comes with the skin, light with the background.
    Raises ValueError when a giver is missing, people were encoded by different providers, or picture counts differ.
    """
    needed = {identity, motion, *regions_from.values()} - {ANEW}
    for name in sorted(needed - people.keys()):
        raise ValueError(
            f"the task takes something from '{name}', which is not there; encode it with the FaceX controller, or give "
            "its regions to somebody else"
        )
    givers = {name: people[name] for name in needed}
    providers = givers[identity].providers
    for name, person in givers.items():
        if person.providers != providers:
            raise ValueError(f"{name} was encoded by other models than the rest; encode all with the same controller")
    count = max(len(inpaint), *(len(person) for person in givers.values()))
    regions, present = _regions(givers, regions_from, empty, count)
    tokens = givers[identity].identity
    return FaceRepresentation(
        regions, present, None if tokens is None else _spread(tokens, count),
        _motion(givers, regions_from, motion, count), _spread(inpaint, count), providers,
    )  # fmt: skip


def _regions(
    givers: Mapping[str, FaceRepresentation], regions_from: Mapping[str, str], empty: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    tokens, present = [], []
    for i, region in enumerate(REGIONS):
        giver = givers.get(regions_from[region])
        if giver is None:
            tokens.append(empty[i].cpu().float().expand(count, -1))
            present.append(torch.zeros(count, dtype=torch.bool))
        else:
            tokens.append(_spread(giver.regions, count)[:, i])
            present.append(_spread(giver.present, count)[:, i])
    return torch.stack(tokens, 1), torch.stack(present, 1)


def _motion(
    givers: Mapping[str, FaceRepresentation], regions_from: Mapping[str, str], motion: str, count: int
) -> Tensor:
    giver_of = dict.fromkeys(_OF_THE_MOTION_GIVER, motion)
    giver_of |= {"texture": regions_from["skin"], "lighting": regions_from["background"]}
    groups = []
    for group, giver in giver_of.items():
        # Of a region that is made anew nothing is known, and a group that is not known is all zeros.
        person = givers[giver if giver in givers else motion]
        known = motion_groups(_spread(person.motion, count), person.providers.get("motion", PROVIDER))
        groups.append(known[group] * float(giver in givers))
    return torch.cat(groups, 1)


def _spread(tokens: Tensor, count: int) -> Tensor:
    if len(tokens) == count:
        return tokens
    if len(tokens) != 1:
        raise ValueError(f"one person has {len(tokens)} pictures and another {count}; give one, or as many")
    return tokens.expand(count, *tokens.shape[1:])
