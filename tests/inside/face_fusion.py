"""Measures Face Fusion in a real host: small UNets of the real layouts with random weights, people with random latents.

`face_fusion.py HOST BASE FAMILY`
"""

from __future__ import annotations

import copy
import functools
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host import finish, says, start

nodes = start()

import torch  # noqa: E402
from face_fusion_models import (  # noqa: E402
    EVERYWHERE,
    HEIGHT,
    WIDTH,
    People,
    Plain,
    draw,
    gap,
    half,
    referring,
    sample,
)  # fmt: skip
from face_part_fusion.injection.face_fusion.file import new_projections, save_projections  # noqa: E402
from face_part_fusion.injection.face_fusion.layers import transformer_layers  # noqa: E402
from face_part_fusion.injection.face_fusion.reference_store import ReferenceStore  # noqa: E402
from face_part_fusion.nodes.host.face_fusion import load_projections  # noqa: E402
from guider_kinds import dual, perpendicular, run, usual  # noqa: E402
from runs import runs_alive  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
BASE, FAMILY = Path(sys.argv[2]), sys.argv[3]
LATENT = draw(2, 4, HEIGHT, WIDTH, seed=3)
RAMP = (torch.arange(8 * WIDTH) / (8 * WIDTH)).expand(1, 8 * HEIGHT, -1).contiguous()
LEFT, RIGHT = half(True), half(False)


class Model:
    def __init__(self) -> None:
        self.model = small_unet(FAMILY)
        self.words = [random_words(FAMILY, seed) for seed in (11, 12)]

    def trained(self) -> tuple[Any, dict[str, tuple[Tensor, Tensor]]]:
        """Through the file, as a user has it, and its weights by layer."""
        layers = {layer.name: width for layer, width in transformer_layers(self.model.model.diffusion_model).items()}
        module = new_projections(FAMILY, layers)
        with torch.inference_mode(False), torch.no_grad():
            for i, projection in enumerate(module.layers.values()):
                for linear in (projection.to_k, projection.to_v):
                    linear.weight.copy_(draw(*linear.weight.shape, seed=i) / linear.weight.shape[0] ** 0.5)
        path = save_projections(module, BASE / f"{FAMILY}.safetensors")
        weights = {n: (p.to_k.weight.detach(), p.to_v.weight.detach()) for n, p in module.layers.items()}
        return load_projections(str(path)), weights

    def run(self, model: Any, latent: Tensor = LATENT) -> Tensor:
        """Noise levels are low, so that rounding, which grows with them, stays far below the bounds."""
        return run(usual(model, *self.words), latent)


def off(f: Model, done: Tensor, plain: Callable[[], Any], unpatched: Tensor) -> list[float]:
    """How far `done` is from the plain computation, and how far that is from the model without references."""
    with plain():
        expected = f.run(f.model)
    return [gap(done, expected), gap(expected, unpatched)]


def parity(f: Model) -> dict[str, list[float]]:
    """The largest difference to the equations written out, and what the references change at all."""
    one, two = People(), People((LEFT, RIGHT), (1, 2), strength=0.7)
    soft = People((RAMP, EVERYWHERE), (1, 1))
    weights = {
        "two": lambda p, y, x: 0.7 * (covered(x, 8) if p == 0 else 1 - covered(x, 8)),
        "soft": lambda p, y, x: mean_of_ramp(x) if p == 0 else 1.0,
    }
    text = random_words(FAMILY, 31)
    held, matrices = f.trained()
    words = {
        "one": (one, None, {}, {}),
        "two people": (two, weights["two"], {}, {}),
        "middle and up": (one, None, {"layers": "middle and up"}, {"layers": "middle and up"}),
        "unbalanced": (two, weights["two"], {"balance": False}, {"balance": False}),
        "negative": (one, None, {"unconditioned": True}, {"unconditioned": True}),
        "clean": (one, None, {"noise": "clean"}, {"noised": False}),
        "prompt": (one, None, {"prompt": text}, {"prompt": text}),
        "trained": (one, None, {"projections": held}, {"projections": matrices}),
        "trained, two people": (two, weights["two"], {"projections": held}, {"projections": matrices}),
    }
    words["soft region"] = (soft, weights["soft"], {}, {})
    if FAMILY == "sdxl":
        # Its 70 layers take their time; what is left out does not depend on the family.
        words = {name: words[name] for name in ("one", "two people", "prompt", "trained", "soft region")}
    result, unpatched = {}, f.run(f.model)
    for name, (people, weight, ours, theirs) in words.items():
        done = f.run(referring(f.model, people, **ours))
        weight = weight or (lambda p, y, x: 1.0)
        result[name] = off(f, done, functools.partial(Plain, f.model, people, weight, **theirs), unpatched)
    return result


