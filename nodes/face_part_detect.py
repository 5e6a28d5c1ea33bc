"""Pictures -> FACE_PARTS: the first node of every graph."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..detectors.builtin import DEFAULT_THRESHOLD
from ..detectors.find import MASK_IS, WHERE, find_faces, given_place
from ..detectors.given import as_masks
from ..detectors.parts import FACE_ORDERS, ON_MISSING
from ..detectors.picture import as_pictures
from ..detectors.preview import draw_preview
from ..detectors.progress import stages
from ..detectors.selection import choose, read_numbers
from ..fusion.masks import oval_masks
from .host.fingerprints import Stamp
from .host.networks import builtin_detector
from .host.previews import faces_in_node
from .host.progress import host_progress
from .inputs.detector import (
    BUILTIN,
    INSIGHTFACE,
    TEXT_PROMPT,
    detector_files,
    detector_input,
    find_with_insightface,
    find_with_prompts,
    large_enough,
    refuse_wires,
)
from .inputs.schema import BoundingBox, FaceNode, field, schema
from .inputs.wires import FaceLandmarksWire, FacePartsWire


class FacePartDetect(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FacePartDetect",
            is_output_node=True,
            display_name="Face Part Detect",
            category="face parts/detect",
            description="Finds faces and their parts. The built-in detector needs no download. The preview numbers "
            "every face from 0; choose one by order and index.",
            search_aliases=[
                "face detection", "face landmarks", "face mesh", "find face", "bbox face", "insightface", "eyes",
                "nose", "mouth", "mask",
            ],
            inputs=[
                io.Image.Input("image", tooltip="One picture or a batch, of any size; alpha is ignored."),
                detector_input(),
                field(
                    io.Float, "threshold", default=DEFAULT_THRESHOLD, min=0.05, max=1.0, step=0.01, advanced=True,
                    tooltip="How sure the detector must be that something is a face. Lower it to find small, dark or "
                    "covered faces (0.3 suits text prompts); raise it when it takes other things for faces.",
                ),
                field(
                    io.Int, "smallest", default=32, min=8, max=4096, advanced=True, label="smallest face",
                    tooltip="Size of the smallest face that is searched for, in pixels. Lower it to find tiny faces in "
                    "groups, which takes longer; raise it to be faster and to ignore passers-by.",
                ),
                field(
                    io.Combo, "order", options=list(FACE_ORDERS), default="large-small",
                    tooltip="The order in which the faces of a picture are numbered: by position, by size, or by how "
                    "sure the detector is. Number 0 of 'large-small' is the largest face.",
                ),
                field(
                    io.Int, "index", default=0, min=0, max=999,
                    tooltip="Number of the chosen face, from 0, in the order above; the preview shows the numbers.",
                ),
                field(
                    io.Combo, "on_missing", options=list(ON_MISSING), default=ON_MISSING[0], advanced=True,
                    label="if no face",
                    tooltip="What happens when a picture has no such face. 'error' stops and says which picture; "
                    "'keep empty' goes on and leaves that picture as it is; 'previous' takes the face of the picture "
                    "before it, which suits video. A batch never loses a picture.",
                ),
                FaceLandmarksWire.Input(
                    "landmarks", optional=True,
                    tooltip="Landmarks of the same pictures from ComfyUI's own MediaPipe node; they are used instead "
                    "of searching.",
                ),
                field(
                    # Twice, because ComfyUI 0.8.0 has no force_input here; newer front ends would make it a widget.
                    BoundingBox, "boxes", optional=True, force_input=True, extra_dict={"forceInput": True},
                    tooltip="Boxes around the faces, from any detector; landmarks are searched inside them only. One "
                    "box, a list of boxes, or a list for each picture; a box labelled with a part's name is that "
                    "part.",
                ),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="A mask of the pictures' size, one for each picture or one for all. mask_is says what it "
                    "means.",
                ),
                field(
                    io.Combo, "mask_is", options=list(MASK_IS), default=WHERE,
                    optional=True, advanced=True, label="mask shows",
                    tooltip="'where the face is' keeps only the faces whose middle is white. With a part's name, the "
                    "white area becomes that part of the face under it: a way to give parts that landmarks do not "
                    "have, such as hair. Without a mask this does nothing.",
                ),
                field(
                    io.String, "also", default="", optional=True, advanced=True, label="more faces",
                    tooltip="Numbers of further chosen faces, with commas, such as 1, 2: for the nodes that take "
                    "several, which are Face Part Mask, Face Swap and Face Restore. Hold Shift and click a face in "
                    "the node's picture to add it or take it away. Other nodes take the face of index.",
                ),
            ],
            outputs=[
                FacePartsWire.Output("parts", tooltip="The pictures with their faces, for the other face nodes."),
                io.Mask.Output("mask", tooltip="The face oval of each chosen face (all its parts where the detector "
                "gives no oval), black where there is no face."),
                io.Image.Output("preview", tooltip="The pictures, at most 1024 pixels long, with every face numbered, "
                "every part in its own colour, the chosen face framed in amber and further ones thinly."),
                io.Int.Output("count", tooltip="How many faces were found in all pictures together."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, detector: dict[str, Any] | None, **others: Any) -> tuple[Stamp, ...]:
        return detector_files(detector) if detector else ()

    @classmethod
    def execute(
        cls, image: Tensor, detector: dict[str, Any], threshold: float, smallest: int, order: str, index: int,
        on_missing: str, landmarks: dict | None = None, boxes: Any = None, mask: Tensor | None = None,
        mask_is: str = WHERE, also: str = "",
    ) -> io.NodeOutput:  # fmt: skip
        pictures, further = as_pictures(image), read_numbers(also)
        searching, masking, drawing = stages(host_progress(), 3)
        wired = {"landmarks": landmarks, "boxes": boxes, "mask": as_masks(mask)}
        if detector["detector"] == BUILTIN:
            faces_by_picture = find_faces(
                pictures, builtin_detector(), threshold=threshold, smallest=smallest, **wired, mask_is=mask_is,
                progress=searching,
            )  # fmt: skip
            name = "the built-in detector" if landmarks is None else "the landmarks wired in"
        else:
            name = detector["detector"]
            refuse_wires(name, wired)
            find = {INSIGHTFACE: find_with_insightface, TEXT_PROMPT: find_with_prompts}[name]
            faces = find(pictures, detector, threshold, searching)
            faces_by_picture = tuple(large_enough(each, smallest) for each in faces)
        parts = choose(
            pictures, faces_by_picture, order, index, on_missing, name, given_place(**wired, mask_is=mask_is), further
        )
        count = sum(map(len, faces_by_picture))
        masks, preview = oval_masks(parts, masking), draw_preview(parts, drawing)
        return io.NodeOutput(parts, masks, preview, count, ui=faces_in_node(parts, order, preview))
