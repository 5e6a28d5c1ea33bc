"""python -m face_part_fusion.training.fuse_any_part FOLDER --faces SET --base SD15 --encoder VIT: encode, train, save.

SET is what face-part-fusion dataset made; everybody needs two photographs or more. SD15 is a folder of SD1.5 in
diffusers' layout, VIT one of the picture encoder ViT-H/14. FOLDER keeps what was encoded and the state, so that a run
that was cut off goes on, and gets fuse_any_part.safetensors, which Fuse Any Part Loader reads.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import torch
from torch import Tensor

from ...injection.fuse_any_part.ddim import ddim, sigmas, timesteps
from ...injection.fuse_any_part.diffusers_models import load_encoder, load_vae
from ...injection.fuse_any_part.latents import SCALE
from ..core.options import accelerator_for, listed, main_first, process_number
from ..core.record import in_columns, one_sentence, to_terminal
from ..core.settings import add_settings, read_settings
from ..dataset.read import samples
from .model import KINDS, FusedDenoiser, save_denoiser, unet_of
from .photographs import Stored, fused_tokens, load, prepare, read, without
from .train import Settings, train

# Every so manieth person is shown on sample sheets and never trained on; so many are shown, in so many steps.
_HELD_OUT, _SHOWN, _STEPS = 10, 4, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=Path, help="the set; only needed to encode it")
    parser.add_argument("--base", type=Path, required=True, help="SD1.5: folders unet and vae")
    parser.add_argument("--encoder", type=Path, help="ViT-H/14; only needed to encode")
    add_settings(parser, Settings())
    options = parser.parse_args()
    settings, running = read_settings(options, Settings())
    if settings.kind not in KINDS:
        parser.error(f"kind is '{settings.kind}'; choose one of {', '.join(KINDS)}")
    if (options.faces is None) != (options.encoder is None):
        parser.error("to encode a set, both --faces and --encoder are needed")
    encoded, device = options.folder / "encoded", accelerator_for(running).device
    vae = load_vae(options.base, device, torch.float32)

    def encode(pictures: Tensor) -> Tensor:
        latents = vae.encode((pictures.movedim(-1, 1) * 2 - 1).to(device), return_dict=False)[0]
        return latents.mean.cpu()

    if options.faces is not None:
        with main_first(running), torch.no_grad():
            encoder = load_encoder(options.encoder, device, torch.float32)
            missing = prepare(samples(options.faces, 0), encoded, encoder, encode, _said)
        to_terminal(f"without a face: {', '.join(missing) or 'none'}")
    people, judges = without(load(encoded), _HELD_OUT)
    torch.manual_seed(settings.seed)
    classes = len(people.empty) - people.grid[0] * people.grid[1]
    unet = unet_of(options.base)
    copied = copy.deepcopy(unet) if settings.keep else None
    net = FusedDenoiser(unet, settings.kind, people.empty.shape[1], people.grid, classes)
    mean = None
    if copied is not None:
        mean = FusedDenoiser(copied, settings.kind, people.empty.shape[1], people.grid, classes)
        mean.load_state_dict(net.state_dict())

    def sheet(denoiser: FusedDenoiser) -> Tensor:
        targets, made = sampled(denoiser, judges, settings.seed)
        rows = [vae.decode((each / SCALE).to(device), return_dict=False)[0].float().cpu() for each in (targets, made)]
        return in_columns([row / 2 + 0.5 for row in rows])

    trained = train(
        net, mean, people, options.folder / "state.pt", settings, to_terminal, options=running,
        sheet=sheet if judges.people else None, facts=listed(str(f) for own in people.people for f in own),
    )  # fmt: skip
    if process_number() == 0:
        save_denoiser(trained, options.folder / "fuse_any_part.safetensors")


@torch.no_grad()
def sampled(net: FusedDenoiser, judges: Stored, seed: int) -> tuple[Tensor, Tensor]:
    """Latents of people who were not trained on, and what is made of them with parts of their other photographs."""
    device = next(net.parameters()).device
    shown = [[read(file) for file in (own[0], *own[1:4])] for own in judges.people[:_SHOWN]]
    pairs = [(own[0], dict(zip(("eyes", "nose", "mouth"), (own[1:] * 3)[:3], strict=True))) for own in shown]
    tokens = torch.stack([fused_tokens(*pair, judges.empty, judges.grid) for pair in pairs]).to(device)
    random = torch.Generator().manual_seed(seed)
    targets, painted, masks = (torch.stack([getattr(t, n) for t, _ in pairs]) for n in ("latent", "painted", "mask"))
    masked = painted * (1 - masks) + torch.randn(targets.shape, generator=random) * masks
    times = timesteps(_STEPS)

    def predict(x: Tensor, step: int) -> Tensor:
        rows = torch.cat([x, masked, masks], 1).to(device)
        return net(rows, torch.full((len(x),), int(times[step]), device=device), tokens).float().cpu()

    training = net.training
    net.eval()
    made = ddim(predict, torch.randn(targets.shape, generator=random), sigmas(_STEPS))
    net.train(training)
    return targets, made


def _said(number: int) -> None:
    if number % 50 == 0:
        to_terminal(f"encoded {number}")


if __name__ == "__main__":
    with one_sentence():
        main()
