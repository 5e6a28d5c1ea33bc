"""The mesh's left and right, and the mean of several looks."""

from __future__ import annotations

import torch
from face_part_fusion.detectors.attention import ATTENTION_POINTS, WINDOWS
from face_part_fusion.detectors.builtin import FaceNets
from face_part_fusion.detectors.facemesh import MESH_SIZE
from face_part_fusion.detectors.mirror import COARSE, MIRROR, SHARE, mean_mesh, mirrored
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


def _looked_at(crop):
    nets = FaceNets()
    with torch.no_grad():
        points, _ = mean_mesh(nets.attention, nets.mesh, crop)
        both = torch.cat((crop, crop.flip(3)))
        means = []
        for net in (nets.attention, nets.mesh):
            straight, turned = net(both)[0].chunk(2)
            means.append((straight + mirrored(turned, MESH_SIZE)) / 2)
    return points, *means


def test_a_mirrored_crop_gives_exactly_the_mirrored_points():
    nets = FaceNets()
    crop = torch.rand(1, 3, MESH_SIZE, MESH_SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        straight, _ = mean_mesh(nets.attention, nets.mesh, crop)
        turned, _ = mean_mesh(nets.attention, nets.mesh, crop.flip(3))
    assert torch.allclose(mirrored(turned, MESH_SIZE), straight, atol=1e-3)


def test_where_there_is_no_closer_look_both_meshes_count_alike():
    points, attention, plain = _looked_at(torch.rand(1, 3, MESH_SIZE, MESH_SIZE))
    assert torch.allclose(points[:, COARSE], (attention[:, COARSE] + plain[:, COARSE]) / 2, atol=1e-3)
    assert not set(COARSE) & set(RINGS["mouth"][0]) and not set(COARSE) & set(RINGS["left_eye"][0])


def test_eyes_and_lips_keep_the_outline_of_the_closer_look_and_share_the_place_of_the_plain_mesh():
    points, attention, plain = (p[..., :2] for p in _looked_at(torch.rand(2, 3, MESH_SIZE, MESH_SIZE)))
    for own, _, _ in WINDOWS:
        wanted = torch.lerp(attention[:, own].mean(1), plain[:, own].mean(1), SHARE)
        assert torch.allclose(points[:, own].mean(1), wanted, atol=1e-3)
        shapes = [_normal(p[:, own]) for p in (points, attention)]
        assert torch.allclose(*shapes, atol=1e-3)


def _normal(points):
    """Outlines (N, P, 2) without place, size and roll."""
    outline = torch.view_as_complex(points.contiguous())
    outline = outline - outline.mean(1, keepdim=True)
    return torch.view_as_real(outline / outline[:, :1])
