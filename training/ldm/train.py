"""Training of the layout-conditioned latent diffusion model with diffusers' classes: first the codec, then the UNet.

The codec learns by absolute error and the codebook's own loss; LPIPS and the discriminator of CompVis' recipe are left
out, so its pictures are softer than theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...fusion.regions.layout import CLASSES
from ...injection.hs_diffusion.codec import CodecShape
from ...injection.hs_diffusion.file import BETAS, DiffusionConfig
from ...injection.hs_diffusion.layout_unet import UNetShape, layout_cells
from ..core.loop import train
from ..core.options import Options, accelerator_for
from ..core.plan import Log, Mean, Part, Plan, Terms
from .people import Batches

# Share of the codec's training without quantisation; the codebook then begins with codes that the encoder makes.
_FREE = 0.3
# Batches whose spread gives the scale.
_SCALED = 4
_STEPS = 1000


@dataclass(frozen=True)
class Settings:
    """Steps and learning rates of both trainings."""

    codec_steps: int = 20000
    steps: int = 100000
    batch: int = 8
    codec_rate: float = 4.5e-5
    rate: float = 5e-5
    keep: float = 0.999
    seed: int = 0


def new_codec(shape: CodecShape) -> Any:
    """A diffusers VQModel of these sizes."""
    from diffusers import VQModel

    stages = len(shape.widths)
    return VQModel(
        down_block_types=("DownEncoderBlock2D",) * stages, up_block_types=("UpDecoderBlock2D",) * stages,
        block_out_channels=shape.widths, layers_per_block=shape.layers, latent_channels=shape.latent,
        num_vq_embeddings=shape.codes, norm_num_groups=shape.groups,
    )  # fmt: skip


def new_unet(shape: UNetShape) -> Any:
    """A diffusers UNet2DModel of these sizes."""
    from diffusers import UNet2DModel

    down = tuple("AttnDownBlock2D" if attends else "DownBlock2D" for attends in shape.attends)
    up = tuple("AttnUpBlock2D" if attends else "UpBlock2D" for attends in shape.attends[::-1])
    return UNet2DModel(
        in_channels=shape.latent + shape.encoded, out_channels=shape.latent, block_out_channels=shape.widths,
        down_block_types=down, up_block_types=up, layers_per_block=shape.layers, norm_num_groups=shape.groups,
        attention_head_dim=shape.head_width,
    )  # fmt: skip


class LayoutDenoiser(nn.Module):
    """The UNet with its layout encoder; its state dict is that of `LayoutUNet`."""

    def __init__(self, shape: UNetShape) -> None:
        super().__init__()
        self.layout_encoder = nn.Conv2d(len(CLASSES), shape.encoded, 1, bias=False)
        self.unet = new_unet(shape)

    def forward(self, noisy: Tensor, layout: Tensor, timesteps: Tensor) -> Tensor:
        return self.unet(torch.cat([noisy, self.layout_encoder(layout)], 1), timesteps).sample


class _CodecError(nn.Module):
    """Pictures -> the codec's loss. `quantised`: whether through the codebook. `begin`: fill it first."""

    def __init__(self, codec: Any) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, pictures: Tensor, quantised: bool, begin: Callable[[Tensor], None] | None) -> Tensor:
        latents = self.codec.encode(pictures).latents
        if begin is not None:
            begin(latents)
        decoded = self.codec.decode(latents, force_not_quantize=not quantised)
        error = (decoded.sample - pictures).abs().mean()
        return error + self.codec.quantize(latents)[1] if quantised else error


