"""FACE_PARTS -> FACE_PARTS with hair, ears, neck, body, spectacles and head, from the built-in parser or others."""

from __future__ import annotations

import os
from typing import Any

import comfy.model_management as mm
from comfy_api.latest import io
from torch import Tensor

from ..detectors.parser_regions import cover_report, parse_with_builtin
from ..detectors.parsers import load_parser
from ..detectors.parsing import MASK_PARTS, REPLACE, Parser, parse_faces, with_masks, without_head
from ..detectors.parts import FaceParts
from ..detectors.preview import draw_preview
from ..detectors.progress import stages
from .host import folders
from .host.fingerprints import Stamp, stamps
from .host.networks import builtin_parser
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo
from .inputs.wires import FacePartsWire

BUILTIN = "built-in"


class FaceParse(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceParse",
            display_name="Face Parse",
            category="face parts/detect",
            description="Adds the parts that landmarks do not give to the chosen faces: hair, ears, neck, body, "
            "spectacles, head and background, and says what covers the face. They come from the built-in parser, which "
            "needs no download, from a face parsing model of your own or from masks of any segmenter.",
            search_aliases=[
                "face parsing", "mask", "hair mask", "head mask", "segment face", "BiSeNet", "SegFormer", "SAM",
                "glasses", "clothes", "occlusion", "hair", "skin",
            ],
            inputs=[
                FacePartsWire.Input(
                    "parts", tooltip="Faces from Face Part Detect; each picture's chosen face is parsed."
                ),
                field(
                    FileCombo, "model", options=[BUILTIN, *folders.parser_names()], default=BUILTIN,
                    tooltip="'built-in' is the pack's own parser and needs no file; it alone says what covers "
                    "the face. Or a face parsing model in models/face_parsing: an .onnx file of the "
                    "19-class BiSeNet kind (needs onnxruntime), or the folder of a transformers model such as "
                    "jonathandinu/face-parsing. With 'none' only the masks below are used. Nothing is downloaded.",
                ),
                field(
                    io.Combo, "replace", options=list(REPLACE), default=REPLACE[0],
                    tooltip="'only missing' keeps eyes, nose, mouth and oval as the landmarks draw them and adds the "
                    "rest. 'all' takes the model's outline of every part that it sees, which leaves out hair and "
                    "hands over the face; the built-in parser leaves eyes, brows, nose and mouth to the landmarks.",
                ),
                field(
                    io.Float, "padding", default=0.25, min=0.0, max=2.0, step=0.05,
                    tooltip="How much larger the parsed square is than a head portrait, as a share of its side. Raise "
                    "it when long hair is cut off at a straight line; lower it when small parts such as eyes are "
                    "missed.",
                ),
                *(_mask_input(part) for part in MASK_PARTS),
            ],
            outputs=[
                FacePartsWire.Output("parts", tooltip="The same pictures and faces, with the parts added."),
                io.Image.Output("preview", tooltip="The pictures, at most 1024 pixels long, with every part in its "
                "own colour: hair brown, ears orange, neck green, body blue, spectacles yellow, head grey where hair "
                "is not known."),
                io.String.Output("report", tooltip="What covers which part of the chosen faces, by the built-in "
                "parser, and in which picture a part is covered least; empty where nothing covers 15 % of a part."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, model: str | None, **others: Any) -> tuple[Stamp, ...]:
        return () if model == BUILTIN else stamps(lambda: folders.parser_files(model or folders.NO_PARSER))

    @classmethod
    def execute(
        cls, parts: FaceParts, model: str, replace: str, padding: float, hair: Tensor | None = None,
        ears: Tensor | None = None, neck: Tensor | None = None, head: Tensor | None = None,
        body: Tensor | None = None, glasses: Tensor | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        masks = {"hair": hair, "ears": ears, "neck": neck, "head": head, "body": body, "glasses": glasses}
        path = None if model == BUILTIN else folders.parser_path(model)
        if model != BUILTIN and path is None and all(mask is None for mask in masks.values()):
            raise ValueError(
                "there is neither a model nor a mask. Set model to 'built-in', choose a face parsing model of your own "
                "there (an .onnx file in models/face_parsing, or the folder of a transformers model), or wire a mask "
                "into hair, ears, neck, head, body or glasses"
            )
        parsing, drawing = stages(host_progress(), 2)
        if model == BUILTIN:
            parser = builtin_parser()
            parts = parse_with_builtin(parts, parser, padding=padding, replaced=replace, progress=parsing)
        elif path is not None:
            parts = parse_faces(parts, _parser(path), padding=padding, replaced=replace, progress=parsing)
        parts = with_masks(parts, masks)
        return io.NodeOutput(parts, draw_preview(without_head(parts), drawing), cover_report(parts))


def _parser(path: str) -> Parser:
    device = mm.text_encoder_device()
    if os.path.isdir(path):
        weights = [entry.path for entry in os.scandir(path) if entry.name.endswith(".safetensors")]
        mm.free_memory(2 * sum(map(os.path.getsize, weights)), device)
    return load_parser(path, device)


def _mask_input(part: str) -> Any:
    return io.Mask.Input(
        part, optional=True,
        tooltip=f"The {part} of the chosen face as a mask of the pictures' size, from any segmenter or painted; one "
        "for each picture or one for all. It replaces what the model sees.",
    )  # fmt: skip
