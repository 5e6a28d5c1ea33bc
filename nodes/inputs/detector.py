"""The choice of a detector: the built-in one, and the optional ones with their own settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import comfy.model_management as mm
from comfy_api.latest import io
from torch import Tensor

from ...detectors.parts import PART_CHOICES, Face
from ...detectors.progress import Progress, counted
from ...detectors.regions import with_regions
from ..host import folders
from ..host.fingerprints import Stamp, stamps
from .schema import field
from .values import FileCombo

FacesByPicture = tuple[tuple[Face, ...], ...]

BUILTIN, INSIGHTFACE, TEXT_PROMPT = "built-in", "InsightFace", "text prompt"
DEFAULT_PROMPTS = "skin: face\neyes: eyes\nnose: nose\nmouth: mouth"


def detector_input() -> Any:
    return field(
        io.DynamicCombo, "detector",
        options=[
            io.DynamicCombo.Option(BUILTIN, []),
            io.DynamicCombo.Option(INSIGHTFACE, [_model_pack()]),
            io.DynamicCombo.Option(TEXT_PROMPT, [_prompts(), _grounding_dino(), _sam()]),
        ],
        tooltip="The detector that finds the faces. 'built-in' works at once and knows every part inside the face. "
        "'InsightFace' needs its package and a model pack. 'text prompt' finds parts by their description, hair and "
        "ears too, and needs GroundingDINO; with a Segment Anything checkpoint the boxes become exact outlines. "
        "Nothing is downloaded.",
    )  # fmt: skip


def _model_pack() -> Any:
    return field(
        io.String, "model_pack", default="buffalo_l",
        tooltip="Name of the model pack, a folder of .onnx files in models/insightface/models. With 2d106det.onnx "
        "the faces get 106 landmarks and their parts; without that file they have no parts.",
    )  # fmt: skip


def _prompts() -> Any:
    return field(
        io.String, "prompts", default=DEFAULT_PROMPTS, multiline=True,
        tooltip="One line for each part, 'part: what to look for', for example 'hair: red hair'. Only these parts "
        "are searched. Parts: " + ", ".join(PART_CHOICES) + ".",
    )  # fmt: skip


def _grounding_dino() -> Any:
    return field(
        FileCombo, "grounding_dino", options=folders.grounding_dino_names(),
        tooltip="The GroundingDINO folder (config.json, tokenizer and weights) in models/grounding-dino that turns "
        "the prompts into boxes.",
    )  # fmt: skip


def _sam() -> Any:
    return field(
        FileCombo, "sam", options=folders.sam_names(), default=folders.NO_SAM,
        tooltip="A Segment Anything checkpoint in models/sams that turns each box into an exact outline. With 'none' "
        "the boxes themselves are the parts.",
    )  # fmt: skip


def refuse_wires(detector: str, wired: dict[str, Any]) -> None:
    """Raises ValueError when something is wired in that only the built-in detector takes."""
    names = " and ".join(name for name, value in wired.items() if value is not None)
    if names:
        raise ValueError(
            f"{names} work with the built-in detector only, but detector is '{detector}'. Set detector to '{BUILTIN}' "
            f"or unplug {names}"
        )


def large_enough(faces: tuple[Face, ...], smallest: int) -> tuple[Face, ...]:
    """Without the faces whose box has a side below `smallest` pixels."""
    return tuple(f for f in faces if min(f.box[2] - f.box[0], f.box[3] - f.box[1]) >= smallest)


def detector_files(choice: dict[str, Any]) -> tuple[Stamp, ...]:
    """Stamps of the files that the chosen detector reads."""
    if choice["detector"] == INSIGHTFACE:
        return stamps(lambda: [os.path.join(folders.insightface_root(), "models", choice["model_pack"] or "")])
    if choice["detector"] == TEXT_PROMPT:
        return stamps(lambda: _prompted_files(choice["grounding_dino"] or "", choice["sam"] or folders.NO_SAM))
    return ()


def _prompted_files(grounding_dino: str, sam: str) -> list[str]:
    return [folders.grounding_dino_folder(grounding_dino), *filter(None, [folders.sam_checkpoint(sam)])]


def find_with_insightface(
    pictures: Tensor, choice: dict[str, Any], threshold: float, progress: Progress | None
) -> FacesByPicture:
    # Imported here because the package is optional and slow to import.
    from ...detectors.insight import InsightDetector

    detector = InsightDetector(choice["model_pack"], folders.insightface_root())
    faces_by_picture = _one_by_one(pictures, lambda picture: detector(picture, threshold), progress)
    return tuple(tuple(map(with_regions, faces)) for faces in faces_by_picture)


def find_with_prompts(
    pictures: Tensor, choice: dict[str, Any], threshold: float, progress: Progress | None
) -> FacesByPicture:
    from ...detectors.prompted import PromptedDetector

    prompts = read_prompts(choice["prompts"])
    folder, sam = folders.grounding_dino_folder(choice["grounding_dino"]), folders.sam_checkpoint(choice["sam"])
    device = mm.text_encoder_device()
    mm.free_memory(2 * _bytes_on_disk(folder, sam), device)
    detector = PromptedDetector(folder, sam, device)
    return _one_by_one(pictures, lambda picture: detector(picture, prompts, threshold), progress)


def _one_by_one(
    pictures: Tensor, detect: Callable[[Tensor], FacesByPicture], progress: Progress | None
) -> FacesByPicture:
    return tuple(detect(pictures[i : i + 1])[0] for i in counted(range(len(pictures)), progress))


def _bytes_on_disk(folder: str, file: str | None) -> int:
    sizes = [entry.stat().st_size for entry in os.scandir(folder) if entry.name.endswith(".safetensors")]
    return sum(sizes) + (os.path.getsize(file) if file else 0)


def read_prompts(text: str) -> dict[str, str]:
    """Lines of 'part: words' -> words by part. Raises ValueError with the line that cannot be read."""
    prompts = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        part, colon, words = (piece.strip() for piece in line.partition(":"))
        if not colon or not words or part not in PART_CHOICES:
            raise ValueError(
                f"prompts has the line '{line}'; needed is 'part: what to look for', with one of the parts "
                f"{', '.join(PART_CHOICES)}"
            )
        prompts[part] = words
    if not prompts:
        raise ValueError("prompts is empty; write a line such as 'nose: nose' for each part to look for")
    return prompts
