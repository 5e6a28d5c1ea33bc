"""The thumbnails of the templates, the README's first picture, and the portraits that the templates open with.

A template that needs no model is run in a real ComfyUI, and its thumbnail shows what was saved. The thumbnail of one
that needs a model shows what the pack makes before the model, and says so.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from help_models import fusion, steered_regions
from people import PARTS, ROOT, SIDE, close_up, faces, grey, group, outlined, person, picture, portrait, without_face
from PIL import Image, ImageChops, ImageFilter
from sheets import EDGE, INK, Item, columns, nothing, rows, sheet, tile, trimmed

# people maps the repository to the package, and makes the tests' helpers known, so it comes first.
# isort: split
from face_part_fusion.command.photo import from_image, to_image
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.detectors.parser_regions import parse_with_builtin
from face_part_fusion.detectors.parsing import without_head
from face_part_fusion.detectors.preview import draw_preview
from face_part_fusion.fusion.composite import PartReference, composite
from face_part_fusion.fusion.features.encode import Framing
from face_part_fusion.fusion.features.origin import draw_origin
from face_part_fusion.fusion.masks import part_masks
from face_part_fusion.fusion.regions.assemble import assemble
from face_part_fusion.fusion.regions.match import match_assembly
from face_part_fusion.fusion.regions.parsed import parsed_people
from face_part_fusion.fusion.regions.plan import make_plan
from face_part_fusion.fusion.regions.tasks import FACE_REGIONS, GIVERS, PART_OF, REGIONS
from support.hosts import Server, find_hosts
from support.templates import FIRST, PIXEL_TEMPLATES, TEMPLATES, as_api, example

# Width of the small tiles of a thumbnail, in pixels; the result has the rest.
TILE = 148
# Node type -> the pictures that it showed or saved in a run.
Run = Mapping[str, list[Image.Image]]


def examples() -> dict[str, Image.Image]:
    pictures = {role: portrait(role) for role in ("target", *PARTS)} | {"group": group(), "no_face": without_face()}
    return {Path(example(role)).stem: image for role, image in pictures.items()}


def thumbnails() -> dict[str, Image.Image]:
    runs = run_templates(*RUN)
    drawn = {name: draw(runs[name]) for name, draw in RUN.items()}
    return drawn | {name: draw(as_api(TEMPLATES[name])) for name, draw in BEFORE_THE_MODEL.items()}


def hero() -> dict[str, Image.Image]:
    """Four photographs, and the face that the first template makes of them."""
    (saved,) = run_templates(FIRST)[FIRST]["MarkEdited"]
    givers = rows(*(tile(giver(part, part), part, 28) for part in PARTS))
    before = tile(picture(person("target").near), "the photograph", 28)
    after = tile(near(saved), "fused, with no model", 28)
    return {"hero": sheet(1600, 800, columns((1, before), (0.42, givers), (1.02, after), arrows=2, arrow_size=30))}


def run_templates(*names: str) -> dict[str, Run]:
    """Of those that need no model, in the newest host, on the portraits that they open with."""
    with tempfile.TemporaryDirectory() as base:
        server = Server(find_hosts()[-1], Path(base))
        shutil.copytree(ROOT / "web" / "examples", server.base / "input", dirs_exist_ok=True)
        server.start()
        try:
            return {name: run(server, as_api(PIXEL_TEMPLATES[name])) for name in names}
        finally:
            server.stop()


def run(server: Server, prompt: dict[str, Any]) -> Run:
    done = server.queue(prompt)
    if done["status"]["status_str"] != "success":
        raise RuntimeError(f"the template failed: {done['status']}")
    return {
        prompt[node]["class_type"]: [fetched(server, file) for file in output["images"]]
        for node, output in done["outputs"].items()
        if "images" in output
    }


def fetched(server: Server, file: Mapping[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(server.get("/view?" + urllib.parse.urlencode(file)))).convert("RGB")


def near(image: Image.Image) -> Image.Image:
    """The largest face of a picture, with its hair."""
    return picture(close_up(faces(from_image(image)[None])))


def giver(role: str, *parts: str) -> Image.Image:
    """The portrait of this role, with what they give outlined."""
    return trimmed(outlined(person(role).near, *parts, width=5), 0.17)


def thumbnail(people: Sequence[Item], result: Item) -> Image.Image:
    return sheet(SIDE, SIDE, columns((TILE, rows(*people)), (SIDE - TILE - 3 * EDGE, result), arrows=1))


def four(result: Image.Image, said: str = "") -> Image.Image:
    """A target and who gives its three parts; `said` stands on the result."""
    people = [tile(picture(person("target").near), "target"), *(tile(giver(part, part), part) for part in PARTS)]
    return thumbnail(people, tile(result, said))


def of_group(made: Run) -> Image.Image:
    """The numbered faces, and below the saved picture."""
    fused = tile(made["MarkEdited"][0], "0 with the eyes of 1 and the mouth of 2")
    return sheet(SIDE, SIDE, rows(tile(made["PreviewImage"][0]), fused))


def of_frames(made: Run) -> Image.Image:
    """Who gives the eyes; the frames as they came, and as they were saved."""
    fused, kept = made["MarkEdited"]
    before = columns(
        (1, tile(picture(person("target").near), "frame 1")), (1, tile(without_face(), "frame 2: no face"))
    )
    after = columns((1, tile(near(fused), "fused")), (1, tile(kept, "kept as it is")))
    eyes = rows(nothing, tile(giver("eyes", "eyes"), "eyes"), nothing, shares=(1, 2, 1))
    return thumbnail([eyes], rows(before, after))


def of_heads(made: Run) -> Image.Image:
    """Whose head, whose body, and the saved picture."""
    people = [tile(portrait("mouth"), "head"), tile(portrait("target"), "body")]
    return thumbnail(people, tile(made["MarkEdited"][0]))


def cells(mode: str) -> Callable[[dict[str, Any]], Image.Image]:
    """Which cell of the encoder's view comes from whom, as Mask Fuse shows it."""

    def draw(prompt: dict[str, Any]) -> Image.Image:
        features = fusion(person("target"), [person(part) for part in PARTS], Framing(mode))
        return four(to_image(draw_origin(features)[0]), "who gives which cell,\nbefore the model")

    return draw


