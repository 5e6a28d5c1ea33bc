"""What a patch knows of one sampling: its noise levels, its size, its rows, and what is computed once for all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .conditionings import UNCONDITIONED


class OneSampling:
    """`begin` before, `forget` after; what `keep` computed lives in between.

    `start`, `end`: the part of the sampling, 0..1, in which the patch acts. Raises ValueError when the end does not
    come after the start.
    """

    def __init__(self, start: float = 0.0, end: float = 1.0) -> None:
        if end <= start:
            raise ValueError(f"end is {end} and start {start}; end must be the larger one")
        self._span, self._whole = (start, end), start <= 0 and end >= 1
        self._sigmas: tuple[float, float] | None = None
        self._latent: tuple[int, int] | None = None
        self._step: tuple[Tensor | None, bool] = (None, True)
        self.kept: dict[Any, Any] = {}

    def begin(self, noise: Tensor, percent_to_sigma: Callable[[float], Any]) -> None:
        """`noise` (N, C, ..., h, w) is sampled; `percent_to_sigma`: 0..1 -> noise level, of the model that samples."""
        self.forget()
        self._latent = (int(noise.shape[-2]), int(noise.shape[-1]))
        if not self._whole:
            start, end = (float(percent_to_sigma(share)) for share in self._span)
            self._sigmas = (start, end)

    def forget(self) -> None:
        """Drop everything that belongs to one sampling."""
        self.kept.clear()
        self._latent, self._sigmas, self._step = None, None, (None, True)

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gave when it was first asked for under `key` in this sampling."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def acts(self, sigmas: Tensor) -> bool:
        """Whether the step with these noise levels lies between start and end.

        Read once per step, because reading waits for the graphics card, and not at all for the whole sampling.
        """
        if self._whole:
            return True
        if self._sigmas is None:
            raise ValueError("the patch acts in a part of the sampling and was not told of it; call begin() before")
        if self._step[0] is not sigmas:
            self._step = (sigmas, self._sigmas[1] <= float(sigmas[0]) <= self._sigmas[0])
        return self._step[1]

    def refuse_pieces(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError when the host's `options` tell of a piece of the latent, on which no region fits."""
        came = options.get("original_shape")
        if self._latent is not None and came is not None and tuple(came[-2:]) != self._latent:
            raise ValueError(
                f"Face Controller Apply got a piece of {came[-2]} x {came[-1]} cells of a latent of {self._latent[0]} "
                f"x {self._latent[1]}, where its regions do not fit: it cannot work with area conditioning or tiled "
                "sampling; use masked conditioning instead"
            )


def check_shape(name: str, mask: Tensor, noise: Tensor) -> None:
    """Raises ValueError unless a region (M, H, W) has the shape of `noise` (..., h, w), up to two cells.

    `name`: for the message. (M, 1, 1) is everywhere, on any shape.
    """
    (h, w), (height, width) = mask.shape[-2:], noise.shape[-2:]
    if (h, w) != (1, 1) and min(abs(width - w * height / h), abs(height - h * width / w)) > 2:
        raise ValueError(
            f"{name}: its region is drawn on {w} x {h} pixels and the latent {width} x {height} cells, which is "
            "another shape; sample a latent made from the target's own picture, or give the mask the picture's shape"
        )


def rows_of(chunks: Sequence[int], pictures: int, given: int) -> list[int]:
    """Which of `given` + 1 tokens each row of the batch takes; the last one is the unconditioned one.

    `chunks`: as `guided.chunks_of` gives them; each has a row for every one of `pictures`.
    """
    own = list(range(given)) if given > 1 else [0] * pictures
    return [row for chunk in chunks for row in ([given] * pictures if chunk == UNCONDITIONED else own)]


def mask_tokens(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """(M, H, W) -> (M, h*w, 1) float32: the share of each cell of `grid` (h, w) that the mask covers, 0..1."""
    shares = functional.interpolate(mask[:, None].to(torch.float32).clamp(0, 1), grid, mode="area")
    return shares.flatten(1)[..., None]
