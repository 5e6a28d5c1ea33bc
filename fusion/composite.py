"""The fused face in pixels, with no model: parts of several people, blended into the chosen faces of a target."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from ..detectors.boxes import window_of
from ..detectors.parser_builtin import BuiltinParser
from ..detectors.parts import GROUPS, Face, FaceParts, of_input
from ..detectors.progress import Progress, counted
from .area import COMPOSITE_PARTS
from .batches import check_count, checked_mask, index_in, mask_for
from .blend import lay_part
from .canvas import Canvas, Source, Style, black_masks
from .cover import CoverFinder
from .kept import KEPT_PICTURES, KeptStacks, LaidPart, Stack, digest
from .layer import mix
from .monochrome import tone_of
from .strengths import check_strength, positive_strengths

WARPS = ("similarity", "piecewise")
SKIN_AREAS = ("whole face", "skin only")
COVERS = ("spare", "ignore")


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
    parser: BuiltinParser | None = None,
    progress: Progress | None = None,
    finder: CoverFinder | None = None,
    kept: KeptStacks | None = None,
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
    `parser`: the built-in parser, on the device of the caller's choice; None: one on the CPU, kept between calls.
    `progress`: called after each picture.
    `finder`: says what covers faces, instead of `parser`; shared by calls with the same references, such as for the
        frames of a film.
    `kept`: shared by calls that differ in strengths alone, which are then mixed anew and not laid; None: nothing kept.

    Raises ValueError for batches or sizes that do not match, a part that is not in COMPOSITE_PARTS and a setting
    outside its range; PartMissing, naming input and picture, for a part that a face does not have.
    """
    style = _style(warp, tone, grow, light, skin_area)
    pictures = _canvas(target, image)
    references = _checked_references(target, references)
    target_mask = checked_mask(mask, target, "mask")
    _check_parts(target, references)
    finder = _finder(covers, parser, finder)
    kept = kept if kept is not None and len(target) <= KEPT_PICTURES else None
    results, changed = pictures.clone(), black_masks(pictures.shape[:3])
    report = []
    for i in counted(range(len(target)), progress):
        canvas = Canvas(results[i], changed[i], mask_for(target_mask, i))
        report.append(tuple(_fuse(target.face(i), canvas, references, i, style, finder, kept)))
    return Composite(results, changed, tuple(report))


def _fuse(
    face: Face | None, canvas: Canvas, references: Sequence[PartReference], i: int, style: Style,
    finder: CoverFinder | None, kept: KeptStacks | None,
) -> list[str]:  # fmt: skip
    """Fuse one picture; returns its report."""
    if face is None:
        return ["left as it was: it has no chosen face"]
    key = None if kept is None else _key(face, canvas, references, i, style, finder is not None)
    stack = None if kept is None else kept.get(key)
    strengths = [one.strengths[part] for one in references for part in _parts_of(one)]
    if stack is None:
        before = canvas.picture.clone() if min(strengths, default=1) < 1 else canvas.picture
        stack, canvas = _laid(face, canvas, references, i, style, finder)
        if kept is not None:
            kept.put(key, stack)
        if before is not canvas.picture:
            canvas.picture.copy_(before)
            canvas.changed.zero_()
            _mix(canvas, stack, references, style)
    else:
        _mix(replace(canvas, tone=stack.tone), stack, references, style)
    return [_line(laid, references[laid.reference]) for laid in stack.parts]


def _laid(
    face: Face, canvas: Canvas, references: Sequence[PartReference], i: int, style: Style, finder: CoverFinder | None
) -> tuple[Stack, Canvas]:
    """All parts, laid wholly over the canvas one after another."""
    sources = _sources(references, i, finder)
    cover = finder(canvas.picture, face) if finder and any(sources.values()) else None
    canvas = replace(canvas, cover=cover, tone=_tone(canvas.picture, face))
    parts = []
    for part in COMPOSITE_PARTS:
        for number, source in sources[part]:
            layers, lines = lay_part(canvas, face, source, part, style)
            parts.append(LaidPart(part, number, tuple(layers), tuple(lines)))
    faces = (face, *(source.face for own in sources.values() for _, source in own))
    return Stack(tuple(parts), canvas.tone, faces), canvas


def _mix(canvas: Canvas, stack: Stack, references: Sequence[PartReference], style: Style) -> None:
    for laid in stack.parts:
        for layer in laid.layers:
            mix(canvas, layer, references[laid.reference].strengths[laid.part], style)


def _line(laid: LaidPart, reference: PartReference) -> str:
    """What the report says of one part of one person."""
    # A node's input is named after the part that it takes.
    whose = "" if reference.name == laid.part else f" of {reference.name}"
    remarks = ". ".join(laid.lines or ("suits the target",))
    return f"{laid.part}{whose} at {reference.strengths[laid.part]:.0%}: {remarks}"


def _key(
    face: Face, canvas: Canvas, references: Sequence[PartReference], i: int, style: Style, spared: bool
) -> Hashable:
    """All that a picture's layers depend on; its faces by their identity."""
    own: list[Hashable] = [id(face), digest(canvas.picture), digest(canvas.mask), style, spared]
    for reference in references:
        at = index_in(reference.parts, i)
        own += [id(reference.parts.face(at)), digest(reference.parts.pictures[at]), _parts_of(reference)]
        own.append(digest(mask_for(reference.mask, at)))
    return tuple(own)


def _tone(picture: Tensor, face: Face | None) -> Tensor | None:
    """The tone of a monochrome, read within the face's box; None for a picture in colour."""
    window = window_of(face.box, (picture.shape[0], picture.shape[1])) if face else None
    if window is None:
        return None
    x0, y0, x1, y1 = window
    return tone_of(picture[y0:y1, x0:x1])


def _sources(
    references: Sequence[PartReference], i: int, finder: CoverFinder | None
) -> dict[str, list[tuple[int, Source]]]:
    """Part -> the faces that give it to the i-th target picture, each with the number of its reference."""
    sources: dict[str, list[tuple[int, Source]]] = {part: [] for part in COMPOSITE_PARTS}
    for number, reference in enumerate(references):
        at = index_in(reference.parts, i)
        face, mask = reference.parts.face(at), mask_for(reference.mask, at)
        parts = _parts_of(reference)
        if face is None or not parts:
            continue
        picture = reference.parts.pictures[at]
        source = Source(picture, face, mask, finder(picture, face) if finder else None)
        for part in parts:
            sources[part].append((number, source))
    return sources


def _parts_of(reference: PartReference) -> tuple[str, ...]:
    return tuple(part for part, strength in reference.strengths.items() if strength > 0)


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


def _finder(covers: str, parser: BuiltinParser | None, finder: CoverFinder | None) -> CoverFinder | None:
    if covers not in COVERS:
        raise ValueError(f"covers is '{covers}'; choose one of {', '.join(COVERS)}")
    return (finder or CoverFinder(parser)) if covers == COVERS[0] else None


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