def refined(model: str) -> Callable[[dict[str, Any]], Image.Image]:
    """The composite of the template, and the border of the mask in which a checkpoint goes over it."""

    def draw(prompt: dict[str, Any]) -> Image.Image:
        target, mask = person("target").near, inputs_of(prompt, "FPFFacePartMask")
        laid = composite(target, [PartReference(person(part).near, {part: 1.0}) for part in PARTS])[0]
        # The template's crop is twice as large.
        white = part_masks(replace(target, pictures=laid), ("brows", *PARTS), grow=mask["grow"] // 2, feather=0)
        composed = bordered(to_image(laid[0]), grey(white).convert("L"))
        return four(composed, f"before the model: {model}\nmends inside the line")

    return draw


def bordered(image: Image.Image, white: Image.Image) -> Image.Image:
    inside, outside = white.filter(ImageFilter.MinFilter(3)), white.filter(ImageFilter.MaxFilter(3))
    image.paste(INK, mask=ImageChops.subtract(outside, inside).filter(ImageFilter.GaussianBlur(0.6)))
    return image


def edited(**people: str) -> Callable[[dict[str, Any]], Image.Image]:
    """What the sampling run starts from. `people`: input of the node -> the role of who is wired into it."""

    def draw(prompt: dict[str, Any]) -> Image.Image:
        omni = inputs_of(prompt, "OmniRepresentationCondition")
        own = {region: omni[region] for region in REGIONS if omni[region] in GIVERS}
        names = {name.replace("_", " "): role for name, role in people.items()}
        wired = {"target": person("target").near, **{name: person(role).near for name, role in names.items()}}
        plan = make_plan(omni["task"], True, own, "paste", "target kept")
        target, source, *others = parsed_people(plan, wired, BuiltinParser).values()
        made = assemble(omni["task"], target, source, own, others=others, shown="paste", fill="target kept")
        tiles = [tile(picture(target), "target")]
        for name, role in names.items():
            gives = [region for region, who in own.items() if who == name]
            lines = [PART_OF[region] for region in gives if region in FACE_REGIONS]
            if omni["task"] == "face swap":
                lines = ["skin"]
            whole = ", ".join(gives) or omni["task"].split()[0]
            tiles.append(tile(giver(role, *lines), whole))
        result = to_image(match_assembly(made, target, 1.0).picture[0])
        return thumbnail(tiles, tile(result, "laid in pixels,\nbefore the model"))

    return draw


def parsed(said: str) -> Callable[[dict[str, Any]], Image.Image]:
    """The parts of a face that Face Parse gives, each in its colour, and the hair by itself. `said`: on the result."""

    def draw(_: dict[str, Any]) -> Image.Image:
        whole = parse_with_builtin(person("target").near, BuiltinParser())
        masks = [tile(grey(part_masks(whole, (part,))), part) for part in ("hair", "neck")]
        preview = to_image(draw_preview(without_head(whole))[0])
        return thumbnail([tile(picture(whole), "target"), *masks], tile(preview, said))

    return draw


def inputs_of(prompt: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(node["inputs"] for node in prompt.values() if node["class_type"] == kind)


RUN: dict[str, Callable[[Run], Image.Image]] = {
    FIRST: lambda made: four(near(made["MarkEdited"][0])),
    "faces_of_a_group_photograph": of_group,
    "a_batch_of_frames": of_frames,
    "head_swap_without_a_model": of_heads,
}
BEFORE_THE_MODEL: dict[str, Callable[[dict[str, Any]], Image.Image]] = {
    "fuse_any_part_as_published": cells("released"),
    "fuse_any_part_with_prompt_and_lora": cells("practical"),
    "composite_refined_by_sdxl": refined("SDXL"),
    "composite_refined_by_a_flow_model": refined("SD3.5"),
    "facex_face_swap": edited(source="eyes"),
    "facex_head_swap": edited(source="eyes"),
    "facex_hair": edited(source="eyes"),
    "hair_by_a_prompt_with_sam_3": parsed("parts by the built-in parser,\nbefore the models"),
    "facex_attribute_edit": edited(source="eyes", source_2="mouth"),
    "parts_of_several_people_by_ip_adapter": lambda _: four(
        steered_regions(person("target")), "who steers which region,\nbefore the model"
    ),
}
