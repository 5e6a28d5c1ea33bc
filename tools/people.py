"""The people of the pack's pictures, and what the pack finds in their photographs.

What image models painted for ComfyUI's own templates lies in the wheels comfyui-workflow-templates-media-image and
-media-other (Comfy Org, MIT); Grace Hopper (US Navy) lies in matplotlib's wheel, Eileen Collins (NASA) in
scikit-image's.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

if "face_part_fusion" not in sys.modules:
    import conftest  # noqa: F401  (maps the repository to the package face_part_fusion)

from face_part_fusion.command.demo import astronaut  # noqa: E402
from face_part_fusion.command.photo import from_image, load_photo, to_image  # noqa: E402
from face_part_fusion.detectors.builtin import BuiltinDetector  # noqa: E402
from face_part_fusion.detectors.find import find_faces  # noqa: E402
from face_part_fusion.detectors.parsing import with_masks  # noqa: E402
from face_part_fusion.detectors.parts import FaceParts  # noqa: E402
from face_part_fusion.detectors.selection import choose  # noqa: E402
from face_part_fusion.fusion.composite import PartReference, composite  # noqa: E402
from face_part_fusion.fusion.crop import crop_faces  # noqa: E402

PORTRAIT, SIDE = 720, 512  # pixels, sides of an example portrait and of a close-up
ROOM, HAIR = 0.62, 0.42  # shares of the face's size around it in an example portrait and in a close-up
PARTS = ("eyes", "nose", "mouth")
COLOURS = {"eyes": (255, 183, 64), "nose": (102, 204, 140), "mouth": (244, 104, 104), "skin": (120, 170, 255)}
# Role in the templates -> package that ships the picture, and its path there.
OF_COMFY = "comfyui_workflow_templates_media_"
FILES: Mapping[str, tuple[str, str]] = {
    "target": (f"{OF_COMFY}image", "templates/image_hidream_o1-1.webp"),
    "eyes": (f"{OF_COMFY}other", "templates/gsl_starter_1_1-1.webp"),
    "nose": (f"{OF_COMFY}image", "templates/flux_fill_inpaint_example-2.webp"),
    "mouth": (f"{OF_COMFY}image", "templates/hidream_e1_1-1.webp"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}
# People of the group photograph from left to right; the target's hands, x0, y0, x1, y1 in the photograph.
GROUP, HANDS = ("target", "eyes", "mouth"), (96, 196, 256, 356)
# Person -> part that no landmarks give -> outlines in pixels of the photograph; what is worn on a head is its hair.
MASKS = json.loads(Path(__file__).with_name("painted_masks.json").read_text(encoding="utf-8"))
OVER, SOFT = 4, 0.8  # masks are drawn this many times larger; deviation of their soft edge, in pixels


@dataclass(frozen=True, eq=False)
class Person:
    """`whole`: the photograph. `near`: its face in a square of 512 pixels. Both with all parts, painted ones too."""

    whole: FaceParts
    near: FaceParts


def shipped(role: str) -> Path:
    """Raises ModuleNotFoundError naming the package that ships the picture."""
    package, name = FILES[role]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{name} lies in the package {package.replace('_', '-')}, which is not installed")
    return Path(spec.submodule_search_locations[0]) / name


@cache
def portrait(role: str) -> Image.Image:
    """A square of 720 pixels about the face, as far as the picture reaches."""
    image = Image.open(shipped(role)).convert("RGB")
    x0, y0, x1, y1 = faces(from_image(image)[None]).face(0).box
    side = min((1 + 2 * ROOM) * max(x1 - x0, y1 - y0), *image.size)
    left = min(max(0.0, (x0 + x1 - side) / 2), image.width - side)
    top = min(max(0.0, (y0 + y1 - side) / 2), image.height - side)
    cut = image.crop((round(left), round(top), round(left + side), round(top + side)))
    return cut.resize((PORTRAIT, PORTRAIT), Image.Resampling.LANCZOS)


def group() -> Image.Image:
    """Portraits of three people side by side."""
    page = Image.new("RGB", (3 * PORTRAIT * 3 // 4, PORTRAIT))
    for i, role in enumerate(GROUP):
        page.paste(portrait(role).crop((PORTRAIT // 8, 0, PORTRAIT * 7 // 8, PORTRAIT)), (i * PORTRAIT * 3 // 4, 0))
    return page


def without_face() -> Image.Image:
    """A frame of a film in which nobody's face is seen: the hands of the person who is changed."""
    photograph = Image.open(shipped("target")).convert("RGB")
    return photograph.crop(HANDS).resize((PORTRAIT, PORTRAIT), Image.Resampling.LANCZOS)


def faces(picture: Tensor, order: str = "large-small") -> FaceParts:
    """The faces of one photograph (1, H, W, 3), by the built-in detector, the first in that order chosen."""
    return choose(picture, find_faces(picture, BuiltinDetector()), order)


def close_up(parts: FaceParts) -> FaceParts:
    """The face in a square of its own, with some hair and collar."""
    return crop_faces(parts, SIDE, "upright", HAIR)[1]


@cache
def person(role: str) -> Person:
    """By a role of the templates, or "hopper" or "collins", whose hair, ears and neck are masked."""
    if role in ("hopper", "collins"):
        photograph = load_photo(shipped(role)) if role == "hopper" else astronaut()
        whole = with_masks(faces(photograph), painted(MASKS[role], photograph.shape[1:3]))
    else:
        whole = faces(from_image(portrait(role))[None])
    return Person(whole, close_up(whole))


def painted(outlines: Mapping[str, Sequence[Sequence[Sequence[int]]]], size: Sequence[int]) -> dict[str, Tensor]:
    """Part -> its mask (1, H, W) 0..1 with a soft edge, in a photograph of `size` (H, W)."""
    masks = {}
    for part, areas in outlines.items():
        drawn = Image.new("L", (size[1] * OVER, size[0] * OVER))
        for area in areas:
            ImageDraw.Draw(drawn).polygon([(x * OVER, y * OVER) for x, y in area], 255)
        soft = drawn.filter(ImageFilter.GaussianBlur(SOFT * OVER)).reduce(OVER)
        masks[part] = torch.from_numpy(np.asarray(soft, dtype=np.float32) / 255)[None]
    return masks


def fused(target: FaceParts, giver: FaceParts, *parts: str) -> Tensor:
    return composite(target, [PartReference(giver, dict.fromkeys(parts, 1.0))])[0]


def picture(parts: FaceParts) -> Image.Image:
    return to_image(parts.pictures[0])


def outlined(
    parts: FaceParts, *names: str, colours: Mapping[str, tuple[int, int, int]] = COLOURS, width: int = 9
) -> Image.Image:
    """The face with these parts drawn round."""
    image, face = picture(parts), parts.face(0)
    pen = ImageDraw.Draw(image)
    for name in names:
        for ring in (ring for region in face.region(name) for ring in region.rings):
            points = [tuple(point) for point in ring.tolist()]
            pen.line([*points, *points[:2]], colours[name], width, "curve")
    return image


def grey(mask: Tensor) -> Image.Image:
    """A mask (1, H, W) 0..1 as a picture."""
    return to_image(mask[0, ..., None].expand(-1, -1, 3))
