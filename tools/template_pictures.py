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

import torch
from help_models import fusion, steered_regions
from help_references import HEAD, looked_at, regions
from people import PARTS, ROOT, SIDE, close_up, faces, grey, group, outlined, person, picture, portrait, without_face
from PIL import Image, ImageChops, ImageFilter
from sheets import EDGE, INK, Item, columns, nothing, rows, sheet, tile, trimmed

# people maps the repository to the package, and makes the tests' helpers known, so it comes first.
# isort: split
from face_part_fusion.command.photo import from_image, to_image
from face_part_fusion.command.video_file import read_film
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.film import FaceFollower
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.detectors.parser_regions import parse_with_builtin
from face_part_fusion.detectors.parsing import without_head
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.detectors.preview import draw_preview
from face_part_fusion.fusion.composite import PartReference, composite
from face_part_fusion.fusion.crop import FFHQ_POINTS
from face_part_fusion.fusion.face_swap import aligned_crop, swap_face
from face_part_fusion.fusion.features.encode import Framing
from face_part_fusion.fusion.features.origin import draw_origin
from face_part_fusion.fusion.masks import part_masks
from face_part_fusion.fusion.regions.assemble import assemble
from face_part_fusion.fusion.regions.head_swap import swap_head
from face_part_fusion.fusion.regions.layout import ADE20K
from face_part_fusion.fusion.regions.match import match_assembly
from face_part_fusion.fusion.regions.pair import complete_layout, make_layout
from face_part_fusion.fusion.regions.parsed import parsed_people
from face_part_fusion.fusion.regions.plan import make_plan
from face_part_fusion.fusion.regions.tasks import FACE_REGIONS, GIVERS, PART_OF, REGIONS
from support.hosts import Server, find_hosts
from support.templates import CLIP, FIRST, PIXEL_TEMPLATES, SECOND, TEMPLATES, as_api, example

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
    return drawn | {name: draw(as_api(TEMPLATES[name])) for name, draw in (BEFORE_THE_MODEL | FILMS).items()}


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


def of_film(_: dict[str, Any]) -> Image.Image:
    """Who gives eyes and mouth; frames as they came, and fused."""
    people = {part: person(part).near for part in ("eyes", "mouth")}
    follow, before, after = FaceFollower(BuiltinDetector()), [], []
    for number, frame in enumerate(read_film(ROOT / "web" / "examples" / CLIP).frames()):
        faces, chosen = follow(frame.picture)
        if number in (2, 18):
            parts = FaceParts(frame.picture[None], (faces,), (chosen,))
            made = composite(parts, [PartReference(giver_parts, {part: 1.0}) for part, giver_parts in people.items()])
            before.append((1, tile(to_image(frame.picture), f"frame {number + 1}")))
            after.append((1, tile(to_image(made.pictures[0]), "fused")))
    givers = [tile(giver(part, part), part) for part in people]
    return thumbnail(givers, rows(columns(*before), columns(*after)))


def of_heads(made: Run) -> Image.Image:
    """Whose head, whose body, and the saved picture."""
    people = [tile(portrait("mouth"), "head"), tile(portrait("target"), "body")]
    return thumbnail(people, tile(made["MarkEdited"][0]))


def of_several_heads(made: Run) -> Image.Image:
    """Whose heads, and the saved pictures."""
    heads = ("eyes", "nose", "mouth")
    first, second, third = (tile(image) for image in made["MarkEdited"])
    body = tile(portrait("target"), "body")
    results = rows(columns((1, first), (1, second)), columns((1, third), (1, body)))
    return thumbnail([tile(portrait(role), "head") for role in heads], results)


def before_a_model(said: str) -> Callable[[dict[str, Any]], Image.Image]:
    """The head swap in pixels, from which the sampling run starts. `said`: on it."""

    def draw(_: dict[str, Any]) -> Image.Image:
        head, body = (
            parse_with_builtin(faces(from_image(portrait(role))[None]), BuiltinParser()) for role in ("mouth", "target")
        )
        layout = complete_layout(make_layout(head, body))
        result = to_image(swap_head(layout.pairs[0])[0])
        people = [tile(portrait("mouth"), "head"), tile(portrait("target"), "body")]
        if "layout" in said:
            people.append(tile(to_image(layout.drawn(ADE20K)[0]), "layout"))
        return thumbnail(people, tile(result, said))

    return draw


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


def in_a_group(prompt: dict[str, Any]) -> Image.Image:
    """The numbered faces, who is put in, and the crop that the swapper is given."""
    people = replace(faces(from_image(group())[None], "left-right"), chosen=(1,))
    face = people.face(0)
    crop = aligned_crop(people.pictures[0], face, FFHQ_POINTS / 2, 256)
    below = columns(
        (1, tile(picture(person("mouth").near), "who is put in")),
        (1, tile(to_image(crop), "1, as the swapper\nis given it")), arrows=1,
    )  # fmt: skip
    return sheet(SIDE, SIDE, rows(tile(to_image(draw_preview(people)[0])), below))


