"""python -m face_part_fusion.training.ldm FOLDER --portraits ...: parse, train codec and denoiser, save, sample.

FOLDER keeps the pictures and both states, so that a run that was cut off goes on. The default sizes are those of
CompVis' semantic synthesis and want a graphics card for days; `--miniature` makes a model in minutes on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from ...fusion.regions.layout import drawn
from ...injection.hs_diffusion.codec import Codec, CodecShape
from ...injection.hs_diffusion.file import DiffusionConfig, save_diffusion
from ...injection.hs_diffusion.layout_unet import LayoutUNet, UNetShape
from ...injection.hs_diffusion.sampling import sample
from ..core.options import apart, listed, main_first, process_number
from ..core.record import in_columns, one_sentence, to_terminal, write_picture
from ..core.settings import add_settings, read_settings
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
    add_settings(parser, Settings(), _MINIATURE[2])
    options = parser.parse_args()
    unet, codec_shape, default = _MINIATURE if options.miniature else (UNetShape(), CodecShape(), Settings())
    settings, running = read_settings(options, default)
    folder = options.folder
    if options.portraits is not None:
        pictures = sorted(options.portraits.glob("*.jpg"))
        with main_first(running):
            prepare(pictures, folder / "people", _SMALL if options.miniature else _SIZE,
                    lambda i: to_terminal(f"parsed {i} of {len(pictures)}") if i % 20 == 0 else None)  # fmt: skip
    people = load(folder / "people")
    judges = held_out(list(people))
    own = [person for name, person in people.items() if name not in judges]
    data, facts = batches(own, settings.batch, apart(settings.seed)), listed(people)
    shown = [people[name] for name in sorted(judges)[:_SHOWN]]
    codec = train_codec(codec_shape, data, folder / "codec.pt", settings, to_terminal, options=running, facts=facts)
    config = DiffusionConfig(unet, codec_shape, scale_of(codec, data))
    net = train_unet(
        config, codec, data, folder / "unet.pt", settings, to_terminal, options=running,
        sheet=lambda net: _sheet(shown, config, net, codec), facts=facts,
    )  # fmt: skip
    if process_number():
        return
    save_diffusion(config, net.state_dict(), codec.state_dict(), folder / "head_layout_diffusion.safetensors")
    write_picture(_sheet(shown, config, net, codec), folder / "samples.png")


def _sheet(people: list[Sample], config: DiffusionConfig, net: torch.nn.Module, codec: torch.nn.Module) -> Tensor:
    """Layouts that were not trained on, the people that they belong to, and what the model makes of them."""
    plain, own = LayoutUNet(config.unet), Codec(config.codec)
    plain.load_state_dict(net.state_dict())
    own.load_state_dict(codec.state_dict())
    areas = torch.stack([person.areas for person in people])
    return in_columns([
        torch.stack([drawn(a).permute(2, 0, 1) for a in areas]),
        torch.stack([person.picture for person in people]) / 2 + 0.5,
        *(sample(plain, own, config, areas, seed=seed) / 2 + 0.5 for seed in range(2)),
    ])  # fmt: skip


if __name__ == "__main__":
    with one_sentence():
        main()
