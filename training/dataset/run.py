"""A folder of photographs -> shards of aligned faces and a manifest. What a run that was cut off has made stays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...detectors.parts import FaceParts
from ...metrics.identity import read_face_vectors
from ..shards.align import align, person_file, reason_file
from ..shards.manifest import MANIFEST, PEOPLE, Manifest, Progress, begin, photographs_in, versions, work_through
from ..shards.person import Person, from_file
from ..shards.shard import FORMATS, as_json, write_whole
from ..shards.workers import Workers
from .duplicates import difference_hash, duplicates_of
from .identities import by_folder, by_vectors
from .job import FaceSample, FaceShard
from .settings import BY_RECOGNISER, IDENTITIES, Settings


def make_dataset(
    folder: Path, shards: Path, settings: Settings, workers: Workers, progress: Progress, version: str
) -> Manifest:  # fmt: skip
    """Make what is still missing of a set of faces.

    `folder`: photographs with one face each, in any folders below it.
    `shards`: the folder of the set.
    `progress`: called as work is done; it may raise to stop, and the next run goes on.
    `version`: of the pack, for the manifest.

    Returns the manifest. Raises ValueError for a folder without a photograph that can be used, a setting outside its
    range, a set of other settings or photographs, and a recogniser's file that is none.
    """
    _check(settings)
    photographs = photographs_in(folder)
    names = [path.relative_to(folder).as_posix() for path in photographs]
    begun = {
        "settings": settings.facts(), "versions": versions(version), "complete": False, "faces": 0,
        "photographs": names,
    }  # fmt: skip
    begin(shards, begun, "faces")
    stored = [shards / PEOPLE / f"{number:07d}" for number in range(len(photographs))]
    # Wearers of spectacles are kept: a set is of people as they are.
    align(photographs, stored, settings.size, True, workers, progress)
    bad = {name: json.loads(reason_file(file).read_bytes()) for name, file in zip(names, stored, strict=True)
           if reason_file(file).exists()}  # fmt: skip
    good = [number for number, name in enumerate(names) if name not in bad]
    if not good:
        raise ValueError(f"none of the {len(names)} photographs in {folder} can be used; {shards / PEOPLE} says why")
    copies = {} if settings.duplicates else _copies(good, stored)
    kept = [number for number in good if number not in copies]
    jobs = _shards(shards, kept, names, stored, settings, progress)
    work_through(workers, jobs, "faces", len(kept), progress)
    manifest = {
        **begun, "complete": True, "faces": len(kept),
        "people": len({sample.person for job in jobs for sample in job.samples}),
        "shards": [job.record() for job in jobs],
        "bad_pictures": [{"picture": name, "reason": reason} for name, reason in bad.items()],
        "duplicates": [{"picture": names[copy], "of": names[first]} for copy, first in copies.items()],
    }  # fmt: skip
    write_whole(shards / MANIFEST, as_json(manifest))
    return manifest


def _check(settings: Settings) -> None:
    if settings.size < 64 or settings.per_shard < 1 or settings.ending not in FORMATS:
        raise ValueError(
            f"size is {settings.size}, faces per shard {settings.per_shard} and format '{settings.ending}'; needed are "
            f"at least 64 pixels, 1 face, and one of {', '.join(FORMATS)}"
        )
    if settings.identities not in IDENTITIES or not -1 <= settings.same_person <= 1:
        raise ValueError(
            f"identities is '{settings.identities}' and same_person {settings.same_person:g}; choose one of "
            f"{', '.join(IDENTITIES)}, and a cosine of -1 to 1"
        )
    if settings.identities == BY_RECOGNISER and settings.recogniser is None:
        raise ValueError("people are to be told by a recogniser, and none is given; name its file with --recogniser")


def _copies(good: Sequence[int], stored: Sequence[Path]) -> dict[int, int]:
    """Number of a photograph -> the number of the one that it is a copy of."""
    hashes = []
    for number in good:
        with np.load(person_file(stored[number])) as values:
            hashes.append(difference_hash(values["picture"]))
    return {good[copy]: good[first] for copy, first in duplicates_of(hashes).items()}


def _shards(
    shards: Path, kept: Sequence[int], names: Sequence[str], stored: Sequence[Path], settings: Settings,
    progress: Progress,
) -> list[FaceShard]:  # fmt: skip
    vectors = (
        None if settings.recogniser is None else _vectors(settings.recogniser, [stored[n] for n in kept], progress)
    )
    people = by_folder([Path(names[number]) for number in kept])
    if settings.identities == BY_RECOGNISER and vectors is not None:
        people = by_vectors(vectors, settings.same_person)
    rows = [()] * len(kept) if vectors is None else [tuple(round(v, 6) for v in row) for row in vectors.tolist()]
    every = [
        FaceSample(f"{at:09d}", stored[number], names[number], person, row)
        for at, (number, person, row) in enumerate(zip(kept, people, rows, strict=True))
    ]
    starts = range(0, len(every), settings.per_shard)
    return [
        FaceShard(shards / f"faces-{at:06d}.tar", tuple(every[start : start + settings.per_shard]), settings.ending)
        for at, start in enumerate(starts)
    ]


def _vectors(recogniser: Path, stored: Sequence[Path], progress: Progress) -> Tensor:
    """(N, n): the recogniser's vector of each stored face; kept beside it, so that a run goes on where it was."""
    read, vectors = read_face_vectors(recogniser), []
    for done, file in enumerate(stored, 1):
        own = file.with_name(f"{file.name}-{read.name.rpartition(' ')[2]}.npy")
        if not own.exists():
            vector = read(_alone(from_file(person_file(file))))[0]
            part = own.with_suffix(".part")
            with part.open("wb") as opened:
                np.save(opened, vector.numpy())
            part.replace(own)
        vectors.append(torch.from_numpy(np.load(own)))
        progress("vectors", done, len(stored))
    return torch.stack(vectors)


def _alone(person: Person) -> FaceParts:
    return FaceParts(person.picture[None], ((person.face,),), (0,))
