"""Films between files and frames, by PyAV: frames one after another, pieces of a film, and its sound as it is."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .photo import from_pixels

# Endings of files that are read as films, and of those that can hold what is written.
ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".flv"})
WRITTEN = (".mp4", ".mov", ".mkv")
# H.264 at a quality where no block is seen; without frames that wait for later ones, so that pieces can be joined.
_CODEC, _OPTIONS = "libx264", {"crf": "16", "preset": "veryfast", "bf": "0"}
# Frames per second of a piece, which count for nothing; and the number of the usual range of values, 16 to 235.
_RATE, _LIMITED = 25, 1
# Rows from which a film that does not name its colours has those of HD (ITU-R BT.709).
_HD = 720


def av() -> Any:
    """PyAV. Raises ModuleNotFoundError that says how to install it."""
    try:
        import av as package
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "films need the package av (PyAV), which is not installed: pip install av; ComfyUI's own Python has it"
        ) from None
    return package


# Share of red and of blue in the lightness of BT.709, of BT.2020 and, under all other numbers, of BT.601.
_LUMA = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}
_LUMA_601 = (0.299, 0.114)


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """`picture`: (H, W, 3) float32 0..1, upright. `time`: in units of the film's time base.

    `own`: the decoder's frame. `turns`: by how many quarters counterclockwise it was turned.
    """

    picture: Tensor
    time: int
    own: Any
    turns: int


@dataclass(frozen=True)
class FilmFile:
    """A film on disk.

    `time_base`: seconds per unit of time. `count`: of frames, as far as the file says, otherwise an estimate; 0 where
    neither is known. `colours`, `primaries`, `curve`: the numbers of its colours in ITU-T H.273.
    `pixel_shape`: width of a stored pixel by its height, before the frame is turned upright; None: the file does not
    say. `notes`: what is not kept, in sentences.
    """

    path: Path
    time_base: Fraction
    count: int
    colours: int
    primaries: int
    curve: int
    pixel_shape: Fraction | None
    notes: tuple[str, ...]

    def frames(self) -> Iterator[FilmFrame]:
        """All frames, one after another. Raises ValueError for a damaged file."""
        with closing(_opened(self.path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            try:
                for number, frame in enumerate(container.decode(stream)):
                    pixels = frame.to_ndarray(format="rgb24", src_colorspace=self.colours)
                    turns = round(frame.rotation / 90) % 4
                    time = number if frame.pts is None else frame.pts
                    yield FilmFrame(from_pixels(np.rot90(pixels, turns)), time, frame, turns)
            except av().FFmpegError as error:
                raise ValueError(f"{self.path} cannot be read to its end: {error.strerror}; convert it anew") from error


def read_film(path: Path) -> FilmFile:
    """What a film's file says of it. Raises FileNotFoundError, ModuleNotFoundError, or ValueError for another file."""
    with closing(_opened(path)) as container:
        stream = container.streams.video[0]
        length = stream.duration * stream.time_base if stream.duration else Fraction(container.duration or 0, 1000000)
        count = stream.frames or round(length * (stream.average_rate or 0))
        notes = []
        if stream.format is not None and any(part.bits > 8 for part in stream.format.components):
            notes.append("it has more than 8 bits per colour, and 8 are written")
        context = stream.codec_context
        colours = int(context.colorspace)
        if colours not in (1, 5, 6, 7, 9):
            colours = 1 if stream.height >= _HD else 5
        return FilmFile(
            path, stream.time_base, count, colours, int(context.color_primaries), int(context.color_trc),
            stream.sample_aspect_ratio or None, tuple(notes),
        )  # fmt: skip


def write_piece(path: Path, frames: Iterable[tuple[FilmFrame, Tensor]], film: FilmFile) -> int:
    """Write frames of `film`, each with its changed picture (H, W, 3), 0..1, as a piece; returns their number.

    They are written upright, so that the piece needs no display rotation.
    """
    package, count, stream = av(), 0, None
    with closing(package.open(str(path), "w", format="mp4")) as container:
        for frame, picture in frames:
            laid = _laid(frame, picture, film)
            if stream is None:
                stream = container.add_stream(_CODEC, rate=_RATE, options=_OPTIONS)
                stream.height, stream.width, stream.pix_fmt = laid.height, laid.width, laid.format.name
                context = stream.codec_context
                context.colorspace, context.color_range = film.colours, _LIMITED
                context.color_primaries, context.color_trc = film.primaries, film.curve
                if film.pixel_shape is not None:
                    context.sample_aspect_ratio = 1 / film.pixel_shape if frame.turns % 2 else film.pixel_shape
            laid.pts, laid.time_base = count, Fraction(1, _RATE)
            container.mux(stream.encode(laid))
            count += 1
        if stream is not None:
            container.mux(stream.encode())
    return count


