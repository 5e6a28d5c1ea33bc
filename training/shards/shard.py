"""Tar files that `webdataset` reads; the same pictures give the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from ...detectors.picture import as_bytes

# Ending of the pictures' names -> options of Pillow's writer.
FORMATS: Mapping[str, Mapping[str, object]] = {
    "jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    "png": {"format": "PNG", "compress_level": 6},
}
_BLOCK = 1 << 20


class ShardWriter:
    """Writes samples into a file beside `path`, which takes its name when the shard is complete."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_suffix(".part")
        self._tar = tarfile.open(self._part, "w", format=tarfile.USTAR_FORMAT)
        self.samples = 0

    def add(
        self, key: str, pictures: Mapping[str, Tensor], classes: Mapping[str, Tensor], facts: object, ending: str
    ) -> None:  # fmt: skip
        """One sample: KEY.NAME.jpg for every picture (S, S, 3), 0..1, KEY.NAME_classes.png, (S, S) uint8, KEY.json."""
        for name, picture in pictures.items():
            file = io.BytesIO()
            Image.fromarray(as_bytes(picture)).save(file, **FORMATS[ending])  # type: ignore[arg-type]
            self._member(f"{key}.{name}.{ending}", file.getvalue())
        for name, numbers in classes.items():
            file = io.BytesIO()
            Image.fromarray(numbers.numpy()).save(file, **FORMATS["png"])  # type: ignore[arg-type]
            self._member(f"{key}.{name}_classes.png", file.getvalue())
        self._member(f"{key}.json", as_json(facts))
        self.samples += 1

    def close(self) -> dict[str, object]:
        """The shard's name, its bytes, SHA-256 and number of samples, for the manifest."""
        self._tar.close()
        self._part.replace(self._path)
        size = self._path.stat().st_size
        return {"name": self._path.name, "bytes": size, "sha256": sha256(self._path), "samples": self.samples}

    def _member(self, name: str, content: bytes) -> None:
        # A TarInfo of its own has neither a time nor an owner.
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def as_json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_whole(path: Path, content: bytes) -> None:
    """The file has its name only when it is complete."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def record_file(shard: Path) -> Path:
    """Beside a shard: what the manifest says of it, written once it is complete."""
    return shard.with_suffix(".json")


def record_of(shard: Path) -> dict[str, Any] | None:
    """What was recorded of a shard; None where it is not complete, or is no longer what was written."""
    if not record_file(shard).exists() or not shard.exists():
        return None
    record = json.loads(record_file(shard).read_bytes())
    return record if record["sha256"] == sha256(shard) else None
