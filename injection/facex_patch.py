"""FaceX's controller as patches of a ComfyUI model: plain calls, with no import of the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .blocks import BLOCKS
from .facex_control import RepresentationControl

_STORED = "face_part_fusion_facex"
_BLOCK_OF = {block.host: block.name for block in BLOCKS}


class ControlPatch:
    """The two patches of every transformer block that a controller needs, for one set of tokens.

    `remember` goes to the host as "middle_patch", `add` as attn2_output_patch: the first keeps the block's tokens
    before cross-attention, the second adds to what cross-attention gives. `tokens`: (B, t, context), f_SD of each
    picture; `unconditioned`: (1, t, context), for rows of the negative prompt. `sigmas`: start and end (start >= end)
    between which it acts, None for all. `weights`: block name -> factor on `strength`, 1 for blocks not named. `mask`:
    (B or 1, H, W) over the whole picture, 1 = where it acts; laid on each block's own grid by area.

    Keys and values are computed once per block and kept until `forget`. Raises ValueError for a block that is unknown
    or a mask whose count fits neither one nor the pictures.
    """

    def __init__(
        self, control: RepresentationControl, tokens: Tensor, unconditioned: Tensor, *, strength: float = 1.0,
        sigmas: tuple[float, float] | None = None, weights: Mapping[str, float] | None = None,
        mask: Tensor | None = None,
    ) -> None:  # fmt: skip
        factors = block_factors(weights or {})
        if mask is not None and (mask.ndim != 3 or len(mask) not in (1, len(tokens)) and len(tokens) != 1):
            raise ValueError(
                f"mask has shape {tuple(mask.shape)}; needed is one mask (h, w), or one for each of the {len(tokens)} "
                "pictures of representation"
            )
        self._control, self._sigmas, self._mask = control, sigmas, mask
        self._tokens = torch.cat([tokens, unconditioned.to(tokens)])
        self._strengths = {name: strength * factors[name] for name in control.blocks}
        self._kept: dict[Any, Any] = {}

    def __deepcopy__(self, memo: Any) -> ControlPatch:
        # Hosts before 0.14 copy patches deeply with every clone of a model; the tokens and the module are shared.
        return self

    def remember(self, x: Tensor, options: dict[str, Any]) -> Tensor:
        """middle_patch: x (rows, n, C) as it came."""
        options[_STORED] = x
        return x

    def add(self, n: Tensor, options: dict[str, Any]) -> Tensor:
        """attn2_output_patch: n (rows, n, C), what cross-attention gives -> the same with the controller's part."""
        name = _BLOCK_OF.get(tuple(options["block"]), "")
        strength = self._strengths.get(name, 0.0)
        if strength == 0 or not self._acts(options["sigmas"]):
            return n
        keys, values = self._keys_and_values(name, options["cond_or_uncond"], n)
        added = self._control.blocks[name](options[_STORED] + n, keys, values) * strength
        if self._mask is not None:
            added = added * self._weight(options["cond_or_uncond"], options["activations_shape"][-2:], n)
        return n + added

    def forget(self) -> None:
        """Drop keys, values and masks that were kept."""
        self._kept.clear()

    def _acts(self, sigmas: Tensor) -> bool:
        # Reading a sigma waits for the graphics card, so it is not read when there is nothing to compare.
        return self._sigmas is None or self._sigmas[1] <= float(sigmas[0]) <= self._sigmas[0]

    def _keys_and_values(self, name: str, chunks: Sequence[int], n: Tensor) -> tuple[Tensor, Tensor]:
        project = self._control.blocks[name].project
        keys, values = self._keep((name, n.dtype, n.device), lambda: project(self._tokens.to(n)))  # type: ignore[operator]
        order = self._rows(chunks, len(n))
        rows = self._keep((tuple(order), n.device), lambda: torch.tensor(order, device=n.device))
        return keys[rows], values[rows]

    def _keep(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def _rows(self, chunks: Sequence[int], total: int) -> list[int]:
        """Which picture's tokens each row takes; the last entry is the unconditioned one."""
        count, pictures = total // len(chunks), len(self._tokens) - 1
        if pictures not in (1, count):
            raise ValueError(
                f"face_representation has {pictures} pictures but the sampler works on {count}; give one, or as many"
            )
        own = list(range(count)) if pictures > 1 else [0] * count
        return [row for chunk in chunks for row in ([pictures] * count if chunk == 1 else own)]

    def _weight(self, chunks: Sequence[int], grid: Sequence[int], n: Tensor) -> Tensor:
        """(rows, n, 1): how much of each token lies in the mask."""
        size, mask = (int(grid[0]), int(grid[1])), self._mask
        weight = self._keep((size, n.dtype, n.device), lambda: mask_tokens(mask, size).to(n))  # type: ignore[arg-type]
        count = len(n) // len(chunks)
        if len(weight) not in (1, count):
            raise ValueError(
                f"mask has {len(weight)} masks but the sampler works on {count} pictures; give one, or as many"
            )
        return weight.expand(count, -1, -1).repeat(len(chunks), 1, 1)


def mask_tokens(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """(M, H, W) -> (M, h*w, 1) float32: the share of each cell of `grid` (h, w) that the mask covers, 0..1."""
    return functional.interpolate(mask[:, None].float().clamp(0, 1), grid, mode="area").flatten(1)[..., None]


def block_factors(weights: Mapping[str, float]) -> dict[str, float]:
    """Block name -> its factor, 1 for blocks not named. Raises ValueError for a name that no block has."""
    known = list(_BLOCK_OF.values())
    unknown = [name for name in weights if name not in known]
    if unknown:
        raise ValueError(f"block_weights names {', '.join(unknown)}; the blocks are {', '.join(known)}")
    return {name: weights.get(name, 1.0) for name in known}
