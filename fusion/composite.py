"""The fused face in pixels, with no model: each part is warped onto the target, matched in tone and blended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.parts import GROUPS, Face, FaceParts, of_input
from ..detectors.progress import Progress, counted
from ..detectors.regions import eye_distance
from .area import COMPOSITE_PARTS, EDGES, Area, features, side_area
from .batches import check_count, checked_mask, index_in, mask_for
from .cover import Cover, CoverFinder
from .lab import to_lab, to_rgb
from .light import read_light, relight
from .outline import signed_distance, smoothstep
from .placement import Placement, place_part
from .seam import least_seam
from .sharpness import match_sharpness, texture
from .similarity import scale_of
from .strengths import check_strength, positive_strengths
from .suitability import MOSTLY, Fit, remarks, too_far_turned
from .warp import warp_mask, warp_window

WARPS = ("similarity", "piecewise")
SKIN_AREAS = ("whole face", "skin only")
COVERS = ("spare", "ignore")
# Samples per eye distance on which the edge of a part is searched.
_SAMPLES = 48
# Cost of a place, in steps of L, a and b: that of every place, which keeps the edge short, and that beyond the face.
_EVEN, _BEYOND_FACE = 1.5, 200.0


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
    """How parts are blended.

    `warp`: of WARPS. `tone`, `light`: 0..1. `grow`: 0..10, 1 is the tuned reach.
    `bare_skin`: whether "skin" leaves brows, eyes, nose and mouth the target's.
    """

    warp: str = "similarity"
    tone: float = 1.0
    grow: float = 1.0
    light: float = 1.0
    bare_skin: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """One face that gives one part to one picture.

    `picture`: (H, W, 3) float32, 0..1.
    `strength`: 0..1.
    `mask`: (H, W) on `picture`, 0..1, 1 = may be taken; None: everything may.
    `name`: what the report calls this person.
    `cover`: what lies over the face and is not taken; None: nothing.
    """

    picture: Tensor
    face: Face
    strength: float
    mask: Tensor | None = None
    name: str = ""
    cover: Cover | None = None


def in_lines(report: Sequence[Sequence[str]]) -> str:
    """The report of several pictures as text, one sentence a line, each with the number of its picture."""
    several = len(report) > 1
    return "\n".join(
        (f"picture {number}, " if several else "") + line for number, own in enumerate(report, 1) for line in own
    )


class Composite(NamedTuple):
    """`pictures`: (B, H, W, 3) float32, 0..1, the fused photographs.

    `changed`: (B, H, W) float32, 0..1, above 0 where they may have changed; elsewhere they are equal bit for bit.
    `report`: for each picture, what was done and what does not suit, one sentence a line.
    """

    pictures: Tensor
    changed: Tensor
    report: tuple[tuple[str, ...], ...]


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
    light: float = 1.0,
    skin_area: str = SKIN_AREAS[0],
    covers: str = COVERS[0],
    progress: Progress | None = None,
) -> Composite:
    """Blend the parts that `references` give into the chosen face of every target picture.

    Parts are blended in the order of COMPOSITE_PARTS (skin, brows, eyes, nose, mouth; a later one covers an earlier
    one where they overlap), and for one part in the order of `references`. A picture without a chosen face, on either
    side, stays as it is, and so does a part that cannot be seen; the report says so.

    `target`: B pictures (H, W) with their faces.
    `references`: B pictures or 1 each; a single picture serves every target picture.
    `warp`: "similarity" keeps the part's own shape at the target's place, size and roll; "piecewise" moves its
        landmarks exactly to the target's.
    `tone`: 0..1, how far parts take over the target's mean lightness and colour of skin.
    `grow`: 0..10, factor on how far each part reaches beyond its outline.
    `mask`: (B or 1, H, W), 0..1, 1 = the target may change there.
    `image`: (B, H, W, 3) float32, 0..1, to be changed instead of the target's own pictures.
    `light`: 0..1, how far parts take over the way in which light and colour vary over the target's face.
    `skin_area`: of SKIN_AREAS; what "skin" takes: all that lies within the face oval, or all but brows, eyes, nose and
        mouth. The skin is then laid over the target's own landmarks.
    `covers`: of COVERS; whether spectacles, hair or a hand over a part are left out of a reference and kept on top of
        the target, as far as the built-in parser sees them, or blended like the rest.
    `progress`: called after each picture.

    Raises ValueError for batches or sizes that do not match, a part that is not in COMPOSITE_PARTS and a setting
    outside its range; PartMissing, naming input and picture, for a part that a face does not have.
    """
    style = _style(warp, tone, grow, light, skin_area)
    pictures = _canvas(target, image)
    references = _checked_references(target, references)
    target_mask = checked_mask(mask, target, "mask")
    _check_parts(target, references)
    results, changed, report = pictures.clone(), torch.zeros(pictures.shape[:3]), []
    if covers not in COVERS:
        raise ValueError(f"covers is '{covers}'; choose one of {', '.join(COVERS)}")
    finder = CoverFinder() if covers == COVERS[0] else None
    for i in counted(range(len(target)), progress):
        face, sources = target.face(i), _sources(references, i, finder)
        cover = finder(pictures[i], face) if finder and face and any(sources.values()) else None
        canvas = Canvas(results[i], changed[i], mask_for(target_mask, i), cover)
        report.append(tuple(_fuse(face, canvas, sources, style)))
    return Composite(results, changed, tuple(report))


@dataclass(frozen=True, eq=False)
class Canvas:
    """The picture that is fused.

    `picture`: (H, W, 3) float32, 0..1; changed in place.
    `changed`: (H, W) float32, 0..1; raised in place where the picture may have changed.
    `mask`: (H, W), 0..1, 1 = the picture may change there; None: everywhere.
    `cover`: what lies over the target's face and stays on top; None: nothing.
    """

    picture: Tensor
    changed: Tensor
    mask: Tensor | None
    cover: Cover | None = None

    @property
    def size(self) -> tuple[int, int]:
        """H, W in pixels."""
        return int(self.picture.shape[0]), int(self.picture.shape[1])


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a part on its way into a picture.

    `unit`: pixels per eye distance of the target.
    `spared`: (h, w), 0..1, 1 where the target keeps its own; None: nowhere.
    """

    name: str
    area: Area
    placement: Placement
    unit: float
    spared: Tensor | None = None


