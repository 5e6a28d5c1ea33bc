"""Reading a data set back, in a stream: shuffled, and the same with any number of workers."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

# Shards whose samples are shuffled together.
_TOGETHER = 4


@dataclass(frozen=True, eq=False)
class Sample:
    """`key`: of the set. `face`: (S, S, 3) float32, 0..1. `classes`: (S, S) uint8. `facts`: what its JSON says."""

    key: str
    face: Tensor
    classes: Tensor
    facts: dict[str, Any]


def samples(folder: Path, seed: int, worker: int = 0, workers: int = 1) -> Iterator[Sample]:
    """One pass over a set in an order that `seed` decides; each of the `workers` gets its share of it, in turn.

    All workers' samples, taken in turn, are those of one worker in the same order.

    Raises ValueError for a set that is not complete, a worker beyond their number, and a shard that is damaged.
    """
    if not 0 <= worker < workers:
        raise ValueError(f"worker is {worker} of {workers}; they are numbered from 0")
    order, at = random.Random(seed), 0
    shards = [folder / shard["name"] for shard in _manifest(folder)["shards"]]
    order.shuffle(shards)
    for start in range(0, len(shards), _TOGETHER):
        pool = [member for shard in shards[start : start + _TOGETHER] for member in _members(shard)]
        order.shuffle(pool)
        for key, files in pool:
            if at % workers == worker:
                yield _decoded(key, files)
            at += 1


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except OSError as error:
        raise ValueError(f"{folder} has no manifest.json; make a set with: face-part-fusion dataset") from error
    if not manifest.get("complete") or "faces" not in manifest:
        raise ValueError(f"{folder} is not a complete set of faces; run face-part-fusion dataset again to go on")
    return manifest


def _members(shard: Path) -> list[tuple[str, dict[str, bytes]]]:
    """Key -> the bytes of its files by their ending."""
    members: dict[str, dict[str, bytes]] = {}
    try:
        with tarfile.open(shard) as tar:
            for member in tar:
                key, _, ending = member.name.partition(".")
                file = tar.extractfile(member)
                if file is not None:
                    members.setdefault(key, {})[ending] = file.read()
    except (OSError, tarfile.TarError) as error:
        raise ValueError(f"{shard} is missing or damaged ({error}); run face-part-fusion dataset again") from error
    return list(members.items())


def _decoded(key: str, files: dict[str, bytes]) -> Sample:
    picture = next(content for ending, content in files.items() if ending.startswith("face."))
    face, classes = (np.asarray(Image.open(io.BytesIO(each))) for each in (picture, files["face_classes.png"]))
    return Sample(key, torch.from_numpy(face.astype(np.float32) / 255), torch.from_numpy(classes.copy()),
                  json.loads(files["json"]))  # fmt: skip
