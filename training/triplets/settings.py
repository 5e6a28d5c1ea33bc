"""What a run makes, from which photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """`pairs`: of photographs, each of which makes two naive and two cycle triplets; 0: as many as there are
        photographs that can be used.

    `size`: side of the pictures in pixels.
    `ending`: of the pictures, a key of `shard.FORMATS`.
    `per_shard`: pairs in a shard.
    `spectacles`: whether people who wear some are taken.
    `generator`, `recogniser`, `fixer`: files of a face swapper; none: the mesh warp.
    `shape`: 0..1, how far the mesh warp takes the source's proportions.
    `seed`: of the choice of pairs.
    """

    pairs: int = 0
    size: int = 256
    ending: str = "jpg"
    per_shard: int = 100
    spectacles: bool = False
    generator: Path | None = None
    recogniser: Path | None = None
    fixer: Path | None = None
    shape: float = 0.5
    seed: int = 0

    def facts(self) -> dict[str, object]:
        """For the manifest: files without their folders."""
        return {name: value.name if isinstance(value, Path) else value for name, value in vars(self).items()}