def lay_part(canvas: Canvas, face: Face, source: Source, part: str, style: Style) -> list[str]:
    """Blend one part of `source` into the target's `face` on the canvas.

    Returns what a person should know about it, in sentences.
    """
    hidden = [side for side in GROUPS.get(part, (part,)) if side in (*face.hidden, *source.face.hidden)]
    if hidden:
        whose = "the target" if hidden[0] in face.hidden else "the reference"
        return [f"left as it was: {hidden[0].replace('_', ' ')} cannot be seen, as {whose}'s head is turned away"]
    bare = part == "skin" and style.bare_skin
    placement = place_part(part, face, source.face, bare or style.warp == "piecewise")
    if too_far_turned(part, placement.turn):
        return [f"left as it was: the heads look {placement.turn:.0f} degrees apart; choose a nearer reference"]
    placement = placement.at_share(source.strength)
    lines: list[str] = []
    for name in GROUPS.get(part, (part,)):
        area = side_area(name, face, source.face, placement, canvas.size, style.grow)
        if area is not None:
            spared = features(face, area.window) if bare else None
            fit = _lay_side(canvas, Side(name, area, placement, eye_distance(face), spared), source, style)
            lines += [line for line in remarks(fit) if line not in lines]
    return lines


def _lay_side(canvas: Canvas, side: Side, source: Source, style: Style) -> Fit:
    x0, y0, x1, y1 = window = side.area.window
    matrix, bend = side.placement.matrix, side.placement.bend
    local, edge = canvas.picture[y0:y1, x0:x1], EDGES[side.name]
    pixels, usable = warp_window(source.picture, matrix, window, bend)
    target, reference = to_lab(local), to_lab(pixels.clamp(0, 1))
    if source.mask is not None:
        usable = usable * warp_mask(source.mask, matrix, window, bend)
    if canvas.mask is not None:
        usable = usable * canvas.mask[y0:y1, x0:x1]
    covered = source.cover.on_reference(side.name, side.placement, window) if source.cover else torch.zeros(())
    kept = canvas.cover.on_target(side.name, window) if canvas.cover else torch.zeros(())
    inside = (side.area.distance < 0).float()
    shares = [float((one * inside).sum() / inside.sum().clamp_min(1)) for one in (covered, kept)]
    if max(shares) > MOSTLY:
        return Fit(covered=shares[0], kept=shares[1])
    usable = usable * (1 - covered) * (1 - kept)
    skin = side.area.skin * usable
    # Inside its own outline a part has its own light, which is matched no finer than a part is large.
    distance = side.area.distance / side.unit - min(edge.inner, 0.0)
    light = read_light(target, reference, skin, distance, side.unit)
    toned = relight(reference, light, style.tone, style.light, edge.skin == 1)
    fine = texture(target[..., 0], skin)
    sharpness = texture(toned[..., 0], skin) / max(fine, 1e-3)
    toned = torch.cat([match_sharpness(toned[..., 0], sharpness, fine)[..., None], toned[..., 1:]], -1)
    alpha = _edge(side, (toned - target).abs().sum(-1), style.grow) * usable
    if side.spared is not None:
        alpha = alpha * (1 - side.spared)
    if source.strength < 1:
        target = to_lab(_reshaped(canvas.picture, side, alpha))
    blended = to_rgb(torch.lerp(target, toned, (alpha * source.strength)[..., None]))
    canvas.picture[y0:y1, x0:x1] = torch.where((alpha > 0)[..., None], blended, local)
    canvas.changed[y0:y1, x0:x1] = torch.maximum(canvas.changed[y0:y1, x0:x1], alpha)
    return Fit(side.placement.turn, scale_of(matrix), sharpness, light.gain, light.slope(alpha), *shares)


