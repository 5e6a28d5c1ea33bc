"""Face parsing nets from the user's own files: an ONNX graph for onnxruntime, or a folder of `transformers`."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .parsing import BISENET, Parser, class_names
from .picture import as_bytes

# ImageNet's mean and standard deviation, with which these nets are trained.
_MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
# Side of the crop in pixels where the model does not state it.
_SIDE = 512
_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_MASKS = "or wire in masks of hair, ears, neck or head, which need no model"


def load_parser(path: str | Path, device: str | torch.device = "cpu") -> Parser:
    """The parser in an .onnx file or a model folder.

    `device`: where the model of a folder computes; onnxruntime chooses CUDA itself where it can.

    Raises ValueError when the file or folder is missing, unreadable or not a face parser, or its package is absent.
    """
    path = Path(path)
    if path.is_dir():
        return TransformersParser(path, device)
    if path.suffix.lower() != ".onnx" or not path.is_file():
        state = "is not an .onnx file" if path.is_file() else "does not exist"
        raise ValueError(
            f"the face parsing model {path} {state}; needed is an .onnx file or the folder of a transformers model, "
            f"{_MASKS}"
        )
    return OnnxParser(path)


class OnnxParser:
    """A graph with one picture input and, as its first output, class scores or a map of class numbers.

    Input: RGB normalised with ImageNet's mean and deviation, (N, 3, h, w) or (N, h, w, 3), float32 or float16; h and w
    as the graph states them, 512 where it leaves them open.
    Output: (1, classes, h, w) or (1, h, w, classes) scores, or (1, h, w) or (1, 1, h, w) whole numbers.
    Classes: those of `id2label` in a config.json beside the file or one folder up; without that file BiSeNet's 19.
    """

    def __init__(self, path: Path) -> None:
        """Raises ValueError without the package onnxruntime, and for a file or graph that does not fit."""
        runtime = _package("onnxruntime", "this .onnx file", "use the folder of a transformers model")
        available = runtime.get_available_providers()
        providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
        try:
            self._session = runtime.InferenceSession(str(path), providers=providers or None)
        except Exception as problem:
            raise ValueError(f"onnxruntime cannot read {path}: {problem}. Copy it anew, {_MASKS}") from problem
        self._path = path
        inputs = self._session.get_inputs()
        picture = inputs[0]
        if len(inputs) != 1 or len(picture.shape) != 4 or picture.type not in _FLOATS:
            raise ValueError(
                f"{path} takes {len(inputs)} input(s), the first {picture.type} {picture.shape}; a face parser takes "
                f"one float picture (1, 3, h, w) or (1, h, w, 3). Use another model, {_MASKS}"
            )
        self._input, self._type = picture.name, _FLOATS[picture.type]
        self._channels_last = picture.shape[3] == 3 and picture.shape[1] != 3
        sides = picture.shape[1:3] if self._channels_last else picture.shape[2:4]
        self._sides = tuple(side if isinstance(side, int) and side > 0 else _SIDE for side in sides)
        self.size = max(self._sides)
        labels = _labels(path.parent / "config.json") or _labels(path.parent.parent / "config.json")
        self.names = class_names(labels) if labels else BISENET

    def __call__(self, crops: Tensor) -> Tensor:
        """(1, 3, size, size) RGB 0..1 -> (1, size, size) int64. Raises ValueError for an output of another shape."""
        picture = (functional.interpolate(crops, self._sides, mode="bilinear", antialias=True) - _MEAN) / _STD
        picture = picture.permute(0, 2, 3, 1) if self._channels_last else picture
        output = self._session.run(None, {self._input: picture.contiguous().numpy().astype(self._type)})[0]
        return _class_map(torch.from_numpy(np.asarray(output)), len(self.names), self.size, str(self._path))


class TransformersParser:
    """A semantic segmentation model as `transformers` saves it, such as jonathandinu/face-parsing (SegFormer).

    `folder`: config.json with `id2label`, weights as .safetensors, preprocessor_config.json.
    """

    def __init__(self, folder: Path, device: str | torch.device = "cpu") -> None:
        """Raises ValueError without the package transformers, and for a folder that does not fit."""
        transformers = _package("transformers", "this model folder", "use an .onnx file")
        labels = _labels(folder / "config.json")
        if not labels or not any(folder.glob("*.safetensors")) or not (folder / "preprocessor_config.json").is_file():
            raise ValueError(
                f"the face parsing folder {folder} must hold config.json with id2label, model.safetensors and "
                f"preprocessor_config.json; copy the whole model anew, {_MASKS}"
            )
        self.names = class_names(labels)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._processor = transformers.AutoImageProcessor.from_pretrained(str(folder), **options)
            kind = transformers.AutoModelForSemanticSegmentation
            model = kind.from_pretrained(str(folder), use_safetensors=True, **options)
        except Exception as problem:
            raise ValueError(
                f"the face parsing folder {folder} cannot be read: {problem}. Copy it anew, {_MASKS}"
            ) from problem
        self._model, self._device = model.to(device).eval(), torch.device(device)
        self._folder, self.size = folder, _SIDE

    @torch.no_grad()
    def __call__(self, crops: Tensor) -> Tensor:
        """(1, 3, size, size) RGB 0..1 -> (1, size, size) int64."""
        rgb = as_bytes(crops[0].permute(1, 2, 0))
        pixels = self._processor(images=rgb, return_tensors="pt")["pixel_values"].to(self._device)
        scores = self._model(pixel_values=pixels).logits.float().cpu()
        return _class_map(scores, len(self.names), self.size, str(self._folder))


def _class_map(output: Tensor, classes: int, size: int, model: str) -> Tensor:
    """A model's output, of any kind in OnnxParser's docstring -> class numbers (1, size, size) int64."""
    shape = tuple(output.shape)
    if output.ndim == 4 and shape[1] == classes:
        scores = output.float()
    elif output.ndim == 4 and shape[3] == classes:
        scores = output.float().permute(0, 3, 1, 2)
    elif not output.is_floating_point() and (output.ndim == 3 or (output.ndim == 4 and shape[1] == 1)):
        numbers = output.reshape(1, 1, *shape[-2:]).float()
        return functional.interpolate(numbers, (size, size), mode="nearest-exact")[0].long()
    else:
        raise ValueError(
            f"{model} gives {output.dtype} of shape {shape}; needed are scores (1, {classes}, h, w) or a map (1, h, w) "
            f"of whole numbers for its {classes} classes. For classes of another kind lay the model's config.json with "
            "id2label beside it"
        )
    return functional.interpolate(scores, (size, size), mode="bilinear", align_corners=False).argmax(1)


def _labels(config: Path) -> list[str]:
    """The names of `id2label`, by number; an empty list without such a file or entry."""
    try:
        named = json.loads(config.read_text(encoding="utf-8")).get("id2label") or {}
        by_number = {int(number): str(name) for number, name in named.items()}
        return [by_number.get(number, "") for number in range(max(by_number, default=-1) + 1)]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def _package(name: str, what: str, instead: str) -> Any:
    try:
        return import_module(name)
    except ImportError as problem:
        raise ValueError(
            f"{what} needs the Python package {name}, which cannot be imported ({problem}). Install it with: pip "
            f"install {name}, {instead}, {_MASKS}"
        ) from problem
