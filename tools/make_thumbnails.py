"""Draws the picture beside every template, workflows/*.jpg, from two photographs in the public domain:

    python tools/make_thumbnails.py --portrait grace_hopper.jpg

The other photograph is scikit-image's astronaut (NASA). grace_hopper.jpg (US Navy) lies in matplotlib's wheel, below
matplotlib/mpl-data/sample_data. Results are what the pack makes without a model; where a template needs one, the
picture says so and shows what the model starts from.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import torch
from people import COLOURS, ROOT, SIDE, arguments, close_up, found, fused, outlined
from PIL import Image, ImageDraw
from sheets import EDGE, INK, arrow, blank, place, save

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.demo import astronaut
from face_part_fusion.command.photo import from_image, load_photo, to_image
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.detectors.preview import draw_preview
from face_part_fusion.fusion.assemble import assemble
from face_part_fusion.injection.regions import draw_regions, region_masks

TILE = 148
LARGEST = 60_000


def main() -> None:
    options = arguments(__doc__, ROOT / "workflows")
    detector = BuiltinDetector()
    photographs = (load_photo(options.portrait), astronaut())
    hopper, collins = (close_up(found(photograph, detector)) for photograph in photographs)
    for name, draw in DRAWN.items():
        file = options.into / f"{name}.jpg"
        save(draw(hopper, collins, detector), file, LARGEST)
        sys.stdout.write(f"wrote {file.name}, {file.stat().st_size // 1000} kB\n")


def sheet(tiles: Sequence[tuple[str, Image.Image]], result: Image.Image, said: str = "") -> Image.Image:
    """Tiles with a word on each, an arrow, and the result; `said` stands on it."""
    page = blank(SIDE, SIDE)
    height = (SIDE - (len(tiles) + 1) * EDGE) // len(tiles)
    for i, (word, tile) in enumerate(tiles):
        place(page, tile, (EDGE, EDGE + i * (height + EDGE)), (TILE, height), word)
    place(page, result, (TILE + 2 * EDGE, EDGE), (SIDE - TILE - 3 * EDGE, SIDE - 2 * EDGE), said)
    arrow(page, (TILE + 2 * EDGE - EDGE // 2, SIDE // 2))
    return page


Drawing = Callable[[FaceParts, FaceParts, BuiltinDetector], Image.Image]


def parts_of_others(said: str, *parts: str, over: Callable[[Image.Image, FaceParts], None] | None = None) -> Drawing:
    """Hopper with parts of Collins; `over` draws on the result."""

    def draw(hopper: FaceParts, collins: FaceParts, detector: BuiltinDetector) -> Image.Image:
        result = to_image(fused(hopper, collins, *parts)[0])
        if over is not None:
            over(result, hopper)
        tiles = [("target", to_image(hopper.pictures[0]))]
        tiles += [(part, outlined(collins, part)) for part in parts]
        return sheet(tiles, result, said)

    return draw


def cells(image: Image.Image, parts: FaceParts) -> None:
    """FuseAnyPart's 16 x 16 cells, those of the parts in their colours."""
    pen = ImageDraw.Draw(image, "RGBA")
    for name in ("eyes", "nose", "mouth"):
        x0, y0, x1, y1 = (v / 32 for v in parts.face(0).box_of(name))
        box = (int(x0) * 32, int(y0) * 32, (int(x1) + 1) * 32, (int(y1) + 1) * 32)
        pen.rectangle(box, (*COLOURS[name], 70), (*COLOURS[name], 255), 3)
    for i in range(1, 16):
        pen.line([(i * 32, 0), (i * 32, SIDE)], (255, 255, 255, 60))
        pen.line([(0, i * 32), (SIDE, i * 32)], (255, 255, 255, 60))


def dashed(image: Image.Image, parts: FaceParts) -> None:
    """The places that a model goes over."""
    pen = ImageDraw.Draw(image)
    for name in ("eyes", "nose", "mouth"):
        box = [v + d for v, d in zip(parts.face(0).box_of(name), (-14, -14, 14, 14), strict=True)]
        for angle in range(0, 360, 16):
            pen.arc(box, angle, angle + 9, INK, 3)


