"""FaceX's region assembler: source and target put together in pixels, as a reference and a mask for inpainting.

Source: FaceX (Han et al. 2024, arXiv 2401.00551), sections 3.3 and 3.5, figure 4. How a region is moved to the other
face is not published; ours is `region_areas.lay_region`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parts import Face, FaceParts, PartMissing, of_input
from ...detectors.progress import Progress, counted
from ...detectors.regions import eye_distance
from .areas import HEAD, LAYERS, Laid, lay_region, region_area
from .plan import Plan, make_plan, wired
from .tasks import ANEW, FEATURES, GIVERS, PART_OF, REGIONS, TASKS

DILATE = 0.15
_LUMA = torch.tensor([0.299, 0.587, 0.114])
# Left alone wherever they are the base's; skin and background are what a change blends into.
_PROTECTED = tuple(region for region in REGIONS if region not in ("skin", "background"))

# A parser that knows one of them gives it, seen or not.
_PARSED = ("ears", "hair", "neck")

Who = Mapping[str, tuple[Tensor, Face | None]]


@dataclass(frozen=True, eq=False)
class Assembly:
    """What the region assembler gives; B pictures.

    `picture`: (B, H, W, 3) 0..1, the inpainting reference I_R. `mask`: (B, H, W) float, 0 or 1, 1 = to be made anew,
    with the greys of the user's own where the task is "inpaint"; outside it the picture is the base's, bit for bit.
    `origin`: (B, H, W) int64, whose pixel it is, as an index into GIVERS (`anew`: masked out). `base`: "target" or
    "source", whose picture is the canvas. `regions_from`: region -> giver. `missing`: what would have been left alone
    but nobody has found, such as "the target's hair". `bare`: what is given but has no area on that face, such as
    "the source's ears" under hair.
    """

    picture: Tensor
    mask: Tensor
    origin: Tensor
    base: str
    regions_from: Mapping[str, str]
    missing: tuple[str, ...]
    bare: tuple[str, ...] = ()

    def report(self) -> str:
        """Who gives what, one line for each giver, and what is missing."""
        given = {g: [r for r in REGIONS if self.regions_from[r] == g] for g in GIVERS}
        lines = [f"{giver}: {', '.join(regions)}" for giver, regions in given.items() if regions]
        if self.missing:
            lines.append(f"not known, so not protected: {', '.join(self.missing)} (Face Parse finds them)")
        if self.bare:
            lines.append(f"hidden or not known, so nothing of it is given: {', '.join(self.bare)}")
        return "\n".join(lines)


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
    """Put the regions of source and target together as `task` (of TASKS) says.

    `overrides`: region -> giver (of GIVERS) instead of the task's own choice; "source 2" to "source 4" are `others`.
    `shown` (of SHOWN) instead of the task's own: a region that is not the base's is pasted, pasted in grey, or masked
    out. `dilate`: how far the mask reaches beyond the regions on both faces, a square, in distances between the outer
    corners of the base's eyes. `fill` (of FILLS): what masked-out pixels become. `mask` (B or 1, H, W) on the base's
    pictures: for "inpaint" what is made anew, for every other task the only place that may change.

    The base is the target; for reenact, animate and inpaint the source (inpaint without one: the target), and the
    result has its size. A region above another is kept: the target's hair stays where a face is laid. One picture
    serves a batch. A picture without a face, on either side, stays as it is with an empty mask; where no region is
    laid, as in reenact, animate and inpaint by themselves, no face is needed and the mask is the task's.

    Raises ValueError for a choice that does not exist, a giver that is not there, batches or masks that do not match,
    no picture with the faces that are needed and nothing to be made anew; PartMissing for a region that a face lacks,
    saying who can give it and what works without it.
    """
    if not 0 <= dilate <= 4:
        raise ValueError(f"dilate is {dilate}; it goes from 0 to 4 eye distances")
    plan = make_plan(task, source is not None, overrides, shown, fill)
    givers = wired(plan, target, source, others)
    canvas, count = givers[plan.base], max(len(target), *map(len, givers.values()))
    limits = _limits(mask, canvas, plan)
    _check_faces(plan, givers, count)
    missing, bare, results = dict[str, None](), dict[str, None](), []
    for i in counted(range(count), progress):
        who = {giver: _pick(parts, i) for giver, parts in givers.items()}
        limit = None if limits is None else limits[0 if len(limits) == 1 else i]
        with of_input("", i, count):
            results.append(_one(plan, who, limit, dilate, missing))
        bare.update(dict.fromkeys(_bare(plan, who)))
    pictures, masks, origins = map(torch.stack, zip(*results, strict=True))
    if not bool(masks.any()):
        raise ValueError(
            f"{task} leaves nothing to be made anew: the regions lie outside the picture or outside the white of mask"
        )
    return Assembly(pictures, masks, origins, plan.base, plan.regions_from, tuple(missing), tuple(bare))


def _one(
    plan: Plan, who: Who, limit: Tensor | None, dilate: float, missing: dict[str, None]
) -> tuple[Tensor, Tensor, Tensor]:
    """Picture, mask (float) and origin of one picture; `missing` takes down what was not known."""
    picture, base = who[plan.base]
    canvas, changed = picture.clone(), torch.zeros(picture.shape[:2], dtype=torch.bool)
    origin = torch.full(picture.shape[:2], GIVERS.index(plan.base))
    if base is not None and all(face is not None for _, face in who.values()):
        kept = _kept(plan, base, picture, missing)
        for region, giver in plan.changes:
            changed |= _change(plan, who, base, region, giver, kept, canvas, origin)
        protected = [kept[region] > 0.5 for region in _PROTECTED if region in kept]
        rim = _dilated(changed, round(dilate * eye_distance(base)))
        for area in protected:
            rim &= ~area
        changed |= rim
    if plan.cut:
        origin[changed & (origin == GIVERS.index(plan.base))] = GIVERS.index(ANEW)
    mask = _mask(plan, changed, limit)
    origin[mask == 0] = GIVERS.index(plan.base)
    if plan.fill is not None:
        canvas[origin == GIVERS.index(ANEW)] = plan.fill
    return torch.where(mask[..., None] > 0, canvas, picture), mask, origin


def _mask(plan: Plan, changed: Tensor, limit: Tensor | None) -> Tensor:
    """(H, W) float."""
    if plan.mask == "user":
        return changed.float() if limit is None else torch.maximum(changed.float(), limit)
    mask = torch.ones_like(changed) if plan.mask == "everything" else changed
    return mask.float() if limit is None else (mask & (limit > 0.5)).float()


def _change(
    plan: Plan, who: Who, base: Face, region: str, giver: str, kept: Mapping[str, Tensor], canvas: Tensor,
    origin: Tensor,
) -> Tensor:  # fmt: skip
    """Lay one region on `canvas` and note it in `origin`, both in place; (H, W) bool, where the old and the new lie."""
    size = _size(canvas)
    old, new = region_area(base, region, size), torch.zeros(size)
    if old is None:
        raise _lacking(plan, plan.base, base, region)
    laid = None if giver == ANEW else _laid(plan, who[giver], giver, base, region, size)
    if laid is not None:
        x0, y0, x1, y1 = laid.window
        new[y0:y1, x0:x1] = laid.area
    for above in LAYERS[LAYERS.index(region) + 1 :] if region in LAYERS else ():
        if above in kept:
            old, new = old * (1 - kept[above]), new * (1 - kept[above])
    both = torch.maximum(old, new) > 0.5
    if laid is None or plan.shown == "mask out":
        origin[both] = GIVERS.index(ANEW)
        return both
    # What the old one leaves bare, unless a lower layer has covered it.
    origin[(old - new > 0.5) & (origin == GIVERS.index(plan.base))] = GIVERS.index(ANEW)
    origin[new > 0.5] = GIVERS.index(giver)
    pixels = (laid.pixels @ _LUMA)[..., None].expand(-1, -1, 3) if plan.shown == "greyscale" else laid.pixels
    local, alpha = canvas[y0:y1, x0:x1], new[y0:y1, x0:x1, None]
    canvas[y0:y1, x0:x1] = torch.where(alpha > 0, torch.lerp(local, pixels, alpha), local)
    return both


def _laid(
    plan: Plan, who: tuple[Tensor, Face | None], giver: str, base: Face, region: str, size: tuple[int, int]
) -> Laid | None:
    picture, face = who
    if face is None:
        return None
    laid = lay_region(picture, face, base, region, plan.given(giver), size)
    if laid is None:
        raise _lacking(plan, giver, face, region)
    return laid


def _kept(plan: Plan, base: Face, picture: Tensor, missing: dict[str, None]) -> dict[str, Tensor]:
    """The areas (H, W) 0..1 of the regions that stay the base's; none where nothing is laid."""
    kept: dict[str, Tensor] = {}
    for region in plan.given(plan.base) if plan.changes else ():
        area = region_area(base, region, _size(picture))
        if area is not None:
            kept[region] = area
        elif region in _PROTECTED:
            missing[f"the {plan.base}'s {region}"] = None
    return kept


