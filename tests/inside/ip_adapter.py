"""Measures regional IP-Adapter control in a real host, on narrow SD1.5 and SDXL models with random weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))
from host import finish, says, start  # noqa: E402

nodes = start()

import comfy.clip_vision  # noqa: E402
import comfy.sample  # noqa: E402
import folder_paths  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.detectors.motion import NAMES  # noqa: E402
from face_part_fusion.detectors.parts import Face, FaceParts, Region  # noqa: E402
from face_part_fusion.injection.facex.control import block_channels  # noqa: E402
from face_part_fusion.injection.facex.file import new_controller, save_controller  # noqa: E402
from face_part_fusion.injection.facex.model import FaceXConfig, default_config, providers_of  # noqa: E402
from face_part_fusion.injection.facex.representation import FaceRepresentation  # noqa: E402
from face_part_fusion.injection.ip_adapter.part_tokens import PartTokens  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from runs import runs_alive  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.ip_adapter_weights import PLACES, attention, image_tokens, nested, random_ip_adapter  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(1)
SIDE, STEPS = 16, 2
TINY = {"base": 32, "inner": 128}
EMPTY = torch.randn(1, 9, 1280, generator=torch.Generator().manual_seed(99))


def representation(seed: int, *parts: str, count: int = 1) -> PartTokens:
    draw = torch.Generator().manual_seed(seed)
    tokens = {part: torch.randn(count, 9, 1280, generator=draw) for part in parts or ("face",)}
    return PartTokens(tokens, EMPTY, {part: 1.0 for part in tokens}, "a test")


def target(*faces: dict[str, tuple[int, int, int, int]]) -> FaceParts:
    """Pictures of 128 x 128 pixels, eight for each cell of the latent, with one face each of these boxes."""
    made = []
    for boxes in faces:
        regions = {}
        for part, (x0, y0, x1, y1) in boxes.items():
            regions[part] = Region((torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=torch.float32),))
        made.append((Face((0.0, 0.0, 128.0, 128.0), 1.0, regions=regions),))
    return FaceParts(torch.zeros(len(faces), 128, 128, 3), tuple(made), (0,) * len(faces))


def apply(model: Any, controller: Any, *given: PartTokens | FaceRepresentation, **more: Any) -> Any:
    words = {
        "strength": 1.0, "start": 0.0, "end": 1.0, "grow": 0.0, "feather": 0.0, "block_weights": "", "target": None,
        "mask": None,
    }  # fmt: skip
    growing = {f"representation{i}": r for i, r in enumerate(given)}
    return nodes["ControllerApply"].execute(model, controller, **(words | more), representations=growing)[0]


class Bench:
    """One family: its model, an adapter on it, and its sampler."""

    def __init__(self, family: str, variant: str = "plus", suffix: str = ".safetensors") -> None:
        self.family, self.model = family, small_unet(family)
        self.weights = random_ip_adapter(family, variant, **TINY, seed=3)
        self.unet = self.model.model.diffusion_model
        file = Path(folder_paths.models_dir) / "ipadapter" / f"{family} {variant}{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".bin":
            torch.save(nested(self.weights), file)
        else:
            save_file(self.weights, file)
        self.controller = nodes["ControllerLoad"].execute(file.name)[0]

    def sample(self, model: Any, count: int = 1, seed: int = 5, steps: int = STEPS, seen: Any = None) -> Tensor:
        """Pictures of one batch start from the noise of seed, seed + 1, ..."""
        noise = torch.cat([torch.randn(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(seed + i))
                           for i in range(count)])  # fmt: skip
        words = [random_words(self.family, i) for i in (1, 2)]
        latent = torch.zeros_like(noise)
        return comfy.sample.sample(
            model, noise, steps, 3.0, "euler", "normal", *words, latent, seed=1, disable_pbar=True, callback=seen
        )

    def attentions(self) -> list[Any]:
        """The host's cross-attention modules in the files' order, by a table of the test's own."""
        return [self._attention(*place) for place in PLACES[self.family]]

    def _attention(self, side: str, number: int, index: int) -> Any:
        block = self.unet.middle_block if side == "middle" else getattr(self.unet, f"{side}_blocks")[number]
        return block[1].transformer_blocks[index].attn2

    def plainly(self, references: list[tuple[Tensor, Tensor, float]], blocks: dict[str, float] | None = None) -> Any:
        """A clone whose cross-attentions are computed step by step. `references`: tokens, mask (H, W), strength."""
        clone = self.model.clone()
        tokens = [(image_tokens(self.weights, t), image_tokens(self.weights, EMPTY)) for t, _, _ in references]
        for i, (place, module) in enumerate(zip(PLACES[self.family], self.attentions(), strict=True)):
            key = self.weights[f"ip_adapter.{2 * i + 1}.to_k_ip.weight"]
            value = self.weights[f"ip_adapter.{2 * i + 1}.to_v_ip.weight"]
            factor = (blocks or {}).get(f"{place[0]}_{place[1]}", 1.0)

            def forward(
                x: Tensor, context: Tensor, value: Any = None, mask: Any = None, transformer_options: Any = None,
                module: Any = module, to_k: Tensor = key, to_v: Tensor = value, factor: float = factor,
            ) -> Tensor:  # fmt: skip
                q = module.to_q(x)
                out = attention(q, module.to_k(context), module.to_v(context), module.heads)
                h, w = transformer_options["activations_shape"][-2:]
                for (cond, uncond), (_, area, strength) in zip(tokens, references, strict=True):
                    rows = torch.cat([uncond if c == 1 else cond for c in transformer_options["cond_or_uncond"]])
                    seen = attention(q, rows @ to_k.T, rows @ to_v.T, module.heads)
                    cells = F.adaptive_avg_pool2d(area[None, None], (h, w)).reshape(1, h * w, 1)
                    out = out + strength * factor * cells * seen
                return module.to_out(out)

            path = next(name for name, found in self.unet.named_modules() if found is module)
            clone.add_object_patch(f"diffusion_model.{path}.forward", forward)
        return clone


