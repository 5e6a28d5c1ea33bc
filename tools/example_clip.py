"""Makes the short video that the template of a video opens with, of the target's portrait:

    python tools/example_clip.py

The portrait moves, turns and comes nearer, as before a camera in a hand. It needs PyAV.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import av
import torch
from people import ROOT, person
from torch import Tensor
from torch.nn import functional

FILE = ROOT / "web" / "examples" / "face_part_fusion_clip.mp4"
# Pixels, frames and frames per second; size of the face in pixels.
SIDE, COUNT, RATE, FACE = 384, 24, 24, 196


def frames() -> Iterator[Tensor]:
    """Each (SIDE, SIDE, 3), 0..1; the last one leads to the first."""
    whole = person("target").whole
    picture, face = whole.pictures[0], whole.face(0)
    (x0, y0, x1, y1), (height, width) = face.box, picture.shape[:2]
    rows, columns = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    for number in range(COUNT):
        phase = number / COUNT * 2 * math.pi
        scale = max(x1 - x0, y1 - y0) / (FACE + 14 * math.sin(phase))
        x = (columns - 0.5 * SIDE + 10 * math.sin(phase)) * scale
        y = (rows - 0.47 * SIDE + 6 * math.sin(2 * phase)) * scale
        cos, sin = math.cos(0.06 * math.sin(phase + 1)), math.sin(0.06 * math.sin(phase + 1))
        points = torch.stack([(x0 + x1) / 2 + cos * x - sin * y, (y0 + y1) / 2 + sin * x + cos * y], -1)
        grid = points / torch.tensor([width, height]) * 2 - 1
        channels = picture.permute(2, 0, 1)[None]
        moved = functional.grid_sample(channels, grid[None], "bicubic", "reflection", align_corners=False)
        yield moved[0].permute(1, 2, 0).clamp(0, 1)


def main() -> None:
    with av.open(str(FILE), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "24", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for frame in frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray((frame * 255).round().byte().numpy(), "rgb24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
