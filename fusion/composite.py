"""The fused face in pixels, with no model: each part is warped onto the target, matched in tone and blended."""

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
from .batches import check_count, checked_mask, index_in, mask_for
from .correspondence import shared_points
from .outline import smoothstep
from .pyramid import pyramid_blend
from .similarity import fit_similarity
from .strengths import check_strength, positive_strengths
from .tone import match_skin, match_tone
from .warp import warp_mask, warp_window

WARPS = ("similarity", "piecewise")
# Difference in light, 0..1, up to which two pixels show the same kind of surface, and from which they do not.
_SAME_LIGHT = 0.15
_OTHER_LIGHT = 0.35
# Pixels per eye distance at the coarsest level of blending; broader differences are left to the tone match.
_COARSEST_EYES = 24
# Further halvings for the colour of skin: its mean is then taken over about a sixth of the eye distance.
_SKIN_LEVELS = 2


@dataclass(frozen=True, eq=False)
class PartReference:
    """The value on the PART_REFERENCE wire: pictures of one person and the parts that this person gives.

    `parts`: B pictures with their faces.
    `strengths`: part (of COMPOSITE_PARTS) -> 0..1.
    `mask`: (B or 1, H, W) on these pictures, 0..1, 1 = may be taken; None: everything may.
    `name`: what errors call this person, such as the name of an input; "" becomes "reference N".
    """

    parts: FaceParts
    strengths: Mapping[str, float]
    mask: Tensor | None = None
    name: str = ""


@dataclass(frozen=True)
class Style:
    """How parts are blended: `warp` (of WARPS), `tone` 0..1, `grow` 0..10 (1 is the tuned reach)."""

    warp: str = "similarity"
    tone: float = 1.0
    grow: float = 1.0


@dataclass(frozen=True, eq=False)
class Source:
    """One face that gives one part to one picture.

    `picture`: (H, W, 3) float32, 0..1.
    `strength`: 0..1.
    `mask`: (H, W) on `picture`, 0..1, 1 = may be taken; None: everything may.
    """

    picture: Tensor
    face: Face
    strength: float
    mask: Tensor | None = None


def given_parts(strengths: Mapping[str, float]) -> dict[str, float]:
    """The parts of a strength above 0. Raises ValueError when there are none."""
    return positive_strengths(
        strengths,
        f"this person gives nothing: set at least one of {', '.join(strengths)} above 0, or unplug this person",
    )


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
    """Blend the parts that `references` give into the chosen face of every target picture.

    Parts are blended in the order of COMPOSITE_PARTS (skin, brows, eyes, nose, mouth; a later one covers an earlier
    one where they overlap), and for one part in the order of `references`. A picture without a chosen face, on either
    side, stays as it is.

    `target`: B pictures (H, W) with their faces.
    `references`: B pictures or 1 each; a single picture serves every target picture.
    `warp`: "similarity" keeps the part's own shape at the target's place, size and roll; "piecewise" moves its
        landmarks exactly to the target's.
    `tone`: 0..1, how far parts take over the target's light and colour.
    `grow`: 0..10, factor on how far each part reaches beyond its outline.
    `mask`: (B or 1, H, W), 0..1, 1 = the target may change there.
    `image`: (B, H, W, 3) float32, 0..1, to be changed instead of the target's own pictures.
    `progress`: called after each picture.

    Returns the pictures (B, H, W, 3), and (B, H, W) 0..1: above 0 where they may have changed. Elsewhere they are
    equal bit for bit.
    Raises ValueError for batches or sizes that do not match, a part that is not in COMPOSITE_PARTS and a setting
    outside its range; PartMissing, naming input and picture, for a part that a face does not have.
    """
    style = _style(warp, tone, grow)
    pictures = _canvas(target, image)
    references = _checked_references(target, references)
    target_mask = checked_mask(mask, target, "mask")
    _check_parts(target, references)
    results, changes = [], []
    for i in counted(range(len(target)), progress):
        picture, changed = _fuse(target.face(i), pictures[i], _sources(references, i), style, mask_for(target_mask, i))
        results.append(picture)
        changes.append(changed)
    return torch.stack(results), torch.stack(changes)


