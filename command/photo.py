"""Photographs between files and tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..detectors.picture import HIGHEST, LOWEST, as_bytes, as_pictures
from ..fusion.provenance import save_picture
from .colours import BrokenProfile, from_srgb, mode_of, to_srgb
from .exif import upright
from .open_file import open_picture, writer_options
from .output import output_file

# Beginning of the mark in a picture that was fused in pixels.
EDITED = "Parts of several photographs composited"
# Endings of the files that can carry the mark, and their formats.
_MARKED = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
# Endings of further files that Pillow writes with a colour profile.
_PROFILED = {*_MARKED, ".tif", ".tiff", ".avif"}
# Endings of files without grey pixels.
_COLOURED = {".webp", ".avif"}
# Largest difference between the channels of a grey pixel, of 255.
_NEARLY_GREY = 1
# Endings of files that have no transparency; it is written as white.
_OPAQUE = {".jpg", ".jpeg", ".bmp", ".ppm"}


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph, and what a changed copy of it keeps.

    `picture`: (1, H, W, 3) float32 0..1, upright, in sRGB. Wholly transparent pixels have the mean colour of
        the others.
    `own`: (H, W, 3) uint8, the pixels in the file's own RGB; (H, W) of a grey file; None for one of more than 8 bits,
        which is grey.
    `alpha`: (H, W) uint8, or None without transparency.
    `profile`: the colour profile of `own`; None means sRGB.
    `exif`: the EXIF data of an upright copy, or b"".
    `options`: further options of Pillow's writer by format, with which a copy has the file's quality.
    `notes`: what was not read, or cannot be kept, in sentences.
    """

    picture: Tensor
    own: np.ndarray | None = None
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes = b""
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def load_photo(path: str | Path) -> Tensor:
    """A picture file -> (1, H, W, 3) float32 0..1; see `read_photo`."""
    return read_photo(path).picture


def read_photo(path: str | Path) -> Photo:
    """A picture file, turned upright by the orientation in its EXIF data and brought from its colour profile to sRGB.

    Grey pictures of 16 bits keep their precision. Floats (TIFF) count as 0..1, or as 0..255 or 0..65535 when they
    exceed that. An animation gives its first picture. Raises FileNotFoundError when there is no such file and
    ValueError when it is not a picture or too large.
    """
    path = Path(path)
    with open_picture(path) as (file, notes):
        options = writer_options(file, path)
        profile = file.info.get("icc_profile")
        image, exif, more = upright(file)
        notes = (*notes, *more)
        deep = image.mode.startswith(("I", "F"))
        if not deep:
            own, alpha, shown, kept, more = _colours(image, profile)
    if deep:
        notes = (*notes, "it has more than 8 bits per pixel, and 8 are written")
        return Photo(as_pictures(_values(image, path)[None], str(path)), exif=exif, options=options, notes=notes)
    picture = np.asarray(shown)
    if alpha is not None and not alpha.all() and alpha.any():
        picture = np.where(alpha[..., None] > 0, picture, picture[alpha > 0].mean(0).round().astype(np.uint8))
    return Photo(from_pixels(picture)[None], np.asarray(own), alpha, kept, exif, options, (*notes, *more))


def _colours(
    image: Image.Image, profile: bytes | None
) -> tuple[Image.Image, np.ndarray | None, Image.Image, bytes | None, tuple[str, ...]]:
    """Own RGB or grey, alpha (H, W), sRGB, the profile of the own, and notes, of an image with 8 bits per channel."""
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("L", "La", "LA", "1") else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
        image = image.convert(image.mode[:-1])
    notes = ("its colours are CMYK, and RGB is written",) if image.mode == "CMYK" else ()
    try:
        if profile and image.mode != "CMYK":
            mode = mode_of(profile)
            own = image.convert("RGB") if mode == "RGB" else image
            shown = to_srgb(own, profile)
            from_srgb(Image.new("RGB", (1, 1)), profile)
            return own.convert(mode), alpha, shown, profile, notes
        shown = to_srgb(image, profile) if profile else image.convert("RGB")
    except BrokenProfile as error:
        shown, notes = image.convert("RGB"), (*notes, f"{error}; its colours are taken for sRGB")
    return (image.convert("L") if image.mode in ("L", "1") else shown), alpha, shown, None, notes


def _values(image: Image.Image, path: Path) -> Tensor:
    """An image with more than 8 bits -> (H, W, 1) float32 0..1. Raises ValueError for values that are none of these."""
    values = torch.from_numpy(np.asarray(image).astype(np.float32))[..., None]
    # A file of floats does not state its white level, and a picture of 16 bits may be stored with 32.
    lowest, highest = float(values.amin()), float(values.amax())
    whites = (65535.0,) if image.mode.startswith("I") else (1.0, 255.0, 65535.0)
    white = next((white for white in whites if highest <= white * HIGHEST), None)
    if white is None or not lowest >= LOWEST * white:
        raise ValueError(
            f"{path} has values from {lowest:g} to {highest:g}, which are not those of a photograph; save it again as "
            "a PNG, or with floats of 0..1"
        )
    return values / white


