"""Draws the picture beside every template, workflows/*.jpg, after the template's own wiring:

    COMFYUI_PATHS=~/comfy/ComfyUI python tools/make_thumbnails.py

The people are those of tools/cast.py. A template that needs no model is run in the host, and its picture shows what was
saved; of one that needs a model the picture shows what the pack makes before the model, and says so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from cast import ROLES, portrait
from graphs import Graph
from help_models import SEEN
from help_sheets import trimmed
from host_runs import Pictures, run_templates, without_face
from model_graphs import MODEL_TEMPLATES
from people import ROOT, SIDE, close_up, faces_in_photo, outlined
from PIL import Image, ImageChops, ImageFilter
from sheets import EDGE, INK, arrow, blank, place, save

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import from_image, to_image
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.fusion.composite import PartReference, composite
from face_part_fusion.fusion.features.encode import Framing, encode_reference, encode_target
from face_part_fusion.fusion.features.fuse import fuse_features
from face_part_fusion.fusion.features.origin import draw_origin
from face_part_fusion.fusion.masks import part_masks
from face_part_fusion.fusion.regions.assemble import assemble
from face_part_fusion.fusion.regions.match import match_assembly
from face_part_fusion.injection.ip_adapter.regions import draw_regions, region_masks

TILE = 148
LARGEST = 60_000
PARTS = ("eyes", "nose", "mouth")
# Input of OmniRepresentationCondition -> what the others call that region.
REGIONS = {"eyes": "eyes", "lips": "mouth"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / "workflows")
    into = parser.parse_args().into
    made = run_templates()
    drawn = {name: draw(made[name]) for name, draw in RUN.items()}
    drawn |= {name: draw(MODEL_TEMPLATES[name]) for name, draw in BEFORE_THE_MODEL.items()}
    for name, picture in drawn.items():
        file = into / f"{name}.jpg"
        save(picture, file, LARGEST)
        sys.stdout.write(f"wrote {file.name}, {file.stat().st_size // 1000} kB\n")


def face(image: Image.Image) -> FaceParts:
    """The largest face of a picture, in a square of its own."""
    return close_up(faces_in_photo(from_image(image)[None], BuiltinDetector()))


@cache
def of(role: str) -> FaceParts:
    return face(portrait(ROLES[role]))


def shown(role: str, *parts: str) -> Image.Image:
    """Who has this role, with what they give outlined."""
    return trimmed(outlined(of(role), *parts, width=5), 0.17) if parts else to_image(of(role).pictures[0])


def sheet(tiles: Sequence[tuple[str, Image.Image]], result: Image.Image, said: str = "") -> Image.Image:
    """Tiles with a word on each, an arrow, and the result; `said` stands on it."""
    page = blank(SIDE, SIDE)
    height = (SIDE - (len(tiles) + 1) * EDGE) // len(tiles)
    for i, (word, tile) in enumerate(tiles):
        place(page, tile, (EDGE, EDGE + i * (height + EDGE)), (TILE, height), word)
    place(page, result, (TILE + 2 * EDGE, EDGE), (SIDE - TILE - 3 * EDGE, SIDE - 2 * EDGE), said)
    arrow(page, (TILE + 2 * EDGE - EDGE // 2, SIDE // 2))
    return page


def four(result: Image.Image, said: str = "") -> Image.Image:
    """A target and who gives its three parts."""
    return sheet([("target", shown("target")), *((part, shown(part, part)) for part in PARTS)], result, said)


def three_people(made: Pictures) -> Image.Image:
    return four(to_image(face(made["save"][0]).pictures[0]))


def group(made: Pictures) -> Image.Image:
    """The numbered faces, and below the saved picture."""
    page = blank(SIDE, SIDE)
    size = (SIDE - 2 * EDGE, (SIDE - 3 * EDGE) // 2)
    place(page, made["see"][0], (EDGE, EDGE), size)
    place(page, made["save"][0], (EDGE, size[1] + 2 * EDGE), size, "0 with the eyes of 1 and the mouth of 2")
    return page


def frames(made: Pictures) -> Image.Image:
    """Who gives the eyes; the frames as they came, and as they were saved."""
    page = blank(SIDE, SIDE)
    width, height = (SIDE - TILE - 4 * EDGE) // 2, (SIDE - 3 * EDGE) // 2
    place(page, shown("eyes", "eyes"), (EDGE, EDGE + height // 2), (TILE, height), "eyes")
    fused, kept = made["save"]
    rows = ((shown("target"), without_face()), (to_image(face(fused).pictures[0]), kept))
    words = (("frame 1", "frame 2: no face"), ("fused", "kept as it is"))
    for j, (row, said) in enumerate(zip(rows, words, strict=True)):
        for i, (image, word) in enumerate(zip(row, said, strict=True)):
            corner = (TILE + 2 * EDGE + i * (width + EDGE), EDGE + j * (height + EDGE))
            place(page, image, corner, (width, height), word)
    arrow(page, (TILE + 2 * EDGE - EDGE // 2, SIDE // 2))
    return page


def cells(mode: str, said: str) -> Callable[[Graph], Image.Image]:
    """Which cell of the encoder's view comes from whom, as Mask Fuse shows it."""

    def draw(graph: Graph) -> Image.Image:
        framing = Framing(mode)
        target, _ = encode_target(of("target"), SEEN, dict.fromkeys(PARTS, 1.0), framing)
        givers = [encode_reference(of(part), SEEN, {part: 1.0}, framing)[0] for part in PARTS]
        return four(to_image(draw_origin(fuse_features(target, givers))[0]), said)

    return draw


