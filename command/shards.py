"""What the commands share that turn a folder of photographs into tar files for training."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..training.shards.manifest import MANIFEST
from ..training.shards.workers import Workers, here, processes, ray_cluster
from .targets import Bar

# Pictures left out that are printed; the manifest has all.
_PRINTED = 20


def add_workers(command: argparse.ArgumentParser) -> None:
    where = command.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes; default: one for each core")
    where.add_argument(
        "--ray", metavar="ADDRESS", help="of a Ray cluster (auto, HOST:PORT, local); all machines need the same paths"
    )


def folders_of(options: argparse.Namespace) -> tuple[Path, Path]:
    """Where photographs are read and files written. Raises ValueError where the latter lies in the former."""
    folder, output = options.folder.resolve(), options.output.resolve()
    if output == folder or folder in output.parents:
        raise ValueError(f"-o {options.output} lies in {options.folder}, whose pictures are read; name another folder")
    return folder, output


def workers_of(options: argparse.Namespace) -> Workers:
    if options.ray is not None:
        return ray_cluster(options.ray)
    count = options.workers if options.workers is not None else os.cpu_count() or 1
    if count < 1:
        raise ValueError(f"--workers is {count}; needed is at least 1")
    return here if count == 1 else processes(count)


class Bars:
    """One progress bar after the other."""

    def __init__(self) -> None:
        self._bar, self._name = Bar(0), ""

    def show(self, name: str, done: int, total: int) -> None:
        if name != self._name:
            self.clear()
            self._bar, self._name = Bar(total), name
        self._bar.show(done, name)

    def clear(self) -> None:
        self._bar.clear()


def tell_left_out(reasons: Sequence[tuple[str, str]], output: Path) -> None:
    """Prints the first of the pictures that were left out, each with its reason."""
    for name, reason in reasons[:_PRINTED]:
        print(f"face-part-fusion: {name}: {reason}", file=sys.stderr)
    if len(reasons) > _PRINTED:
        print(f"face-part-fusion: and {len(reasons) - _PRINTED} more, see {output / MANIFEST}", file=sys.stderr)
