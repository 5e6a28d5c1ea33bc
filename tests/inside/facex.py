"""Measures FaceX's controller in a real host: small UNets of the real layout, 16 blocks, with random weights."""

from __future__ import annotations

import copy
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from host import ROOT, finish, says, start

start()
sys.path.append(str(ROOT / "tests"))

import comfy.cldm.cldm  # noqa: E402
import comfy.clip_vision  # noqa: E402
import comfy.controlnet  # noqa: E402
import comfy.model_management  # noqa: E402
import comfy.ops  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from face_part_fusion.detectors.parts import Face, FaceParts, Region  # noqa: E402
from face_part_fusion.injection.faces.deep3d import crop_for_deep3d  # noqa: E402
from face_part_fusion.injection.faces.identity import align_faces  # noqa: E402
from face_part_fusion.injection.faces.motion_groups import DEEP3D  # noqa: E402
from face_part_fusion.injection.facex.control import ExtraCrossAttention, block_channels  # noqa: E402
from face_part_fusion.injection.facex.model import default_config  # noqa: E402
from face_part_fusion.injection.unet.blocks import BLOCKS  # noqa: E402
from face_part_fusion.nodes.host.facex import encode_face, load_facex  # noqa: E402
from face_part_fusion.nodes.host.networks import host_deep3d, host_recogniser  # noqa: E402
from facex_models import (  # noqa: E402
    SIDE,
    STEPS,
    WIDTHS,
    Plain,
    applied,
    controller,
    controller_of,
    draw,
    face,
    gap,
    randomise,
    sample,
    small_model,
    small_unet_config,
)  # fmt: skip
from random_models import random_model  # noqa: E402
from runs import runs_alive  # noqa: E402
from support.network_weights import IRESNETS, deep3d_shapes, filled, iresnet_shapes, plain_iresnet  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)


def family_figures(family: str, base: Path) -> dict[str, Any]:
    model = small_model(family)
    new, trained = controller(family, base, False), controller(family, base, True)
    unpatched = sample(model, family, 2)
    zero = sample(applied(model, new, face()), family, 2)
    patched = sample(applied(model, trained, face()), family, 2)
    with Plain(model, trained, face()):
        plain = sample(model, family, 2)
    with Plain(model, trained, face(2)):
        plain_of_two = sample(model, family, 2)
    of_two = sample(applied(model, trained, face(2)), family, 2)
    return {
        "finite": bool(unpatched.isfinite().all()), "zero": gap(zero, unpatched), "acts": gap(patched, unpatched),
        "plain": gap(patched, plain), "two people": gap(of_two, plain_of_two),
        "model afterwards": gap(sample(model, family, 2), unpatched),
    }  # fmt: skip


def calls(model: Any, held: Any) -> dict[str, Any]:
    """How often each block attends and projects in one sampling, and what is left afterwards."""
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
    patched = applied(model, held, face())
    sample(patched, "sd15", 2)
    ExtraCrossAttention.forward, ExtraCrossAttention.project = forward, project
    object.__delattr__(held.module, "tokens")
    return {
        "attends": dict(attends), "projects": dict(projects), "tokens": encoded["tokens"], "left": runs_alive(),
        "steps": STEPS,
    }  # fmt: skip


def together(model: Any, held: Any, base: Path) -> dict[str, float]:
    """With clones, siblings, LoRA, another patch of the same kind, a second controller and a ControlNet."""
    unpatched, alone = sample(model, "sd15"), applied(model, held, face())
    expected = sample(alone, "sd15")
    sibling = applied(model, held, face(seed=6))
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
    with_lora = sample(applied(lora, held, face()), "sd15")
    with Plain(model, held, face()):
        result["lora"] = gap(with_lora, sample(lora, "sd15"))
    result["lora acts"] = gap(with_lora, expected)
    added = model.clone()
    added.set_model_attn2_output_patch(lambda n, _: n + 0.25)
    with Plain(model, held, face()):
        plain = sample(added, "sd15")
    result["addition"] = gap(sample(applied(added, held, face()), "sd15"), plain)
    off = applied(alone, held, face(seed=6), strength=0.0)
    result["second at strength 0"] = gap(sample(off, "sd15"), expected)
    twice = sample(applied(alone, controller("sd15", base, True, 8), face(seed=6)), "sd15")
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
    patched = sample(applied(model, held, face()), "sd15", control=control)
    with Plain(model, held, face()):
        plain = sample(model, "sd15", control=control)
    unpatched = sample(model, "sd15", control=control)
    return {"control net": gap(patched, plain), "control net acts": gap(patched, unpatched)}


