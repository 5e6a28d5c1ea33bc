"""The templates as data: what tools/make_templates.py lays out and writes to workflows/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Node:
    """`inputs`: widget values, and links as (key of the node, number of its output). `models`: files it needs.

    `bypassed`: there to be switched on; until then the graph runs as if it were not there.
    """

    kind: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    models: Sequence[Mapping[str, str]] = ()
    bypassed: bool = False


@dataclass(frozen=True)
class Blueprint:
    """A graph without its photographs, previews and savers as one node. `widgets`: (key, widget) that it shows.

    Words of `name` that begin after its 30th letter are not found by the front end's search.
    """

    name: str
    description: str
    widgets: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Graph:
    """`nodes` by key; `columns` of keys from left to right; `note`: Markdown that stands beside the graph."""

    note: str
    columns: Sequence[Sequence[str]]
    nodes: Mapping[str, Node]
    blueprint: Blueprint | None = None


# How every note begins below its heading, and how it ends.
CHOOSE = (
    "**Example portraits** stand in every **Load Image**, to try this with; then choose photographs of your own.\n\n"
)
CONSENT = "Only use photographs of people who agreed to it. The saved file says that it was edited."


def numbers(graph: Graph) -> dict[str, str]:
    """Key -> the node's id in the written workflow."""
    return {key: str(number) for number, key in enumerate(graph.nodes, 1)}


def as_api(graph: Graph, known: Mapping[str, Any]) -> dict[str, Any]:
    """In the host's API format, every widget spelt out. `known`: the host's /object_info."""
    ids = numbers(graph)
    return {
        ids[key]: {
            "class_type": node.kind,
            "inputs": defaults(known[node.kind]["input"])
            | {k: [ids[v[0]], v[1]] if isinstance(v, tuple) else v for k, v in node.inputs.items()},
            **({"_meta": {"title": node.title}} if node.title else {}),
        }
        for key, node in graph.nodes.items()
    }


