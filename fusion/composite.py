"""The fused face in pixels, with no model: each part laid over the target, given its tone, blended without a seam."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..detectors.parts import Face, FaceParts, of_input
from ..detectors.progress import Progress, counted
from ..detectors.regions import eye_distance
from .area import COMPOSITE_PARTS, blend_area
from .correspondence import shared_points
from .outline import smoothstep
from .pyramid import pyramid_blend
from .similarity import fit_similarity
from .tone import match_skin, match_tone
from .warp import warp_window

WARPS = ("similarity", "piecewise")
# Where skin meets skin, light that differs by less is taken over, light that differs by more is not.
_SAME, _OTHER = 0.15, 0.35
# Halvings more for the colour of skin than for blending: about a sixth of the eye distance.
_BROADER = 2


@dataclass(frozen=True, eq=False)
class PartReference:
    """What travels on the PART_REFERENCE wire: pictures of one person and what they give.

    `strengths`: part (of COMPOSITE_PARTS) -> 0..1. `mask`: (B, H, W) on these pictures, 1 = may be taken, or None.
    `name`: what errors call this person, such as the input that they came in by; "" is "reference N".
    """

    parts: FaceParts
    strengths: Mapping[str, float]
    mask: Tensor | None = None
    name: str = ""


@dataclass(frozen=True)
class Style:
    """How parts are laid: `warp` (of WARPS), `tone` 0..1, `grow` >= 0 (1 = as tuned)."""

    warp: str = "similarity"
    tone: float = 1.0
    grow: float = 1.0


@dataclass(frozen=True, eq=False)
class Source:
    """One face that gives one part to one picture: `picture` (H, W, 3), `mask` (H, W) or None, `strength` 0..1."""

    picture: Tensor
    face: Face
    strength: float
    mask: Tensor | None = None


def given_parts(strengths: Mapping[str, float]) -> dict[str, float]:
    """The parts of a strength above 0. Raises ValueError when there is none."""
    given = {part: strength for part, strength in strengths.items() if strength > 0}
    if not given:
        raise ValueError(
            f"every part has the strength 0, so this person gives nothing: set at least one of {', '.join(strengths)} "
            "above 0, or unplug this person"
        )
    return given


def composite(
    target: FaceParts,
    references: Sequence[PartReference],
    *,
    warp: str = "similarity",
    tone: float = 1.0,
    grow: float = 1.0,
    mask: Tensor | None = None,
    image: Tensor | None = None,
    progress: Progress | None = None,
) -> tuple[Tensor, Tensor]:
    """Lay the parts that `references` give over the chosen face of every target picture.

    Parts are laid in the order of COMPOSITE_PARTS (skin, brows, eyes, nose, mouth; a later one covers an earlier one
    where they overlap), and for one part in the order of `references`. "similarity": the part keeps its own shape,
    the target gives place, size and roll; "piecewise": its landmarks go exactly where the target's are. `mask`
    (B, H, W): 1 = the target may change there. `image` (B, H, W, 3): painted on instead of the target's pictures.
    A reference of one picture serves every target picture. A picture without a chosen face, on either side, stays as
    it is. Returns pictures (B, H, W, 3) and where they changed (B, H, W) 0..1; elsewhere they are equal bit for bit.

    Raises ValueError for batches or sizes that do not match, a part that is not in COMPOSITE_PARTS, a strength
    outside 0..1, and PartMissing, naming input and picture, for a part that a face does not have.
    """
    style = _style(warp, tone, grow)
    pictures = _canvas(target, image)
    references = _checked_references(target, references)
    keep = _checked_mask(mask, target, "mask")
    _check_parts(target, references)
    results, changes = [], []
    for i in counted(range(len(target)), progress):
        picture, changed = _fuse(target.face(i), pictures[i], _sources(references, i), style, _pick(keep, i))
        results.append(picture)
        changes.append(changed)
    return torch.stack(results), torch.stack(changes)


def lay_part(
    picture: Tensor, changed: Tensor, face: Face, source: Source, part: str, style: Style, keep: Tensor | None
) -> None:
    """Blend one part of `source` into `picture` (H, W, 3) at `face`, in place; note in `changed` (H, W) where."""
    there, here = shared_points(source.face, face, part)
    matrix = fit_similarity(there, here)
    follow = style.warp == "piecewise"
    size = (picture.shape[0], picture.shape[1])
    area = blend_area(part, face, source.face, matrix, size, grow=style.grow, follow=follow)
    if area is None:
        return
    x0, y0, x1, y1 = area.window
    local = picture[y0:y1, x0:x1]
    bend = (there, here) if follow else None
    pixels, allowed = warp_window(source.picture, matrix, area.window, bend)
    if source.mask is not None:
        allowed = allowed * warp_window(source.mask[..., None], matrix, area.window, bend)[0][..., 0].clamp(0, 1)
    if keep is not None:
        allowed = allowed * keep[y0:y1, x0:x1]
    toned = match_tone(pixels, local, area.ring * allowed, style.tone, area.own)
    strange = _strange(toned, local)
    skin = area.plain * area.support * allowed * (1 - strange)
    toned = match_skin(toned, local, skin, _levels(face) + _BROADER, style.tone)
    allowed = allowed * (1 - area.skin * strange)
    blended = pyramid_blend(toned, local, area.alpha * allowed * source.strength, _levels(face)).clamp(0, 1)
    weight = area.support if keep is None else area.support * keep[y0:y1, x0:x1]
    touched = weight > 0
    picture[y0:y1, x0:x1] = torch.where(touched[..., None], torch.lerp(local, blended, weight[..., None]), local)
    changed[y0:y1, x0:x1] = torch.maximum(changed[y0:y1, x0:x1], weight)


def _strange(toned: Tensor, local: Tensor) -> Tensor:
    """(h, w) 0..1: how far the light of two pictures (h, w, 3) differs, beyond what skin does: hair, a jaw's shadow."""
    return smoothstep(((toned - local).mean(-1).abs() - _SAME) / (_OTHER - _SAME))


