"""A motion descriptor from landmarks: pose, expression, gaze, and the colour and light of the skin.

It stands in for the 3D morphable model coefficients that FaceX uses (arXiv 2401.00551, section 3.2) and needs no model
beside the detector. Lengths are in eye distances, in the face's own upright frame; angles in radians.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from .boxes import corners_of
from .parts import Face, FaceParts
from .regions import eye_distance
from .schemes import anchors, scheme_of

# Group -> its values. "known" is 1; a group that is not known of a face is all zeros.
MOTION: Mapping[str, tuple[str, ...]] = {
    "pose": ("known", "yaw", "pitch", "roll"),
    "expression": (
        "known", "mouth_opening", "mouth_width", "mouth_lift", "left_brow_raise", "right_brow_raise",
        "left_eye_opening", "right_eye_opening",
    ),
    "gaze": ("known", "left_across", "left_down", "right_across", "right_down"),
    "texture": ("known", "red", "green", "blue"),
    "lighting": ("known", "ambient", "from_right", "from_below", "from_viewer"),
}  # fmt: skip
NAMES = tuple(f"{group}.{value}" for group, values in MOTION.items() for value in values)

# Mesh points of the iris centres.
_IRIS = {"left": 468, "right": 473}
# Weights of red, green and blue (Rec. 709).
_LUMINANCE = (0.2126, 0.7152, 0.0722)
# The samples stay within this share of the face's ellipse, where the ellipsoid's normals are not yet steep.
_RADIUS = 0.85
# Samples of the skin along one side of the square around that ellipse.
_SAMPLES = 33


def motion_of(parts: FaceParts) -> Tensor:
    """The descriptor (B, 26) float32 of each picture's chosen face, in the order of NAMES; zeros without a face."""
    return torch.stack([_of_face(parts.face(i), picture) for i, picture in enumerate(parts.pictures)])


def gaze_of(parts: FaceParts) -> Tensor:
    """The group "gaze" alone, (B, 5) float32, of each picture's chosen face."""
    faces = (parts.face(i) for i in range(len(parts)))
    return torch.tensor([_known("gaze", None if face is None else iris_positions(face)) for face in faces])


def _of_face(face: Face | None, picture: Tensor) -> Tensor:
    texture, lighting = (None, None) if face is None else _skin(face, picture)
    values = {
        "pose": None if face is None or face.angles is None else [math.radians(angle) for angle in face.angles],
        "expression": None if face is None else _expression(face),
        "gaze": None if face is None else iris_positions(face),
        "texture": texture,
        "lighting": lighting,
    }
    return torch.tensor([value for group in MOTION for value in _known(group, values[group])])


def _known(group: str, values: list[float] | None) -> list[float]:
    return [0.0] * len(MOTION[group]) if values is None else [1.0, *values]


def _expression(face: Face) -> list[float] | None:
    needed = ("left_eye", "right_eye", "inner_mouth")
    if not face.scheme or not all(face.has(part) and face.regions[part].mask is None for part in needed):
        return None
    named = anchors(face.landmarks, face.scheme)
    turn, unit = _upright(named), eye_distance(face)
    named = {name: point @ turn.T / unit for name, point in named.items()}
    # The lids' edges: the region of an eye reaches beyond them.
    rings = scheme_of(face.scheme, len(face.landmarks)).rings
    heights = {part: _height(face.landmarks[list(rings[part][0])] @ turn.T) / unit for part in needed}
    corners = (named["mouth_left"] + named["mouth_right"]) / 2
    brows = {side: (named[f"{side}_brow_outer"] + named[f"{side}_brow_inner"]) / 2 for side in ("left", "right")}
    return [
        heights["inner_mouth"],
        float((named["mouth_right"] - named["mouth_left"]).norm()),
        float((named["lip_top"] + named["lip_bottom"])[1] / 2 - corners[1]),
        float(named["left_eye"][1] - brows["left"][1]),
        float(named["right_eye"][1] - brows["right"][1]),
        heights["left_eye"],
        heights["right_eye"],
    ]


