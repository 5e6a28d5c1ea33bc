"""What else is drawn over a portrait: hands, medical masks, microphones, things, strands of hair, hats, backgrounds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ...detectors.parser_net import CLASSES
from .labels import EYES, SIDE, UNSURE, Floats, floats
from .spectacles import blurred, smooth_noise

Labels = NDArray[np.uint8]
NUMBER = {name: i for i, name in enumerate(CLASSES)}
_MASK_RING = (6, 122, 117, 123, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361,
              323, 352, 346, 351)  # fmt: skip


def lay(rgb: Floats, labels: Labels, area: Floats, colour: Floats, name: str) -> tuple[Floats, Labels]:
    """`colour` (h, w, 3) or (3,) laid over the picture where `area` (h, w) 0..1 is, with the class `name` there."""
    shown = rgb + area[..., None] * (colour - rgb)
    return shown, np.where(area > 0.5, NUMBER[name], labels).astype(np.uint8)


def hand(rgb: Floats, labels: Labels, points: Floats, rng: Generator) -> tuple[Floats, Labels]:
    """A few fingers and a palm in the person's own colour, reaching onto the face from a side or from below."""
    face = labels == NUMBER["face"]
    if face.sum() < 500:
        return rgb, labels
    tone = np.median(rgb[face], 0) * rng.uniform(0.75, 1.15)
    target = points[rng.integers(0, 468), :2] + rng.normal(0, 0.2, 2) * EYES
    angle = rng.uniform(-0.2, np.pi + 0.2)
    along = floats([np.cos(angle), np.sin(angle)])
    across = floats([-along[1], along[0]])
    wide, long = rng.uniform(0.24, 0.36) * EYES, rng.uniform(0.8, 1.7) * EYES
    spread, fingers = rng.uniform(-0.12, 0.22), int(rng.integers(1, 5))
    shade = np.zeros(labels.shape, np.float32)
    area = np.zeros(labels.shape, np.float32)
    for i in range(fingers):
        off = i - (fingers - 1) / 2
        tip = target + across * off * wide * 1.02 - along * rng.uniform(0, 0.3) * EYES
        root = tip + along * long + across * off * spread * long * -1
        bend = (tip + root) / 2 + across * rng.normal(0, 0.05) * EYES
        finger = _stroke([tip, bend, root], wide, labels.shape)
        inner = _stroke([tip, bend, root], wide * 0.45, labels.shape)
        core = blurred(inner, wide * 0.22)
        shade = np.where(finger > 0.5, core, shade)
        area = np.maximum(area, finger)
    palm = target + along * (long + 0.5 * EYES)
    size = (fingers * wide * 1.1 + 0.3 * EYES, 1.6 * EYES)
    hull = _ellipse(palm, size, np.rad2deg(angle) - 90, labels.shape)
    shade = np.where((hull > 0.5) & (area < 0.5), 0.8, shade)
    area = blurred(np.maximum(area, hull), 0.8)
    noise = smooth_noise(labels.shape, 30, rng) * 0.12 + smooth_noise(labels.shape, 5, rng) * 0.04
    colour = tone * (0.62 + 0.42 * shade + noise)[..., None]
    fall = blurred(area, 0.08 * EYES) * (1 - area) * rng.uniform(0, 0.4)
    return lay(rgb * (1 - fall)[..., None], labels, area, colour, "occluder")


def medical_mask(rgb: Floats, labels: Labels, points: Floats, rng: Generator) -> tuple[Floats, Labels]:
    ring = points[list(_MASK_RING), :2].copy()
    middle = ring.mean(0)
    ring = middle + (ring - middle) * rng.uniform(0.96, 1.12)
    ring[:, 1] += rng.uniform(-0.02, 0.2) * EYES
    area = blurred(_polygon(ring, labels.shape), 0.8)
    tone = floats([(235, 238, 240), (150, 190, 220), (30, 30, 34), (245, 245, 245), tuple(rng.uniform(20, 240, 3))][
        rng.integers(5)])  # fmt: skip
    ys, xs = np.mgrid[: labels.shape[0], : labels.shape[1]].astype(np.float32)
    shade = 1 - 0.25 * np.abs(xs - middle[0]) / EYES * rng.uniform(0.3, 1)
    period = rng.uniform(0.12, 0.3) * EYES
    pleats = 1 - 0.12 * (rng.random() < 0.6) * (np.sin(2 * np.pi * ys / period) > 0.8)
    light = np.clip(rgb[labels == NUMBER["face"]].mean() / 150, 0.4, 1.15) if (labels == NUMBER["face"]).any() else 1.0
    noise = 1 + 0.12 * smooth_noise(labels.shape, 40, rng)
    colour = tone * (shade * pleats * noise * light)[..., None]
    left, right = (_stroke([points[cheek, :2], points[ear, :2]], 0.03 * EYES, labels.shape)
                for cheek, ear in ((123, 127), (352, 356)))  # fmt: skip
    loops = np.maximum(left, right)
    rgb, labels = lay(rgb, labels, loops * 0.8, tone * light, "occluder")
    return lay(rgb, labels, area, colour, "occluder")


