"""UNIFACE, pictures and a question -> words."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..detectors.picture import as_pictures
from ..detectors.progress import stages
from .host.progress import host_progress
from .host.uniface import UniFace
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import UniFaceWire

QUESTION = "Describe this face in detail."


class UniFaceAsk(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFUniFaceAsk",
            display_name="UniF2ace Ask",
            category="face parts/describe",
            description="Answers a question about each picture, or captions it. Face Describe measures instead and "
            "needs no model.",
            search_aliases=["UniF2ace", "Show-o", "VQA", "caption", "interrogate", "describe"],
            inputs=[
                UniFaceWire.Input("model", tooltip="From UniF2ace Load."),
                io.Image.Input(
                    "image",
                    tooltip="Its middle square is seen, at the model's size; Face Crop (Aligned) gives one of a face.",
                ),
                field(
                    io.String, "question", default=QUESTION, multiline=True,
                    tooltip="What to ask, in English. Short questions get short answers.",
                ),
                field(
                    io.Int, "max_length", default=100, min=1, max=1024,
                    tooltip="Most tokens of an answer; each costs one pass through the model.",
                ),
            ],
            outputs=[io.String.Output("text", tooltip="The answers, one line for each picture.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, model: UniFace, image: Tensor, question: str = QUESTION, max_length: int = 100) -> io.NodeOutput:
        pictures = as_pictures(image)
        if not question.strip():
            raise ValueError("question is empty; write one, such as: " + QUESTION)
        ready = model.ready()
        bars = stages(host_progress(), len(pictures))
        answers = [
            ready.answer_about(picture, question.strip(), max_length, bar)
            for picture, bar in zip(pictures, bars, strict=True)
        ]
        return io.NodeOutput("\n".join(" ".join(answer.split()) for answer in answers))