def output(bench: Bench, model: Any) -> Tensor:
    """What the UNet gives in the first of one step, all rows."""
    caught: list[Tensor] = []
    handle = bench.unet.out.register_forward_hook(lambda _, given, made: caught.append(made.clone()))
    try:
        bench.sample(model, steps=1)
    finally:
        handle.remove()
    return caught[0]


def gap(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


BOXES = {"eyes": (16, 16, 100, 50), "mouth": (40, 80, 90, 117)}
TWO_EYES = {"left_eye": (16, 16, 56, 50), "right_eye": (56, 16, 100, 50), "mouth": BOXES["mouth"]}
WHITE = torch.ones(128, 128)


def area(x0: int, y0: int, x1: int, y1: int) -> Tensor:
    """The region's own outline is soft by half a pixel at most, and these lie on whole pixels."""
    mask = torch.zeros(128, 128)
    mask[y0:y1, x0:x1] = 1
    return mask


def whole_picture(bench: Bench) -> dict[str, float]:
    face = representation(1)
    plain = output(bench, bench.plainly([(face.parts["face"], WHITE, 0.8)]))
    ours = output(bench, apply(bench.model, bench.controller, face, strength=0.8))
    return {"gap": gap(plain, ours), "moved": gap(ours, output(bench, bench.model)), "size": float(plain.std())}


def in_regions(bench: Bench) -> dict[str, float]:
    """Two people, eyes of the one and mouth of the other, with weights of single blocks."""
    first, second = representation(1, "eyes"), representation(2, "mouth")
    given = [(first.parts["eyes"], area(*BOXES["eyes"]), 1.5), (second.parts["mouth"], area(*BOXES["mouth"]), 1.5)]
    blocks = {"middle_0": 0.0, "output_3": 0.5}
    plain = output(bench, bench.plainly(given, blocks))
    more = {"target": target(TWO_EYES), "strength": 1.5, "block_weights": "middle = 0, output_3 = 0.5"}
    ours = output(bench, apply(bench.model, bench.controller, first, second, **more))
    return {"gap": gap(plain, ours), "moved": gap(ours, output(bench, bench.model))}


def first_attention(bench: Bench, model: Any) -> Tensor:
    """What the first cross-attention gives, before `to_out`; its input is the same whoever steers."""
    caught: list[Tensor] = []
    to_out = bench.attentions()[0].to_out
    handle = to_out.register_forward_pre_hook(lambda _, given: caught.append(given[0].clone()))
    try:
        bench.sample(model, steps=1)
    finally:
        handle.remove()
    return caught[0]


def own_reference_only(bench: Bench) -> dict[str, float]:
    first, second, other = representation(1, "eyes"), representation(2, "mouth"), representation(3, "mouth")
    seen = [
        first_attention(bench, apply(bench.model, bench.controller, first, one, target=target(TWO_EYES)))
        for one in (second, other)
    ]
    base = first_attention(bench, bench.model)
    change = (seen[0] - seen[1]).abs().amax((0, 2))
    moved = (seen[0] - base).abs().amax((0, 2))
    eyes, mouth = (F.adaptive_max_pool2d(area(*BOXES[p])[None, None], SIDE).flatten() > 0 for p in ("eyes", "mouth"))
    return {
        "outside its mouth": float(change[~mouth].max()), "inside": float(change[mouth].min()),
        "outside both": float(moved[~(mouth | eyes)].max()), "inside eyes": float(moved[eyes].min()),
    }  # fmt: skip


def unpatched_exactly(bench: Bench) -> dict[str, bool]:
    base, face, control = bench.sample(bench.model), representation(1), bench.controller
    ways = {
        "black mask": apply(bench.model, control, face, mask=torch.zeros(1, 128, 128)),
        "no strength": apply(bench.model, control, face, strength=0.0),
        "no block": apply(bench.model, control, face, block_weights="input=0, middle=0, output=0"),
    }
    return {name: torch.equal(bench.sample(model), base) for name, model in ways.items()}


def schedule(bench: Bench) -> dict[str, list[bool]]:
    """For each of four steps: whether late control leaves the unpatched estimate, early control that of all steps."""

    def estimates(model: Any) -> list[Tensor]:
        found: list[Tensor] = []
        bench.sample(model, steps=4, seen=lambda step, x0, x, total: found.append(x0.clone()))
        return found

    base, face = estimates(bench.model), representation(1)
    late = estimates(apply(bench.model, bench.controller, face, start=0.5))
    whole = estimates(apply(bench.model, bench.controller, face))
    early = estimates(apply(bench.model, bench.controller, face, end=0.5))
    return {
        "late": [torch.equal(a, b) for a, b in zip(base, late, strict=True)],
        "early": [torch.equal(a, b) for a, b in zip(whole, early, strict=True)],
    }


def clones(bench: Bench) -> dict[str, bool]:
    base, face = bench.sample(bench.model), representation(1)
    once = apply(bench.model, bench.controller, face)
    alone = bench.sample(once)
    twice = apply(once, bench.controller, representation(2), strength=0.5)
    sibling = apply(bench.model, bench.controller, face, strength=0.3)
    both, other = bench.sample(twice.clone()), bench.sample(sibling)
    return {
        "parent": torch.equal(bench.sample(bench.model), base),
        "first": torch.equal(bench.sample(once), alone),
        "clone": torch.equal(bench.sample(once.clone()), alone),
        "differ": not (torch.equal(both, alone) or torch.equal(other, alone) or torch.equal(both, other)),
        "one patcher": len(twice.get_additional_models()) == 1,
    }


def batch(bench: Bench) -> dict[str, Any]:
    """Two pictures with a reference and a region each, together and one by one."""
    pair = representation(4, "mouth", count=2)
    places = [TWO_EYES, {**TWO_EYES, "mouth": (16, 16, 60, 60)}]
    together = bench.sample(apply(bench.model, bench.controller, pair, target=target(*places)), count=2)
    gaps = []
    for i, place in enumerate(places):
        one = PartTokens({"mouth": pair.parts["mouth"][i : i + 1]}, EMPTY, {"mouth": 1.0}, "a test")
        alone = bench.sample(apply(bench.model, bench.controller, one, target=target(place)), seed=5 + i)
        gaps.append(gap(together[i : i + 1], alone))
    wrong = apply(bench.model, bench.controller, pair, target=target(*places))
    return {"gaps": gaps, "size": float(together.abs().max()), "error": says(lambda: bench.sample(wrong, count=3))}


def together_with(bench: Bench) -> dict[str, float]:
    """A LoRA-like patch of the weights, and another pack's replacement of one block that was there before."""
    face, draw = representation(1), torch.Generator().manual_seed(8)
    plain, ours = bench.plainly([(face.parts["face"], WHITE, 1.0)]), apply(bench.model, bench.controller, face)
    path = "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2"
    keys = [f"{path}.to_q.weight", f"{path}.to_out.0.weight"]
    change = {k: ("diff", (0.05 * torch.randn(bench.model.model.state_dict()[k].shape, generator=draw),)) for k in keys}
    accepted = [len(model.add_patches(change)) for model in (plain, ours)]
    result = {"accepted": min(accepted), "lora": gap(output(bench, plain), output(bench, ours))}
    result["lora moved"] = gap(output(bench, ours), output(bench, apply(bench.model, bench.controller, face)))
    kept: dict[Any, Tensor] = {}

    def constant(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        return kept.setdefault(q.shape, torch.full_like(q, 0.25))

    other = bench.model.clone()
    other.set_model_attn2_replace(constant, "input", 1)
    alone = first_attention(bench, other)
    chained = first_attention(bench, apply(other, bench.controller, face, mask=torch.ones(1, 128, 128)))
    added = first_attention(bench, apply(bench.model, bench.controller, face)) - first_attention(bench, bench.model)
    result["chained"] = gap(chained - alone, added)
    result["constant kept"] = max(float((t - 0.25).abs().max()) for t in kept.values())
    return result


def computed_once(bench: Bench) -> dict[str, Any]:
    adapter, calls = bench.controller.module, {"keys": 0, "tokens": 0}
    handles = [
        both.to_k_ip.register_forward_hook(lambda *_: calls.update(keys=calls["keys"] + 1))
        for both in adapter.ip_adapter.values()
    ]
    handles.append(adapter.image_proj.register_forward_hook(lambda *_: calls.update(tokens=calls["tokens"] + 1)))
    steered = apply(bench.model, bench.controller, representation(1), representation(2))
    bench.sample(steered, steps=6)
    for handle in handles:
        handle.remove()
    slots = steered.model_options["transformer_options"]["patches_replace"]["attn2"]
    return {"calls": calls, "left": runs_alive(), "slots": sorted(map(str, slots))}


def encoder(width: int) -> Any:
    """A host CLIP_VISION of two layers with random weights; the host reads a configuration from a file."""
    file = Path(sys.argv[2]) / "vision.json"
    config = {
        "hidden_size": width, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
        "num_channels": 3, "patch_size": 14, "hidden_act": "gelu", "model_type": "clip_vision_model",
        "image_size": 224, "projection_dim": 16,
    }  # fmt: skip
    file.write_text(json.dumps(config))
    vision = comfy.clip_vision.ClipVisionModel(str(file))
    draw = torch.Generator().manual_seed(1)
    vision.load_sd({k: torch.randn(w.shape, generator=draw) * 0.05 for k, w in vision.get_sd().items()})
    return vision


def encode(vision: Any, parts: FaceParts, **strengths: float) -> Any:
    return nodes["FaceRepresentationEncode"].execute(parts, vision, 0.25, **strengths)


def from_photographs(bench: Bench) -> dict[str, Any]:
    """The whole way: two pictures are encoded and steer two regions of a third."""
    vision, found = encoder(1280), []
    for seed in (1, 2):
        noise = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(seed))
        face = FaceParts(noise, target(TWO_EYES).faces, (0,))
        found.append(encode(vision, face, face=0.0, eyes=float(seed == 1), mouth=float(seed == 2)))
    whole = encode(vision, face, face=1.0, eyes=0.5)
    theirs = vision.encode_image(found[1][1], crop=False)["penultimate_hidden_states"].float()
    given = [one[0] for one in found]
    pictures = nodes["ControllerApply"].execute(
        bench.model, bench.controller, 1.0, 0.0, 1.0, 0.05, 0.1, "", target(TWO_EYES), None,
        {"representation0": given[0], "representation1": given[1]},
    )  # fmt: skip
    narrow = encode(encoder(64), face, face=1.0)[0]
    return {
        "parts": [sorted(one.parts) for one in given], "shape": list(given[0].parts["eyes"].shape),
        "crops": [list(found[0][1].shape), list(whole[1].shape)], "empty": list(given[0].unconditioned.shape),
        # The host rounds pixels to 8 bits before it encodes them.
        "as the host": gap(theirs, given[1].parts["mouth"]) / float(theirs.std()),
        "moved": gap(output(bench, pictures[0]), output(bench, bench.model)), "regions": list(pictures[1].shape),
        "narrow": says(lambda: apply(bench.model, bench.controller, narrow)),
        "nothing": says(lambda: encode(vision, face, face=0.0)),
    }  # fmt: skip


def facex_face(config: FaceXConfig) -> FaceRepresentation:
    region, inpaint, draw = config.sources["region"], config.sources["inpaint"], torch.Generator().manual_seed(2)
    return FaceRepresentation(
        regions=torch.randn(1, region.tokens, region.width, generator=draw), motion=torch.zeros(1, len(NAMES)),
        inpaint=torch.randn(1, inpaint.tokens, inpaint.width, generator=draw), providers=providers_of(config),
        present=torch.ones(1, region.tokens, dtype=torch.bool), identity=None,
    )  # fmt: skip


def facex_too(bench: Bench) -> dict[str, Any]:
    """The same nodes with a new FaceX controller, which adds exactly nothing until it is trained."""
    config = default_config("sd15", block_channels(32), identity=False)
    module = new_controller(config)
    places = {}
    for name in ("new", "trained"):
        places[name] = save_controller(module, Path(folder_paths.models_dir) / "facex" / f"{name}.safetensors").name
        for block in module.control.blocks.values():
            torch.nn.init.normal_(block.zero.weight)
    face, base = facex_face(config), output(bench, bench.model)
    controllers = {name: nodes["ControllerLoad"].execute(file)[0] for name, file in places.items()}
    made = {name: output(bench, apply(bench.model, one, face)) for name, one in controllers.items()}
    black = apply(bench.model, controllers["trained"], face, mask=torch.zeros(1, 128, 128))
    return {
        "kinds": [one.kind for one in controllers.values()], "new": torch.equal(made["new"], base),
        "trained": gap(made["trained"], base), "black": torch.equal(output(bench, black), base),
        "two": says(lambda: apply(bench.model, controllers["new"], face, face)),
        "tokens of parts": says(lambda: apply(bench.model, controllers["new"], representation(1))),
    }  # fmt: skip


def refusals(bench: Bench, other: Bench) -> dict[str, str]:
    """Messages for things that do not belong together."""
    face, place = representation(1), target(TWO_EYES)
    wide = target(TWO_EYES)
    wide = FaceParts(torch.zeros(1, 128, 256, 3), wide.faces, wide.chosen)
    nobody = FaceParts(place.pictures, ((),), (None,))
    calls = {
        "family": lambda: apply(other.model, bench.controller, face),
        "tokens": lambda: apply(bench.model, bench.controller, facex_face(default_config("sd15", identity=False))),
        "nothing": lambda: apply(bench.model, bench.controller),
        "part": lambda: apply(bench.model, bench.controller, representation(1, "nose"), target=place),
        "no face": lambda: apply(bench.model, bench.controller, face, target=nobody),
        "empty": lambda: apply(bench.model, bench.controller, representation(1, "mouth"), target=place, grow=-0.5),
        "range": lambda: apply(bench.model, bench.controller, face, start=0.5, end=0.5),
        "blocks": lambda: apply(bench.model, bench.controller, face, block_weights="down = 1"),
        "shape": lambda: bench.sample(apply(bench.model, bench.controller, representation(1, "mouth"), target=wide)),
        "file": lambda: load_controller(str(_text_file())),
    }
    return {name: says(call) for name, call in calls.items()}


def _text_file() -> Path:
    file = Path(folder_paths.models_dir) / "ipadapter" / "page.bin"
    file.write_text("<!DOCTYPE html>")
    return file


with torch.inference_mode():
    plus, full, xl = Bench("sd15"), Bench("sd15", "full face", ".bin"), Bench("sdxl")
    finish(
        {
            "whole": {"plus": whole_picture(plus), "full face": whole_picture(full)},
            "regions": in_regions(plus),
            "regions sdxl": in_regions(xl),
            "own": own_reference_only(plus),
            "unpatched": unpatched_exactly(plus),
            "schedule": schedule(plus),
            "clones": clones(plus),
            "batch": batch(plus),
            "together": together_with(plus),
            "once": computed_once(plus),
            "photographs": from_photographs(plus),
            "facex": facex_too(plus),
            "refusals": refusals(plus, xl),
        }  # fmt: skip
    )
