"""FaceX's controller as patches of a ComfyUI model: plain calls, with no import of the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..sampling.grid_masks import WHOLE, block_grid, check_shape, is_everywhere, mask_on_grid
from ..sampling.rows import Rows, check_count
from ..sampling.run import SamplingPatch, SamplingRun, problems_of
from ..sampling.span import WHOLE_RUN, Span
from ..unet.blocks import BLOCKS
from .control import RepresentationControl

# In the options of one block: its hidden states before cross-attention.
_HIDDEN = "face_part_fusion_facex"
_BLOCK_OF = {block.host: block.name for block in BLOCKS}


class ControlPatch(SamplingPatch):
    """The two patches of every transformer block that a controller needs, for one set of tokens.

    `remember` goes to the host as "middle_patch", `add` as attn2_output_patch: the first keeps the block's hidden
    states before cross-attention, the second adds to what cross-attention gives.

    `tokens`: (B, t, context), f_SD of each picture.
    `unconditioned`: (1, t, context), for rows of the negative prompt.
    `strength`: factor on what is added. `weights`: block name -> factor on `strength`, 1 for blocks not named.
    `span`: in which part of a sampling run it acts.
    `mask`: (B or 1, H, W) over the whole picture, 1 = where it acts, (1, 1, 1) for everywhere.
    `owner`: the node, for messages.

    Keys and values are computed once per block in a sampling run. Raises ValueError for a block that is unknown and a
    mask whose count fits neither one nor the pictures.
    """

    def __init__(
        self, control: RepresentationControl, tokens: Tensor, unconditioned: Tensor, *, strength: float = 1.0,
        span: Span = WHOLE_RUN, weights: Mapping[str, float] | None = None, mask: Tensor | None = None,
        owner: str = "FaceX",
    ) -> None:  # fmt: skip
        super().__init__(owner, span)
        factors = block_factors(weights or {})
        if mask is not None and (mask.ndim != 3 or len(mask) not in (1, len(tokens)) and len(tokens) != 1):
            raise ValueError(
                f"mask has shape {tuple(mask.shape)}; needed is one mask (h, w), or one for each of the {len(tokens)} "
                "pictures of representation"
            )
        self._control, self._mask = control, mask
        self._tokens = torch.cat([tokens, unconditioned.to(tokens)])
        self._strengths = {name: strength * factors[name] for name in control.blocks}

    def check_latents(self, noise: Tensor) -> None:
        """Raises ValueError for counts that do not fit, and for a latent of another shape than the mask."""
        self._check_pictures(len(noise))
        if self._mask is not None:
            check_count(f"mask has {len(self._mask)} masks", len(self._mask), len(noise))
            check_shape("FaceX's mask", self._mask, noise)

    def remember(self, hidden: Tensor, options: dict[str, Any], **_: Any) -> Tensor:
        """middle_patch: `hidden` (rows, n, C) as it came."""
        options[_HIDDEN] = hidden
        return hidden

    def add(self, attended: Tensor, options: dict[str, Any], **_: Any) -> Tensor:
        """attn2_output_patch: `attended` (rows, n, C), what cross-attention gives, with the controller's part added."""
        name = _BLOCK_OF.get(tuple(options["block"]), "")
        strength, run = self._strengths.get(name, 0.0), self.run_of(options)
        if strength == 0 or not run.acts(options):
            return attended
        rows = run.rows(options, len(attended))
        with problems_of(self.owner):
            keys, values = self._keys_and_values(name, rows, attended, run)
            added = self._control.blocks[name](options[_HIDDEN] + attended, keys, values) * strength
            if self._mask is not None:
                added = added * self._weight(self._mask, rows, attended, options, run)
        return attended + added

    def _keys_and_values(self, name: str, rows: Rows, like: Tensor, run: SamplingRun) -> tuple[Tensor, Tensor]:
        project: Any = self._control.blocks[name].project
        keys, values = run.keep((name, like.dtype, like.device), lambda: project(self._tokens.to(like)))
        index = run.keep_of_rows(rows, like.device, lambda: torch.tensor(self._token_of(rows), device=like.device))
        return keys[index], values[index]

    def _token_of(self, rows: Rows) -> list[int]:
        """Which picture's tokens each row takes."""
        self._check_pictures(rows.latents)
        return rows.take(len(self._tokens) - 1)

    def _check_pictures(self, latents: int) -> None:
        pictures = len(self._tokens) - 1
        check_count(f"face_representation has {pictures} pictures", pictures, latents)

    def _weight(
        self, mask: Tensor, rows: Rows, like: Tensor, options: Mapping[str, Any], run: SamplingRun
    ) -> Tensor:  # fmt: skip
        """(rows, n, 1): how much of each token lies in the mask."""
        grid, windows = block_grid(options), (WHOLE,) if is_everywhere(mask) else run.windows(options)

        def make() -> Tensor:
            check_count(f"mask has {len(mask)} masks", len(mask), rows.latents)
            pictures = torch.tensor(rows.pictures(len(mask))).chunk(len(rows.unconditioned))
            laid = [mask_on_grid(mask, grid, window).flatten(1)[..., None] for window in windows]
            weights = [laid[chunk % len(laid)][own] for chunk, own in enumerate(pictures)]
            return torch.cat(weights).to(like)

        return run.keep_of_rows(rows, (grid, windows, like.dtype, like.device), make)


def block_factors(weights: Mapping[str, float]) -> dict[str, float]:
    """Block name -> its factor, 1 for blocks not named. Raises ValueError for a name that no block has."""
    known = list(_BLOCK_OF.values())
    unknown = [name for name in weights if name not in known]
    if unknown:
        raise ValueError(f"block_weights names {', '.join(unknown)}; the blocks are {', '.join(known)}")
    return {name: weights.get(name, 1.0) for name in known}
