"""What every node says of unsuitable inputs: `bad_inputs.py HOST BASE PHOTO`.

A case is a node, a good call of it, and the inputs that are replaced. Most are made from tables of what can be wrong
with a kind of input, so that a node that gets an input of that kind gets all of its cases.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))
from host import ROOT, finish, start  # noqa: E402

# What the pack did to its own folder, which may be read-only, and to the network, which may be absent.
done_outside: list[str] = []


def _watch(event: str, arguments: Any) -> None:
    if event == "socket.connect":
        done_outside.append(f"{event} {arguments[1]}")
    elif event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(str(ROOT)):
        if set(arguments[1] or "") & set("wax+"):
            done_outside.append(f"{event} {arguments[0]}")


sys.addaudithook(_watch)
nodes = start()

import folder_paths  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.fusion.regions.tasks import REGIONS  # noqa: E402
from face_part_fusion.nodes.controller_load import load_controller  # noqa: E402
from face_part_fusion.nodes.face_representation_encode import MORE  # noqa: E402
from face_part_fusion.nodes.host.face_swap import FaceSwapper  # noqa: E402
from face_part_fusion.nodes.host.swap_files import NO_IDENTITY, OWN_FIXER  # noqa: E402
from face_part_fusion.nodes.host.uniface_files import IN_THE_MODEL, NO_MODEL  # noqa: E402
from face_part_fusion.nodes.inputs.parts import MAIN_PARTS, ONE_SIDED  # noqa: E402
from fuse_models import fap, fused  # noqa: E402
from fuse_models import random_vae as random_fap_vae  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from small_encoders import random_vae, random_vision  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.ip_adapter_weights import random_ip_adapter  # noqa: E402
from support.plain_swapper import PlainSwapper  # noqa: E402
from support.uniface_weights import random_show_o, save_small  # noqa: E402

torch.set_num_threads(1)
BASE, SIDE = Path(sys.argv[2]), 160
NAN, FAR = float("nan"), float("inf")
DETECT = {
    "detector": {"detector": "built-in"}, "threshold": 0.3, "smallest": 32, "order": "large-small", "index": 0,
    "on_missing": "error",
}  # fmt: skip


def portrait() -> torch.Tensor:
    photo = Image.open(sys.argv[3]).convert("RGB").crop((140, 20, 140 + SIDE, 20 + SIDE))
    return torch.from_numpy(np.asarray(photo, dtype=np.float32) / 255)[None]


def pictures_wrong() -> dict[str, Any]:
    good = portrait()
    return {
        "no picture": good[:0], "no pixels": good[:, :0], "five channels": torch.rand(1, 20, 20, 5),
        "channels first": good.permute(0, 3, 1, 2), "video of five axes": good[None], "one axis": torch.rand(30),
        "0..255": good * 255, "-1..1": good * 2 - 1, "NaN": good * NAN, "infinite": good / 0,
        "whole numbers": (good * 255).long(), "an array": good.numpy(), "a list": [1, 2], "nothing": None,
        "a latent": {"samples": torch.zeros(1, 4, 8, 8)},
    }  # fmt: skip


def masks_wrong() -> dict[str, Any]:
    good = torch.ones(1, SIDE, SIDE)
    return {
        "another shape": torch.ones(1, 70, 160), "three masks": good.expand(3, -1, -1), "NaN": good * NAN,
        "no mask": good[:0], "four axes": torch.ones(1, 3, SIDE, SIDE), "one axis": torch.ones(9),
        "a picture": portrait(), "64 x 64 of another picture": torch.ones(1, 64, 48),
    }  # fmt: skip


def parts_wrong(good: Any) -> dict[str, Any]:
    three = good.pictures.expand(3, -1, -1, -1)
    tall = torch.rand(1, 300, 90, 3)
    return {
        "two others": replace(good, pictures=three[:2], faces=good.faces * 2, chosen=good.chosen * 2),
        "three others": replace(good, pictures=three, faces=good.faces * 3, chosen=good.chosen * 3),
        "another size": replace(good, pictures=tall),
        "no parts": replace(good, faces=((replace(good.faces[0][0], regions={}),),)),
        "only a box": replace(good, faces=((type(good.faces[0][0])((30.0, 30.0, 90.0, 90.0), 0.5),),)),
        "nobody": replace(good, faces=((),), chosen=(None,)),
    }  # fmt: skip


def numbers_wrong(low: float, high: float) -> dict[str, Any]:
    return {"below": low - 1, "above": high + 1, "NaN": NAN, "infinite": FAR}


def of_kind(
    node: str, good: Mapping[str, Any], name: str, wrong: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, dict]]:
    for what, value in wrong.items():
        yield node, name, what, {**good, name: value}


def strengths(*names: str) -> dict[str, float]:
    return {name: float(name in names) for name in (*MAIN_PARTS, *ONE_SIDED)}


def cases() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Node, the input that is wrong, what is wrong with it, and all inputs."""
    picture = portrait()
    detect = {"image": picture, **DETECT}
    people = nodes["FacePartDetect"].execute(**detect)[0]
    crop = nodes["FPFFaceCropAlign"].execute(people, 96, "upright", 0.5)
    wrong_pictures, wrong_masks, wrong_parts = pictures_wrong(), masks_wrong(), parts_wrong(people)
    yield from of_kind("FacePartDetect", detect, "image", wrong_pictures)
    yield from of_kind("FacePartDetect", detect, "mask", wrong_masks)
    box = {"x": 10, "y": 10, "width": 50, "height": 50}
    yield from of_kind("FacePartDetect", detect, "boxes", {
        "text": "10,10,50,50", "a number": 5, "no width": {"x": 1, "y": 1, "height": 3}, "no area": {**box, "width": 0},
        "negative": {**box, "height": -5}, "outside": {**box, "x": 500}, "NaN": {**box, "x": NAN},
        "words": {**box, "y": "top"}, "two lists": [[box], [box]], "mixed": [box, [box]], "a tensor": torch.ones(1, 4),
        "a score of words": {**box, "score": "high"}, "no face": {**box, "width": 12, "height": 12}, "none": [[]],
    })  # fmt: skip
    points, size = np.zeros((478, 2), np.float32), (SIDE, SIDE)
    face = {"bbox_xyxy": [10, 10, 90, 90], "landmarks_xy": points, "score": 0.5}
    yield from of_kind("FacePartDetect", detect, "landmarks", {
        "an empty table": {}, "a list": [face], "two frames": {"frames": [[face], [face]], "image_size": size},
        "another size": {"frames": [[face]], "image_size": (50, 9)}, "no frames": {"image_size": size},
        "five points": {"frames": [[{**face, "landmarks_xy": points[:5]}]], "image_size": size},
        "NaN": {"frames": [[{**face, "landmarks_xy": points * NAN}]], "image_size": size},
        "no points": {"frames": [[{"score": 1.0}]], "image_size": size}, "nobody": {"frames": [[]], "image_size": size},
    })  # fmt: skip
    yield "FacePartDetect", "landmarks", "and boxes", {
        **detect, "boxes": box, "landmarks": {"frames": [[face]], "image_size": size}}  # fmt: skip
    for name, wrong in (("order", "tallest"), ("on_missing", "skip"), ("index", -1), ("index", 7), ("smallest", 0)):
        yield "FacePartDetect", name, str(wrong), {**detect, name: wrong}
    for name, wrong in (("also", "1; two"), ("also", "-1"), ("also", "7")):
        yield "FacePartDetect", name, str(wrong), {**detect, name: wrong}
    yield "FacePartDetect", "mask_is", "chin", {**detect, "mask": torch.ones(1, SIDE, SIDE), "mask_is": "chin"}
    yield (
        "FacePartDetect",
        "mask",
        "of a part, empty",
        {**detect, "mask": torch.zeros(1, SIDE, SIDE), "mask_is": "hair"},
    )

    track = {
        "image": picture, "order": "large-small", "index": 0, "smooth": 0.5, "threshold": 0.5, "smallest": 32,
        "full_search": 15, "patience": 10,
    }  # fmt: skip
    yield from of_kind("FPFFaceTrack", track, "image", wrong_pictures)
    yield from of_kind("FPFFaceTrack", track, "smooth", numbers_wrong(0, 1))
    for name, wrong in (("order", "tallest"), ("index", -1), ("index", 7), ("full_search", 0), ("patience", -1)):
        yield "FPFFaceTrack", name, str(wrong), {**track, name: wrong}

    mask = {
        "parts": people, "eyes": True, "brows": False, "nose": False, "mouth": False, "skin": False, "more": "",
        "faces": "chosen", "shape": "outline", "grow": 2, "feather": 2, "invert": False,
    }  # fmt: skip
    for name, wrong in (
        ("more", "chin"),
        ("more", "eyes;nose"),
        ("shape", "circle"),
        ("eyes", False),
    ):
        yield "FPFFacePartMask", name, str(wrong), {**mask, name: wrong}
    yield "FPFFacePartMask", "parts", "no parts", {**mask, "parts": wrong_parts["no parts"]}

    cut = {"parts": people, "size": 96, "align": "upright", "padding": 0.5}
    for name, wrong in (
        ("align", "left"),
        ("size", 0),
        ("size", -8),
        ("padding", -1.0),
        ("padding", 99.0),
        ("padding", NAN),
    ):
        yield "FPFFaceCropAlign", name, str(wrong), {**cut, name: wrong}
    yield "FPFFaceCropAlign", "align", "FFHQ of a box", {**cut, "align": "FFHQ", "parts": wrong_parts["only a box"]}

    paste = {"image": crop[0], "face_crop": crop[3], "feather": 4}
    yield from of_kind(
        "FPFFacePasteBack", paste, "image", wrong_pictures | {"two crops": crop[0].expand(2, -1, -1, -1)}
    )
    yield from of_kind("FPFFacePasteBack", paste, "onto", {k: v for k, v in wrong_pictures.items() if v is not None})
    yield "FPFFacePasteBack", "onto", "another size", {**paste, "onto": picture[:, :50]}
    yield from of_kind("FPFFacePasteBack", paste, "mask", wrong_masks | {"black": torch.zeros(1, 96, 96)})

    gift = {"parts": people, **strengths("eyes")}
    yield from of_kind("PartReference", gift, "mask", wrong_masks | {"black": torch.zeros(1, SIDE, SIDE)})
    yield "PartReference", "strength", "all 0", {"parts": people, **strengths()}
    for name in ("eyes", "nose"):
        yield from of_kind("PartReference", gift, name, numbers_wrong(0, 1))

    fuse = {
        "target": people, "eyes": people, "warp": "similarity", "tone": 1.0, "grow": 1.0,
        **{f"{part}_strength": 1.0 for part in MAIN_PARTS},
    }  # fmt: skip
    yield from of_kind(
        "PartComposite", fuse, "eyes", {k: v for k, v in wrong_parts.items() if k not in ("nobody", "another size")}
    )
    yield from of_kind("PartComposite", fuse, "mask", wrong_masks | {"black": torch.zeros(1, SIDE, SIDE)})
    yield from of_kind("PartComposite", fuse, "image", {k: v for k, v in wrong_pictures.items() if v is not None})
    yield "PartComposite", "image", "another size", {**fuse, "image": picture[:, :50]}
    for name, low, high in (("tone", 0, 1), ("grow", 0, 10), ("light", 0, 1), ("eyes_strength", 0, 1)):
        yield from of_kind("PartComposite", fuse, name, numbers_wrong(low, high))
    for name in ("warp", "skin_area", "covers"):
        yield "PartComposite", name, "unknown", {**fuse, name: "unknown"}

    once = {"target": picture, "nose": picture, "strength": 1.0, "order": "large-small", "index": 0}
    yield "FPFSwapFaceParts", "eyes", "nobody gives anything", {**once, "nose": None}
    for name in ("target", "nose"):
        yield from of_kind("FPFSwapFaceParts", once, name, {k: v for k, v in wrong_pictures.items() if v is not None})
        yield "FPFSwapFaceParts", name, "no face", {**once, name: torch.zeros(1, 64, 64, 3)}
    yield from of_kind("FPFSwapFaceParts", once, "mask", wrong_masks)
    yield from of_kind("FPFSwapFaceParts", once, "strength", numbers_wrong(0, 1))
    yield "FPFFaceSave", "parts", "nobody", {"parts": wrong_parts["nobody"], "save_as": "anna"}
    for wrong in ("", "../anna", "a/b", "anna."):
        yield "FPFFaceSave", "save_as", wrong or "empty", {"parts": people, "save_as": wrong}
    for wrong in ("missing.safetensors", "../missing.safetensors", "(none: save one with Face Save)"):
        yield "FPFFaceLoad", "saved", wrong, {"saved": wrong}

    saved = {"filename_prefix": "x", "format": "png", "quality": 95, "mark": False, "note": ""}
    yield from of_kind("MarkEdited", {"images": picture, **saved}, "images", wrong_pictures)
    yield "MarkEdited", "format", "gif", {"images": picture, **saved, "format": "gif"}

    parse = {"parts": people, "model": "none (masks only)", "replace": "only missing", "padding": 0.25}
    yield "FaceParse", "model", "no masks", parse
    for name in ("hair", "neck"):
        yield from of_kind("FaceParse", parse, name, wrong_masks)
    yield "FaceParse", "model", "missing", {**parse, "model": "missing.onnx"}

    described = {"parts": people, "style": "tags", "language": "English"}
    yield "FPFFaceDescribe", "parts", "only a box", {**described, "parts": wrong_parts["only a box"]}
    yield "FPFFaceDescribe", "clip", "cannot write", {**described, "clip": random_vision(BASE, 1280)}
    for name in ("style", "language"):
        yield "FPFFaceDescribe", name, "unknown", {**described, name: "unknown"}
    pair = {"before": people, "after": people, "exchanged": "eyes"}
    yield "FPFFaceCompare", "exchanged", "chin", {**pair, "exchanged": "chin"}
    yield "FPFFaceCompare", "before", "three others", {**pair, "before": wrong_parts["three others"]}
    for name in ("before", "after"):
        yield "FPFFaceCompare", name, "only a box", {**pair, name: wrong_parts["only a box"]}
    wishes = {"conditions": "eyes open", "parts": people}
    for wrong in ("", "handsome", "ears > 3", "hair_colour: green", "yaw > 80"):
        yield "FPFFaceChoose", "conditions", wrong or "empty", {**wishes, "conditions": wrong}
    yield "FPFFaceChoose", "parts", "only a box", {**wishes, "parts": wrong_parts["only a box"]}
    yield "FPFFaceChoose", "parts", "nothing", {**wishes, "parts": None}
    yield "FPFFaceChoose", "parts", "nobody", {**wishes, "parts": wrong_parts["nobody"]}
    for wrong in ("missing", "../..", "/tmp"):
        yield "FPFFaceChoose", "folder", wrong, {"conditions": "eyes open", "folder": wrong}

    regions = {
        "target": people, "source": people, "task": "face swap", "shown": "task's own", "fill": "grey", "dilate": 0.15,
        **dict.fromkeys(REGIONS, "task's own"),
    }  # fmt: skip
    yield from of_kind("RegionAssemble", regions, "mask", wrong_masks)
    for name, wrong in (
        ("task", "unknown"),
        ("source", None),
        ("fill", "pink"),
        ("shown", "none of it"),
        ("dilate", NAN),
    ):
        yield "RegionAssemble", name, str(wrong), {**regions, name: wrong}
    yield from head_cases()
    yield from swap_cases(people, wrong_masks, wrong_parts)
    yield from people_cases(picture)
    yield from uniface_cases()
    yield from model_cases(people, wrong_masks)
    yield from addition_cases()


