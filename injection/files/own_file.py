"""The pack's own weight files: safetensors whose metadata name a format and its version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def save_weights(weights: Mapping[str, Tensor], metadata: Mapping[str, str], path: str | Path, name: str) -> Path:
    """Write a state dict to `path`, which ends in .safetensors; missing folders are made. Returns the full path.

    `name`: what the file is, for the message of the ValueError for another ending.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"{name} is '{path.name}'; end its name in .safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: weight.detach().cpu().contiguous() for key, weight in weights.items()}, path, dict(metadata))
    return path.resolve()


def check_format(
    metadata: Mapping[str, str], format_: str, version: str, source: str | Path, problem: str, advice: str
) -> None:
    """Raises ValueError for metadata of another format, and of another version.

    `source`: the file. `problem`, `advice`: of another format, such as "is not a controller" and "make one with ...".
    """
    if metadata.get("format") != format_:
        raise ValueError(
            f"{source} {problem}: its metadata says format '{metadata.get('format', 'nothing')}', needed is "
            f"'{format_}'; {advice}"
        )
    if metadata.get("version") != version:
        raise ValueError(
            f"{source} has version {metadata.get('version')} and this pack reads {version}; update the pack"
        )


@contextmanager
def reading_metadata(source: str | Path) -> Iterator[None]:
    """What fails inside, because a value is missing or is no such value, becomes a ValueError that names the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise ValueError(f"{source} cannot be used: its metadata is damaged ({problem!r}); copy it again") from problem
