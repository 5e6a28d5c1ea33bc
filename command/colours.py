"""Colour profiles: a photograph's own colours to sRGB, in which everything works, and back."""

from __future__ import annotations

import io
from typing import Any, cast

from PIL import Image, ImageCms

# Relative colorimetric: what both spaces can show stays exactly that colour.
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
# LittleCMS: the darkest colour of one space becomes the darkest of the other.
_BLACK_POINT: Any = 0x2000
# PIL's modes of the pixels that a profile of each colour space describes.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


class BrokenProfile(ValueError):
    """A colour profile that cannot be read or does not describe the picture's pixels."""


def mode_of(profile: bytes) -> str:
    """PIL's mode of the pixels that a profile describes: "RGB", "L" (grey) or "CMYK".

    Raises BrokenProfile for what is not a colour profile or describes another space.
    """
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError) as error:
        raise BrokenProfile(f"its colour profile cannot be read ({error})") from error
    if space not in _MODES:
        raise BrokenProfile(f"its colour profile is for {space} and not for photographs")
    return _MODES[space]


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """An image without alpha, in the colours of `profile` -> RGB in sRGB. Raises BrokenProfile when they do not fit."""
    mode = mode_of(profile)
    if mode == "CMYK" and image.mode != "CMYK" or mode == "L" and image.mode not in ("L", "1"):
        raise BrokenProfile(f"its colour profile is for {mode}, but its pixels are {image.mode}")
    return _transformed(image.convert(mode), _read(profile), ImageCms.createProfile("sRGB"), "RGB")


def from_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """An RGB image in sRGB -> the same colours in the mode and space of `profile`, as near as it has them."""
    return _transformed(image, ImageCms.createProfile("sRGB"), _read(profile), mode_of(profile))


def _read(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


def _transformed(image: Image.Image, source: Any, target: Any, mode: str) -> Image.Image:
    try:
        transform = ImageCms.buildTransform(source, target, image.mode, mode, _INTENT, _BLACK_POINT)
        return cast(Image.Image, ImageCms.applyTransform(image, transform))
    except (OSError, ImageCms.PyCMSError) as error:
        raise BrokenProfile(f"its colour profile cannot be applied ({error})") from error
