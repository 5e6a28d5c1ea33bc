"""Photographs of many people -> their faces as ArcFace sees them, in one file, and batches of lower faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Generator, Tensor

from ...detectors.builtin import BuiltinDetector
from ...detectors.find import find_faces
from ...detectors.selection import choose
from ...injection.faces.fixer_net import SIDE as LOWER_SIDE
from ...injection.faces.identity import SIDE, align_faces

# Columns and rows of the 112-pixel face where the lower quarter begins (`fixer_net.lower_quarter`).
_LEFT, _TOP = 28, 56


@dataclass(frozen=True, eq=False)
class People:
    """`faces`: (N, 112, 112, 3) uint8. `person`: (N,) int64, whose face it is; `names`: of the people, by number."""

    faces: Tensor
    person: Tensor
    names: tuple[str, ...]

    def of(self, names: Sequence[str]) -> People:
        """The photographs of these people alone, numbered anew in the order of `names`."""
        numbers = torch.tensor([self.names.index(name) for name in names])
        own = torch.isin(self.person, numbers)
        again = torch.full((len(self.names),), -1)
        again[numbers] = torch.arange(len(names))
        return People(self.faces[own], again[self.person[own]], tuple(names))


def person_of(path: Path, root: Path) -> str:
    """Whose photograph it is: its folder below `root`, or its name up to the last underscore (`ann_2.jpg`: ann)."""
    folder = path.parent.relative_to(root)
    return folder.as_posix() if folder.parts else path.stem.rpartition("_")[0] or path.stem


def prepare(root: Path, file: Path, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Align the largest face of every photograph under `root` and write them to `file` (.npz).

    Returns the photographs without a face, or that cannot be read, which are left out. Raises ValueError for a folder
    without two people.
    """
    known = Image.registered_extensions()
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in known)
    detector = BuiltinDetector()
    faces, names, without = [], [], []
    for number, path in enumerate(paths, 1):
        try:
            with Image.open(path) as image:
                pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"), dtype=np.float32) / 255
        except (OSError, ValueError, SyntaxError):
            without.append(path.relative_to(root).as_posix())
            continue
        picture = torch.from_numpy(pixels)[None]
        found = find_faces(picture, detector)
        if found[0]:
            aligned = align_faces(choose(picture, found, "large-small"))[0]
            faces.append((aligned * 255).round().to(torch.uint8).numpy())
            names.append(person_of(path, root))
        else:
            without.append(path.relative_to(root).as_posix())
        if progress is not None:
            progress(number, len(paths))
    if len(set(names)) < 2:
        raise ValueError(
            f"{root} has photographs of {len(set(names))} people with a face in them; needed are at least two people, "
            "each in a folder of their own, or with names such as ann_1.jpg, ann_2.jpg, ben_1.jpg"
        )
    part = file.with_suffix(".part")
    with part.open("wb") as whole:
        np.savez(whole, faces=np.stack(faces), names=np.array(names))
    part.replace(file)
    return without


def load(file: Path) -> People:
    values = np.load(file)
    names = sorted(set(values["names"].tolist()))
    person = torch.tensor([names.index(name) for name in values["names"].tolist()])
    return People(torch.from_numpy(values["faces"]), person, tuple(names))


def lower_faces(faces: Tensor, shift: tuple[int, int] = (0, 0)) -> Tensor:
    """Faces (N, 112, 112, 3) uint8 -> FixerNet's input (N, 3, 56, 56), -1..1, `shift` (x, y) pixels to the side.

    Rows beyond the face repeat its last one.
    """
    rows = (torch.arange(LOWER_SIDE) + _TOP + shift[1]).clamp(0, SIDE - 1)
    columns = (torch.arange(LOWER_SIDE) + _LEFT + shift[0]).clamp(0, SIDE - 1)
    return faces[:, rows][:, :, columns].movedim(-1, 1).float() / 127.5 - 1


def batches(people: People, size: int, shift: int, random: Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of lower faces (B, 3, 56, 56) and their people (B,); half of the faces are mirrored.

    `shift`: most pixels by which a batch is moved, for small sets; 0 as published.
    """
    size = min(size, len(people.faces))
    order = torch.randperm(len(people.faces), generator=random)
    for start in range(0, len(order) - size + 1, size):
        own = order[start : start + size]
        x, y = torch.randint(-shift, shift + 1, (2,), generator=random).tolist()
        pixels = lower_faces(people.faces[own], (x, y))
        mirrored = torch.rand(size, generator=random) < 0.5
        yield torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels), people.person[own]
