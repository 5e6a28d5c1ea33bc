"""Sampling of the layout-conditioned model outside a host: DDIM, the mix by the same wrapper as in a host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..sampling.masked_fusion import FusionLayer, HeldRegions
from .codec import Codec
from .file import BETAS, DiffusionConfig
from .layout_unet import LayoutUNet, layout_cells

_TIMESTEPS = 1000


@torch.no_grad()
def sample(
    net: LayoutUNet, codec: Codec, config: DiffusionConfig, areas: Tensor, layers: tuple[FusionLayer, ...] = (), *,
    steps: int = 50, seed: int = 0,
) -> Tensor:  # fmt: skip
    """Pictures (N, 3, H, W), -1..1, for the layouts `areas` (N, 5, H, W).

    `layers`: the sources that are kept, as `make_mix` gives them, their targets as `codec.encode` does.
    """
    layout = layout_cells(areas, config.codec.factor)
    noise = torch.randn(
        (len(layout), config.codec.latent, *layout.shape[2:]), generator=torch.Generator().manual_seed(seed)
    )
    guider = _Guider(_Model(net, config.scale, layout))
    sigmas = noise_levels(steps)
    outer = _Executor(guider, lambda noise, _, __, sigmas, *more: guider.run(noise, sigmas) / config.scale)
    empty = torch.zeros_like(noise)
    if layers:
        latents = HeldRegions(layers, lambda _, wrapper: guider.wrappers.append(wrapper))(
            outer, noise, empty, None, sigmas
        )
    else:
        latents = outer(noise, empty, None, sigmas)
    return codec.decode(latents).clamp(-1, 1)


def noise_levels(steps: int) -> Tensor:
    """(steps + 1,): sigmas at even timesteps of the model's training, and 0."""
    at = torch.linspace(_TIMESTEPS - 1, 0, steps).round().long()
    return torch.cat([_Levels().sigmas[at], torch.zeros(1)])


class _Levels:
    """The noise levels of the model's training, as a host's model_sampling gives them."""

    def __init__(self) -> None:
        betas = torch.linspace(BETAS[0] ** 0.5, BETAS[1] ** 0.5, _TIMESTEPS, dtype=torch.float64).square()
        kept = (1 - betas).cumprod(0)
        self.sigmas = ((1 - kept) / kept).sqrt().float()

    def timestep(self, sigma: Tensor) -> Tensor:
        return (sigma.log()[:, None] - self.sigmas.log()).abs().argmin(1)

    def percent_to_sigma(self, share: float) -> float:
        if share <= 0:
            return float("inf")
        return float(self.sigmas[round((1 - share) * (_TIMESTEPS - 1))]) if share < 1 else 0.0

    @staticmethod
    def noise_scaling(sigma: Tensor, noise: Tensor, clean: Tensor) -> Tensor:
        return clean + sigma * noise


@dataclass(eq=False)
class _Model:
    net: LayoutUNet
    scale: float
    layout: Tensor
    model_sampling: _Levels = field(default_factory=_Levels)

    def process_latent_in(self, latent: Tensor) -> Tensor:
        return latent * self.scale

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent that the network sees in `x` (N, C, h, w) at the noise levels (N,)."""
        wide = sigma[:, None, None, None]
        inputs = torch.cat([x / (wide.square() + 1).sqrt(), self.layout], 1)
        return x - wide * self.net(inputs, self.model_sampling.timestep(sigma))


@dataclass(eq=False)
class _Guider:
    """What `HeldRegions` reads of a host's guider."""

    inner_model: _Model
    wrappers: list[Callable[..., Tensor]] = field(default_factory=list)
    model_options: dict[str, Any] = field(default_factory=dict)

    @property
    def model_patcher(self) -> _Guider:
        return self

    def get_model_object(self, _: str) -> _Levels:
        return self.inner_model.model_sampling

    def run(self, noise: Tensor, sigmas: Tensor) -> Tensor:
        """DDIM without noise of its own, which is Euler's method over sigma."""
        x = noise * sigmas[0]
        call: Callable[..., Tensor] = _Executor(self, lambda x, sigma, *more: self.inner_model(x, sigma))
        for wrapper in self.wrappers:
            call = _Executor(self, lambda *arguments, wrapper=wrapper, inner=call: wrapper(inner, *arguments))
        for sigma, after in zip(sigmas[:-1], sigmas[1:], strict=True):
            clean = call(x, sigma.expand(len(x)), {}, None)
            x = clean + (x - clean) * (after / sigma)
        return x


@dataclass(eq=False)
class _Executor:
    class_obj: _Guider
    compute: Callable[..., Tensor]

    def __call__(self, *arguments: Any) -> Tensor:
        return self.compute(*arguments)
