"""Writes docs/hero.jpg: four photographs, and the face that the first template makes of them in a real host.

COMFYUI_PATHS=~/comfy/ComfyUI python tools/make_hero.py
"""

from __future__ import annotations

import sys

from cast import ROLES, portrait
from host_runs import run_templates
from make_thumbnails import PARTS, face, shown
from people import ROOT
from PIL import Image
from sheets import EDGE, across, arrow, blank, down, place, save

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.photo import to_image

TEMPLATE = "eyes_nose_mouth_from_three_people"
WIDTH, HEIGHT, WORD = 1600, 800, 28
LARGEST = 200_000


def main() -> None:
    made = run_templates([TEMPLATE])[TEMPLATE]["save"][0]
    page = blank(WIDTH, HEIGHT)
    target, givers, result = across((EDGE, EDGE, WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE), 1, 0.42, 1.02)
    place(page, close(portrait(ROLES["target"])), target[:2], target[2:], "the photograph", WORD)
    for part, box in zip(PARTS, down(givers, 1, 1, 1), strict=True):
        place(page, shown(part, part), box[:2], box[2:], part, WORD)
    place(page, close(made), result[:2], result[2:], "fused, with no model", WORD)
    for left, right in ((target, givers), (givers, result)):
        arrow(page, ((left[0] + left[2] + right[0]) // 2, HEIGHT // 2), 30)
    file = ROOT / "docs" / "hero.jpg"
    save(page, file, LARGEST)
    sys.stdout.write(f"wrote {file.relative_to(ROOT)}, {file.stat().st_size // 1000} kB\n")


def close(image: Image.Image) -> Image.Image:
    """The face with its hair."""
    return to_image(face(image).pictures[0])


if __name__ == "__main__":
    main()