def iris_positions(face: Face) -> list[float] | None:
    """Where each iris lies between the corners of its eye, in halves of the eye's width; 0 is the middle.

    Across and down, of the left eye, then of the right one. None without irises.
    """
    if face.scheme != "mediapipe478":
        return None
    named = anchors(face.landmarks, face.scheme)
    values = []
    for side, ends in (("left", ("outer", "inner")), ("right", ("inner", "outer"))):
        first, last = (named[f"{side}_eye_{end}"] for end in ends)
        along = (last - first) / 2
        offset = face.landmarks[_IRIS[side]] - (first + last) / 2
        across = torch.stack([-along[1], along[0]])
        square = float(along @ along)
        if square < 1e-6:
            return None
        values += [float(offset @ along) / square, float(offset @ across) / square]
    return values


def _skin(face: Face, picture: Tensor) -> tuple[list[float] | None, list[float] | None]:
    """Mean colour (red, green, blue), and first-order spherical-harmonic light of the luminance.

    The model of the face is an ellipsoid, as wide and high as its oval and as deep as wide. The light is the
    least-squares fit luminance = ambient + (x, y, z) . normal, x to the picture's right, y down, z towards the viewer.
    """
    if not face.has("skin") or not face.scheme:
        return None, None
    points, normals = _ellipsoid(face)
    keep = _inside(points, picture) & ~_on_features(face, points)
    if int(keep.sum()) < 16:
        return None, None
    size = torch.tensor([picture.shape[1], picture.shape[0]])
    grid = points[keep] / size * 2 - 1
    colours = functional.grid_sample(picture.movedim(-1, 0)[None], grid[None, None].to(picture), align_corners=False)
    colours = colours[0, :, 0].T.double()
    luminance = colours @ torch.tensor(_LUMINANCE, dtype=torch.float64)
    basis = torch.cat([torch.ones(len(colours), 1), normals[keep]], 1).double()
    light = torch.linalg.lstsq(basis, luminance[:, None]).solution[:, 0]
    return colours.mean(0).tolist(), light.tolist()


def _ellipsoid(face: Face) -> tuple[Tensor, Tensor]:
    """Sample points (n, 2) in pixels of the picture, and the unit normals (n, 3) of the ellipsoid there."""
    turn = _upright(anchors(face.landmarks, face.scheme))
    region = face.regions["skin"]
    outline = torch.cat(region.rings) if region.mask is None else corners_of(region.box())
    points = outline @ turn.T
    low, high = points.amin(0), points.amax(0)
    middle, half = (low + high) / 2, ((high - low) / 2).clamp_min(1e-3)
    line = torch.linspace(-_RADIUS, _RADIUS, _SAMPLES)
    v, u = (axis.flatten() for axis in torch.meshgrid(line, line, indexing="ij"))
    disc = u**2 + v**2 <= _RADIUS**2
    u, v = u[disc], v[disc]
    flat = torch.stack([u, v], -1)
    depth = (1 - u**2 - v**2).sqrt() / half[0]
    normals = functional.normalize(torch.cat([(flat / half) @ turn, depth[:, None]], 1), dim=1)
    return (flat * half + middle) @ turn, normals


def _on_features(face: Face, points: Tensor) -> Tensor:
    """(n,) bool: the points (n, 2) in the box of an eye, a brow or the mouth, which are not skin."""
    on_features = torch.zeros(len(points), dtype=torch.bool)
    for part in ("left_eye", "right_eye", "left_brow", "right_brow", "mouth"):
        if face.has(part):
            x0, y0, x1, y1 = face.box_of(part)
            low, high = torch.tensor([x0, y0]), torch.tensor([x1, y1])
            on_features |= ((points >= low) & (points <= high)).all(1)
    return on_features


def _inside(points: Tensor, picture: Tensor) -> Tensor:
    return ((points >= 0) & (points <= torch.tensor([picture.shape[1], picture.shape[0]]))).all(1)


def _upright(named: Mapping[str, Tensor]) -> Tensor:
    """The rotation (2, 2) after which the eyes are level; the picture's own frame when they coincide."""
    line = named["right_eye"] - named["left_eye"]
    length = float(line.norm())
    along = line / length if length > 1e-3 else torch.tensor([1.0, 0.0])
    return torch.stack([along, torch.stack([-along[1], along[0]])])


def _height(points: Tensor) -> float:
    return float(points[:, 1].amax() - points[:, 1].amin())
