"""The two face meshes over faces of pictures, and how far their predictions agree."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from . import crops, tiles
from .attention_mesh import ATTENTION_POINTS, AttentionMesh
from .face_mesh import MESH_POINTS, MESH_SIZE, FaceMesh
from .mirror import Net, both_ways, distance

# Crops that go through a mesh together.
BATCH = 16
# Mesh points: the outer corners of the eyes at the picture's left and right.
LEFT_EYE, RIGHT_EYE = 33, 263


class Meshes(NamedTuple):
    """The meshes of N faces.

    `points`: (N, P, 3) in pixels of their picture, z in the same scale.
    `presence`: (N,) 0..1, how certainly the crop shows a face.
    `apart`: (N,), distance between the predictions from the crop and from its mirror image, in face sizes.
    `sizes`: (N,), the sizes of the faces in pixels.

    All lie on the CPU.
    """

    points: Tensor
    presence: Tensor
    apart: Tensor
    sizes: Tensor

    def where(self, keep: Tensor) -> Meshes:
        """Those that `keep` (N,) bool or numbers selects."""
        return Meshes(*(values[keep] for values in self))


def plain_meshes(net: FaceMesh, scaled: tiles.Pyramid, owners: Tensor, points: Tensor) -> Meshes:
    """`owners`: (N,), the number of each face's picture. `points`: the detector's, (N, 8, 2) in pixels."""
    return _meshes(net, MESH_POINTS, scaled, owners, crops.squares_of_boxes(points[:, :2], points[:, 2:4]))


def plain_meshes_near(net: FaceMesh, scaled: tiles.Pyramid, owners: Tensor, meshes: Tensor) -> Meshes:
    """`meshes`: where the faces are expected, (N, 468 or 478, 2 or 3), such as in the frame before."""
    return _meshes(net, MESH_POINTS, scaled, owners, squares_around(meshes))


def attention_meshes(net: AttentionMesh, scaled: tiles.Pyramid, owners: Tensor, plain: Tensor) -> Meshes:
    """`plain`: the plain meshes of the same faces, (N, 468, 3). The second crop lowers the error of the points."""
    return _meshes(net, ATTENTION_POINTS, scaled, owners, squares_around(plain))


def disagreement(attention: Meshes, plain: Meshes) -> Tensor:
    """(N,), in face sizes: the distances between the predictions of two nets, each from a crop and its mirror image.

    They agree about a face that they see upright.
    """
    return attention.apart + plain.apart + distance(attention.points, plain.points) / attention.sizes


def squares_around(meshes: Tensor) -> Tensor:
    """Meshes (N, 468 or 478, 2 or 3) in pixels -> the squares (N, 4) around them, level with their eyes."""
    return crops.squares_of_points(meshes[..., :2], LEFT_EYE, RIGHT_EYE)


def _cut(scaled: tiles.Pyramid, owners: Tensor, squares: Tensor) -> Tensor:
    pairs = zip(owners.tolist(), squares, strict=True)
    faces = torch.stack([tiles.crop(scaled, i, square, MESH_SIZE) for i, square in pairs])
    return faces.contiguous(memory_format=torch.channels_last)


def _meshes(net: Net, count: int, scaled: tiles.Pyramid, owners: Tensor, squares: Tensor) -> Meshes:
    """`squares`: (N, 4), as in `crops`. `count`: the number of points of `net`."""
    points, presence, apart = [torch.zeros(0, count, 3)], [torch.zeros(0)], [torch.zeros(0)]
    for start in range(0, len(squares), BATCH):
        batch = squares[start : start + BATCH]
        flat, logits, difference = (t.cpu() for t in both_ways(net, _cut(scaled, owners[start : start + BATCH], batch)))
        depth = flat[..., 2:] * batch[:, None, 2:3] / MESH_SIZE
        points.append(torch.cat((crops.to_picture(flat[..., :2], batch, MESH_SIZE), depth), -1))
        presence.append(torch.sigmoid(logits))
        apart.append(difference * crops.MARGIN / MESH_SIZE)
    return Meshes(torch.cat(points), torch.cat(presence), torch.cat(apart), squares[:, 2] / crops.MARGIN)
