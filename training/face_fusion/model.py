"""A small denoiser with Face Fusion in its attention, computed as the pack's node computes it.

It knows no prompt: its text is zeros. References pass the UNet without noise and without gradient. Trained: new keys
and values of their normed hidden states before self-attention join those of the text in cross-attention.
Training-free: keys and values of their self-attention join the picture's own. One softmax in each layer; the
references of one person share one weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...injection.face_fusion.file import CONTEXTS, ReferenceProjections, new_projections
from ...injection.face_fusion.layers import Layer
from .noise import levels

TRAINED, TRAINING_FREE = "trained", "training-free"
FAMILY = "sd15"
# Transformer blocks have as many heads, and every level one ResNet block and one transformer.
_HEADS, _DEPTH = 2, 1
_GROUPS = 16


def new_unet(widths: tuple[int, ...]) -> Any:
    """A diffusers UNet2DConditionModel with attention at every level, `widths` channels wide."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        in_channels=4, out_channels=4, block_out_channels=widths, layers_per_block=_DEPTH,
        down_block_types=("CrossAttnDownBlock2D",) * len(widths), up_block_types=("CrossAttnUpBlock2D",) * len(widths),
        cross_attention_dim=CONTEXTS[FAMILY], attention_head_dim=_HEADS, norm_num_groups=_GROUPS,
    )  # fmt: skip


def transformers(unet: Any) -> Iterator[tuple[Layer, Any]]:
    """Each transformer block of a diffusers UNet with the host's label, in the order of the forward pass."""
    each = unet.config.layers_per_block + 1
    sides = (
        *(("input", 1 + level * each, block) for level, block in enumerate(unet.down_blocks)),
        ("middle", 0, unet.mid_block),
        *(("output", level * each, block) for level, block in enumerate(unet.up_blocks)),
    )
    for side, first, block in sides:
        for i, attention in enumerate(getattr(block, "attentions", ())):
            for position, transformer in enumerate(attention.transformer_blocks):
                yield Layer(side, first + i, position), transformer


class _Bank:
    """What the references left at each layer, (N, tokens, C) each, and what the next pass does with it."""

    def __init__(self) -> None:
        self.hidden: dict[Layer, Tensor] = {}
        self.mechanism = TRAINED
        self.writes = False
        self.looks = True
        self.count = 0


class _Attention:
    """A diffusers attention processor. `new`: projections for cross-attention, None for self-attention."""

    def __init__(self, bank: _Bank, layer: Layer, new: nn.Module | None) -> None:
        self._bank, self._layer, self._new = bank, layer, new

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, *_: Any, **__: Any
    ) -> Tensor:
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        keys, values, mask = attn.to_k(source), attn.to_v(source), None
        if self._bank.writes and self._new is None:
            self._bank.hidden[self._layer] = hidden_states
        if self._joins:
            more_keys, more_values = self._of_references(attn)
            mask = self._mask(keys, more_keys)
            keys, values = torch.cat([keys, more_keys], 1), torch.cat([values, more_values], 1)
        q, k, v = (t.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for t in (attn.to_q(hidden_states), keys, values))
        joined = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
        for module in attn.to_out:
            joined = module(joined)
        return joined

    @property
    def _joins(self) -> bool:
        bank = self._bank
        return not bank.writes and bank.looks and bank.count > 0 and (self._new is None) == (bank.mechanism != TRAINED)

    def _of_references(self, attn: Any) -> tuple[Tensor, Tensor]:
        hidden = self._bank.hidden[self._layer]
        return (attn.to_k(hidden), attn.to_v(hidden)) if self._new is None else self._new(hidden)

    def _mask(self, keys: Tensor, more: Tensor) -> Tensor | None:
        """M, (1, tokens): 0, and the logarithm of each reference's share for its tokens. None for one reference."""
        if self._bank.count == 1:
            return None
        shares = (keys.new_zeros(1, keys.shape[1]), keys.new_full((1, more.shape[1]), -math.log(self._bank.count)))
        return torch.cat(shares, 1)


class ReferenceDenoiser(nn.Module):
    """The UNet and its projections of references."""

    def __init__(self, widths: tuple[int, ...], seed: int = 0) -> None:
        super().__init__()
        self.unet = new_unet(widths)
        layers = dict(transformers(self.unet))
        self.projections: ReferenceProjections = new_projections(
            FAMILY, {layer.name: block.attn1.to_q.in_features for layer, block in layers.items()}, seed
        )
        self._bank = _Bank()
        for layer, block in layers.items():
            block.attn1.set_processor(_Attention(self._bank, layer, None))
            block.attn2.set_processor(_Attention(self._bank, layer, self.projections.layers[layer.name]))

    @torch.no_grad()
    def set_references(self, references: Tensor | None, mechanism: str = TRAINED) -> None:
        """Whom the following calls show.

        references: (N, count, 4, h, w), clean latents of the one person whom each picture shows; None for nobody.
        mechanism: TRAINED or TRAINING_FREE.
        """
        bank = self._bank
        bank.mechanism, bank.count, bank.hidden = mechanism, 0, {}
        if references is None:
            return
        # The least noisy timestep, as the model sees a picture without noise there.
        (rows, count), latents = references.shape[:2], levels()[0][0] * references.flatten(0, 1)
        bank.writes = True
        try:
            self.unet(latents, latents.new_zeros(len(latents), dtype=torch.int64), self._no_text(latents))
        finally:
            bank.writes = False
        bank.count = count
        bank.hidden = {layer: hidden.unflatten(0, (rows, count)).flatten(1, 2) for layer, hidden in bank.hidden.items()}

    def forward(self, noisy: Tensor, timesteps: Tensor, looks: bool = True) -> Tensor:
        """Its prediction, like `noisy`: the velocity a noise - s picture of noisy = a picture + s noise.

        noisy: (N, 4, h, w). timesteps: (N,) int64. looks: whether at the references, where there are some.
        """
        self._bank.looks = looks
        return self.unet(noisy, timesteps, self._no_text(noisy)).sample

    @staticmethod
    def _no_text(latents: Tensor) -> Tensor:
        return latents.new_zeros(len(latents), 1, CONTEXTS[FAMILY])
