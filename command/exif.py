"""EXIF data of a photograph - camera, time, place - for its changed copy."""

from __future__ import annotations

import struct

from PIL import ExifTags, Image

_HEADER = b"Exif\0\0"
# TIFF's data types.
_SHORT = 3
# Offset and length in bytes of the thumbnail.
_THUMBNAIL, _THUMBNAIL_BYTES = ExifTags.Base.JpegIFOffset, ExifTags.Base.JpegIFByteCount
# Tags of a TIFF file that describe the photograph; its others describe how the file stores the pixels.
_DESCRIBING = (
    ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software,
    ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.Copyright, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo,
)  # fmt: skip


# What turns a picture upright, by the orientation that its EXIF data state.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
# What Pillow and struct raise for damaged EXIF data.
_DAMAGED = (struct.error, ValueError, KeyError, SyntaxError, TypeError, OSError)


def upright(file: Image.Image) -> tuple[Image.Image, bytes, tuple[str, ...]]:
    """The image of an opened file, upright; the EXIF data of a copy of that; and notes.

    Its orientation is 1, and the thumbnail, which shows the old picture, is left out; all else stays bit for bit.
    """
    file.load()
    turn, data = None, b""
    notes: tuple[str, ...] = ()
    try:
        turn = _TURNS.get(file.getexif().get(ExifTags.Base.Orientation, 1))
        own = file.info.get("exif") or _described(file.getexif())
        data = _upright(own.removeprefix(_HEADER)) if own else b""
    except _DAMAGED as error:
        notes = (f"its EXIF data are damaged ({error}) and are not kept",)
    return (file if turn is None else file.transpose(turn)), data, notes


def _described(tags: Image.Exif) -> bytes:
    """The tags that describe a photograph, as EXIF data."""
    described = Image.Exif()
    for tag in _DESCRIBING:
        if tag in tags:
            described[tag] = tags.get_ifd(tag) if isinstance(tag, ExifTags.IFD) else tags[tag]
    return described.tobytes() if described else b""


def _upright(tiff: bytes) -> bytes:
    """`tiff`: EXIF data without their header, which are a TIFF file without a picture."""
    order = {b"II": "<", b"MM": ">"}[tiff[:2]]
    data = bytearray(tiff)
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    following = _entries(data, order, first)
    for at in range(first + 2, following, 12):
        if struct.unpack_from(f"{order}H", data, at)[0] == ExifTags.Base.Orientation:
            struct.pack_into(f"{order}HHIHH", data, at, ExifTags.Base.Orientation, _SHORT, 1, 1, 0)
    (thumbnail,) = struct.unpack_from(f"{order}I", data, following)
    if thumbnail:
        struct.pack_into(f"{order}I", data, following, 0)
        _blank(data, order, thumbnail)
    return _HEADER + bytes(data)


def _entries(data: bytearray, order: str, directory: int) -> int:
    """The byte after the last entry of a directory, where the offset of the next directory lies."""
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    return directory + 2 + 12 * count


def _blank(data: bytearray, order: str, directory: int) -> None:
    """Overwrite the JPEG file that is the thumbnail of a directory with zeros."""
    values = {}
    for at in range(directory + 2, _entries(data, order, directory), 12):
        tag, _, _, value = struct.unpack_from(f"{order}HHII", data, at)
        values[tag] = value
    start, length = (values.get(tag, 0) for tag in (_THUMBNAIL, _THUMBNAIL_BYTES))
    end = min(start + length, len(data))
    if 0 < start < end:
        data[start:end] = bytes(end - start)
