"""FaceDescribe, FaceCompare and FaceChoose on photographs: `describe.py HOST BASE PHOTO`."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from host import finish, says, start

nodes = start()

import comfy.sd  # noqa: E402
import folder_paths  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

torch.set_num_threads(1)
BASE = Path(sys.argv[2])
DETECT = {
    "detector": {"detector": "built-in"}, "threshold": 0.3, "smallest": 32, "order": "large-small", "index": 0,
    "on_missing": "keep empty",
}  # fmt: skip


class Writer:
    """A CLIP as ComfyUI's text generation uses it: it answers with what it was asked, and counts the pixels it saw."""

    cond_stage_model = type("LanguageModel", (), {"generate": None})()

    def __init__(self, answer: str) -> None:
        self.answer, self.asked, self.image = answer, "", None

    def tokenize(self, text, image=None, **options):
        self.asked, self.image = text, image
        return {"text": [[1]]}

    def generate(self, tokens, **options):
        return [2]

    def decode(self, ids, **options):
        return self.answer


def language_model():
    """The host's own Qwen3-VL with a few random weights; None where the host has none."""
    try:
        from comfy.text_encoders import qwen3vl
    except ImportError:
        return None
    kind = "qwen3vl_4b"
    vision = {"hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "depth": 2, "deepstack_visual_indexes": [0]}
    qwen3vl.QWEN3VL_VISION[kind] = vision
    sizes = {
        "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }  # fmt: skip
    parts = {
        "params": {}, "clip": qwen3vl.te(dtype_llama=torch.float32, model_type=kind),
        "tokenizer": qwen3vl.tokenizer(kind),
    }  # fmt: skip
    clip = comfy.sd.CLIP(type("Target", (), parts), model_options={f"{kind}_model_config": sizes})
    torch.manual_seed(0)
    for weight in clip.cond_stage_model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return clip


def photographs() -> torch.Tensor:
    """The photograph, its mirror image, and grey."""
    image = Image.open(sys.argv[3]).convert("RGB").crop((100, 0, 356, 256))
    picture = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)
    return torch.stack([picture, picture.flip(1), torch.full_like(picture, 0.5)])


def describe(parts, **inputs):
    return nodes["FPFFaceDescribe"].execute(parts, **{"style": "tags", "language": "English"} | inputs).result


parts = nodes["FacePartDetect"].execute(photographs(), **DETECT)[0]
text, numbers, report = describe(parts)
writer = Writer("<think>hm</think>A person\n\nwith a beard.")
said, _, contradicted = describe(parts, clip=writer)
brighter = nodes["FacePartDetect"].execute((photographs() * 0.6).clamp(0, 1), **DETECT)[0]
compared, changes, not_meant = nodes["FPFFaceCompare"].execute(parts, brighter, "eyes").result
same = nodes["FPFFaceCompare"].execute(parts, parts, "").result
chosen = {
    wish: nodes["FPFFaceChoose"].execute(wish, parts, **options).result
    for wish, options in {
        "eyes open": {}, "lit from the left": {"on_none": "closest"}, "smiling, yaw > 80": {"on_none": "closest"},
        "no hat": {"most": 1, "order": "best first"}, "no spectacles": {"faces": "all"},
    }.items()
}  # fmt: skip
folder = Path(folder_paths.get_input_directory()) / "holiday"
folder.mkdir(parents=True)
shutil.copy(sys.argv[3], folder / "one.png")
Image.open(sys.argv[3]).convert("RGB").crop((60, 0, 380, 300)).save(folder / "two.jpg")
Image.new("RGB", (90, 60)).save(folder / "three.png")
of_folder = nodes["FPFFaceChoose"].execute("eyes open", folder="holiday").result
walls = folder.with_name("walls")
walls.mkdir()
Image.new("RGB", (90, 60)).save(walls / "wall.png")
of_walls = says(lambda: nodes["FPFFaceChoose"].execute("eyes open", folder="walls", on_none="closest"))
most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 1000
too_large = says(lambda: nodes["FPFFaceChoose"].execute("eyes open", folder="walls"))
Image.MAX_IMAGE_PIXELS = most
model, answers = language_model(), None
if model is not None:
    tokenize, pictures_in_question = model.tokenize, []

    def watched(*args, **options):
        (tokens,) = tokenize(*args, **options).values()
        pictures_in_question.append([list(each[0]["data"].shape) for each in tokens[0] if isinstance(each[0], dict)])
        return tokenize(*args, **options)

    model.tokenize = watched
    answers = [describe(parts, clip=model, max_length=16)[0].split("\n"), pictures_in_question]
dark = nodes["FacePartDetect"].execute(photographs()[:1] * 0.2, **DETECT)[0]
strengths = {f"{part}_strength": 1.0 for part in ("eyes", "brows", "nose", "mouth", "skin")}
advice = nodes["PartComposite"].execute(parts, "similarity", 1.0, 1.0, **strengths, nose=dark).result[2]
suited = nodes["FPFFaceChoose"].execute(advice.rpartition("conditions: ")[2], parts).result
finish({
    "walls": of_walls, "too large": too_large, "advice": advice, "answers": answers, "suited": suited[2],
    "text": text.split("\n"), "numbers": json.loads(numbers), "report": report,
    "said": said.split("\n"), "asked": writer.asked, "image": list(writer.image.shape), "contradicted": contradicted,
    "compared": compared, "changes": json.loads(changes), "not meant": not_meant, "same": [same[0], same[2]],
    "chosen": {wish: [len(own), list(images.shape), *rest] for wish, (own, images, *rest) in chosen.items()},
    "folder": [len(of_folder[0]), list(of_folder[1].shape), of_folder[2], of_folder[3]],
    "silent": says(lambda: describe(parts, clip=Writer("<think>only"))),
    "deaf": says(lambda: describe(parts, clip=object())),
})  # fmt: skip