def swap_cases(
    people: Any, wrong_masks: Mapping[str, Any], wrong_parts: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """A whole face, by a swapper without networks."""
    folder = Path(folder_paths.get_folder_paths("face_swap")[0])
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"lora_unet.weight": torch.ones(2, 2)}, folder / "lora.pth")
    torch.save(torch.nn.Linear(2, 2), folder / "program.pth")
    (folder / "page.pth").write_text("<html>")
    (folder / "swap.onnx").write_text("no graph")
    for file in ("gone.pth", "lora.pth", "program.pth", "page.pth", "swap.onnx"):
        yield "FaceSwapLoad", "swapper", file, {"swapper": file, "fixer_net": OWN_FIXER}
    yield "FaceSwapLoad", "fixer_net", "gone", {"swapper": "lora.pth", "fixer_net": "fixer_net_gone.pth"}

    swapper, other = FaceSwapper(PlainSwapper()), FaceSwapper(PlainSwapper(provider="another"))
    encode = {"swapper": swapper, "photographs": {"photograph0": people}, "saved": NO_IDENTITY, "save_as": ""}
    for what in ("nobody", "only a box"):
        yield "IdentityEncode", "photographs", what, {**encode, "photographs": {"photograph0": wrong_parts[what]}}
    yield "IdentityEncode", "photographs", "none", {**encode, "photographs": {}}
    yield "IdentityEncode", "saved", "gone", {**encode, "photographs": {}, "saved": "gone.safetensors"}
    yield "IdentityEncode", "saved", "as well", {**encode, "saved": "gone.safetensors"}
    for name in ("../up", "a/b", "...", "C:x"):
        yield "IdentityEncode", "save_as", name, {**encode, "save_as": name}
    identity = nodes["IdentityEncode"].execute(**encode)[0]
    stranger = nodes["IdentityEncode"].execute(**{**encode, "swapper": other})[0]

    swap = {
        "target": people, "swapper": swapper, "identity": identity, "faces": "chosen", "strength": 1.0,
        "lower_face": 1.0, "area": "whole face", "eyes": True, "brows": True, "nose": True, "mouth": True, "tone": 1.0,
        "light": 1.0, "covers": "spare", "likeness": 0.35,
    }  # fmt: skip
    for what in ("no parts", "only a box"):
        yield "FPFFaceSwap", "target", what, {**swap, "target": wrong_parts[what]}
    yield from of_kind("FPFFaceSwap", swap, "mask", wrong_masks)
    yield "FPFFaceSwap", "identity", "of another", {**swap, "identity": stranger}
    yield "FPFFaceSwap", "reference", "none", {**swap, "faces": "like the reference"}
    yield "FPFFaceSwap", "reference", "of another", {**swap, "faces": "like the reference", "reference": stranger}
    none = dict.fromkeys(("eyes", "brows", "nose", "mouth"), False)
    yield "FPFFaceSwap", "parts", "none", {**swap, **none, "area": "parts"}
    for name in ("strength", "lower_face", "tone", "light"):
        yield from of_kind("FPFFaceSwap", swap, name, numbers_wrong(0, 1))
    yield from of_kind("FPFFaceSwap", swap, "pixel_boost", numbers_wrong(1, 8))
    for name in ("faces", "area", "covers"):
        yield "FPFFaceSwap", name, "unknown", {**swap, name: "unknown"}
    restore = {
        "target": swap["target"], "restorer": "upscale_model", "faces": "chosen", "fidelity": 0.7, "blend": 0.8,
        "covers": "spare",
    }  # fmt: skip
    yield "FPFFaceRestore", "upscale_model", "none", restore
    yield "FPFFaceRestore", "restorer", "gone", {**restore, "restorer": "gone.onnx"}
    yield "FPFFaceRestore", "target", "only a box", {
        **restore, "target": wrong_parts["only a box"], "upscale_model": upscale_model(),
    }  # fmt: skip
    for name in ("fidelity", "blend"):
        yield from of_kind("FPFFaceRestore", restore, name, numbers_wrong(0, 1))
    for name in ("faces", "covers"):
        yield "FPFFaceRestore", name, "unknown", {**restore, name: "unknown"}
    measured = {"result": wrong_parts["two others"], "target": wrong_parts["two others"], "networks": "off"}
    for name in ("target", "eyes", "person"):
        yield "FPFFaceScore", name, "three for two", {**measured, name: wrong_parts["three others"]}
    yield "FPFFaceScore", "result", "alone", {"result": people, "networks": "off"}
    yield "FPFFaceScore", "networks", "unknown", {**measured, "networks": "unknown"}


