"""Photographs of one person, or a saved identity -> FACE_IDENTITY."""

from __future__ import annotations

from comfy_api.latest import io

from ..detectors.parts import FaceParts
from ..injection.reliable_swap.identity import check_provider, load_identity, read_identity, save_identity
from .host.face_swap import FaceSwapper
from .host.fingerprints import Stamp, stamps
from .host.folders import FACE_IDENTITIES
from .host.progress import host_progress
from .host.saved_files import new_path, saved_path
from .host.swap_files import NO_IDENTITY, identity_names
from .inputs.growing import growing_input
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo
from .inputs.wires import FaceIdentityWire, FacePartsWire, FaceSwapperWire


class IdentityEncode(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="IdentityEncode",
            display_name="Identity Encode",
            category="face parts/swap",
            description="Reads who one person is from any number of photographs, and saves it as a small file; or "
            "loads a saved one.",
            search_aliases=[
                "face model", "save face", "saved faces", "identity", "face embedding", "blend faces", "similarity",
            ],
            inputs=[
                FaceSwapperWire.Input(
                    "swapper",
                    tooltip="From Face Swap Load. An identity is read by its recogniser, and only this one can use it.",
                ),
                growing_input(
                    FacePartsWire, "photographs",
                    "Photographs of one person from Face Part Detect, single ones or batches: the chosen face of each "
                    "is read. Large faces that look at the camera count more.",
                    socket="More photographs of the same person, from Face Part Detect.",
                ),
                field(
                    FileCombo, "saved", options=identity_names(), default=NO_IDENTITY,
                    tooltip="A saved identity in models/face_identities, instead of photographs.",
                ),
                field(
                    io.String, "save_as", default="",
                    tooltip="A name under which the identity is saved in models/face_identities, for this swapper; a "
                    "file of that name is replaced. Empty: nothing is saved.",
                ),
            ],
            outputs=[
                FaceIdentityWire.Output("identity", tooltip="Wire it into Face Swap."),
                io.Image.Output("thumbnail", tooltip="The best photograph's face, 128 pixels; it is saved, too."),
                io.String.Output(
                    "report", tooltip="How many photographs count, and which show somebody else or nobody."
                ),
            ],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, saved: str | None = None, **_: object) -> tuple[Stamp, ...]:
        return () if saved in (None, NO_IDENTITY) else stamps(lambda: [saved_path(FACE_IDENTITIES, saved)])

    @classmethod
    def execute(
        cls, swapper: FaceSwapper, photographs: dict[str, FaceParts | None] | None = None, saved: str = NO_IDENTITY,
        save_as: str = "",
    ) -> io.NodeOutput:  # fmt: skip
        people = {name: parts for name, parts in (photographs or {}).items() if parts is not None}
        if bool(people) == (saved != NO_IDENTITY):
            both = "both are given" if people else "neither is given"
            raise ValueError(
                f"an identity comes from photographs or from a saved file, and {both}: wire Face Part Detect into "
                f"photographs, or choose a file in saved ('{NO_IDENTITY}' chooses none)"
            )
        if people:
            path = new_path(FACE_IDENTITIES, save_as.strip()) if save_as.strip() else ""
            identity, report = read_identity(swapper.ready(), people, host_progress())
            if path:
                save_identity(identity, path)
                report = (*report, f"saved as {path}")
        else:
            identity = load_identity(saved_path(FACE_IDENTITIES, saved))
            check_provider(identity, swapper.swapper, f"saved ('{saved}')")
            report = (f"one person from {identity.photographs} photographs, saved before",)
        return io.NodeOutput(identity, identity.thumbnail[None], "\n".join(report))
