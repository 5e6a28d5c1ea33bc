"""Training samples without end: a labelled portrait, something drawn over it, another view, light and camera."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image, ImageFilter
from torch import Tensor

from ...detectors.parser_net import PARSER_SIZE
from . import occluders, spectacles
from .labels import SIDE, UNSURE, WIDTH, Floats, Sample, floats
from .occluders import NUMBER, Labels
from .stream import Endless

# A pixel is frame where this much of it is covered: thin wires cover less than half of theirs.
_COVERED = 0.3


def load(folder: Path) -> dict[str, Sample]:
    return {path.stem: Sample(**np.load(path)) for path in sorted(folder.glob("*.npz"))}


class Samples(Endless):
    """Pairs of a picture (3, 256, 256) uint8 and its labels (256, 256) uint8, the same sequence for the same seed."""

    def __init__(self, portraits: dict[str, Sample], wearers: set[str], seed: int) -> None:
        super().__init__(list(portraits), seed)
        self.portraits, self.wearers = portraits, wearers

    def one(self, number: int, rng: Generator) -> tuple[Tensor, Tensor]:
        other = self.portraits[self.names[rng.integers(len(self.names))]].rgb
        name = self.names[number]
        return one(self.portraits[name], name in self.wearers, other, rng)


def one(sample: Sample, wearer: bool, other: np.ndarray, rng: Generator) -> tuple[Tensor, Tensor]:
    rgb, labels, points = sample.rgb.astype(np.float32), sample.labels.copy(), sample.points
    frame = lens = np.zeros(labels.shape, np.float32)
    if rng.random() < 0.35:
        rgb, labels = occluders.background(rgb, labels, other.astype(np.float32), rng)
    if rng.random() < 0.35:
        rgb, labels = occluders.clothes(rgb, labels, rng)
    if rng.random() < 0.13:
        rgb, labels = occluders.hat(rgb, labels, points, rng)
    chance = rng.random()
    if chance < 0.1:
        rgb, labels = occluders.medical_mask(rgb, labels, points, rng)
    if not wearer and rng.random() < 0.55:
        skin = np.isin(labels, [NUMBER["face"], NUMBER["ears"], NUMBER["hair"]])
        rgb, frame, lens = spectacles.draw(rgb, points, skin, rng)
    if 0.1 < chance < 0.2:
        rgb, labels = occluders.strands(rgb, labels, points, rng)
        frame, lens = (area * (labels != NUMBER["hair"]) for area in (frame, lens))
    if 0.2 < chance < 0.45:
        before = labels
        if chance < 0.32:
            rgb, labels = occluders.hand(rgb, labels, points, rng)
        else:
            rgb, labels = occluders.thing(rgb, labels, points, other.astype(np.float32), rng)
        frame, lens = (area * (labels == before) for area in (frame, lens))
    picture, labels = viewed(rgb, labels, frame, lens, rng)
    return torch.from_numpy(photographed(picture, rng)).permute(2, 0, 1), torch.from_numpy(labels)


def viewed(rgb: Floats, labels: Labels, frame: Floats, lens: Floats, rng: Generator) -> tuple[Floats, Labels]:
    """Turned, scaled, shifted and mirrored, at the parser's size."""
    size = 2 * PARSER_SIZE
    # The parser's crops are 1.4 to 2 of CelebA-HQ's square; what lies beyond the stored one repeats its edge.
    side = SIDE / WIDTH * np.exp(rng.uniform(np.log(1.05), np.log(2.2)))
    angle = np.deg2rad(rng.normal(0, 12))
    c, s = np.cos(angle) * side / size, np.sin(angle) * side / size
    stretch = 1 + rng.normal(0, 0.06)
    middle = SIDE / 2 + rng.normal(0, 0.05, 2) * SIDE / WIDTH
    flip = -1 if rng.random() < 0.5 else 1
    a, b, d, e = flip * c * stretch, -s, flip * s * stretch, c
    edge = SIDE // 2
    matrix = (a, b, middle[0] + edge - (a + b) * size / 2, d, e, middle[1] + edge - (d + e) * size / 2)

    def seen(array: np.ndarray, mode: str, way: Image.Resampling) -> np.ndarray:
        padded = np.pad(array, ((edge, edge), (edge, edge), (0, 0))[: array.ndim], mode=mode)  # type: ignore[call-overload]
        return np.asarray(Image.fromarray(padded).transform((size, size), Image.Transform.AFFINE, matrix, way))

    bilinear = Image.Resampling.BILINEAR
    picture = np.asarray(Image.fromarray(seen(rgb.clip(0, 255).astype(np.uint8), "edge", bilinear)).reduce(2))
    known = np.where(np.isin(labels, [NUMBER["background"], NUMBER["body"]]), labels, UNSURE)
    padded = np.pad(known, edge, mode="edge")
    padded[edge : edge + SIDE, edge : edge + SIDE] = labels
    shown = np.asarray(
        Image.fromarray(padded).transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)
    )[1::2, 1::2].copy()
    if lens.any() or frame.any():
        for area, name, least in ((lens, "lens", 0.5), (frame, "frame", _COVERED)):
            covered = Image.fromarray((area * 255).astype(np.uint8))
            laid = np.asarray(Image.fromarray(seen(np.asarray(covered), "constant", bilinear)).reduce(2))
            shown[laid > least * 255] = NUMBER[name]
    return picture.astype(np.float32), shown


def photographed(picture: Floats, rng: Generator) -> np.ndarray:
    """Light, colour, blur, noise and compression: (h, w, 3) 0..255 -> uint8."""
    x = (picture / 255).clip(0, 1)
    if rng.random() < 0.6:
        x = x ** np.exp(rng.normal(0, 0.3))
        x = ((x - 0.5) * np.exp(rng.normal(0, 0.15)) + 0.5) * np.exp(rng.normal(-0.03, 0.18))
        x = x * np.exp(rng.normal(0, 0.08, 3))
    if rng.random() < 0.25:
        h, w = x.shape[:2]
        x = x * (1 + rng.uniform(0.1, 0.6) * spectacles.smooth_noise((h, w), 180, rng))[..., None]
    if rng.random() < 0.12:
        x = x * rng.uniform(0.15, 0.5)
    if rng.random() < 0.17:
        x = np.repeat((x @ floats([0.3, 0.59, 0.11]))[..., None], 3, 2)
        if rng.random() < 0.3:
            x = x * rng.uniform(0.8, 1.1, 3)
    image = Image.fromarray((x.clip(0, 1) * 255).astype(np.uint8))
    chance = rng.random()
    if chance < 0.12:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.8)))
    elif chance < 0.25:
        share = rng.uniform(0.3, 0.9)
        small = int(image.width * share), int(image.height * share)
        image = image.resize(small, Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BICUBIC)
    elif chance < 0.35:
        image = image.filter(ImageFilter.UnsharpMask(1.5, int(rng.uniform(40, 160)), 0))
    if rng.random() < 0.25:
        noise = rng.normal(0, rng.uniform(2, 14), x.shape)
        image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    if rng.random() < 0.35:
        held = io.BytesIO()
        image.save(held, "JPEG", quality=int(rng.integers(25, 92)))
        image = Image.open(held).convert("RGB")
    return np.array(image)
