"""People drawn as flat shapes: a head with hair on a neck with a collar, parsed as they are drawn."""

from __future__ import annotations

from dataclasses import replace

import torch
from face_part_fusion.detectors.given import mask_region
from face_part_fusion.detectors.parts import FaceParts, Region

from support.drawn_faces import drawn

SIZE = (240, 200)
SKIN, HAIR, CLOTH, GROUND = (0.8, 0.6, 0.5), (0.2, 0.12, 0.08), (0.1, 0.2, 0.5), (0.7, 0.75, 0.8)


def drawn_person(
    x=100.0, y=80.0, unit=50.0, roll=0.0, hair_length=0.0, skin=SKIN, hair=HAIR, cloth=CLOTH, ground=GROUND, size=SIZE,
    yaw=0.0, neck_width=1.3, shoulders=True,
):  # fmt: skip
    """`hair_length`: how far the hair hangs below the eyes on both sides, in eye distances."""
    face = drawn(x=x, y=y, unit=unit, roll=roll)
    ys, xs = torch.meshgrid(torch.arange(size[0]) + 0.5, torch.arange(size[1]) + 0.5, indexing="ij")
    right, down = (xs - x) / unit, (ys - y) / unit
    oval = (right / 0.95) ** 2 + ((down - 0.4) / 1.25) ** 2 < 1
    cap = ((right / 1.15) ** 2 + ((down + 0.2) / 1.2) ** 2 < 1) & (down < -0.4)
    curtain = (right.abs() > 0.7) & (right.abs() < 1.2) & (down > -0.5) & (down < hair_length)
    hair_area = (cap | (curtain if hair_length else torch.zeros_like(cap))) & ~(
        oval & (down > -0.4) & (right.abs() < 0.7)
    )
    face_area = oval & ~hair_area
    neck_area = (right.abs() < neck_width / 2) & (down > 1.2) & (down < 2.0) & ~face_area & ~hair_area
    body_area = (down > 2.0 + 0.3 * (right.abs() - neck_width / 2).clamp(min=0)) & ~hair_area & ~face_area
    if not shoulders:
        neck_area, body_area = neck_area & False, body_area & False
    picture = torch.tensor(ground).expand(*size, 3).clone()
    for area, colour in ((body_area, cloth), (neck_area, skin), (face_area, skin), (hair_area, hair)):
        picture[area] = torch.tensor(colour)
    areas = {"hair": hair_area, "neck": neck_area, "body": body_area, "head": hair_area | face_area}
    regions = {name: _region(area.float()) for name, area in areas.items()}
    regions |= {"ears": Region(mask=torch.zeros(1, 1)), "glasses": Region(mask=torch.zeros(1, 1))}
    regions["skin"] = _region(face_area.float())
    face = replace(face, regions={**face.regions, **regions}, angles=(yaw, 0.0, 0.0))
    return FaceParts(picture[None], ((face,),), (0,))


def joined(*people):
    """One record of several pictures."""
    return FaceParts(
        torch.cat([p.pictures for p in people]), tuple(p.faces[0] for p in people), tuple(p.chosen[0] for p in people)
    )


def _region(area):
    return mask_region(area) if bool(area.any()) else Region(mask=torch.zeros(1, 1))
