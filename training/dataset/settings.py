"""What a data set is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BY_FOLDER, BY_RECOGNISER = "folder", "recogniser"
IDENTITIES = (BY_FOLDER, BY_RECOGNISER)


@dataclass(frozen=True)
class Settings:
    """`size`: side of the faces in pixels.

    `ending`: of the pictures, a key of `shard.FORMATS`.
    `per_shard`: faces in a shard.
    `identities`: one of IDENTITIES, how photographs of one person are known.
    `recogniser`: file of a face recogniser, whose vector of each face is stored; None: no vectors.
    `same_person`: cosine of two vectors from which they are of one person.
    `duplicates`: whether photographs that are there twice are kept.
    """

    size: int = 256
    ending: str = "jpg"
    per_shard: int = 1000
    identities: str = BY_FOLDER
    recogniser: Path | None = None
    same_person: float = 0.4
    duplicates: bool = False

    def facts(self) -> dict[str, object]:
        """For the manifest: files without their folders."""
        return {name: value.name if isinstance(value, Path) else value for name, value in vars(self).items()}