def mean_of_ramp(x: float) -> float:
    """The ramp over the cell around x on a grid of 8, 4, 2 or 1 columns, of which x is a middle."""
    cells = next(n for n in (8, 4, 2, 1) if abs(x * n % 1 - 0.5) < 1e-6)
    pixels = 8 * WIDTH // cells
    first = round((x - 0.5 / cells) * 8 * WIDTH)
    return sum(range(first, first + pixels)) / pixels / (8 * WIDTH)


def equal(f: Model) -> dict[str, float]:
    one, three = People(), People(photographs=(3,))
    expected, of_three = f.run(referring(f.model, one)), f.run(referring(f.model, three))
    twice = copy.copy(one)
    twice.latents = [[one.latents[0][0]] * 2]
    twice.people = [three.people[0].__class__("p", one.people[0].pictures * 2, (None, None), 1.0, EVERYWHERE)]
    turned = copy.copy(three)
    turned.latents = [[three.latents[0][i] for i in (2, 0, 1)]]
    twins = copy.copy(one)
    twins.latents, twins.people = one.latents * 2, [one.people[0].__class__(
        "p", one.people[0].pictures, (None,), 0.5, EVERYWHERE)] * 2  # fmt: skip
    return {
        "permuted": gap(f.run(referring(f.model, turned)), of_three),
        "twice": gap(f.run(referring(f.model, twice)), expected),
        "two people who are one": gap(f.run(referring(f.model, twins)), expected),
        "several act": gap(of_three, expected),
    }


def exact(f: Model) -> dict[str, float]:
    """Differences that must be exactly 0."""
    unpatched, one = f.run(f.model), People()
    patched = referring(f.model, one)
    done, sibling = f.run(patched), f.run(referring(f.model, People(seed=50)))
    between = referring(f.model, one, start=0.4, end=0.6)
    result = {
        "strength 0": f.run(fused(f, strength=0.0)) - unpatched,
        "black region": f.run(fused(f, region=torch.zeros(1, 8 * HEIGHT, 8 * WIDTH))) - unpatched,
        "outside the span": sample(between, FAMILY) - sample(f.model, FAMILY),
        "model afterwards": f.run(f.model) - unpatched,
        "clone": f.run(patched.clone().clone()) - done,
        "after a sibling": f.run(patched) - done,
        "negative's rows": negatives(f, patched) - negatives(f, f.model),
        "rows of others": untouched_pictures(f),
    }
    return {
        **{name: float(difference.abs().max()) for name, difference in result.items()},
        "sibling differs": gap(sibling, done),
    }


def fused(f: Model, strength: float = 1.0, region: Tensor = EVERYWHERE) -> Any:
    """By the node itself."""
    people = People((region,), strength=strength)

    class Vae:
        def encode(self, picture: Tensor) -> Tensor:
            return people.latents[0][0]

    return nodes["ReferenceFusion"].execute(
        f.model, Vae(), {"person0": people.people[0]}, {"mechanism": "training-free"}, "as the step", "all", 0.0, 1.0,
        1, True, False,
    )[0]  # fmt: skip