def _bare(plan: Plan, who: Who) -> list[str]:
    """Given regions without an area, such as "the source's ears"; what is not known may lie within a face or head."""
    found = []
    for region, giver in plan.regions_from.items():
        face = who[giver][1] if giver in who and giver != plan.base else None
        if face is None or face.shows(PART_OF[region]):
            continue
        within = (region in FEATURES and plan.regions_from["skin"] == giver) or (
            face.has(HEAD) or (region == "background" and face.has("skin") and face.has("hair"))
        )
        if face.has(PART_OF[region]) or not within:
            found.append(f"the {giver}'s {region}")
    return found


def _dilated(area: Tensor, pixels: int) -> Tensor:
    """(H, W) bool, grown by so many pixels to all sides and corners."""
    for axis in (0, 1):
        # Counted, so that the time does not grow with the number of pixels: is anything within reach?
        length = area.shape[axis]
        counts = functional.pad(area.int().cumsum(axis), (0, 0, 1, 0) if axis == 0 else (1, 0))
        at = torch.arange(length)
        ends, starts = (at + pixels + 1).clamp(max=length), (at - pixels).clamp(min=0)
        area = counts.index_select(axis, ends) > counts.index_select(axis, starts)
    return area


def _lacking(plan: Plan, giver: str, face: Face, region: str) -> PartMissing:
    """What a user reads when `face` does not have `region`."""
    wanted = ("hair", "skin") if region in (HEAD, "background") else (PART_OF[region],)
    lacks = next((part for part in wanted if not face.has(part)), wanted[0])
    try:
        face.region(lacks)
    except PartMissing as problem:
        help = "Put Face Parse behind that Face Part Detect, with a parsing model that has a class for it"
        if lacks in _PARSED and any(face.has(part) for part in _PARSED):
            help = f"The model of Face Parse has no class for '{lacks}': take another"
        return PartMissing(
            f"{plan.task} needs '{lacks}' of the {giver}, but {problem}. {help}, or wire in a mask of the {lacks}, or "
            f"do without: {TASKS[plan.task].instead}"
        )
    return PartMissing(f"{plan.task} needs the {region} of the {giver}")


