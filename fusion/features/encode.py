"""Faces -> encoder tokens of their parts (FuseAnyPart, arXiv 2410.22771), as published or closer up."""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, counted, stages
from ..area import FEATURE_PARTS
from .painted import paint_out
from .part_pictures import (
    View,
    chosen_faces,
    close_pixels,
    close_view,
    picture_boxes,
    published_pixels,
    released_view,
    shown_pictures,
    soft_mask,
    with_sides,
)
from .records import MODES, RELEASED_PARTS, PartFeatures, TargetPicture

# Pictures that go through the encoder together, and bytes of tokens that are remembered for one encoder.
_TOGETHER = 64
_REMEMBERED = 32 * 2**20
_MEMORY: weakref.WeakKeyDictionary[object, OrderedDict[bytes, Tensor]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Encoder:
    """A vision transformer that gives one token per cell of a square picture.

    `run`: pixel values (N, 3, size, size) float32 on the CPU -> the tokens before its last layer (N, classes + h*w,
    width) float32 on the CPU. `grid`: h, w. `classes`: leading tokens that are no cells. `mean`, `std`: of its pixel
    values. `name` is for messages. `model`: whose weights these are; tokens are remembered as long as it lives (left
    out: as long as this record lives).
    """

    name: str
    size: int
    grid: tuple[int, int]
    classes: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    run: Callable[[Tensor], Tensor]
    model: object | None = None

    @property
    def seen(self) -> int:
        """Pixels of each side that its cells cover; a side that is no multiple of the cell has a rim unseen."""
        return self.size // self.grid[0] * self.grid[0]


@dataclass(frozen=True)
class Framing:
    """How faces are shown to the encoder.

    `mode`: of features.MODES. `stacked` (released): boxes that touch, as the published samples have them. `padding`
    (practical): room around the face on each side, in face sizes, 0..2.
    """

    mode: str = MODES[0]
    stacked: bool = True
    padding: float = 0.1

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode is '{self.mode}'; choose one of {', '.join(MODES)}")
        if not 0 <= self.padding <= 2:
            raise ValueError(f"padding is {self.padding}; it goes from 0 to 2 face sizes")

    @property
    def published(self) -> bool:
        return self.mode == "released"

    def view(
        self, parts: FaceParts, names: Sequence[str], encoder: Encoder, align: str, progress: Progress | None = None,
        mask: Tensor | None = None,
    ) -> View:  # fmt: skip
        if self.published:
            return released_view(parts, names, self.stacked)
        return close_view(parts, names, encoder.seen, align, self.padding, progress, mask)

    def pixels(self, pictures: Tensor, encoder: Encoder, progress: Progress | None = None) -> Tensor:
        """What `view` showed, (N, h, w, 3) -> pixel values (N, 3, size, size)."""
        if self.published:
            return published_pixels(pictures, encoder.size, encoder.mean, encoder.std, progress)
        return close_pixels(pictures, encoder.size, encoder.mean, encoder.std)


def encode_reference(
    parts: FaceParts,
    encoder: Encoder,
    strengths: Mapping[str, float],
    framing: Framing,
    progress: Progress | None = None,
    mask: Tensor | None = None,
) -> tuple[PartFeatures, Tensor]:
    """The parts that one person gives, each from a picture that is black outside it, and these pictures.

    `strengths`: part -> 0..1; parts at 0 are left out. `mask`: (B, H, W) in 0..1 over the pictures, 1 = may be taken,
    in "practical" only. `progress` is told after each picture and each chunk that was encoded. Returns the features and
    (B * parts, size, size, 3), picture by picture. Raises ValueError when all strengths are 0, for a part that the mode
    does not know, a picture without a chosen face, a mask that leaves nothing, and PartMissing when a face does not
    have the part.
    """
    given = _given(strengths, framing, "gives nothing: set at least one part above 0")
    if mask is not None and framing.published:
        raise ValueError(
            "mask is wired in and mode is 'released', which takes whole boxes as published; a mask works in "
            "'practical' only. Take it off, or set mode to 'practical' in every Part Encode"
        )
    names = list(given)
    first, *others, last = stages(progress, 2 + len(names))
    view = framing.view(parts, names, encoder, "upright", first, mask)
    pixels = [
        framing.pixels(view.pictures * view.kept[name][..., None], encoder, told)
        for name, told in zip(names, others, strict=True)
    ]
    tokens, unconditioned = _tokens_and_unconditioned(encoder, torch.cat(pixels), last)
    by_part = dict(zip(names, tokens.split(len(parts)), strict=True))
    features = _features(view, framing, encoder, by_part, given, unconditioned)
    return features, shown_pictures(torch.stack(pixels, 1).flatten(0, 1), encoder.mean, encoder.std)


def encode_target(
    parts: FaceParts,
    encoder: Encoder,
    strengths: Mapping[str, float],
    framing: Framing,
    colour: Tensor | None = None,
    progress: Progress | None = None,
) -> tuple[PartFeatures, Tensor]:
    """The face that is changed, its parts of a strength above 0 painted out, and the pictures that were encoded.

    `colour` (3,) in 0..1 is painted instead of the skin's own. Returns the features and (B, size, size, 3). Raises
    as `encode_reference` does.
    """
    first, second, third, fourth, last = stages(progress, 5)
    made = _given(strengths, framing, "would stay as it is: set the parts that are to be made anew above 0")
    names = list(made) if framing.published else with_sides(list(made))
    faces = chosen_faces(parts, names)
    if framing.published:
        plain = released_view(parts, names, framing.stacked)
        mask, boxes = torch.stack(list(plain.kept.values())).amax(0), plain.boxes
    else:
        boxes = {name: picture_boxes(parts, name) for name in names}
        areas = [[soft_mask(face, name, parts.size, names) for name in made] for face in counted(faces, first)]
        mask = torch.stack([torch.stack(area).amax(0) for area in areas])
    painted = paint_out(parts.pictures, mask, faces, colour, second)
    view = framing.view(replace(parts, pictures=painted), names, encoder, "unrotated", third)
    pixels = framing.pixels(view.pictures, encoder, fourth)
    tokens, unconditioned = _tokens_and_unconditioned(encoder, pixels, last)
    target = TargetPicture(parts.pictures, painted, view.corners, boxes, mask)
    features = _features(view, framing, encoder, {"face": tokens}, {}, unconditioned)
    return replace(features, target=target), shown_pictures(pixels, encoder.mean, encoder.std)


def tokens_of(encoder: Encoder, pixels: Tensor, progress: Progress | None = None) -> Tensor:
    """Pixel values (N, 3, size, size) -> (N, classes + h*w, width); equal pictures are encoded once.

    `progress` is told after each chunk that went through the encoder. Raises ValueError when the encoder gives tokens
    of another shape than it says.
    """
    memory = _MEMORY.setdefault(encoder if encoder.model is None else encoder.model, OrderedDict())
    keys = [hashlib.blake2b(picture.contiguous().numpy().tobytes(), digest_size=20).digest() for picture in pixels]
    found = {key: memory.pop(key) for key in dict.fromkeys(keys) if key in memory}
    new = {key: i for i, key in enumerate(keys) if key not in found}
    places = list(new.values())
    for start in counted(range(0, len(places), _TOGETHER), progress):
        some = places[start : start + _TOGETHER]
        found.update(zip([keys[i] for i in some], _checked(encoder, pixels[some]), strict=True))
    memory.update(found)
    while len(memory) > 1 and sum(kept.nbytes for kept in memory.values()) > _REMEMBERED:
        memory.popitem(last=False)
    return torch.stack([found[key] for key in keys])


def _checked(encoder: Encoder, pixels: Tensor) -> list[Tensor]:
    tokens = encoder.run(pixels)
    needed = (len(pixels), encoder.classes + encoder.grid[0] * encoder.grid[1], encoder.width)
    if tuple(tokens.shape) != needed:
        raise ValueError(f"{encoder.name} gave tokens of shape {tuple(tokens.shape)}, needed is {needed}")
    # Each on its own, so that forgetting one frees it.
    return [one.clone() for one in tokens]


def _tokens_and_unconditioned(encoder: Encoder, pixels: Tensor, progress: Progress | None) -> tuple[Tensor, Tensor]:
    tokens = tokens_of(encoder, torch.cat([pixels, torch.zeros_like(pixels[:1])]), progress)
    return tokens[:-1], tokens[-1:]


def _given(strengths: Mapping[str, float], framing: Framing, nothing: str) -> dict[str, float]:
    known = RELEASED_PARTS if framing.published else FEATURE_PARTS
    for part, strength in strengths.items():
        if not 0 <= strength <= 1:
            raise ValueError(f"the strength of '{part}' is {strength}; it goes from 0 to 1")
        if strength > 0 and part not in known:
            other = "; set it to 0, or mode to 'practical'" if part in FEATURE_PARTS else ""
            raise ValueError(f"mode '{framing.mode}' has no part '{part}', only {', '.join(known)}{other}")
    given = {part: strengths[part] for part in known if strengths.get(part, 0) > 0}
    if not given:
        raise ValueError(f"every part has the strength 0, so this person {nothing}")
    return given


def _features(
    view: View,
    framing: Framing,
    encoder: Encoder,
    tokens: Mapping[str, Tensor],
    strengths: Mapping[str, float],
    unconditioned: Tensor,
) -> PartFeatures:
    masks = view.kept
    if framing.published:
        side = (encoder.seen, encoder.seen)
        masks = {name: functional.interpolate(mask[:, None], side, mode="area")[:, 0] for name, mask in masks.items()}
    return PartFeatures(
        framing.mode, tokens, encoder.grid, encoder.classes, encoder.name, view.boxes, masks, view.points, view.scheme,
        strengths, unconditioned,
    )  # fmt: skip
