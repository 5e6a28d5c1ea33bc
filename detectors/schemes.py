"""Landmark numberings: the points of each part, how they outline it, and the named points that the numberings share.

Left and right are the picture's. Sources: MediaPipe Face Mesh topology (468 points; 478 adds two irises), the iBUG
300-W markup (68), the five points of RetinaFace and MTCNN, the markup figure of InsightFace's 2d106det (106).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

Points = tuple[int, ...]
# Two landmarks and a share: 0 is the first, 1 the second, and beyond 1 the line goes on.
Between = tuple[int, int, float]


@dataclass(frozen=True)
class Scheme:
    """One numbering.

    `count`: number of points.
    `rings`: part -> the points of the part, in drawing order around it. They correspond between faces. They are its
    outline too, unless `hulls` or `between` says otherwise; `regions` lets eyes reach beyond theirs.
    `hulls`: part -> two sets of points that overlap; the part is outlined around the convex hulls of both.
    `spread`: point in `hulls` -> point to which it moves as the head turns.
    `between`: part -> its outline, as points on lines through two landmarks.
    `anchors`: name -> the points whose mean is that anchor. All schemes use the same names, so that faces of different
    schemes can be aligned.
    """

    count: int
    rings: Mapping[str, tuple[Points, ...]]
    anchors: Mapping[str, Points]
    hulls: Mapping[str, tuple[Points, Points]] = field(default_factory=dict)
    spread: Mapping[int, int] = field(default_factory=dict)
    between: Mapping[str, tuple[Between, ...]] = field(default_factory=dict)


def _run(first: int, last: int) -> Points:
    return tuple(range(first, last + 1))


_MESH_LEFT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
_MESH_RIGHT_EYE = (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)
_MESH_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_MESH_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
_MESH_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_MESH_NOSE = (
    168, 193, 245, 188, 174, 217, 209, 49, 64, 98, 97, 2, 326, 327, 294, 279, 429, 437, 399, 412, 465, 417,
)  # fmt: skip
_MESH_RINGS: dict[str, tuple[Points, ...]] = {
    "left_eye": (_MESH_LEFT_EYE,),
    "right_eye": (_MESH_RIGHT_EYE,),
    "left_brow": ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46),),
    "right_brow": ((336, 296, 334, 293, 300, 276, 283, 282, 295, 285),),
    "nose": (_MESH_NOSE,),
    "mouth": (_MESH_LIPS,),
    "lips": (_MESH_LIPS, _MESH_INNER),
    "inner_mouth": (_MESH_INNER,),
    "skin": (_MESH_OVAL,),
}
# Bridge and base of the nose, with the ridge and the tip that stand out when the head turns.
_MESH_HULLS: dict[str, tuple[Points, Points]] = {
    "nose": (
        (168, 6, 197, 195, 5, 4, 193, 417, 188, 412, 198, 420, 122, 351, 3, 248),
        (195, 5, 4, 1, 2, 198, 420, 131, 360, 49, 279, 48, 278, 219, 439, 75, 305, 99, 328, 220, 440, 45, 275),
    ),
}  # fmt: skip
# From in front, a nose ends where its sides grow steep; from the side, at their foot.
_MESH_SPREAD = {122: 245, 3: 217, 131: 209, 219: 64, 75: 240,
                351: 465, 248: 437, 360: 429, 439: 294, 305: 460}  # fmt: skip
# The landmarks of a brow end above its lower edge, and beyond the hair at its inner end.
_MESH_BETWEEN: dict[str, tuple[Between, ...]] = {
    "left_brow": (
        (70, 46, 0.2), (63, 53, 0.0), (105, 52, 0.0), (66, 65, 0.0), (66, 107, 0.8),
        (65, 55, 0.8), (66, 65, 1.4), (105, 52, 1.35), (63, 53, 1.25), (46, 53, 0.4),
    ),
    "right_brow": (
        (300, 276, 0.2), (293, 283, 0.0), (334, 282, 0.0), (296, 295, 0.0), (296, 336, 0.8),
        (295, 285, 0.8), (296, 295, 1.4), (334, 282, 1.35), (293, 283, 1.25), (276, 283, 0.4),
    ),
}  # fmt: skip
_MESH_ANCHORS: dict[str, Points] = {
    "left_eye": (33, 133, 159, 145), "right_eye": (362, 263, 386, 374),
    "left_eye_outer": (33,), "left_eye_inner": (133,), "right_eye_inner": (362,), "right_eye_outer": (263,),
    "left_brow_outer": (46,), "left_brow_inner": (55,), "right_brow_inner": (285,), "right_brow_outer": (276,),
    "nose_bridge": (168,), "nose_tip": (4,), "nose_left": (98,), "nose_base": (2,), "nose_right": (327,),
    "mouth_left": (61,), "mouth_right": (291,), "lip_top": (0,), "lip_bottom": (17,), "chin": (152,),
}  # fmt: skip
_IBUG_ANCHORS: dict[str, Points] = {
    "left_eye": _run(36, 41), "right_eye": _run(42, 47),
    "left_eye_outer": (36,), "left_eye_inner": (39,), "right_eye_inner": (42,), "right_eye_outer": (45,),
    "left_brow_outer": (17,), "left_brow_inner": (21,), "right_brow_inner": (22,), "right_brow_outer": (26,),
    "nose_bridge": (27,), "nose_tip": (30,), "nose_left": (31,), "nose_base": (33,), "nose_right": (35,),
    "mouth_left": (48,), "mouth_right": (54,), "lip_top": (51,), "lip_bottom": (57,), "chin": (8,),
}  # fmt: skip

_106_JAW = (1, *_run(9, 16), *_run(2, 8), 0, *range(24, 17, -1), *range(32, 24, -1), 17)
_106_MOUTH = (52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55)
_106_INNER = (65, 66, 62, 70, 69, 57, 60, 54)
# The 106 points end at the temples, so `skin` is closed along the upper edge of the brows, without the forehead.
_106_RINGS: dict[str, tuple[Points, ...]] = {
    "left_eye": ((35, 41, 40, 42, 39, 37, 33, 36),),
    "right_eye": ((89, 95, 94, 96, 93, 91, 87, 90),),
    "left_brow": ((43, 48, 49, 51, 50, 46, 47, 45, 44),),
    "right_brow": ((102, 103, 104, 105, 101, 100, 99, 98, 97),),
    "nose": ((72, 81, 82, 83, 84, 85, 80, 79, 78, 77, 76, 75),),
    "mouth": (_106_MOUTH,),
    "lips": (_106_MOUTH, _106_INNER),
    "inner_mouth": (_106_INNER,),
    "skin": ((*_106_JAW, 101, 105, 104, 103, 102, 50, 51, 49, 48, 43),),
}
_106_HULLS: dict[str, tuple[Points, Points]] = {
    "nose": ((72, 73, 74, 86, 75, 81, 76, 82), (74, 86, 76, 82, 77, 83, 78, 84, 79, 85, 80)),
}
_106_ANCHORS: dict[str, Points] = {
    "left_eye": (35, 39, 40, 33), "right_eye": (89, 93, 94, 87),
    "left_eye_outer": (35,), "left_eye_inner": (39,), "right_eye_inner": (89,), "right_eye_outer": (93,),
    "left_brow_outer": (43,), "left_brow_inner": (46, 50), "right_brow_inner": (97, 102), "right_brow_outer": (101,),
    "nose_bridge": (72,), "nose_tip": (86,), "nose_left": (78,), "nose_base": (80,), "nose_right": (84,),
    "mouth_left": (52,), "mouth_right": (61,), "lip_top": (71,), "lip_bottom": (53,), "chin": (0,),
}  # fmt: skip

SCHEMES: dict[str, Scheme] = {
    "mediapipe468": Scheme(468, _MESH_RINGS, _MESH_ANCHORS, _MESH_HULLS, _MESH_SPREAD, _MESH_BETWEEN),
    "mediapipe478": Scheme(478, _MESH_RINGS, _MESH_ANCHORS, _MESH_HULLS, _MESH_SPREAD, _MESH_BETWEEN),
    "ibug68": Scheme(
        68,
        {
            "left_eye": (_run(36, 41),),
            "right_eye": (_run(42, 47),),
            "mouth": (_run(48, 59),),
            "lips": (_run(48, 59), _run(60, 67)),
            "inner_mouth": (_run(60, 67),),
        },
        _IBUG_ANCHORS,
    ),
    "insightface106": Scheme(106, _106_RINGS, _106_ANCHORS, _106_HULLS),
    "five": Scheme(
        5,
        {},
        {"left_eye": (0,), "right_eye": (1,), "nose_tip": (2,), "mouth_left": (3,), "mouth_right": (4,)},
    ),
}

_EYES = ("left_eye", "right_eye", "left_eye_outer", "left_eye_inner", "right_eye_inner", "right_eye_outer")
_NOSE = ("nose_bridge", "nose_tip", "nose_left", "nose_base", "nose_right")
_MOUTH = ("mouth_left", "mouth_right", "lip_top", "lip_bottom")
# Part -> the anchors that lie on it.
ANCHORS_OF: Mapping[str, tuple[str, ...]] = {
    "left_eye": ("left_eye_outer", "left_eye_inner"),
    "right_eye": ("right_eye_outer", "right_eye_inner"),
    "eyes": _EYES,
    "left_brow": ("left_brow_outer", "left_brow_inner"),
    "right_brow": ("right_brow_outer", "right_brow_inner"),
    "brows": ("left_brow_outer", "left_brow_inner", "right_brow_inner", "right_brow_outer"),
    "nose": _NOSE,
    "mouth": _MOUTH,
}
FIVE_POINTS = ("left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right")


def scheme_of(name: str, count: int) -> Scheme:
    """The scheme of that name. Raises ValueError when it is unknown or has another number of points than `count`."""
    if name not in SCHEMES:
        raise ValueError(f"'{name}' is not a landmark scheme; known are {', '.join(SCHEMES)}")
    scheme = SCHEMES[name]
    if scheme.count != count:
        raise ValueError(f"the landmark scheme '{name}' has {scheme.count} points, but {count} came")
    return scheme


def anchors(landmarks: Tensor, scheme: str) -> dict[str, Tensor]:
    """Landmarks (N, 2) -> anchor name -> point (2,) in the same units."""
    table = scheme_of(scheme, len(landmarks)).anchors
    return {name: anchor(landmarks, points) for name, points in table.items()}


def anchor(landmarks: Tensor, points: Points) -> Tensor:
    """The mean (2,) of the `points` among the landmarks (N, 2)."""
    return landmarks[points[0]] if len(points) == 1 else landmarks[list(points)].mean(0)


def five_points(landmarks: Tensor, scheme: str) -> Tensor:
    """Landmarks (N, 2) -> (5, 2): eye centres, nose tip, mouth corners, left before right."""
    named = anchors(landmarks, scheme)
    return torch.stack([named[name] for name in FIVE_POINTS])