def defaults(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Widget -> what the front end sets it to in a new node."""
    found = {}
    for name, spec in {**inputs.get("required", {}), **inputs.get("optional", {})}.items():
        options = spec[1] if len(spec) > 1 else {}
        choices = spec[0] if isinstance(spec[0], list) else options.get("options")
        if options.get("forceInput"):
            continue
        if "default" in options:
            found[name] = options["default"]
        elif choices:
            found[name] = choices[0]["key"] if isinstance(choices[0], dict) else choices[0]
    return found


def example(role: str) -> str:
    """Name of the portrait that stands for `role` until another is chosen; web/examples holds it."""
    return f"face_part_fusion_{role}.jpg"


def photo(title: str, role: str) -> Node:
    return Node("LoadImage", {"image": example(role)}, title)


def find(picture: str, title: str = "", **settings: Any) -> Node:
    return Node("FacePartDetect", {"image": (picture, 0), **settings}, title)


def saved(picture: tuple[str, int], prefix: str = "face_parts") -> Node:
    return Node("MarkEdited", {"images": picture, "filename_prefix": prefix, "mark": True})


def four_people() -> dict[str, Node]:
    """Four photographs and their faces."""
    roles = {"target": "Choose: who is changed"} | {p: f"Choose: who gives the {p}" for p in ("eyes", "nose", "mouth")}
    photos = {role: photo(title, role) for role, title in roles.items()}
    return photos | {f"find {role}": find(role, f"Find the face: {role}") for role in roles}


EYES_NOSE_MOUTH = Graph(
    note="## Eyes, nose and mouth from three people\n\n" + CHOOSE +
    "1. Press **Run**. No model is needed.\n"
    "2. Choose the target in the first **Load Image**, and who gives eyes, nose and mouth in the three others.\n\n"
    "More than one face in a photograph? The preview numbers them; set `order` and `index` in that **Face Part "
    "Detect**.\n\n"
    "Lower a strength in **Part Composite** to mix a part with the target's own. Set `warp` to *piecewise* when the "
    "heads look in different directions.\n\n" + CONSENT,
    columns=[
        ["target", "eyes", "nose", "mouth"], ["find target", "find eyes", "find nose", "find mouth"],
        ["see target", "fuse"], ["save"],
    ],
    blueprint=Blueprint(
        "Eyes, Nose, Mouth from Three People",
        "Fuses the eyes, nose and mouth of three people into the target's photograph, without any model.",
        [("fuse", f"{part}_strength") for part in ("eyes", "nose", "mouth")] + [("fuse", "warp"), ("fuse", "tone")],
    ),
    nodes=four_people() | {
        "see target": Node("PreviewImage", {"images": ("find target", 2)}, "The target's faces, numbered"),
        "fuse": Node("PartComposite", {
            "target": ("find target", 0), "eyes": ("find eyes", 0), "nose": ("find nose", 0),
            "mouth": ("find mouth", 0),
        }),
        "save": saved(("fuse", 0)),
    },
)  # fmt: skip

GROUP_PHOTOGRAPH = Graph(
    note="## Faces of one group photograph\n\n" + CHOOSE +
    "1. Press **Run** and look at the numbered preview.\n"
    "2. Choose a photograph of three or more people in **Load Image**.\n"
    "3. `order` and `index` of each **Face Part Detect** say who is changed and who gives: here the faces are numbered "
    "from left to right; face 0 gets the eyes of face 1 and the mouth of face 2.\n\n"
    "A number past the last face is an error that says how many faces there are.\n\n" + CONSENT,
    columns=[["group"], ["find target", "find eyes", "find mouth"], ["see", "fuse"], ["save"]],
    nodes={
        "group": photo("Choose: a photograph of several people", "group"),
        "find target": find("group", "Who is changed: face 0", order="left-right", index=0),
        "find eyes": find("group", "Who gives the eyes: face 1", order="left-right", index=1),
        "find mouth": find("group", "Who gives the mouth: face 2", order="left-right", index=2),
        "see": Node("PreviewImage", {"images": ("find target", 2)}, "All faces, numbered"),
        "fuse": Node("PartComposite", {
            "target": ("find target", 0), "eyes": ("find eyes", 0), "mouth": ("find mouth", 0),
        }),
        "save": saved(("fuse", 0), "face_parts_group"),
    },
)  # fmt: skip

FRAMES = Graph(
    note="## A batch of frames\n\n" + CHOOSE +
    "Every picture of the batch gets the reference's eyes; a frame without a face is kept as it is "
    "(`on_missing`: *keep empty*), so that the number of frames never changes.\n\n"
    "1. Press **Run**. No model is needed.\n"
    "2. Choose the frames in the two **Load Image** nodes, or replace them and **Batch Images** by your own video "
    "loader: anything that gives an IMAGE batch.\n"
    "3. Choose who gives the eyes.\n\n" + CONSENT,
    columns=[["frame 1", "frame 2", "eyes"], ["batch"], ["find frames", "find eyes"], ["fuse"], ["save"]],
    nodes={
        "frame 1": photo("Choose: frame 1", "target"),
        "frame 2": photo("Choose: frame 2", "no_face"),
        "eyes": photo("Choose: who gives the eyes", "eyes"),
        "batch": Node("ImageBatch", {"image1": ("frame 1", 0), "image2": ("frame 2", 0)}, "Frames"),
        "find frames": find("batch", "The face in every frame", on_missing="keep empty"),
        "find eyes": find("eyes", "Who gives the eyes"),
        "fuse": Node("PartComposite", {"target": ("find frames", 0), "eyes": ("find eyes", 0)}),
        "save": saved(("fuse", 0), "face_parts_frame"),
    },
)  # fmt: skip

# The templates that need no model file.
PIXEL_TEMPLATES: Mapping[str, Graph] = {
    "eyes_nose_mouth_from_three_people": EYES_NOSE_MOUTH,
    "faces_of_a_group_photograph": GROUP_PHOTOGRAPH,
    "a_batch_of_frames": FRAMES,
}
