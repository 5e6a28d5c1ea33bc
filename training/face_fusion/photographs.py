"""Photographs -> grey crops of the face, aligned by five points; who is trained on and who judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...detectors.builtin import BuiltinDetector
from ...detectors.find import find_faces
from ...detectors.schemes import five_points
from ...detectors.selection import FaceMissing, choose
from ...fusion.similarity import compose_affine, fit_similarity, flip
from ...fusion.warp import warp_window

# Side of a crop in pixels: 16 cells of a latent, at which a recogniser still sees who it is.
SIDE = 128
# Eye centres, nose tip, corners of the mouth in the square that face recognisers read, as shares of its side.
POINTS = torch.tensor(
    [[0.31557, 0.46157], [0.68262, 0.45983], [0.50026, 0.64051], [0.34947, 0.82469], [0.65344, 0.82325]]
)
# Side of that square as a share of the crop's: chin and hairline lie in the crop as well.
INNER = 0.85
# One person in so many of those with three photographs judges and is never trained on.
_HELD_OUT = 4


def prepare(pictures: Sequence[Path], folder: Path, progress: Callable[[int], None]) -> None:
    """Cut the pictures that `folder` does not have yet; those without a face are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    detector = BuiltinDetector()
    for i, path in enumerate(pictures):
        stored = folder / f"{path.stem}.npy"
        if not stored.exists():
            crops = _crops(path, detector)
            if crops is not None:
                part = stored.with_suffix(".part")
                with part.open("wb") as whole:
                    np.save(whole, crops)
                part.replace(stored)
        progress(i + 1)


def _crops(path: Path, detector: BuiltinDetector) -> np.ndarray | None:
    """(2, SIDE, SIDE) uint8: the crop and its mirror image."""
    picture = torch.from_numpy(np.asarray(Image.open(path).convert("L").convert("RGB"), dtype=np.float32) / 255)[None]
    try:
        face = choose(picture, find_faces(picture, detector), "large-small").face(0)
    except FaceMissing:
        return None
    if face is None:
        return None
    template = (0.5 + INNER * (POINTS - 0.5)) * SIDE
    exact = fit_similarity(five_points(face.landmarks, face.scheme), template, steps=0)
    crops = [
        warp_window(picture[0], m, (0, 0, SIDE, SIDE))[0][..., 0] for m in (exact, compose_affine(flip(SIDE), exact))
    ]
    return (torch.stack(crops).clamp(0, 1) * 255).round().byte().numpy()


def load(folder: Path) -> dict[str, Tensor]:
    """Name of a photograph -> its crop and the mirror image (2, SIDE, SIDE) float32, 0..1."""
    return {path.stem: torch.from_numpy(np.load(path)).float() / 255 for path in sorted(folder.glob("*.npy"))}


def by_person(names: Sequence[str]) -> dict[str, list[str]]:
    """Person -> names of their photographs. Any other than `person_NNN_K` is of a person of its own."""
    people: dict[str, list[str]] = {}
    for name in sorted(names):
        person = name.rpartition("_")[0] if name.startswith("person_") else name
        people.setdefault(person, []).append(name)
    return people


def held_out(people: Mapping[str, Sequence[str]]) -> set[str]:
    """The people who are not trained on."""
    return set(sorted(person for person, names in people.items() if len(names) >= 3)[::_HELD_OUT])
