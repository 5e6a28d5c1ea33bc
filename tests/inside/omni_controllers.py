"""OmniRepresentationCondition steered by an IP-Adapter and by FaceX: `omni_controllers.py HOST BASE PHOTO`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from host import finish, says, start

nodes = start()

import comfy.cldm.cldm  # noqa: E402
import comfy.controlnet  # noqa: E402
import comfy.ops  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.fusion.regions.tasks import GIVERS, REGIONS, regions_from  # noqa: E402
from face_part_fusion.injection.facex.adapters import Source  # noqa: E402
from face_part_fusion.injection.facex.assemble import assemble_representation  # noqa: E402
from face_part_fusion.nodes.host.facex import encode_face  # noqa: E402
from face_part_fusion.nodes.host.omni import fit_to_cells  # noqa: E402
from omni_people import (  # noqa: E402
    CELLS,
    IP,
    NEW,
    SIDE,
    TRAINED,
    TWO,
    UNSEEN,
    facex,
    gap,
    in_regions,
    ip_adapter,
    model,
    nobody,
    omni,
    recoloured,
    sample,
    sampled,
    small,
    source,
    source_2,
    steerings,
    target,
    vae,
    vision,
    vision_l,
    words,
)  # fmt: skip
from random_models import random_conditioning, random_model  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402


def first_attention(made: Any) -> Tensor:
    """(queries,): what the first cross-attention gives before `to_out`, of every query; nobody has steered before."""
    caught: list[Tensor] = []
    attention = model.model.diffusion_model.input_blocks[1][1].transformer_blocks[0].attn2
    handle = attention.to_out.register_forward_pre_hook(lambda _, given: caught.append(given[0].clone()))
    try:
        sample(*made[:4], steps=1)
    finally:
        handle.remove()
    return caught[0]


def two_people() -> dict[str, Any]:
    """Eyes of one person and lips of another: who changes what, at the level of attention."""
    how = {**TWO, **UNSEEN, **IP}
    both = omni("attribute edit", **how)
    seen, base = first_attention(both), first_attention(omni("attribute edit", **TWO, **UNSEEN))
    other = {
        "eyes of the source": first_attention(omni("attribute edit", **how, source=recoloured(source))),
        "lips of the source 2": first_attention(omni("attribute edit", **how, source_2=recoloured(source_2))),
    }
    found, reached = steerings(both), torch.zeros(CELLS * CELLS, dtype=torch.bool)
    result: dict[str, Any] = {"names": sorted(found)}
    for name, changed in other.items():
        cells = F.interpolate(found[name].mask[:, None], (CELLS, CELLS), mode="area").flatten() > 0
        change, reached = (changed - seen).abs().amax((0, 2)), reached | cells
        result[name] = {
            "outside": float(change[~cells].max()), "inside": float(change[cells].min()), "cells": int(cells.sum()),
        }  # fmt: skip
    steered = (seen - base).abs().amax((0, 2))
    result["outside both"], result["inside both"] = float(steered[~reached].max()), float(steered[reached].min())
    eyes = nodes["FaceRepresentationEncode"].execute(source, vision, 0.25, eyes=1.0)[0]
    result["tokens"] = gap(found["eyes of the source"].tokens, eyes.parts["eyes"])
    result["at most"] = float(sum(s.mask for s in found.values()).max())
    return result


def ip_figures() -> dict[str, Any]:
    plain, steered = sampled("attribute edit", **TWO), sampled("attribute edit", **TWO, **IP)
    swap = omni("face swap", lips="source 2", **IP)
    total = sum(s.mask for s in steerings(swap).values())
    original = vae.encode(target.pictures)
    keep = (F.interpolate(swap[5][:, None], (CELLS, CELLS), mode="bilinear") == 0).expand_as(original)
    return {
        "off": torch.equal(plain, sampled("attribute edit", **TWO, **IP, strength=0.0)), "moved": gap(plain, steered),
        "late": gap(steered, sampled("attribute edit", **TWO, **IP, start=0.6)),
        "swap": sorted(steerings(swap)), "swap at most": float(total.max()),
        "swap in the middle": float(total[0, SIDE // 2, SIDE // 2]),
        "outside": float((sample(*swap[:4]) - original)[keep].abs().max()),
    }  # fmt: skip


def facex_figures() -> dict[str, Any]:
    plain = sampled("face swap")
    return {
        "new": torch.equal(plain, sampled("face swap", **NEW)), "trained": gap(plain, sampled("face swap", **TRAINED)),
        "off": torch.equal(plain, sampled("face swap", **TRAINED, strength=0.0)),
        "by hand": by_hand(), "tokens": facex_tokens(), "reenact": reenacted(),
    }  # fmt: skip


def owners() -> dict[str, list[str]]:
    """What errors during sampling name, for the patches and the layer that each node puts into a model."""
    found = {}
    for name, controller in (("ip", IP), ("facex", NEW)):
        patched = omni("attribute edit", **TWO, **controller)[0]
        wrappers = patched.model_options["transformer_options"]["wrappers"]["outer_sample"]
        found[name] = [wrapper.__self__.owner for each in wrappers.values() for wrapper in each]
        held = patched.wrappers["outer_sample"]["face_part_fusion.masked_fusion"]
        found[name] += [layer.owner for wrapper in held for layer in wrapper.layers]
    return found


def by_hand() -> dict[str, Any]:
    """Inpainting with the small nodes, wired as the large one does it."""
    free = torch.zeros(1, SIDE, SIDE)
    free[:, 64:110, 58:104] = 1
    ours = omni("inpaint", mask=free, source=None, source_2=None, fill="grey", **TRAINED)
    controller = TRAINED["controller"]
    picture, mask, _, _ = nodes["RegionAssemble"].execute(
        target, "inpaint", **dict.fromkeys(REGIONS, "task's own"), shown="paste", fill="grey", dilate=0.15, mask=free
    ).result  # fmt: skip
    person = nodes["FaceRepresentationEncode"].execute(target, vision_l, 0.25, controller, picture)[0]
    held = nodes["MaskedFusion"].execute(model, {"samples": vae.encode(target.pictures)}, mask, 0.0, 1.0, True)[0]
    steered = nodes["ControllerApply"].execute(
        held, controller, 1.0, 0.0, 1.0, 0.05, 0.1, "", None, None, {"representation0": person}
    )[0]
    latent = {"samples": vae.encode(picture)}
    theirs = sample(steered, words["positive"], words["negative"], latent)
    plain = sampled("inpaint", mask=free, source=None, source_2=None, fill="grey")
    return {
        "picture": torch.equal(picture, ours[4]) and torch.equal(mask, ours[5]),
        "same": torch.equal(sample(*ours[:4]), theirs), "moved": gap(theirs, plain),
    }  # fmt: skip


def facex_tokens() -> dict[str, Any]:
    """The conditioning without a prompt against the representation assembler called directly, and against mistakes."""
    result = {}
    module = TRAINED["controller"].module
    for task, chosen in (("face swap", {}), ("attribute edit", TWO), ("reenact", {})):
        made = omni(task, **chosen, positive=None, negative=None, **TRAINED)
        people = {n: in_regions(p) for n, p in zip(GIVERS, (target, source, source_2), strict=False)}
        base = people["source"] if task == "reenact" else people["target"]
        encoded = {name: encode_face(*TRAINED.values(), person) for name, person in people.items()}
        inpaint = encode_face(*TRAINED.values(), base, made[4]).inpaint
        given = regions_from(task, chosen)

        def tokens(given: dict[str, str], encoded: Any = encoded, inpaint: Tensor = inpaint, **who: str) -> Tensor:
            return module.tokens(assemble_representation(encoded, given, module.regions.empty, inpaint, **who))[0]

        swapped = {region: {"source": "target", "target": "source"}.get(g, g) for region, g in given.items()}
        result[task] = {
            "same": torch.equal(made[1][0][0], tokens(given)), "shape": list(made[1][0][0].shape),
            "empty": torch.equal(made[2][0][0], module.sd.empty),
            "other motion": gap(made[1][0][0], tokens(given, motion="source")),
            "other regions": gap(made[1][0][0], tokens(swapped)),
            "sampled": bool(sample(*made[:4]).isfinite().all()),
        }  # fmt: skip
    return result


def reenacted() -> dict[str, Any]:
    made = omni("reenact", **TRAINED)
    return {
        "picture": torch.equal(made[4], source.pictures), "mask": float(made[5].min()), "report": made[6],
        "moved": gap(sample(*made[:4]), sampled("reenact", **NEW)),
    }  # fmt: skip


def control_net() -> Any:
    net = comfy.cldm.cldm.ControlNet(
        image_size=32, in_channels=4, model_channels=32, hint_channels=3, num_res_blocks=[2] * 4, num_heads=4,
        channel_mult=(1, 2, 4, 4), transformer_depth=[1] * 6 + [0, 0], transformer_depth_middle=1, context_dim=768,
        use_spatial_transformer=True, use_linear_in_transformer=False, legacy=False, adm_in_channels=None,
        num_head_channels=-1, dtype=torch.float32, operations=comfy.ops.manual_cast, device="cpu",
    )  # fmt: skip
    draw = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for value in net.parameters():
            value.copy_(torch.randn(value.shape, generator=draw) / max(1, value[0].numel()) ** 0.5 * 0.5)
    control = comfy.controlnet.ControlNet(net, load_device=torch.device("cpu"), manual_cast_dtype=torch.float32)
    control.set_cond_hint(torch.rand(1, 3, SIDE, SIDE, generator=draw), 0.2)
    return control


def together() -> dict[str, Any]:
    """On a model with LoRA-like weights and another pack's output patch, with a ControlNet in the prompt."""
    key = "diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_q.weight"
    draw = torch.Generator().manual_seed(8)
    on = model.clone()
    accepted = on.add_patches({key: ("diff", (0.3 * torch.randn(64, 64, generator=draw),))})
    on.set_model_attn2_output_patch(lambda n, _: n + 0.25)
    net = control_net()
    steering = {"control": net, "control_apply_to_uncond": True}
    more = {name: [[tokens, {**rest, **steering}]] for name, ((tokens, rest),) in words.items()}
    alone = sampled("attribute edit", on, **TWO, **more)
    result: dict[str, Any] = {"accepted": len(accepted)}
    result["control net"] = gap(alone, sampled("attribute edit", on, **TWO))
    result["output patch and weights"] = gap(alone, sampled("attribute edit", **TWO, **more))
    result["off"] = torch.equal(alone, sampled("attribute edit", on, **TWO, **more, **IP, strength=0.0))
    result["new"] = torch.equal(alone, sampled("attribute edit", on, **TWO, **more, **NEW))
    for name, controller in (("ip", IP), ("facex", TRAINED)):
        result[name] = gap(alone, sampled("attribute edit", on, **TWO, **more, **controller))
    result["parent"] = torch.equal(alone, sampled("attribute edit", on, **TWO, **more))
    return result


