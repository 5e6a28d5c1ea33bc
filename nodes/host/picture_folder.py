"""Photographs in a folder of ComfyUI's input folder."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def picture_files(folder: str) -> list[Path]:
    """The photographs in `folder`, relative to ComfyUI's input folder, by name.

    Raises ValueError for a folder that is not there, lies elsewhere or has no photograph.
    """
    root = Path(folder_paths.get_input_directory()).resolve()
    path = (root / folder.strip()).resolve()
    if path != root and root not in path.parents:
        raise ValueError(
            f"folder is '{folder}', which is outside ComfyUI's input folder ({root}); put the photographs into a "
            "folder there and write its name"
        )
    if not path.is_dir():
        raise ValueError(f"folder is '{folder}', but there is no folder {path}; write the name of one in {root}")
    files = sorted(Path(entry.path) for entry in os.scandir(path) if entry.name.lower().endswith(_ENDINGS))
    if not files:
        raise ValueError(f"folder is '{folder}', but {path} has no photograph ({', '.join(_ENDINGS)}); put some there")
    return files


def read_picture(path: Path) -> Tensor:
    """(1, H, W, 3) float32 0..1, upright. Raises ValueError when the file cannot be read."""
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"folder: {path} cannot be read as a picture ({error}); mend or remove it") from error
    return torch.from_numpy(np.array(image))[None].float() / 255
