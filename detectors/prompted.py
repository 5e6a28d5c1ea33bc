"""Faces and parts by text, as in the FuseAnyPart paper: boxes by GroundingDINO, masks by Segment Anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .boxes import Box, centre_of
from .given import mask_region, owner
from .parts import GROUPS, PART_CHOICES, Face, Region
from .picture import as_bytes

FACE_PROMPT = "face"

# A box in pixels and its score in 0..1.
ScoredBox = tuple[Box, float]

_ALTERNATIVE = "or set detector to 'built-in', which needs none of it"
_KINDS = ("grounding-dino", "mm-grounding-dino")
# Width of the image encoder -> variant.
_SAM_KINDS = {1280: "vit_h", 1024: "vit_l", 768: "vit_b"}
# Boxes whose overlap over union exceeds this are on one face.
_SAME_FACE = 0.5
# A box of eyes or brows holds both when at least this share of it lies on either side of the face's middle, and when it
# is wider than this share of the face: one eye of a profile can lie in the middle, too.
_EITHER_SIDE, _BOTH_WIDE = 0.25, 0.35
# Pixels of the shortest side of a picture that can hold a face.
_SMALLEST = 8


class PromptedDetector:
    """Faces and parts found by their description.

    `folder`: a GroundingDINO (or MM-GroundingDINO) model as `transformers` saves it: config.json, weights as
    .safetensors, tokenizer and preprocessor files. `sam_checkpoint`: an original Segment Anything file (vit_h, vit_l
    or vit_b); without it the boxes themselves are the regions. Nothing is downloaded.

    Raises ValueError when a package, the folder or a file is missing, of another kind or unreadable.
    """

    def __init__(
        self, folder: str | Path, sam_checkpoint: str | Path | None = None, device: str | torch.device = "cpu"
    ):
        self._device = torch.device(device)
        self._processor, self._model = _load_grounding_dino(Path(folder), self._device)
        self._sam = None if sam_checkpoint is None else _load_sam(Path(sam_checkpoint), self._device)

    def __call__(
        self, pictures: Tensor, prompts: Mapping[str, str], threshold: float = 0.3
    ) -> tuple[tuple[Face, ...], ...]:
        """The faces of each picture, with those of the prompted parts that were found; without landmarks.

        `pictures`: (B, H, W, 3) float 0..1. A picture with a side under 8 pixels has no face.
        `prompts`: part (one of PART_CHOICES) -> description, such as {"nose": "nose", "hair": "red hair"}; a group
        (`eyes`, `brows`) stands for both sides. Faces are found by the word "face".
        `threshold`: 0..1, the least score of faces and parts.

        A part belongs to the face that is the `given.owner` of its box's centre; of several boxes the best one counts.
        Left and right are separated at the face's middle.

        Raises ValueError when a name is not a part, or a description is empty or too long for the model.
        """
        texts = _texts(prompts)
        return tuple(self._search(picture, texts, threshold) for picture in pictures)

    @torch.no_grad()
    def _search(self, picture: Tensor, texts: Mapping[str, str], threshold: float) -> tuple[Face, ...]:
        if min(picture.shape[:2]) < _SMALLEST:
            return ()
        rgb = as_bytes(picture)
        phrases = list(dict.fromkeys([FACE_PROMPT, *texts.values()]))
        boxes_by_phrase = dict(zip(phrases, self._boxes(rgb, phrases, threshold), strict=True))
        faces = _distinct(boxes_by_phrase[FACE_PROMPT])
        part_boxes: list[dict[str, Box]] = [{} for _ in faces]
        for part, text in texts.items():
            for box, _ in boxes_by_phrase[text]:
                _add_part(part_boxes, [face for face, _ in faces], part, box)
        if self._sam is not None and any(part_boxes):
            self._sam.set_image(rgb)
        return tuple(
            Face(box, score, regions={part: self._region(part_box) for part, part_box in own.items()})
            for (box, score), own in zip(faces, part_boxes, strict=True)
        )

    def _boxes(self, rgb: np.ndarray, phrases: Sequence[str], threshold: float) -> list[list[ScoredBox]]:
        """The boxes of each phrase in a picture (H, W, 3) uint8, best first."""
        # One caption holds all phrases, and each is read from its own token scores. That works in every version of
        # transformers (post-processing was renamed twice), and two phrases can never be read as one.
        inputs = self._processor(images=rgb, text=". ".join(phrases) + ".", return_tensors="pt").to(self._device)
        # The model drops tokens beyond its caption length.
        ids = inputs["input_ids"][0].tolist()[: self._model.config.max_text_len]
        tokens = _tokens_of(ids, self._processor.tokenizer.convert_tokens_to_ids("."), phrases)
        output = self._model(**inputs)
        height, width = rgb.shape[:2]
        scores = output.logits[0].sigmoid()
        centre, size = output.pred_boxes[0].float().split(2, -1)
        corners = torch.cat([centre - size / 2, centre + size / 2], -1).clamp(0, 1)
        boxes = corners * corners.new_tensor([width, height, width, height])
        return [_above(boxes, scores[:, first:end].amax(-1), threshold) for first, end in tokens]

    def _region(self, box: Box) -> Region:
        if self._sam is not None:
            masks, _, _ = self._sam.predict(box=np.array(box), multimask_output=False)
            if masks[0].any():
                return mask_region(torch.from_numpy(masks[0]).float())
        return Region.of_box(box)


def _texts(prompts: Mapping[str, str]) -> dict[str, str]:
    """Single part -> its description in plain lower case."""
    texts: dict[str, str] = {}
    for part, text in prompts.items():
        if part not in PART_CHOICES:
            raise ValueError(f"prompts names '{part}', which is not a part; choose out of {', '.join(PART_CHOICES)}")
        words = " ".join(text.lower().replace(".", " ").replace("?", " ").split())
        if not words:
            raise ValueError(f"prompts has no text for '{part}'; write what to look for, such as 'red hair'")
        texts.update(dict.fromkeys(GROUPS.get(part, (part,)), words))
    return texts


def _tokens_of(ids: Sequence[int], stop: int, phrases: Sequence[str]) -> list[tuple[int, int]]:
    """First token and last + 1 of each phrase; every phrase ends with the token `stop`."""
    stops = [i for i, token in enumerate(ids) if token == stop]
    starts = [1, *(i + 1 for i in stops)]
    spans = list(zip(starts, stops, strict=False))
    if len(spans) != len(phrases) or any(first >= end for first, end in spans):
        raise ValueError(
            f"prompts are too long for this GroundingDINO, or hold signs that it cannot read: it took {len(spans)} of "
            f"{len(phrases)} phrases ({'; '.join(phrases)}); use few plain words for each part"
        )
    return spans


def _above(boxes: Tensor, scores: Tensor, threshold: float) -> list[ScoredBox]:
    """The boxes (N, 4) with an area that score at least `threshold`, best first."""
    order = scores.argsort(descending=True)
    ranked = zip(boxes[order].tolist(), scores[order].tolist(), strict=True)
    return [((b[0], b[1], b[2], b[3]), s) for b, s in ranked if s >= threshold and b[0] < b[2] and b[1] < b[3]]


def _distinct(faces: Sequence[ScoredBox]) -> list[ScoredBox]:
    kept: list[ScoredBox] = []
    for box, score in faces:
        if all(_overlap(box, other) <= _SAME_FACE for other, _ in kept):
            kept.append((box, score))
    return kept


def _overlap(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (both - shared)


def _add_part(part_boxes: Sequence[dict[str, Box]], faces: Sequence[Box], part: str, box: Box) -> None:
    """Add the part's box to the face that owns it, unless that face has the part from a better box."""
    index = owner(faces, centre_of(box), part)
    if index is None:
        return
    half = _own_side(box, part, faces[index]) if _sided(part) else box
    # Boxes come best first, so the first one stays.
    if half is not None:
        part_boxes[index].setdefault(part, half)