def from_image(image: Image.Image) -> Tensor:
    """An RGB image -> (H, W, 3) float32 0..1."""
    return from_pixels(np.asarray(image))


def from_pixels(pixels: np.ndarray) -> Tensor:
    """uint8 of any shape -> the same in float32 0..1."""
    return torch.from_numpy(pixels.astype(np.float32)).div_(255)


def to_image(picture: Tensor) -> Image.Image:
    """(H, W, 3) float 0..1 -> an RGB image."""
    return Image.fromarray(as_bytes(picture))


def save_photo(
    picture: Tensor, path: str | Path, edits: Sequence[str] = (), copy_of: Photo | None = None,
    changed: Tensor | None = None,
) -> Path:  # fmt: skip
    """Write (H, W, 3) float 0..1 in the format of the name's ending; returns the full path. Folders are made and told.

    `edits`: what was edited; written into the file with the mark (`fusion.provenance`), see `check_markable`.
    `copy_of`: the photograph of which `picture` is a changed copy. Its transparency, colour profile, EXIF data and
        quality are kept where the format has them, a grey one stays grey where the copy is, and what did not change
        keeps its own values.
    `changed`: (H, W) 0..1, how far each pixel of the copy is another; None: wholly where it differs.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if edits:
        check_markable(path)
    image = to_image(picture) if copy_of is None else _changed(copy_of, picture, ending, changed)
    with output_file(path) as full:
        if Image.registered_extensions().get(ending) not in Image.SAVE:
            raise ValueError(f"cannot write {path}: an unknown kind of picture; end the name in .png, .jpg or .webp")
        try:
            full.parent.mkdir(parents=True, exist_ok=True)
            if ending in _MARKED:
                kind = _MARKED[ending]
                save_picture(image, full, kind, edits=edits, options=copy_of.options.get(kind) if copy_of else None)
            else:
                image.save(full, **cast(dict[str, Any], image.info))
        except ValueError as error:
            raise ValueError(f"cannot write {path}: {error}; end the name in .png, .jpg or .webp") from error
        except OSError as error:
            reason = error.strerror or str(error)
            advice = "name a folder that you may write to, with room on it"
            raise OSError(f"cannot write {path}: {reason}; {advice}") from error
    return full


def _changed(photo: Photo, picture: Tensor, ending: str, changed: Tensor | None) -> Image.Image:
    """The photograph with the changes of `picture`, (H, W, 3) in sRGB, as an image for files of that ending."""
    after, before = to_image(picture), to_image(photo.picture[0])
    grey = ending not in _COLOURED and (photo.own is None or photo.own.ndim == 2) and is_grey(after)
    exif = photo.exif if ending in _PROFILED else b""
    if photo.own is None:
        image = after.convert("L") if grey else after
        image.info.update(_metadata(None, exif))
        return image
    differs = (np.asarray(after) != np.asarray(before)).any(-1)
    if photo.alpha is not None:
        differs &= photo.alpha > 0
    own, profile, mode = Image.fromarray(photo.own), photo.profile, "L" if grey else "RGB"
    if profile and (ending not in _PROFILED or own.mode != mode):
        own, profile = to_srgb(own, profile), None
    if profile:
        before, after = from_srgb(before, profile), from_srgb(after, profile)
    pixels, old, new = (_channels(image, mode) for image in (own, before, after))
    pixels = pixels.copy()
    values = new[differs].astype(np.float32)
    if profile and changed is not None:
        # What lies beyond sRGB fades out with the change, instead of ending at its edge.
        beyond = pixels[differs].astype(np.float32) - old[differs]
        values += beyond * (1 - changed.numpy()[differs][:, None])
    pixels[differs] = values.round().clip(0, 255).astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(photo.alpha))
        if ending in _OPAQUE:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert(mode)
    image.info.update(_metadata(profile, exif))
    return image


def is_grey(image: Image.Image) -> bool:
    """Whether an RGB image has no colour that could be seen."""
    pixels = np.asarray(image)
    return int((pixels.max(-1) - pixels.min(-1)).max()) <= _NEARLY_GREY


def _channels(image: Image.Image, mode: str) -> np.ndarray:
    """The image in mode "RGB" as (H, W, 3) uint8, in "L" as (H, W, 1)."""
    return np.asarray(image if image.mode == mode else image.convert(mode)).reshape(image.height, image.width, -1)


def _metadata(profile: bytes | None, exif: bytes) -> dict[str, bytes]:
    """What of it there is, under the names of Pillow's writers."""
    return {name: value for name, value in (("icc_profile", profile), ("exif", exif)) if value}


def check_markable(path: str | Path) -> None:
    """Raises ValueError for a file format that cannot carry the mark that it was edited."""
    if Path(path).suffix.lower() not in _MARKED:
        raise ValueError(
            f"{path} cannot carry the mark that it was edited; end the name in .png, .jpg or .webp, or add --no-mark"
        )