def frames(hopper: FaceParts, collins: FaceParts, detector: BuiltinDetector) -> Image.Image:
    """Three looks at one face; above as they were, below with the mouth."""
    page = blank(SIDE, SIDE)
    still, width = to_image(hopper.pictures[0]), (SIDE - 4 * EDGE) // 3
    height = (SIDE - 3 * EDGE) // 2
    for i, (turn, cut) in enumerate(((0, 24), (-7, 44), (8, 64))):
        seen = still.rotate(turn, Image.Resampling.BICUBIC).crop((cut, cut, SIDE - cut, SIDE - cut))
        target = found(from_image(seen.resize((SIDE, SIDE), Image.Resampling.LANCZOS))[None], detector)
        x = EDGE + i * (width + EDGE)
        place(page, to_image(target.pictures[0]), (x, EDGE), (width, height), f"frame {i + 1}")
        place(page, to_image(fused(target, collins, "mouth")[0]), (x, height + 2 * EDGE), (width, height))
    return page


def group(hopper: FaceParts, collins: FaceParts, detector: BuiltinDetector) -> Image.Image:
    """Both in one picture, numbered; below, number 0 with the mouth of number 1."""
    both = torch.cat([hopper.pictures[:, :, 60:-60], collins.pictures[:, :, 60:-60]], 2)
    target = found(both, detector, "left-right")
    giver = FaceParts(target.pictures, target.faces, (1,))
    page = blank(SIDE, SIDE)
    size = (SIDE - 2 * EDGE, (SIDE - 3 * EDGE) // 2)
    place(page, to_image(draw_preview(target)[0]), (EDGE, EDGE), size)
    place(page, to_image(fused(target, giver, "mouth")[0]), (EDGE, size[1] + 2 * EDGE), size, "mouth of 1 for 0")
    return page


def face_swap(hopper: FaceParts, collins: FaceParts, detector: BuiltinDetector) -> Image.Image:
    result = assemble("face swap", collins, hopper, shown="paste", fill="target kept").picture[0]
    tiles = [("target", to_image(collins.pictures[0])), ("source", outlined(hopper, "skin"))]
    return sheet(tiles, to_image(result), MODEL)


def attribute_edit(hopper: FaceParts, collins: FaceParts, detector: BuiltinDetector) -> Image.Image:
    giving = {"eyes": "source", "lips": "source"}
    result = assemble("attribute edit", hopper, collins, giving).picture[0]
    tiles = [("target", to_image(hopper.pictures[0])), ("eyes, lips", outlined(collins, "eyes", "mouth"))]
    return sheet(tiles, to_image(result), MODEL)


def regions(hopper: FaceParts, collins: FaceParts, detector: BuiltinDetector) -> Image.Image:
    names = ("eyes", "nose", "mouth")
    areas = [(region_masks(hopper, name, 0.05, 0.1), 0.8) for name in names]
    tiles = [("target", to_image(hopper.pictures[0]))] + [(name, outlined(collins, name)) for name in names]
    return sheet(tiles, to_image(draw_regions(areas, hopper)[0]), "who steers which region")


MODEL = "laid in pixels,\nbefore the model"
DRAWN: dict[str, Drawing] = {
    "eyes_nose_mouth_from_three_people": parts_of_others("", "eyes", "mouth"),
    "faces_of_a_group_photograph": group,
    "a_batch_of_frames": frames,
    "fuse_any_part_as_published": parts_of_others(
        "the cells that\nFuseAnyPart makes anew", "eyes", "nose", "mouth", over=cells
    ),
    "fuse_any_part_with_prompt_and_lora": parts_of_others("laid in pixels,\nbefore FuseAnyPart", "eyes", "mouth"),
    "composite_refined_by_sdxl": parts_of_others("SDXL mends\nthese places", "nose", "mouth", over=dashed),
    "composite_refined_by_a_flow_model": parts_of_others("SD3.5 or Flux mends\nthese places", "mouth", over=dashed),
    "facex_face_swap": face_swap,
    "facex_attribute_edit": attribute_edit,
    "parts_of_several_people_by_ip_adapter": regions,
}


if __name__ == "__main__":
    main()