def _sided(part: str) -> bool:
    return any(part in members for members in GROUPS.values())


def _own_side(box: Box, part: str, face: Box) -> Box | None:
    """The box of one side of a group: its half where it holds both, None where it holds the other side."""
    left = part.startswith("left")
    x0, y0, x1, y1 = box
    middle = centre_of(face)[0]
    share = (middle - x0) / (x1 - x0)
    if _EITHER_SIDE <= share <= 1 - _EITHER_SIDE and x1 - x0 > _BOTH_WIDE * (face[2] - face[0]):
        return (x0, y0, middle, y1) if left else (middle, y0, x1, y1)
    return box if (share > 0.5) == left else None


def _load_grounding_dino(folder: Path, device: torch.device) -> tuple[Any, Any]:
    try:
        transformers = import_module("transformers")
    except ImportError as problem:
        raise ValueError(
            f"text prompts need the Python package transformers, which cannot be imported ({problem}). Install it "
            f"with: pip install transformers, {_ALTERNATIVE}"
        ) from problem
    _check_folder(folder)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = transformers.AutoProcessor.from_pretrained(str(folder), **options)
        kind = transformers.AutoModelForZeroShotObjectDetection
        model = kind.from_pretrained(str(folder), use_safetensors=True, **options)
    except Exception as problem:
        raise ValueError(
            f"the GroundingDINO folder {folder} cannot be read: {problem}. Copy the whole model anew (config.json, "
            f"model.safetensors, preprocessor and tokenizer files), {_ALTERNATIVE}"
        ) from problem
    return processor, model.to(device).eval()


