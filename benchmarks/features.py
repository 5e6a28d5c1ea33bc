"""From four photographs to one fused feature map, without the encoder: one target and three people who give a part.

    python benchmarks/features.py --photos TARGET EYES NOSE MOUTH [--runs 10] [--threads 2]

Every photograph is cropped to 512 x 512 before the clock starts. Timed are face detection, painting out, the part
pictures and their preprocessing, and the fusion. Averages of the cells, repeated to the 1280 channels of CLIP ViT-H/14,
stand in for the vision model; their time is measured apart and subtracted. On a busy machine wall-clock time says
little; the CPU seconds of all threads, with the stand-in, say more.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from pack import load_pack
from torch import Tensor
from torch.nn import functional

load_pack()
from face_part_fusion.command.photo import load_photo  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.selection import choose  # noqa: E402
from face_part_fusion.fusion.features.encode import Encoder, Framing, encode_reference, encode_target  # noqa: E402
from face_part_fusion.fusion.features.fuse import fuse_features  # noqa: E402

SIZE, BAR = 512, 0.5
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PARTS = ("eyes", "nose", "mouth")


class StandIn:
    """Stands in for the vision model, and measures its own time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, pixels: Tensor) -> Tensor:
        start = time.perf_counter()
        cells = functional.avg_pool2d(pixels, 14).flatten(2).transpose(1, 2)
        tokens = torch.cat([cells.mean(1, keepdim=True), cells], 1).repeat(1, 1, 427)[..., :1280].contiguous()
        self.seconds += time.perf_counter() - start
        return tokens


def square(path: Path) -> Tensor:
    picture = load_photo(path).permute(0, 3, 1, 2)
    height, width = picture.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = picture[..., top : top + side, left : left + side]
    return functional.interpolate(cut, (SIZE, SIZE), mode="bicubic", antialias=True).clamp(0, 1).permute(0, 2, 3, 1)


def seconds(pictures: list[Tensor], detector: BuiltinDetector, mode: str) -> tuple[float, float, float]:
    """Seconds for detection, for encoding without the vision model, and for fusion, of one run that starts cold."""
    vision = StandIn()
    # A new encoder each time, so that nothing is cached from the run before.
    encoder = Encoder("stand-in", 224, (16, 16), 1, 1280, MEAN, STD, vision)
    framing = Framing(mode)
    start = time.perf_counter()
    people = [choose(picture, find_faces(picture, detector)) for picture in pictures]
    detected = time.perf_counter()
    target, _ = encode_target(people[0], encoder, dict.fromkeys(PARTS, 1.0), framing)
    references = [
        encode_reference(person, encoder, {part: 1.0}, framing)[0]
        for person, part in zip(people[1:], PARTS, strict=True)
    ]
    encoded = time.perf_counter()
    fuse_features(target, references)
    return detected - start, encoded - detected - vision.seconds, time.perf_counter() - encoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs=4, required=True)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    detector = BuiltinDetector()
    pictures = [square(path) for path in options.photos]
    print(f"four pictures of {SIZE} x {SIZE}, {torch.get_num_threads()} threads, median of {options.runs} runs")
    for mode in ("practical", "released"):
        for _ in range(2):
            seconds(pictures, detector, mode)
        cpu = time.process_time()
        runs = [seconds(pictures, detector, mode) for _ in range(options.runs)]
        cpu = (time.process_time() - cpu) / options.runs
        parts = [statistics.median(run[k] for run in runs) for k in range(3)]
        whole = statistics.median(sum(run) for run in runs)
        named = ", ".join(f"{name} {s:.3f}" for name, s in zip(("detect", "encode", "fuse"), parts, strict=True))
        print(f"{mode}: {whole:.3f} s ({named}); {whole / BAR:.2f} of the {BAR} s that it may take; CPU {cpu:.3f} s")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
