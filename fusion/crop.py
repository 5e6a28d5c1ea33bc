"""A square crop of each chosen face, and its inverse: outside the mask the photograph comes back bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window, bounding_box, corners_of, window_of
from ..detectors.parts import Face, FaceParts, Region
from ..detectors.progress import Progress, counted
from ..detectors.schemes import anchors, five_points
from .batches import mask_for
from .outline import smoothstep
from .similarity import apply_affine, compose_affine, fit_similarity, invert_affine, scale_of
from .warp import warp_mask, warp_window

ALIGNMENTS = ("upright", "FFHQ", "unrotated")

# FFHQ's five points in a crop of 512 pixels: eye centres, nose tip, mouth corners; x, y.
FFHQ_POINTS = torch.tensor(
    [[192.981, 239.947], [318.903, 240.194], [256.634, 314.019], [201.261, 371.410], [313.089, 371.151]]
)
# An edit that differs from the crop by no more than one step of 8 bits is not pasted.
_UNCHANGED = 1 / 255


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """The value on the FACE_CROP wire: what `paste_back` needs of B crops.

    `pictures`: (B, H, W, 3) float32, 0..1, the pictures that were cropped.
    `matrices`: (B, 2, 3) float64, pixels of the picture -> pixels of the crop.
    `size`: side of the crops in pixels.
    `has_face`: whether each picture has a chosen face; the crop of one without is the middle of the picture, and
        nothing is pasted into it.
    """

    pictures: Tensor
    matrices: Tensor
    size: int
    has_face: tuple[bool, ...]


def crop_faces(
    parts: FaceParts, size: int = 512, align: str = "upright", padding: float = 0.5, progress: Progress | None = None
) -> tuple[Tensor, FaceParts, FaceCrop]:
    """Crop the chosen face of every picture.

    `parts`: B pictures with their faces.
    `size`: side of the crops in pixels, at least 8.
    `align`: "upright" is a square around the face, turned so that the eyes are level; "unrotated" the same without
        the turn; "FFHQ" lays five points over FFHQ's template.
    `padding`: margin per side, in face sizes, 0..4; FFHQ has its own.
    `progress`: called after each picture.

    Returns the crops (B, size, size, 3) float32, 0..1, with the picture's border repeated beyond it; the same faces in
    pixels of the crops; and what `paste_back` needs.
    Raises ValueError for a setting outside its range, and for FFHQ when a face has no landmarks.
    """
    if align not in ALIGNMENTS:
        raise ValueError(f"align is '{align}'; choose one of {', '.join(ALIGNMENTS)}")
    if size < 8 or not 0 <= padding <= 4:
        raise ValueError(f"size is {size} and padding {padding}; needed are at least 8 pixels and 0 to 4 face sizes")
    middle = square_matrix(parts.size[1] / 2, parts.size[0] / 2, min(parts.size), size)
    crops, faces, matrices = [], [], []
    for i in counted(range(len(parts)), progress):
        picture, face = parts.pictures[i], parts.face(i)
        matrix = middle if face is None else _face_matrix(face, size, align, padding)
        crops.append(warp_window(picture, matrix, (0, 0, size, size))[0].clamp(0, 1))
        faces.append(() if face is None else (move_face(face, matrix, size),))
        matrices.append(matrix)
    has_face = tuple(bool(face) for face in faces)
    pictures = torch.stack(crops)
    cropped = FaceParts(pictures, tuple(faces), tuple(0 if face else None for face in has_face), parts.detector)
    return pictures, cropped, FaceCrop(parts.pictures, torch.stack(matrices), size, has_face)


def paste_back(
    edited: Tensor,
    crop: FaceCrop,
    mask: Tensor | None = None,
    feather: float = 16,
    onto: Tensor | None = None,
    progress: Progress | None = None,
) -> tuple[Tensor, Tensor]:
    """Paste edited crops into the pictures that they were cropped from.

    What the edit left as it was (within 1/255 of the crop) is not pasted, so it stays as sharp as the photograph.

    `edited`: (B, s, s, 3) float32, 0..1; s may differ from the crop's size, as for an upscaled crop.
    `crop`: as `crop_faces` returns it.
    `mask`: (B or 1, h, h) over the crops, 0..1, 1 = is pasted.
    `feather`: length over which the crop's border fades out, in pixels of the crop.
    `onto`: (B, H, W, 3) float32, 0..1, to paste on instead of the pictures that were cropped.
    `progress`: called after each picture.

    Returns the pictures (B, H, W, 3), and how much of each pixel is pasted (B, H, W), 0..1.
    Raises ValueError when counts or shapes do not match.
    """
    pictures = crop.pictures if onto is None else onto
    _check_paste(edited, crop, mask, pictures)
    results, masks = [], []
    for i in counted(range(len(crop.matrices)), progress):
        picture, weight = pictures[i].clone(), torch.zeros(pictures.shape[1:3])
        if crop.has_face[i]:
            _paste(picture, weight, edited[i], crop, i, mask_for(mask, i), feather)
        results.append(picture)
        masks.append(weight)
    return torch.stack(results), torch.stack(masks)


def move_face(face: Face, matrix: Tensor, size: int) -> Face:
    """The same face in a square of `size` pixels; `matrix` (2, 3): pixels of its picture -> pixels of the square."""
    regions = {part: _move_region(region, matrix, size) for part, region in face.regions.items()}
    angles = face.angles
    if angles is not None:
        turned = float(torch.rad2deg(torch.atan2(matrix[1, 0], matrix[0, 0])))
        angles = (angles[0], angles[1], angles[2] + turned)
    return replace(
        face,
        box=bounding_box(apply_affine(matrix, corners_of(face.box))),
        landmarks=apply_affine(matrix, face.landmarks),
        angles=angles,
        regions=regions,
        depth=None if face.depth is None else face.depth * scale_of(matrix),
    )


def square_matrix(x: float, y: float, side: float, size: int) -> Tensor:
    """(2, 3) float64: a level square of `side` pixels around x, y -> a square of `size` pixels."""
    scale = size / side
    return torch.tensor([[scale, 0, size / 2 - scale * x], [0, scale, size / 2 - scale * y]], dtype=torch.float64)


def _move_region(region: Region, matrix: Tensor, size: int) -> Region:
    if region.mask is None:
        return Region(tuple(apply_affine(matrix, ring) for ring in region.rings))
    shift = torch.tensor([[1.0, 0.0, region.corner[0]], [0.0, 1.0, region.corner[1]]], dtype=matrix.dtype)
    return Region(mask=warp_mask(region.mask, compose_affine(matrix, shift), (0, 0, size, size)))


def _face_matrix(face: Face, size: int, align: str, padding: float) -> Tensor:
    """(2, 3) float64: pixels of the picture -> pixels of a crop of `size`."""
    if align == "FFHQ":
        if not face.scheme:
            raise ValueError("align 'FFHQ' needs landmarks, and this face came from a box or a mask; use 'unrotated'")
        return fit_similarity(five_points(face.landmarks, face.scheme), FFHQ_POINTS * (size / 512), steps=0)
    points = face.landmarks
    if not face.scheme:
        x0, y0, x1, y1 = face.box
        points = torch.tensor([[x0, y0], [x1, y1]])
    x_axis = _eye_line(face) if align == "upright" and face.scheme else torch.tensor([1.0, 0.0])
    turn = torch.stack([x_axis, torch.stack([-x_axis[1], x_axis[0]])])
    low, high = (points @ turn.T).amin(0), (points @ turn.T).amax(0)
    scale = size / (max(1.0, float((high - low).max())) * (1 + 2 * padding))
    shift = size / 2 - scale * (low + high) / 2
    return torch.cat([scale * turn, shift[:, None]], 1).double()


def _eye_line(face: Face) -> Tensor:
    """(2,): the unit vector from the left to the right eye."""
    points = anchors(face.landmarks, face.scheme)
    line = points["right_eye"] - points["left_eye"]
    length = float(line.norm())
    return line / length if length > 1e-3 else torch.tensor([1.0, 0.0])


def _paste(
    picture: Tensor, pasted: Tensor, edited: Tensor, crop: FaceCrop, i: int, mask: Tensor | None, feather: float
) -> None:
    """Paste the i-th edited crop into `picture` (H, W, 3), and its weights into `pasted` (H, W), both in place."""
    side = edited.shape[0]
    matrix = crop.matrices[i] * (side / crop.size)
    window = _footprint(invert_affine(matrix), side, (picture.shape[0], picture.shape[1]))
    if window is None:
        return
    weight = _edge(side, feather * side / crop.size)
    if mask is not None:
        weight = weight * _resized(mask, side)
    original = warp_window(crop.pictures[i], matrix, (0, 0, side, side))[0].clamp(0, 1)
    weight = weight * _changes(edited, original)
    stack, inside = warp_window(torch.cat([edited, weight[..., None]], -1), invert_affine(matrix), window)
    alpha = stack[..., 3].clamp(0, 1) * inside
    # Traces of the resampling filter are not part of the edit.
    alpha = torch.where(alpha < 1e-3, torch.zeros(()), alpha)
    x0, y0, x1, y1 = window
    local = picture[y0:y1, x0:x1]
    blended = torch.lerp(local, stack[..., :3].clamp(0, 1), alpha[..., None])
    picture[y0:y1, x0:x1] = torch.where(alpha[..., None] > 0, blended, local)
    pasted[y0:y1, x0:x1] = alpha


def _changes(edited: Tensor, original: Tensor) -> Tensor:
    """(h, w): 1 where the edit changed the crop (h, w, 3), with a margin for the resampling, and 0 elsewhere."""
    difference = (edited - original).abs().amax(-1)[None, None]
    return (functional.max_pool2d(difference, 5, 1, 2)[0, 0] > _UNCHANGED).to(edited.dtype)


def _edge(side: int, feather: float) -> Tensor:
    """(side, side): 1 in the middle of a square, falling to 0 at its border over `feather` pixels."""
    position = torch.arange(side) + 0.5
    fade = smoothstep(torch.minimum(position, side - position) / max(feather, 1e-3))
    return fade[:, None] * fade[None, :]


def _resized(mask: Tensor, side: int) -> Tensor:
    mask = mask.float().clamp(0, 1)
    if mask.shape == (side, side):
        return mask
    return functional.interpolate(mask[None, None], (side, side), mode="bilinear", align_corners=False)[0, 0]


def _footprint(inverse: Tensor, side: int, size: tuple[int, int]) -> Window | None:
    """The window of a picture of `size` (H, W) that the crop covers; None when it lies outside the picture."""
    return window_of(bounding_box(apply_affine(inverse, corners_of((0, 0, side, side), torch.float64))), size)


def _check_paste(edited: Tensor, crop: FaceCrop, mask: Tensor | None, pictures: Tensor) -> None:
    count = len(crop.matrices)
    if len(edited) != count:
        raise ValueError(f"image has {len(edited)} crops but face_crop was made from {count} pictures; they must match")
    if edited.shape[1] != edited.shape[2]:
        raise ValueError(
            f"image is {edited.shape[2]} x {edited.shape[1]} pixels; an edited crop must stay square (of any size)"
        )
    if mask is not None and (mask.ndim != 3 or len(mask) not in (1, count) or mask.shape[1] != mask.shape[2]):
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}; needed is one square mask (1, h, h) of the crop, or ({count}, h, h)"
        )
    if pictures.shape != crop.pictures.shape:
        raise ValueError(
            f"onto has shape {tuple(pictures.shape)} and the cropped pictures had {tuple(crop.pictures.shape)}; "
            "they must match"
        )
