"""A target, a swapper and one person's identity -> the photograph with that person's face."""

from __future__ import annotations

from comfy_api.latest import io
from torch import Tensor

from ..detectors.given import mask_per_picture
from ..detectors.parts import FaceParts
from ..fusion.captions import captioned
from ..fusion.composite import COVERS, in_lines
from ..fusion.face_swap import AREAS, PARTS
from ..injection.reliable_swap.identity import Identity
from ..injection.reliable_swap.passes import MOST_TILES
from ..injection.reliable_swap.swap import FACES, SwapSettings, swap_faces
from .host.face_swap import FaceSwapper
from .host.networks import builtin_parser
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FaceIdentityWire, FacePartsWire, FaceSwapperWire


class FaceSwap(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceSwap",
            display_name="Face Swap",
            category="face parts/swap",
            description="Gives one person's identity to faces of a photograph by a face swapper: to the chosen face, "
            "to all, or to those that look like a reference. Hair, spectacles and hands stay on top.",
            search_aliases=["face swap", "faceswap", "swap face", "reactor", "deepfake", "reliableswap", "inswapper"],
            inputs=[
                FacePartsWire.Input("target", tooltip="The photographs that are changed, from Face Part Detect."),
                FaceSwapperWire.Input("swapper", tooltip="From Face Swap Load."),
                FaceIdentityWire.Input("identity", tooltip="Who the face becomes, from Identity Encode."),
                field(
                    io.Combo, "faces", options=list(FACES), default=FACES[0],
                    tooltip="Which faces change: those that Face Part Detect chose, all of a picture, or those that "
                    "look like the identity wired into reference.",
                ),
                field(
                    io.Float, "strength", default=1.0, min=0.0, max=1.0, step=0.05,
                    tooltip="How far the identity goes from the target's own to the new one; 0 leaves the picture.",
                ),
                field(
                    io.Float, "lower_face", default=1.0, min=0.0, max=1.0, step=0.05,
                    tooltip="How far mouth and chin follow the new person. Swappers with 640 values (ReliableSwap's "
                    "with FixerNet) have a description of them; any other runs a second time over its own result, "
                    "which is blended into the lower face. 0 saves that time.",
                ),
                field(
                    io.Combo, "area", options=list(AREAS), default=AREAS[0],
                    tooltip="What of the face may change. For the halves of two people, put two of these nodes in a "
                    "row: 'upper half' of one, detect again, 'lower half' of the other. 'parts' uses the switches "
                    "below.",
                ),
                *(
                    field(
                        io.Boolean, part, default=True, advanced=True,
                        tooltip=f"With area 'parts': whether {part} may change. Otherwise it does nothing.",
                    )
                    for part in PARTS
                ),
                field(
                    io.Float, "tone", default=1.0, min=0.0, max=1.0, step=0.05, advanced=True,
                    tooltip="How far the new face takes over the target's skin tone.",
                ),
                field(
                    io.Float, "light", default=1.0, min=0.0, max=1.0, step=0.05, advanced=True,
                    tooltip="How far it takes over the way in which light falls on the target's face.",
                ),
                field(
                    io.Combo, "covers", options=list(COVERS), default=COVERS[0], advanced=True,
                    tooltip="'spare' keeps spectacles, hair and hands over the face on top; 'ignore' changes them too.",
                ),
                field(
                    io.Float, "likeness", default=0.35, min=-1.0, max=1.0, step=0.01, advanced=True,
                    tooltip="With 'like the reference': the likeness from which a face is taken for that person. Two "
                    "people have about 0, one person 0.3 to 0.8. The report lists every face's.",
                ),
                FaceIdentityWire.Input(
                    "reference", optional=True,
                    tooltip="With 'like the reference': who is looked for in the target, from Identity Encode.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="On the target: only what is white may change."),
                field(
                    io.Int, "pixel_boost", default=1, min=1, max=MOST_TILES, optional=True,
                    tooltip="How many times as large as the swapper's own crop the face is made, along each side: 4 "
                    "makes 512 pixels of inswapper's 128, in 4 x 4 runs. Raise it where the report says that the face "
                    "looks softer than the photograph.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The photographs with the new face; outside the mask bit for bit."),
                io.Mask.Output("mask", tooltip="Where they changed; for a face restorer or light inpainting."),
                io.String.Output("report", tooltip="Which faces changed, and what does not suit."),
                io.Image.Output("preview", tooltip="The photographs with the report written below them."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, target: FaceParts, swapper: FaceSwapper, identity: Identity, faces: str, strength: float,
        lower_face: float, area: str, eyes: bool, brows: bool, nose: bool, mouth: bool, tone: float, light: float,
        covers: str, likeness: float, reference: Identity | None = None, mask: Tensor | None = None,
        pixel_boost: int = 1,
    ) -> io.NodeOutput:  # fmt: skip
        switches = {"eyes": eyes, "brows": brows, "nose": nose, "mouth": mouth}
        spare = covers == COVERS[0]
        settings = SwapSettings(
            faces, reference, likeness, strength, lower_face, area, tuple(part for part, on in switches.items() if on),
            tone, light, spare, pixel_boost,
        )  # fmt: skip
        white = "" if target.nobody else "where the target may change"
        masks = None if mask is None else mask_per_picture(mask, target.pictures, white)
        swapped = swap_faces(
            target, swapper.ready(), identity, settings, mask=masks, parser=builtin_parser() if spare else None,
            progress=host_progress(),
        )  # fmt: skip
        report = in_lines(swapped.report)
        return io.NodeOutput(swapped.pictures, swapped.changed, report, captioned(swapped.pictures, swapped.report))