def upscale_model() -> Any:
    """One that enlarges nothing."""
    model = torch.nn.Identity()
    model.scale = 1
    return model


def head_cases() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """A head on another body."""
    photo = np.asarray(Image.open(sys.argv[3]).convert("RGB").crop((100, 0, 356, 256)), dtype=np.float32)
    person = nodes["FacePartDetect"].execute(torch.from_numpy(photo / 255)[None], **DETECT)[0]
    place = {
        "head": person, "body": person, "fit": "neck", "hair": "head's", "hat": "head's", "background": "keep",
        "offset_x": 0.0, "offset_y": 0.0, "scale": 1.0, "angle": 0.0,
    }  # fmt: skip
    swap = {**place, "tone": "neck follows face", "crop_size": 0}
    wrong = parts_wrong(person)
    for node, good in (("HeadLayout", place), ("HeadSwap", swap)):
        for name in ("head", "body"):
            yield from of_kind(node, good, name, {"nobody": wrong["nobody"]})
        yield node, "head", "two for three", {**good, "head": wrong["two others"], "body": wrong["three others"]}
        for name in ("fit", "hair", "hat"):
            yield node, name, "unknown", {**good, name: "unknown"}
        for name, value in (("scale", NAN), ("scale", 0.0), ("angle", NAN), ("offset_x", FAR), ("offset_y", NAN)):
            yield node, name, str(value), {**good, name: value}
    yield "HeadSwap", "tone", "unknown", {**swap, "tone": "unknown"}
    yield "LayoutComplete", "layout", "a picture", {"layout": portrait()}
    layout = nodes["HeadLayout"].execute(**place).args[0]
    yield "LayoutComplete", "by", "unknown", {"layout": layout, "by": "unknown"}
    yield "HeadLayoutDiffusionLoader", "weights", "missing", {"weights": "missing.safetensors"}
    latent = {"samples": torch.rand(1, 4, 20, 20)}
    mix = {
        "model": small_unet("sd15"), "head": latent, "head_mask": torch.zeros(1, SIDE, SIDE), "body": latent,
        "body_mask": torch.ones(1, SIDE, SIDE), "order": "mix first", "start_percent": 0.0, "end_percent": 1.0,
        "keep_sources": True,
    }  # fmt: skip
    yield "SemanticMix", "body_mask", "all white", mix
    mix["body_mask"] = torch.ones(1, SIDE, SIDE).triu()
    masks = masks_wrong()
    for name in ("head_mask", "body_mask"):
        yield from of_kind("SemanticMix", mix, name, {k: masks[k] for k in ("NaN", "no mask", "one axis")})
    yield "SemanticMix", "body", "another size", {**mix, "body": {"samples": torch.rand(1, 4, 12, 20)}}
    yield "SemanticMix", "order", "unknown", {**mix, "order": "unknown"}
    for first, last in ((0.8, 0.2), (NAN, 1.0)):
        yield "SemanticMix", "start_percent", f"{first} to {last}", {
            **mix, "start_percent": first, "end_percent": last}  # fmt: skip


