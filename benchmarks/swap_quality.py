"""Whose part it is, how steep its edge is and how well its tone fits: Part Composite beside a plain seamless clone.

    python benchmarks/swap_quality.py --photos PHOTOS [--pairs 60] [--keep FOLDER]

Pairs of portraits in the folder PHOTOS are drawn at random (fixed seed); both sides swap the same parts with the same
landmarks. Needs opencv-python. Columns, per part:
  identity   share of pairs in which the part's histogram of gradient orientations (64x64, without tone) is nearer to
             that of the reference's part, laid over the target, than to that of the target's own
  likeness   median cosine of that histogram to the reference's
  seam       mean gradient along the mask's edge, result / target (median)
  tone       Lab distance between the rings inside and outside the edge, result - target (median)
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from pack import load_pack

load_pack()
from face_part_fusion.command.photo import load_photo  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.detectors.selection import choose  # noqa: E402
from face_part_fusion.fusion.composite import PartReference, composite  # noqa: E402
from face_part_fusion.fusion.correspondence import part_indices  # noqa: E402
from face_part_fusion.fusion.outline import outlines  # noqa: E402

PARTS = ("eyes", "nose", "mouth")
LONGEST = 768


@dataclass
class Portrait:
    """`pixels` (H, W, 3) uint8 BGR as opencv has them; `parts` the same picture with its one face."""

    name: str
    pixels: np.ndarray
    parts: FaceParts

    def points(self, part: str) -> np.ndarray:
        face = self.parts.faces[0][0]
        return face.landmarks[part_indices(face.scheme, part)].numpy()

    def hulls(self, part: str) -> list[np.ndarray]:
        return [ring.numpy() for ring in outlines(self.parts.faces[0][0], part)]


def load_portraits(folder: Path) -> list[Portrait]:
    """Every picture in the folder with exactly one face, at least 90 pixels wide and turned by 45 degrees at most."""
    detector, portraits = BuiltinDetector(), []
    for path in sorted(folder.iterdir()):
        picture = load_photo(path)
        scale = LONGEST / max(picture.shape[1:3])
        bgr = cv2.resize((picture[0].numpy()[..., ::-1] * 255).round().astype(np.uint8), None, fx=scale, fy=scale,
                         interpolation=cv2.INTER_AREA)  # fmt: skip
        tensor = torch.from_numpy(bgr[..., ::-1].copy()).float()[None] / 255
        faces = find_faces(tensor, detector)
        if len(faces[0]) == 1 and faces[0][0].box[2] - faces[0][0].box[0] >= 90 and abs(faces[0][0].angles[0]) <= 45:
            portraits.append(Portrait(path.name, bgr, choose(tensor, faces)))
    return portraits


def ours(target: Portrait, reference: Portrait, part: str) -> np.ndarray:
    fused, _, _ = composite(target.parts, [PartReference(reference.parts, {part: 1.0})])
    return (fused[0].numpy()[..., ::-1] * 255).round().astype(np.uint8).copy()


def seamless_clone(target: Portrait, reference: Portrait, part: str) -> np.ndarray:
    """A similarity by the part's landmarks, then cv2.seamlessClone inside the grown hull of both outlines."""
    matrix = lay(reference, target, part)
    warped = cv2.warpAffine(reference.pixels, matrix, target.pixels.shape[1::-1])
    mask = np.zeros(target.pixels.shape[:2], np.uint8)
    for ring in target.hulls(part) + [r @ matrix[:, :2].T + matrix[:, 2] for r in reference.hulls(part)]:
        cv2.fillConvexPoly(mask, ring.astype(np.int32), 255)
    eyes = target.points("eyes")
    grow = int(0.18 * np.ptp(eyes[:, 0])) | 1
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow)))
    out, (count, labels) = target.pixels, cv2.connectedComponents(mask)
    for i in range(1, count):
        one = np.where(labels == i, 255, 0).astype(np.uint8)
        x, y, w, h = cv2.boundingRect(one)
        out = cv2.seamlessClone(warped, out, one, (x + w // 2, y + h // 2), cv2.NORMAL_CLONE)
    return out


def lay(reference: Portrait, target: Portrait, part: str) -> np.ndarray:
    return cv2.estimateAffinePartial2D(reference.points(part), target.points(part), method=cv2.LMEDS)[0]


def orientations(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Unit vector: 8x8 cells, 9 unsigned orientations, normalised over blocks of 2x2 cells."""
    low, high = points.min(0), points.max(0)
    pad = 0.12 * (high - low)
    (x0, y0), (x1, y1) = np.round(low - pad).astype(int).clip(0), np.round(high + pad).astype(int)
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)[y0:y1, x0:x1]
    grey = cv2.GaussianBlur(cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32), (0, 0), 0.7)
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    bins = ((np.degrees(np.arctan2(gy, gx)) % 180) / 20).astype(int).clip(0, 8)
    cells = np.stack([(np.hypot(gx, gy) * (bins == b)).reshape(8, 8, 8, 8).sum((1, 3)) for b in range(9)], -1)
    blocks = [cells[i : i + 2, j : j + 2].ravel() for i in range(7) for j in range(7)]
    vector = np.concatenate([b / (np.linalg.norm(b) + 1e-3) for b in blocks])
    return vector / (np.linalg.norm(vector) + 1e-9)


def seam_and_tone(out: np.ndarray, before: np.ndarray) -> tuple[float, float] | None:
    changed = (np.abs(out.astype(int) - before).max(2) > 2).astype(np.uint8) * 255
    mask = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    if not mask.any():
        return None
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    inside, outside = mask & ~cv2.erode(mask, kernel), cv2.dilate(mask, kernel) & ~mask
    steep = [_gradient(picture)[edge].mean() for picture in (out, before)]
    lab = [cv2.cvtColor(picture, cv2.COLOR_BGR2LAB).astype(np.float32) for picture in (out, before)]
    step = [np.linalg.norm(picture[inside > 0].mean(0) - picture[outside > 0].mean(0)) for picture in lab]
    return steep[0] / max(1e-6, steep[1]), float(step[0] - step[1])


def _gradient(pixels: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def judge(name: str, swap: Callable, portraits: list[Portrait], pairs: int, keep: Path | None) -> None:
    for part in PARTS:
        chance, nearer, likeness, edges = random.Random(7), 0, [], []
        for number in range(pairs):
            target, reference = chance.sample(portraits, 2)
            out = swap(target, reference, part)
            laid = cv2.warpAffine(reference.pixels, lay(reference, target, part), target.pixels.shape[1::-1])
            points = target.points(part)
            result, reference_part, own = (orientations(p, points) for p in (out, laid, target.pixels))
            nearer += bool(result @ reference_part > result @ own)
            likeness.append(result @ reference_part)
            edges.append(seam_and_tone(out, target.pixels))
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(keep / f"{name}-{part}-{number:02d}.png"), out)
        seam, tone = np.median([e for e in edges if e is not None], 0)
        alike = np.median(likeness)
        print(f"| {name} | {part} | {nearer / pairs:.0%} | {alike:.3f} | {seam:.2f} | {tone:+.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    portraits = load_portraits(options.photos)
    print(f"{len(portraits)} portraits, {options.pairs} pairs per part\n")
    print("| swapper | part | identity | likeness | seam | tone |\n|---|---|---|---|---|---|")
    judge("seamlessClone", seamless_clone, portraits, options.pairs, options.keep)
    judge("PartComposite", ours, portraits, options.pairs, options.keep)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
