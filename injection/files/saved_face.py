"""One person's photographs with their found parts, in one safetensors file with a thumbnail."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from ...detectors.boxes import Box
from ...detectors.parts import PARTS, Face, FaceParts, Region
from ...detectors.picture import as_bytes
from ...detectors.schemes import SCHEMES
from .thumbnail import SIDE, thumbnail_texts
from .weight_file import read_metadata, read_weights

# What the file says of itself.
FORMAT = "face_part_fusion face 1"
# Margin of the thumbnail around the face, in face sizes.
_MARGIN = 0.35
# What reading a file that was changed by another program raises.
_DAMAGED = (
    KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError, OSError, Image.DecompressionBombError,
)  # fmt: skip
_ADVICE = "choose a file that was saved with a face, or detect the face again and save it"


class SavedFace(NamedTuple):
    """`parts`: the photographs, each with the one face that was chosen when they were saved.

    `thumbnail`: (128, 128, 3) float32, 0..1, the first face.
    """

    parts: FaceParts
    thumbnail: Tensor


def save_face(parts: FaceParts, path: str | Path) -> Tensor:
    """Writes the photographs and the chosen face of each; an existing file is replaced. Other faces are left out.

    Pictures are kept with 8 bits a channel, as PNG; coordinates and masks as they are.

    Returns the thumbnail (128, 128, 3). Raises ValueError where no picture has a chosen face.
    """
    faces = [parts.face(i) for i in range(len(parts))]
    boxes = [(i, face.box) for i, face in enumerate(faces) if face is not None]
    if not boxes:
        raise ValueError("parts has no chosen face in any picture; there is nobody to save")
    first, box = boxes[0]
    thumbnail = _thumbnail(parts.pictures[first], box)
    tensors = {"thumbnail": torch.from_numpy(as_bytes(thumbnail))}
    records: list[dict[str, Any] | None] = []
    for i, face in enumerate(faces):
        tensors[f"{i}.picture"] = _as_png(parts.pictures[i])
        records.append(None if face is None else _record(face))
        if face is not None:
            tensors |= {f"{i}.{key}": value.contiguous() for key, value in _tensors(face).items()}
    texts = {"format": FORMAT, "detector": parts.detector, "faces": json.dumps(records)}
    # A file that is being read elsewhere stays as it is until the new one is whole.
    partial = Path(f"{path}.part")
    save_file(tensors, str(partial), texts | thumbnail_texts(thumbnail))
    partial.replace(path)
    return thumbnail


def load_face(path: str | Path) -> SavedFace:
    """What a file of `save_face` holds. Raises ValueError for another file or a damaged one."""
    texts = read_metadata(path)
    if texts.get("format") != FORMAT:
        came = f"its format is '{texts['format']}'" if "format" in texts else "it says no format"
        raise ValueError(f"{path} holds no saved face ({came}); {_ADVICE}")
    state = read_weights(path, _ADVICE)
    try:
        records = json.loads(texts["faces"])
        pictures = torch.stack([_from_png(state[f"{i}.picture"]) for i in range(len(records))])
        faces = tuple(
            () if record is None else (_face(record, {k: state[f"{i}.{k}"].clone() for k in _keys(record)}),)
            for i, record in enumerate(records)
        )
        thumbnail = state["thumbnail"].float() / 255
        if thumbnail.shape != (SIDE, SIDE, 3):
            raise ValueError("thumbnail")
    except _DAMAGED as e:
        raise ValueError(f"{path} is a saved face that was changed since; {_ADVICE}") from e
    parts = FaceParts(pictures, faces, tuple(0 if own else None for own in faces), texts.get("detector", ""))
    return SavedFace(parts, thumbnail)


def _record(face: Face) -> dict[str, Any]:
    return {
        "box": list(face.box),
        "score": face.score,
        "scheme": face.scheme,
        "angles": face.angles and list(face.angles),
        "depth": face.depth is not None,
        "hidden": list(face.hidden),
        "covered": {part: dict(shares) for part, shares in face.covered.items()},
        "regions": {
            part: {"rings": len(region.rings), "mask": region.mask is not None, "corner": list(region.corner)}
            for part, region in face.regions.items()
        },
    }


def _tensors(face: Face) -> dict[str, Tensor]:
    """By the names that `_keys` lists."""
    tensors = {"landmarks": face.landmarks} | ({} if face.depth is None else {"depth": face.depth})
    for part, region in face.regions.items():
        tensors |= {f"{part}.{n}": ring for n, ring in enumerate(region.rings)}
        tensors |= {} if region.mask is None else {f"{part}.mask": region.mask}
    return {key: tensor.detach().float().cpu().clone() for key, tensor in tensors.items()}


def _keys(record: Mapping[str, Any]) -> list[str]:
    keys = ["landmarks"] + (["depth"] if record["depth"] else [])
    for part, region in record["regions"].items():
        keys += [f"{part}.{n}" for n in range(region["rings"])] + ([f"{part}.mask"] if region["mask"] else [])
    return keys


def _face(record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Face:
    """Raises ValueError for names that are not parts or schemes, and for points that are not pairs of numbers."""
    regions = {
        part: Region(
            tuple(_points(tensors[f"{part}.{n}"]) for n in range(known["rings"])),
            tensors.get(f"{part}.mask"),
            (int(known["corner"][0]), int(known["corner"][1])),
        )
        for part, known in record["regions"].items()
    }
    x0, y0, x1, y1 = map(float, record["box"])
    scheme, angles = record["scheme"], record["angles"]
    if not set(regions) <= set(PARTS) or (scheme and scheme not in SCHEMES) or not (x0 < x1 and y0 < y1):
        raise ValueError("names or box")
    if angles is not None:
        yaw, pitch, roll = map(float, angles)
        angles = (yaw, pitch, roll)
    return Face(
        (x0, y0, x1, y1), float(record["score"]), _points(tensors["landmarks"]), scheme, angles, regions,
        tensors.get("depth"), tuple(record["hidden"]), record["covered"],
    )  # fmt: skip


def _points(tensor: Tensor) -> Tensor:
    if tensor.ndim != 2 or tensor.shape[1] != 2 or not tensor.isfinite().all():
        raise ValueError("points")
    return tensor


def _thumbnail(picture: Tensor, box: Box) -> Tensor:
    x0, y0, x1, y1 = box
    half = (0.5 + _MARGIN) * max(x1 - x0, y1 - y0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    cut = Image.fromarray(as_bytes(picture)).crop((round(x - half), round(y - half), round(x + half), round(y + half)))
    small = cut.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)


def _as_png(picture: Tensor) -> Tensor:
    file = io.BytesIO()
    Image.fromarray(as_bytes(picture)).save(file, "PNG", compress_level=4)
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)


def _from_png(data: Tensor) -> Tensor:
    with Image.open(io.BytesIO(data.numpy().tobytes()), formats=["PNG"]) as image:
        return torch.from_numpy(np.asarray(image.convert("RGB"), dtype=np.float32) / 255)