def of_halves(_: dict[str, Any]) -> Image.Image:
    """Who gives which half, and where each may change the target."""
    target = person("target").near
    face, whole, template = target.face(0), target.pictures[0], FFHQ_POINTS / 2
    parts = [
        swap_face(whole, face, lambda crop, _: crop, torch.zeros(1), template, 256, area=area).changed
        for area in ("upper half", "lower half")
    ]
    colours = torch.tensor([[1.0, 0.62, 0.1], [0.2, 0.6, 1.0]])
    tinted = whole + sum(0.5 * part[..., None] * (c - whole) for part, c in zip(parts, colours, strict=True))
    givers = (("eyes", "upper half"), ("mouth", "lower half"))
    people = [tile(picture(person(role).near), word) for role, word in givers]
    return thumbnail(people, tile(to_image(tinted), "what each may change,\nbefore the swapper"))


def of_swapped_frames(_: dict[str, Any]) -> Image.Image:
    """Frames, and the crops that the swapper is given."""
    frames = [person("target").near, person("nose").near]
    crops = [aligned_crop(each.pictures[0], each.face(0), FFHQ_POINTS / 2, 256) for each in frames]
    shown = [tile(picture(each), f"frame {i}") for i, each in enumerate(frames, 1)]
    return thumbnail(shown, columns(*((1, tile(to_image(crop), "to the swapper")) for crop in crops)))


def of_a_saved_face(_: dict[str, Any]) -> Image.Image:
    """The photographs of one person, and the thumbnail that the file keeps."""
    giver = person("mouth").near
    crop = aligned_crop(giver.pictures[0], giver.face(0), FFHQ_POINTS / 2, 256)
    photographs = [tile(picture(giver), "photograph 1"), tile(picture(person("mouth").whole), "photograph 2")]
    return thumbnail(photographs, tile(to_image(crop), "saved with 512 or\n640 values"))


def by_references(*roles: str, layout: bool = False) -> Callable[[dict[str, Any]], Image.Image]:
    """Who is looked at; what of them, or with a `layout` the region of each."""

    def draw(_: dict[str, Any]) -> Image.Image:
        people = [person(role) for role in roles]
        seen = [tile(looked_at(each, *HEAD), "") for each in people]
        if layout:
            places = tile(regions(*range(len(roles))), "their regions,\nbefore the model")
            return sheet(SIDE, SIDE, rows(columns(*((1, each) for each in seen)), places, shares=(1, 1.5)))
        photographs = [tile(picture(each.whole), f"photograph {i}") for i, each in enumerate(people, 1)]
        return thumbnail(photographs, rows(*seen[:1]) if len(seen) == 1 else rows(*seen))

    return draw


def by_reference_in_region(_: dict[str, Any]) -> Image.Image:
    """Who is changed, whose face is looked at, and the mask in which it is made anew."""
    target = person("target").near
    white = part_masks(target, ("brows", "skin", *PARTS), grow=24, feather=0)
    made = bordered(picture(target), grey(white).convert("L"))
    people = [tile(picture(target), "target"), tile(looked_at(person("eyes"), *HEAD), "looked at")]
    return thumbnail(people, tile(made, "made anew inside the line,\nbefore the model"))


def inputs_of(prompt: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(node["inputs"] for node in prompt.values() if node["class_type"] == kind)


RUN: dict[str, Callable[[Run], Image.Image]] = {
    FIRST: lambda made: four(near(made["MarkEdited"][0])),
    SECOND: lambda made: four(near(made["MarkEdited"][0])),
    "03 One Face of a Group (no model)": of_group,
    "04 A Batch of Frames (no model)": of_frames,
    "05 Head Swap, a Draft (no model)": of_heads,
    "06 Heads of a Batch (no model)": of_several_heads,
}
# Drawn without a host, whose outputs are no pictures.
FILMS: dict[str, Callable[[dict[str, Any]], Image.Image]] = {"07 One Face in a Video (no model)": of_film}
BEFORE_THE_MODEL: dict[str, Callable[[dict[str, Any]], Image.Image]] = {
    "60 FuseAnyPart as Published": cells("released"),
    "61 FuseAnyPart, Prompt and LoRA": cells("practical"),
    "10 Swap, Borders Mended by SDXL": refined("SDXL"),
    "11 Swap, Borders by a Flow Model": refined("SD3.5"),
    "12 Swap, Prompted by Its Face": refined("a prompted SDXL"),
    "20 Face Swap in a Group": in_a_group,
    "21 Face Swap, Upper and Lower Half": of_halves,
    "22 Face Swap in All Frames": of_swapped_frames,
    "23 A Face Saved and Used Again": of_a_saved_face,
    "30 Head Swap by SDXL": before_a_model("before SDXL makes\nneck and collar"),
    "31 Head Swap by a ControlNet": before_a_model("before a model that\nthe layout leads"),
    "70 FaceX Face Swap": edited(source="eyes"),
    "71 FaceX Head Swap": edited(source="eyes"),
    "72 FaceX Hair": edited(source="eyes"),
    "51 Hair by a Prompt with SAM 3": parsed("parts by the built-in parser,\nbefore the models"),
    "73 FaceX Attribute Edit": edited(source="eyes", source_2="mouth"),
    "40 One Person by Prompt": by_references("target"),
    "41 Three Photographs, One Person": by_references("target", "eyes", "mouth"),
    "42 Three People and a Pose": by_references("eyes", "nose", "mouth", layout=True),
    "24 Face Swap by a Reference": by_reference_in_region,
    "50 Parts of People by IP-Adapter": lambda _: four(
        steered_regions(person("target")), "who steers which region,\nbefore the model"
    ),
}
