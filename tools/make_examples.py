"""Writes web/examples/*.jpg, the portraits that the templates open with, and the group photograph made of them:

    python tools/make_examples.py

The people are those of tools/cast.py. web/examples.js puts the files into ComfyUI's input folder.
"""

from __future__ import annotations

import sys

from cast import ROLES, portrait
from graphs import example
from host_runs import group, without_face
from people import ROOT


def main() -> None:
    pictures = {role: portrait(who) for role, who in ROLES.items()} | {"group": group(), "no_face": without_face()}
    for role, picture in pictures.items():
        file = ROOT / "web" / "examples" / example(role)
        picture.save(file, quality=88)
        sys.stdout.write(f"wrote {file.name}, {file.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
