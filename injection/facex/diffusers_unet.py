"""FaceX's controller on a diffusers UNet2DConditionModel, for training and for use without ComfyUI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..sampling.grid_masks import mask_on_grid
from ..sampling.span import Levels, Span
from ..unet.blocks import BLOCKS
from ..unet.fit import check_fit, unet_sizes
from .control import RepresentationControl
from .patch import block_factors

# The first timestep of a sampling run; the last one is 0.
_FIRST = 999


@dataclass(frozen=True, eq=False)
class _Tokens:
    """What the UNet attends to. `strengths`: of each block. `timesteps`: at which it does, None for all."""

    tokens: Tensor
    strengths: Mapping[str, float]
    mask: Tensor | None
    timesteps: Levels | None


class ControlledUNet:
    """A controller on the 16 transformer blocks of `unet`; `remove` takes it off again, leaving nothing behind.

    The UNet's modules, weights, processors and state dict stay as they are: only hooks are set, on `norm2`, which sees
    the hidden states before cross-attention, and on `attn2`. Several controllers on one UNet act one after the other.
    Raises ValueError when `unet` does not have the blocks or widths that `control` was made for.
    """

    def __init__(self, unet: nn.Module, control: RepresentationControl) -> None:
        self._control = control
        self._conditions: _Tokens | None = None
        self._acts = True
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}
        self._before: dict[str, Tensor] = {}
        check_fit(
            control.block_sizes, unet_sizes(unet, diffusers=True), adapter="the controller is FaceX's", unet="the UNet",
            advice="take a controller of the UNet's family",
        )  # fmt: skip
        blocks = {b.name: f"{b.diffusers_attention}.transformer_blocks.0" for b in BLOCKS if b.name in control.blocks}
        self._hooks = [hook for name, path in blocks.items() for hook in self._hook(name, unet.get_submodule(path))]
        self._hooks.append(unet.register_forward_pre_hook(self._look_at, with_kwargs=True))

    def give(
        self, tokens: Tensor, *, strength: float = 1.0, weights: Mapping[str, float] | None = None,
        mask: Tensor | None = None, start: float = 0.0, end: float = 1.0,
    ) -> None:  # fmt: skip
        """Set what the following calls of the UNet attend to.

        `tokens`: (rows, t, context), one for every row that the UNet gets (unconditioned first, as pipelines order
        them), or (1, t, context) for all. `weights`: block name -> factor on `strength`. `mask`: (rows or 1, H, W)
        over the latent, 1 = where it acts. `start`, `end`: the part of the sampling run in which it acts, 0 at timestep
        999 and 1 at timestep 0. Without gradients keys and values are computed once for each `give`. Raises ValueError
        for an unknown block and an end that does not come after the start; so does the UNet for counts that do not fit.
        """
        timesteps = Span(start, end).levels(lambda share: _FIRST * (1 - share))
        factors = block_factors(weights or {})
        strengths = {name: strength * factors[name] for name in self._control.blocks}
        self._kept.clear()
        self._acts, self._conditions = True, _Tokens(tokens, strengths, mask, timesteps)

    def remove(self) -> None:
        """Take every hook off and drop what was kept."""
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._conditions = [], None
        self._kept.clear()
        self._before.clear()

    def _look_at(self, _: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        """The timestep of this call, read only where start and end ask for it."""
        timesteps = self._conditions.timesteps if self._conditions is not None else None
        if timesteps is not None:
            step = named["timestep"] if "timestep" in named else inputs[1]
            self._acts = timesteps.include(float(step.max() if isinstance(step, Tensor) else step))

    def _hook(self, name: str, block: Any) -> tuple[Any, Any]:
        def remember(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._before[name] = inputs[0]

        def add(_: nn.Module, __: Any, attended: Tensor) -> Tensor:
            return self._added(name, attended)

        return block.norm2.register_forward_pre_hook(remember), block.attn2.register_forward_hook(add)

    def _added(self, name: str, attended: Tensor) -> Tensor:
        """What cross-attention gives, (rows, n, C), with the controller's part added."""
        hidden, count = self._before.pop(name), len(attended)
        if self._conditions is None:
            raise ValueError("the controller has no tokens yet; call give(tokens) before the UNet, or remove()")
        conditions, block = self._conditions, self._control.blocks[name]
        for what, tensor in (("tokens", conditions.tokens), ("mask", conditions.mask)):
            if tensor is not None and len(tensor) not in (1, count):
                raise ValueError(f"{what} has {len(tensor)} rows but the UNet got {count}; give one, or as many")
        if conditions.strengths[name] == 0 or not self._acts:
            return attended
        # The UNet may be in half precision while the controller trains in float32.
        own: Any = block.zero
        like = own.weight
        keys, values = (t.expand(count, -1, -1, -1) for t in self._keys_and_values(name, conditions.tokens.to(like)))
        added = (block((hidden + attended).to(like), keys, values) * conditions.strengths[name]).to(attended)
        if conditions.mask is not None:
            share = mask_on_grid(conditions.mask, grid_of(attended.shape[1], conditions.mask)).flatten(1)[..., None]
            added = added * share.to(attended)
        return attended + added

    def _keys_and_values(self, name: str, tokens: Tensor) -> tuple[Tensor, Tensor]:
        project: Any = self._control.blocks[name].project
        if torch.is_grad_enabled():
            return project(tokens)
        if name not in self._kept:
            self._kept[name] = project(tokens)
        return self._kept[name]


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
