"""One photograph of one person -> an aligned face, or the reason why it cannot be used."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ...detectors.boxes import bounding_box
from ...detectors.builtin import BuiltinDetector
from ...detectors.find import find_faces
from ...detectors.parser_builtin import BuiltinParser
from ...detectors.parts import Face
from ...detectors.picture import as_bytes
from ...detectors.regions import with_regions
from ...detectors.selection import choose
from ...fusion.crop import crop_faces
from .classes import class_map

_SCHEME = "mediapipe478"
# Share of the crop that may lie beyond the photograph, whose border is repeated there.
_MOST_BEYOND = 0.15
# Degrees by which a head may be turned to the side: of one turned further the mesh hides a half.
_MOST_TURNED = 30.0
# Pixels of the photograph for a pixel of the crop below which the face is too small.
_LEAST_SCALE = 0.5


class BadPicture(ValueError):
    """The photograph cannot be used; the message is the reason."""


@dataclass(frozen=True, eq=False)
class Person:
    """`picture`: (S, S, 3) float32, 0..1, aligned as FFHQ's. `face`: in its pixels, with 478 points and their depth.

    `classes`: (S, S) uint8, as `class_map` gives them.
    """

    picture: Tensor
    face: Face
    classes: Tensor


def read_person(
    path: Path, size: int, detector: BuiltinDetector, parser: BuiltinParser, spectacles: bool
) -> Person:  # fmt: skip
    """`size`: of the crop. `spectacles`: whether people who wear some are taken. Raises BadPicture."""
    picture = _pixels(path)
    faces = find_faces(picture, detector)[0]
    if len(faces) != 1:
        raise BadPicture("no face" if not faces else f"{len(faces)} faces; one is needed")
    crops, cropped, crop = crop_faces(choose(picture, [faces]), size, "FFHQ")
    scale = float(torch.linalg.det(crop.matrices[0][:, :2])) ** -0.5
    if scale < _LEAST_SCALE:
        raise BadPicture(f"the face is too small: it would be enlarged {1 / scale:.1f} times")
    beyond = _beyond(crop.matrices[0], size, (picture.shape[1], picture.shape[2]))
    if beyond > _MOST_BEYOND:
        raise BadPicture(f"the face is too near to the border: {beyond:.0%} of its crop lie beyond the photograph")
    face = cropped.faces[0][0]
    if face.angles is not None and abs(face.angles[0]) > _MOST_TURNED:
        raise BadPicture(f"the head is turned by {abs(face.angles[0]):.0f} degrees; at most {_MOST_TURNED:.0f}")
    # As it will be stored.
    pixels = torch.from_numpy(as_bytes(crops[0])).float() / 255
    classes, wears = class_map(pixels, face, parser)
    if wears and not spectacles:
        raise BadPicture("spectacles, which would be on one of the two faces alone")
    return Person(pixels, face, classes)


def as_file(person: Person) -> bytes:
    """The bytes of an .npz file; they depend on the person alone."""
    face = person.face
    if face.depth is None or face.angles is None:
        raise BadPicture("the face has no depth")
    file = io.BytesIO()
    np.savez_compressed(
        file, picture=as_bytes(person.picture), classes=person.classes.numpy(), landmarks=face.landmarks.numpy(),
        depth=face.depth.numpy(), angles=np.array(face.angles, np.float32), score=np.float32(face.score),
    )  # fmt: skip
    return file.getvalue()


def from_file(path: Path) -> Person:
    values = dict(np.load(path))
    depth, yaw_pitch_roll = torch.from_numpy(values["depth"]), values["angles"].tolist()
    face = mesh_face(torch.from_numpy(values["landmarks"]), depth, tuple(yaw_pitch_roll), float(values["score"]))
    picture = torch.from_numpy(values["picture"]).float() / 255
    return Person(picture, face, torch.from_numpy(values["classes"]))


def mesh_face(points: Tensor, depth: Tensor | None, angles: tuple[float, float, float] | None, score: float) -> Face:
    """The face of 478 mesh points (478, 2) in pixels, with its regions."""
    return with_regions(Face(bounding_box(points), score, points, _SCHEME, angles, depth=depth))


def _pixels(path: Path) -> Tensor:
    """(1, H, W, 3) float32, 0..1."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"), dtype=np.float32) / 255
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as problem:
        raise BadPicture(f"unreadable: {type(problem).__name__}") from problem
    return torch.from_numpy(pixels)[None]


def _beyond(matrix: Tensor, size: int, photograph: tuple[int, int]) -> float:
    """The share of the crop that lies beyond the photograph (H, W)."""
    inverse = torch.linalg.inv(torch.cat([matrix, torch.tensor([[0, 0, 1]], dtype=matrix.dtype)]))[:2]
    spots = torch.stack(torch.meshgrid(torch.arange(0, size, 4), torch.arange(0, size, 4), indexing="xy"), -1) + 0.5
    points = spots.to(matrix.dtype) @ inverse[:, :2].T + inverse[:, 2]
    inside = ((points >= 0) & (points <= torch.tensor([photograph[1], photograph[0]]))).all(-1)
    return 1 - float(inside.double().mean())