def _size(picture: Tensor) -> tuple[int, int]:
    return int(picture.shape[0]), int(picture.shape[1])


def _pick(parts: FaceParts, i: int) -> tuple[Tensor, Face | None]:
    at = 0 if len(parts) == 1 else i
    return parts.pictures[at], parts.face(at)


def _check_faces(plan: Plan, givers: Mapping[str, FaceParts], count: int) -> None:
    """Raises ValueError when regions are laid but no picture has a face on every side."""
    if plan.changes and not any(all(_pick(parts, i)[1] for parts in givers.values()) for i in range(count)):
        without = [g for g, parts in givers.items() if all(chosen is None for chosen in parts.chosen)] or list(givers)
        raise ValueError(
            f"{plan.task} needs a face in the {' and the '.join(without)}, and there is none; choose another picture "
            "or face in Face Part Detect, or use the task 'inpaint' with a mask of your own"
        )


def _limits(mask: Tensor | None, canvas: FaceParts, plan: Plan) -> Tensor | None:
    if mask is None:
        if plan.mask == "user" and not plan.changes:
            raise ValueError(f"{plan.task} makes anew what is white in mask, but no mask is wired in")
        return None
    if mask.ndim != 3 or mask.shape[1:] != canvas.pictures.shape[1:3] or len(mask) not in (1, len(canvas)):
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}; needed is ({len(canvas)}, {canvas.size[0]}, {canvas.size[1]}), the "
            f"size of the {plan.base}'s pictures (or one mask for all of them)"
        )
    least = 0.0 if plan.mask == "user" else 0.5
    if not bool((mask > least).any()):
        raise ValueError("mask is empty; paint white (above 0.5) what may be made anew, or leave the mask out")
    return mask.float().clamp(0, 1)
