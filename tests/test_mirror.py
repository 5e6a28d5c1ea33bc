"""The mesh's left and right, and the mean of several looks."""

from __future__ import annotations

import torch
from face_part_fusion.detectors.attention import ATTENTION_POINTS
from face_part_fusion.detectors.builtin import FaceNets
from face_part_fusion.detectors.facemesh import MESH_SIZE
from face_part_fusion.detectors.mirror import COARSE, MIRROR, mean_mesh, mirrored
from face_part_fusion.detectors.schemes import SCHEMES

RINGS = SCHEMES["mediapipe478"].rings


def test_the_mirror_of_the_mirror_is_the_face():
    assert [MIRROR[i] for i in MIRROR] == list(range(ATTENTION_POINTS))
    points = torch.rand(2, ATTENTION_POINTS, 3)
    assert torch.allclose(mirrored(mirrored(points, 192), 192), points, atol=1e-4)


def test_left_parts_are_the_mirror_of_right_parts():
    for part in ("eye", "brow"):
        (left,), (right,) = RINGS[f"left_{part}"], RINGS[f"right_{part}"]
        assert {MIRROR[i] for i in left} == set(right)
    for part in ("nose", "mouth", "skin"):
        assert {MIRROR[i] for i in RINGS[part][0]} == set(RINGS[part][0])


def test_eyes_and_lips_of_a_mirrored_crop_are_exactly_the_mirrored_points():
    nets = FaceNets()
    crop = torch.rand(1, 3, MESH_SIZE, MESH_SIZE, generator=torch.Generator().manual_seed(0))
    close = [i for i in range(ATTENTION_POINTS) if i not in set(COARSE)]
    with torch.no_grad():
        straight, _ = mean_mesh(nets.attention, nets.mesh, crop)
        turned, _ = mean_mesh(nets.attention, nets.mesh, crop.flip(3))
    assert torch.allclose(mirrored(turned, MESH_SIZE)[:, close], straight[:, close], atol=1e-3)


def test_the_plain_mesh_joins_in_only_where_the_attention_mesh_has_no_closer_look():
    nets = FaceNets()
    crop = torch.rand(1, 3, MESH_SIZE, MESH_SIZE)
    with torch.no_grad():
        points, _ = mean_mesh(nets.attention, nets.mesh, crop)
        both, _ = nets.attention(torch.cat((crop, crop.flip(3))))
        alone = (both[:1] + mirrored(both[1:], MESH_SIZE)) / 2
        plain, _ = nets.mesh(crop)
    assert torch.allclose(points[:, COARSE], (alone[:, COARSE] + plain[:, COARSE]) / 2, atol=1e-3)
    assert not set(COARSE) & set(RINGS["mouth"][0]) and not set(COARSE) & set(RINGS["left_eye"][0])
