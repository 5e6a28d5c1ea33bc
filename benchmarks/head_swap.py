"""Time of a head layout and of a head swap in pixels, on pictures of 1024 pixels, and as a share of parsing both:

    python benchmarks/head_swap.py [PHOTOGRAPH OF THE HEAD, PHOTOGRAPH OF THE BODY]

Without photographs both are scikit-image's astronaut, one of them mirrored. Prints the least of several runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from pack import load_pack
from torch.nn.functional import interpolate

load_pack()
from face_part_fusion.command.demo import astronaut  # noqa: E402
from face_part_fusion.command.photo import load_photo  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.parser_builtin import BuiltinParser  # noqa: E402
from face_part_fusion.detectors.parser_regions import parse_with_builtin  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.detectors.selection import choose  # noqa: E402
from face_part_fusion.fusion.regions.head_swap import swap_head  # noqa: E402
from face_part_fusion.fusion.regions.pair import complete_layout, make_layout  # noqa: E402
from face_part_fusion.injection.hs_diffusion.layout_net import LayoutGenerator  # noqa: E402

SIDE, RUNS = 1024, 7


def faces_in(picture: torch.Tensor) -> FaceParts:
    large = interpolate(picture.permute(0, 3, 1, 2), (SIDE, SIDE), mode="bicubic").clamp(0, 1).permute(0, 2, 3, 1)
    return choose(large, find_faces(large, BuiltinDetector()), "large-small")


def least(call: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    torch.set_num_threads(2)
    pictures = [load_photo(Path(file)) for file in sys.argv[1:3]] or [astronaut(), astronaut().flip(2)]
    people, parser = [faces_in(picture) for picture in pictures], BuiltinParser()
    head, body = (parse_with_builtin(person, parser) for person in people)
    layout = make_layout(head, body)
    full, generator = complete_layout(layout), LayoutGenerator()
    parsing = least(lambda: [parse_with_builtin(person, parser) for person in people])
    sys.stdout.write(f"parsing both: {1000 * parsing:.0f} ms\n")
    rows = {
        "layout": lambda: make_layout(head, body),
        "completion by rule": lambda: complete_layout(layout),
        "completion by the generator": lambda: complete_layout(layout, generator=generator),
        "masks": layout.masks,
        "swap in pixels": lambda: swap_head(full.pairs[0]),
    }
    for name, call in rows.items():
        seconds = least(call)
        sys.stdout.write(f"{name}: {1000 * seconds:.0f} ms, {seconds / parsing:.2f} of parsing\n")


if __name__ == "__main__":
    main()
