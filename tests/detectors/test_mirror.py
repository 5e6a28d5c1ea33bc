"""The mesh's left and right, and the mean of several looks."""

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
        straight, _ = both_ways(net, crop)
        turned, _ = both_ways(net, crop.flip(3))
    assert torch.allclose(mirrored(turned, MESH_SIZE), straight, atol=1e-3)


def test_looking_both_ways_gives_the_mean_of_both_points_and_the_presence_of_the_crop_itself():
    net, crop = FaceNets().mesh, torch.rand(2, 3, MESH_SIZE, MESH_SIZE)
    with torch.no_grad():
        points, presence = both_ways(net, crop)
        (straight, alone), (turned, _) = net(crop), net(crop.flip(3))
    assert torch.allclose(points, (straight + mirrored(turned, MESH_SIZE)) / 2, atol=1e-3)
    assert torch.allclose(presence, alone, atol=1e-4)


def _two_meshes():
    """One face twice, by the attention mesh (2, 478, 3) and a little elsewhere by the plain one (2, 468, 3)."""
    points = torch.rand(2, ATTENTION_POINTS, 3) * MESH_SIZE
    return points, points[:, :MESH_POINTS] * 1.03 + torch.rand(2, MESH_POINTS, 3) * 4


def test_where_there_is_no_closer_look_both_meshes_count_alike():
    attention, plain = _two_meshes()
    wanted = (attention[:, COARSE] + plain[:, COARSE]) / 2
    assert torch.allclose(agreed(attention, plain)[:, COARSE], wanted, atol=1e-4)
    assert not set(COARSE.tolist()) & (set(RINGS["mouth"][0]) | set(RINGS["left_eye"][0]))


def test_eyes_and_lips_keep_the_outline_of_the_closer_look_and_share_the_place_of_the_plain_mesh():
    attention, plain = _two_meshes()
    points = agreed(attention, plain)
    for own, _, _ in WINDOWS:
        seen, closer, far = (p[:, own, :2] for p in (points, attention, plain))
        wanted = torch.lerp(closer.mean(1), far.mean(1), SHARE)
        assert torch.allclose(seen.mean(1), wanted, atol=1e-3)
        assert torch.allclose(_normal(seen), _normal(closer), atol=1e-3)
        assert torch.equal(points[:, own, 2], attention[:, own, 2])


def test_two_meshes_that_agree_already_are_left_as_they_are():
    points = torch.rand(3, ATTENTION_POINTS, 3) * MESH_SIZE
    assert torch.allclose(agreed(points, points[:, :MESH_POINTS]), points, atol=1e-3)


def _normal(points):
    """Outlines (N, P, 2) without place, size and roll."""
    outline = torch.view_as_complex(points.contiguous())
    outline = outline - outline.mean(1, keepdim=True)
    return torch.view_as_real(outline / outline[:, :1])
