"""Spectacles of many kinds drawn over a face, in the three dimensions of its mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from .labels import Floats, floats

# Drawn this many times larger and then reduced, since wires are about a pixel wide.
_OVER = 4
Colour = NDArray[np.float32]
_METALS = ((190, 190, 195), (205, 170, 100), (150, 110, 70), (85, 85, 92), (40, 40, 44), (120, 95, 60), (225, 225, 228))
_PLASTICS = ((22, 20, 22), (22, 20, 22), (35, 30, 30), (80, 45, 22), (60, 30, 18), (25, 32, 60), (110, 20, 28),
             (95, 95, 100), (150, 110, 70), (215, 210, 205))  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """Lengths in distances between the eyes (about 63 mm).

    `rim`: "full", "upper" or "none". `thick`: of the upper rim; `under`: of the lower one. `roundness`: exponent of the
    superellipse, 2 is an ellipse.
    """

    rim: str
    metal: bool
    thick: float
    under: float
    width: float
    height: float
    bridge: float
    roundness: float
    taper: float
    lift: float
    colour: Colour
    opacity: float


def random_kind(rng: Generator) -> Kind:
    metal = bool(rng.random() < 0.65)
    rim = str(rng.choice(["full", "upper", "none"], p=[0.5, 0.25, 0.25] if metal else [0.88, 0.12, 0.0]))
    thick = rng.uniform(0.012, 0.034) if metal else rng.uniform(0.035, 0.11)
    under = thick * rng.uniform(0.5, 1.0) if rim == "full" else 0.008
    palette = _METALS if metal else _PLASTICS
    colour = floats(palette[rng.integers(len(palette))]) * rng.uniform(0.75, 1.15)
    height = rng.uniform(0.36, 0.56) if rng.random() < 0.6 else rng.uniform(0.5, 0.78)
    return Kind(
        rim=rim,
        metal=metal,
        thick=thick,
        under=under,
        width=max(rng.uniform(0.68, 0.92), height),
        height=height,
        bridge=rng.uniform(0.2, 0.36),
        roundness=rng.uniform(2.0, 5.5),
        taper=rng.uniform(-0.02, 0.16),
        lift=rng.uniform(0, 0.08) * (rng.random() < 0.4),
        colour=colour.clip(0, 255),
        opacity=0.45 if rng.random() < 0.05 else 1.0,
    )


class Placed:
    """The head's own axes: x to its right in the picture, y down, z away from the viewer; origin between the eyes."""

    def __init__(self, points: Floats) -> None:
        left, right = points[[33, 133]].mean(0), points[[362, 263]].mean(0)
        self.middle, across = (left + right) / 2, right - left
        self.unit = float(np.linalg.norm(across))
        down = points[[61, 291]].mean(0) - self.middle
        x = across / self.unit
        y = down - (down @ x) * x
        y /= np.linalg.norm(y)
        z = np.cross(x, y)
        self.axes = np.stack([x, y, z if z[2] > 0 else -z])

    def __call__(self, spots: Floats) -> Floats:
        """(N, 3) in distances between the eyes -> (N, 2) pixels."""
        return (self.middle + self.unit * (spots @ self.axes))[:, :2]


