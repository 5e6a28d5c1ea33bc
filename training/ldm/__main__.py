"""python -m face_part_fusion.training.ldm FOLDER --portraits ...: parse, train codec and denoiser, save, sample.

FOLDER keeps the pictures and both states, so that a run that was cut off goes on. The default sizes are those of
CompVis' semantic synthesis and want a graphics card for days; `--miniature` makes a model in minutes on two cores.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ...fusion.regions.layout import drawn
from ...injection.hs_diffusion.codec import Codec, CodecShape
from ...injection.hs_diffusion.file import DiffusionConfig, save_diffusion
from ...injection.hs_diffusion.layout_unet import LayoutUNet, UNetShape
from ...injection.hs_diffusion.sampling import sample
from ..parser.portraits import held_out
from .people import Sample, batches, load, prepare
from .train import Settings, scale_of, train_codec, train_unet

_SIZE, _SMALL = 256, 64
_MINIATURE = (
    UNetShape((48, 96, 96), (False, True, True), 1, 8, 32), CodecShape((24, 48, 48), 1, 8, 3, 512),
    Settings(codec_steps=2500, steps=6000, batch=16, codec_rate=1e-3, rate=1e-3, keep=0.998),
)  # fmt: skip
_SHOWN = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--portraits", type=Path, help="the folder of pictures; only needed to parse them")
    parser.add_argument("--miniature", action="store_true")
    parser.add_argument("--device", default="cpu")
    for name, value in vars(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value))
    options = parser.parse_args()
    unet, codec_shape, settings = _MINIATURE if options.miniature else (UNetShape(), CodecShape(), Settings())
    changes = {name: getattr(options, name) for name in asdict(settings) if getattr(options, name) is not None}
    settings, folder = replace(settings, **changes), options.folder
    if options.portraits is not None:
        pictures = sorted(options.portraits.glob("*.jpg"))
        prepare(pictures, folder / "people", _SMALL if options.miniature else _SIZE,
                lambda i: _log(f"parsed {i} of {len(pictures)}") if i % 20 == 0 else None)  # fmt: skip
    people = load(folder / "people")
    judges = held_out(list(people))
    own = [person for name, person in people.items() if name not in judges]
    data = batches(own, settings.batch, settings.seed)
    codec = train_codec(codec_shape, data, folder / "codec.pt", settings, _log, options.device)
    config = DiffusionConfig(unet, codec_shape, scale_of(codec, data, options.device))
    net = train_unet(config, codec, data, folder / "unet.pt", settings, _log, options.device)
    save_diffusion(config, net.state_dict(), codec.state_dict(), folder / "head_layout_diffusion.safetensors")
    _show([people[name] for name in sorted(judges)[:_SHOWN]], config, net, codec, folder / "samples.png")


def _show(
    people: list[Sample], config: DiffusionConfig, net: torch.nn.Module, codec: torch.nn.Module, path: Path
) -> None:
    """A sheet of layouts that were not trained on, the people that they belong to, and what the model makes of them."""
    plain, own = LayoutUNet(config.unet), Codec(config.codec)
    plain.load_state_dict(net.state_dict())
    own.load_state_dict(codec.state_dict())
    areas = torch.stack([person.areas for person in people])
    rows = [
        torch.stack([drawn(a).permute(2, 0, 1) for a in areas]),
        torch.stack([person.picture for person in people]) / 2 + 0.5,
        *(sample(plain, own, config, areas, seed=seed) / 2 + 0.5 for seed in range(2)),
    ]
    sheet = torch.cat([torch.cat(list(row), -1) for row in rows], 1)
    Image.fromarray((sheet.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy().astype(np.uint8)).save(path)


def _log(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
