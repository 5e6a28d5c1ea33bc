"""FACE_PARTS -> what the chosen faces are like, in words and as numbers."""

from __future__ import annotations

import json
from typing import Any

from comfy_api.latest import io

from ..detectors.parser_regions import PARSED_PARTS, parsed_where_missing
from ..detectors.parts import FaceParts, of_input
from ..detectors.progress import counted, stages
from ..metrics.describe.ask import QUESTION, contradictions, prompt_for, sheet
from ..metrics.describe.attribute import PERHAPS
from ..metrics.describe.describe import Description, describe
from ..metrics.describe.text import STYLES, text_of
from ..metrics.describe.words import LANGUAGES
from .host.networks import builtin_parser
from .host.progress import host_progress
from .host.text_generation import generate
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire


class FaceDescribe(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceDescribe",
            display_name="Face Describe",
            category="face parts/describe",
            description="Measures what the chosen faces are like - pose, eyes, brows, nose, mouth, hair, beard, "
            "spectacles, colours, expression, light - and says it in words, for a prompt that keeps a refinement from "
            "drifting. Needs no model. Sex, age and ethnicity are never guessed.",
            search_aliases=["caption", "face attributes", "prompt", "tagger", "interrogate", "UniF2ace", "VQA"],
            inputs=[
                FacePartsWire.Input(
                    "parts", tooltip="Faces from Face Part Detect; each picture's chosen face is described. Hair and "
                    "spectacles that were not parsed yet are parsed here.",
                ),
                field(
                    io.Combo, "style", options=list(STYLES), default=STYLES[3],
                    tooltip="'tags' and 'sentence' name what is not average, with 'perhaps' where it is not certain. "
                    "'caption' tells everything in about 120 tokens. The prompts leave out what is not certain: tags "
                    "for SD, full sentences for Flux.",
                ),
                field(
                    io.Combo, "language", options=list(LANGUAGES), default="English",
                    tooltip="The language of text. Most models understand English prompts best.",
                ),
                io.Clip.Input(
                    "clip", optional=True,
                    tooltip="A text encoder that can also write, such as Qwen-VL or Gemma (ComfyUI's Generate Text "
                    "takes the same). It sees the face and its parts, is told what was measured, and writes text; "
                    "report says where it contradicts the measurements. Without it text is made from them alone.",
                ),
                field(
                    io.String, "question", default=QUESTION, multiline=True, advanced=True,
                    tooltip="What clip is asked; used only with clip. What was measured is added to it.",
                ),
                field(
                    io.Int, "max_length", default=256, min=16, max=4096, advanced=True,
                    tooltip="Most tokens that clip writes for a face; used only with clip.",
                ),
            ],
            outputs=[
                io.String.Output("text", tooltip="The description, one line for each picture; wire it into a prompt."),
                io.String.Output("json", tooltip="Every attribute of every picture with its word, number, unit and "
                "confidence."),
                io.String.Output("report", tooltip="What was too uncertain to be named, and where clip's answer "
                "contradicts the measurements."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, parts: FaceParts, style: str, language: str, clip: Any = None, question: str = QUESTION,
        max_length: int = 256,
    ) -> io.NodeOutput:  # fmt: skip
        parsing, describing = stages(host_progress(), 2)
        parts = parsed_where_missing(parts, PARSED_PARTS, builtin_parser, progress=parsing)
        texts, records, notes = [], [], []
        for i in counted(range(len(parts)), describing):
            face = parts.face(i)
            if face is None:
                texts.append(LANGUAGES[language].no_face)
                records.append(None)
                continue
            with of_input("parts", i, len(parts)):
                description = describe(parts.pictures[i], face)
            text, clashes = text_of(description, style, language), []
            if clip is not None:
                answer = generate(clip, prompt_for(description, question), sheet(parts.pictures[i], face), max_length)
                # One line for each picture, whatever paragraphs it has.
                text = " ".join(answer.split())
                clashes = contradictions(text, description)
            texts.append(text)
            records.append({name: attribute.as_json() for name, attribute in description.items()})
            notes += [_prefix(i, parts) + note for note in [*clashes, *_uncertain(description)]]
        return io.NodeOutput("\n".join(texts), json.dumps(records, indent=1, ensure_ascii=False), "\n".join(notes))


def _prefix(picture: int, parts: FaceParts) -> str:
    return f"picture {picture + 1}: " if len(parts) > 1 else ""


def _uncertain(description: Description) -> list[str]:
    names = [name.replace("_", " ") for name, attribute in description.items() if attribute.confidence < PERHAPS]
    return [f"too uncertain to be named: {', '.join(names)}"] if names else []
