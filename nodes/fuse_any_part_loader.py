"""FuseAnyPart's weight file -> MODEL and FUSE_ADAPTER."""

from __future__ import annotations

from typing import Any

import comfy.model_management as mm
import comfy.ops
from comfy_api.latest import io

from ..injection.fuse_any_part.checkpoint import load_checkpoint
from .host.fingerprints import Stamp, stamps
from .host.folders import fuse_any_part_names, fuse_any_part_path
from .host.patcher import FuseAdapter, managed
from .host.progress import host_progress
from .host.unet import DEFAULT, WEIGHT_TYPES, as_model, carry_over
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo
from .inputs.wires import FuseAdapterWire


class FuseAnyPartLoader(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FuseAnyPartLoader",
            display_name="Fuse Any Part Loader",
            category="face parts/fuse",
            description="Loads FuseAnyPart's weights from models/fuse_any_part: the published fap.bin, a conversion of "
            "it, or a file of the training program. Use CLIP and VAE of any SD1.5 checkpoint.",
            search_aliases=["fap.bin", "FuseAnyPart", "face swap", "faceswap", "face swap model", "load fuse adapter"],
            inputs=[
                field(
                    FileCombo, "weights", options=fuse_any_part_names(),
                    tooltip="The weight file in models/fuse_any_part; for a training run's folder, the file in it. "
                    "Every tensor is checked, and no code in a file is run.",
                ),
                field(
                    io.Combo, "weight_dtype", options=list(WEIGHT_TYPES), default=DEFAULT, advanced=True,
                    tooltip="Precision of the model in memory. 'default' lets ComfyUI choose what suits the device; "
                    "fp32 takes twice the memory and repeats the published numbers most closely.",
                ),
                io.Model.Input(
                    "onto", optional=True,
                    tooltip="Another SD1.5 checkpoint whose look you want: FuseAnyPart's fine-tuning is carried over "
                    "to it. Needs base as well.",
                ),
                io.Model.Input(
                    "base", optional=True,
                    tooltip="The model that FuseAnyPart was trained from, published as Realistic_Vision_V4.0_noVAE. "
                    "Only used together with onto: the result is FuseAnyPart + (onto - base).",
                ),
            ],
            outputs=[
                io.Model.Output("model", tooltip="The fine-tuned SD1.5 inpainting model, for Addition Inject."),
                FuseAdapterWire.Output("adapter", tooltip="The weights that carry fused features into that model."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, weights: str | None) -> bool | str:
        try:
            return weights is None or bool(fuse_any_part_path(weights))
        except ValueError as error:
            return str(error)

    @classmethod
    def fingerprint_inputs(cls, weights: str | None, **others: Any) -> tuple[Stamp, ...]:
        return stamps(lambda: [fuse_any_part_path(weights or "")])

    @classmethod
    def execute(cls, weights: str, weight_dtype: str = DEFAULT, onto: Any = None, base: Any = None) -> io.NodeOutput:
        if (onto is None) != (base is None):
            wired, missing = ("onto", "base") if base is None else ("base", "onto")
            raise ValueError(
                f"{wired} is wired and {missing} is not; carrying the fine-tuning over needs both: wire {missing}, or "
                f"unplug {wired}"
            )
        path = fuse_any_part_path(weights)
        checkpoint = load_checkpoint(path, host_progress())
        module = checkpoint.empty_adapter(
            ops=comfy.ops.manual_cast, dtype=checkpoint.dtype, device=mm.unet_offload_device()
        )
        adapter = FuseAdapter(checkpoint.kind, checkpoint.width, managed(module, checkpoint.adapter))
        model = as_model(checkpoint, path, weight_dtype)
        return io.NodeOutput(model if onto is None else carry_over(model, onto, base), adapter)
