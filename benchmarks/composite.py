"""Part Composite at 512 pixels beside cv2.seamlessClone: time, and what happens when nothing should change.

    python benchmarks/composite.py --photo PORTRAIT --references PORTRAIT PORTRAIT PORTRAIT

Needs opencv-python. Part Composite takes three parts from three references. The clone pastes three pieces of the same
size that are already warped and toned, so it does less. Times are those of one core's work, so that what else runs on
the machine hardly changes them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
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
from face_part_fusion.fusion.composite import COMPOSITE_PARTS, COVERS, PartReference, composite  # noqa: E402
from face_part_fusion.fusion.crop import crop_faces, paste_back  # noqa: E402

PARTS = ("eyes", "nose", "mouth")


def face_at_512(path: Path, detector: BuiltinDetector) -> FaceParts:
    picture = load_photo(path)
    return crop_faces(choose(picture, find_faces(picture, detector)), 512, "upright", 0.5)[1]


def seconds(work: Callable[[], object], runs: int = 15) -> float:
    """Median of several runs after warm-up, in seconds of a core."""
    for _ in range(3):
        work()
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def clones(target: FaceParts) -> Callable[[], object]:
    """Three seamlessClone calls on the windows in which the parts lie."""
    pixels = (target.pictures[0].numpy() * 255).astype(np.uint8)
    face, jobs = target.faces[0][0], []
    for part in PARTS:
        x0, y0, x1, y1 = (int(v) for v in face.box_of(part))
        grow = int(0.15 * (face.box[2] - face.box[0]))
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[y0 - grow : y1 + grow, x0 - grow : x1 + grow] = 255
        jobs.append((mask, ((x0 + x1) // 2, (y0 + y1) // 2)))
    return lambda: [cv2.seamlessClone(pixels, pixels, mask, at, cv2.NORMAL_CLONE) for mask, at in jobs]


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(-10 * torch.log10(((a - b) ** 2).mean().clamp_min(1e-12)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--references", type=Path, nargs=3, required=True)
    options = parser.parse_args()
    detector = BuiltinDetector()
    target, *people = (face_at_512(path, detector) for path in (options.photo, *options.references))
    references = [PartReference(person, {part: 1.0}) for person, part in zip(people, PARTS, strict=True)]
    theirs = seconds(clones(target))
    print(f"three seamlessClone calls: {theirs * 1e3:.1f} ms")
    for covers in COVERS:
        mine = seconds(partial(composite, target, references, covers=covers))
        print(f"three parts at 512, covers at {covers}: {mine * 1e3:.1f} ms, {mine / theirs:.1f}x")
    itself = [PartReference(target, dict.fromkeys(COMPOSITE_PARTS, 1.0))]
    fused, mask, _ = composite(target, itself)
    outside = bool((fused == target.pictures)[mask == 0].all())
    inside = psnr(fused[mask > 0], target.pictures[mask > 0])
    print(f"every part from the target itself: {inside:.1f} dB inside, bit-exact outside: {outside}")
    crops, _, crop = crop_faces(target, 512)
    back, _ = paste_back(crops, crop)
    print(f"crop and paste with an empty edit: bit-exact {bool((back == target.pictures).all())}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with torch.inference_mode():
        main()
