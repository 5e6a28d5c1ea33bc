"""FaceX's region assembler: source and target put together in pixels, as a reference and a mask for inpainting.

How a region is moved to the other face is not published; ours is `areas.move_region`.

Source: FaceX (Han et al. 2024, arXiv 2401.00551), sections 3.3 and 3.5, figure 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...detectors.parts import Face, FaceParts, of_input
from ...detectors.progress import Progress, counted
from ...detectors.regions import eye_distance
from ..batches import checked_mask, mask_for
from ..dilation import dilate_area
from .areas import MovedRegion, layers_above, move_region, region_area
from .assembly import Assembly
from .people import (
    PROTECTED,
    People,
    Person,
    check_faces,
    covered_regions,
    empty_regions,
    people_in,
    region_missing,
    unprotected_regions,
)
from .plan import Plan, make_plan, parts_by_giver
from .tasks import ANEW, GIVERS

# Outer-eye distances: how far the mask reaches beyond the regions, so that an old outline does not show through.
DILATE = 0.15
# Rec. 601: the weights of red, green and blue in the light of a grey picture.
_LUMA = torch.tensor([0.299, 0.587, 0.114])


def assemble(
    task: str,
    target: FaceParts,
    source: FaceParts | None = None,
    overrides: Mapping[str, str] | None = None,
    *,
    others: Sequence[FaceParts | None] = (),
    dilate: float = DILATE,
    shown: str | None = None,
    fill: str = "grey",
    mask: Tensor | None = None,
    progress: Progress | None = None,
) -> Assembly:
    """Put the regions of source and target together as a task says.

    The base, whose picture is the canvas, is the target; for reenact, animate and inpaint it is the source (for
    inpaint without a source, the target). A region above another is kept: the target's hair stays where a face is
    laid. A picture without a face, on either side, stays as it is with an empty mask; where no region is laid, as in
    reenact, animate and inpaint by themselves, no face is needed and the mask is the task's.

    `task`: of TASKS.
    `target`, `source`: B pictures with their faces, or 1 for all.
    `overrides`: region -> giver (of GIVERS) instead of the task's own choice.
    `others`: the givers "source 2", "source 3" and "source 4".
    `dilate`: how far the mask reaches beyond the regions on both faces, as a square, in distances between the outer
        corners of the base's eyes, 0..4.
    `shown`: of SHOWN, how a region that is not the base's appears; None: the task's own choice.
    `fill`: of FILLS, what masked-out pixels become.
    `mask`: (B or 1, H, W) over the base's pictures, 0..1: for "inpaint" what is made anew, for every other task the
        only area that may change.
    `progress`: called after each picture.

    Raises ValueError for a choice that does not exist, a giver that is not there, batches or masks that do not match,
    no picture with the faces that are needed, and nothing to be made anew; PartMissing for a region that a face lacks.
    """
    if not 0 <= dilate <= 4:
        raise ValueError(f"dilate is {dilate}; it goes from 0 to 4 eye distances")
    plan = make_plan(task, source is not None, overrides, shown, fill)
    givers = parts_by_giver(plan, target, source, others)
    canvas, count = givers[plan.base], max(len(target), *map(len, givers.values()))
    limits = _limits(mask, canvas, plan)
    check_faces(plan, givers, count)
    unprotected, empty, covered, results = dict[str, None](), dict[str, None](), dict[str, None](), []
    for i in counted(range(count), progress):
        people = people_in(givers, i)
        with of_input("", i, count):
            results.append(_assemble(plan, people, mask_for(limits, i), dilate))
        unprotected.update(dict.fromkeys(unprotected_regions(plan, people)))
        empty.update(dict.fromkeys(empty_regions(plan, people)))
        covered.update(dict.fromkeys(covered_regions(plan, people)))
    pictures, masks, origins = map(torch.stack, zip(*results, strict=True))
    if not bool(masks.any()):
        raise ValueError(
            f"{task} leaves nothing to be made anew: the regions lie outside the picture or outside the white of mask"
        )
    return Assembly(
        pictures, masks, origins, plan.base, plan.regions_from, tuple(unprotected), tuple(empty), tuple(covered)
    )


def _assemble(plan: Plan, people: People, limit: Tensor | None, dilate: float) -> tuple[Tensor, Tensor, Tensor]:
    """Picture (H, W, 3), mask (H, W) float32 and origin (H, W) of one picture."""
    picture, base = people[plan.base].picture, people[plan.base].face
    canvas, changed = picture.clone(), torch.zeros(picture.shape[:2], dtype=torch.bool)
    origin = torch.full(picture.shape[:2], GIVERS.index(plan.base))
    if base is not None and all(person.face is not None for person in people.values()):
        kept = _kept_areas(plan, base, picture)
        for region, giver in plan.changes:
            changed |= _change(plan, people, base, region, giver, kept, canvas, origin)
        rim = dilate_area(changed, round(dilate * eye_distance(base)))
        for region, area in kept.items():
            if region in PROTECTED:
                rim &= ~(area > 0.5)
        changed |= rim
    if plan.cut_rim:
        origin[changed & (origin == GIVERS.index(plan.base))] = GIVERS.index(ANEW)
    mask = _mask(plan, changed, limit)
    origin[mask == 0] = GIVERS.index(plan.base)
    if plan.fill is not None:
        canvas[origin == GIVERS.index(ANEW)] = plan.fill
    return torch.where(mask[..., None] > 0, canvas, picture), mask, origin


def _mask(plan: Plan, changed: Tensor, limit: Tensor | None) -> Tensor:
    """(H, W) float32: what is made anew."""
    if plan.mask == "user":
        return changed.float() if limit is None else torch.maximum(changed.float(), limit)
    mask = torch.ones_like(changed) if plan.mask == "everything" else changed
    return mask.float() if limit is None else (mask & (limit > 0.5)).float()


def _change(
    plan: Plan, people: People, base: Face, region: str, giver: str, kept: Mapping[str, Tensor], canvas: Tensor,
    origin: Tensor,
) -> Tensor:  # fmt: skip
    """Lay one region on `canvas` and note it in `origin`, both in place.

    Returns (H, W) bool: where the base's own region lies, or the one that takes its place.
    """
    size = _size(canvas)
    old, new = region_area(base, region, size), torch.zeros(size)
    if old is None:
        raise region_missing(plan, plan.base, base, region)
    moved_region = None if giver == ANEW else _moved_region(plan, people[giver], giver, base, region, size)
    if moved_region is not None:
        x0, y0, x1, y1 = moved_region.window
        new[y0:y1, x0:x1] = moved_region.area
    for above in layers_above(region):
        if above in kept:
            old, new = old * (1 - kept[above]), new * (1 - kept[above])
    both = torch.maximum(old, new) > 0.5
    if moved_region is None or plan.shown == "mask out":
        origin[both] = GIVERS.index(ANEW)
        return both
    # Pixels of the old region that the new one leaves bare, unless a lower layer covers them.
    origin[(old - new > 0.5) & (origin == GIVERS.index(plan.base))] = GIVERS.index(ANEW)
    origin[new > 0.5] = GIVERS.index(giver)
    pixels = (
        (moved_region.pixels @ _LUMA)[..., None].expand(-1, -1, 3) if plan.shown == "greyscale" else moved_region.pixels
    )
    local, alpha = canvas[y0:y1, x0:x1], new[y0:y1, x0:x1, None]
    canvas[y0:y1, x0:x1] = torch.where(alpha > 0, torch.lerp(local, pixels, alpha), local)
    return both


def _moved_region(
    plan: Plan, person: Person, giver: str, base: Face, region: str, size: tuple[int, int]
) -> MovedRegion | None:
    """The region moved to `base`; None when the person has no face."""
    if person.face is None:
        return None
    moved_region = move_region(person.picture, person.face, base, region, plan.regions_of(giver), size)
    if moved_region is None:
        raise region_missing(plan, giver, person.face, region)
    return moved_region


def _kept_areas(plan: Plan, base: Face, picture: Tensor) -> dict[str, Tensor]:
    """Region -> area (H, W) 0..1, of the known regions that stay the base's; none where nothing is laid."""
    regions = plan.regions_of(plan.base) if plan.changes else ()
    areas = {region: region_area(base, region, _size(picture)) for region in regions}
    return {region: area for region, area in areas.items() if area is not None}


def _size(picture: Tensor) -> tuple[int, int]:
    return int(picture.shape[0]), int(picture.shape[1])


def _limits(mask: Tensor | None, canvas: FaceParts, plan: Plan) -> Tensor | None:
    """The user's mask, checked; None when there is none."""
    if mask is None and plan.mask == "user" and not plan.changes:
        raise ValueError(
            f"{plan.task} makes anew what is white in mask, but no mask is wired in; wire one in and paint that white"
        )
    limits = checked_mask(mask, canvas, "mask", f"the {plan.base}'s")
    if limits is not None and not bool((limits > (0.0 if plan.mask == "user" else 0.5)).any()):
        raise ValueError("mask is empty; paint white (above 0.5) what may be made anew, or leave the mask out")
    return limits
