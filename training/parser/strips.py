"""Samples of the close look at spectacles: the strip around a portrait's eyes, with spectacles drawn over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...detectors.builtin import BuiltinDetector
from ...detectors.crops import crop, to_crop
from ...detectors.spectacles_net import STRIP_HEIGHT, STRIP_WIDTH, strip_square
from . import occluders, spectacles
from .labels import EYES, Floats, Sample
from .occluders import NUMBER
from .samples import photographed
from .stream import Endless

# Side in pixels of the square that is stored, how much wider than the strip's it is, and the rows that are kept of it.
_SIDE, _WIDER, _ROWS = 480, 1.4, slice(96, 384)
# Share of the samples without spectacles; eyes, brows and folds of skin are none.
_BARE = 0.15
# Share of the samples over which strands of hair or a hand lie.
_COVERED = 0.12
# Small faces are enlarged for the net: so many samples show one, and so much of their pixels is left at least.
_SMALL, _SMALLEST = 0.5, 0.2


class Strip(NamedTuple):
    """The surroundings of one portrait's eyes.

    `rgb`: (288, 480, 3) uint8. `skin`: (288, 480) bool, face, ears and hair. `points`: (478, 3) float32, the mesh in
    pixels of the strip. `head`: x, y of the strip's corner and the side of its pixels, in pixels of the parser's
    sample.
    """

    rgb: NDArray[np.uint8]
    skin: NDArray[np.bool_]
    points: Floats
    head: Floats


def cut(picture: Tensor, sample: Sample, detector: BuiltinDetector) -> Strip | None:
    """The strip of the picture (H, W, 3) 0..1 that the parser's `sample` was made of; None without a face."""
    faces = detector(picture[None])[0]
    if not faces:
        return None
    square = strip_square(faces[0])
    square[2] *= _WIDER
    rgb = crop(picture.permute(2, 0, 1), square, _SIDE)[:, _ROWS].permute(1, 2, 0)
    spots = to_crop(faces[0].landmarks[None], square[None], _SIDE)[0].numpy()
    spots[:, 1] -= _ROWS.start
    # Both squares are turned alike: they differ in scale and corner alone.
    own, wide = spots[: len(sample.points)], sample.points[:, :2]
    size = float(np.ptp(wide[:, 0]) / np.ptp(own[:, 0]))
    corner = wide.mean(0) - size * own.mean(0)
    points = np.concatenate((own, sample.points[:, 2:] / size), 1).astype(np.float32)
    head = np.array([*corner, size], np.float32)
    labels = _laid(sample.labels, head, Image.Resampling.NEAREST)
    skin = np.isin(labels, [NUMBER[name] for name in ("face", "ears", "hair")])
    return Strip((rgb.numpy() * 255).round().astype(np.uint8), skin, points, head)


def _laid(area: NDArray[np.uint8], head: Floats, way: Image.Resampling) -> NDArray[np.uint8]:
    """A picture or a map of the parser's sample, over the strip."""
    x, y, size = head.tolist()
    matrix = (size, 0.0, x, 0.0, size, y)
    shape = (_SIDE, _ROWS.stop - _ROWS.start)
    return np.asarray(Image.fromarray(area).transform(shape, Image.Transform.AFFINE, matrix, way))


def prepare_strips(
    portraits: list[Path], samples: dict[str, Sample], folder: Path, progress: Callable[[int], None]
) -> None:
    """Cut the strip of every portrait that has a sample and no strip in `folder` yet, one .npz each."""
    folder.mkdir(parents=True, exist_ok=True)
    detector = BuiltinDetector()
    for i, path in enumerate(portraits):
        goal = folder / f"{path.stem}.npz"
        if path.stem in samples and not goal.exists():
            rgb = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255
            strip = cut(torch.from_numpy(rgb), samples[path.stem], detector)
            if strip is not None:
                part = goal.with_suffix(".part")
                with part.open("wb") as whole:
                    np.savez_compressed(whole, **strip._asdict())
                part.replace(goal)
        progress(i + 1)