def thing(rgb: Floats, labels: Labels, points: Floats, other: Floats, rng: Generator) -> tuple[Floats, Labels]:
    """A microphone, a cup, a book, a telephone or a torn piece of another picture over the lower face or beside it."""
    at = points[rng.choice([152, 17, 58, 288, 5, 205, 425, 377]), :2] + rng.normal(0, 0.35, 2) * EYES
    size = rng.uniform(0.35, 1.3, 2) * EYES
    kind = rng.random()
    if kind < 0.4:
        stick = _stroke([at, at + rng.normal((0, 3), (1.2, 0.3)) * EYES], rng.uniform(0.12, 0.35) * EYES, labels.shape)
        area = np.maximum(_ellipse(at, (size[0] * 0.6, size[0] * 0.75), rng.uniform(0, 180), labels.shape), stick)
        colour = rng.uniform(10, 90) * (1 + 0.4 * smooth_noise(labels.shape, 8, rng))[..., None] * np.ones(3)
    elif kind < 0.7:
        area = _rectangle(at, size * 1.4, rng.uniform(0, 180), labels.shape)
        colour = rng.uniform(10, 245, 3) * (1 + 0.25 * smooth_noise(labels.shape, 60, rng))[..., None]
    else:
        area = _ellipse(at, size * 1.3, rng.uniform(0, 180), labels.shape)
        colour = np.roll(other, rng.integers(0, SIDE, 2), (0, 1))
    return lay(rgb, labels, blurred(area, rng.uniform(0.6, 1.6)), floats(colour), "occluder")


def strands(rgb: Floats, labels: Labels, points: Floats, rng: Generator) -> tuple[Floats, Labels]:
    """Locks of the person's own hair hanging over forehead, eye and cheek."""
    hair = labels == NUMBER["hair"]
    if hair.sum() < 800:
        return rgb, labels
    tones = rgb[hair]
    top = points[10, :2]
    side = rng.choice([-1, 1])
    area, colour = np.zeros(labels.shape, np.float32), rgb.copy()
    for _ in range(rng.integers(4, 40)):
        start = top + floats([side * rng.uniform(-0.2, 0.9), rng.uniform(-0.5, 0.1)]) * EYES
        end = start + floats([side * rng.uniform(-0.1, 0.6), rng.uniform(0.5, 2.4)]) * EYES
        bend = (start + end) / 2 + rng.normal(0, 0.2, 2) * EYES
        lock = _stroke(_curve(start, bend, end), rng.uniform(0.015, 0.09) * EYES, labels.shape)
        colour = np.where(lock[..., None] > 0.3, tones[rng.integers(len(tones))] * rng.uniform(0.85, 1.15), colour)
        area = np.maximum(area, lock)
    return lay(rgb, labels, blurred(area, 0.6), colour, "hair")


def hat(rgb: Floats, labels: Labels, points: Floats, rng: Generator) -> tuple[Floats, Labels]:
    """Everything of the head above a line over the brows becomes cloth, sometimes with a brim."""
    ys, xs = np.mgrid[: labels.shape[0], : labels.shape[1]].astype(np.float32)
    brow = points[[105, 334], 1].mean() - rng.uniform(0.12, 0.7) * EYES
    middle = points[10, 0]
    line = brow + rng.uniform(-0.25, 0.25) * (xs - middle) ** 2 / EYES
    head = np.isin(labels, [NUMBER["hair"], NUMBER["face"]]) & (ys < line)
    if head.sum() < 800:
        return rgb, labels
    near = np.abs(xs - middle) < 2.1 * EYES
    area = (blurred((head & near).astype(np.float32), rng.uniform(0.05, 0.2) * EYES) > rng.uniform(0.15, 0.4)) & (
        ys < line + 2
    )
    tone = floats(rng.uniform(10, 240, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(10, 240)))
    cell = int(rng.choice([4, 8, 40, 90]))
    light = 1 - 0.35 * np.abs(xs - middle + rng.normal(0, 1) * EYES) / (2 * EYES)
    fold = 1 + rng.uniform(0.05, 0.35) * smooth_noise(labels.shape, cell, rng)
    colour = tone * (light * fold)[..., None]
    drawn = blurred(area.astype(np.float32), 0.8)
    if rng.random() < 0.6:
        wide = rng.uniform(0.9, 2.3) * EYES
        brim = _ellipse((middle + rng.normal(0, 0.2) * EYES, brow), (2 * wide, rng.uniform(0.15, 0.6) * EYES),
                        rng.normal(0, 5), labels.shape)  # fmt: skip
        dark = blurred(np.roll(brim, int(0.12 * EYES), 0), 0.08 * EYES) * rng.uniform(0, 0.5)
        rgb = rgb * (1 - dark * np.isin(labels, [NUMBER["face"]]))[..., None]
        colour = colour * np.where(brim > 0.5, rng.uniform(0.6, 1.1), 1)[..., None]
        drawn = np.maximum(drawn, blurred(brim, 0.8))
    return lay(rgb, labels, drawn, colour.clip(0, 255), "hat")


