"""What a training leaves to look at: lines, a CSV with a row a step, TensorBoard's events, sample sheets."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from .plan import Log, Plan
from .state import TrainingStopped

_FIRST = ("step", "seconds", "rate")


class Record:
    """Of the steps after `first`; rows and events of later steps, which come again, are taken out."""

    def __init__(self, plan: Plan, state: Path, first: int, log: Log, tensorboard: bool, progress: bool) -> None:
        self._plan, self._state, self._first, self._log = plan, state, first, log
        self._begin, self._totals, self._count = time.monotonic(), dict[str, float](), 0
        self._csv_opened: tuple[Any, TextIO] | None = None
        self._events: Any = _events(state, first) if tensorboard else None
        self._bar: Any = tqdm(
            total=plan.steps, initial=first, desc=plan.title or plan.kind, unit="step", dynamic_ncols=True,
            disable=None if progress else True,
        )  # fmt: skip

    def step(self, step: int, terms: Mapping[str, float], rate: float) -> None:
        """`step`: how many there were. Raises TrainingStopped where the row cannot be written."""
        seconds = time.monotonic() - self._begin
        row = {"step": step, "seconds": round(seconds, 2), "rate": rate, **terms}
        try:
            rows, file = self._csv_opened or self._open(list(row))
            rows.writerow(row)
            file.flush()
        except OSError as problem:
            raise TrainingStopped(
                f"the row of step {step} cannot be written to {self._csv}: {problem}; the last checkpoint is kept in "
                f"{self._state}. Make room there, and run the same command again to go on"
            ) from problem
        for name, value in terms.items():
            self._totals[name] = self._totals.get(name, 0.0) + value
            if self._events is not None:
                self._events.add_scalar(name, value, step)
        self._count += 1
        self._bar.update()

    def line(self, step: int) -> None:
        """Means since the last line."""
        unit, each = self._plan.unit
        means = ", ".join(f"{name} {total / self._count:.4f}" for name, total in self._totals.items())
        self._totals.clear()
        self._count = 0
        title = f"{self._plan.title}: " if self._plan.title else ""
        seconds = time.monotonic() - self._begin
        self._log(f"{title}{unit} {step // each} of {self._plan.steps // each}, {seconds:.0f} s: {means}")

    def sheet(self, step: int, picture: Tensor) -> None:
        """`picture`: (H, W, 3) or (H, W), 0..1."""
        file = self._state.with_name(f"{self._state.stem}_sheets") / f"{step:07}.png"
        write_picture(picture, file)

    def close(self) -> None:
        self._bar.close()
        if self._csv_opened is not None:
            self._csv_opened[1].close()
        if self._events is not None:
            self._events.close()

    @property
    def _csv(self) -> Path:
        return self._state.with_suffix(".csv")

    def _open(self, columns: list[str]) -> tuple[Any, TextIO]:
        """Rows of earlier steps again, then what comes."""
        rows = list(rows_of(self._csv, self._first)) if self._first else []
        columns = list(dict.fromkeys([*(rows[0] if rows else _FIRST), *columns]))
        part = self._csv.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as whole:
            writer = csv.DictWriter(whole, columns)
            writer.writeheader()
            writer.writerows(rows)
        part.replace(self._csv)
        file = self._csv.open("a", newline="", encoding="utf-8")
        self._csv_opened = csv.DictWriter(file, columns), file
        return self._csv_opened


def rows_of(file: Path, last: int) -> Iterator[dict[str, str]]:
    """Rows of a record up to the step `last`, as text."""
    if file.exists():
        with file.open(newline="", encoding="utf-8") as written:
            for row in csv.DictReader(written):
                if row["step"].isdigit() and int(row["step"]) <= last and None not in row.values():
                    yield row


def _events(state: Path, first: int) -> Any:
    try:
        writer = import_module("torch.utils.tensorboard").SummaryWriter
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "--tensorboard needs the Python package tensorboard, which is not installed; install it with: pip install "
            "tensorboard, or leave the option out: the CSV has the same figures"
        ) from missing
    return writer(str(state.with_name(f"{state.stem}_tensorboard")), purge_step=first + 1)


def to_terminal(line: str) -> None:
    """A line of the log, above the progress bar."""
    tqdm.write(line, file=sys.stderr)


def in_columns(columns: list[Tensor]) -> Tensor:
    """Rows of pictures for a sheet: lists of (N, H, W) or (N, 3, H, W), one below the other -> (H, W) or (H, W, 3)."""
    sheet = torch.cat([torch.cat(list(row), -1) for row in columns], -2)
    return sheet if sheet.ndim == 2 else sheet.permute(1, 2, 0)


def write_picture(picture: Tensor, file: Path) -> None:
    """`picture`: (H, W, 3) or (H, W), 0..1 -> a PNG, whole or not at all. Makes its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    Image.fromarray((picture.cpu().float().clamp(0, 1) * 255).round().byte().numpy()).save(part, format="PNG")
    part.replace(file)


@contextmanager
def one_sentence() -> Iterator[None]:
    """A training that stops, and bad input, end the program with their sentence and no traceback."""
    try:
        yield
    except (TrainingStopped, ValueError, ModuleNotFoundError) as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to go on")