def _laid(frame: FilmFrame, picture: Tensor, film: FilmFile) -> Any:
    """The upright frame for the encoder with what differs in `picture`; all else has the values that were decoded."""
    own = frame.own
    kind = "yuv444p" if own.width % 2 or own.height % 2 else "yuv420p"
    colours = {"dst_colorspace": film.colours} if own.format.is_rgb else {}
    planes = own.reformat(format=kind, dst_color_range=_LIMITED, **colours).to_ndarray()
    height, width = picture.shape[:2]
    change = _in_planes((picture - frame.picture).numpy(), film.colours)
    if kind == "yuv444p":
        planes = _added(np.rot90(planes, frame.turns, (1, 2)), change.transpose(2, 0, 1))
    else:
        luma = np.rot90(planes[: own.height], frame.turns)
        chroma = np.rot90(planes[own.height :].reshape(2, own.height // 2, own.width // 2), frame.turns, (1, 2))
        coarse = change[..., 1:].reshape(height // 2, 2, width // 2, 2, 2).mean((1, 3)).transpose(2, 0, 1)
        planes = np.concatenate([_added(luma, change[..., 0]), _added(chroma, coarse).reshape(-1, width)])
    laid = av().VideoFrame.from_ndarray(np.ascontiguousarray(planes), kind)
    laid.colorspace, laid.color_range = film.colours, _LIMITED
    return laid


def _added(plane: np.ndarray, change: np.ndarray) -> np.ndarray:
    return (plane + change).round().clip(0, 255).astype(np.uint8)


def _in_planes(change: np.ndarray, colours: int) -> np.ndarray:
    """A change of red, green and blue (H, W, 3) -> of Y, Cb and Cr in their limited range of 8 bits."""
    red, blue = _LUMA.get(colours, _LUMA_601)
    luma = change @ np.array([red, 1 - red - blue, blue], np.float32)
    cb, cr = (change[..., 2] - luma) / (2 - 2 * blue), (change[..., 0] - luma) / (2 - 2 * red)
    return np.stack([219 * luma, 224 * cb, 224 * cr], -1)


def check_sound(path: Path, film: FilmFile) -> None:
    """Raises ValueError where a file of the kind of `path`, which is not touched, cannot hold the sound of `film`."""
    with closing(_opened(film.path)) as source:
        if source.streams.audio:
            with closing(av().open(io.BytesIO(), "w", format=_kind(path))) as scratch:
                _begin_with_sound(scratch, source, path, film)


def _begin_with_sound(container: Any, source: Any, path: Path, film: FilmFile) -> dict[int, Any]:
    """Add the sound of `source` to a container and write its header; returns index in `source` -> new stream."""
    try:
        sounds = {one.index: container.add_stream_from_template(one) for one in source.streams.audio}
        container.start_encoding()
    except (av().FFmpegError, ValueError) as error:
        raise ValueError(f"a {path.suffix} file cannot hold the sound of {film.path}; let -o end in .mkv") from error
    return sounds


def join_pieces(path: Path, pieces: Sequence[Path], times: Sequence[int], film: FilmFile, comment: str) -> None:
    """Write the pieces of a film one after another, with the sound of `film` as it is.

    `times`: of each frame, in units of the film's time base. `comment`: written into the file; "": none.

    Raises ValueError where the kind of file cannot hold the sound.
    """
    package = av()
    with closing(_opened(film.path)) as source, closing(package.open(str(pieces[0]))) as first:
        with closing(package.open(str(path), "w", format=_kind(path))) as container:
            if comment:
                container.metadata["comment"] = comment
            video = container.add_stream_from_template(first.streams.video[0])
            video.time_base = film.time_base
            sounds = _begin_with_sound(container, source, path, film)
            for packet in heapq.merge(
                _pictures(pieces, times, film, video), _sound(source, sounds), key=lambda p: p.dts * p.time_base
            ):
                container.mux_one(packet)


def _pictures(pieces: Sequence[Path], times: Sequence[int], film: FilmFile, stream: Any) -> Iterator[Any]:
    number = 0
    for piece in pieces:
        with closing(av().open(str(piece))) as container:
            for packet in container.demux(video=0):
                if packet.dts is None:
                    continue
                packet.stream, packet.time_base = stream, film.time_base
                packet.pts = packet.dts = times[number]
                if number + 1 < len(times):
                    packet.duration = times[number + 1] - times[number]
                elif number:
                    packet.duration = times[number] - times[number - 1]
                number += 1
                yield packet


def _sound(source: Any, streams: dict[int, Any]) -> Iterator[Any]:
    if not streams:
        return
    for packet in source.demux([source.streams[index] for index in streams]):
        if packet.dts is not None:
            packet.stream = streams[packet.stream.index]
            yield packet


def _kind(path: Path) -> str:
    return {".mkv": "matroska"}.get(path.suffix.lower(), path.suffix.lower()[1:])


def _opened(path: Path) -> Any:
    package = av()
    if not path.is_file():
        raise FileNotFoundError(2, "No such file or directory", str(path))
    try:
        container = package.open(str(path))
    except package.FFmpegError as error:
        raise ValueError(f"{path} is not a film that can be read ({error.strerror}); convert it to MP4") from error
    if not container.streams.video:
        container.close()
        raise ValueError(f"{path} has no pictures, only sound; name a film")
    return container
