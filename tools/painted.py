"""Masks painted by hand over the two photographs of `people`: what no landmarks know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

OVER, SOFT = 4, 0.8

Outline = Sequence[tuple[int, int]]

# Pixels of the photographs; what is worn on a head belongs to its hair.
COLLINS: Mapping[str, Sequence[Outline]] = {
    "hair": [[
        (155, 97), (153, 85), (153, 72), (157, 58), (163, 50), (171, 44), (188, 35), (192, 29), (200, 23), (212, 19),
        (221, 16), (230, 15), (243, 17), (258, 22), (272, 30), (285, 43), (293, 56), (298, 72), (301, 86), (297, 104),
        (289, 117), (280, 124), (272, 130), (271, 122), (272, 112), (269, 98), (266, 90), (258, 86), (248, 84),
        (236, 83), (224, 80), (215, 79), (206, 82), (198, 76), (190, 72), (186, 77), (183, 88), (180, 98), (179, 106),
        (179, 115), (171, 115), (163, 109), (157, 102),
    ]],
    "ears": [
        [(170, 116), (179, 114), (181, 124), (181, 131), (176, 129)],
        [(271, 128), (280, 124), (276, 133), (271, 137), (266, 136)],
    ],
    "neck": [[
        (186, 158), (195, 166), (205, 172), (215, 177), (226, 179), (238, 177), (250, 170), (257, 160), (255, 175),
        (252, 184), (240, 190), (230, 190), (215, 186), (195, 184), (187, 178),
    ]],
}  # fmt: skip
HOPPER: Mapping[str, Sequence[Outline]] = {
    "hair": [
        [
            (153, 180), (152, 130), (157, 102), (164, 89), (174, 84), (180, 66), (190, 52), (204, 43), (218, 40),
            (223, 30), (240, 24), (260, 22), (280, 26), (295, 36), (301, 41), (318, 46), (336, 57), (348, 72),
            (353, 87), (361, 85), (368, 95), (372, 140), (370, 182), (364, 176), (358, 160), (350, 149), (335, 138),
            (310, 133), (280, 130), (250, 130), (215, 133), (190, 141), (172, 152), (162, 166), (157, 186),
        ],
        [(161, 262), (172, 268), (188, 264), (198, 275), (200, 297), (185, 292), (168, 282)],
        [(334, 303), (333, 285), (340, 268), (360, 265), (360, 280), (350, 298)],
    ],
    "ears": [
        [(155, 192), (162, 186), (169, 200), (177, 220), (187, 245), (192, 262), (184, 268), (172, 262), (164, 240)],
        [(363, 186), (371, 190), (375, 205), (370, 230), (364, 252), (358, 268), (346, 266), (346, 240), (354, 210)],
    ],
}  # fmt: skip


def painted(outlines: Mapping[str, Sequence[Outline]], size: tuple[int, int]) -> dict[str, Tensor]:
    """Part -> its mask (1, H, W) 0..1 with a soft edge, in a photograph of `size` (H, W)."""
    masks = {}
    for part, areas in outlines.items():
        drawn = Image.new("L", (size[1] * OVER, size[0] * OVER))
        for area in areas:
            ImageDraw.Draw(drawn).polygon([(x * OVER, y * OVER) for x, y in area], 255)
        soft = drawn.filter(ImageFilter.GaussianBlur(SOFT * OVER)).reduce(OVER)
        masks[part] = torch.from_numpy(np.asarray(soft, dtype=np.float32) / 255)[None]
    return masks
