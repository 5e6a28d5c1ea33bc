"""The mesh's left and right, and the mean of several predictions."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.detectors.attention_mesh import ATTENTION_POINTS, WINDOWS
from face_part_fusion.detectors.builtin import FaceNets
from face_part_fusion.detectors.face_mesh import MESH_POINTS, MESH_SIZE
from face_part_fusion.detectors.mirror import COARSE, MIRROR, SHARE, agreed, both_ways, mirrored
from face_part_fusion.detectors.schemes import SCHEMES

RINGS = SCHEMES["mediapipe478"].rings


def test_the_mirror_of_the_mirror_is_the_face():
    assert MIRROR[MIRROR].tolist() == list(range(ATTENTION_POINTS))
    points = torch.rand(2, ATTENTION_POINTS, 3)
    assert torch.allclose(mirrored(mirrored(points, 192), 192), points, atol=1e-4)


def test_left_parts_are_the_mirror_of_right_parts():
    for part in ("eye", "brow"):
        (left,), (right,) = RINGS[f"left_{part}"], RINGS[f"right_{part}"]
        assert set(MIRROR[list(left)].tolist()) == set(right)
    for part in ("nose", "mouth", "skin"):
        assert set(MIRROR[list(RINGS[part][0])].tolist()) == set(RINGS[part][0])


@pytest.mark.parametrize("name", ["mesh", "attention"])
def test_a_mirrored_crop_gives_exactly_the_mirrored_points(name):
    net = getattr(FaceNets(), name)
    crop = torch.rand(1, 3, MESH_SIZE, MESH_SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        straight, turned = both_ways(net, crop).points, both_ways(net, crop.flip(3)).points
    assert torch.allclose(mirrored(turned, MESH_SIZE), straight, atol=1e-3)


def test_both_ways_gives_the_mean_of_both_predictions_their_distance_and_the_lesser_presence():
    net, crop = FaceNets().mesh, torch.rand(2, 3, MESH_SIZE, MESH_SIZE)
    with torch.no_grad():
        result = both_ways(net, crop)
        (straight, alone), (turned, mirror_alone) = net(crop), net(crop.flip(3))
    turned = mirrored(turned, MESH_SIZE)
    assert torch.allclose(result.points, (straight + turned) / 2, atol=1e-3)
    assert torch.allclose(result.presence, torch.minimum(alone, mirror_alone), atol=1e-4)
    assert torch.allclose(result.apart, (straight - turned)[..., :2].norm(dim=2).mean(1), atol=1e-3)


def _two_meshes():
    """One face twice, by the attention mesh (2, 478, 3) and a little elsewhere by the plain one (2, 468, 3)."""
    points = torch.rand(2, ATTENTION_POINTS, 3) * MESH_SIZE
    return points, points[:, :MESH_POINTS] * 1.03 + torch.rand(2, MESH_POINTS, 3) * 4


def test_points_that_are_not_refined_are_the_mean_of_both_meshes():
    attention, plain = _two_meshes()
    expected = (attention[:, COARSE] + plain[:, COARSE]) / 2
    assert torch.allclose(agreed(attention, plain)[:, COARSE], expected, atol=1e-4)
    assert not set(COARSE.tolist()) & (set(RINGS["mouth"][0]) | set(RINGS["left_eye"][0]))


def test_eyes_and_lips_keep_the_outline_of_the_attention_mesh_and_move_towards_the_plain_mesh():
    attention, plain = _two_meshes()
    points = agreed(attention, plain)
    for own, _, _ in WINDOWS:
        ours, closer, plain_part = (p[:, own, :2] for p in (points, attention, plain))
        expected = torch.lerp(closer.mean(1), plain_part.mean(1), SHARE)
        assert torch.allclose(ours.mean(1), expected, atol=1e-3)
        assert torch.allclose(_normal(ours), _normal(closer), atol=1e-3)
        assert torch.equal(points[:, own, 2], attention[:, own, 2])


def test_two_equal_meshes_stay_as_they_are():
    points = torch.rand(3, ATTENTION_POINTS, 3) * MESH_SIZE
    assert torch.allclose(agreed(points, points[:, :MESH_POINTS]), points, atol=1e-3)


def _normal(points):
    """Outlines (N, P, 2) without position, size and roll."""
    outline = torch.view_as_complex(points.contiguous())
    outline = outline - outline.mean(1, keepdim=True)
    return torch.view_as_real(outline / outline[:, :1])
