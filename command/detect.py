"""`face-part-fusion detect`: the faces and parts of a photograph, as lines of JSON and as a picture."""

from __future__ import annotations

import argparse
import json
import sys

from PIL import ImageDraw, ImageFont
from torch import Tensor

from ..detectors.parts import Face, FaceParts
from ..detectors.preview import draw_preview
from ..detectors.selection import FaceMissing
from .faces import Finder, add_choice, split_spec
from .photo import from_image, save_photo, to_image

_NOBODY = "no face found"


def add_detect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", metavar="IMAGE")
    parser.add_argument("-o", "--output", required=True, metavar="PREVIEW.png")
    parser.description = "Draw the faces and parts of a photograph. The exit status is 1 when it has no face."
    add_choice(parser)
    parser.set_defaults(run=_detect)


def _detect(options: argparse.Namespace) -> int:
    find = Finder(options.order, options.threshold)
    try:
        parts = find(options.photo)
    except FaceMissing as missing:
        picture, faces = find.all(split_spec(options.photo)[0])
        if faces[0]:
            raise
        preview = _with_note(draw_preview(FaceParts(picture, ((),), (None,)))[0])
        print(f"wrote {save_photo(preview, options.output)}")
        print(f"face-part-fusion: {missing}", file=sys.stderr)
        return 1
    for number, face in enumerate(parts.faces[0]):
        print(json.dumps(_as_json(face, number)))
    print(f"wrote {save_photo(draw_preview(parts)[0], options.output)}")
    return 0


def _with_note(picture: Tensor) -> Tensor:
    """The picture (H, W, 3) with "no face found" written in its top left corner."""
    image = to_image(picture)
    font = ImageFont.load_default(max(10, image.width / 24))
    ImageDraw.Draw(image).text((4, 4), _NOBODY, font=font, fill="white", stroke_width=2, stroke_fill="black")
    return from_image(image)


def _as_json(face: Face, number: int) -> dict[str, object]:
    """Box, parts' boxes (x0, y0, x1, y1) in pixels; angles (yaw, pitch, roll) in degrees, empty where unknown."""
    return {
        "face": number,
        "score": round(face.score, 3),
        "box": [round(value, 1) for value in face.box],
        "angles": [round(value, 1) for value in face.angles or ()],
        "parts": {part: [round(value, 1) for value in face.box_of(part)] for part in face.regions},
    }
