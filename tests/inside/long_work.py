"""What every looping node tells the progress bar, and what it does after a stop: `long_work.py HOST BASE PHOTO`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))
from host import finish, start  # noqa: E402

nodes = start()

import comfy.model_management as mm  # noqa: E402
import comfy.utils  # noqa: E402
import folder_paths  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.fusion.regions.tasks import REGIONS  # noqa: E402
from face_part_fusion.injection.facex.control import block_channels  # noqa: E402
from face_part_fusion.injection.facex.file import new_controller, save_controller  # noqa: E402
from face_part_fusion.injection.facex.model import default_config  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from face_part_fusion.nodes.face_representation_encode import MORE  # noqa: E402
from face_part_fusion.nodes.host.face_swap import FaceSwapper  # noqa: E402
from face_part_fusion.nodes.host.swap_files import NO_IDENTITY  # noqa: E402
from face_part_fusion.nodes.host.uniface_files import IN_THE_MODEL  # noqa: E402
from face_part_fusion.nodes.inputs.parts import MAIN_PARTS, ONE_SIDED  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_encoders import random_vae, random_vision  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.fuse_weights import TINY, random_fap  # noqa: E402
from support.ip_adapter_weights import random_ip_adapter  # noqa: E402
from support.plain_swapper import PlainSwapper  # noqa: E402
from support.uniface_weights import save_small  # noqa: E402

torch.set_num_threads(1)
BASE, PICTURES, SIDE = Path(sys.argv[2]), 3, 160
DETECT = {
    "detector": {"detector": "built-in"}, "threshold": 0.5, "smallest": 32, "order": "large-small", "index": 0,
    "on_missing": "keep empty",
}  # fmt: skip
told: list[tuple[int, int]] = []
stop = False


class Bar:
    """The host's own sends less than it is told: at most ten messages a second."""

    def __init__(self, total: int, node_id: Any = None) -> None:
        pass

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        told.append((value, int(total or 0)))
        if stop:
            mm.interrupt_current_processing()


comfy.utils.ProgressBar = Bar


def photographs(box: tuple[int, int, int, int] = (140, 20, 140 + SIDE, 20 + SIDE)) -> torch.Tensor:
    """The same portrait in other tones, so that no two are encoded as one."""
    photo = Image.open(sys.argv[3]).convert("RGB").crop(box)
    pixels = torch.from_numpy(np.asarray(photo, dtype=np.float32) / 255)
    return torch.stack([pixels * (1 - 0.02 * i) for i in range(PICTURES)])


def parts_of(pictures: torch.Tensor) -> FaceParts:
    return nodes["FacePartDetect"].execute(pictures, **DETECT)[0]


def watched(node: str, **inputs: Any) -> dict[str, Any]:
    """`told`: what came while it ran. `after`: how often it went on telling once the stop button was pressed."""
    global stop
    kind = nodes[node].PREPARE_CLASS_CLONE(None)
    told.clear()
    error = refused(kind, inputs)
    whole = list(told)
    told.clear()
    stop = True
    stopped = refused(kind, inputs)
    stop = False
    return {"told": whole, "error": error, "after": len(told) - 1, "stopped": stopped}


def refused(kind: Any, inputs: dict[str, Any]) -> str:
    try:
        kind.execute(**inputs)
    except (ValueError, mm.InterruptProcessingException) as error:
        return type(error).__name__
    return ""


def given(*names: str) -> dict[str, float]:
    return {name: float(name in names) for name in (*MAIN_PARTS, *ONE_SIDED)}


def encode(role: str, mode: str, *names: str) -> dict[str, Any]:
    # The encoder remembers what it has seen; every run gets one that has seen nothing.
    return {
        "parts": people, "clip_vision": random_vision(BASE, 1280), "role": role, "mode": mode, "padding": 0.1,
        "stacked": False, "fill": "auto", **given(*names),
    }  # fmt: skip


def represent(**more: Any) -> dict[str, Any]:
    strengths = {name: 0.0 for name in MORE} | {"face": 1.0, "eyes": 1.0} | dict.fromkeys(MAIN_PARTS[1:], 0.0)
    return {"parts": people, "clip_vision": random_vision(BASE, 1280), "padding": 0.25, **strengths, **more}


def ip_adapter() -> Any:
    save_file(random_ip_adapter("sd15", "plus", base=32, inner=128), BASE / "ip.safetensors")
    return load_controller(str(BASE / "ip.safetensors"))


