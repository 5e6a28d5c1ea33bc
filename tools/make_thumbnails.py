"""Draws the picture beside every template, workflows/*.jpg, from two photographs in the public domain:

    python tools/make_thumbnails.py --portrait grace_hopper.jpg

The other photograph is scikit-image's astronaut (NASA). grace_hopper.jpg (US Navy) lies in matplotlib's wheel, below
matplotlib/mpl-data/sample_data. Results are what the pack makes without a model; where a template needs one, the
picture says so and shows what the model starts from.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import conftest  # noqa: E402, F401  (maps the repository to the package face_part_fusion)
from face_part_fusion.command.demo import astronaut  # noqa: E402
from face_part_fusion.command.photo import from_image, load_photo, to_image  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.detectors.preview import draw_preview  # noqa: E402
from face_part_fusion.detectors.selection import choose  # noqa: E402
from face_part_fusion.fusion.assemble import assemble  # noqa: E402
from face_part_fusion.fusion.composite import PartReference, composite  # noqa: E402
from face_part_fusion.fusion.crop import crop_faces  # noqa: E402
from face_part_fusion.injection.regions import draw_regions, region_masks  # noqa: E402

SIDE, EDGE, TILE = 512, 8, 148
GROUND, INK = (24, 26, 31), (240, 240, 236)
COLOURS = {"eyes": (255, 183, 64), "nose": (102, 204, 140), "mouth": (244, 104, 104), "skin": (120, 170, 255)}
LARGEST = 60_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portrait", type=Path, required=True, help="matplotlib's grace_hopper.jpg")
    parser.add_argument("--into", type=Path, default=ROOT / "workflows")
    options = parser.parse_args()
    detector = BuiltinDetector()
    hopper, collins = (close_up(picture, detector) for picture in (load_photo(options.portrait), astronaut()))
    for name, draw in DRAWN.items():
        file = options.into / f"{name}.jpg"
        save(draw(hopper, collins, detector), file)
        sys.stdout.write(f"wrote {file.name}, {file.stat().st_size // 1000} kB\n")


def save(picture: Image.Image, file: Path) -> None:
    for quality in range(92, 50, -4):
        picture.save(file, quality=quality, optimize=True)
        if file.stat().st_size < LARGEST:
            return


def found(picture: Tensor, detector: BuiltinDetector, order: str = "large-small") -> FaceParts:
    return choose(picture, find_faces(picture, detector), order)


def close_up(picture: Tensor, detector: BuiltinDetector) -> FaceParts:
    """The face in a square of its own, with some hair and collar."""
    return crop_faces(found(picture, detector), SIDE, "upright", 0.42)[1]


def fused(target: FaceParts, giver: FaceParts, *parts: str) -> Tensor:
    return composite(target, [PartReference(giver, dict.fromkeys(parts, 1.0))])[0]


def outlined(parts: FaceParts, *names: str) -> Image.Image:
    """The face with these parts drawn round."""
    image, face = to_image(parts.pictures[0]), parts.face(0)
    pen = ImageDraw.Draw(image)
    for name in names:
        for ring in (ring for region in face.region(name) for ring in region.rings):
            points = [tuple(point) for point in ring.tolist()]
            pen.line([*points, *points[:2]], COLOURS[name], 9, "curve")
    return image


def rounded(image: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Cut to `size` about the middle, and the mask that rounds its corners."""
    scale = max(size[0] / image.width, size[1] / image.height)
    width, height = round(image.width * scale), round(image.height * scale)
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    mask = Image.new("L", (size[0] * 4, size[1] * 4))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] * 4 - 1, size[1] * 4 - 1), 48, 255)
    return image.crop((x, y, x + size[0], y + size[1])), mask.resize(size, Image.Resampling.LANCZOS)


def sheet(tiles: Sequence[tuple[str, Image.Image]], result: Image.Image, said: str = "") -> Image.Image:
    """Tiles with a word on each, an arrow, and the result; `said` stands on it."""
    page = Image.new("RGB", (SIDE, SIDE), GROUND)
    height = (SIDE - (len(tiles) + 1) * EDGE) // len(tiles)
    for i, (word, tile) in enumerate(tiles):
        place(page, tile, (EDGE, EDGE + i * (height + EDGE)), (TILE, height), word)
    place(page, result, (TILE + 2 * EDGE, EDGE), (SIDE - TILE - 3 * EDGE, SIDE - 2 * EDGE), said)
    arrow(page, (TILE + 2 * EDGE - EDGE // 2, SIDE // 2))
    return page


def place(
    page: Image.Image, image: Image.Image, corner: tuple[int, int], size: tuple[int, int], word: str = ""
) -> None:
    page.paste(*[(cut := rounded(image, size))[0], corner, cut[1]])
    if word:
        font = ImageFont.load_default(17)
        pen = ImageDraw.Draw(page)
        x, y = corner[0] + size[0] // 2, corner[1] + size[1] - 20
        x0, y0, x1, y1 = pen.multiline_textbbox((x, y), word, font, "mm", align="center")
        pen.rounded_rectangle((x0 - 9, y0 - 5, x1 + 9, y1 + 5), 8, GROUND)
        pen.multiline_text((x, y), word, INK, font, "mm", align="center")


def arrow(page: Image.Image, middle: tuple[int, int], size: int = 22) -> None:
    x, y = middle
    pen = ImageDraw.Draw(page)
    pen.ellipse((x - size, y - size, x + size, y + size), GROUND, INK, 2)
    pen.polygon([(x - 7, y - 10), (x + 11, y), (x - 7, y + 10)], INK)


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
    page = Image.new("RGB", (SIDE, SIDE), GROUND)
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
    page = Image.new("RGB", (SIDE, SIDE), GROUND)
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
