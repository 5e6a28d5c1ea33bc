"""Faces drawn as ellipses at landmarks, on portraits of noise; references made of them."""

from __future__ import annotations

import math

import torch
from face_part_fusion.detectors.parts import Face, FaceParts
from face_part_fusion.detectors.regions import with_regions
from face_part_fusion.detectors.schemes import SCHEMES
from face_part_fusion.fusion.composite import PartReference, composite
from torch.nn.functional import interpolate

SIZE = (180, 160)
# Middle and half axes in outer-eye distances from the middle of the eyes; where the ring starts, in half turns.
OVALS = {
    "skin": (0, 0.4, 0.95, 1.25, -0.5), "left_eye": (-0.34, 0, 0.16, 0.07, 1), "right_eye": (0.34, 0, 0.16, 0.07, 1),
    "left_brow": (-0.35, -0.26, 0.2, 0.04, 1), "right_brow": (0.35, -0.26, 0.2, 0.04, 1),
    "nose": (0, 0.4, 0.2, 0.28, -0.5), "mouth": (0, 0.92, 0.3, 0.12, 1), "inner_mouth": (0, 0.92, 0.2, 0.03, 1),
}  # fmt: skip


def drawn(scheme="mediapipe468", x=80.0, y=70.0, unit=60.0, roll=0.0):
    points = torch.zeros(SCHEMES[scheme].count, 2)
    for inner in SCHEMES[scheme].hulls.get("nose", ()):
        points[list(inner), 1] = 0.4
    points[list(SCHEMES[scheme].anchors["nose_tip"]), 1] = 0.5
    for part, (mx, my, across, down, start) in OVALS.items():
        ring = SCHEMES[scheme].rings[part][0]
        way = -2 if part == "nose" and len(points) == 468 else 2
        turn = (start + torch.arange(len(ring)) * way / len(ring)) * math.pi
        points[list(ring)] = torch.stack([mx + across * turn.cos(), my + down * turn.sin()], 1)
    c, s = math.cos(roll) * unit, math.sin(roll) * unit
    points = points @ torch.tensor([[c, s], [-s, c]]) + torch.tensor([x, y])
    box = (*points.amin(0).tolist(), *points.amax(0).tolist())
    return with_regions(Face(box, 0.9, points, scheme))


def portrait(seed, size=SIZE):
    generator = torch.Generator().manual_seed(seed)
    tone = interpolate(torch.rand(1, 3, 6, 5, generator=generator), size, mode="bicubic")[0].permute(1, 2, 0)
    fine = torch.rand(*size, 1, generator=generator)
    return (torch.tensor([0.65, 0.5, 0.4]) + 0.3 * (tone - 0.5) + 0.1 * (fine - 0.5)).clamp(0, 1)


def person(seed=0, face=None, count=1):
    face = face or drawn()
    pictures = torch.stack([portrait(seed + i) for i in range(count)])
    return FaceParts(pictures, ((face,),) * count, (0,) * count)


def gives(parts, *names, strength=1.0, mask=None):
    return PartReference(parts, dict.fromkeys(names, strength), mask)


def fuse(target, references, **options):
    """`composite` of drawn people: the parser knows photographs, and takes what is painted on them for a cover."""
    return composite(target, references, **{"covers": "ignore", **options})


def psnr(a, b, where):
    return float(-10 * (a - b)[where].square().mean().clamp_min(1e-12).log10())
