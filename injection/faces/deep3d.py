"""A motion descriptor from Deep3DFaceRecon's coefficients, as FaceX has it (arXiv 2401.00551, section 3.2).

The groups are those of motion_groups. Coefficients are taken as the network gives them; the gaze, which it does not
know, comes from the landmarks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...detectors.motion import gaze_of
from ...detectors.parts import FaceParts
from ...detectors.progress import Progress, counted
from ...detectors.schemes import five_points
from ...fusion.warp import warp_window
from .deep3d_network import SIDE, Deep3DNetwork, split_coefficients
from .motion_groups import DEEP3D, WIDTHS

# Where eyes, nose tip and mouth corners are on the mean face, x to the right, y up, z towards the viewer; and how many
# pixels of the crop a length of 1 there has. Both as published with the network.
_MEAN_FACE = torch.tensor(
    [
        [-0.31148657, 0.29036078, 0.13377953], [0.30979887, 0.28972036, 0.13179526],
        [0.00325350, -0.04617932, 0.55244243], [-0.25216928, -0.38133916, 0.22405732],
        [0.24846620, -0.38128236, 0.22235769],
    ], dtype=torch.float64,
)  # fmt: skip
_UNIT = 102.0
_COEFFICIENT_OF = {"pose": "angles", "expression": "expression", "texture": "texture", "lighting": "light"}


def deep3d_motion(network: Deep3DNetwork, parts: FaceParts, progress: Progress | None = None) -> Tensor:
    """(B, 183) float32 on the CPU: pose, expression, gaze, texture and lighting of each picture's chosen face.

    Each group starts with a 1; the gaze is all zeros where the landmarks lack irises. `progress` is told after each
    picture. Raises ValueError as `crop_for_deep3d` does.
    """
    place = next(network.buffers()).device
    crops = crop_for_deep3d(parts).movedim(-1, 1)
    with torch.no_grad():
        # One by one, so that a film costs no more memory than a photograph.
        found = torch.cat([network(crop[None].to(place)) for crop in counted(list(crops), progress)]).float().cpu()
    named, known = split_coefficients(found), torch.ones(len(parts), 1)
    groups = {group: torch.cat([known, named[name]], 1) for group, name in _COEFFICIENT_OF.items()}
    groups["gaze"] = gaze_of(parts)
    return torch.cat([groups[group] for group in WIDTHS[DEEP3D]], 1)


def crop_for_deep3d(parts: FaceParts) -> Tensor:
    """(B, 224, 224, 3) 0..1: the chosen face of each picture as the network is used to it, black beside the picture.

    Raises ValueError for a picture without a face, or a face without landmarks or with all of them in one place.
    """
    return torch.stack([_crop(parts, i) for i in range(len(parts))])


def _crop(parts: FaceParts, i: int) -> Tensor:
    face = parts.face(i)
    if face is None or not face.scheme:
        lack = "no face" if face is None else "a face without landmarks"
        raise ValueError(
            f"Deep3DFaceRecon needs eyes, nose and mouth to align by, and picture {i + 1} has {lack}; detect with "
            "'built-in', or take a controller that was made with motion from landmarks"
        )
    scale, middle = fit_mean_face(five_points(face.landmarks, face.scheme))
    if scale < 1e-3:
        raise ValueError(f"the landmarks of the face in picture {i + 1} all lie in one place; detect it again")
    zoom = _UNIT / scale
    shift = SIDE / 2 - zoom * middle
    matrix = torch.tensor([[zoom, 0, float(shift[0])], [0, zoom, float(shift[1])]], dtype=torch.float64)
    pixels, inside = warp_window(parts.pictures[i], matrix, (0, 0, SIDE, SIDE))
    return pixels.clamp(0, 1) * inside[..., None]


def fit_mean_face(points: Tensor) -> tuple[float, Tensor]:
    """Five points (5, 2) in pixels -> pixels for a length of 1 on the mean face, and where its origin lies (2,).

    The affine camera of least squares (POS of DeMenthon and Davis 1995): its scale is the mean length of its two rows.
    """
    ones = torch.ones(5, 1, dtype=torch.float64)
    camera = torch.linalg.lstsq(torch.cat([_MEAN_FACE, ones], 1), points.double()).solution
    return float(camera[:3].norm(dim=0).mean()), camera[3]
