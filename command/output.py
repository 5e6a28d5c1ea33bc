"""Where the command writes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def check_not_read(outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """Raises ValueError when one of the `outputs` is also one of the `inputs`, which would be lost."""
    read = [Path(name).resolve() for name in inputs]
    for output in outputs:
        path = Path(output).resolve()
        if path in read or any(path.exists() and file.exists() and path.samefile(file) for file in read):
            raise ValueError(f"{output} is read and would be overwritten; let -o name another file or folder")


@contextmanager
def output_file(name: str | Path) -> Iterator[Path]:
    """The full path of a file that is written inside the `with`; folders that this made are told on the standard error.

    `..` leaves a folder that need not exist. Raises OSError for a name that is a folder, or that a folder cannot have.
    """
    path = Path(name).resolve()
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {name}: it is a folder; add the name of a file to it")
    new = not path.parent.exists()
    yield path
    if new:
        print(f"face-part-fusion: made the folder {path.parent}", file=sys.stderr)
