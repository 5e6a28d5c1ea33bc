"""FuseAnyPart in a diffusers UNet: variant A as cross-attention processors, variant B as hooks in ResNet blocks.

Source: arXiv 2410.22771 and the public release. Nothing here is under `no_grad`: gradients reach adapter and UNet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..unet.blocks import BLOCKS, Block
from ..unet.fit import check_fit, unet_sizes
from .adapters import CROSS_ATTENTION, Adapter, CrossAttentionAdapter
from .residuals import linear_weights


@dataclass(eq=False)
class _Features:
    """The features that the next calls add.

    maps: block name -> (N, C, h, w). outside: block name -> (N, C, 1, 1), added outside `view`. view: as in
    `set_features`. context: (N, n, context), what the UNet reads in place of a text.
    """

    maps: dict[str, Tensor] = field(default_factory=dict)
    outside: dict[str, Tensor] = field(default_factory=dict)
    view: Tensor | None = None
    context: Tensor | None = None


class Injection:
    """An adapter that is attached to a diffusers `UNet2DConditionModel` until `remove` (or the end of a `with`).

    `set_features` sets what is added; calling the object then predicts noise. There is no prompt in either mode. With
    a `view`, variant A gives what ComfyUI's "practical" gives without one: attention to a text of zeros leaves the
    bias of `to_out`. Variant B reads its picture tokens over the whole latent, there only within the view. Neither the
    UNet's state dict nor the adapter's changes. Raises ValueError when the two do not fit or the UNet already carries
    an adapter.
    """

    def __init__(self, unet: Any, adapter: Adapter) -> None:
        self.unet, self.adapter = unet, adapter
        self._features = _Features()
        self._undo: list[Callable[[], object]] = []
        _check_unet(unet, adapter)
        points = [_InjectionPoint(self._features, unet, adapter.kind, block) for block in BLOCKS]
        for point in points:
            self._undo += point.attach()

    def set_features(
        self, tokens: Tensor, grid: tuple[int, int], classes: int = 1, strength: float = 1.0, view: Tensor | None = None
    ) -> None:
        """What the following calls add.

        tokens: (N, classes + h*w, width), of the encoder; N is the batch of the calls, or 1 for all of them.
        grid: (h, w), of the patch tokens.
        classes: class tokens before the patch tokens.
        strength: factor on the added features; at 0, variant A still adds the bias of each block's `to_out`, as
            released.
        view: (N, 4), y0, x0, y1, x1 in 0..1, where the tokens lie in the picture, with soft edges; without it they lie
            over all of it and the nearest is taken, as released.

        Everything that does not depend on the noisy latent is computed here. Set the features again for a backward
        pass, and after every change of weights. Raises ValueError for tokens of another shape.
        """
        _check_tokens(tokens, grid, classes, self.adapter)
        tokens = tokens.to(next(self.adapter.parameters()))
        patches, features = tokens[:, classes:], self._features
        if isinstance(self.adapter, CrossAttentionAdapter):
            patches = self.adapter.features(patches)
            features.context = tokens.new_zeros(1, 1, int(self.unet.config.cross_attention_dim))
        else:
            features.context = self.adapter.context(tokens)
        features.view = view
        for block in BLOCKS:
            added = strength * self.adapter.project(block.name, patches)
            if self.adapter.kind == CROSS_ATTENTION:
                # `to_out` acts on each token alone, so it may come before the enlargement; there are fewer tokens then.
                outside = _to_out(self.unet, block, torch.zeros_like(added[:, 0]))
                features.outside[block.name] = outside[..., None, None]
                added = _to_out(self.unet, block, added)
            features.maps[block.name] = added.transpose(1, 2).unflatten(2, grid)

    def __call__(self, sample: Tensor, timestep: Tensor | int) -> Tensor:
        """The UNet's prediction (N, 4, H, W) for its input (N, 9, H, W); H and W divisible by 8.

        Variant A reads no text at all; variant B reads the resampler's tokens in its place. Raises ValueError before
        features are set, and for features of another batch.
        """
        context = _for_batch(self._features.context, len(sample))
        return self.unet(sample, timestep, encoder_hidden_states=context, return_dict=False)[0]

    def remove(self) -> None:
        """Restore the UNet. A second call does nothing."""
        while self._undo:
            self._undo.pop()()
        self._features.maps.clear()
        self._features.outside.clear()
        self._features.context = None

    def __enter__(self) -> Injection:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class _InjectionPoint:
    """What the UNet calls in one of its 16 blocks."""

    def __init__(self, features: _Features, unet: Any, kind: str, block: Block) -> None:
        self._features, self._name = features, block.name
        self._size: tuple[int, int] = (0, 0)
        self._cross = kind == CROSS_ATTENTION
        self._attention = unet.get_submodule(block.diffusers_cross_attention)
        self._transformer = unet.get_submodule(block.diffusers_attention)
        self._norm = unet.get_submodule(f"{block.diffusers_resnet}.norm2")
        hooks = [hook.__self__ for hook in self._norm._forward_hooks.values() if hasattr(hook, "__self__")]
        if any(isinstance(own, _InjectionPoint) for own in (self._attention.processor, *hooks)):
            raise ValueError("the UNet already carries an adapter; remove that one first")

    def attach(self) -> list[Callable[[], object]]:
        """Returns the functions that undo it."""
        if not self._cross:
            return [self._norm.register_forward_hook(self.after_norm).remove]
        before = self._attention.processor
        hook = self._transformer.register_forward_pre_hook(self.note_size, with_kwargs=True)
        self._attention.set_processor(self)
        return [hook.remove, lambda: self._attention.set_processor(before)]

    def note_size(self, _: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        sample = arguments[0] if arguments else named["hidden_states"]
        self._size = (int(sample.shape[-2]), int(sample.shape[-1]))

    def after_norm(self, _: nn.Module, __: tuple[Any, ...], normed: Tensor) -> Tensor:
        self._size = (int(normed.shape[-2]), int(normed.shape[-1]))
        return normed + self._resized(normed)

    def __call__(
        self, attn: nn.Module, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None, *_: Any, **__: Any,
    ) -> Tensor:  # fmt: skip
        """The attention processor: queries, keys and values are not computed."""
        return self._resized(hidden_states).flatten(2).transpose(1, 2)

    def _resized(self, like: Tensor) -> Tensor:
        """This block's features at its own size, (N, C, H, W)."""
        features = self._features
        added = _for_batch(features.maps.get(self._name), len(like)).to(like)
        if features.view is None:
            return functional.interpolate(added, self._size, mode="nearest")
        y0, x0, y1, x1 = _for_batch(features.view, len(like)).cpu().unbind(1)
        down = linear_weights(y0, y1, added.shape[2], self._size[0])
        across = linear_weights(x0, x1, added.shape[3], self._size[1])
        resized = torch.einsum("nhy,ncyx,nwx->nchw", down.to(added), added, across.to(added))
        if self._name not in features.outside:
            return resized
        inside = (down.sum(-1)[:, :, None] * across.sum(-1)[:, None])[:, None].to(added)
        return resized + (1 - inside) * features.outside[self._name].to(added)


