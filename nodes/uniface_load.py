"""A weight file -> UNIFACE."""

from __future__ import annotations

from comfy_api.latest import io

from .host.fingerprints import Stamp, stamps
from .host.progress import host_progress
from .host.uniface import load_uniface
from .host.uniface_files import (
    IN_THE_MODEL,
    image_tokenizer_names,
    image_tokenizer_path,
    model_names,
    model_path,
    text_tokenizer_names,
    text_tokenizer_path,
)
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo
from .inputs.wires import UniFaceWire

SIDES = ("256", "512")


class UniFaceLoad(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFUniFaceLoad",
            display_name="UniF2ace Load",
            category="face parts/describe",
            description="Loads one model that both draws faces from words and answers questions about them, after "
            "UniF2ace. Its own weights were never published: take Show-o's, on which it builds, or a file of the "
            "pack's training.",
            search_aliases=["UniF2ace", "Show-o", "unified multimodal", "VQA", "caption", "text to face", "MAGVIT"],
            inputs=[
                field(
                    FileCombo, "model", options=model_names(),
                    tooltip="A file in models/unif2ace: the weights of showlab/show-o or showlab/show-o-512x512 on "
                    "Hugging Face (Apache-2.0), or a file of the pack's training. Every tensor is checked.",
                ),
                field(
                    FileCombo, "image_tokenizer", options=image_tokenizer_names(), default=IN_THE_MODEL,
                    tooltip="For Show-o: the weights of showlab/magvitv2 (Apache-2.0) in models/unif2ace.",
                ),
                field(
                    FileCombo, "text_tokenizer", options=text_tokenizer_names(), default=IN_THE_MODEL,
                    tooltip="For Show-o: tokenizer.json of microsoft/phi-1_5 (MIT) in models/unif2ace.",
                ),
                field(
                    io.Combo, "size", options=list(SIDES), default=SIDES[0],
                    tooltip="For Show-o, in pixels: 256 for show-o, 512 for show-o-512x512. A file of the pack's "
                    "training says its size itself.",
                ),
            ],
            outputs=[UniFaceWire.Output("model", tooltip="Wire it into UniF2ace Generate and UniF2ace Ask.")],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(
        cls, model: str | None, image_tokenizer: str | None, text_tokenizer: str | None, **_: object
    ) -> tuple[Stamp, ...]:
        images, texts = image_tokenizer or IN_THE_MODEL, text_tokenizer or IN_THE_MODEL
        return (
            stamps(lambda: [model_path(model or "")])
            + stamps(lambda: filter(None, [image_tokenizer_path(images)]))
            + stamps(lambda: filter(None, [text_tokenizer_path(texts)]))
        )

    @classmethod
    def execute(
        cls, model: str, image_tokenizer: str = IN_THE_MODEL, text_tokenizer: str = IN_THE_MODEL, size: str = SIDES[0]
    ) -> io.NodeOutput:
        beside = image_tokenizer_path(image_tokenizer), text_tokenizer_path(text_tokenizer)
        return io.NodeOutput(load_uniface(model_path(model), *beside, int(size), host_progress()))