def negatives(f: Model, model: Any) -> Tensor:
    seen: list[Tensor] = []
    watched = model.clone()
    watched.set_model_sampler_post_cfg_function(
        lambda given: seen.append(given["uncond_denoised"].clone()) or given["denoised"]
    )
    f.run(watched)
    return seen[0]


def untouched_pictures(f: Model) -> Tensor:
    """The second picture of a batch, whose region is black, under a person who appears in the first."""
    region = torch.cat([torch.ones_like(LEFT), torch.zeros_like(LEFT)])
    return (f.run(referring(f.model, People((region,)))) - f.run(f.model))[1]


def influence(f: Model) -> dict[str, float]:
    """How far another second person changes attention outputs of the first one's queries, and of their own."""
    first, second = People((LEFT, RIGHT), (1, 1)), People((LEFT, RIGHT), (1, 1))
    second.latents[1] = [draw(1, 4, 8, 8, seed=99)]
    outputs = []
    for people in (first, second):
        kept: list[Tensor] = []
        model = referring(f.model, people)
        model.set_model_attn1_output_patch(lambda n, options, kept=kept: kept.append((n.clone(), dict(options))) or n)
        run(usual(model, *f.words), LATENT)
        outputs.append(kept)
    # The first layer's queries are alike in both; later ones differ by what the others' queries changed.
    (a, options), (b, _) = outputs[0][0], outputs[1][0]
    h, w = options["activations_shape"][-2:]
    difference = (a - b).abs().reshape(len(a), h, w, -1)
    return {"first": float(difference[:, :, : w // 2].max()), "second": float(difference[:, :, w // 2 :].max())}


def batches(f: Model) -> dict[str, float]:
    """Batches, areas and guiders."""
    two, model = People((LEFT, RIGHT), (1, 1)), f.model
    patched = referring(model, two)
    whole = f.run(patched)
    noise_is_one = torch.stack([f.run(patched, LATENT[i : i + 1])[0] for i in range(2)])
    swapped = People((torch.cat([LEFT, RIGHT]), torch.cat([RIGHT, LEFT])), (1, 1))
    mixed = f.run(referring(model, swapped))
    other = People((RIGHT, LEFT), (1, 1))
    text, more = f.words[0][0]
    area = [[[text, {**more, "area": (8, 8, 4, 0)}], [text, more]], f.words[1]]
    everywhere = referring(model, People())
    with Plain(model, People()):
        plain = run(usual(model, *area), LATENT)
        plain_perp = run(other_guiders(f, model)[1], LATENT)
    # Its conditionings come in the order negative, second, first.
    with Plain(model, People(), conditioned=(1, 2)):
        plain_dual = run(other_guiders(f, model)[0], LATENT)
    result = {
        "one by one": gap(whole, noise_is_one),
        "own regions": max(gap(mixed[0], whole[0]), gap(mixed[1], f.run(referring(model, other))[1])),
        "area": gap(run(usual(everywhere, *area), LATENT), plain),
        "area acts": gap(plain, run(usual(model, *area), LATENT)),
    }
    for name, kind, expected in zip(
        ("dual", "perpneg"), other_guiders(f, everywhere), (plain_dual, plain_perp), strict=True
    ):
        result[name] = gap(run(kind, LATENT), expected)
    with Plain(model, two, weight_in_area):
        plain = run(usual(model, *area_alone(f)), LATENT)
    result["region in an area"] = gap(run(usual(patched, *area_alone(f)), LATENT), plain)
    return result


def area_alone(f: Model) -> list[Any]:
    """The positive covers the upper half of the left three quarters, which is a call of its own."""
    text, more = f.words[0][0]
    return [[[text, {**more, "area": (8, 6, 0, 0)}]], f.words[1]]


def weight_in_area(person: int, y: float, x: float) -> float:
    """`x` of the area, whose six columns end at three quarters of the picture."""
    return covered(x, 6) if person == 0 else 1 - covered(x, 6)


def covered(x: float, columns: int) -> float:
    """The share of a cell that lies in the picture's left half, of `columns` of the 8 columns that a call may have.

    `x`: the cell's middle, in 0..1 of the call; each level of the UNet has half the columns, rounded up.
    """
    cells = next(n for n in (columns, (columns + 1) // 2, (columns + 3) // 4, 1) if abs(x * n % 1 - 0.5) < 1e-6)
    first, last = ((x + side * 0.5 / cells) * columns / 8 for side in (-1, 1))
    return min(max((0.5 - first) / (last - first), 0.0), 1.0)


def other_guiders(f: Model, model: Any) -> list[Any]:
    return [dual(model, *f.words, False), perpendicular(model, *f.words)]


def memory(f: Model) -> dict[str, Any]:
    """What is left after samplings, and how the process grows over many."""
    stores: list[Any] = []
    before = ReferenceStore.begin_evaluation

    def watched(store: Any, *arguments: Any) -> None:
        before(store, *arguments)
        stores[:] = [store.bytes]

    patched, small = referring(f.model, People()), LATENT[:1, :, :8, :8]
    ReferenceStore.begin_evaluation = watched
    run(usual(patched, *f.words), small)
    ReferenceStore.begin_evaluation = before
    for _ in range(20):
        run(usual(patched, *f.words), small)
    start_size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(60):
        run(usual(patched, *f.words), small)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start_size
    return {"bytes": stores[0], "runs": runs_alive(), "grown, MB": grown / 1024}


def calls(f: Model) -> dict[str, int]:
    """How often the UNet computes a reference in a run of four steps."""
    counted = {}
    for name, more in {
        "every step": {}, "every second": {"every": 2}, "clean": {"noise": "clean"}, "late": {"start": 0.6},
        "three at once": {"people": People(photographs=(3,))}, "up": {"layers": "up"},
    }.items():  # fmt: skip
        words = dict(more)
        people = words.pop("people", People())
        rows: list[int] = []
        unet = f.model.model.diffusion_model
        handle = unet.register_forward_pre_hook(
            lambda _, given, rows=rows: rows.append(given[0].shape[0] * (given[0].shape[-2] == 8))
        )
        sample(referring(f.model, people, **words), FAMILY, steps=4)
        handle.remove()
        counted[name] = sum(1 for n in rows if n)
    return counted


def refusals(f: Model) -> dict[str, str]:
    square = torch.ones(1, 64, 64)
    behind = referring(f.model, People())
    guided = f.model.clone()
    guided.set_model_attn1_replace(lambda q, k, v, options: v, "middle", 0)
    narrow = [[torch.zeros(1, 77, 640), {}]]
    held, _ = f.trained()
    other = small_unet("sdxl" if FAMILY == "sd15" else "sd15")
    return {
        "shape": says(lambda: f.run(referring(f.model, People((square,))))),
        "count": says(lambda: f.run(referring(f.model, People((LEFT.repeat(3, 1, 1),))))),
        "second node": says(lambda: referring(behind, People())),
        "guidance": says(lambda: referring(guided, People())),
        "prompt": says(lambda: f.run(referring(f.model, People(), prompt=narrow))),
        "span": says(lambda: referring(f.model, People(), start=0.7, end=0.2)),
        "family": says(lambda: referring(other, People(), projections=held)),
        "channels": says(lambda: referring(f.model, sixteen())),
    }


def sixteen() -> People:
    people = People()
    people.latents = [[draw(1, 16, 8, 8)]]
    return people


with torch.inference_mode():
    model = Model()
    measured = {"parity": parity(model), "equal": equal(model), "exact": exact(model), "influence": influence(model)}
    if FAMILY == "sd15":
        measured |= {
            "batches": batches(model), "memory": memory(model), "calls": calls(model), "refusals": refusals(model),
        }  # fmt: skip
    finish(measured)
