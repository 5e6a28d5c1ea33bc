"""What training costs: operations of one sample, counted by PyTorch, and time on cards, computed from them.

    python benchmarks/training.py [--loop]

Counted is one step forward and back, on tensors without content, at the trainers' default sizes; a multiplication and
an addition are two operations. The hours are what the default number of samples takes where 40 % of the card's
published bfloat16 rate is reached: an estimate, not a measurement. --loop measures one thing: the step of the common
loop against a plain loop of the same diffusers model, in turns, in time of the processor.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from pack import load_pack
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

load_pack()
from face_part_fusion.detectors.parser_net import PARSER_SIZE, FaceParser  # noqa: E402
from face_part_fusion.injection.faces.fixer_net import SIDE as LOWER  # noqa: E402
from face_part_fusion.injection.faces.fixer_net import WIDTH  # noqa: E402
from face_part_fusion.injection.faces.iresnet import DEPTHS, FaceVectorNet  # noqa: E402
from face_part_fusion.injection.hs_diffusion.codec import CodecShape  # noqa: E402
from face_part_fusion.injection.hs_diffusion.layout_net import SIDE as LAYOUT  # noqa: E402
from face_part_fusion.injection.hs_diffusion.layout_net import LayoutNet  # noqa: E402
from face_part_fusion.injection.hs_diffusion.layout_unet import UNetShape  # noqa: E402
from face_part_fusion.injection.reliable_swap.aei_net import SIDE, AEINet  # noqa: E402
from face_part_fusion.training.core.loop import train  # noqa: E402
from face_part_fusion.training.core.options import Options, accelerator_for  # noqa: E402
from face_part_fusion.training.core.plan import Mean, Part, Plan  # noqa: E402
from face_part_fusion.training.face_fusion.model import TRAINED, ReferenceDenoiser  # noqa: E402
from face_part_fusion.training.face_fusion.train import Settings as FaceFusion  # noqa: E402
from face_part_fusion.training.layout.train import Settings as Layout  # noqa: E402
from face_part_fusion.training.ldm.train import LayoutDenoiser, new_codec  # noqa: E402
from face_part_fusion.training.ldm.train import Settings as Diffusion  # noqa: E402
from face_part_fusion.training.parser.train import Settings as Parser  # noqa: E402
from face_part_fusion.training.reliable_swap.discriminator import PatchJudge  # noqa: E402
from face_part_fusion.training.reliable_swap.generator import Settings as Generator  # noqa: E402

# Published dense bfloat16 rates, operations a second, and the share of them that training reaches here.
CARDS = {"RTX 4090": 165e12, "A100": 312e12, "H100": 989e12}
REACHED = 0.4
PHOTOGRAPHS = 500_000
BATCH = 2


def layout() -> Tensor:
    return LayoutNet()(torch.rand(BATCH, 5, LAYOUT, LAYOUT))


def parser() -> Tensor:
    return FaceParser()(torch.rand(BATCH, 3, PARSER_SIZE, PARSER_SIZE))


def face_fusion() -> Tensor:
    """With one reference, which passes the UNet without a gradient."""
    net = ReferenceDenoiser(FaceFusion().widths)
    latents = torch.rand(BATCH, 4, 16, 16)
    net.set_references(latents[:, None], TRAINED)
    return net(latents, torch.zeros(BATCH, dtype=torch.int64))


def codec() -> Tensor:
    return new_codec(CodecShape())(torch.rand(BATCH, 3, 256, 256)).sample


def denoiser() -> Tensor:
    shape, cells = UNetShape(), 256 // CodecShape().factor
    latents, layouts = torch.rand(BATCH, shape.latent, cells, cells), torch.rand(BATCH, 5, cells, cells)
    with torch.no_grad():
        new_codec(CodecShape()).encode(torch.rand(BATCH, 3, 256, 256))
    return LayoutDenoiser(shape)(latents, layouts, torch.zeros(BATCH, dtype=torch.int64))


def fixer() -> Tensor:
    return FaceVectorNet(DEPTHS["r50"], LOWER, WIDTH)(torch.rand(BATCH, 3, LOWER, LOWER))


def generator() -> Tensor:
    """Without VGG. The recognisers see the source without, and the result with a gradient; the judge three pictures."""
    net, judge = AEINet(640), PatchJudge()
    whole, lower = FaceVectorNet(DEPTHS["r100"], 112, 512), FaceVectorNet(DEPTHS["r50"], LOWER, WIDTH)
    with torch.no_grad():
        whole(torch.rand(BATCH, 3, 112, 112)), lower(torch.rand(BATCH, 3, LOWER, LOWER))
    for each in (whole, lower):
        each.requires_grad_(False)
    target = torch.rand(BATCH, 3, SIDE, SIDE)
    encode, decode = net.get_submodule("encoder"), net.get_submodule("generator")
    result = decode(encode(target), torch.rand(BATCH, 640))
    total = sum(each.sum() for each in encode(result))
    total = total + whole(result[..., :112, :112]).sum() + lower(result[..., :LOWER, :LOWER]).sum()
    for pictures in (result, result.detach(), target):
        total = total + sum(scores.sum() for scores in judge(pictures))
    return total


def operations(make: Callable[[], Tensor]) -> float:
    """Of one sample."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        make().sum().backward()
    return counter.get_total_flops() / BATCH