def uniface_cases() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """A model of text and image tokens."""
    folder = Path(folder_paths.get_folder_paths("unif2ace")[0])
    folder.mkdir(parents=True, exist_ok=True)
    save_small(folder / "small.safetensors")
    torch.save(random_show_o(layers=1), folder / "show_o.bin")
    torch.save({"lora_unet.weight": torch.ones(2, 2)}, folder / "lora.bin")
    torch.save(torch.nn.Linear(2, 2), folder / "program.bin")
    (folder / "page.bin").write_text("<html>")
    (folder / "page.json").write_text("<html>")
    good = {
        "model": "small.safetensors", "image_tokenizer": IN_THE_MODEL, "text_tokenizer": IN_THE_MODEL, "size": "256",
    }  # fmt: skip
    for wrong in ("gone.bin", "../gone.bin", NO_MODEL, "lora.bin", "program.bin", "page.bin"):
        yield "FPFUniFaceLoad", "model", wrong, {**good, "model": wrong}
    published = {**good, "model": "show_o.bin", "image_tokenizer": "lora.bin", "text_tokenizer": "page.json"}
    for name, wrong in (("image_tokenizer", "gone.bin"), ("text_tokenizer", "gone.json")):
        yield "FPFUniFaceLoad", name, "missing", {**published, name: wrong}
        yield "FPFUniFaceLoad", name, "of its own", {**published, name: IN_THE_MODEL}
        yield "FPFUniFaceLoad", name, "not needed", {**good, name: published[name]}
    yield "FPFUniFaceLoad", "text_tokenizer", "a page", published
    yield "FPFUniFaceLoad", "size", "unlisted", {**good, "size": "300"}
    model = nodes["FPFUniFaceLoad"].execute(**good).args[0]
    drawing = {"model": model, "prompt": "a face", "seed": 0}
    for name, low, high in (("batch_size", 1, 64), ("steps", 1, 256), ("guidance", 0, 30), ("temperature", 0, 10)):
        yield from of_kind("FPFUniFaceGenerate", drawing, name, numbers_wrong(low, high))
    asking = {"model": model, "image": portrait(), "question": "what", "max_length": 3}
    yield from of_kind("FPFUniFaceAsk", asking, "image", pictures_wrong())
    yield "FPFUniFaceAsk", "question", "empty", {**asking, "question": " "}
    yield from of_kind("FPFUniFaceAsk", asking, "max_length", numbers_wrong(1, 1024))


