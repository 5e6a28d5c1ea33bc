"""Pictures that a node shows in itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import ui
from torch import Tensor

from ...detectors.parts import FaceParts

# Pictures of a batch that a node shows; each is a PNG file in the host's temp folder.
_MOST = 16


def in_node(pictures: Tensor, facts: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """What a node returns as `ui` to show the first 16 pictures (B, H, W, 3), float32, 0..1.

    `facts`: for each picture, what the front end is told of it besides the name of its file.
    """
    shown = ui.PreviewImage(pictures[:_MOST]).as_dict()
    for file, own in zip(shown["images"], facts, strict=False):
        file |= own
    return shown


def faces_in_node(parts: FaceParts, order: str, pictures: Tensor) -> dict[str, Any]:
    """As `in_node`; of each picture also `face_part_fusion`: the `order` in which its faces are numbered, and for each
    of `faces` its box (x0, y0, x1, y1) in shares of the picture and its score. web/faces.js reads them.
    """
    height, width = parts.pictures.shape[1:3]
    facts = [
        {
            "order": order,
            "faces": [
                {"box": [v / s for v, s in zip(face.box, (width, height) * 2, strict=True)], "score": face.score}
                for face in own
            ],
        }
        for own in parts.faces[:_MOST]
    ]
    return in_node(pictures, [{"face_part_fusion": each} for each in facts])
