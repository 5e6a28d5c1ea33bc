"""Photographs of several people -> one picture: detection and composite in one node."""

from __future__ import annotations

from collections.abc import Hashable

from comfy_api.latest import io
from torch import Tensor

from ..detectors.find import Faces, find_faces
from ..detectors.given import mask_per_picture
from ..detectors.parts import FACE_ORDERS, FaceParts
from ..detectors.picture import as_pictures
from ..detectors.progress import Progress, share
from ..detectors.selection import FaceMissing, choose
from ..fusion.captions import captioned
from ..fusion.composite import PartReference, composite, in_lines
from ..fusion.kept import KEPT_PICTURES, KeptStacks, digest
from .host.networks import builtin_detector, builtin_parser
from .host.previews import in_node
from .host.progress import host_progress
from .inputs.parts import MAIN_PARTS, strength_input
from .inputs.schema import FaceNode, field, schema

# Layers and faces of the last runs: after a change of the strength they are only mixed anew. Faces are found by the
# contents of their pictures, which are not kept.
_KEPT = KeptStacks()
_LAST: dict[Hashable, Faces] = {}
_MOST = 12


class SwapFaceParts(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFSwapFaceParts",
            display_name="Swap Face Parts (Eyes, Nose, Lips)",
            category="face parts/fuse",
            description="Photographs in, one picture out: eyes, brows, nose, mouth or the whole face of other people "
            "in the first photograph. Finds the faces by itself and needs no model. Face Part Detect and Part "
            "Composite are the same with every setting.",
            search_aliases=[
                "face swap", "faceswap", "swap eyes", "swap nose", "swap mouth", "swap lips", "part swap", "eyes",
                "nose", "mouth", "lips", "skin", "before after", "before and after",
            ],
            is_output_node=True,
            inputs=[
                io.Image.Input("target", tooltip="The photograph that is changed; one or a batch."),
                *(_person_input(part) for part in MAIN_PARTS),
                strength_input(
                    "strength",
                    "How strongly the new parts replace the target's own: 0 leaves them, 1 replaces them completely.",
                    default=1.0,
                ),
                field(
                    io.Combo, "order", options=list(FACE_ORDERS), default="large-small", advanced=True,
                    tooltip="The order in which the target's faces are numbered, where it shows several people. Of the "
                    "other photographs the largest face is taken.",
                ),
                field(
                    io.Int, "index", default=0, min=0, max=999, advanced=True,
                    tooltip="Number of the target's face that is changed, from 0, in the order above.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="On the target: only what is white may change. Use it to keep hair, glasses or a hand "
                    "that lies over the face.",
                ),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The new picture; outside the mask bit for bit the target."),
                io.Mask.Output("mask", tooltip="Where the photograph changed; use it to inpaint lightly over it."),
                io.String.Output("report", tooltip="What was done, and why photographs do not suit each other."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, target: Tensor, strength: float, order: str, index: int, eyes: Tensor | None = None,
        brows: Tensor | None = None, nose: Tensor | None = None, mouth: Tensor | None = None,
        skin: Tensor | None = None, mask: Tensor | None = None,
    ) -> io.NodeOutput:  # fmt: skip
        pictures = {"eyes": eyes, "brows": brows, "nose": nose, "mouth": mouth, "skin": skin}
        pictures = {part: picture for part, picture in pictures.items() if picture is not None}
        if not pictures:
            raise ValueError(
                "there is nothing to swap: wire a photograph of another person into eyes, brows, nose, mouth or skin"
            )
        progress, steps = host_progress(), len(pictures) + 2
        changed = _faces("target", target, share(progress, 0, 1, steps), order, index)
        masks = None if mask is None else mask_per_picture(mask, changed.pictures, "where the target may change")
        people = [
            PartReference(_faces(part, picture, share(progress, i, 1, steps)), {part: strength}, None, part)
            for i, (part, picture) in enumerate(pictures.items(), 1)
        ]
        fused = composite(
            changed, people, mask=masks, parser=builtin_parser(), progress=share(progress, steps - 1, 1, steps),
            kept=_KEPT,
        )  # fmt: skip
        preview = captioned(fused.pictures, fused.report)
        return io.NodeOutput(fused.pictures, fused.changed, in_lines(fused.report), ui=in_node(preview))


def _person_input(part: str) -> io.Image.Input:
    what = "whole face (all within its oval)" if part == "skin" else part
    return io.Image.Input(
        part, optional=True,
        tooltip=f"A photograph of the person who gives the {what}. Unplugged, the target keeps its own.",
    )  # fmt: skip


def _faces(
    name: str, picture: Tensor, progress: Progress | None, order: str = "large-small", index: int = 0
) -> FaceParts:
    """The faces of the photograph on the input `name`. Raises ValueError, naming the input, where it has none."""
    pictures = as_pictures(picture, name)
    faces = _faces_in(pictures, progress)
    try:
        return choose(pictures, faces, order, index)
    except FaceMissing as missing:
        raise ValueError(
            f"{name}: {missing.fact}. Use a photograph with a larger, whole face, or Face Part Detect and Part "
            "Composite instead of this node: they have a threshold, and let pictures without a face through"
        ) from None


def _faces_in(pictures: Tensor, progress: Progress | None) -> Faces:
    """The faces of each picture; the same ones as in the last run, as layers are kept by them."""
    if len(pictures) > KEPT_PICTURES:
        return find_faces(pictures, builtin_detector(), progress=progress)
    key = digest(pictures)
    faces = _LAST.pop(key, None) or find_faces(pictures, builtin_detector(), progress=progress)
    _LAST[key] = faces
    if len(_LAST) > _MOST:
        del _LAST[next(iter(_LAST))]
    return faces
