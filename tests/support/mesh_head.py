"""A head in three dimensions: the mesh points of nose, eyes and brows, seen from any side."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from face_part_fusion.detectors.mirror import MIRROR
from face_part_fusion.detectors.parts import Face, FaceParts
from face_part_fusion.detectors.regions import with_regions

from support.drawn_faces import portrait

# Mesh point -> x, y, z in hundredths of the distance between the outer corners of the eyes, from the bridge of the
# nose; medians of many faces. The right half is the mirror image.
LEFT_HALF = {
    0: (0, 71, -3), 1: (0, 49, -24), 2: (0, 56, -6), 3: (-6, 25, -14), 4: (0, 42, -26), 5: (0, 32, -23), 6: (0, 8, -5),
    7: (-47, 7, 24), 17: (0, 95, 3), 33: (-50, 5, 26), 45: (-7, 42, -25), 46: (-60, -8, 20), 48: (-23, 45, -6),
    49: (-24, 41, -4), 52: (-44, -15, 9), 53: (-54, -13, 14), 55: (-14, -8, 2), 61: (-36, 76, 22), 63: (-57, -17, 17),
    64: (-24, 48, -2), 65: (-31, -13, 4), 66: (-32, -19, 3), 70: (-64, -11, 26), 75: (-17, 51, -2), 98: (-22, 52, 3),
    99: (-11, 54, -5), 105: (-46, -20, 10), 107: (-16, -17, 0), 122: (-6, 10, -2), 131: (-18, 38, -10),
    133: (-19, 7, 20), 144: (-41, 8, 20), 145: (-35, 9, 18), 152: (0, 135, 20), 153: (-30, 8, 18), 154: (-24, 7, 19),
    155: (-21, 7, 20), 157: (-26, 2, 17), 158: (-32, 0, 16), 159: (-37, 0, 17), 160: (-43, 1, 18), 161: (-46, 3, 21),
    163: (-45, 7, 22), 168: (0, 0, 0), 173: (-21, 5, 19), 188: (-11, 14, 2), 193: (-8, 2, 5), 195: (0, 24, -17),
    197: (0, 16, -11), 198: (-16, 32, -4), 209: (-21, 36, 1), 217: (-16, 26, 1), 219: (-21, 48, -7),
    220: (-13, 43, -19), 240: (-20, 52, -1), 245: (-11, 10, 9), 246: (-48, 4, 23),
}  # fmt: skip


def mesh_head(yaw=0.0, roll=0.0, unit=100.0):
    """The head turned by `yaw` to the picture's right and by `roll` clockwise, both in degrees. Points of other parts
    lie on the bridge of the nose."""
    points = torch.zeros(468, 3, dtype=torch.float64)
    for number, (x, y, z) in LEFT_HALF.items():
        points[number] = torch.tensor([x, y, z]) / 100
        points[int(MIRROR[number])] = torch.tensor([-x, y, z]) / 100
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    flat = torch.stack([c * points[:, 0] - s * points[:, 2], points[:, 1]], 1)
    depth = ((s * points[:, 0] + c * points[:, 2]) * unit).float()
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    flat = (flat @ torch.tensor([[c, s], [-s, c]], dtype=torch.float64) * unit + 200).float()
    return with_regions(Face((0, 0, 400, 400), 0.9, flat, "mediapipe468", depth=depth))


def turned(yaw, seed=0, **more):
    """A portrait with a head in three dimensions, which has eyes, brows and a nose; `more`: fields of its face."""
    face = replace(mesh_head(yaw), **{"regions": shown(mesh_head(yaw)), **more})
    return FaceParts(portrait(seed, (400, 400))[None], ((face,),), (0,))


def shown(face, hidden=""):
    seen = {"left_eye", "right_eye", "left_brow", "right_brow", "nose"} - {hidden}
    return {part: face.regions[part] for part in seen}