def people_cases(picture: torch.Tensor) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """New pictures of the people in photographs."""
    good = {
        "photographs": {"photograph0": picture}, "crop": "upright", "padding": 0.5, "size": 128, "strength": 1.0,
        "look_at": {"look_at": "all"}, "face": 0, "grow": 0.35, "feather": 0.2,
    }  # fmt: skip
    for what, wrong in (pictures_wrong() | {"no face": torch.rand(1, 90, 90, 3)}).items():
        yield "FacePerson", "photographs", what, {**good, "photographs": {"photograph0": wrong}}
    yield "FacePerson", "photographs", "none", {**good, "photographs": {}}
    yield "FacePerson", "look_at", "no part", {**good, "look_at": {"look_at": "parts"}}
    for name, value in (("crop", "left"), ("size", 0), ("padding", NAN), ("strength", NAN), ("strength", -1.0)):
        yield "FacePerson", name, str(value), {**good, name: value}
    masks = masks_wrong() | {"black": torch.zeros(1, 64, 64)}
    for what in ("NaN", "no mask", "four axes", "one axis", "a picture", "black"):
        yield "FacePerson", "mask", what, {**good, "mask": masks[what]}
    yield "FacePerson", "mask", "and layout", {**good, "mask": torch.ones(1, 64, 64), "layout": picture}
    yield "FacePerson", "layout", "fewer faces", {**good, "layout": picture, "face": 3}
    yield "FacePerson", "layout", "no face", {**good, "layout": torch.rand(1, 90, 90, 3)}
    yield "FacePerson", "grow", "NaN", {**good, "layout": picture, "grow": NAN}
    person = nodes["FacePerson"].execute(**good)[0]
    fuse = {
        "model": small_unet("sd15"), "vae": random_vae(4), "persons": {"person0": person},
        "mechanism": {"mechanism": "training-free"}, "noise": "clean", "layers": "all", "start": 0.0, "end": 1.0,
        "refresh": 1, "balance": True, "negative_looks": False,
    }  # fmt: skip
    yield "ReferenceFusion", "persons", "none", {**fuse, "persons": {}}
    missing = {"mechanism": "trained", "weights": "missing.safetensors"}
    yield "ReferenceFusion", "mechanism", "missing file", {**fuse, "mechanism": missing}
    yield "ReferenceFusion", "vae", "of another family", {**fuse, "vae": random_vae(16)}
    for name, value in (("noise", "some"), ("layers", "down"), ("refresh", 0), ("start", 2.0), ("start", NAN)):
        yield "ReferenceFusion", name, str(value), {**fuse, name: value}
    yield "PersonLatents", "persons", "none", {"clip": None, "vae": random_vae(16), "prompt": "", "persons": {}}


