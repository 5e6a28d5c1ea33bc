"""Picture files as Pillow opens them: their size, frames, bits and quality."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, JpegImagePlugin

# Pixels of the largest photograph that is read.
MOST_PIXELS = 400_000_000
# Bytes of memory that a swap takes for each pixel of its target: 0.9 GB at 12 megapixels, 3.0 GB at 48.
BYTES_PER_PIXEL = 65


@contextmanager
def open_picture(path: Path) -> Iterator[tuple[Image.Image, tuple[str, ...]]]:
    """The picture file, not yet decoded, and notes on what of it is not read.

    Raises FileNotFoundError when there is no such file, and ValueError, from within the `with` too, when it is not a
    picture that Pillow can decode, or is too large.
    """
    if path.is_dir():
        raise FileNotFoundError(f"{path} is a folder; name one photograph in it")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} (looked for in {path.parent.resolve()}); check the path")
    limit = Image.MAX_IMAGE_PIXELS
    try:
        # Pillow refuses 179 megapixels and more, as cameras of today have; ours depends on the memory.
        Image.MAX_IMAGE_PIXELS = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as file:
                _check_size(path, *file.size)
                yield file, tuple(_notes(file))
    except (OSError, SyntaxError, EOFError, ValueError) as error:
        if isinstance(error, TooLarge):
            raise
        raise ValueError(f"{path} cannot be read as a picture ({error}); use a PNG, JPEG or WebP file") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


class TooLarge(ValueError):
    """A picture has more pixels than can be worked on."""


def _check_size(path: Path, width: int, height: int) -> None:
    free = free_memory()
    most = MOST_PIXELS if free is None else min(MOST_PIXELS, free // BYTES_PER_PIXEL)
    if width * height <= most:
        return
    longest = int(max(width, height) * (most / (width * height)) ** 0.5)
    reason = "" if most == MOST_PIXELS else f", because {free / 1e9:.1f} GB of memory are free" if free else ""
    raise TooLarge(
        f"{path} cannot be read: it is {width} x {height} pixels, and at most {most / 1e6:.0f} megapixels can be "
        f"worked on{reason}; shrink it until its longer side has at most {longest} pixels, or crop it around the face"
    )


def free_memory() -> int | None:
    """Bytes that are free, where the system tells (Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None


def _notes(file: Image.Image) -> Iterator[str]:
    # Telephones write JPEGs with a second picture of their own (MPO).
    if getattr(file, "is_animated", False) and file.format != "MPO":
        yield f"it has {getattr(file, 'n_frames', 2)} pictures, and the first one is used"
    # Pillow decodes colours of 16 bits to their upper 8.
    if any(";16" in str(tile) for tile in getattr(file, "tile", ())) and file.mode.startswith("RGB"):
        yield "it has 16 bits per channel, of which 8 are used"


def writer_options(file: Image.Image, path: Path) -> Mapping[str, Mapping[str, object]]:
    """Options of Pillow's writer by format, with which a changed copy has the same quality. `file`: not yet decoded."""
    if isinstance(file, JpegImagePlugin.JpegImageFile) and len(file.layer) in (1, 3):
        # -1 for a grey file.
        sampling = JpegImagePlugin.get_sampling(file)
        # Another quality than -1 would scale the tables.
        tables = {"qtables": file.quantization, "quality": -1}
        return {"jpeg": {**tables, **({"subsampling": sampling} if sampling >= 0 else {})}}
    if file.format == "WEBP" and _is_lossless(path):
        return {"webp": {"lossless": True, "exact": True}}
    return {}


def _is_lossless(path: Path) -> bool:
    """Whether the first picture of a WebP file is compressed without loss, which is a chunk named VP8L."""
    with path.open("rb") as file:
        file.seek(12)
        while len(header := file.read(8)) == 8:
            if header[:4] in (b"VP8L", b"VP8 "):
                return header[:4] == b"VP8L"
            size = int.from_bytes(header[4:], "little")
            file.seek(size + size % 2, 1)
    return False
