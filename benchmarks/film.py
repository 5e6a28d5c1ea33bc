"""What following a face through a film costs, and what a change of a strength costs: `film.py PORTRAITS`.

PORTRAITS is a folder of photographs with one face each. Times are CPU seconds of this process, the least of several
runs; memory is that of this process, beyond the frames and the fused frames. A film of the first portrait is made, of
1080 x 1920 pixels.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch.nn import functional

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import conftest  # noqa: E402, F401  (maps the repository to the package face_part_fusion)
from face_part_fusion.command.photo import load_photo  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.film import FaceFollower, follow_film  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.detectors.picture import stacked  # noqa: E402
from face_part_fusion.detectors.preview import draw_preview  # noqa: E402
from face_part_fusion.detectors.selection import choose  # noqa: E402
from face_part_fusion.fusion.captions import captioned, shown  # noqa: E402
from face_part_fusion.fusion.composite import PartReference, composite  # noqa: E402
from face_part_fusion.fusion.kept import KeptStacks  # noqa: E402
from support.films import Actor, Frame, film  # noqa: E402

SIZE, SIDE = (1080, 1920), 1024
PARTS = ("eyes", "nose", "mouth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--frames", type=int, default=20)
    options = parser.parse_args()
    files = sorted(file for file in options.portraits.iterdir() if file.suffix in (".jpg", ".png"))[:4]
    detector = BuiltinDetector()
    with torch.inference_mode():
        people = [person(file, detector) for file in files]
        follow(detector, people, options.frames)
        change_of_strength(people)


def person(file: Path, detector: BuiltinDetector) -> FaceParts:
    """Enlarged so that the longer side has SIDE pixels."""
    picture = load_photo(file)
    scale = SIDE / max(picture.shape[1:3])
    size = [round(side * scale) for side in picture.shape[1:3]]
    large = functional.interpolate(picture.permute(0, 3, 1, 2), size, mode="bicubic", antialias=True)
    picture = large.permute(0, 2, 3, 1).clamp(0, 1).contiguous()
    return choose(picture, find_faces(picture, detector))


def frames_of(target: FaceParts, count: int) -> Iterator[Frame]:
    face = target.face(0)
    return film([Actor(target.pictures[0], face.landmarks, lambda t: (0.4 + 0.2 * t, 0.5, 0.4, 0.0))], count, SIZE)


def follow(detector: BuiltinDetector, people: list[FaceParts], count: int) -> None:
    frames = stacked((frame.picture for frame in frames_of(people[0], count)), count)
    full = least(lambda: detector(frames[:1]), 4)
    follower = FaceFollower(detector)
    follower(frames[0])
    near = min(seconds(lambda i=i: follower(frames[i])) for i in range(1, min(count, 12)))
    print(f"a full search {full:.3f} s, a frame in which the face was just seen {near:.3f} s, {near / full:.0%}")
    references = [PartReference(one, {part: 1.0}) for one, part in zip(people[1:], PARTS, strict=True)]
    before = memory()
    start = time.process_time()
    parts = follow_film(frames, FaceFollower(detector))
    followed = time.process_time() - start
    result = composite(parts, references)
    fused = time.process_time() - start - followed
    # What Face Track and Part Composite show.
    numbers = shown(count)
    pictures = (
        stacked((draw_preview(parts.single(i))[0] for i in numbers), len(numbers)),
        captioned(result.pictures, result.report),
    )
    more = peak() - before - frames.numel() * frames.element_size() / 2**30
    print(f"followed {followed / count:.3f} s, fused {fused / count:.3f} s a frame")
    print(f"{more:.2f} GB for {count} frames with {len(pictures[1])} of each preview")


def change_of_strength(people: list[FaceParts]) -> None:
    kept = KeptStacks()

    def fuse(strength: float, kept: KeptStacks | None, others: float = 1.0) -> None:
        strengths = (strength, others, others)
        references = [
            PartReference(one, {part: value})
            for one, part, value in zip(people[1:], PARTS, strengths, strict=True)
        ]  # fmt: skip
        composite(people[0], references, kept=kept)

    first = least(lambda: fuse(0.9, None), 4)
    fuse(0.9, kept)
    again = min(seconds(lambda s=s: fuse(s, kept)) for s in (0.8, 0.7, 0.6, 0.5, 0.4, 0.3))
    below = min(seconds(lambda s=s: fuse(s, kept, 0.7)) for s in (0.8, 0.7, 0.6, 0.5, 0.4, 0.3))
    print(f"{SIDE} pixels, {', '.join(PARTS)}: laid {first:.2f} s")
    print(f"another strength of the eyes {again:.2f} s, with nose and mouth below 1 {below:.2f} s")


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def least(run: Callable[[], object], times: int) -> float:
    return min(seconds(run) for _ in range(times))


def memory() -> float:
    """GB that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**30


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
