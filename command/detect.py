"""`face-part-fusion detect`: the faces and parts of a photograph, as a table or lines of JSON, and as a picture."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

from PIL import ImageDraw, ImageFont
from torch import Tensor

from ..detectors.parts import Face, FaceParts
from ..detectors.preview import draw_preview
from ..detectors.selection import FaceMissing
from .faces import Finder, add_choice, split_spec, tell
from .output import check_not_read
from .photo import from_image, save_photo, to_image

_NOBODY = "no face found"
_COLUMNS = ("face", "score", "x", "y", "width", "height", "yaw", "pitch", "roll", "parts")

EXAMPLES = """examples:
  face-part-fusion detect group.jpg -o preview.png
  face-part-fusion detect group.jpg -o preview.png --order left-right --threshold 0.5
  face-part-fusion detect group.jpg#2 -o preview.png --json > faces.jsonl"""


def add_detect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "photo", metavar="PHOTO", help="a photograph; of PHOTO#N face number N alone is printed, and it is framed"
    )
    parser.add_argument("-o", "--output", required=True, metavar="PREVIEW.png", help="where the drawing goes")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each face instead of the table")
    parser.description = (
        "Draw the faces and parts of a photograph and print a table of them: box in pixels, head angles in degrees. "
        "The exit status is 1 when it has no face."
    )
    add_choice(parser)
    parser.set_defaults(run=_detect)


def _detect(options: argparse.Namespace) -> int:
    find = Finder(options.order, options.threshold)
    path, number = split_spec(options.photo)
    check_not_read([options.output], [path])
    # With --json, the standard output is JSON alone.
    spoken = sys.stderr if options.json else sys.stdout
    try:
        parts = find(options.photo)
    except FaceMissing as missing:
        photo, faces = find.all(path)
        if faces[0]:
            raise
        preview = _with_note(draw_preview(FaceParts(photo.picture, ((),), (None,)))[0])
        print(f"wrote {save_photo(preview, options.output)}", file=spoken)
        print(f"face-part-fusion: {missing}", file=sys.stderr)
        return 1
    written = save_photo(draw_preview(parts)[0], options.output)
    printed = {at: face for at, face in enumerate(parts.faces[0]) if number in (None, at)}
    for line in _json_lines(printed) if options.json else _table(printed):
        print(line)
    tell(path, find.all(path)[0].notes)
    print(f"wrote {written}", file=spoken)
    return 0


def _with_note(picture: Tensor) -> Tensor:
    """The picture (H, W, 3) with "no face found" written in its top left corner."""
    image = to_image(picture)
    font = ImageFont.load_default(max(10, image.width / 24))
    ImageDraw.Draw(image).text((4, 4), _NOBODY, font=font, fill="white", stroke_width=2, stroke_fill="black")
    return from_image(image)


def _json_lines(faces: Mapping[int, Face]) -> list[str]:
    """`faces`: by number."""
    return [json.dumps(_as_json(face, number)) for number, face in faces.items()]


def _table(faces: Mapping[int, Face]) -> list[str]:
    """A head and one line for each face; columns are as wide as they need, numbers on the right."""
    rows = [_COLUMNS, *(_row(face, number) for number, face in faces.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return ["  ".join([*map(str.rjust, row[:-1], widths), row[-1]]) for row in rows]


def _row(face: Face, number: int) -> tuple[str, ...]:
    x0, y0, x1, y1 = face.box
    angles = [f"{angle:.0f}" for angle in face.angles] if face.angles else ["-"] * 3
    box = (f"{value:.0f}" for value in (x0, y0, x1 - x0, y1 - y0))
    return (str(number), f"{face.score:.2f}", *box, *angles, ", ".join(part.replace("_", " ") for part in face.regions))


def _as_json(face: Face, number: int) -> dict[str, object]:
    """Box, parts' boxes (x0, y0, x1, y1) in pixels; angles (yaw, pitch, roll) in degrees, empty where unknown."""
    return {
        "face": number,
        "score": round(face.score, 3),
        "box": [round(value, 1) for value in face.box],
        "angles": [round(value, 1) for value in face.angles or ()],
        "parts": {part: [round(value, 1) for value in face.box_of(part)] for part in face.regions},
    }
