"""FaceX's controller on a diffusers UNet2DConditionModel, for training and for use without ComfyUI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import BLOCKS
from .facex_control import RepresentationControl
from .facex_patch import block_factors
from .one_sampling import mask_tokens


class ControlledUNet:
    """A controller on the 16 transformer blocks of `unet`; `remove` takes it off again, leaving nothing behind.

    The UNet's modules, weights, processors and state dict stay as they are: only hooks are set, on `norm2`, which sees
    the tokens before cross-attention, and on `attn2`. Several controllers on one UNet act one after the other. Raises
    ValueError when `unet` has not the blocks or widths that `control` was made for.
    """

    def __init__(self, unet: nn.Module, control: RepresentationControl) -> None:
        self._control = control
        self._given: tuple[Tensor, dict[str, float], Tensor | None] | None = None
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}
        self._before: dict[str, Tensor] = {}
        blocks = transformer_blocks(unet, control)
        self._hooks = [hook for name, block in blocks.items() for hook in self._hook(name, block)]

    def give(
        self, tokens: Tensor, *, strength: float = 1.0, weights: Mapping[str, float] | None = None,
        mask: Tensor | None = None,
    ) -> None:  # fmt: skip
        """What the following calls of the UNet attend to.

        `tokens`: (rows, t, context), one for every row that the UNet gets (unconditioned first, as pipelines order
        them), or (1, t, context) for all. `weights`: block name -> factor on `strength`. `mask`: (rows or 1, H, W)
        over the latent, 1 = where it acts. Without gradients keys and values are computed once for each `give`.
        Raises ValueError for an unknown block.
        """
        factors = block_factors(weights or {})
        strengths = {name: strength * factors[name] for name in self._control.blocks}
        self._kept.clear()
        self._given = (tokens, strengths, mask)

    def remove(self) -> None:
        """Take every hook off and drop what was kept."""
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._given = [], None
        self._kept.clear()
        self._before.clear()

    def _hook(self, name: str, block: Any) -> tuple[Any, Any]:
        def remember(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._before[name] = inputs[0]

        def add(_: nn.Module, __: Any, n: Tensor) -> Tensor:
            return self._added(name, n)

        return block.norm2.register_forward_pre_hook(remember), block.attn2.register_forward_hook(add)

    def _added(self, name: str, n: Tensor) -> Tensor:
        before = self._before.pop(name)
        if self._given is None:
            raise ValueError("the controller has no tokens yet; call give(tokens) before the UNet, or remove()")
        tokens, strengths, mask = self._given
        if len(tokens) not in (1, len(n)):
            raise ValueError(f"tokens has {len(tokens)} rows but the UNet got {len(n)}; give one, or as many")
        if strengths[name] == 0:
            return n
        keys, values = (t.expand(len(n), -1, -1, -1) for t in self._keys_and_values(name, tokens.to(n)))
        added = self._control.blocks[name](before + n, keys, values) * strengths[name]
        return n + (added if mask is None else added * mask_tokens(mask, grid_of(n.shape[1], mask)).to(n))

    def _keys_and_values(self, name: str, tokens: Tensor) -> tuple[Tensor, Tensor]:
        project = self._control.blocks[name].project
        if torch.is_grad_enabled():
            return project(tokens)  # type: ignore[operator]
        if name not in self._kept:
            self._kept[name] = project(tokens)  # type: ignore[operator]
        return self._kept[name]


def transformer_blocks(unet: nn.Module, control: RepresentationControl) -> dict[str, Any]:
    """Block name -> transformer block of a diffusers UNet. Raises ValueError where `control` does not fit it."""
    found = {}
    for place in BLOCKS:
        if place.name not in control.blocks:
            continue
        try:
            block: Any = unet.get_submodule(f"{place.diffusers_attention}.transformer_blocks.0")
        except AttributeError:
            raise ValueError(f"the UNet has no block {place.diffusers_attention}; SD1.5 and SD2.x have") from None
        wanted: Any = control.blocks[place.name]
        came = (block.attn2.to_q.in_features, block.attn2.to_k.in_features)
        needed = (wanted.to_q.in_features, wanted.to_k.in_features)
        if came != needed:
            raise ValueError(
                f"block {place.name} of the UNet has width and context {came}, the controller was made for {needed}; "
                "take a controller of the UNet's family"
            )
        found[place.name] = block
    return found


def grid_of(cells: int, mask: Tensor) -> tuple[int, int]:
    """h, w of a block with `cells` tokens under a mask (M, H, W) of the latent's shape.

    Raises ValueError when no grid of the mask's shape has so many cells.
    """
    ratio = mask.shape[-2] / mask.shape[-1]
    guess = round((cells * ratio) ** 0.5)
    for h in sorted(range(max(1, guess - 2), guess + 3), key=lambda h: abs(h - guess)):
        if cells % h == 0:
            return h, cells // h
    raise ValueError(
        f"a block has {cells} tokens, and no grid of a mask of {mask.shape[-1]} x {mask.shape[-2]} has so many; give "
        "the mask the latent's shape"
    )
