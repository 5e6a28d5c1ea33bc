"""Photographs between files and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..detectors.picture import as_pictures
from ..fusion.provenance import save_picture

_MARKED = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def load_photo(path: str | Path) -> Tensor:
    """A picture file -> (1, H, W, 3) float32 0..1, turned upright as its camera noted.

    Raises FileNotFoundError when there is no such file and ValueError when it is no picture.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} (looked for in {path.parent.resolve()}); check the path")
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture ({error}); use a PNG, JPEG or WebP file") from error
    return as_pictures(from_image(image)[None])


def from_image(image: Image.Image) -> Tensor:
    """An RGB image -> (H, W, 3) float32 0..1."""
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)


def to_image(picture: Tensor) -> Image.Image:
    """(H, W, 3) float 0..1 -> an RGB image."""
    return Image.fromarray((picture.clamp(0, 1) * 255).round().to(torch.uint8).numpy())


def save_photo(picture: Tensor, path: str | Path, edits: Sequence[str] = ()) -> Path:
    """Write (H, W, 3) as the kind of file that the name's ending says; folders are made. Returns the full path.

    `edits` are written into a PNG, JPEG or WebP file, with the mark that it was edited (`fusion.provenance`).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if edits and path.suffix.lower() in _MARKED:
            save_picture(to_image(picture), path, _MARKED[path.suffix.lower()], edits=edits)
        else:
            to_image(picture).save(path)
    except ValueError as error:
        raise ValueError(f"cannot write {path}: {error}; end the name in .png, .jpg or .webp") from error
    return path.resolve()
