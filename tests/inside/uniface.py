"""UniF2ace Load, Generate and Ask in a real host, against the pack's own computation: `uniface.py HOST BASE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))
from host import finish, says, start  # noqa: E402

nodes = start()

import comfy.model_management as mm  # noqa: E402
import folder_paths  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.injection.unif2ace.image_tokeniser import ImageTokeniser  # noqa: E402
from face_part_fusion.injection.unif2ace.model import UniFaceModel  # noqa: E402
from face_part_fusion.injection.unif2ace.show_o import read_show_o, read_tokeniser  # noqa: E402
from face_part_fusion.injection.unif2ace.text_tokenizer import TextTokenizer  # noqa: E402
from face_part_fusion.injection.unif2ace.transformer import Transformer  # noqa: E402
from face_part_fusion.nodes.host.uniface_files import IN_THE_MODEL  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from support.uniface_weights import SMALL, random_magvit, random_show_o, save_small, tokenizer_json  # noqa: E402

torch.set_num_threads(1)
folder = Path(folder_paths.get_folder_paths("unif2ace")[0])
folder.mkdir(parents=True, exist_ok=True)
small = save_small(folder / "small.safetensors")
show_o, magvit = random_show_o(), random_magvit()
save_file(show_o, folder / "show_o.safetensors", {"format": "pt"})
torch.save(show_o, folder / "show_o.bin")
torch.save(magvit, folder / "magvit.bin")
torch.save({"lora_unet.weight": torch.ones(2, 2)}, folder / "lora.pth")
(folder / "phi.json").write_text(tokenizer_json(), encoding="utf-8")
(folder / "other.json").write_text(tokenizer_json(0), encoding="utf-8")
(folder / "broken.json").write_bytes(b"\xff\xfe")
CPU, PROMPT = torch.device("cpu"), "a smiling face"
pictures = torch.rand(2, 40, 52, 3)


def load(model: str, image: str = IN_THE_MODEL, text: str = IN_THE_MODEL, **size: str) -> Any:
    return nodes["FPFUniFaceLoad"].execute(model, image, text, **size).args[0]


def drawn_once(name: str, **size: str) -> torch.Tensor:
    model = load(name, "magvit.bin", "phi.json", **size)
    return nodes["FPFUniFaceGenerate"].execute(model, PROMPT, 2**64 - 1, steps=1, guidance=0.0).args[0]


def used(model: Any) -> tuple[torch.Tensor, str]:
    drawn = nodes["FPFUniFaceGenerate"].execute(model, PROMPT, 5, 2, steps=3, guidance=2.0).args[0]
    return drawn, nodes["FPFUniFaceAsk"].execute(model, pictures, "what", 4).args[0]


def own(model: UniFaceModel) -> tuple[torch.Tensor, str]:
    drawn = model.pictures_of(PROMPT, 2, guidance=2.0, steps=3, temperature=1.0, seed=5)
    return drawn, "\n".join(model.answer_about(picture, "what", 4) for picture in pictures)


def published() -> UniFaceModel:
    shape, vocabulary, weights = read_show_o(show_o, "")
    sizes, codes = read_tokeniser(magvit, "")
    transformer, tokeniser = Transformer(shape).eval(), ImageTokeniser(sizes).eval()
    transformer.load_state_dict(weights)
    tokeniser.load_state_dict(codes)
    return UniFaceModel(transformer, tokeniser, vocabulary, TextTokenizer(tokenizer_json(), vocabulary, ""), 256, CPU)


text = TextTokenizer(tokenizer_json(0), SMALL.vocabulary, "")
trained = UniFaceModel(*small, SMALL.vocabulary, text, SMALL.side, CPU)
loaded = load("small.safetensors")
results = {"trained": (used(loaded), own(trained)), "published": (
    used(load("show_o.safetensors", "magvit.bin", "phi.json", size="256")), own(published()))}  # fmt: skip
finish({
    "gaps": {name: float((ours[0] - theirs[0]).abs().max()) for name, (ours, theirs) in results.items()},
    "shapes": {name: list(ours[0].shape) for name, (ours, _) in results.items()},
    "answers": {name: [ours[1], theirs[1]] for name, (ours, theirs) in results.items()},
    "pickle": torch.equal(drawn_once("show_o.bin"), drawn_once("show_o.safetensors")),
    "managed": all(any(one.model is patcher for one in mm.current_loaded_models) for patcher in loaded.get_models()),
    "size": list(drawn_once("show_o.bin", size="512").shape),
    "long": nodes["FPFUniFaceGenerate"].execute(loaded, "a " * 130, 5, 1, steps=1).args[1],
    "none": says(lambda: load("(none: put a Show-o file into models/unif2ace)")),
    "gone": says(lambda: load("gone.bin")),
    "lora": says(lambda: load("lora.pth")),
    "no tokenizer": says(lambda: load("show_o.bin")),
    "no text": says(lambda: load("show_o.bin", "magvit.bin")),
    "as tokenizer": says(lambda: load("show_o.bin", "show_o.bin", "phi.json")),
    "as model": says(lambda: load("magvit.bin", "magvit.bin", "phi.json")),
    "other text": says(lambda: load("show_o.bin", "magvit.bin", "other.json")),
    "broken text": says(lambda: load("show_o.bin", "magvit.bin", "broken.json")),
    "not needed": says(lambda: load("small.safetensors", "magvit.bin")),
})  # fmt: skip
