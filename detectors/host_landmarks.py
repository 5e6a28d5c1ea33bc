"""Faces from the host's own face mesh: the FACE_LANDMARKS wire of MediaPipeFaceLandmarker (ComfyUI >= 0.23)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .parts import Face
from .pose import angles_of

_SOURCE = "wire in face_landmarks of ComfyUI's Detect Face Landmarks (MediaPipe), run on these very pictures"


def faces_from_landmarks(payload: object, pictures: Tensor) -> tuple[tuple[Face, ...], ...]:
    """FACE_LANDMARKS of `pictures` (B, H, W, 3) -> for each picture its faces, possibly none, in the host's order.

    `payload`: {"frames": one list of faces per picture, "image_size": (H, W), ...}. A face holds "bbox_xyxy" (4,) and
    "landmarks_xy" (468 or 478, 2) in pixels, "score" 0..1 and, for the angles, "landmarks_3d" (same count, 3). Regions
    are left to `regions.with_regions`.

    Raises ValueError naming the input `landmarks` when a key is missing, when the frames or the image size are not
    those of the pictures, and when a face has another number of points.
    """
    frames = _get(payload, "frames", "the payload")
    size = tuple(int(side) for side in _get(payload, "image_size", "the payload"))
    count, height, width = pictures.shape[:3]
    if not isinstance(frames, Sequence) or isinstance(frames, str):
        raise ValueError(f"landmarks: 'frames' must be a list, came {type(frames).__name__}; {_SOURCE}")
    if len(frames) != count:
        raise ValueError(f"landmarks has {len(frames)} frame(s) but there are {count} picture(s); {_SOURCE}")
    if size != (height, width):
        raise ValueError(
            f"landmarks were found on pictures of {size[-1]} x {size[0]} pixels, but these are {width} x {height}; "
            f"{_SOURCE}, before or after any resizing of both"
        )
    for i, frame in enumerate(frames):
        if not isinstance(frame, (list, tuple)):
            kind = type(frame).__name__
            raise ValueError(f"landmarks: frame {i + 1} must be a list of faces, came {kind}; {_SOURCE}")
    return tuple(
        tuple(_face(face, f"face {j + 1} of frame {i + 1}") for j, face in enumerate(frame))
        for i, frame in enumerate(frames)
    )


def _get(record: object, key: str, name: str) -> Any:
    if not isinstance(record, Mapping):
        raise ValueError(f"landmarks: {name} must be a dictionary, came {type(record).__name__}; {_SOURCE}")
    if key not in record:
        have = ", ".join(str(k) for k in record) or "nothing"
        raise ValueError(f"landmarks: {name} has no '{key}' (it has {have}); {_SOURCE}")
    return record[key]


def _face(face: object, name: str) -> Face:
    points = _numbers(_get(face, "landmarks_xy", name), "landmarks_xy", name, ((468, 2), (478, 2)))
    x0, y0, x1, y1 = _numbers(_get(face, "bbox_xyxy", name), "bbox_xyxy", name, ((4,),)).tolist()
    angles = depth = None
    if isinstance(face, Mapping) and face.get("landmarks_3d") is not None:
        mesh = _in_pixels(points, _numbers(face["landmarks_3d"], "landmarks_3d", name, ((len(points), 3),)))
        angles, depth = angles_of(mesh), mesh[:, 2]
    score = _score(_get(face, "score", name), name)
    return Face((x0, y0, x1, y1), score, points, f"mediapipe{len(points)}", angles, depth=depth)


def _numbers(values: object, key: str, name: str, shapes: tuple[tuple[int, ...], ...]) -> Tensor:
    try:
        numbers = torch.tensor(np.asarray(values, dtype=np.float32))
    except (TypeError, ValueError):
        raise ValueError(f"landmarks: '{key}' of {name} must be numbers in rows of one length; {_SOURCE}") from None
    if tuple(numbers.shape) not in shapes:
        needed = " or ".join(str(shape) for shape in shapes)
        raise ValueError(
            f"landmarks: '{key}' of {name} has shape {tuple(numbers.shape)}; needed is {needed}; {_SOURCE}"
        )
    if not bool(torch.isfinite(numbers).all()):
        raise ValueError(f"landmarks: '{key}' of {name} holds NaN or infinity; {_SOURCE}")
    return numbers


def _score(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"landmarks: 'score' of {name} must be a number, came {value!r}; {_SOURCE}") from None


def _in_pixels(points: Tensor, depth: Tensor) -> Tensor:
    # The host's landmarks_3d lie in its upright 192-pixel crop: x and y lack the picture's roll, z the crop's scale
    # (ComfyUI 0.33, comfy_extras/mediapipe/face_landmarker.py, detect_batch).
    flat = depth[:, :2]
    scale = (points - points.mean(0)).norm() / (flat - flat.mean(0)).norm().clamp_min(1e-6)
    return torch.cat([points, depth[:, 2:] * scale], 1)
