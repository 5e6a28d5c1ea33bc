"""The people of the pack's pictures, as square portraits: what image models painted for ComfyUI's own templates.

The pictures lie in the wheels comfyui-workflow-templates-media-image and -media-other (Comfy Org, MIT).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from people import faces_in_photo
from PIL import Image

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import from_image
from face_part_fusion.detectors.builtin import BuiltinDetector

SIDE = 720
# Package, and the picture in its folder of pictures.
OF_COMFY = "comfyui_workflow_templates_media_"
FILES: Mapping[str, tuple[str, str]] = {
    "host": (f"{OF_COMFY}image", "templates/image_hidream_o1-1.webp"),
    "blonde": (f"{OF_COMFY}other", "templates/gsl_starter_1_1-1.webp"),
    "field": (f"{OF_COMFY}image", "templates/flux_fill_inpaint_example-2.webp"),
    "smile": (f"{OF_COMFY}image", "templates/hidream_e1_1-1.webp"),
}
# Who is meant in a template that has this Load Image.
ROLES: Mapping[str, str] = {"target": "host", "eyes": "blonde", "nose": "field", "mouth": "smile"}


@cache
def photograph(who: str) -> Image.Image:
    """The whole picture. Raises ModuleNotFoundError naming the package that ships it."""
    package, name = FILES[who]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{name} lies in the package {package.replace('_', '-')}, which is not installed")
    return Image.open(Path(spec.submodule_search_locations[0]) / name).convert("RGB")


@cache
def portrait(who: str, room: float = 0.62) -> Image.Image:
    """A square of 720 pixels about the face, with this share of its size around it, as far as the picture reaches."""
    image = photograph(who)
    x0, y0, x1, y1 = faces_in_photo(from_image(image)[None], BuiltinDetector()).face(0).box
    side = min((1 + 2 * room) * max(x1 - x0, y1 - y0), *image.size)
    left = min(max(0.0, (x0 + x1 - side) / 2), image.width - side)
    top = min(max(0.0, (y0 + y1 - side) / 2), image.height - side)
    return image.crop((round(left), round(top), round(left + side), round(top + side))).resize(
        (SIDE, SIDE), Image.Resampling.LANCZOS
    )
