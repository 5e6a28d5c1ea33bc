"""FaceX's controller as patches of a ComfyUI model: plain calls, with no import of the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..sampling.conditionings import chunks_of
from ..sampling.one_sampling import OneSampling, check_shape, mask_tokens, rows_of
from ..unet.blocks import BLOCKS
from .control import RepresentationControl

_STORED = "face_part_fusion_facex"
_BLOCK_OF = {block.host: block.name for block in BLOCKS}


class ControlPatch:
    """The two patches of every transformer block that a controller needs, for one set of tokens.

    `remember` goes to the host as "middle_patch", `add` as attn2_output_patch: the first keeps the block's tokens
    before cross-attention, the second adds to what cross-attention gives. `tokens`: (B, t, context), f_SD of each
    picture; `unconditioned`: (1, t, context), for rows of the negative prompt. `start`, `end`: the part of the
    sampling, 0..1, in which it acts. `weights`: block name -> factor on `strength`, 1 for blocks not named. `mask`: (B
    or 1, H, W) over the whole picture, 1 = where it acts, (1, 1, 1) for everywhere; laid on each block's own grid by
    area.

    Keys and values are computed once per block and kept until `forget`. Raises ValueError for a block that is unknown,
    a mask whose count fits neither one nor the pictures, and an end that does not come after the start.
    """

    def __init__(
        self, control: RepresentationControl, tokens: Tensor, unconditioned: Tensor, *, strength: float = 1.0,
        start: float = 0.0, end: float = 1.0, weights: Mapping[str, float] | None = None, mask: Tensor | None = None,
    ) -> None:  # fmt: skip
        factors = block_factors(weights or {})
        if mask is not None and (mask.ndim != 3 or len(mask) not in (1, len(tokens)) and len(tokens) != 1):
            raise ValueError(
                f"mask has shape {tuple(mask.shape)}; needed is one mask (h, w), or one for each of the {len(tokens)} "
                "pictures of representation"
            )
        self._control, self._mask, self._sampling = control, mask, OneSampling(start, end)
        self._tokens = torch.cat([tokens, unconditioned.to(tokens)])
        self._strengths = {name: strength * factors[name] for name in control.blocks}

    def __deepcopy__(self, memo: Any) -> ControlPatch:
        # Hosts before 0.14 copy patches deeply with every clone of a model; the tokens and the module are shared.
        return self

    def remember(self, x: Tensor, options: dict[str, Any], **_: Any) -> Tensor:
        """middle_patch: x (rows, n, C) as it came."""
        options[_STORED] = x
        return x

    def begin(self, noise: Tensor, percent_to_sigma: Callable[[float], Any]) -> None:
        """As OneSampling.begin. Raises ValueError for a latent of another shape than the mask."""
        if self._mask is not None:
            check_shape("FaceX's mask", self._mask, noise)
        self._sampling.begin(noise, percent_to_sigma)

    def add(self, n: Tensor, options: dict[str, Any], **_: Any) -> Tensor:
        """attn2_output_patch: n (rows, n, C), what cross-attention gives -> the same with the controller's part."""
        name = _BLOCK_OF.get(tuple(options["block"]), "")
        strength = self._strengths.get(name, 0.0)
        if strength == 0 or not self._sampling.acts(options["sigmas"]):
            return n
        keys, values = self._keys_and_values(name, chunks_of(options), n)
        added = self._control.blocks[name](options[_STORED] + n, keys, values) * strength
        if self._mask is not None:
            added = added * self._weight(self._mask, options, n)
        return n + added

    def forget(self) -> None:
        """Drop keys, values and masks that were kept."""
        self._sampling.forget()

    def _keys_and_values(self, name: str, chunks: Sequence[int], n: Tensor) -> tuple[Tensor, Tensor]:
        project, keep = self._control.blocks[name].project, self._sampling.keep
        keys, values = keep((name, n.dtype, n.device), lambda: project(self._tokens.to(n)))  # type: ignore[operator]
        order = self._rows(chunks, len(n))
        rows = keep((tuple(order), n.device), lambda: torch.tensor(order, device=n.device))
        return keys[rows], values[rows]

    def _rows(self, chunks: Sequence[int], total: int) -> list[int]:
        """Which picture's tokens each row takes; the last entry is the unconditioned one."""
        count, pictures = total // len(chunks), len(self._tokens) - 1
        if pictures not in (1, count):
            raise ValueError(
                f"face_representation has {pictures} pictures but the sampler works on {count}; give one, or as many"
            )
        return rows_of(chunks, count, pictures)

    def _weight(self, mask: Tensor, options: Mapping[str, Any], n: Tensor) -> Tensor:
        """(rows, n, 1): how much of each token lies in the mask."""
        chunks, (h, w) = chunks_of(options), options["activations_shape"][-2:]
        if mask.shape[-2:] != (1, 1):
            self._sampling.refuse_pieces(options)
        weight = self._sampling.keep((h, w, n.dtype, n.device), lambda: mask_tokens(mask, (int(h), int(w))).to(n))
        count = len(n) // len(chunks)
        if len(weight) not in (1, count):
            raise ValueError(
                f"mask has {len(weight)} masks but the sampler works on {count} pictures; give one, or as many"
            )
        return weight.expand(count, -1, -1).repeat(len(chunks), 1, 1)


def block_factors(weights: Mapping[str, float]) -> dict[str, float]:
    """Block name -> its factor, 1 for blocks not named. Raises ValueError for a name that no block has."""
    known = list(_BLOCK_OF.values())
    unknown = [name for name in weights if name not in known]
    if unknown:
        raise ValueError(f"block_weights names {', '.join(unknown)}; the blocks are {', '.join(known)}")
    return {name: weights.get(name, 1.0) for name in known}
