"""Measures FaceX's controller in a real host: small UNets of the real layout, 16 blocks, with random weights."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from host import finish, start

start()

import comfy.cldm.cldm  # noqa: E402
import comfy.clip_vision  # noqa: E402
import comfy.controlnet  # noqa: E402
import comfy.model_patcher  # noqa: E402
import comfy.ops  # noqa: E402
import comfy.sample  # noqa: E402
import comfy.supported_models  # noqa: E402
import safetensors.torch  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.detectors.motion import MOTION, NAMES, PROVIDER  # noqa: E402
from face_part_fusion.detectors.parts import Face, FaceParts, Region  # noqa: E402
from face_part_fusion.injection.blocks import BLOCKS  # noqa: E402
from face_part_fusion.injection.facex import FaceXConfig, default_config, providers_of  # noqa: E402
from face_part_fusion.injection.facex_adapters import RECOGNISER, VISION, Source  # noqa: E402
from face_part_fusion.injection.facex_control import ExtraCrossAttention, block_channels  # noqa: E402
from face_part_fusion.injection.facex_file import new_controller, save_controller  # noqa: E402
from face_part_fusion.injection.representation import FaceRepresentation  # noqa: E402
from face_part_fusion.nodes.facex_controller import apply_facex, encode_facex, load_facex  # noqa: E402
from random_models import random_model  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
SIDE, STEPS = 8, 3
WIDTHS, CONTEXTS = {"sd15": 32, "sd2": 64}, {"sd15": 768, "sd2": 1024}
SOURCES = {
    "identity": Source(RECOGNISER, 3, 8),
    "region": Source(VISION, 8, 16),
    **{group: Source(PROVIDER, 1, len(values)) for group, values in MOTION.items()},
    "inpaint": Source(VISION, 4, 24),
}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small_unet_config(family: str) -> dict[str, Any]:
    return dict(
        image_size=32, in_channels=4, model_channels=WIDTHS[family], num_res_blocks=[2] * 4, channel_mult=(1, 2, 4, 4),
        transformer_depth=[1] * 6 + [0, 0], transformer_depth_middle=1, context_dim=CONTEXTS[family],
        use_spatial_transformer=True, legacy=False, use_linear_in_transformer=family == "sd2", adm_in_channels=None,
        dtype=torch.float32,
    )  # fmt: skip


def small_model(family: str) -> Any:
    known = {"sd15": comfy.supported_models.SD15, "sd2": comfy.supported_models.SD20}[family]
    config = small_unet_config(family) | {"out_channels": 4, "transformer_depth_output": [1] * 9 + [0] * 3}
    model = known(config).get_model({})
    randomise(model.diffusion_model, 1)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def randomise(module: Any, seed: int, only: str = "") -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if only in name:
                noise = torch.randn(value.shape, generator=generator)
                value.copy_(noise / math.sqrt(value[0].numel()) if value.ndim > 1 else 0.1 * noise + 0.5)


def controller(family: str, base: Path, random: bool, seed: int = 3) -> Any:
    """Through the file, as a user has it."""
    module = new_controller(FaceXConfig(family, block_channels(WIDTHS[family]), SOURCES), seed)
    if random:
        randomise(module, seed, ".zero.")
    path = save_controller(module, base / f"{family}_{random}_{seed}.safetensors")
    with safetensors.safe_open(path, "pt") as file:
        return load_facex(safetensors.torch.load_file(path), file.metadata())


def face(count: int = 1, seed: int = 5) -> FaceRepresentation:
    config = FaceXConfig("sd15", {}, SOURCES)
    shapes = {name: (count, source.tokens, source.width) for name, source in SOURCES.items()}
    drawn = {name: draw(*shapes[name], seed=seed) for name in ("identity", "region", "inpaint")}
    return FaceRepresentation(
        regions=drawn["region"], identity=drawn["identity"], inpaint=drawn["inpaint"],
        motion=draw(count, len(NAMES), seed=seed), providers=providers_of(config),
    )  # fmt: skip


def sample(model: Any, family: str, count: int = 1, control: Any = None, steps: int = STEPS) -> Tensor:
    words = []
    for seed in (11, 12):
        more = {} if control is None else {"control": control, "control_apply_to_uncond": True}
        words.append([[draw(1, 7, CONTEXTS[family], seed=seed), more]])
    latent = torch.zeros(count, 4, SIDE, SIDE)
    noise = draw(count, 4, SIDE, SIDE, seed=9)
    return comfy.sample.sample(
        model, noise, steps, 5.0, "euler", "normal", *words, latent, seed=1, disable_pbar=True
    )


def gap(a: Tensor, b: Tensor) -> float:
    """The largest difference, in standard deviations of `b`."""
    return float((a - b).abs().max() / b.std())


class Plain:
    """The published equations written out in each block of a model, in the place of the block's own forward."""

    def __init__(self, model: Any, held: Any, person: FaceRepresentation, add: float = 0.0) -> None:
        self.unet, self.add = model.model.diffusion_model, add
        self.weights = {name: weight.clone() for name, weight in held.module.state_dict().items()}
        self.heads = {name: block.heads for name, block in held.module.control.blocks.items()}
        with torch.no_grad():
            self.face, self.empty = held.module.tokens(person)

    def __enter__(self) -> Plain:
        self.blocks = [self.unet.get_submodule(f"{b.attention}.transformer_blocks.0") for b in BLOCKS]
        for place, block in zip(BLOCKS, self.blocks, strict=True):
            block.forward = self.forward(place.name, block)
        return self

    def __exit__(self, *_: Any) -> None:
        for block in self.blocks:
            del block.forward

    def forward(self, name: str, block: Any) -> Any:
        def forward(x: Tensor, context: Tensor, transformer_options: dict[str, Any]) -> Tensor:
            chunks = transformer_options["cond_or_uncond"]
            each = len(x) // len(chunks)
            person = self.face if len(self.face) == each else self.face.repeat(each, 1, 1)
            tokens = torch.cat([self.empty.repeat(each, 1, 1) if c else person for c in chunks])
            x = x + block.attn1(block.norm1(x))
            x = x + block.attn2(block.norm2(x), context=context) + self.add
            x = x + self.extra(name, x, tokens)
            return x + block.ff(block.norm3(x))

        return forward

    def extra(self, name: str, x: Tensor, tokens: Tensor) -> Tensor:
        def weight(key: str) -> Tensor:
            return self.weights[f"control.blocks.{name}.{key}"]

        mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
        n = (x - mean) / (variance + 1e-5).sqrt() * weight("norm.weight") + weight("norm.bias")
        q, k, v = n @ weight("to_q.weight").T, tokens @ weight("to_k.weight").T, tokens @ weight("to_v.weight").T
        each = x.shape[-1] // self.heads[name]
        out = []
        for h in range(self.heads[name]):
            part = slice(h * each, (h + 1) * each)
            scores = q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(each)
            out.append(scores.softmax(-1) @ v[..., part])
        mixed = torch.cat(out, -1) @ weight("to_out.weight").T + weight("to_out.bias")
        return mixed @ weight("zero.weight").T + weight("zero.bias")


