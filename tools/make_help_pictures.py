"""Draws the picture of every help page, web/docs/*.jpg:

    python tools/make_help_pictures.py --portrait grace_hopper.jpg

Where hair is masked the photographs are those of tools/people.py, elsewhere the people of tools/cast.py. A node that
works without a model shows what the pack's own functions give; one that loads or samples a model shows what goes in and
what comes out, in figures of the pack's own tables.
"""

from __future__ import annotations

import sys

from cast import ROLES, portrait
from help_models import MODELS
from help_pixels import PIXELS
from help_schematics import SCHEMATICS
from painted import COLLINS, HOPPER, painted
from people import ROOT, arguments, person
from sheets import save

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.command.demo import astronaut
from face_part_fusion.command.photo import from_image, load_photo
from face_part_fusion.detectors.builtin import BuiltinDetector

LARGEST = 36_500
# Pictures that need a mask of hair, ears or neck, or in which a photograph is tilted.
MASKED = ("FaceParse", "FaceCropAlign", "RegionAssemble", "OmniRepresentationCondition")


def main() -> None:
    options = arguments(__doc__, ROOT / "web" / "docs")
    detector = BuiltinDetector()
    drawn = {**PIXELS, **MODELS, **SCHEMATICS}
    photographs = ((load_photo(options.portrait), HOPPER), (astronaut(), COLLINS))
    hopper, collins = (person(photo, detector, painted(by, photo.shape[1:3])) for photo, by in photographs)
    target, giver = (person(from_image(portrait(ROLES[role]))[None], detector, {}) for role in ("target", "mouth"))
    pairs = dict.fromkeys(MASKED, (hopper, collins)) | {"PartReference": (target, collins)}
    for name, draw in drawn.items():
        file = options.into / f"{name}.jpg"
        save(draw(*pairs.get(name, (target, giver))), file, LARGEST)
        sys.stdout.write(f"wrote {file.name}, {file.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
