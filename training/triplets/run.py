"""A folder of photographs -> shards of cycle triplets and a manifest. What a run that was cut off has made stays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..shards.align import align, person_file, reason_file
from ..shards.manifest import MANIFEST, PEOPLE, Manifest, Progress, begin, photographs_in, versions, work_through
from ..shards.shard import as_json, write_whole
from ..shards.workers import Workers
from .jobs import Pair, Shard
from .pairs import Pose, choose_pairs
from .reenact import load_reenactment
from .settings import Settings
from .synthesis import TRIPLETS

# Mesh points: the inner edges of the upper and the lower lip, and where they meet.
_LIPS = (13, 14, 78, 308)


def make_triplets(
    folder: Path, shards: Path, settings: Settings, workers: Workers, progress: Progress, version: str
) -> Manifest:  # fmt: skip
    """Make what is still missing of a set of triplets.

    `folder`: photographs; those in one folder below it are of one person, the others of a person each.
    `shards`: the folder of the set.
    `progress`: called as work is done; it may raise to stop, and the next run goes on.
    `version`: of the pack, for the manifest.

    Returns the manifest. Raises ValueError for a folder without two people, a setting outside its range, a set of
    other settings or photographs, and as `load_reenactment` does.
    """
    _check(settings)
    photographs = photographs_in(folder)
    reenactment = load_reenactment(settings.generator, settings.recogniser, settings.fixer, settings.shape).name
    begun = {
        "settings": settings.facts(), "reenactment": reenactment, "versions": versions(version), "complete": False,
        "photographs": [path.relative_to(folder).as_posix() for path in photographs],
    }  # fmt: skip
    begin(shards, begun, "triplets")
    stored = [shards / PEOPLE / f"{number:07d}" for number in range(len(photographs))]
    align(photographs, stored, settings.size, settings.spectacles, workers, progress)
    bad = {path: json.loads(reason_file(file).read_bytes()) for path, file in zip(photographs, stored, strict=True)
           if reason_file(file).exists()}  # fmt: skip
    good = [(path, file) for path, file in zip(photographs, stored, strict=True) if path not in bad]
    jobs = _shards(folder, shards, good, settings)
    work_through(workers, jobs, "pairs", sum(len(job.pairs) for job in jobs), progress)
    manifest = {**begun, **_summary(jobs, {path.relative_to(folder).as_posix(): why for path, why in bad.items()})}
    write_whole(shards / MANIFEST, as_json(manifest))
    return manifest


def _check(settings: Settings) -> None:
    if settings.size < 64 or settings.pairs < 0 or settings.per_shard < 1 or not 0 <= settings.shape <= 1:
        raise ValueError(
            f"size is {settings.size}, pairs {settings.pairs}, pairs per shard {settings.per_shard} and shape "
            f"{settings.shape:g}; needed are at least 64 pixels, 0 pairs or more, 1 pair per shard and 0 to 1"
        )


def _shards(folder: Path, shards: Path, good: Sequence[tuple[Path, Path]], settings: Settings) -> list[Shard]:
    poses = [_pose(folder, path, file) for path, file in good]
    if len({pose.person for pose in poses}) < 2:
        raise ValueError(
            f"{folder} has {len({pose.person for pose in poses})} people in {len(good)} photographs that can be used; "
            f"triplets need two. {shards / PEOPLE} says what is wrong with the others"
        )
    pairs = [
        Pair(
            f"{number:09d}", (good[a][1], good[b][1]),
            (good[a][0].relative_to(folder).as_posix(), good[b][0].relative_to(folder).as_posix()),
        )
        for number, (a, b) in enumerate(choose_pairs(poses, settings.pairs or len(good), settings.seed))
    ]  # fmt: skip
    if not pairs:
        raise ValueError(f"no two people in {folder} are alike enough in pose and mouth; add frontal photographs")
    starts = range(0, len(pairs), settings.per_shard)
    # The number of pairs is not a worker's business.
    own = replace(settings, pairs=0)
    return [
        Shard(shards / f"triplets-{number:06d}.tar", tuple(pairs[start : start + settings.per_shard]), own)
        for number, start in enumerate(starts)
    ]


def _pose(folder: Path, path: Path, stored: Path) -> Pose:
    relative = path.relative_to(folder)
    own = relative.parent.as_posix() if len(relative.parts) > 1 else relative.as_posix()
    with np.load(person_file(stored)) as values:
        yaw, pitch, _ = values["angles"].tolist()
        top, bottom, left, right = values["landmarks"][list(_LIPS)]
    return Pose(own, yaw, pitch, float(np.linalg.norm(bottom - top) / max(1.0, np.linalg.norm(right - left))))


def _summary(jobs: Sequence[Shard], bad: Mapping[str, str]) -> dict[str, object]:
    records: list[Any] = [job.record() for job in jobs]
    samples = sum(record["samples"] for record in records)
    return {
        "complete": True,
        "shards": [{name: value for name, value in record.items() if name != "left_out"} for record in records],
        "samples": samples,
        "triplets": {role: samples * count for role, count in Counter(t[0] for t in TRIPLETS).items()},
        "bad_pictures": [{"picture": name, "reason": reason} for name, reason in bad.items()],
        "left_out": [pair for record in records for pair in record["left_out"]],
    }
