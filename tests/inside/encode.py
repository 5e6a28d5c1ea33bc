"""Part Encode and Mask Fuse in this host: small random CLIP and SigLIP models, against a plain computation."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from host import finish, start

NODES = start()

import comfy.clip_vision  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.detectors.parts import Face, FaceParts, Region  # noqa: E402
from face_part_fusion.fusion.features.encoder import tokens_of  # noqa: E402
from face_part_fusion.nodes.host.encoder import host_encoder  # noqa: E402
from face_part_fusion.nodes.inputs.parts import MAIN_PARTS, ONE_SIDED  # noqa: E402

BASE = Path(sys.argv[2])
SMALL = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64, "num_channels": 3,
    "patch_size": 14, "hidden_act": "gelu",
}  # fmt: skip
CLIP = {**SMALL, "model_type": "clip_vision_model", "image_size": 224, "projection_dim": 16}
LARGE = {**CLIP, "image_size": 336}
SIGLIP = {
    **SMALL, "model_type": "siglip_vision_model", "image_size": 384, "hidden_act": "gelu_pytorch_tanh",
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
}  # fmt: skip


def encoder(config, seed):
    """A host CLIP_VISION of random weights; the host itself only reads a configuration from a file."""
    file = BASE / f"vision{seed}.json"
    file.write_text(json.dumps(config))
    vision = comfy.clip_vision.ClipVisionModel(str(file))
    generator = torch.Generator().manual_seed(seed)
    weights = {k: torch.randn(w.shape, generator=generator) * 0.1 for k, w in vision.get_sd().items()}
    vision.load_sd(weights)
    return vision


def parts(seed):
    """A face whose parts are boxes, in a picture of noise."""
    noise = torch.rand(1, 160, 128, 3, generator=torch.Generator().manual_seed(seed))
    boxes = {"left_eye": (30, 50, 54, 62), "right_eye": (70, 50, 94, 62), "nose": (52, 64, 74, 98),
             "mouth": (42, 104, 82, 120)}  # fmt: skip
    regions = {part: Region.of_box(tuple(map(float, box))) for part, box in boxes.items()}
    return FaceParts(noise, ((Face((20.0, 20.0, 108.0, 140.0), 1.0, regions=regions),),), (0,))


def encode(vision, face, role, mode, **strengths):
    given = {part: strengths.get(part, 0.0) for part in (*MAIN_PARTS, *ONE_SIDED)}
    return NODES["PartEncode"].execute(
        parts=face, clip_vision=vision, role=role, mode=mode, padding=0.1, stacked=False, fill="auto", **given
    )


def fused(vision, mode):
    three = {"eyes": 1.0, "nose": 1.0, "mouth": 1.0}
    target = encode(vision, parts(0), "target", mode, **three)[0]
    people = {f"reference{i}": encode(vision, parts(i + 1), "reference", mode, **{part: 1.0})[0]
              for i, part in enumerate(three)}  # fmt: skip
    return NODES["MaskFuse"].execute(target=target, resample="similarity", feather=0.25, references=people)


def plain_penultimate(vision, pixels):
    """The tokens before the last layer, layer by layer through the host's own modules."""
    model = vision.model.vision_model
    x = model.pre_layrnorm(model.embeddings(pixels))
    from comfy.ldm.modules.attention import optimized_attention_for_device

    attention = optimized_attention_for_device(x.device, mask=False, small_input=True)
    for layer in model.encoder.layers[:-1]:
        x = layer(x, None, attention)
    return x


def difference(vision):
    """Ours against the plain computation and against the host's own encode_image."""
    shown = encode(vision, parts(1), "reference", "practical", nose=1.0)
    ours = shown[0].tokens["nose"]
    ordinary = vision.encode_image(shown[1])["penultimate_hidden_states"]
    one = host_encoder(vision)
    pixels = torch.rand(2, 3, one.size, one.size)
    plain = plain_penultimate(vision, pixels)
    zero = plain_penultimate(vision, torch.zeros(1, 3, one.size, one.size))
    return {
        "plain": float((tokens_of(one, pixels) - plain).abs().max()),
        "zero": float((shown[0].unconditioned - zero).abs().max()),
        # The host rounds pictures to 1/255, ours are not rounded.
        "host": float((ours - ordinary).abs().max() / ordinary.abs().mean()),
    }


def measured(vision, modes):
    one = host_encoder(vision)
    maps = {mode: fused(vision, mode) for mode in modes}
    return {
        "name": one.name, "grid": one.grid, "classes": one.classes, "width": one.width, "size": one.size,
        "mean": one.mean, "difference": difference(vision),
        "shapes": {mode: list(m[0].tokens.shape) for mode, m in maps.items()},
        "givers": {mode: m[0].origin.unique().tolist() for mode, m in maps.items()},
        "pictures": {mode: list(m[1].shape) for mode, m in maps.items()},
        "changed": {mode: changed_cells(vision, mode, m[0]) for mode, m in maps.items()},
    }  # fmt: skip


def changed_cells(vision, mode, result):
    """Whether exactly the cells that a part takes differ from the target's, in this host."""
    target = encode(vision, parts(0), "target", mode, eyes=1.0, nose=1.0, mouth=1.0)[0].tokens
    difference = (result.tokens != target).any(-1)
    classes, differs = difference[:, : result.classes], difference[:, result.classes :].view(result.origin.shape)
    taken = torch.stack(list(result.parts.values())).amax(0) > 0
    return [int(differs.sum()), int((differs != taken).sum()), not bool(classes.any())]


def refused(work):
    try:
        work()
    except ValueError as error:
        return str(error)
    return ""


class NoClip:
    model = torch.nn.Linear(2, 2)


with torch.inference_mode():
    clip, large, siglip = encoder(CLIP, 1), encoder(LARGE, 2), encoder(SIGLIP, 3)
    runs = []
    inner = clip.model.forward
    clip.model.forward = lambda *a, **k: runs.append(len(k["pixel_values"])) or inner(*a, **k)
    batch = FaceParts(torch.cat([parts(8).pictures] * 2), parts(8).faces * 2, (0, 0))
    encode(clip, batch, "reference", "practical", eyes=1.0, nose=1.0)
    encode(clip, batch, "reference", "practical", nose=0.5)
    once = list(runs)
    del clip.model.forward
    other = encode(large, parts(0), "target", "practical", nose=1.0)[0]
    finish({
        "clip": measured(clip, ("practical", "released")), "large": measured(large, ("practical", "released")),
        "siglip": measured(siglip, ("practical",)), "once": once,
        "no clip": refused(lambda: host_encoder(NoClip())),
        "two encoders": refused(lambda: NODES["MaskFuse"].execute(
            target=other, resample="box", feather=0.0,
            references={"reference0": encode(clip, parts(1), "reference", "practical", nose=1.0)[0]})),
        "nobody": refused(lambda: NODES["MaskFuse"].execute(target=other, resample="box", feather=0.0, references={})),
    })  # fmt: skip
