"""What the encoder is shown of a face: the whole picture as published, or a close square; and only some parts of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ...detectors.conventions import fuse_any_part_boxes
from ...detectors.parts import GROUPS, Box, Face, FaceParts, of_input
from ...detectors.progress import Progress, counted, stages
from ...detectors.regions import eye_distance
from ..area import REACH
from ..crop import FaceCrop, crop_faces
from ..masks import part_mask
from ..warp import warp_window
from .boxes import OVERHANG, check_box

# The published program makes every picture this big before the encoder's own preprocessing.
_PUBLISHED_SIDE = 256
# In outer-eye distances: how far a part reaches beyond its outline at most, and how far a spared neighbour does.
_FURTHEST, _SPARED = 0.10, 0.05


@dataclass(frozen=True, eq=False)
class View:
    """B faces as the encoder sees them.

    `pictures`: (B, h, w, 3) in 0..1. `kept`: part -> (B, h, w) in 0..1, where the part is. `boxes`: part -> (B, 4) as
    y0, x0, y1, x1 in 0..1. `points`: (B, K, 2), landmarks as x, y in 0..1, numbered by `scheme` (K = 0 and "" when
    not every face has the same). `corners`: (B, 4), where the view lies in the picture, y0, x0, y1, x1 in its 0..1.
    """

    pictures: Tensor
    kept: Mapping[str, Tensor]
    boxes: Mapping[str, Tensor]
    points: Tensor
    scheme: str
    corners: Tensor


def chosen_faces(parts: FaceParts, names: Sequence[str] = ()) -> list[Face]:
    """The chosen face of every picture, with the parts `names`.

    Raises ValueError when a picture has none, PartMissing naming the picture when its face lacks one of the parts.
    """
    faces = [parts.face(i) for i in range(len(parts))]
    missing = [str(i + 1) for i, face in enumerate(faces) if face is None]
    if missing:
        raise ValueError(
            f"parts: picture {', '.join(missing)} of {len(faces)} has no chosen face, and every picture needs one. "
            "Set on_missing of Face Part Detect to 'previous', lower its threshold, or leave that picture out"
        )
    chosen = [face for face in faces if face is not None]
    for i, face in enumerate(chosen):
        with of_input("parts", i, len(chosen)):
            for name in names:
                face.region(name)
    return chosen


def released_view(parts: FaceParts, names: Sequence[str], stacked: bool) -> View:
    """The whole picture; parts are boxes (`fuse_any_part_boxes`) of whole pixels, without a soft edge."""
    height, width = parts.size
    found = [fuse_any_part_boxes(face, parts.size, stacked, names) for face in chosen_faces(parts, names)]
    boxes = {name: torch.tensor([boxes[name] for boxes in found]) for name in names}
    kept = {name: torch.stack([box_pixels(box, parts.size) for box in rows]) for name, rows in boxes.items()}
    points, scheme = _points(parts, torch.tensor([width, height]))
    return View(parts.pictures, kept, boxes, points, scheme, torch.tensor([[0.0, 0.0, 1.0, 1.0]] * len(parts)))


def close_view(
    parts: FaceParts,
    names: Sequence[str],
    side: int,
    align: str,
    padding: float,
    progress: Progress | None = None,
    allowed: Tensor | None = None,
) -> View:
    """A square of `side` pixels around each face (`crop.crop_faces`); parts are outlines with a soft edge.

    `allowed`: (B, H, W) in 0..1 over the pictures, what may be kept of the parts. Raises ValueError for a part of which
    that leaves nothing, and for one whose box is empty, inverted or not in the view at all.
    """
    chosen_faces(parts, names)
    first, *others = stages(progress, 1 + len(names))
    pictures, moved, crop = crop_faces(parts, side, align, padding, first)
    faces = chosen_faces(moved)
    boxes = {name: _view_boxes(faces, name, side) for name in names}
    kept = {
        name: torch.stack([soft_mask(face, name, (side, side)) for face in counted(faces, told)])
        for name, told in zip(names, others, strict=True)
    }
    if allowed is not None:
        kept = _allowed(kept, allowed, crop)
    points, scheme = _points(moved, torch.tensor([side, side]))
    scale, shift = crop.matrices[:, 0, 0], crop.matrices[:, :, 2]
    low, high = -shift / scale[:, None], (side - shift) / scale[:, None]
    size = torch.tensor([parts.size[1], parts.size[0]])
    corners = torch.cat([(low / size).flip(1), (high / size).flip(1)], 1).float()
    return View(pictures, kept, boxes, points, scheme, corners)


def soft_mask(face: Face, part: str, size: tuple[int, int], among: Sequence[str] = ()) -> Tensor:
    """(H, W) 0..1: the part with some of the skin around it, fading out.

    Neighbours that it spares (eyes beside the nose) are left out, unless they are `among` the parts named.
    """
    unit, reach = eye_distance(face), REACH[part]
    grow = min(reach.grow, _FURTHEST) + reach.feather / 2
    mask = part_mask(face, [part], size, grow=grow * unit, feather=reach.feather * unit)
    spared = [neighbour for neighbour in reach.neighbours if face.has(neighbour) and neighbour not in among]
    near = part_mask(face, spared, size, grow=_SPARED * unit, feather=2 * _SPARED * unit)
    return torch.minimum(mask, 1 - near)


def box_pixels(box: Tensor, size: tuple[int, int]) -> Tensor:
    """(H, W): 1 in the pixels of the box (y0, x0, y1, x1 in 0..1), rounded to whole ones and at least one."""
    low, high = torch.round(box.double() * torch.tensor([*size, *size])).long().view(2, 2).tolist()
    top, left = min(low[0], size[0] - 1), min(low[1], size[1] - 1)
    mask = torch.zeros(size)
    mask[top : max(high[0], top + 1), left : max(high[1], left + 1)] = 1
    return mask


def picture_boxes(parts: FaceParts, name: str) -> Tensor:
    """(B, 4): the boxes of a part in the pictures, clipped to them. Raises ValueError for one that lies outside."""
    boxes = torch.stack([_normalised(f.box_of(name), parts.size) for f in chosen_faces(parts)]).clamp(0, 1)
    if not bool((boxes[:, :2] < boxes[:, 2:]).all()):
        raise ValueError(f"parts: the {name} of a chosen face lies outside its picture; use one with the whole face")
    return boxes


def with_sides(names: Sequence[str]) -> list[str]:
    """The parts, the sides of each group among them, and each group of which both sides are among them."""
    single = {side for name in names for side in GROUPS.get(name, (name,))}
    groups = [group for group, sides in GROUPS.items() if set(sides) <= single]
    return [part for part in REACH if part in single or part in groups]


def published_pixels(
    pictures: Tensor, side: int, mean: Sequence[float], std: Sequence[float], progress: Progress | None = None
) -> Tensor:
    """(N, H, W, 3) in 0..1 -> (N, 3, side, side) as the published program feeds them.

    PIL's bicubic to 256 x 256 in 8 bits, then the defaults of CLIPImageProcessor with `side` for its 224: bicubic in
    8 bits again (the centre crop of a square changes nothing), / 255, mean and standard deviation.
    """
    shown = []
    for i in counted(range(len(pictures)), progress):
        pixels = (pictures[i].clamp(0, 1) * 255).round().to(torch.uint8).numpy()
        image = Image.fromarray(np.ascontiguousarray(pixels))
        for size in (_PUBLISHED_SIDE, side):
            image = image.resize((size, size), Image.Resampling.BICUBIC)
        shown.append(torch.from_numpy(np.array(image)))
    return normalised(torch.stack(shown).float() / 255, mean, std)


def close_pixels(pictures: Tensor, side: int, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(N, s, s, 3) -> (N, 3, side, side); a rim that the encoder's cells do not cover repeats the border."""
    rim = side - pictures.shape[1]
    padded = functional.pad(pictures.permute(0, 3, 1, 2), (0, rim, 0, rim), mode="replicate")
    return normalised(padded.permute(0, 2, 3, 1), mean, std)