def limits(model: Any, held: Any) -> dict[str, float]:
    """Masks, schedules and weights."""
    unpatched, full = sample(model, "sd15"), sample(applied(model, held, face()), "sd15")

    def off(**how: Any) -> tuple[float, float]:
        made = sample(applied(model, held, face(), **how), "sd15")
        return gap(made, unpatched), gap(made, full)

    names = [block.name for block in BLOCKS]
    return {
        "white mask": off(mask=torch.ones(1, 64, 64))[1], "black mask": off(mask=torch.zeros(1, 64, 64))[0],
        "half mask": min(off(mask=torch.ones(1, 8, 8).index_fill(2, torch.arange(4), 0.0))),
        "strength 0": off(strength=0.0)[0], "strength half": min(off(strength=0.5)),
        "weights 0": off(block_weights="0 0 0")[0],
        "one block": min(off(block_weights=f"{names[0]} = 0")),
        "late": min(off(start=0.5)), "early": min(off(end=0.5)),
        "noise levels": levels_changed_afterwards(model, held),
    }  # fmt: skip


def levels_changed_afterwards(model: Any, held: Any) -> dict[str, float]:
    """Whether start and end follow a node behind, which gives the model other noise levels."""

    def other(on: Any) -> Any:
        clone, sampling = on.clone(), copy.copy(model.get_model_object("model_sampling"))
        # All of the sampling lies before its half.
        object.__setattr__(sampling, "percent_to_sigma", lambda share: 1e9 if share <= 0 else 1e-6)
        clone.add_object_patch("model_sampling", sampling)
        return clone

    behind = sample(other(applied(model, held, face(), end=0.5)), "sd15")
    full, unpatched = sample(other(applied(model, held, face())), "sd15"), sample(other(model), "sd15")
    return {"same": gap(behind, full), "acts": gap(full, unpatched)}


def errors(model: Any, held: Any, base: Path) -> dict[str, str]:
    two = applied(model, held, face(2))
    named = {**face().providers, "identity": "another network"}
    return {
        "family": says(lambda: applied(model, controller("sd2", base, False), face())),
        "other model": says(lambda: applied(random_model("sdxl"), held, face())),
        "identity": says(lambda: applied(model, held, replace(face(), identity=None))),
        "provider": says(lambda: applied(model, held, replace(face(), providers=named))),
        "count": says(lambda: sample(two, "sd15", 3)),
        "start": says(lambda: applied(model, held, face(), start=0.7, end=0.3)),
        "block": says(lambda: applied(model, held, face(), block_weights="input_3 = 1")),
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


def encoding(base: Path, vision: Any) -> dict[str, Any]:
    """From a picture to a patched model, at the full sizes of the adapters but for the UNet's width."""
    held = controller_of(default_config("sd15", block_channels(WIDTHS["sd15"]), identity=False), base, False)
    pictures = torch.rand(2, 120, 120, 3, generator=torch.Generator().manual_seed(4))
    made = encode_face(held, vision, people(pictures))
    other = encode_face(held, vision, people(pictures), torch.zeros_like(pictures))
    tokens, empty = held.module.tokens(made)
    one = encode_face(held, vision, people(pictures[:1]), torch.zeros_like(pictures))
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
        "other size": says(lambda: encode_face(held, vision, people(pictures), torch.zeros(2, 60, 60, 3))),
        "no face": says(lambda: encode_face(held, vision, lone)),
        "no recogniser": says(lambda: encode_face(with_identity, vision, people(pictures))),
    }  # fmt: skip