def draw(rgb: Floats, points: Floats, skin: NDArray[np.bool_], rng: Generator) -> tuple[Floats, Floats, Floats]:
    """Spectacles on a picture.

    `rgb`: (h, w, 3) 0..255. `points`: (478, 3), the mesh. `skin`: (h, w), where shadows fall and temples are seen.
    Returns the picture and how much of each pixel is frame and lens, (h, w) 0..1 each.
    """
    kind, head = random_kind(rng), Placed(points)
    depth, y0 = rng.uniform(-0.3, -0.18), rng.uniform(-0.02, 0.14)
    rings = [_lens(kind, side, depth, y0) for side in (-1, 1)]
    flat = [head(ring) for ring in rings]
    everything = np.concatenate(flat)
    pad = 0.75 * head.unit
    x0, top = (int(max(value, 0)) for value in everything.min(0) - pad)
    x1, y1 = (int(min(*pair)) for pair in zip(everything.max(0) + pad, rgb.shape[1::-1], strict=True))
    if x1 - x0 < 8 or y1 - top < 8:
        return rgb, np.zeros(rgb.shape[:2], np.float32), np.zeros(rgb.shape[:2], np.float32)
    view = _View((x0, top, x1, y1), head)
    lenses = [view.filled(ring) for ring in rings]
    lens = np.maximum(*lenses)
    frame = _frame(view, kind, rings, depth, skin[top:y1, x0:x1], rng)
    patch = rgb[top:y1, x0:x1].copy()
    patch = _refracted(patch, lenses, flat, (x0, top), rng)
    patch = _shadowed(patch, frame, lens, skin[top:y1, x0:x1], head.unit, rng)
    patch = _tinted(patch, lenses, head.unit, rng)
    light = float(np.clip(patch[skin[top:y1, x0:x1]].mean() / 150, 0.35, 1.25)) if skin[top:y1, x0:x1].any() else 1.0
    patch = _painted(patch, frame, kind, light, head.unit, rng)
    if kind.rim != "full":
        edge = view.strokes([(np.concatenate((ring, ring[:1])), 0.012) for ring in rings])
        strength = rng.uniform(0.08, 0.5)
        patch += (edge * strength)[..., None] * (rng.choice([30.0, 250.0]) * light - patch)
    out, whole_frame, whole_lens = rgb.copy(), np.zeros(rgb.shape[:2], np.float32), np.zeros(rgb.shape[:2], np.float32)
    out[top:y1, x0:x1] = patch.clip(0, 255)
    whole_frame[top:y1, x0:x1], whole_lens[top:y1, x0:x1] = frame, lens
    return out, whole_frame, whole_lens


def _lens(kind: Kind, side: int, depth: float, y0: float) -> Floats:
    """The outline (64, 3) of one lens; the outer upper corner is lifted as on cat eyes, the lower part tapered."""
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    power = 2 / kind.roundness
    x, y = (np.sign(f) * np.abs(f) ** power for f in (np.cos(t), np.sin(t)))
    outward = x * side
    y = y * kind.height / 2 - kind.lift * (outward > 0) * outward**2 * (y < 0.3)
    x = x * kind.width / 2 * (1 - kind.taper * (y / kind.height + 0.5))
    x = x + side * (kind.width + kind.bridge) / 2
    return np.stack((x, y + y0, depth + 0.08 * x**2), 1).astype(np.float32)


class _View:
    """A window of the picture, on which areas and lines of the head are drawn: each (h, w) 0..1."""

    def __init__(self, box: tuple[int, int, int, int], head: Placed) -> None:
        self.box, self.head = box, head
        self.size = (box[2] - box[0], box[3] - box[1])

    def _spots(self, spots: Floats) -> list[tuple[float, float]]:
        return [tuple(spot) for spot in ((self.head(spots) - self.box[:2]) * _OVER).tolist()]

    def _reduced(self, image: Image.Image) -> Floats:
        return np.asarray(image.reduce(_OVER), dtype=np.float32) / 255

    def _canvas(self) -> Image.Image:
        return Image.new("L", (self.size[0] * _OVER, self.size[1] * _OVER))

    def filled(self, ring: Floats) -> Floats:
        image = self._canvas()
        ImageDraw.Draw(image).polygon(self._spots(ring), fill=255)
        return self._reduced(image)

    def strokes(self, lines: list[tuple[Floats, float]]) -> Floats:
        image = self._canvas()
        pen = ImageDraw.Draw(image)
        for line, thick in lines:
            wide = max(1, round(thick * self.head.unit * _OVER))
            spots = self._spots(line)
            pen.line(spots, fill=255, width=wide, joint="curve")
        return self._reduced(image)


