"""The pairs of one shard: work that is done wherever a worker is free, and gives the same anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..shards.align import parser, person_file
from ..shards.person import from_file
from ..shards.shard import ShardWriter, as_json, record_file, record_of, write_whole
from .reenact import Reenactment, load_reenactment
from .settings import Settings
from .synthesis import TRIPLETS, cycle


@dataclass(frozen=True)
class Pair:
    """Two photographs: what each became, and its name for the record. `key`: of the sample."""

    key: str
    stored: tuple[Path, Path]
    names: tuple[str, str]


@dataclass(frozen=True)
class Shard:
    """`path`: of the tar file."""

    path: Path
    pairs: tuple[Pair, ...]
    settings: Settings

    def __call__(self) -> int:
        """Returns how many pairs there were. A shard that is already complete stays."""
        if self.record() is None:
            reenact = _reenactment(self.settings)
            writer, left_out = ShardWriter(self.path), []
            for pair in self.pairs:
                a, b = (from_file(person_file(stored)) for stored in pair.stored)
                try:
                    pictures = cycle(a, b, reenact, parser())
                except ValueError as problem:
                    left_out.append({"pictures": pair.names, "reason": str(problem)})
                    continue
                classes = {"c_a": a.classes, "c_b": b.classes}
                writer.add(pair.key, pictures, classes, _facts(pair), self.settings.ending)
            write_whole(record_file(self.path), as_json({**writer.close(), "left_out": left_out}))
        return len(self.pairs)

    def record(self) -> dict[str, Any] | None:
        """What the manifest says of this shard; None where it is not complete, or is no longer what was written."""
        return record_of(self.path)


def _facts(pair: Pair) -> dict[str, object]:
    roles = ("role", "code", "target", "source", "result")
    triplets = [dict(zip(roles, triplet, strict=True)) for triplet in TRIPLETS]
    return {"a": pair.names[0], "b": pair.names[1], "triplets": triplets}


@lru_cache(maxsize=1)
def _reenactment(settings: Settings) -> Reenactment:
    return load_reenactment(settings.generator, settings.recogniser, settings.fixer, settings.shape)