def _edge(side: Side, difference: Tensor, grow: float) -> Tensor:
    """(h, w), 0..1: how far the blend is the reference's; the edge runs where the two differ least.

    `difference`: (h, w) >= 0, of both pictures in L, a, b.
    """
    area, unit, edge = side.area, side.unit, EDGES[side.name]
    # Beyond the skin of either face there is nothing to blend into.
    cost = difference + _BEYOND_FACE * (1 - area.face)
    step = max(1.0, unit / _SAMPLES)
    size = max(4, round(cost.shape[0] / step)), max(4, round(cost.shape[1] / step))
    cost = functional.avg_pool2d(functional.interpolate(cost[None, None], size, mode="area"), 3, 1, 1)[0, 0]
    inner, outer = (reach * (grow if reach > 0 else 1) for reach in (edge.inner, edge.outer))
    seam = least_seam(cost + _EVEN, area.hull, area.window, inner * unit, outer * unit)
    within = signed_distance([seam], area.window) / unit
    return smoothstep(0.5 - within / edge.feather) * area.face


def _reshaped(picture: Tensor, side: Side, alpha: Tensor) -> Tensor:
    """(h, w, 3): the target in the area, with its own part in the shape and place of the blended one."""
    x0, y0, x1, y1 = window = side.area.window
    if side.placement.bend is None:
        return picture[y0:y1, x0:x1]
    same = torch.eye(2, 3, dtype=torch.float64)
    moved, _ = warp_window(picture, same, window, (side.placement.own, side.placement.place), alpha)
    return moved.clamp(0, 1)


def _fuse(face: Face | None, canvas: Canvas, sources: Mapping[str, list[Source]], style: Style) -> list[str]:
    """Fuse one picture; returns its report."""
    if face is None:
        return ["left as it was: it has no chosen face"]
    report = []
    for part in COMPOSITE_PARTS:
        for source in sources[part]:
            lines = lay_part(canvas, face, source, part, style) or ["suits the target"]
            report.append(f"{part} of {source.name} at {source.strength:.0%}: {'. '.join(lines)}")
    return report


def _sources(references: Sequence[PartReference], i: int, finder: CoverFinder | None) -> dict[str, list[Source]]:
    """Part -> the faces that give it to the i-th target picture."""
    sources: dict[str, list[Source]] = {part: [] for part in COMPOSITE_PARTS}
    for reference in references:
        at = index_in(reference.parts, i)
        face, mask = reference.parts.face(at), mask_for(reference.mask, at)
        given = {part: strength for part, strength in reference.strengths.items() if strength > 0}
        if face is None or not given:
            continue
        picture = reference.parts.pictures[at]
        cover = finder(picture, face) if finder else None
        for part, strength in given.items():
            sources[part].append(Source(picture, face, strength, mask, reference.name, cover))
    return sources


def _style(warp: str, tone: float, grow: float, light: float, skin_area: str) -> Style:
    if warp not in WARPS:
        raise ValueError(f"warp is '{warp}'; choose one of {', '.join(WARPS)}")
    if not 0 <= tone <= 1:
        raise ValueError(f"tone is {tone}; it goes from 0 (keep the reference's) to 1 (take the target's)")
    if not 0 <= grow <= 10:
        raise ValueError(f"grow is {grow}; it goes from 0 to 10, and 1 is the tuned size")
    if not 0 <= light <= 1:
        raise ValueError(f"light is {light}; it goes from 0 (keep the reference's) to 1 (take the target's)")
    if skin_area not in SKIN_AREAS:
        raise ValueError(f"skin_area is '{skin_area}'; choose one of {', '.join(SKIN_AREAS)}")
    return Style(warp, tone, grow, light, skin_area == SKIN_AREAS[1])


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
                        _check_part(target_face, part)
                    with of_input(reference.name, at, len(reference.parts)):
                        _check_part(reference_face, part)


def _check_part(face: Face, part: str) -> None:
    """Raises PartMissing for a part that the face lacks; one that is only turned away is left to the report."""
    if not set(GROUPS.get(part, (part,))) & set(face.hidden):
        face.region(part)
