"""A sampling step with two sources mixed in, beside the same step of the unpatched model:

    <the host's python> benchmarks/semantic_mix.py COMFYUI [--runs 9] [--steps 3] [--latent 64]

SD1.5's blocks, each 320 channels wide, random weights, float32 on one thread of the CPU, cfg 1, in a real host. That is
an eighth of SD1.5's weights, so that what the mix adds weighs more here than there. Sampling runs are interleaved. Time
is that of the processor. Whole steps scatter by some percent, so what the mix itself computes is timed as well.
The ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BAR = 1.01


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", type=Path, help="a ComfyUI folder")
    parser.add_argument("--runs", type=int, default=9, help="rounds, each with both models once")
    parser.add_argument("--steps", type=int, default=3, help="of one sampling run")
    parser.add_argument("--latent", type=int, default=64, help="side of the latent in cells")
    return parser.parse_args()


def start_host(host: Path) -> dict[str, type]:
    """The pack's nodes in that host; what it writes goes to a temporary folder."""
    sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "inside")]
    from host import start

    sys.argv = [sys.argv[0], str(host.expanduser().resolve()), tempfile.mkdtemp()]
    return start()


def main() -> None:
    arguments = options()
    node = start_host(arguments.host)["SemanticMix"]
    import torch

    torch.set_num_threads(1)
    side = arguments.latent
    plain = model()
    head, body = torch.zeros(1, 8 * side, 8 * side), torch.zeros(1, 8 * side, 8 * side)
    head[:, : 4 * side], body[:, 5 * side :] = 1, 1
    first, second = ({"samples": torch.randn(1, 4, side, side)} for _ in range(2))
    mixed = node.execute(
        plain, first, head, second, body, "mix first", start_percent=0.0, end_percent=1.0, keep_sources=True
    ).args[0]
    seconds: dict[str, list[float]] = {"unpatched": [], "two sources": []}
    own_seconds = timed_mix()
    models = {"unpatched": plain, "two sources": mixed}
    for i in range(arguments.runs + 1):
        for name in list(models)[:: 1 if i % 2 else -1]:
            taken = sampled(models[name], side, arguments.steps)
            if i:  # the first round warms up
                seconds[name].append(taken / arguments.steps)
    ratio = median(own / other for own, other in zip(seconds["two sources"], seconds["unpatched"], strict=True))
    own = median(own_seconds)
    for name, each in seconds.items():
        print(f"{name:<14}{1000 * median(each):>9.1f} ms of one step")
    print(f"ratio of whole steps {ratio:.4f}x   bar {BAR:.2f}x")
    print(f"the mix itself {1000 * own:.2f} ms of a step, {1 + own / median(seconds['unpatched']):.5f}x")


def timed_mix() -> list[float]:
    """Fills with the seconds that the mix itself takes in each step."""
    from face_part_fusion.injection.sampling.masked_fusion import _Fusion

    seconds: list[float] = []
    before = _Fusion.predict_noise

    def predict(fusion: Any, executor: Any, *arguments: Any) -> Any:
        inside = 0.0

        class Inner:
            class_obj = executor.class_obj

            def __call__(self, *words: Any) -> Any:
                nonlocal inside
                start = time.process_time()
                result = executor(*words)
                inside = time.process_time() - start
                return result

        start = time.process_time()
        result = before(fusion, Inner(), *arguments)
        seconds.append(time.process_time() - start - inside)
        return result

    _Fusion.predict_noise = predict
    return seconds


def model() -> Any:
    """A host MODEL with all of SD1.5's blocks."""
    import comfy.sd
    from random_models import _drawn, _unet

    network = _unet(
        num_res_blocks=[2] * 4, channel_mult=[1] * 4, transformer_depth=[1] * 6 + [0] * 2,
        transformer_depth_output=[1] * 9 + [0] * 3, transformer_depth_middle=1, context_dim=768,
    )  # fmt: skip
    return comfy.sd.load_diffusion_model_state_dict(
        {k: _drawn(v, i) for i, (k, v) in enumerate(network.state_dict().items())}
    )


def sampled(model: Any, side: int, steps: int) -> float:
    """Seconds of one sampling run."""
    import comfy.sample
    import torch
    from random_models import random_conditioning

    latent = torch.zeros(1, 4, side, side)
    noise, words = comfy.sample.prepare_noise(latent, 0), random_conditioning("sd15", 0)
    start = time.process_time()
    comfy.sample.sample(
        model,
        noise,
        steps,
        1.0,
        "euler",
        "normal",
        words,
        words,
        latent,
        seed=0,
        disable_pbar=True,
        force_full_denoise=True,
    )
    return time.process_time() - start


if __name__ == "__main__":
    main()
