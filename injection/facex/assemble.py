"""FaceX's representation assembler: one face's representations, picked from several people's.

arXiv 2401.00551, section 3.3 and figure 4: identity comes from the source, motion from the target, each region from
whom the task (`fusion.regions.tasks`) says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor

from ...fusion.regions.tasks import ANEW, REGIONS, SOURCE, TARGET
from ..faces.motion_groups import PROVIDER, motion_groups
from .representation import FaceRepresentation


def assemble_representation(
    givers: Mapping[str, FaceRepresentation], regions_from: Mapping[str, str], empty: Tensor, inpaint: Tensor,
    *, identity: str = SOURCE, motion: str = TARGET,
) -> FaceRepresentation:  # fmt: skip
    """What the controller attends to, put together from the people in `givers` (by the names in tasks.GIVERS).

    `regions_from`: region -> giver, as tasks.regions_from gives it; "anew" takes the region's token of `empty` (8, C),
    a controller's `regions.empty`. `inpaint`: (B, n, C), of the inpainting reference. `identity`: who gives identity;
    `motion`: who gives pose, expression and gaze. Ours: the skin's colour comes with the skin, light with the
    background. A person of one picture serves them all. Raises ValueError when a giver is missing, has not been
    encoded for FaceX, was encoded by other providers, or counts differ.
    """
    wanted = {identity, motion, *regions_from.values()} - {ANEW}
    people = {name: _person(givers, name) for name in wanted}
    first = next(iter(people.values()))
    for name, person in people.items():
        if person.providers != first.providers:
            raise ValueError(f"{name} was encoded by other models than the rest; encode all with the same controller")
    count = max(len(inpaint), *(len(person) for person in people.values()))
    regions, present = _regions(people, regions_from, empty, count)
    return FaceRepresentation(
        encoder=first.encoder, regions=regions, present=present, motion=_motion(people, regions_from, motion, count),
        identity=_spread(people[identity].identity, count), inpaint=_spread(inpaint, count), providers=first.providers,
    )  # fmt: skip


def _person(givers: Mapping[str, FaceRepresentation], name: str) -> FaceRepresentation:
    person = givers.get(name)
    if person is None or person.regions is None or person.present is None or person.motion is None:
        lack = "not there" if person is None else "not encoded for FaceX"
        raise ValueError(
            f"the task takes something from '{name}', which is {lack}; encode it with the FaceX controller, or give "
            "its regions to somebody else"
        )
    return person


def _regions(
    people: Mapping[str, FaceRepresentation], regions_from: Mapping[str, str], empty: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    tokens, present = [], []
    for i, region in enumerate(REGIONS):
        giver = people.get(regions_from[region])
        if giver is None:
            tokens.append(empty[i].cpu().float().expand(count, -1))
            present.append(torch.zeros(count, dtype=torch.bool))
        else:
            tokens.append(_spread(giver.regions, count)[:, i])  # type: ignore[index]
            present.append(_spread(giver.present, count)[:, i])  # type: ignore[index]
    return torch.stack(tokens, 1), torch.stack(present, 1)


def _motion(
    people: Mapping[str, FaceRepresentation], regions_from: Mapping[str, str], motion: str, count: int
) -> Tensor:
    groups: dict[str, Tensor] = {}
    for giver, names in ((motion, ("pose", "expression", "gaze")), (regions_from["skin"], ("texture",)),
                         (regions_from["background"], ("lighting",))):  # fmt: skip
        # Of a region that is made anew nothing is known, and a group that is not known is all zeros.
        person = people[giver if giver in people else motion]
        values = cast(Tensor, _spread(person.motion, count))
        known = motion_groups(values, person.providers.get("motion", PROVIDER))
        groups |= {name: known[name] * float(giver in people) for name in names}
    return torch.cat(list(groups.values()), 1)


def _spread(tokens: Tensor | None, count: int) -> Tensor | None:
    if tokens is None or len(tokens) == count:
        return tokens
    if len(tokens) != 1:
        raise ValueError(f"one person has {len(tokens)} pictures and another {count}; give one, or as many")
    return tokens.expand(count, *tokens.shape[1:])