def load_strips(folder: Path) -> dict[str, Strip]:
    return {path.stem: Strip(**np.load(path)) for path in sorted(folder.glob("*.npz"))}


class Strips(Endless):
    """Pairs of a picture (3, 160, 320) uint8 and the shares of LOOKS in each pixel, (3, 160, 320) uint8 that add up to
    255; the same sequence for the same seed."""

    def __init__(self, strips: dict[str, Strip], samples: dict[str, Sample], seed: int) -> None:
        super().__init__(list(strips), seed)
        self.strips, self.samples = strips, samples

    def one(self, number: int, rng: Generator) -> tuple[Tensor, Tensor]:
        name = self.names[number]
        return one_strip(self.strips[name], self.samples[name], rng)


def one_strip(strip: Strip, sample: Sample, rng: Generator) -> tuple[Tensor, Tensor]:
    rgb = strip.rgb.astype(np.float32)
    frame = lens = np.zeros(strip.skin.shape, np.float32)
    if rng.random() >= _BARE:
        rgb, frame, lens = spectacles.draw(rgb, strip.points, strip.skin, rng)
    if rng.random() < _COVERED:
        rgb, free = _covered(rgb, strip, sample, rng)
        frame, lens = frame * free, lens * free
    lens = lens * (1 - frame)
    picture, shares = _viewed(rgb, np.stack((1 - frame - lens, frame, lens), -1), rng)
    picture = photographed(_small(picture, rng), rng)
    shares[..., 2] = np.minimum(shares[..., 2], 255 - shares[..., 1])
    shares[..., 0] = 255 - shares[..., 1] - shares[..., 2]
    return tuple(torch.from_numpy(array).permute(2, 0, 1) for array in (picture, shares))  # type: ignore[return-value]


def _covered(rgb: Floats, strip: Strip, sample: Sample, rng: Generator) -> tuple[Floats, Floats]:
    """Hair or a hand laid over the strip, and where it does not lie, (h, w) 0..1."""
    lay = occluders.strands if rng.random() < 0.5 else occluders.hand
    shown, labels = lay(sample.rgb.astype(np.float32), sample.labels, sample.points, rng)
    number = NUMBER["hair" if lay is occluders.strands else "occluder"]
    mask = ((labels == number) & (labels != sample.labels)).astype(np.uint8) * 255
    bilinear = Image.Resampling.BILINEAR
    area = _laid(mask, strip.head, bilinear).astype(np.float32) / 255
    colour = _laid(shown.clip(0, 255).astype(np.uint8), strip.head, bilinear)
    return rgb + area[..., None] * (colour - rgb), 1 - area


def _viewed(rgb: Floats, shares: Floats, rng: Generator) -> tuple[Floats, NDArray[np.uint8]]:
    """Turned, scaled, shifted and mirrored, at the size that the net sees."""
    h, w = rgb.shape[:2]
    width, height = STRIP_WIDTH, STRIP_HEIGHT
    scale = _SIDE / _WIDER / width * np.exp(rng.uniform(-0.22, 0.22))
    angle = np.deg2rad(rng.normal(0, 5))
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    a, b, d, e = c * (1 + rng.normal(0, 0.05)), -s, s, c
    if rng.random() < 0.5:
        a, d = -a, -d
    x, y = (w / 2, h / 2) + rng.normal(0, 0.07, 2) * EYES
    matrix = (a, b, x - (a * width + b * height) / 2, d, e, y - (d * width + e * height) / 2)

    def seen(array: Floats) -> NDArray[np.uint8]:
        image = Image.fromarray(array.clip(0, 255).astype(np.uint8))
        return np.array(image.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))

    return seen(rgb).astype(np.float32), seen(255 * shares)


def _small(picture: Floats, rng: Generator) -> Floats:
    if rng.random() >= _SMALL:
        return picture
    share = np.exp(rng.uniform(np.log(_SMALLEST), 0))
    image, size = Image.fromarray(picture.astype(np.uint8)), (STRIP_WIDTH, STRIP_HEIGHT)
    small = image.resize((round(size[0] * share), round(size[1] * share)), Image.Resampling.BOX)
    return np.asarray(small.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)
