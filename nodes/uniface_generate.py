"""UNIFACE and words -> pictures."""

from __future__ import annotations

from comfy_api.latest import io

from .host.progress import host_progress
from .host.uniface import UniFace
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import UniFaceWire


class UniFaceGenerate(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFUniFaceGenerate",
            display_name="UniF2ace Generate",
            category="face parts/describe",
            description="Draws pictures from words: all image tokens begin as masks, and in each step the model "
            "settles those of which it is surest.",
            search_aliases=["UniF2ace", "Show-o", "text to face", "text to image", "discrete diffusion"],
            inputs=[
                UniFaceWire.Input("model", tooltip="From UniF2ace Load."),
                field(
                    io.String, "prompt", default="", multiline=True,
                    tooltip="What the picture shall show; a caption of Face Describe fits. The first 126 tokens count.",
                ),
                field(
                    io.Int, "seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=True,
                    tooltip="The same seed gives the same picture.",
                ),
                field(
                    io.Int, "batch_size", default=1, min=1, max=64,
                    tooltip="How many pictures; each costs time and memory.",
                ),
                field(
                    io.Int, "steps", default=18, min=1, max=256,
                    tooltip="In how many steps the tokens are settled. Show-o's authors use 16 to 50; each costs "
                    "one pass through the model.",
                ),
                field(
                    io.Float, "guidance", default=5.0, min=0.0, max=30.0, step=0.05,
                    tooltip="How far the words push: 0 leaves the model to itself and halves the time; Show-o's "
                    "authors use 5 for pictures from words.",
                ),
                field(
                    io.Float, "temperature", default=1.0, min=0.0, max=10.0, step=0.05, advanced=True,
                    tooltip="Chance in which tokens are settled first: 0 always takes the surest, higher is "
                    "more varied.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The pictures, at the model's size."),
                io.String.Output("report", tooltip="How much of a long prompt was left out; empty for most."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model: UniFace, prompt: str, seed: int, batch_size: int = 1, steps: int = 18, guidance: float = 5.0,
        temperature: float = 1.0,
    ) -> io.NodeOutput:  # fmt: skip
        ready = model.ready()
        pictures = ready.pictures_of(
            prompt, batch_size, guidance=guidance, steps=steps, temperature=temperature, seed=seed,
            progress=host_progress(),
        )  # fmt: skip
        cut = ready.cut_of(prompt)
        return io.NodeOutput(pictures, f"prompt: the last {cut} tokens are too many and were left out" if cut else "")