def family_figures(family: str, base: Path) -> dict[str, Any]:
    model = small_model(family)
    new, trained = controller(family, base, False), controller(family, base, True)
    unpatched = sample(model, family, 2)
    zero = sample(apply_facex(model, new, face()), family, 2)
    patched = sample(apply_facex(model, trained, face()), family, 2)
    with Plain(model, trained, face()):
        plain = sample(model, family, 2)
    with Plain(model, trained, face(2)):
        plain_of_two = sample(model, family, 2)
    of_two = sample(apply_facex(model, trained, face(2)), family, 2)
    return {
        "finite": bool(unpatched.isfinite().all()), "zero": gap(zero, unpatched), "acts": gap(patched, unpatched),
        "plain": gap(patched, plain), "two people": gap(of_two, plain_of_two),
        "model afterwards": gap(sample(model, family, 2), unpatched),
    }  # fmt: skip


def calls(model: Any, held: Any) -> dict[str, Any]:
    """How often each block attends and projects in one sampling, and what is kept afterwards."""
    attends, projects = Counter(), Counter()
    names = {id(block): name for name, block in held.module.control.blocks.items()}
    forward, project = ExtraCrossAttention.forward, ExtraCrossAttention.project

    def counted_forward(self: Any, *given: Any) -> Any:
        attends[names[id(self)]] += 1
        return forward(self, *given)

    def counted_project(self: Any, *given: Any) -> Any:
        projects[names[id(self)]] += 1
        return project(self, *given)

    ExtraCrossAttention.forward, ExtraCrossAttention.project = counted_forward, counted_project
    encoded, tokens = Counter(), held.module.tokens

    def counted_tokens(person: Any) -> Any:
        encoded["tokens"] += 1
        return tokens(person)

    object.__setattr__(held.module, "tokens", counted_tokens)
    patched = apply_facex(model, held, face())
    sample(patched, "sd15", 2)
    ExtraCrossAttention.forward, ExtraCrossAttention.project = forward, project
    object.__delattr__(held.module, "tokens")
    patch = patched.model_options["transformer_options"]["patches"]["middle_patch"][0].__self__
    return {
        "attends": dict(attends), "projects": dict(projects), "tokens": encoded["tokens"], "kept": len(patch._kept),
        "steps": STEPS,
    }  # fmt: skip


