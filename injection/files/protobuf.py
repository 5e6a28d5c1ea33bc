"""Protobuf read from its bytes, without a package: fields, each a number and a kind, then a value or bytes."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator

# First byte and last + 1 of a field's bytes.
Span = tuple[int, int]
# Bytes that a kind of field has, for the kinds of fixed length.
_FIXED = {1: 8, 5: 4}
_VARINT, _BYTES = 0, 2


def fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int | Span]]:
    """(number, its integer or the span of its bytes) for every field between two places.

    Raises ValueError or IndexError for bytes that are not protobuf.
    """
    while start < end:
        tag, start = _varint(data, start)
        kind = tag & 7
        if kind == _VARINT:
            value, start = _varint(data, start)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            length, start = _varint(data, start)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise ValueError(f"a field of kind {kind} at byte {start}")
        if start + length > end:
            raise ValueError(f"a field at byte {start} ends beyond byte {end}")
        yield tag >> 3, (start, start + length)
        start += length


def integers(data: mmap.mmap, value: int | Span) -> list[int]:
    """The signed integers of a field: a single one, or many packed into its bytes."""
    if isinstance(value, int):
        return [_signed(value)]
    start, end = value
    values = []
    while start < end:
        one, start = _varint(data, start)
        values.append(_signed(one))
    return values


def text(data: mmap.mmap, value: int | Span) -> str:
    """A field's bytes as text. Raises ValueError for an integer and bytes that are not UTF-8."""
    return data[slice(*_span(value))].decode()


def floats(data: mmap.mmap, value: int | Span) -> list[float]:
    """The 32-bit floats in a field's bytes."""
    start, end = _span(value)
    return list(struct.unpack(f"<{(end - start) // 4}f", data[start:end]))


def message(data: mmap.mmap, value: int | Span) -> Iterator[tuple[int, int | Span]]:
    """The fields of a message within a field. Raises as `fields` does, and ValueError for an integer."""
    yield from fields(data, *_span(value))


def _span(value: int | Span) -> Span:
    if isinstance(value, int):
        raise ValueError("an integer where bytes belong")
    return value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _varint(data: mmap.mmap, start: int) -> tuple[int, int]:
    """The integer at a place, seven bits in a byte, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[start]
        value |= (byte & 127) << shift
        start, shift = start + 1, shift + 7
        if byte < 128:
            return value, start
        if shift > 63:
            raise ValueError(f"a number of more than 64 bits at byte {start}")
