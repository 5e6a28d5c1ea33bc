"""Draws the pictures of the help pages, of the templates and of the README:

    COMFYUI_PATHS=~/comfy/ComfyUI python tools/make_pictures.py help thumbnails hero graph

and, as `examples`, the portraits that the templates open with. `thumbnails`, `hero` and `graph` run templates in a real
ComfyUI; `graph` needs Chromium and `playwright`. tools/people.py says which packages ship the photographs. Look at
every picture that is drawn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from graph_picture import graph_picture
from help_descriptions import DESCRIPTIONS
from help_heads import HEADS
from help_models import MODELS
from help_pixels import PIXELS
from help_references import REFERENCES
from help_schematics import SCHEMATICS
from help_swaps import SWAPS
from help_tokens import TOKENS
from people import ROOT, person
from PIL import Image
from sheets import save
from template_pictures import examples, hero, thumbnails

HELP = PIXELS | MODELS | HEADS | REFERENCES | SCHEMATICS | SWAPS | DESCRIPTIONS | TOKENS
# Pictures that need a mask of hair, ears or neck, or in which a photograph is tilted.
MASKED = ("FaceParse", "FPFFaceCropAlign", "RegionAssemble", "OmniRepresentationCondition")
PAIRS = dict.fromkeys(MASKED, ("hopper", "collins")) | {"PartReference": ("target", "collins")}


def help_pictures() -> dict[str, Image.Image]:
    return {node: draw(*map(person, PAIRS.get(node, ("target", "mouth")))) for node, draw in HELP.items()}


# What is drawn -> its pictures by name, their folder, the most bytes of each and the best quality as a JPEG.
KINDS: Mapping[str, tuple[Callable[[], Mapping[str, Image.Image]], str, int, int]] = {
    "help": (help_pictures, "web/docs", 36_500, 92),
    "thumbnails": (thumbnails, "workflows", 60_000, 92),
    "hero": (hero, "docs", 200_000, 92),
    "graph": (graph_picture, "docs", 200_000, 90),
    "examples": (examples, "web/examples", 200_000, 88),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="+", choices=KINDS)
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="write below this folder, to compare with what is there"
    )
    options = parser.parse_args()
    for kind in options.kinds:
        draw, folder, largest, best = KINDS[kind]
        for name, picture in draw().items():
            file = options.root / folder / f"{name}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            save(picture, file, largest, best)
            sys.stdout.write(f"wrote {file.relative_to(options.root)}, {file.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
