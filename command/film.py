"""`face-part-fusion swap --target clip.mp4`: parts of photographs into one face of a film, frame by frame."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from ..detectors.builtin import BuiltinDetector
from ..detectors.film import FaceFollower, film_report
from ..detectors.given import mask_per_picture
from ..detectors.parts import FaceParts
from ..detectors.selection import FaceMissing
from ..fusion.composite import PartReference, composite
from ..fusion.cover import CoverFinder
from .faces import split_spec, tell
from .output import output_file
from .photo import EDITED
from .targets import Bar
from .version import version
from .video_file import ENDINGS, WRITTEN, FilmFile, FilmFrame, check_sound, join_pieces, read_film, write_piece

SMOOTH = 0.5
# Frames of a piece: a run that was stopped repeats at most so many.
_PIECE = 50
_PIECES = "[0-9]*.mp4"
_SETTINGS = "settings.json"


def is_film(spec: str) -> bool:
    """Whether a --target names a film, by its ending."""
    return split_spec(spec)[0].suffix.lower() in ENDINGS


def check_film_options(options: argparse.Namespace) -> None:
    """Raises ValueError for what does not go together with a film in --target."""
    films = [spec for spec in options.target if is_film(spec)]
    if not films:
        if options.smooth is not None:
            raise ValueError("--smooth is for films, and --target names photographs; leave it out")
        return
    if len(options.target) > 1:
        raise ValueError(f"--target {films[0]} is a film; change one film at a time, without other targets")
    if options.weights:
        raise ValueError("--weights makes single pictures, and --target is a film; leave --weights out")
    if Path(options.output).suffix.lower() not in WRITTEN:
        raise ValueError(f"-o is {options.output}, and --target a film; end the name in {', '.join(WRITTEN)}")
    if options.smooth is not None and not 0 <= options.smooth <= 1:
        raise ValueError(f"--smooth is {options.smooth:g}; it goes from 0 (off) to 1")


class _Swap:
    """One film that is changed: what is put in, and how."""

    def __init__(
        self,
        options: argparse.Namespace,
        detector: BuiltinDetector,
        references: Sequence[PartReference],
        mask: Tensor | None,
    ) -> None:
        path, index = split_spec(options.target[0])
        self.film, self._options, self._references, self._mask = read_film(path), options, references, mask
        self.report: tuple[str, ...] = ()
        self.chosen: list[int | None] = []
        self._most, self._finder = 0, CoverFinder()
        self._follower = FaceFollower(
            detector, order=options.order, index=index or 0, threshold=options.threshold,
            smooth=SMOOTH if options.smooth is None else options.smooth,
        )  # fmt: skip

    def follow(self, picture: Tensor) -> FaceParts:
        """The next frame (H, W, 3) with its faces."""
        faces, chosen = self._follower(picture)
        self.chosen.append(chosen)
        self._most = max(self._most, len(faces))
        return FaceParts(picture[None], (faces,), (chosen,))

    def change(self, parts: FaceParts) -> Tensor:
        """The frame (H, W, 3) with the parts of the references."""
        options = self._options
        mask = None
        if self._mask is not None:
            mask = mask_per_picture(self._mask, parts.pictures, "where the target may change")
        fused = composite(
            parts, self._references, warp=options.warp, tone=options.tone, grow=options.grow, mask=mask,
            light=options.light, skin_area=options.skin_area, covers=options.covers, finder=self._finder,
        )  # fmt: skip
        if not self.report and not parts.nobody:
            self.report = fused.report[0]
        return fused.pictures[0]

    def check_face(self) -> None:
        """Raises FaceMissing when the chosen face was in no frame."""
        if all(number is None for number in self.chosen):
            raise FaceMissing(
                f"{self.film.path}: the face to follow is in none of the {len(self.chosen)} frames, which have at most "
                f"{self._most} faces",
                "Lower --threshold, or the number after #",
            )


def swap_film(
    options: argparse.Namespace, detector: BuiltinDetector, references: Sequence[PartReference], mask: Tensor | None
) -> None:
    """Change the film that --target names, and write it with its sound.

    `mask`: (1, H, W), 0..1, 1 = the film may change there; of its frames' shape.

    Finished pieces stay in a folder beside the output until all are joined; the same command goes on from them.
    """
    output = Path(options.output)
    swap = _Swap(options, detector, references, mask)
    tell(swap.film.path, swap.film.notes)
    with output_file(output) as full:
        check_sound(full, swap.film)
        # By the stem: with another ending the same command goes on from the same pieces.
        folder = full.with_name(full.stem + ".parts")
        swap.report = _begin(folder, _settings(options, swap.film))
        bar = Bar(max(swap.film.count, 2))
        try:
            times = _write_pieces(swap, folder, bar)
        except KeyboardInterrupt:
            bar.clear()
            done = len(list(folder.glob(_PIECES))) * _PIECE
            tell(output, (f"stopped; {done} frames are done, and the same command goes on from there",))
            raise
        bar.clear()
        try:
            swap.check_face()
        except FaceMissing:
            shutil.rmtree(folder)
            raise
        parts = ", ".join(part for one in references for part in one.strengths)
        comment = "" if options.no_mark else f"Edited with Face Part Fusion. {EDITED}: {parts.replace('_', ' ')}"
        joined = folder / f"joined{full.suffix}"
        join_pieces(joined, sorted(folder.glob(_PIECES)), times, swap.film, comment)
        joined.replace(full)
        shutil.rmtree(folder)
    for line in (*film_report(swap.chosen).splitlines(), *swap.report):
        print(line)
    print(f"wrote {full}")


def _write_pieces(swap: _Swap, folder: Path, bar: Bar) -> list[int]:
    """Write the pieces that are missing in `folder`; returns the time of every frame."""
    frames: Iterator[FilmFrame] = swap.film.frames()
    times: list[int] = []
    for number in itertools.count():
        before = len(times)
        # One frame is in memory at a time.
        followed = _followed(swap, itertools.islice(frames, _PIECE), times, bar)
        _write_missing(folder / f"{number:06}.mp4", followed, swap)
        if len(times) < before + _PIECE:
            break
    return times


def _followed(
    swap: _Swap, frames: Iterator[FilmFrame], times: list[int], bar: Bar
) -> Iterator[tuple[FilmFrame, FaceParts]]:
    """Frame after frame with its faces; appends to `times`."""
    for frame in frames:
        bar.show(min(len(times), swap.film.count), swap.film.path.name)
        times.append(frame.time)
        yield frame, swap.follow(frame.picture)


def _write_missing(piece: Path, followed: Iterator[tuple[FilmFrame, FaceParts]], swap: _Swap) -> None:
    """Write one piece under its name only when it is finished; the frames of one that is there are followed alone."""
    if piece.exists():
        for _ in followed:
            pass
        return
    partial = piece.with_suffix(".partial")
    changed = ((frame, swap.change(parts)) for frame, parts in followed)
    if write_piece(partial, changed, swap.film):
        _keep_report(piece.parent, swap.report)
        partial.replace(piece)
    else:
        partial.unlink(missing_ok=True)


def _settings(options: argparse.Namespace, film: FilmFile) -> str:
    """A hash of all that the frames depend on."""
    own = {name: value for name, value in vars(options).items() if name not in ("run", "parser", "output", "no_mark")}
    names = [film.path, *(split_spec(str(value))[0] for value in own.values() if isinstance(value, str))]
    stamps = [(str(name), name.stat().st_mtime_ns, name.stat().st_size) for name in names if name.is_file()]
    return hashlib.sha256(repr((version(), sorted(own.items(), key=str), stamps)).encode()).hexdigest()


def _begin(folder: Path, settings: str) -> tuple[str, ...]:
    """Make the folder of the pieces, without those that other settings or files made; returns the report kept there.

    Raises ValueError for a folder of that name that is not ours.
    """
    note = folder / _SETTINGS
    if folder.exists():
        if not note.exists():
            raise ValueError(f"{folder} is needed for unfinished pieces and holds something else; move it away")
        kept = json.loads(note.read_text("utf-8"))
        if kept["settings"] == settings:
            return tuple(kept["report"])
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    note.write_text(json.dumps({"settings": settings, "report": ()}), "utf-8")
    return ()


def _keep_report(folder: Path, report: tuple[str, ...]) -> None:
    """Write the report into the note beside the pieces, for a run that finds them finished."""
    note = folder / _SETTINGS
    kept = json.loads(note.read_text("utf-8"))
    if kept["report"] != list(report):
        new = note.with_suffix(".partial")
        new.write_text(json.dumps(kept | {"report": report}), "utf-8")
        new.replace(note)