def model_cases(people: Any, wrong_masks: Mapping[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Nodes that take a model, encoder or controller."""
    vision = random_vision(BASE, 1280)
    encode = {
        "parts": people, "clip_vision": vision, "role": "reference", "mode": "practical", "padding": 0.1,
        "stacked": False, "fill": "auto", **strengths("eyes"),
    }  # fmt: skip
    yield from of_kind("PartEncode", encode, "mask", wrong_masks | {"black": torch.zeros(1, SIDE, SIDE)})
    yield "PartEncode", "mask", "of a target", {**encode, "role": "target", "mask": torch.ones(1, SIDE, SIDE)}
    yield "PartEncode", "strength", "all 0", {**encode, **strengths()}
    yield "PartEncode", "clip_vision", "a VAE", {**encode, "clip_vision": random_vae(4)}
    for name, wrong in (("mode", "fast"), ("padding", NAN)):
        yield "PartEncode", name, str(wrong), {**encode, name: wrong}
    reference = nodes["PartEncode"].execute(**encode)[0]
    target = nodes["PartEncode"].execute(**{**encode, "role": "target", **strengths("eyes", "nose")})[0]
    mix = {"target": target, "resample": "similarity", "feather": 0.25, "references": {"reference0": reference}}
    yield "MaskFuse", "references", "none", {**mix, "references": {}}
    yield "MaskFuse", "target", "a reference", {**mix, "target": reference}
    yield "MaskFuse", "references", "a target", {**mix, "references": {"reference0": target}}
    for name, wrong in (("resample", "cubic"), ("feather", NAN), ("feather", -1.0)):
        yield "MaskFuse", name, str(wrong), {**mix, name: wrong}

    latent = {"samples": torch.rand(1, 4, 20, 20)}
    keep = {
        "model": small_unet("sd15"), "target": latent, "mask": torch.ones(1, SIDE, SIDE), "start_percent": 0.0,
        "end_percent": 1.0, "keep_target": True,
    }  # fmt: skip
    yield from of_kind("MaskedFusion", keep, "mask", {k: wrong_masks[k] for k in ("NaN", "no mask", "one axis")})
    for first, last in ((0.8, 0.2), (NAN, 1.0)):
        yield (
            "MaskedFusion",
            "start_percent",
            f"{first} to {last}",
            {**keep, "start_percent": first, "end_percent": last},
        )

    save_file(random_ip_adapter("sd15", "plus", base=32, inner=128), BASE / "ip.safetensors")
    controller = load_controller(str(BASE / "ip.safetensors"))
    zero = dict.fromkeys((*MORE, *MAIN_PARTS), 0.0)
    describe = {"parts": people, "clip_vision": vision, "padding": 0.25, **zero, "face": 1.0}
    for what, wrong in parts_wrong(people).items():
        if what in ("only a box", "no parts"):
            yield "FaceRepresentationEncode", "parts", what, {**describe, "parts": wrong, "face": 0.0, "eyes": 1.0}
    person = nodes["FaceRepresentationEncode"].execute(**describe)[0]
    steer = {
        "model": small_unet("sd15"), "controller": controller, "target": people, "strength": 1.0, "start": 0.0,
        "end": 1.0, "grow": 0.05, "feather": 0.1, "block_weights": "", "representations": {"representation0": person},
    }  # fmt: skip
    yield "ControllerApply", "representations", "none", {**steer, "representations": {}}
    for text in ("input4", "input4=", "input4=x", "nowhere=1", "input99=1", "="):
        yield "ControllerApply", "block_weights", text, {**steer, "block_weights": text}
    for first, last in ((0.8, 0.2), (NAN, 1.0)):
        yield "ControllerApply", "start", f"{first} to {last}", {**steer, "start": first, "end": last}
    yield from of_kind("ControllerApply", steer, "mask", wrong_masks)
    yield "ControllerApply", "model", "SDXL", {**steer, "model": small_unet("sdxl")}
    yield (
        "RepresentationAssemble",
        "controller",
        "IP-Adapter",
        {"controller": controller, "target": person, "task": "face swap"},
    )
    yield "ControllerLoad", "controller_name", "missing", {"controller_name": "missing.safetensors"}
    yield "FuseAnyPartLoader", "weights", "missing", {"weights": "missing.bin"}
    yield "FuseAnyPartLoader", "base", "missing beside onto", {"weights": "x.bin", "onto": small_unet("sd15")}
    omni = {
        "model": small_unet("sd15"), "vae": random_vae(4), "target": people, "source": people, "task": "face swap",
        "shown": "paste", "fill": "grey", "dilate": 0.15, "feather": 4, "strength": 1.0, "start": 0.0, "end": 1.0,
        "positive": random_words("sd15", 1), "negative": random_words("sd15", 2), "controller": controller,
        "clip_vision": vision, **dict.fromkeys(REGIONS, "task's own"),
    }  # fmt: skip
    for name, wrong in (
        ("task", "unknown"),
        ("source", None),
        ("start", 2.0),
        ("block_weights", "x=1"),
        ("clip_vision", None),
    ):
        yield "OmniRepresentationCondition", name, str(wrong), {**omni, name: wrong}
    yield from of_kind(
        "OmniRepresentationCondition", omni, "mask", {k: wrong_masks[k] for k in ("NaN", "another shape", "no mask")}
    )


def addition_cases() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    made, other = fap("A"), fap("B", width=32)
    inject = {
        "model": made.model, "adapter": made.adapter, "fused": fused("practical"), "vae": random_fap_vae(),
        "strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "block_weights": "", "seed": 4,
    }  # fmt: skip
    yield "AdditionInject", "fused", "of another encoder", {**inject, "fused": fused("practical", width=32)}
    yield "AdditionInject", "adapter", "of another encoder", {**inject, "adapter": other.adapter}
    yield "AdditionInject", "model", "SD1.5 with 4 channels", {**inject, "model": small_unet("sd15")}
    for text in ("middle", "nowhere=1", "input_4=x"):
        yield "AdditionInject", "block_weights", text, {**inject, "block_weights": text}
    for first, last in ((0.8, 0.2), (NAN, 1.0)):
        yield "AdditionInject", "start_percent", f"{first} to {last}", {
            **inject, "start_percent": first, "end_percent": last}  # fmt: skip
    masks = {"NaN": torch.ones(1, 128, 128) * NAN, "none": torch.ones(0, 8, 8)}
    yield from of_kind("AdditionInject", inject, "mask", masks)
    yield "FuseAnyPartSampling", "model", "another schedule", {"model": flow_model(), "steps": 20, "noise_scale": 1.0}


def flow_model() -> Any:
    class Flow:
        sigmas = torch.linspace(0.001, 1, 1000)

    model = small_unet("sd15").clone()
    model.add_object_patch("model_sampling", Flow())
    return model


def outcome(node: str, inputs: dict[str, Any]) -> dict[str, str]:
    """`kind`: the class of what was raised, "" where the node went on. `text`: its message."""
    try:
        nodes[node].PREPARE_CLASS_CLONE(None).execute(**inputs)
    except Exception as error:
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
        return {"kind": type(error).__name__, "text": str(error), "at": where}
    return {"kind": "", "text": "", "at": ""}


with torch.inference_mode():
    finish({
        "outside": done_outside,
        "cases": [
            {"node": node, "input": name, "what": what, **outcome(node, inputs)} for node, name, what, inputs in cases()
        ]
    })  # fmt: skip
