"""Meshes averaged over several predictions: the crop and its mirror image, the plain mesh and the attention mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .attention_mesh import HEADS, WINDOWS
from .face_mesh import MESH_POINTS, MESH_SIZE

Net = Callable[[Tensor], tuple[Tensor, Tensor]]

# Number of each point in the mirror image, measured on 78 faces; its own inverse, with 28 points on the middle line.
MIRROR = torch.tensor((
    0, 1, 2, 248, 4, 5, 6, 249, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 250, 251, 252, 253, 254, 255, 256,
    257, 258, 259, 260, 261, 262, 263, 264, 265, 266, 267, 268, 269, 270, 271, 272, 273, 274, 275, 276, 277, 278,
    279, 280, 281, 282, 283, 284, 285, 286, 287, 288, 289, 290, 291, 292, 293, 294, 295, 296, 297, 298, 299, 300,
    301, 302, 303, 304, 305, 306, 307, 308, 309, 310, 311, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 322,
    323, 94, 324, 325, 326, 327, 328, 329, 330, 331, 332, 333, 334, 335, 336, 337, 338, 339, 340, 341, 342, 343,
    344, 345, 346, 347, 348, 349, 350, 351, 352, 353, 354, 355, 356, 357, 358, 359, 360, 361, 362, 363, 364, 365,
    366, 367, 368, 369, 370, 371, 372, 373, 374, 375, 376, 377, 378, 379, 151, 152, 380, 381, 382, 383, 384, 385,
    386, 387, 388, 389, 390, 164, 391, 392, 393, 168, 394, 395, 396, 397, 398, 399, 175, 400, 401, 402, 403, 404,
    405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 195, 419, 197, 420, 199, 200, 421, 422,
    423, 424, 425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 435, 436, 437, 438, 439, 440, 441, 442, 443, 444,
    445, 446, 447, 448, 449, 450, 451, 452, 453, 454, 455, 456, 457, 458, 459, 460, 461, 462, 463, 464, 465, 466,
    467, 3, 7, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44,
    45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72,
    73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 95, 96, 97, 98, 99, 100,
    101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122,
    123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144,
    145, 146, 147, 148, 149, 150, 153, 154, 155, 156, 157, 158, 159, 160, 161, 162, 163, 165, 166, 167, 169, 170,
    171, 172, 173, 174, 176, 177, 178, 179, 180, 181, 182, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193,
    194, 196, 198, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216, 217, 218, 219,
    220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237, 238, 239, 240, 241,
    242, 243, 244, 245, 246, 247, 473, 476, 475, 474, 477, 468, 471, 470, 469, 472,
))  # fmt: skip
# The points that the attention mesh does not refine: nose, cheeks, forehead, oval.
COARSE = torch.tensor(sorted(set(range(MESH_POINTS)) - {point for points, _ in HEADS for point in points}))
# For each window of the attention mesh: the points that both meshes have, and all points that are refined in it.
_REFINED = [
    (torch.tensor(shared), torch.tensor([p for points, window in HEADS if window == number for p in points]))
    for number, (shared, _, _) in enumerate(WINDOWS)
]
# A refined part keeps its outline and moves this share of the way to its position in the plain mesh: in position the
# two meshes err partly independently. Predictions at other scales and angles gain little beyond that.
SHARE = 0.35


class BothWays(NamedTuple):
    """What a net predicts from N crops and their mirror images together.

    `points`: (N, P, 3) in crop pixels, the mean of both predictions.
    `presence`: (N,), the lesser of both logits.
    `apart`: (N,), the mean distance between both predictions in crop pixels, without depth.
    """

    points: Tensor
    presence: Tensor
    apart: Tensor


def both_ways(net: Net, crops: Tensor) -> BothWays:
    """`crops`: (N, 3, 192, 192) in 0..1, with the faces upright."""
    points, logits = net(torch.cat((crops, crops.flip(3))))
    straight, flipped = points.chunk(2)
    flipped = mirrored(flipped, MESH_SIZE)
    apart = (straight - flipped)[..., :2].norm(dim=-1).mean(1)
    return BothWays((straight + flipped) / 2, torch.minimum(*logits.chunk(2)), apart)


def distance(attention: Tensor, plain: Tensor) -> Tensor:
    """The mean distance (N,) between both meshes of the same faces, as `agreed` takes them, without depth."""
    return (attention[:, COARSE, :2] - plain[:, COARSE, :2]).norm(dim=-1).mean(1)


def agreed(attention: Tensor, plain: Tensor) -> Tensor:
    """The same faces by the attention mesh (N, 478, 3) and the plain mesh (N, 468, 3), in one frame -> (N, 478, 3).

    The mean of both is closer to the face than either, since their errors are partly independent. The outlines of eyes
    and lips come from the attention mesh alone.
    """
    points = attention.clone()
    points[:, COARSE] = (points[:, COARSE] + plain[:, COARSE]) / 2
    for shared, part in _REFINED:
        points[:, part, :2] = _towards(plain[:, shared, :2], points[:, shared, :2], points[:, part, :2])
    return points


def _towards(goal: Tensor, points: Tensor, part: Tensor) -> Tensor:
    """Move `part` (N, M, 2) by SHARE of the least-squares similarity that maps `points` to `goal`, both (N, P, 2)."""
    middle, aim = points.mean(1, keepdim=True), goal.mean(1, keepdim=True)
    (x, y), (u, v), (p, q) = (each.unbind(-1) for each in (points - middle, goal - aim, part - middle))
    size = (x * x + y * y).sum(1, keepdim=True)
    along, across = (x * u + y * v).sum(1, keepdim=True) / size, (x * v - y * u).sum(1, keepdim=True) / size
    mapped = torch.stack((along * p - across * q, across * p + along * q), -1) + aim
    return torch.lerp(part, mapped, SHARE)


def mirrored(points: Tensor, width: int) -> Tensor:
    """Meshes (N, 468 or 478, 3) of mirrored crops, `width` pixels wide -> the meshes of the crops themselves."""
    renumbered = points[:, MIRROR[: points.shape[1]].to(points.device)]
    return renumbered * points.new_tensor((-1, 1, 1)) + points.new_tensor((width, 0, 0))
