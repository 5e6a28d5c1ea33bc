"""A square upright crop of each chosen face, and the way back: outside the mask the photograph returns bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..detectors.boxes import Window, bounding_box, corners_of, window_of
from ..detectors.parts import Face, FaceParts, Region
from ..detectors.progress import Progress, counted
from ..detectors.schemes import anchors, five_points
from .outline import smoothstep
from .similarity import apply_affine, fit_similarity, invert_affine
from .warp import warp_window

ALIGNMENTS = ("upright", "FFHQ", "unrotated")

# FFHQ's five points for 512 pixels: eye centres, nose tip, mouth corners.
_FFHQ = torch.tensor(
    [[192.981, 239.947], [318.903, 240.194], [256.634, 314.019], [201.261, 371.410], [313.089, 371.151]]
)
_UNCHANGED = 1 / 255


@dataclass(frozen=True, eq=False)
class FaceCrop:
    """What travels on the FACE_CROP wire: everything that the way back needs.

    `pictures`: (B, H, W, 3), the pictures that were cropped. `matrices`: (B, 2, 3) float64, picture pixels -> crop
    pixels. `size`: side of the crops in pixels. `found`: whether picture i had a face; where not, its crop is the
    middle of the picture and nothing is pasted.
    """

    pictures: Tensor
    matrices: Tensor
    size: int
    found: tuple[bool, ...]


def crop_faces(
    parts: FaceParts, size: int = 512, align: str = "upright", padding: float = 0.5, progress: Progress | None = None
) -> tuple[Tensor, FaceParts, FaceCrop]:
    """Crops (B, size, size, 3) of the chosen faces, their parts in crop pixels, and the way back.

    "upright": a square around the face, turned so that the eyes are level; "unrotated": the same, not turned;
    "FFHQ": five points laid over FFHQ's template. `padding`: room around the face on each side, in face sizes
    (FFHQ has its own). Beyond the picture its border is repeated. `progress` is told after each picture. Raises
    ValueError for another `align`, a `size` below 8, a `padding` outside 0..4, and for FFHQ on a face without
    landmarks.
    """
    if align not in ALIGNMENTS:
        raise ValueError(f"align is '{align}'; choose one of {', '.join(ALIGNMENTS)}")
    if size < 8 or not 0 <= padding <= 4:
        raise ValueError(f"size is {size} and padding {padding}; needed are at least 8 pixels and 0 to 4 face sizes")
    crops, faces, matrices = [], [], []
    for i in counted(range(len(parts)), progress):
        picture, face = parts.pictures[i], parts.face(i)
        matrix = _centred(parts.size, size) if face is None else _matrix(face, size, align, padding)
        crops.append(warp_window(picture, matrix, (0, 0, size, size))[0].clamp(0, 1))
        faces.append(() if face is None else (move_face(face, matrix, size),))
        matrices.append(matrix)
    found = tuple(bool(f) for f in faces)
    stacked = torch.stack(crops)
    cropped = FaceParts(stacked, tuple(faces), tuple(0 if f else None for f in found), parts.detector)
    return stacked, cropped, FaceCrop(parts.pictures, torch.stack(matrices), size, found)


def paste_back(
    edited: Tensor,
    crop: FaceCrop,
    mask: Tensor | None = None,
    feather: float = 16,
    onto: Tensor | None = None,
    progress: Progress | None = None,
) -> tuple[Tensor, Tensor]:
    """Lay edited crops (B, s, s, 3) back into their pictures; s may differ from the crop's size (an upscaled crop).

    `mask` (B or 1, h, h) in crop space: 1 = paste. `feather`: crop pixels over which the crop's border fades out.
    `onto`: pictures to paste on, default the cropped ones. What the edit left as it was (within 1/255 of the crop) is
    not pasted, so it stays as sharp as in the photograph. `progress` is told after each picture. Returns pictures
    (B, H, W, 3) and the mask used (B, H, W). Raises ValueError when counts or shapes do not match.
    """
    pictures = crop.pictures if onto is None else onto
    _check_paste(edited, crop, mask, pictures)
    results, masks = [], []
    for i in counted(range(len(crop.matrices)), progress):
        result, used = pictures[i].clone(), torch.zeros(pictures.shape[1:3])
        if crop.found[i]:
            soft = None if mask is None else mask[0 if len(mask) == 1 else i]
            _paste(result, used, edited[i], crop, i, soft, feather)
        results.append(result)
        masks.append(used)
    return torch.stack(results), torch.stack(masks)


def move_face(face: Face, matrix: Tensor, size: int) -> Face:
    """The same face in the frame that the affine `matrix` (2, 3) leads to, a square of `size` pixels."""
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
    )


def _move_region(region: Region, matrix: Tensor, size: int) -> Region:
    if region.mask is None:
        return Region(tuple(apply_affine(matrix, ring) for ring in region.rings))
    shift = torch.tensor([[1.0, 0.0, region.corner[0]], [0.0, 1.0, region.corner[1]]], dtype=matrix.dtype)
    whole = matrix[:, :2] @ shift + torch.cat([torch.zeros(2, 2), matrix[:, 2:]], 1)
    moved, inside = warp_window(region.mask[..., None], whole, (0, 0, size, size))
    return Region(mask=(moved[..., 0] * inside).clamp(0, 1))


def _matrix(face: Face, size: int, align: str, padding: float) -> Tensor:
    if align == "FFHQ":
        if not face.scheme:
            raise ValueError("align 'FFHQ' needs landmarks, and this face came from a box or a mask; use 'unrotated'")
        return fit_similarity(five_points(face.landmarks, face.scheme), _FFHQ * (size / 512), steps=0)
    points = face.landmarks
    if not face.scheme:
        x0, y0, x1, y1 = face.box
        points = torch.tensor([[x0, y0], [x1, y1]])
    along = _eye_line(face) if align == "upright" and face.scheme else torch.tensor([1.0, 0.0])
    turn = torch.stack([along, torch.stack([-along[1], along[0]])])
    low, high = (points @ turn.T).amin(0), (points @ turn.T).amax(0)
    scale = size / (max(1.0, float((high - low).max())) * (1 + 2 * padding))
    shift = size / 2 - scale * (low + high) / 2
    return torch.cat([scale * turn, shift[:, None]], 1).double()


def _eye_line(face: Face) -> Tensor:
    named = anchors(face.landmarks, face.scheme)
    line = named["right_eye"] - named["left_eye"]
    length = float(line.norm())
    return line / length if length > 1e-3 else torch.tensor([1.0, 0.0])


def _centred(picture: tuple[int, int], size: int) -> Tensor:
    scale = size / min(picture)
    shift = [size / 2 - scale * picture[1] / 2, size / 2 - scale * picture[0] / 2]
    return torch.tensor([[scale, 0, shift[0]], [0, scale, shift[1]]], dtype=torch.float64)


def _paste(
    result: Tensor, used: Tensor, edited: Tensor, crop: FaceCrop, i: int, mask: Tensor | None, feather: float
) -> None:
    side = edited.shape[0]
    matrix = crop.matrices[i] * (side / crop.size)
    window = _footprint(invert_affine(matrix), side, (result.shape[0], result.shape[1]))
    if window is None:
        return
    weight = _edge(side, feather * side / crop.size)
    if mask is not None:
        weight = weight * _resized(mask, side)
    before = warp_window(crop.pictures[i], matrix, (0, 0, side, side))[0].clamp(0, 1)
    weight = weight * _touched(edited, before)
    stack, inside = warp_window(torch.cat([edited, weight[..., None]], -1), invert_affine(matrix), window)
    paste = stack[..., 3].clamp(0, 1) * inside
    paste = torch.where(paste < 1e-3, torch.zeros(()), paste)
    x0, y0, x1, y1 = window
    local = result[y0:y1, x0:x1]
    blended = torch.lerp(local, stack[..., :3].clamp(0, 1), paste[..., None])
    result[y0:y1, x0:x1] = torch.where(paste[..., None] > 0, blended, local)
    used[y0:y1, x0:x1] = paste


def _touched(edited: Tensor, before: Tensor) -> Tensor:
    """1 where the edit changed the crop (h, w, 3), 0 where it did not, with a margin for the resampling."""
    change = (edited - before).abs().amax(-1)[None, None]
    return (functional.max_pool2d(change, 5, 1, 2)[0, 0] > _UNCHANGED).to(edited.dtype)


def _edge(side: int, feather: float) -> Tensor:
    """1 in the middle of a square, falling to 0 at its border over `feather` pixels."""
    position = torch.arange(side) + 0.5
    fade = smoothstep(torch.minimum(position, side - position) / max(feather, 1e-3))
    return fade[:, None] * fade[None, :]


def _resized(mask: Tensor, side: int) -> Tensor:
    mask = mask.float().clamp(0, 1)
    if mask.shape == (side, side):
        return mask
    return functional.interpolate(mask[None, None], (side, side), mode="bilinear", align_corners=False)[0, 0]


def _footprint(inverse: Tensor, side: int, size: tuple[int, int]) -> Window | None:
    """The window of the picture that the crop covers, None when it lies outside."""
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