def _check_folder(folder: Path) -> None:
    needed = "config.json, model.safetensors, preprocessor_config.json and the tokenizer files of a GroundingDINO model"
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        state = "has no config.json or no .safetensors file" if folder.is_dir() else "does not exist"
        raise ValueError(f"the GroundingDINO folder {folder} {state}; it must hold {needed}, {_ALTERNATIVE}")
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as problem:
        raise ValueError(f"{folder / 'config.json'} cannot be read ({problem}); copy the model anew") from problem
    if kind not in _KINDS:
        kinds = " or ".join(_KINDS)
        raise ValueError(f"{folder} holds a model of type '{kind}', but text prompts need {kinds}: {needed}")


def _load_sam(path: Path, device: torch.device) -> Any:
    try:
        package = import_module("segment_anything")
    except ImportError as problem:
        raise ValueError(
            f"refining boxes to masks needs the Python package segment-anything, which cannot be imported ({problem}). "
            "Install it with: pip install segment-anything torchvision, or set sam to 'none' to use the boxes"
        ) from problem
    state = _checkpoint(path)
    model = package.sam_model_registry[sam_kind(state)]()
    try:
        model.load_state_dict(state)
    except RuntimeError as problem:
        raise ValueError(f"{path} does not fit {sam_kind(state)} of Segment Anything: {problem}") from problem
    return package.SamPredictor(model.to(device).eval())


def _checkpoint(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise ValueError(f"the Segment Anything checkpoint {path} does not exist; give its path, or set sam to 'none'")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:
        raise ValueError(
            f"the Segment Anything checkpoint {path} cannot be read as plain weights: {problem}. Copy it anew"
        ) from problem
    return state


def sam_kind(state: Mapping[str, Tensor]) -> str:
    """vit_h, vit_l or vit_b from the width of the image encoder. Raises ValueError for any other state dict."""
    embedding = state.get("image_encoder.pos_embed") if isinstance(state, Mapping) else None
    width = None if embedding is None else int(embedding.shape[-1])
    if width not in _SAM_KINDS:
        encoder = "no image_encoder.pos_embed" if width is None else f"an image encoder {width} wide"
        raise ValueError(
            f"this is not a checkpoint of the original Segment Anything: it has {encoder}; needed is sam_vit_h, "
            "sam_vit_l or sam_vit_b (.pth). SAM 2, MobileSAM and the transformers format have other keys"
        )
    return _SAM_KINDS[width]