def normalised(pictures: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(N, s, s, 3) in 0..1 -> pixel values (N, 3, s, s)."""
    return ((pictures - torch.tensor(mean)) / torch.tensor(std)).permute(0, 3, 1, 2).contiguous()


def shown_pictures(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Pixel values (N, 3, s, s) -> the pictures (N, s, s, 3) that they are."""
    return (pixels.permute(0, 2, 3, 1) * torch.tensor(std) + torch.tensor(mean)).clamp(0, 1)


def _view_boxes(faces: Sequence[Face], name: str, side: int) -> Tensor:
    rows = []
    for i, face in enumerate(faces, 1):
        if any(region.mask is not None and not bool((region.mask > 0.5).any()) for region in face.region(name)):
            raise ValueError(
                f"the {name} in picture {i} of parts lies outside the encoder's view of the face; raise padding in "
                "Part Encode, or use a picture that shows it"
            )
        rows.append(_normalised(face.box_of(name), (side, side)))
        check_box(rows[-1], f"the {name} in picture {i} of parts", OVERHANG)
    return torch.stack(rows)


def _allowed(kept: Mapping[str, Tensor], allowed: Tensor, crop: FaceCrop) -> dict[str, Tensor]:
    window = (0, 0, crop.size, crop.size)
    masks = allowed.expand(len(crop.matrices), -1, -1)[..., None]
    seen = [warp_window(mask, matrix, window) for mask, matrix in zip(masks, crop.matrices, strict=True)]
    may = torch.stack([(moved[..., 0] * inside).clamp(0, 1) for moved, inside in seen])
    left = {name: whole * may for name, whole in kept.items()}
    for name, rows in left.items():
        for i, (row, whole) in enumerate(zip(rows, kept[name], strict=True), 1):
            if bool((whole > 0).any()) and not bool((row > 0).any()):
                raise ValueError(
                    f"mask leaves nothing of the {name} of picture {i}; paint white what may be taken of it, or set "
                    f"{name} to 0"
                )
    return left


def _points(parts: FaceParts, size: Tensor) -> tuple[Tensor, str]:
    faces = chosen_faces(parts)
    if len({face.scheme for face in faces}) > 1 or not faces[0].scheme:
        return torch.zeros(len(faces), 0, 2), ""
    return torch.stack([face.landmarks for face in faces]) / size, faces[0].scheme


def _normalised(box: Box, size: tuple[int, int]) -> Tensor:
    x0, y0, x1, y1 = box
    return torch.tensor([y0 / size[0], x0 / size[1], y1 / size[0], x1 / size[1]])