def _frame(
    view: _View, kind: Kind, rings: list[Floats], depth: float, skin: NDArray[np.bool_], rng: Generator
) -> Floats:
    lines: list[tuple[Floats, float]] = []
    for ring in rings:
        closed = np.concatenate((ring, ring[:2]))
        middle = ring[:, 1].mean()
        if kind.rim == "full":
            lines.append((closed, kind.under))
        if kind.rim != "none":
            # From 8 to 4 o'clock over the top: the upper half, and a little of the sides.
            upper = np.roll(ring, -30, 0)
            upper = upper[upper[:, 1] < middle + 0.12 * kind.height]
            order = np.argsort(np.arctan2(upper[:, 1] - middle, upper[:, 0] - ring[:, 0].mean()) % (2 * np.pi))
            turned = upper[order]
            gap = np.argmax(np.linalg.norm(np.diff(turned[:, :2], axis=0), axis=1))
            lines.append((np.roll(turned, -(gap + 1), 0) if np.linalg.norm(
                turned[gap + 1, :2] - turned[gap, :2]) > 0.3 * kind.width else turned, kind.thick))  # fmt: skip
    left, right = rings
    inner = left[left[:, 0].argmax()], right[right[:, 0].argmin()]
    high = -rng.uniform(0.05, 0.3) * kind.height
    t = np.linspace(0, 1, 12, dtype=np.float32)[:, None]
    bridge = (1 - t) * inner[0] + t * inner[1]
    arch = rng.uniform(0.02, 0.1)
    bridge[:, 1] = left[:, 1].mean() + high - arch * np.sin(np.pi * t[:, 0])
    bridge[:, 2] -= 0.05 * np.sin(np.pi * t[:, 0])
    across = kind.thick * (rng.uniform(0.8, 1.3) if kind.metal else rng.uniform(0.7, 1.6))
    lines.append((bridge, across))
    if kind.metal and rng.random() < 0.12:
        lines.append((bridge + floats([0, -0.16 * kind.height, 0]), across))
    if kind.metal and rng.random() < 0.7:
        for side, edge in zip((1, -1), inner, strict=True):
            pad = edge + floats([[0, 0.02, 0], [side * 0.05, 0.1, 0.05], [side * 0.03, 0.19, 0.1]])
            lines.append((pad, 0.014))
    frame = view.strokes(lines)
    temples = _temples(view, kind, rings, depth, rng)
    return np.maximum(frame, temples * skin)


def _temples(view: _View, kind: Kind, rings: list[Floats], depth: float, rng: Generator) -> Floats:
    """The hinges and what is seen of the arms; an arm that runs behind the face is not drawn."""
    lines: list[tuple[Floats, float]] = []
    high = -rng.uniform(0.1, 0.38) * kind.height
    back, wide, drop = rng.uniform(1.1, 1.5), rng.uniform(1.08, 1.22), rng.uniform(-0.06, 0.08)
    thick = kind.thick * rng.uniform(0.9, 1.7)
    for side, ring in zip((-1, 1), rings, strict=True):
        edge = ring[(ring[:, 0] * side).argmax()].copy()
        edge[1] = ring[:, 1].mean() + high
        hinge = edge + floats([side * 0.05, 0, 0.06])
        end = floats([side * max(wide, abs(hinge[0]) + 0.02), edge[1] + drop, back])
        lines.append((np.stack((edge, hinge)), thick * 1.2))
        start, stop = view.head(np.stack((hinge, end)))
        if (stop - start) @ view.head.axes[0, :2] * side > 0:
            lines.append((np.stack((hinge, (hinge + end) / 2, end)), thick))
    return view.strokes(lines)


def _refracted(
    patch: Floats, lenses: list[Floats], flat: list[Floats], corner: tuple[int, int], rng: Generator
) -> Floats:
    if rng.random() < 0.4:
        return patch
    scale = rng.uniform(0.93, 1.05)
    image = Image.fromarray(patch.astype(np.uint8))
    for lens, ring in zip(lenses, flat, strict=True):
        cx, cy = ring.mean(0) - corner
        moved = image.transform(
            image.size, Image.Transform.AFFINE, (1 / scale, 0, cx - cx / scale, 0, 1 / scale, cy - cy / scale),
            Image.Resampling.BILINEAR,
        )  # fmt: skip
        patch = patch + lens[..., None] * (np.asarray(moved, dtype=np.float32) - patch)
    return patch


def _shadowed(
    patch: Floats, frame: Floats, lens: Floats, skin: NDArray[np.bool_], unit: float, rng: Generator
) -> Floats:
    dx, dy = round(rng.uniform(-0.06, 0.06) * unit), round(rng.uniform(0.01, 0.12) * unit)
    moved = np.roll(frame, (dy, dx), (0, 1)) + rng.uniform(0, 0.25) * np.roll(lens, (dy, dx), (0, 1))
    shade = blurred(moved, rng.uniform(0.008, 0.05) * unit) * skin * rng.uniform(0, 0.5)
    return patch * (1 - shade.clip(0, 0.8))[..., None]


