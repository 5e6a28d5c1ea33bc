"""More of a generator by running it more than once: a larger crop, and a lower face that follows the person further.

Both are ours, not ReliableSwap's, and work with every generator.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...fusion.face_swap import Generator
from ...fusion.outline import smoothstep

# Most tiles along one side of a crop: 8 make 1024 pixels of a generator's 128, in 64 passes.
MOST_TILES = 8
# Half the height over which the second pass fades in, in distances between the eyes: as in `swap_face`.
_FADE = 0.14


def boosted(generate: Generator, tiles: int) -> Generator:
    """The generator for crops `tiles` times as large as its own, in `tiles` x `tiles` passes.

    Every pass takes each `tiles`-th pixel of each `tiles`-th row, so that it sees the whole face, and their results are
    laid between one another again. A generator that changes nothing gives the crop back bit for bit.
    """

    def passes(crop: Tensor, identity: Tensor) -> Tensor:
        offsets = [(row, column) for row in range(tiles) for column in range(tiles)]
        results = [generate(crop[row::tiles, column::tiles].contiguous(), identity) for row, column in offsets]
        height, width, channels = results[0].shape
        grid = torch.stack(results).reshape(tiles, tiles, height, width, channels)
        return grid.permute(2, 0, 3, 1, 4).reshape(height * tiles, width * tiles, channels)

    return generate if tiles == 1 else passes


def with_second_pass(generate: Generator, template: Tensor, size: int, strength: float) -> Generator:
    """The generator, run again over its own result, which is blended into the lower face.

    The second pass starts from a face that is the new person's already and so goes further: for generators whose
    identity says nothing of mouth and chin.

    `template`: (5, 2), where eyes, nose tip and mouth corners lie in crops of `size` pixels.
    `strength`: 0..1, how far the lower face is the second pass's; 0: there is none.
    """

    def twice(crop: Tensor, identity: Tensor) -> Tensor:
        first = generate(crop, identity)
        return torch.lerp(first, generate(first, identity), strength * lower_face(template, size))

    return generate if strength == 0 else twice


def lower_face(template: Tensor, size: int) -> Tensor:
    """(size, 1, 1), 0..1, for each row: 1 below the middle between eyes and nose tip of an upright crop.

    `template`: (5, 2), eyes, nose tip and mouth corners in pixels of the crop.
    """
    eyes = template[:2].mean(0)
    middle = float((eyes[1] + template[2, 1]) / 2)
    fade = 2 * _FADE * float((template[1] - template[0]).norm())
    rows = torch.arange(size) + 0.5
    return smoothstep(0.5 + (rows - middle) / fade)[:, None, None]
