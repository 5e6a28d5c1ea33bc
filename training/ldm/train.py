"""Training of the layout-conditioned latent diffusion model with diffusers' classes: first the codec, then the UNet.

The codec learns by absolute error and the codebook's own loss; LPIPS and the discriminator of CompVis' recipe are left
out, so its pictures are softer than theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...fusion.regions.layout import CLASSES
from ...injection.hs_diffusion.codec import CodecShape
from ...injection.hs_diffusion.file import BETAS, DiffusionConfig
from ...injection.hs_diffusion.layout_unet import UNetShape, layout_cells

Batches = Iterator[tuple[Tensor, Tensor]]
Log = Callable[[str], None]
# Share of the codec's training without quantisation; the codebook then begins with codes that the encoder makes.
_FREE = 0.3
# Steps between two lines of the log and between two states on the disk, and batches whose spread gives the scale.
_REPORT, _SAVE, _SCALED = 50, 200, 4
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


def train_codec(
    shape: CodecShape, batches: Batches, state: Path, settings: Settings, log: Log, device: str = "cpu"
) -> Any:
    """A trained VQModel; goes on from `state` where it exists."""
    torch.manual_seed(settings.seed)
    codec = new_codec(shape).to(device)
    free = int(_FREE * settings.codec_steps)

    def loss_of(step: int, pictures: Tensor, _: Tensor) -> Tensor:
        latents = codec.encode(pictures).latents
        if step == free:
            _begin_codebook(codec, latents)
        decoded = codec.decode(latents, force_not_quantize=step < free)
        error = (decoded.sample - pictures).abs().mean()
        return error if step < free else error + codec.quantize(latents)[1]

    _run(codec, loss_of, batches, settings.codec_steps, settings.codec_rate, state, "codec", log, device)
    return codec.eval()


@torch.no_grad()
def _begin_codebook(codec: Any, latents: Tensor) -> None:
    cells = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
    book = codec.quantize.embedding.weight
    picks = torch.randint(len(cells), (len(book),), device=cells.device)
    # Codes that were picked twice drift apart.
    book.copy_(cells[picks] + 1e-2 * cells.std() * torch.randn_like(book))


@torch.no_grad()
def scale_of(codec: Any, batches: Batches, device: str = "cpu") -> float:
    """The factor after which latents have a variance near 1."""
    latents = [codec.encode(next(batches)[0].to(device)).latents for _ in range(_SCALED)]
    return 1 / float(torch.cat(latents).std())


def train_unet(
    config: DiffusionConfig, codec: Any, batches: Batches, state: Path, settings: Settings, log: Log,
    device: str = "cpu",
) -> LayoutDenoiser:  # fmt: skip
    """A trained denoiser, the mean of its last steps; goes on from `state` where it exists."""
    from diffusers import DDPMScheduler

    torch.manual_seed(settings.seed + 1)
    scheduler: Any = DDPMScheduler(_STEPS, *BETAS, beta_schedule="scaled_linear")
    net = LayoutDenoiser(config.unet).to(device)
    mean = LayoutDenoiser(config.unet).to(device)
    mean.load_state_dict(net.state_dict())

    def loss_of(step: int, pictures: Tensor, layouts: Tensor) -> Tensor:
        with torch.no_grad():
            latents = codec.encode(pictures).latents * config.scale
        noise, timesteps = torch.randn_like(latents), torch.randint(_STEPS, (len(latents),), device=latents.device)
        noisy = scheduler.add_noise(latents, noise, timesteps)
        predicted = net(noisy, layout_cells(layouts, config.codec.factor), timesteps)
        return (predicted - noise).square().mean()

    def average(step: int) -> None:
        with torch.no_grad():
            for old, new in zip(mean.parameters(), net.parameters(), strict=True):
                old.lerp_(new, 1 - min(settings.keep, (step + 1) / (step + 10)))

    _run(net, loss_of, batches, settings.steps, settings.rate, state, "unet", log, device, mean, average)
    return mean.eval()


def _run(
    net: nn.Module, loss_of: Callable[[int, Tensor, Tensor], Tensor], batches: Batches, steps: int, rate: float,
    state: Path, name: str, log: Log, device: str, mean: nn.Module | None = None,
    after: Callable[[int], None] | None = None,
) -> None:  # fmt: skip
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-4)
    step, total = 0, 0.0
    kept: dict[str, Any] = {"net": net, "optimizer": optimizer, **({"mean": mean} if mean is not None else {})}
    if state.exists():
        stored = torch.load(state, map_location=device, weights_only=True)
        for key, part in kept.items():
            part.load_state_dict(stored[key])
        step = stored["step"]

    def keep(step: int) -> None:
        torch.save({key: part.state_dict() for key, part in kept.items()} | {"step": step}, state)

    for i in range(step, steps):
        loss = loss_of(i, *(tensor.to(device) for tensor in next(batches)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        if after is not None:
            after(i)
        total += float(loss.detach())
        if (i + 1) % _REPORT == 0:
            log(f"{name}: step {i + 1} of {steps}, loss {total / _REPORT:.4f}")
            total = 0.0
        if (i + 1) % _SAVE == 0:
            keep(i + 1)
    keep(max(step, steps))