def lay_part(
    picture: Tensor, changed: Tensor, face: Face, source: Source, part: str, style: Style, mask: Tensor | None
) -> None:
    """Blend one part of `source` into the face of one picture.

    `picture`: (H, W, 3) float32, 0..1; changed in place.
    `changed`: (H, W) float32, 0..1; raised in place where the picture may have changed.
    `face`: the target's, in `picture`.
    `mask`: (H, W), 0..1, 1 = the picture may change there; None: everywhere.
    """
    source_points, target_points = shared_points(source.face, face, part)
    matrix = fit_similarity(source_points, target_points)
    follow = style.warp == "piecewise"
    size = (picture.shape[0], picture.shape[1])
    area = blend_area(part, face, source.face, matrix, size, grow=style.grow, follow=follow)
    if area is None:
        return
    x0, y0, x1, y1 = area.window
    local = picture[y0:y1, x0:x1]
    bend = (source_points, target_points) if follow else None
    pixels, usable = warp_window(source.picture, matrix, area.window, bend)
    if source.mask is not None:
        usable = usable * warp_mask(source.mask, matrix, area.window, bend)
    if mask is not None:
        usable = usable * mask[y0:y1, x0:x1]
    toned = match_tone(pixels, local, area.ring * usable, style.tone, area.own_colour)
    other_light = _other_light(toned, local)
    skin = area.plain_skin * area.support * usable * (1 - other_light)
    toned = match_skin(toned, local, skin, _levels(face) + _SKIN_LEVELS, style.tone)
    usable = usable * (1 - area.surroundings * other_light)
    blended = pyramid_blend(toned, local, area.alpha * usable * source.strength, _levels(face)).clamp(0, 1)
    weight = area.support if mask is None else area.support * mask[y0:y1, x0:x1]
    within = weight > 0
    picture[y0:y1, x0:x1] = torch.where(within[..., None], torch.lerp(local, blended, weight[..., None]), local)
    changed[y0:y1, x0:x1] = torch.maximum(changed[y0:y1, x0:x1], weight)


def _other_light(toned: Tensor, local: Tensor) -> Tensor:
    """(h, w), 0..1: 1 where the light of two pictures (h, w, 3) differs more than skin does: hair, a jaw's shadow."""
    difference = (toned - local).mean(-1).abs()
    return smoothstep((difference - _SAME_LIGHT) / (_OTHER_LIGHT - _SAME_LIGHT))


def _levels(face: Face) -> int:
    """Halvings after which an eye distance is about _COARSEST_EYES pixels."""
    return max(1, round(math.log2(eye_distance(face) / _COARSEST_EYES)))


def _fuse(
    face: Face | None, picture: Tensor, sources: Mapping[str, list[Source]], style: Style, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    picture = picture.clone()
    changed = torch.zeros(picture.shape[:2])
    if face is not None:
        for part in COMPOSITE_PARTS:
            for source in sources[part]:
                lay_part(picture, changed, face, source, part, style, mask)
    return picture, changed


def _sources(references: Sequence[PartReference], i: int) -> dict[str, list[Source]]:
    """Part -> the faces that give it to the i-th target picture."""
    sources: dict[str, list[Source]] = {part: [] for part in COMPOSITE_PARTS}
    for reference in references:
        at = index_in(reference.parts, i)
        face, mask = reference.parts.face(at), mask_for(reference.mask, at)
        for part, strength in reference.strengths.items():
            if face is not None and strength > 0:
                sources[part].append(Source(reference.parts.pictures[at], face, strength, mask))
    return sources


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
        check_count(reference.name, len(reference.parts), len(target))
        for part, strength in reference.strengths.items():
            if part not in COMPOSITE_PARTS:
                raise ValueError(f"'{part}' cannot be composited; choose one of {', '.join(COMPOSITE_PARTS)}")
            check_strength(part, strength)
    return [replace(r, mask=checked_mask(r.mask, r.parts, f"the mask of {r.name}")) for r in references]


def _check_parts(target: FaceParts, references: Sequence[PartReference]) -> None:
    """Raises PartMissing naming the input and the picture, before anything is computed."""
    for i in range(len(target)):
        for reference in references:
            at = index_in(reference.parts, i)
            target_face, reference_face = target.face(i), reference.parts.face(at)
            if target_face is None or reference_face is None:
                continue
            for part, strength in reference.strengths.items():
                if strength > 0:
                    with of_input("target", i, len(target)):
                        target_face.region(part)
                    with of_input(reference.name, at, len(reference.parts)):
                        reference_face.region(part)