def facex() -> Any:
    made = new_controller(default_config("sd15", block_channels(32), identity=False))
    return load_controller(str(save_controller(made, BASE / "facex.safetensors")))


def omni(task: str, controller: Any, vision: Any) -> dict[str, Any]:
    return {
        "model": small_unet("sd15"), "vae": random_vae(4), "target": people, "source": people, "task": task,
        "shown": "paste", "fill": "grey", "dilate": 0.15, "feather": 4, "strength": 1.0, "start": 0.0, "end": 1.0,
        "positive": random_words("sd15", 1), "negative": random_words("sd15", 2), "controller": controller,
        "clip_vision": vision, **dict.fromkeys(REGIONS, "task's own"),
    }  # fmt: skip


class Clip:
    """A text encoder for which every prompt is one."""

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, tokens: str) -> Any:
        return random_words("sd15", 1)


def tiny_fap() -> str:
    """Too small for a host, which says so after every tensor was read."""
    folder = Path(folder_paths.get_folder_paths("fuse_any_part")[0])
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(random_fap("A", TINY, width=32), folder / "tiny.bin")
    return "tiny.bin"


with torch.inference_mode():
    pictures = photographs()
    people = parts_of(pictures)
    crop = nodes["FPFFaceCropAlign"].execute(people, 96, "upright", 0.5)
    masks = torch.zeros(PICTURES, SIDE, SIDE)
    masks[:, :40, 40:120] = 1
    box = {"x": 40, "y": 30, "width": 90, "height": 100}
    eyes = nodes["PartEncode"].execute(**encode("reference", "practical", "eyes"))[0]
    target = nodes["PartEncode"].execute(**encode("target", "practical", "eyes", "nose"))[0]
    person = nodes["FaceRepresentationEncode"].execute(**represent())[0]
    adapter, controller, vision_l = ip_adapter(), facex(), random_vision(BASE, 1024)
    parts_mask = {
        "eyes": True, "brows": True, "nose": True, "mouth": True, "skin": False, "more": "", "faces": "all",
        "shape": "outline", "grow": 2, "feather": 2, "invert": False,
    }  # fmt: skip
    strengths = {f"{part}_strength": 1.0 for part in MAIN_PARTS}
    saved = {"filename_prefix": "x", "format": "png", "quality": 95, "mark": False, "note": ""}
    steer = {"strength": 1.0, "start": 0.0, "end": 1.0, "grow": 0.05, "feather": 0.1, "block_weights": ""}
    shoulders = parts_of(photographs((100, 0, 356, 256)))
    heads = {
        "head": shoulders, "body": shoulders, "fit": "neck", "hair": "head's", "hat": "head's", "background": "keep",
        "offset_x": 0.0, "offset_y": 0.0, "scale": 1.0, "angle": 0.0,
    }  # fmt: skip
    layout = nodes["HeadLayout"].execute(**heads)[0]
    swapper = FaceSwapper(PlainSwapper())
    who = {"swapper": swapper, "photographs": {"photograph0": people}, "saved": NO_IDENTITY, "save_as": ""}
    swap = {
        "target": people, "swapper": swapper, "identity": nodes["IdentityEncode"].execute(**who)[0], "faces": "chosen",
        "strength": 0.5, "lower_face": 1.0, "area": "whole face", "eyes": True, "brows": True, "nose": True,
        "mouth": True, "tone": 1.0, "light": 1.0, "covers": "spare", "likeness": 0.35,
    }  # fmt: skip
    upscale_model = torch.nn.Identity()
    upscale_model.scale = 1
    photographed = {
        "photographs": {"photograph0": pictures}, "crop": "upright", "padding": 0.5, "size": 128, "strength": 1.0,
        "look_at": {"look_at": "head"}, "face": 0, "grow": 0.35, "feather": 0.2,
    }  # fmt: skip
    persons = {"person0": nodes["FacePerson"].execute(**photographed)[0]}
    small = {"model": "small.safetensors", "image_tokenizer": IN_THE_MODEL, "text_tokenizer": IN_THE_MODEL}
    save_small(Path(folder_paths.get_folder_paths("unif2ace")[0]) / small["model"])
    uniface = nodes["FPFUniFaceLoad"].execute(**small)[0]
    fusing = {
        "mechanism": {"mechanism": "training-free"}, "noise": "clean", "layers": "all", "start": 0.0, "end": 1.0,
        "refresh": 1, "balance": True, "negative_looks": False,
    }  # fmt: skip
    finish({
        "pictures": PICTURES,
        "looping": {
            "FacePartDetect": watched("FacePartDetect", image=pictures, **DETECT),
            "FacePartDetect, boxes": watched("FacePartDetect", image=pictures, boxes=box, **DETECT),
            "FPFFacePartMask": watched("FPFFacePartMask", parts=people, **parts_mask),
            "FPFFaceCropAlign": watched("FPFFaceCropAlign", parts=people, size=96, align="upright", padding=0.5),
            "FPFFacePasteBack": watched("FPFFacePasteBack", image=crop[0] * 0.5, face_crop=crop[3], feather=4),
            "FaceParse": watched(
                "FaceParse", parts=people, model="none (masks only)", replace="only missing", padding=0.25, hair=masks),
            "FPFFaceTrack": watched(
                "FPFFaceTrack", image=pictures, order="large-small", index=0, smooth=0.5, threshold=0.5, smallest=32,
                full_search=1, patience=10),
            "FPFFaceDescribe": watched("FPFFaceDescribe", parts=people, style="tags", language="English"),
            "FPFFaceCompare": watched("FPFFaceCompare", before=people, after=people, exchanged=""),
            "FPFFaceChoose": watched("FPFFaceChoose", conditions="eyes open", parts=people),
            "PartComposite": watched(
                "PartComposite", target=people, eyes=people, warp="similarity", tone=1.0, grow=1.0, **strengths),
            "FPFSwapFaceParts": watched(
                "FPFSwapFaceParts", target=pictures, nose=pictures, strength=1.0, order="large-small", index=0),
            "RegionAssemble": watched(
                "RegionAssemble", target=people, source=people, task="face swap", shown="task's own", fill="grey",
                dilate=0.15, **dict.fromkeys(REGIONS, "task's own")),
            "MarkEdited": watched("MarkEdited", images=pictures, **saved),
            "PartEncode, reference": watched("PartEncode", **encode("reference", "practical", "eyes")),
            "PartEncode, target": watched("PartEncode", **encode("target", "practical", "eyes")),
            "PartEncode, released": watched("PartEncode", **encode("target", "released", "eyes")),
            "MaskFuse": watched(
                "MaskFuse", target=target, resample="similarity", feather=0.25, references={"reference0": eyes}),
            "FaceRepresentationEncode": watched("FaceRepresentationEncode", **represent()),
            "FaceRepresentationEncode, FaceX": watched(
                "FaceRepresentationEncode", **represent(controller=controller, clip_vision=vision_l)),
            "ControllerApply": watched(
                "ControllerApply", model=small_unet("sd15"), controller=adapter, target=people,
                representations={"representation0": person}, **steer),
            "OmniRepresentationCondition": watched(
                "OmniRepresentationCondition", **omni("face swap", adapter, random_vision(BASE, 1280))),
            "OmniRepresentationCondition, FaceX": watched(
                "OmniRepresentationCondition", **omni("face swap", controller, vision_l)),
            "HeadLayout": watched("HeadLayout", **heads),
            "LayoutComplete": watched("LayoutComplete", layout=layout),
            "HeadSwap": watched("HeadSwap", **heads, tone="neck follows face", crop_size=0),
            "IdentityEncode": watched("IdentityEncode", **who),
            "FPFFaceSwap": watched("FPFFaceSwap", **swap),
            "FPFFaceRestore": watched(
                "FPFFaceRestore", target=people, restorer="upscale_model", faces="all", fidelity=0.7, blend=0.8,
                covers="spare", upscale_model=upscale_model),
            "FPFFaceScore": watched("FPFFaceScore", result=people, target=people, networks="off"),
            "FPFUniFaceLoad": watched("FPFUniFaceLoad", **small),
            "FPFUniFaceGenerate": watched(
                "FPFUniFaceGenerate", model=uniface, prompt="a face", seed=0, steps=PICTURES, guidance=1.0),
            "FPFUniFaceAsk": watched("FPFUniFaceAsk", model=uniface, image=pictures, question="what", max_length=3),
            "FacePerson": watched("FacePerson", **photographed),
            "ReferenceFusion": watched(
                "ReferenceFusion", model=small_unet("sd15"), vae=random_vae(4), persons=persons, **fusing),
            "PersonLatents": watched("PersonLatents", clip=Clip(), vae=random_vae(4), prompt="", persons=persons),
            "FuseAnyPartLoader": watched("FuseAnyPartLoader", weights=tiny_fap(), weight_dtype="default"),
        },
    })  # fmt: skip