def together(model: Any, held: Any, base: Path) -> dict[str, float]:
    """With clones, siblings, LoRA, another patch of the same kind, a second controller and a ControlNet."""
    unpatched, alone = sample(model, "sd15"), apply_facex(model, held, face())
    expected = sample(alone, "sd15")
    sibling = apply_facex(model, held, face(seed=6))
    grandchild = alone.clone().clone()
    result = {
        "siblings differ": gap(sample(sibling, "sd15"), expected),
        "clone": gap(sample(grandchild, "sd15"), expected),
        "after the sibling": gap(sample(alone, "sd15"), expected),
        "parent": gap(sample(model, "sd15"), unpatched),
    }
    lora = model.clone()
    key = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_out.0.weight"
    accepted = lora.add_patches({key: (0.5 * draw(32, 32, seed=4),)}, 1.0)
    result["lora accepted"] = len(accepted)
    with_lora = sample(apply_facex(lora, held, face()), "sd15")
    with Plain(model, held, face()):
        result["lora"] = gap(with_lora, sample(lora, "sd15"))
    result["lora acts"] = gap(with_lora, expected)
    added = model.clone()
    added.set_model_attn2_output_patch(lambda n, _: n + 0.25)
    with Plain(model, held, face(), add=0.25):
        plain = sample(model, "sd15")
    result["addition"] = gap(sample(apply_facex(added, held, face()), "sd15"), plain)
    off = apply_facex(alone, held, face(seed=6), strength=0.0)
    result["second at strength 0"] = gap(sample(off, "sd15"), expected)
    twice = sample(apply_facex(alone, controller("sd15", base, True, 8), face(seed=6)), "sd15")
    result["second acts"] = gap(twice, expected)
    return result | control_net(model, held)


def control_net(model: Any, held: Any) -> dict[str, float]:
    net = comfy.cldm.cldm.ControlNet(
        hint_channels=3, operations=comfy.ops.manual_cast, device="cpu", num_heads=8, num_head_channels=-1,
        **small_unet_config("sd15"),
    )  # fmt: skip
    randomise(net, 7)
    control = comfy.controlnet.ControlNet(net, load_device=torch.device("cpu"), manual_cast_dtype=torch.float32)
    control.set_cond_hint(torch.rand(1, 3, 8 * SIDE, 8 * SIDE, generator=torch.Generator().manual_seed(1)), 0.2)
    patched = sample(apply_facex(model, held, face()), "sd15", control=control)
    with Plain(model, held, face()):
        plain = sample(model, "sd15", control=control)
    unpatched = sample(model, "sd15", control=control)
    return {"control net": gap(patched, plain), "control net acts": gap(patched, unpatched)}


def limits(model: Any, held: Any) -> dict[str, float]:
    """Masks, schedules and weights."""
    unpatched, full = sample(model, "sd15"), sample(apply_facex(model, held, face()), "sd15")

    def off(**how: Any) -> tuple[float, float]:
        made = sample(apply_facex(model, held, face(), **how), "sd15")
        return gap(made, unpatched), gap(made, full)

    names = [block.name for block in BLOCKS]
    return {
        "white mask": off(mask=torch.ones(1, 64, 64))[1], "black mask": off(mask=torch.zeros(1, 64, 64))[0],
        "half mask": min(off(mask=torch.ones(1, 8, 8).index_fill(2, torch.arange(4), 0.0))),
        "strength 0": off(strength=0.0)[0], "strength half": min(off(strength=0.5)),
        "weights 0": off(block_weights=dict.fromkeys(names, 0.0))[0],
        "one block": min(off(block_weights={names[0]: 0.0})),
        "late": min(off(start=0.5)), "early": min(off(end=0.5)),
    }  # fmt: skip


def says(work: Any) -> str:
    try:
        work()
    except ValueError as error:
        return str(error)
    return ""