def refined(said: str) -> Callable[[Graph], Image.Image]:
    """The composite of the template, and the border of the mask in which a checkpoint goes over it."""

    def draw(graph: Graph) -> Image.Image:
        target, mask = of("target"), graph.nodes["mask"].inputs
        laid = composite(target, [PartReference(of(part), {part: 1.0}) for part in PARTS])[0]
        # The template's crop is twice as large.
        white = part_masks(replace(target, pictures=laid), ("brows", *PARTS), grow=mask["grow"] // 2, feather=0)
        return four(bordered(to_image(laid[0]), to_image(white[0, ..., None].expand(-1, -1, 3)).convert("L")), said)

    return draw


def bordered(image: Image.Image, white: Image.Image) -> Image.Image:
    inside, outside = white.filter(ImageFilter.MinFilter(3)), white.filter(ImageFilter.MaxFilter(3))
    image.paste(INK, mask=ImageChops.subtract(outside, inside).filter(ImageFilter.GaussianBlur(0.6)))
    return image


def edit(said: str, **people: str) -> Callable[[Graph], Image.Image]:
    """What the sampling starts from. `people`: input of the node -> the role of who is wired into it."""

    def draw(graph: Graph) -> Image.Image:
        omni = graph.nodes["omni"].inputs
        target, (source, *others) = of("target"), [of(role) for role in people.values()]
        own = {region: omni[region] for region in REGIONS if region in omni}
        made = assemble(omni["task"], target, source, own, others=others, shown="paste", fill="target kept")
        tiles = [("target", shown("target"))]
        for name, role in people.items():
            gives = [region for region, giver in own.items() if giver == name.replace("_", " ")]
            outlines = [REGIONS[region] for region in gives] or ["skin"]
            tiles.append((", ".join(gives) or "face", shown(role, *outlines)))
        return sheet(tiles, to_image(match_assembly(made, target, 1.0).picture[0]), said)

    return draw


def regions(graph: Graph) -> Image.Image:
    """Who steers which region, as Face Controller Apply shows it."""
    areas = [(region_masks(of("target"), part, 0.05, 0.1), 1.0) for part in PARTS]
    return four(to_image(draw_regions(areas, of("target"))[0]), "who steers which region,\nbefore the model")


RUN: dict[str, Callable[[Pictures], Image.Image]] = {
    "eyes_nose_mouth_from_three_people": three_people,
    "faces_of_a_group_photograph": group,
    "a_batch_of_frames": frames,
}
BEFORE_THE_MODEL: dict[str, Callable[[Graph], Image.Image]] = {
    "fuse_any_part_as_published": cells("released", "who gives which cell,\nbefore the model"),
    "fuse_any_part_with_prompt_and_lora": cells("practical", "who gives which cell,\nbefore the model"),
    "composite_refined_by_sdxl": refined("before the model: SDXL\nmends inside the line"),
    "composite_refined_by_a_flow_model": refined("before the model: SD3.5\nmends inside the line"),
    "facex_face_swap": edit("laid in pixels,\nbefore the model", source="eyes"),
    "facex_attribute_edit": edit("laid in pixels,\nbefore the model", source="eyes", source_2="mouth"),
    "parts_of_several_people_by_ip_adapter": regions,
}


if __name__ == "__main__":
    main()
