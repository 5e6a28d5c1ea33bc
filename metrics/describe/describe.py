"""A face -> its measured attributes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...detectors.parts import Face, PartMissing
from .attribute import Attribute

# Attribute -> the part of the face that it belongs to; "" for the whole picture.
PART_OF: Mapping[str, str] = {
    "yaw": "head", "pitch": "head", "roll": "head", "face_shape": "skin", "jaw": "skin",
    "hair_length": "hair", "hair_colour": "hair", "fringe": "hair", "beard": "skin", "moustache": "skin",
    "spectacles": "glasses", "hat": "head", "covered": "head",
    "eye_openness": "eyes", "eye_shape": "eyes", "eye_distance": "eyes", "gaze": "eyes", "iris_colour": "eyes",
    "brow_thickness": "brows", "brow_arch": "brows", "brow_gap": "brows", "nose_length": "nose", "nose_width": "nose",
    "mouth_width": "mouth", "lip_thickness": "mouth", "mouth_open": "mouth", "smile": "mouth", "teeth": "mouth",
    "skin_tone": "skin", "lip_colour": "mouth", "expression": "mouth",
    "light_side": "", "light_height": "", "light_hardness": "", "sharpness": "", "size": "",
}  # fmt: skip

# Attributes that are measured by colour: a black-and-white photograph does not show them.
MEASURED_BY_COLOUR = ("skin_tone", "lip_colour", "iris_colour", "hair_colour", "beard", "moustache", "teeth")
# Chroma of the skin, in a and b, below which a photograph counts as black and white, as in fusion/facial_hair.py.
_NEUTRAL = 4.0

Description = Mapping[str, Attribute]


def describe(picture: Tensor, face: Face) -> Description:
    """The attributes of one face by name, in the order of PART_OF; those that this view cannot show are absent,
    such as those of MEASURED_BY_COLOUR in a black-and-white photograph.

    `picture`: (H, W, 3) float32 0..1, on the CPU.
    `face`: one with a mesh; hair, hats and spectacles need the parsed parts, too.

    Raises PartMissing for a face without a mesh.
    """
    if not face.scheme.startswith("mediapipe"):
        raise PartMissing(
            f"this face has {f'the {len(face.landmarks)} points of {face.scheme}' if face.scheme else 'no landmarks'}; "
            "a description needs the mesh of 468 or 478 points: use Face Part Detect's own detector or ComfyUI's "
            "FACE_LANDMARKS"
        )
    # Imported here, as they would take a tenth of the pack's time to load.
    from .groups import GROUPS
    from .view import FaceView

    view = FaceView(picture, face)
    attributes = {attribute.name: attribute for group in GROUPS for attribute in group(view)}
    neutral = float(view.skin[1:3].norm()) < _NEUTRAL
    absent = MEASURED_BY_COLOUR if neutral else ()
    return {name: attributes[name] for name in PART_OF if name in attributes and name not in absent}