def _levels(face: Face) -> int:
    """Halvings after which about 24 pixels make an eye distance: broader tone is the tone match's business."""
    return max(1, round(math.log2(eye_distance(face) / 24)))


def _fuse(
    face: Face | None, picture: Tensor, sources: Mapping[str, list[Source]], style: Style, keep: Tensor | None
) -> tuple[Tensor, Tensor]:
    picture = picture.clone()
    changed = torch.zeros(picture.shape[:2])
    if face is not None:
        for part in COMPOSITE_PARTS:
            for source in sources[part]:
                lay_part(picture, changed, face, source, part, style, keep)
    return picture, changed


def _sources(references: Sequence[PartReference], i: int) -> dict[str, list[Source]]:
    found: dict[str, list[Source]] = {part: [] for part in COMPOSITE_PARTS}
    for reference in references:
        at = 0 if len(reference.parts) == 1 else i
        face = reference.parts.face(at)
        mask = _pick(reference.mask, at)
        for part, strength in reference.strengths.items():
            if face is not None and strength > 0:
                found[part].append(Source(reference.parts.pictures[at], face, strength, mask))
    return found


def _style(warp: str, tone: float, grow: float) -> Style:
    if warp not in WARPS:
        raise ValueError(f"warp is '{warp}'; choose one of {', '.join(WARPS)}")
    if not 0 <= tone <= 1:
        raise ValueError(f"tone is {tone}; it goes from 0 (keep the reference's) to 1 (take the target's)")
    if not 0 <= grow <= 10:
        raise ValueError(f"grow is {grow}; it goes from 0 to 10, and 1 is the tuned size")
    return Style(warp, tone, grow)


def _canvas(target: FaceParts, image: Tensor | None) -> Tensor:
    if image is None:
        return target.pictures
    if image.shape != target.pictures.shape:
        raise ValueError(
            f"image has shape {tuple(image.shape)}, but the target's parts were found in pictures of shape "
            f"{tuple(target.pictures.shape)}; wire in the same pictures, or detect the parts again"
        )
    return image


def _checked_references(target: FaceParts, references: Sequence[PartReference]) -> list[PartReference]:
    references = [replace(r, name=r.name or f"reference {number}") for number, r in enumerate(references, 1)]
    for reference in references:
        count = len(reference.parts)
        if count not in (1, len(target)):
            raise ValueError(
                f"{reference.name} has {count} pictures and the target has {len(target)}; use one reference picture "
                f"for all, or exactly {len(target)}"
            )
        for part, strength in reference.strengths.items():
            if part not in COMPOSITE_PARTS:
                raise ValueError(f"'{part}' cannot be composited; choose one of {', '.join(COMPOSITE_PARTS)}")
            if not 0 <= strength <= 1:
                raise ValueError(f"the strength of '{part}' is {strength}; it goes from 0 to 1")
    return [replace(r, mask=_checked_mask(r.mask, r.parts, f"the mask of {r.name}")) for r in references]


def _check_parts(target: FaceParts, references: Sequence[PartReference]) -> None:
    """Raises PartMissing naming the input and the picture, before anything is computed."""
    for i in range(len(target)):
        for reference in references:
            at = 0 if len(reference.parts) == 1 else i
            here, there = target.face(i), reference.parts.face(at)
            for part, strength in reference.strengths.items():
                if here is not None and there is not None and strength > 0:
                    with of_input("target", i, len(target)):
                        here.region(part)
                    with of_input(reference.name, at, len(reference.parts)):
                        there.region(part)


def _checked_mask(mask: Tensor | None, parts: FaceParts, name: str) -> Tensor | None:
    if mask is None:
        return None
    if mask.ndim != 3 or mask.shape[1:] != parts.pictures.shape[1:3] or len(mask) not in (1, len(parts)):
        raise ValueError(
            f"{name} has shape {tuple(mask.shape)}; needed is ({len(parts)}, {parts.size[0]}, {parts.size[1]}), the "
            "size of its pictures (or one mask for all of them)"
        )
    return mask.float().clamp(0, 1)


def _pick(mask: Tensor | None, i: int) -> Tensor | None:
    return None if mask is None else mask[0 if len(mask) == 1 else i]