def _tinted(patch: Floats, lenses: list[Floats], unit: float, rng: Generator) -> Floats:
    """Tint, and reflections at the same place of both lenses."""
    h, w = patch.shape[:2]
    lens = np.maximum(*lenses)
    ys = np.mgrid[:h, :w][0].astype(np.float32)
    chance = rng.random()
    if chance < 0.25:
        dark = chance < 0.12
        alpha = rng.uniform(0.6, 0.97) if dark else rng.uniform(0.05, 0.3)
        rows = np.where(lens.max(1) > 0.5)[0]
        if len(rows) and rng.random() < 0.5:
            alpha = alpha * (1 - rng.uniform(0.2, 0.7) * ((ys - rows[0]) / max(len(rows), 1)).clip(0, 1))
        tint = floats(rng.uniform(5, 70, 3)) if dark else floats(rng.uniform(60, 255, 3))
        patch = patch + (alpha * lens)[..., None] * (tint - patch)
    for lens_area in lenses:
        patch = patch * (1 - lens_area * (1 - rng.uniform(0.88, 1.04)))[..., None]
    if rng.random() < 0.5:
        tone = floats([255, 255, 255]) if rng.random() < 0.7 else floats(rng.uniform(120, 255, 3))
        for _ in range(rng.integers(1, 4)):
            tall, wide = rng.uniform(0.03, 0.5, 2) * unit
            angle, offset = rng.uniform(0, 180), rng.uniform(-0.32, 0.32, 2) * unit
            alpha, soft = rng.uniform(0.12, 0.9), rng.uniform(0.005, 0.08) * unit
            glare = np.zeros((h, w), np.float32)
            for area in lenses:
                if area.max() < 0.5 or rng.random() < 0.2:
                    continue
                cy, cx = (float(v.mean()) for v in np.nonzero(area > 0.5))
                glare = np.maximum(glare, area * _blob((h, w), (cx + offset[0], cy + offset[1]), (wide, tall), angle,
                                                       bool(rng.random() < 0.5)))  # fmt: skip
            glare = blurred(glare, soft) * lens
            patch = patch + (alpha * glare)[..., None] * (tone - patch)
    return patch


def _blob(
    shape: tuple[int, int], centre: tuple[float, float], size: tuple[float, float], angle: float, round_: bool
) -> Floats:
    image = Image.new("L", (shape[1], shape[0]))
    pen = ImageDraw.Draw(image)
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False) if round_ else floats([0.78, 2.36, 3.93, 5.5])
    x, y = np.cos(t) * size[0] / 2, np.sin(t) * size[1] / 2
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    spots = [(float(centre[0] + c * a - s * b), float(centre[1] + s * a + c * b)) for a, b in zip(x, y, strict=True)]
    pen.polygon(spots, fill=255)
    return np.asarray(image, dtype=np.float32) / 255


def _painted(patch: Floats, frame: Floats, kind: Kind, light: float, unit: float, rng: Generator) -> Floats:
    h, w = frame.shape
    noise = smooth_noise((h, w), max(3, int(rng.uniform(0.05, 0.4) * unit)), rng)
    if kind.metal:
        gain = 1 + rng.uniform(0.1, 0.8) * noise
    else:
        gain = 1 + (rng.uniform(0.3, 0.9) if rng.random() < 0.25 else 0.1) * noise
    colour = kind.colour * light * gain[..., None]
    edge = frame - np.roll(frame, 1, 0)
    shine = rng.uniform(0, 0.9 if kind.metal else 0.35)
    colour = colour + (edge.clip(0, 1) * shine * (0.5 + noise).clip(0, 1))[..., None] * (255 * light - colour)
    return patch + (frame * kind.opacity)[..., None] * (colour.clip(0, 255) - patch)


def blurred(area: Floats, radius: float) -> Floats:
    """(h, w) 0..1, blurred by a Gaussian of `radius` pixels."""
    image = Image.fromarray((area.clip(0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / 255


def smooth_noise(shape: tuple[int, int], cell: int, rng: Generator) -> Floats:
    """(h, w) in -1..1, smooth over `cell` pixels."""
    h, w = shape
    grid = rng.uniform(-1, 1, (h // cell + 2, w // cell + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((w, h), Image.Resampling.BICUBIC)).clip(-1, 1)