def errors(model: Any, held: Any, base: Path) -> dict[str, str]:
    two = apply_facex(model, held, face(2))
    named = {**face().providers, "identity": "another network"}
    return {
        "family": says(lambda: apply_facex(model, controller("sd2", base, False), face())),
        "other model": says(lambda: apply_facex(random_model("sdxl"), held, face())),
        "identity": says(lambda: apply_facex(model, held, replace(face(), identity=None))),
        "provider": says(lambda: apply_facex(model, held, replace(face(), providers=named))),
        "count": says(lambda: sample(two, "sd15", 3)),
        "start": says(lambda: apply_facex(model, held, face(), start=0.7, end=0.3)),
        "block": says(lambda: apply_facex(model, held, face(), block_weights={"input_3": 1.0})),
        "file": says(lambda: load_facex({"a": torch.zeros(1)}, {"format": "pt"})),
    }


def encoder(base: Path) -> Any:
    """The host's CLIP_VISION of ViT-L/14's build with random weights, two layers deep."""
    config = json.loads((Path(comfy.clip_vision.__file__).parent / "clip_vision_config_vitl.json").read_text())
    path = base / "vision.json"
    path.write_text(json.dumps(config | {"num_hidden_layers": 2}))
    vision = comfy.clip_vision.ClipVisionModel(str(path))
    generator = torch.Generator().manual_seed(2)
    weights = {k: torch.randn(v.shape, generator=generator) * 0.02 for k, v in vision.get_sd().items()}
    vision.load_sd(weights)
    return vision


def people(pictures: Tensor) -> FaceParts:
    """A face in the middle of each picture, with painted parts."""
    size = pictures.shape[1]

    def area(x0: int, y0: int, x1: int, y1: int) -> Region:
        mask = torch.zeros(size, size)
        mask[y0:y1, x0:x1] = 1
        return Region(mask=mask)

    points = torch.tensor([[45.0, 55], [75, 55], [60, 70], [50, 85], [70, 85]])
    regions = {"left_eye": area(40, 52, 50, 58), "right_eye": area(70, 52, 80, 58), "skin": area(30, 30, 90, 100)}
    face = Face((30, 30, 90, 100), 1.0, points, "five", None, regions)
    return FaceParts(pictures, ((face,),) * len(pictures), (0,) * len(pictures))


def encoding(base: Path) -> dict[str, Any]:
    """From a picture to a patched model, at the full sizes of the adapters but for the UNet's width."""
    config = default_config("sd15", block_channels(WIDTHS["sd15"]), identity=False)
    path = save_controller(new_controller(config), base / "full.safetensors")
    with safetensors.safe_open(path, "pt") as file:
        held = load_facex(safetensors.torch.load_file(path), file.metadata())
    vision, pictures = encoder(base), torch.rand(2, 120, 120, 3, generator=torch.Generator().manual_seed(4))
    made = encode_facex(held, vision, people(pictures))
    other = encode_facex(held, vision, people(pictures), torch.zeros_like(pictures))
    tokens, empty = held.module.tokens(made)
    one = encode_facex(held, vision, people(pictures[:1]), torch.zeros_like(pictures))
    lone = FaceParts(pictures, ((), ()), (None, None))
    with_identity = controller("sd15", base, False)
    return {
        "regions": list(made.regions.shape), "inpaint": list(made.inpaint.shape), "motion": list(made.motion.shape),
        "present": made.present.tolist(), "providers": dict(made.providers), "tokens": list(tokens.shape),
        "empty": list(empty.shape), "finite": bool(tokens.isfinite().all()),
        "people differ": gap(tokens[:1], tokens[1:]),
        "reference": gap(other.inpaint, made.inpaint), "reference leaves regions": gap(other.regions, made.regions),
        "one for two": list(one.regions.shape),
        "one for two differs": gap(one.inpaint, other.inpaint) + gap(one.regions[1:], made.regions[:1]),
        "other size": says(lambda: encode_facex(held, vision, people(pictures), torch.zeros(2, 60, 60, 3))),
        "no face": says(lambda: encode_facex(held, vision, lone)),
        "no recogniser": says(lambda: encode_facex(with_identity, vision, people(pictures))),
    }  # fmt: skip


def main() -> None:
    base = Path(sys.argv[2])
    with torch.inference_mode():
        model, held = small_model("sd15"), controller("sd15", base, True)
        finish(
            {
                "families": {family: family_figures(family, base) for family in WIDTHS},
                "calls": calls(model, held), "together": together(model, held, base), "limits": limits(model, held),
                "errors": errors(model, held, base), "encoding": encoding(base),
            }
        )  # fmt: skip


main()
