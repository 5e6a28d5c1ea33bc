"""FaceParse and RegionAssemble on a photograph, into the host's own encoders: `region_assemble.py HOST BASE PHOTO`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from host import finish, start

nodes = start()

import comfy.sd  # noqa: E402
import comfy.taesd.taesd  # noqa: E402
import folder_paths  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from PIL import Image  # noqa: E402

import nodes as host_nodes  # noqa: E402

LABELS = ("background", "skin", "nose", "l_eye", "r_eye", "hair", "u_lip", "l_lip", "l_ear", "r_ear", "neck")
REGIONS = ("eyebrows", "eyes", "nose", "lips", "ears", "skin", "hair", "background")
SETTINGS = dict.fromkeys(REGIONS, "task's own") | {"shown": "task's own", "fill": "grey", "dilate": 0.15}


def make_parser(folder: Path) -> None:
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], num_attention_heads=[1, 2],
        patch_sizes=[7, 3], strides=[4, 2], mlp_ratios=[2, 2], decoder_hidden_size=16,
        id2label=dict(enumerate(LABELS)), label2id={name: i for i, name in enumerate(LABELS)},
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    processor = {"image_processor_type": "SegformerImageProcessor", "size": {"height": 64, "width": 64}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def random_vae():
    net = comfy.taesd.taesd.TAESD(latent_channels=4)
    draw = torch.Generator().manual_seed(0)
    return comfy.sd.VAE(sd={k: torch.randn(v.shape, generator=draw) / max(1, v[0].numel() if v.ndim else 1) ** 0.5
                            for k, v in net.state_dict().items() if k.startswith("taesd_")})  # fmt: skip


def refused(call) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return ""


def mask_of(parts, more: str, faces: str = "chosen"):
    switches = dict.fromkeys(("eyes", "brows", "nose", "mouth", "skin"), False)
    return nodes["FPFFacePartMask"].execute(
        parts, **switches, more=more, faces=faces, shape="outline", grow=0, feather=0, invert=False
    )[0]


photo = Image.open(sys.argv[3]).convert("RGB").crop((100, 0, 356, 256))
picture = torch.from_numpy(np.asarray(photo, dtype=np.float32) / 255)[None]
target = nodes["FacePartDetect"].execute(
    picture, {"detector": "built-in"}, 0.5, 32, "large-small", 0, "error", None, None, None
)[0]
none_yet = nodes["FaceParse"].GET_SCHEMA().inputs[1].options
make_parser(Path(folder_paths.get_folder_paths("face_parsing")[0]) / "tiny")
listed = nodes["FaceParse"].define_schema().inputs[1].options
hair = torch.zeros(1, 256, 256)
hair[:, 8:60, 60:190] = 1
parsed, preview, _ = nodes["FaceParse"].execute(target, "tiny", "only missing", 0.25, hair=hair).result
builtin, _, cover_report = nodes["FaceParse"].execute(target, "built-in", "only missing", 0.25).result
masked = nodes["FaceParse"].execute(target, "none (masks only)", "only missing", 0.25, hair=hair)[0]

swap, mask, seen, report = nodes["RegionAssemble"].execute(target, "face swap", **SETTINGS, source=parsed).result
vae = random_vae()
latent = host_nodes.VAEEncode().encode(vae, swap)[0]["samples"]
conditioning = [[torch.zeros(1, 77, 768), {}]]
positive, _, inpaint = host_nodes.InpaintModelConditioning().encode(conditioning, conditioning, swap, vae, mask)
whole = nodes["RegionAssemble"].execute(masked, "head swap", **SETTINGS, source=masked)[1]
finish(
    {
        "none yet": list(none_yet),
        "listed": list(listed),
        "parts": sorted(parsed.face(0).regions),
        "masked parts": sorted(set(masked.face(0).regions) - set(target.face(0).regions)),
        "built-in parts": sorted(builtin.face(0).regions),
        "built-in hair": float((builtin.face(0).regions["hair"].mask > 0.5).sum()) / 256**2,
        "cover report": cover_report,
        "preview": list(preview.shape),
        "mask share": float(mask.mean()),
        "head share": float(whole.mean()),
        "mask values": sorted(set(mask.flatten().tolist())),
        "change outside": float(((swap - picture).abs().amax(-1) * (1 - mask)).max()),
        "grey inside": float((swap[mask > 0] - 0.5).abs().max()),
        "seen": list(seen.shape),
        "report": report,
        "latent": list(latent.shape),
        "inpaint mask": list(inpaint["noise_mask"].shape),
        "concat": list(positive[0][1]["concat_latent_image"].shape),
        "unparsed": float(nodes["RegionAssemble"].execute(target, "head swap", **SETTINGS, source=masked)[1].mean()),
        "hair mask": float(mask_of(target, more="hair").mean()),
        "own hair": float((mask_of(masked, more="hair") - hair).abs().max()),
        "everyone's": float(mask_of(target, more="hair, body", faces="all").mean()),
        "neither": refused(lambda: nodes["FaceParse"].execute(target, "none (masks only)", "all", 0.25)),
        "gone": refused(lambda: nodes["FaceParse"].execute(target, "deleted.onnx", "all", 0.25)),
    }
)
