"""Photographs between files and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..detectors.picture import HIGHEST, as_bytes, as_pictures
from ..fusion.provenance import save_picture

# Beginning of the mark in a picture that was fused in pixels.
EDITED = "Parts of several photographs composited"
# Endings of the files that can carry the mark, and their formats.
_MARKED = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def load_photo(path: str | Path) -> Tensor:
    """A picture file -> (1, H, W, 3) float32 0..1, turned upright by the orientation in its EXIF data.

    Grey pictures of 16 bits keep their precision. Floats (TIFF) count as 0..1, or as 0..255 or 0..65535 when they
    exceed that. Raises FileNotFoundError when there is no such file and ValueError when it is not a picture.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} (looked for in {path.parent.resolve()}); check the path")
    try:
        with Image.open(path) as file:
            picture = _values(ImageOps.exif_transpose(file))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture ({error}); use a PNG, JPEG or WebP file") from error
    return as_pictures(picture[None], str(path))


def _values(image: Image.Image) -> Tensor:
    """An image of any mode -> (H, W, 3) of 8 bits, or (H, W, 1) of one with more, float32 0..1."""
    if not image.mode.startswith(("I", "F")):
        return from_image(image.convert("RGB"))
    values = torch.from_numpy(np.asarray(image).astype(np.float32))[..., None]
    # A file of floats does not state its white level, and a picture of 16 bits may be stored with 32.
    highest = float(values.amax())
    whites = (65535.0,) if image.mode.startswith("I") else (1.0, 255.0, 65535.0)
    return values / next((white for white in whites if highest <= white * HIGHEST), 1.0)


def from_image(image: Image.Image) -> Tensor:
    """An RGB image -> (H, W, 3) float32 0..1."""
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)


def to_image(picture: Tensor) -> Image.Image:
    """(H, W, 3) float 0..1 -> an RGB image."""
    return Image.fromarray(as_bytes(picture))


def save_photo(picture: Tensor, path: str | Path, edits: Sequence[str] = ()) -> Path:
    """Write (H, W, 3) float 0..1 in the format of the name's ending, in folders made as needed; returns the full path.

    `edits`: what was edited; written into the file with the mark (`fusion.provenance`), see `check_markable`.
    """
    path = Path(path)
    if edits:
        check_markable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if edits:
            save_picture(to_image(picture), path, _MARKED[path.suffix.lower()], edits=edits)
        else:
            to_image(picture).save(path)
    except ValueError as error:
        raise ValueError(f"cannot write {path}: {error}; end the name in .png, .jpg or .webp") from error
    return path.resolve()


def check_markable(path: str | Path) -> None:
    """Raises ValueError for a file format that cannot carry the mark that it was edited."""
    if Path(path).suffix.lower() not in _MARKED:
        raise ValueError(
            f"{path} cannot carry the mark that it was edited; end the name in .png, .jpg or .webp, or add --no-mark"
        )
