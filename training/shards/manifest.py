"""The manifest of a set for training, and the work that leads to it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import Image

from .shard import as_json, write_whole
from .workers import Job, Workers

MANIFEST = "manifest.json"
# Folder beside the shards for the aligned faces; the finished set does not need it.
PEOPLE = "people"
Manifest = Mapping[str, Any]
# Called with what is done, how many of how many are.
Progress = Callable[[str, int, int], None]


def photographs_in(folder: Path) -> list[Path]:
    """Every picture file below the folder, by name. Raises ValueError without one, or without the folder."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; name one with photographs of several people")
    known = Image.registered_extensions().keys() - {".eps", ".ps", ".pdf"}
    photographs = sorted(path for path in folder.rglob("*") if path.suffix.lower() in known and path.is_file())
    if not photographs:
        raise ValueError(f"{folder} has no pictures in it; name a folder with PNG, JPEG or WebP files")
    return photographs


def begin(shards: Path, begun: Manifest, kind: str) -> None:
    """Write the manifest of a set that begins; `kind`: of its samples. Raises ValueError for another set there."""
    (shards / PEOPLE).mkdir(parents=True, exist_ok=True)
    file = shards / MANIFEST
    if not file.exists():
        write_whole(file, as_json(begun))
        return
    before = json.loads(file.read_bytes())
    for name in ("settings", "reenactment", "versions", "photographs"):
        # As JSON, in which a tuple is a list.
        now = json.loads(as_json(begun.get(name)))
        if before.get(name) != now:
            was = "others" if name == "photographs" else f"{before.get(name)}, and now they are {now}"
            raise ValueError(
                f"{shards} holds {kind} that were begun with other {name}: {was}. Name another folder, remove this "
                "one, or run with what it was begun with"
            )


def work_through(workers: Workers, jobs: Sequence[Job], name: str, total: int, progress: Progress) -> None:
    done = 0
    progress(name, done, total)
    for items in workers(jobs):
        done += items
        progress(name, done, total)


def versions(pack: str) -> dict[str, str]:
    """Of what decides the bytes."""
    return {
        "face-part-fusion": pack, "python": platform.python_version(), "torch": torch.__version__,
        "numpy": np.__version__, "pillow": PIL.__version__, "machine": platform.machine(),
    }  # fmt: skip
