"""Masks as people paint them: grey, coloured or white strokes, or strokes on a transparent layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .exif import upright
from .open_file import open_picture
from .photo import load_photo

# A mask whose brightest value is lower holds numbers, such as 0 and 1, and is stretched.
NUMBERS = 0.25
# Channels that differ by more are a colour, and strokes whose lightness differs by more are a picture; 0..1.
COLOURED, VARIED = 0.1, 0.5


def load_mask(path: str | Path) -> tuple[Tensor, tuple[str, ...]]:
    """A mask file -> (1, H, W) float32 0..1, and notes on how it was read, in sentences.

    White strokes of any colour on black count as white. Where there is transparency, opaque strokes of one colour are
    the mask, and grey ones of many tones are multiplied with it. Numbers such as 0 and 1 are stretched to 0..1.

    Raises FileNotFoundError and ValueError as `read_photo` does, and ValueError for a coloured picture with transparent
    areas.
    """
    path = Path(path)
    with open_picture(path) as (file, notes):
        image = upright(file)[0]
        layered = image.convert("RGBA") if image.has_transparency_data else None
    mask = load_photo(path)[0].amax(-1)
    if layered is not None and np.asarray(layered.getchannel("A")).min() < 255:
        mask, notes = _strokes(layered, path), (*notes, "its opaque area is the mask")
    highest = float(mask.amax())
    if 0 < highest < NUMBERS:
        mask, notes = mask / highest, (*notes, f"its brightest value, {highest * 255:g} of 255, counts as white")
    elif 0 < highest < 1:
        notes = (
            *notes,
            f"its brightest value is {highest * 255:g} of 255: the target changes by {highest:.0%} at most",
        )
    return mask[None], notes


def _strokes(image: Image.Image, path: Path) -> Tensor:
    """The mask (H, W) of an RGBA image whose alpha varies."""
    pixels = torch.from_numpy(np.asarray(image).astype(np.float32) / 255)
    colours, alpha = pixels[..., :3], pixels[..., 3]
    visible = colours[alpha > 0]
    if not len(visible):
        return alpha
    light = visible.mean(-1)
    if float(light.amax() - light.amin()) <= VARIED:
        return alpha
    if float((visible.amax(-1) - visible.amin(-1)).amax()) > COLOURED:
        raise ValueError(
            f"{path} is a coloured picture with transparent areas, of which either could be meant; save the mask "
            "alone: white where the target may change, black or transparent elsewhere"
        )
    return colours.mean(-1) * alpha
