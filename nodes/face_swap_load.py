"""A weight file -> FACE_SWAPPER."""

from __future__ import annotations

from comfy_api.latest import io

from .host.face_swap import load_swapper
from .host.fingerprints import Stamp, stamps
from .host.swap_files import OWN_FIXER, fixer_names, fixer_path, swapper_names, swapper_path
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo
from .inputs.wires import FaceSwapperWire


class FaceSwapLoad(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FaceSwapLoad",
            display_name="Face Swap Load",
            category="face parts/swap",
            description="Loads a face swapper that you own: ReliableSwap's FaceShifter or SimSwap (.pth), or an ONNX "
            "file of inswapper, HyperSwap, SimSwap, Ghost, BlendSwap or UniFace. None comes with this pack.",
            search_aliases=[
                "face swap", "faceswap", "reliableswap", "inswapper", "simswap", "faceshifter", "reactor", "ghost",
                "hyperswap", "blendswap", "uniface",
            ],
            inputs=[
                field(
                    FileCombo, "swapper", options=swapper_names(),
                    tooltip="A file in models/face_swap, or an ONNX file in models/insightface. Most generators are "
                    "published for non-commercial use only: G_mouth1_t38_post.pth, G_mouth1_st5.pth (ReliableSwap, "
                    "personal research), inswapper_128.onnx (InsightFace, non-commercial research), simswap_256.onnx, "
                    "blendswap_256.onnx (non-commercial), hyperswap_1a_256.onnx (ResearchRAIL); Ghost's are "
                    "Apache-2.0. Every ONNX swapper also needs InsightFace's w600k_r50.onnx (non-commercial).",
                ),
                field(
                    FileCombo, "fixer_net", options=fixer_names(), default=OWN_FIXER, advanced=True,
                    tooltip="The network that describes the lower face, for a ReliableSwap file that lacks it: "
                    "fixer_net_casia_28_56_84_112.pth in models/face_swap.",
                ),
            ],
            outputs=[FaceSwapperWire.Output("swapper", tooltip="Wire it into Identity Encode and Face Swap.")],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, swapper: str | None, fixer_net: str | None) -> tuple[Stamp, ...]:
        fixer = stamps(lambda: filter(None, [fixer_path(fixer_net or OWN_FIXER)]))
        return stamps(lambda: [swapper_path(swapper or "")]) + fixer

    @classmethod
    def execute(cls, swapper: str, fixer_net: str = OWN_FIXER) -> io.NodeOutput:
        return io.NodeOutput(load_swapper(swapper_path(swapper), fixer_path(fixer_net)))