def batches() -> dict[str, Any]:
    """Two targets, of which the second shows nobody; one source for both."""
    pair = FaceParts(torch.cat([target.pictures, nobody.pictures]), target.faces + nobody.faces, (0, None))
    made = omni("face swap", target=pair, **IP)
    done, original = sample(*made[:4]), vae.encode(pair.pictures)
    one = FaceParts(torch.cat([source.pictures, source_2.pictures]), source.faces + source_2.faces, (0, 0))
    two = omni("face swap", source=one, **IP)
    return {
        "shapes": [list(made[4].shape), list(made[5].shape), list(done.shape)], "empty": float(made[5][1].max()),
        "kept": gap(done[1], original[1]), "changed": gap(done[0], original[0]),
        "one target": [list(two[4].shape), list(sample(*two[:4]).shape)], "differ": gap(two[4][0], two[4][1]),
        "facex": list(sample(*omni("face swap", source=one, positive=None, negative=None, **TRAINED)[:4]).shape),
    }  # fmt: skip


def masks() -> dict[str, Any]:
    """A mask says where the face may change; the fade stays inside it."""
    half = torch.zeros(1, SIDE, SIDE)
    half[:, :, : SIDE // 2] = 1
    # Further from the edge of the mask than what lies beyond it fades out.
    inner = SIDE // 2 - 16
    limited, free = omni("face swap", mask=half, feather=16), omni("face swap", feather=16)
    small = torch.zeros(1, 64, 64)
    small[:, :, :32] = 1
    scaled = omni("face swap", mask=small, feather=16)
    picture, coarse = torch.zeros(1, 70, 100, 3), SimpleNamespace(spacial_compression_encode=lambda: 32)
    return {
        "outside": float(limited[5][half == 0].max()), "inside": gap(limited[5][..., :inner], free[5][..., :inner]),
        "scaled": float(((scaled[5] > 0) & (half == 0)).float().mean()),
        "cells": [list(p.shape) for p in fit_to_cells(coarse, picture, picture[..., 0])],
        "soft": int(((free[5] > 0) & (free[5] < 1)).sum()),
    }  # fmt: skip


def tones() -> dict[str, float]:
    """A face in other colours, pasted with and without the target's tone."""
    other, inside = recoloured(target), omni("face swap")[5] == 1
    matched, raw = (omni("face swap", source=other, tone=t)[4] for t in (1.0, 0.0))
    grey = [omni("face swap", source=other, shown="greyscale", tone=t)[4] for t in (1.0, 0.0)]
    lips = [omni("attribute edit", lips="source", source=other, tone=t)[4] for t in (1.0, 0.0)]
    return {
        "matched": float((matched - target.pictures)[inside].mean(0).abs().max()),
        "raw": float((raw - target.pictures)[inside].mean(0).abs().max()),
        "outside": float((matched - target.pictures)[omni("face swap")[5] == 0].abs().max()),
        "grey": gap(*grey), "lips": gap(*lips),
    }  # fmt: skip


def refusals() -> dict[str, str]:
    made = {
        "sd2": small("sd2", 64), "deep": small(pose=Source("Deep3DFaceRecon", 1, 4)), "known": small(identity=True)
    }  # fmt: skip
    sd2, deep, known = ({"controller": facex(n, c), "clip_vision": vision_l} for n, c in made.items())
    xl = {"controller": ip_adapter("sdxl"), "clip_vision": vision}
    black, tiny = torch.zeros(1, SIDE, SIDE), FaceParts(torch.rand(1, 4, 4, 3), ((),), (None,))
    corner, wide = black.clone(), torch.ones(1, SIDE, SIDE // 2)
    corner[:, :4, :4] = 1
    flow = random_model("flow")
    prompts = {"positive": random_conditioning("flow", 1), "negative": random_conditioning("flow", 2)}
    pair = FaceParts(torch.cat([source.pictures, nobody.pictures]), source.faces + nobody.faces, (0, None))
    calls = {
        "ip family": lambda: omni("face swap", **xl), "ip flow": lambda: omni("face swap", flow, **IP, **prompts),
        "ip encoder": lambda: omni("face swap", **{**IP, "clip_vision": vision_l}),
        "ip nobody": lambda: omni("inpaint", mask=1 - black, **IP),
        "ip prompt": lambda: omni("face swap", negative=None, **IP),
        "ip source": lambda: omni("face swap", source=pair, **IP),
        "facex family": lambda: omni("face swap", **sd2), "facex flow": lambda: omni("face swap", flow, **NEW),
        "facex encoder": lambda: omni("face swap", **{**NEW, "clip_vision": vision}),
        "facex provider": lambda: omni("face swap", **deep), "facex recogniser": lambda: omni("face swap", **known),
        "facex target": lambda: omni("inpaint", mask=1 - black, source=None, target=nobody, **NEW),
        "reenact by ip": lambda: omni("reenact", **IP), "reenact alone": lambda: omni("reenact", source=None, **NEW),
        "source": lambda: omni("face swap", source=nobody), "target": lambda: omni("face swap", target=nobody),
        "empty": lambda: omni("face swap", mask=black),
        "elsewhere": lambda: omni("face swap", mask=corner), "no mask": lambda: omni("inpaint"),
        "shape": lambda: omni("inpaint", mask=wide),
        "tiny": lambda: omni("inpaint", mask=torch.ones(1, 4, 4), source=None, target=tiny),
        "range": lambda: omni("face swap", **IP, start=0.5, end=0.5), "tone": lambda: omni("face swap", tone=2.0),
        "range facex": lambda: omni("face swap", **NEW, start=0.5, end=0.5),
    }  # fmt: skip
    return {name: says(call) for name, call in calls.items()}


with torch.inference_mode():
    finish(
        {
            "two": two_people(),
            "owners": owners(),
            "ip": ip_figures(),
            "facex": facex_figures(),
            "together": together(),
            "batches": batches(),
            "masks": masks(),
            "tones": tones(),
            "refusals": refusals(),
        }  # fmt: skip
    )