def networks(base: Path, vision: Any) -> dict[str, Any]:
    """A controller that asks for identity tokens and Deep3DFaceRecon's motion: first without their files, then with."""
    config = default_config("sd15", block_channels(WIDTHS["sd15"]), motion=DEEP3D)
    held, alone = (controller_of(replace(config, sources=s), base, False) for s in (
        config.sources, {name: source for name, source in config.sources.items() if name != "identity"},
    ))  # fmt: skip
    ours = controller_of(default_config("sd15", block_channels(WIDTHS["sd15"]), identity=False), base, False)
    person = people(torch.rand(1, 120, 120, 3, generator=torch.Generator().manual_seed(4)))
    absent = says(lambda: encode_face(alone, vision, person))
    recogniser, reconstructor = (filled(shapes) for shapes in (iresnet_shapes(IRESNETS["r18"], 8), deep3d_shapes()))
    for folder, name, weights in (
        ("insightface/models/arcface", "backbone.pth", recogniser), ("deep3dfacerecon", "b.pth", {"net_recon": {}}),
        ("deep3dfacerecon", "epoch_20.pth", {"net_recon": reconstructor}),
    ):  # fmt: skip
        (base / "models" / folder).mkdir(parents=True, exist_ok=True)
        torch.save(weights, base / "models" / folder / name)
    wrong = says(lambda: encode_face(alone, vision, person))
    (base / "models" / "deep3dfacerecon" / "b.pth").unlink()
    made, landmarks = encode_face(held, vision, person), encode_face(ours, vision, person)
    resnet = torchvision.models.resnet50()
    resnet.fc = torch.nn.Identity()
    resnet.load_state_dict({k.removeprefix("backbone."): w for k, w in reconstructor.items() if "final" not in k})
    pooled = resnet.eval()(crop_for_deep3d(person).movedim(-1, 1))
    heads = [(reconstructor[f"final_layers.{i}.{part}"]) for i in range(7) for part in ("weight", "bias")]
    _, expression, texture, angles, light = (
        pooled @ weight[:, :, 0, 0].T + bias for weight, bias in zip(heads[:10:2], heads[1:10:2], strict=True)
    )
    one, gaze = torch.ones(1, 1), landmarks.motion[:, 12:17]
    groups = (one, angles, one, expression, gaze, one, texture, one, light)
    bound = controller_of(default_config("sd15", block_channels(WIDTHS["sd15"]), recogniser="ArcFace iresnet 0123abcd"),
                          base, False)  # fmt: skip
    loaded = [model.model.model for model in comfy.model_management.current_loaded_models]
    known = plain_iresnet(recogniser, align_faces(person).movedim(-1, 1) * 2 - 1, IRESNETS["r18"])
    return {
        "absent": absent, "wrong": wrong, "providers": dict(made.providers),
        "identity": gap(made.identity, known.flatten(2).transpose(1, 2)), "motion": list(made.motion.shape),
        "torchvision": gap(made.motion, torch.cat(groups, 1)), "tokens": list(held.module.tokens(made)[0].shape),
        "other way": says(lambda: applied(small_model("sd15"), ours, made)),
        "this way": says(lambda: applied(small_model("sd15"), alone, landmarks)),
        "variant": held.variant, "other recogniser": says(lambda: encode_face(bound, vision, person)),
        "managed": [network in loaded for network in (host_recogniser().network, host_deep3d())],
    }  # fmt: skip


def main() -> None:
    base = Path(sys.argv[2])
    with torch.inference_mode():
        model, held, vision = small_model("sd15"), controller("sd15", base, True), encoder(base)
        finish(
            {
                "families": {family: family_figures(family, base) for family in WIDTHS},
                "calls": calls(model, held), "together": together(model, held, base), "limits": limits(model, held),
                "errors": errors(model, held, base), "encoding": encoding(base, vision),
                "networks": networks(base, vision),
            }
        )  # fmt: skip


main()