def _check_unet(unet: Any, adapter: Adapter) -> None:
    check_fit(
        adapter.block_sizes, unet_sizes(unet, diffusers=True), adapter=f"adapter is FuseAnyPart variant {adapter.kind}",
        unet="the UNet", advice="take the UNet2DConditionModel of the family SD1.5 that it was trained with",
    )  # fmt: skip
    if unet.config.resnet_time_scale_shift != "default":
        raise ValueError("the UNet scales and shifts by time after its second norm; SD1.5 does not: take an SD1.5 UNet")


def _to_out(unet: Any, block: Block, tokens: Tensor) -> Tensor:
    for layer in unet.get_submodule(block.diffusers_cross_attention).to_out:
        tokens = layer(tokens)
    return tokens


def _for_batch(features: Tensor | None, count: int) -> Tensor:
    if features is None:
        raise ValueError("the UNet was called before features were set; call set_features first")
    if len(features) not in (1, count):
        raise ValueError(f"the UNet was called with a batch of {count}, but {len(features)} features were set")
    return features.expand(count, *features.shape[1:])


def _check_tokens(tokens: Tensor, grid: tuple[int, int], classes: int, adapter: Adapter) -> None:
    needed = (classes + grid[0] * grid[1], adapter.width)
    if tokens.ndim != 3 or tuple(tokens.shape[1:]) != needed:
        raise ValueError(
            f"tokens have shape {tuple(tokens.shape)}; needed is (N, {needed[0]}, {needed[1]}): {classes} class token "
            f"and {grid[0]} x {grid[1]} patches of an encoder that is {needed[1]} wide"
        )