def clothes(rgb: Floats, labels: Labels, rng: Generator) -> tuple[Floats, Labels]:
    """Other cloth: dark, in the hair's or the skin's colour, or with stripes, checks or a print."""
    body = labels == NUMBER["body"]
    tone = floats(rng.uniform(0, 255, 3))
    near = labels == NUMBER["hair" if rng.random() < 0.6 else "face"]
    if near.any() and rng.random() < 0.5:
        tone = np.median(rgb[near], 0) * rng.uniform(0.6, 1.3)
    light = rgb.mean(-1) / max(float(rgb[body].mean()), 8.0) if body.any() else np.ones(labels.shape)
    cloth = tone * light.clip(0.5, 1.6)[..., None]
    if rng.random() < 0.6:
        ys, xs = np.mgrid[: labels.shape[0], : labels.shape[1]].astype(np.float32)
        turn, period = rng.uniform(0, np.pi), rng.uniform(0.05, 0.5) * EYES
        wave = np.sin(2 * np.pi * (np.cos(turn) * xs + np.sin(turn) * ys) / period)
        if rng.random() < 0.6:
            wave = wave * np.sin(2 * np.pi * (np.cos(turn) * ys - np.sin(turn) * xs) / period)
        if rng.random() < 0.4:
            wave = smooth_noise(labels.shape, max(2, int(period / 2)), rng) * 2
        print_ = (wave > rng.uniform(-0.3, 0.6))[..., None]
        cloth = np.where(print_, floats(rng.uniform(0, 255, 3)) * light.clip(0.5, 1.6)[..., None], cloth)
    alpha = blurred(body.astype(np.float32), 1.2) * (body | (labels == UNSURE)) * rng.uniform(0.7, 1.0)
    return rgb + alpha[..., None] * (cloth.clip(0, 255) - rgb), labels


def background(rgb: Floats, labels: Labels, other: Floats, rng: Generator) -> tuple[Floats, Labels]:
    """Another background: plain, a gradient, clutter or a portrait out of focus, sometimes as dark as the hair."""
    shape = labels.shape
    behind = labels == NUMBER["background"]
    kind = rng.random()
    hair = labels == NUMBER["hair"]
    if kind < 0.3:
        tone = floats(rng.uniform(0, 255, 3))
        if hair.any() and rng.random() < 0.5:
            tone = np.median(rgb[hair], 0) * rng.uniform(0.4, 1.3)
        new = tone * (1 + rng.uniform(0, 0.3) * smooth_noise(shape, 200, rng))[..., None]
    elif kind < 0.65:
        cells = rng.choice([6, 20, 60, 150], 3)
        planes = [rng.uniform(0, 255) + rng.uniform(10, 120) * smooth_noise(shape, int(cell), rng) for cell in cells]
        new = np.stack(planes, -1)
        image = Image.fromarray(new.clip(0, 255).astype(np.uint8))
        pen = ImageDraw.Draw(image)
        for _ in range(rng.integers(0, 12)):
            x, y = rng.uniform(-100, SIDE, 2)
            w, h = rng.exponential(90, 2)
            pen.rectangle((x, y, x + w, y + h), fill=tuple(int(v) for v in rng.uniform(0, 255, 3)))
        new = np.asarray(image, dtype=np.float32)
    else:
        image = Image.fromarray(other.astype(np.uint8)).reduce(8)
        new = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float32)
    # A pixel of the old background stays at the border, where the labels are least certain.
    alpha = blurred(behind.astype(np.float32), 1.2) * (behind | (labels == UNSURE))
    return rgb + alpha[..., None] * (new.clip(0, 255) - rgb), labels


def _curve(start: Floats, bend: Floats, end: Floats) -> list[Floats]:
    t = np.linspace(0, 1, 14)[:, None]
    return list((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end)


def _stroke(spots: list[Floats], wide: float, shape: tuple[int, ...]) -> Floats:
    image = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(image)
    line = [(float(x), float(y)) for x, y in spots]
    pen.line(line, fill=255, width=max(1, round(wide)), joint="curve")
    if wide > 4:
        for x, y in line:
            pen.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=255)
    return np.asarray(image, dtype=np.float32) / 255


def _turned(spots: Floats, at: Any, size: Any, degrees: float) -> Floats:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.asarray(at) + (spots * (np.asarray(size) / 2)) @ floats([[c, s], [-s, c]])


def _ellipse(at: Any, size: Any, degrees: float, shape: tuple[int, ...]) -> Floats:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return _polygon(_turned(np.stack((np.cos(t), np.sin(t)), 1), at, size, degrees), shape)


def _rectangle(at: Any, size: Any, degrees: float, shape: tuple[int, ...]) -> Floats:
    return _polygon(_turned(floats([(-1, -1), (1, -1), (1, 1), (-1, 1)]), at, size, degrees), shape)


def _polygon(ring: Floats, shape: tuple[int, ...]) -> Floats:
    image = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in ring], fill=255)
    return np.asarray(image, dtype=np.float32) / 255
