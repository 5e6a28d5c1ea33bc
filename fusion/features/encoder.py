"""An image encoder, and the tokens of pictures that it has encoded before."""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...detectors.progress import Progress, counted

# Pictures that go through the encoder at once: bounds its memory.
_CHUNK = 64
# Bytes of tokens that are kept for each encoder: about 25 pictures of CLIP ViT-H/14.
_CACHE_BYTES = 32 * 2**20
# Model -> digest of the pixel values -> tokens, the ones used last at the end.
_CACHES: weakref.WeakKeyDictionary[object, OrderedDict[bytes, Tensor]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Encoder:
    """A vision transformer that gives one token per cell of a square picture.

    `name`: for messages.
    `size`: side of its pictures in pixels.
    `grid`: h, w in cells.
    `classes`: leading tokens that are not cells: 1 for CLIP, 0 for SigLIP.
    `width`: C, the width of a token.
    `mean`, `std`: per channel, of its pixel values.
    `run`: pixel values (N, 3, size, size) float32 on the CPU -> tokens before the last layer (N, classes + h*w, C)
        float32 on the CPU.
    `model`: the object that holds the weights; tokens are kept as long as it lives. None: as long as this record.
    """

    name: str
    size: int
    grid: tuple[int, int]
    classes: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    run: Callable[[Tensor], Tensor]
    model: object | None = None

    @property
    def covered_side(self) -> int:
        """Pixels per side that the cells cover: less than `size` when that is not a multiple of the cell."""
        return self.size // self.grid[0] * self.grid[0]


def tokens_of(encoder: Encoder, pixels: Tensor, progress: Progress | None = None) -> Tensor:
    """The encoder's tokens; equal pictures are encoded once.

    `pixels`: pixel values (N, 3, size, size) float32 on the CPU.
    `progress`: called after each chunk that the encoder has encoded.

    Returns (N, classes + h*w, C) float32. Raises ValueError when the encoder gives tokens of another shape.
    """
    cache = _CACHES.setdefault(encoder if encoder.model is None else encoder.model, OrderedDict())
    keys = [hashlib.blake2b(picture.contiguous().numpy().tobytes(), digest_size=20).digest() for picture in pixels]
    tokens = {key: cache.pop(key) for key in dict.fromkeys(keys) if key in cache}
    unknown = list({key: i for i, key in enumerate(keys) if key not in tokens}.values())
    for start in counted(range(0, len(unknown), _CHUNK), progress):
        chunk = unknown[start : start + _CHUNK]
        tokens.update(zip([keys[i] for i in chunk], _encoded(encoder, pixels[chunk]), strict=True))
    cache.update(tokens)
    while len(cache) > 1 and sum(one.nbytes for one in cache.values()) > _CACHE_BYTES:
        cache.popitem(last=False)
    return torch.stack([tokens[key] for key in keys])


def tokens_and_unconditioned(encoder: Encoder, pixels: Tensor, progress: Progress | None) -> tuple[Tensor, Tensor]:
    """The tokens of `pixels` (N, 3, size, size), and those (1, classes + h*w, C) of pixel values that are all zero."""
    tokens = tokens_of(encoder, torch.cat([pixels, torch.zeros_like(pixels[:1])]), progress)
    return tokens[:-1], tokens[-1:]


def _encoded(encoder: Encoder, pixels: Tensor) -> list[Tensor]:
    tokens = encoder.run(pixels)
    shape = (len(pixels), encoder.classes + encoder.grid[0] * encoder.grid[1], encoder.width)
    if tuple(tokens.shape) != shape:
        raise ValueError(f"{encoder.name} gave tokens of shape {tuple(tokens.shape)}, needed is {shape}")
    # A copy of each, so that dropping one from the cache frees its memory.
    return [one.clone() for one in tokens]