def train_codec(
    shape: CodecShape, batches: Batches, state: Path, settings: Settings, log: Log, stop: int | None = None,
    options: Options | None = None, facts: Mapping[str, Any] | None = None,
) -> Any:  # fmt: skip
    """A trained VQModel; goes on from `state` where it exists.

    `stop`: the step before which to leave off, None for none.
    """
    options = options or Options()
    # Without quantisation the codebook is left out.
    accelerator = accelerator_for(options, skips=True)
    torch.manual_seed(settings.seed)
    codec = new_codec(shape)
    net = _CodecError(codec)
    free = int(_FREE * settings.codec_steps) * options.accumulate

    def begin(latents: Tensor) -> None:
        _begin_codebook(codec, latents)
        if accelerator.num_processes > 1:
            from accelerate.utils import broadcast

            codec.quantize.embedding.weight.data.copy_(broadcast(codec.quantize.embedding.weight.data))

    def losses(nets: Mapping[str, nn.Module], one: tuple[int, Tensor]) -> Iterator[tuple[str, Terms]]:
        number, pictures = one
        yield "codec", {"loss": nets["codec"](pictures, number >= free, begin if number == free else None)}

    plan = Plan(
        "codec", {"codec": Part(net, _optimizer(net, settings.codec_rate), clip=1.0)}, settings.codec_steps,
        lambda number: (number, next(batches)[0].to(accelerator.device)), losses, {"batches": batches}, settings,
        facts or {}, "codec",
    )  # fmt: skip
    train(plan, state, options, accelerator, log, stop)
    return codec.eval().cpu()


@torch.no_grad()
def _begin_codebook(codec: Any, latents: Tensor) -> None:
    cells = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
    book = codec.quantize.embedding.weight
    picks = torch.randint(len(cells), (len(book),), device=cells.device)
    # Codes that were picked twice drift apart.
    book.copy_(cells[picks] + 1e-2 * cells.std() * torch.randn_like(book))


@torch.no_grad()
def scale_of(codec: Any, batches: Batches) -> float:
    """The factor after which latents have a variance near 1."""
    latents = [codec.encode(next(batches)[0]).latents for _ in range(_SCALED)]
    return 1 / float(torch.cat(latents).std())


def train_unet(
    config: DiffusionConfig, codec: Any, batches: Batches, state: Path, settings: Settings, log: Log,
    stop: int | None = None, options: Options | None = None,
    sheet: Callable[[LayoutDenoiser], Tensor] | None = None, facts: Mapping[str, Any] | None = None,
) -> LayoutDenoiser:  # fmt: skip
    """A trained denoiser, the mean of its last steps; goes on from `state` where it exists.

    `stop`: as for `train_codec`. `sheet`: of the mean, as `Plan.sheet`.
    """
    from diffusers import DDPMScheduler

    options = options or Options()
    accelerator = accelerator_for(options)
    torch.manual_seed(settings.seed + 1)
    scheduler: Any = DDPMScheduler(_STEPS, *BETAS, beta_schedule="scaled_linear")
    net, mean = LayoutDenoiser(config.unet), LayoutDenoiser(config.unet)
    mean.load_state_dict(net.state_dict())
    encoder = codec.to(accelerator.device)

    def losses(nets: Mapping[str, nn.Module], one: tuple[Tensor, Tensor]) -> Iterator[tuple[str, Terms]]:
        pictures, layouts = one
        with torch.no_grad():
            latents = encoder.encode(pictures).latents * config.scale
        noise, timesteps = torch.randn_like(latents), torch.randint(_STEPS, (len(latents),), device=latents.device)
        noisy = scheduler.add_noise(latents, noise, timesteps)
        predicted = nets["unet"](noisy, layout_cells(layouts, config.codec.factor), timesteps)
        yield "unet", {"loss": (predicted - noise).square().mean()}

    def batch(number: int) -> tuple[Tensor, ...]:
        return tuple(each.to(accelerator.device) for each in next(batches))

    part = Part(net, _optimizer(net, settings.rate), clip=1.0, mean=Mean(mean, settings.keep))
    plan = Plan(
        "denoiser", {"unet": part}, settings.steps, batch, losses, {"batches": batches}, settings, facts or {}, "unet",
        sheet=None if sheet is None else lambda: sheet(mean),
    )  # fmt: skip
    train(plan, state, options, accelerator, log, stop)
    codec.cpu()
    return mean.eval().cpu()


def _optimizer(net: nn.Module, rate: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-4)
