"""A weight file -> FACE_CONTROLLER."""

from __future__ import annotations

from comfy_api.latest import io

from ..injection.facex.file import is_facex
from ..injection.files.flat_state import flat_state
from ..injection.files.weight_file import read_metadata, read_weights
from ..injection.ip_adapter.adapter import GROUPS, USABLE
from .host.controller import FaceController
from .host.facex import load_facex
from .host.fingerprints import Stamp, stamps
from .host.folders import controller_names, controller_path
from .host.ip_adapter import load_ip_adapter
from .inputs.schema import FaceNode, field, schema
from .inputs.values import FileCombo
from .inputs.wires import FaceControllerWire


def load_controller(path: str) -> FaceController:
    """The controller in a file, its weights in the host's care. Raises ValueError for a file of another kind."""
    metadata, state = read_metadata(path), read_weights(path, USABLE)
    if is_facex(metadata):
        return load_facex(state, metadata, path)
    return load_ip_adapter(flat_state(state, GROUPS), path)


class ControllerLoad(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="ControllerLoad",
            display_name="Face Controller Load",
            category="face parts/control",
            description="Loads the weights that let reference faces steer a checkpoint: a published IP-Adapter (SD1.5 "
            "plus, plus-face or full-face; SDXL plus or plus-face) or a FaceX controller.",
            search_aliases=["ip-adapter", "ipadapter", "load ipadapter", "ip adapter plus face", "facex"],
            inputs=[
                field(
                    FileCombo, "controller_name", options=controller_names(),
                    tooltip="A file in models/ipadapter or models/facex. It must belong to the checkpoint's family.",
                ),
            ],
            outputs=[FaceControllerWire.Output("controller", tooltip="Wire it into Face Controller Apply.")],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, controller_name: str | None) -> tuple[Stamp, ...]:
        return stamps(lambda: [controller_path(controller_name or "")])

    @classmethod
    def execute(cls, controller_name: str) -> io.NodeOutput:
        return io.NodeOutput(load_controller(controller_path(controller_name)))
