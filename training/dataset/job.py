"""The work of one shard of faces; it gives the same bytes wherever it is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..shards.align import person_file
from ..shards.person import from_file
from ..shards.shard import ShardWriter, as_json, record_file, record_of, write_whole


@dataclass(frozen=True)
class FaceSample:
    """`key`: of the sample. `stored`: the aligned face. `photograph`, `person`: their names. `vector`: its values."""

    key: str
    stored: Path
    photograph: str
    person: str
    vector: tuple[float, ...] = ()


@dataclass(frozen=True)
class FaceShard:
    """`path`: of the tar file. `ending`: of the pictures, a key of `shard.FORMATS`."""

    path: Path
    samples: tuple[FaceSample, ...]
    ending: str

    def __call__(self) -> int:
        """Returns how many faces there are. A shard that is already complete stays."""
        if self.record() is None:
            writer = ShardWriter(self.path)
            for sample in self.samples:
                person = from_file(person_file(sample.stored))
                facts = {
                    "photograph": sample.photograph, "person": sample.person, "angles": person.face.angles,
                    "score": person.face.score, "landmarks": [[round(x, 2), round(y, 2)] for x, y in
                                                              person.face.landmarks.tolist()],
                    "vector": list(sample.vector),
                }  # fmt: skip
                writer.add(sample.key, {"face": person.picture}, {"face": person.classes}, facts, self.ending)
            write_whole(record_file(self.path), as_json(writer.close()))
        return len(self.samples)

    def record(self) -> dict[str, Any] | None:
        """What the manifest says of this shard; None where it is not complete, or is no longer what was written."""
        return record_of(self.path)