def costs() -> None:
    diffusion, steps = Diffusion(), Generator()
    rows = {
        "layout": (layout, Layout().samples),
        "parser": (parser, Parser().samples),
        "face_fusion (miniature)": (face_fusion, FaceFusion().steps * FaceFusion().batch),
        "ldm, codec": (codec, diffusion.codec_steps * diffusion.batch),
        "ldm, denoiser": (denoiser, diffusion.steps * diffusion.batch),
        f"FixerNet, 25 epochs of {PHOTOGRAPHS:,}": (fixer, 25 * PHOTOGRAPHS),
        "reliable_swap generator": (generator, steps.steps * steps.batch),
    }
    print("| trainer | operations a sample | samples | " + " | ".join(f"hours, one {card}" for card in CARDS) + " |")
    print("|---|---|---|" + "---|" * len(CARDS))
    for name, (make, samples) in rows.items():
        each = operations(make)
        hours = (each * samples / rate / REACHED / 3600 for rate in CARDS.values())
        shown = (f"{hour:.2g}" if hour >= 0.01 else "under 0.01" for hour in hours)
        rounded = float(f"{each / 1e9:.3g}")
        print(f"| {name} | {rounded:,g} G | {samples:,} | " + " | ".join(shown) + " |")


class Denoising:
    """The layout-conditioned denoiser in miniature, on one processor."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        shape = UNetShape((48, 96, 96), (False, True, True), 1, 8, 32)
        self.net, self.mean = LayoutDenoiser(shape), LayoutDenoiser(shape)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), 1e-3)
        self.batch = torch.rand(4, 3, 16, 16), torch.rand(4, 5, 16, 16), torch.zeros(4, dtype=torch.int64)

    def plain(self, steps: int) -> None:
        for _ in range(steps):
            loss = (self.net(*self.batch) - self.batch[0]).square().mean()
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self.optimizer.step()
            with torch.no_grad():
                for old, new in zip(self.mean.parameters(), self.net.parameters(), strict=True):
                    old.lerp_(new, 0.01)
            float(loss.detach())

    def common(self, steps: int) -> None:
        def losses(nets: dict[str, nn.Module], batch: tuple[Tensor, ...]) -> Iterator[tuple[str, dict[str, Tensor]]]:
            yield "net", {"loss": (nets["net"](*batch) - batch[0]).square().mean()}

        part = Part(self.net, self.optimizer, clip=1.0, mean=Mean(self.mean, 0.99))
        plan = Plan("denoiser", {"net": part}, steps, lambda number: self.batch, losses, save=10**9)
        with tempfile.TemporaryDirectory() as folder:
            train(plan, Path(folder) / "state.pt", Options(), accelerator_for(Options()), lambda line: None)


def loop(few: int = 5, many: int = 35) -> None:
    """Both ends of a run, with its two checkpoints, are taken out by the difference of two runs."""
    torch.set_num_threads(1)
    model, ratios = Denoising(), []
    for _ in range(7):
        times = []
        for run in (model.plain, model.common):
            spent = []
            for steps in (few, many):
                begin = time.process_time()
                run(steps)
                spent.append(time.process_time() - begin)
            times.append((spent[1] - spent[0]) / (many - few))
        ratios.append(times[1] / times[0])
        sys.stderr.write(f"plain {times[0] * 1e3:.1f} ms, common {times[1] * 1e3:.1f} ms, {ratios[-1]:.3f}x\n")
    print(f"step of the common loop against a plain one: {statistics.median(ratios):.3f}x (median of {len(ratios)})")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--loop", action="store_true")
    loop() if options.parse_args().loop else costs()
