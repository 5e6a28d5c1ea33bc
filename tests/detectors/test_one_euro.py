"""Landmarks over the frames of a film: a resting face is steadied, a moving one keeps up."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.one_euro import OneEuro, SteadyFace
from support.mesh_head import mesh_head

FRAMES = 60


def film(step=0.0, noise=0.0, seed=0):
    """Faces of a head that moves by `step` pixels per frame, and the true points of each."""
    generator = torch.Generator().manual_seed(seed)
    face, truth, faces = mesh_head(0), [], []
    for number in range(FRAMES):
        points = face.landmarks + torch.tensor([step * number, 0.0])
        truth.append(points)
        faces.append(replace(face, landmarks=points + noise * torch.randn(points.shape, generator=generator)))
    return faces, truth


def errors(faces, truth):
    return torch.stack([(face.landmarks - points).norm(dim=1) for face, points in zip(faces, truth, strict=True)])


def test_strength_0_leaves_every_face_as_it_is():
    faces, _ = film(noise=1.0)
    steady = SteadyFace(0.0)
    assert all(steady(face) is face for face in faces)


def test_more_strength_trembles_less_and_less():
    faces, _ = film(noise=0.3)
    trembling = []
    for strength in (0.0, 0.3, 0.6, 1.0):
        steady = SteadyFace(strength)
        seen = torch.stack([steady(face).landmarks for face in faces])[20:]
        trembling.append(float(seen.diff(dim=0).norm(dim=-1).mean()))
    assert trembling[0] > 1.5 * trembling[1] > 1.5 * trembling[2] and trembling[2] > trembling[3]
    assert trembling[2] < 0.35 * trembling[0]


@pytest.mark.parametrize("step", [2.0, 8.0])
def test_a_head_that_moves_evenly_does_not_lag_behind(step):
    faces, truth = film(step=step)
    steady = SteadyFace(0.5)
    size = float((faces[0].landmarks.amax(0) - faces[0].landmarks.amin(0)).max())
    assert float(errors([steady(face) for face in faces], truth).max()) < 0.03 * size


def test_a_head_that_turns_in_the_picture_past_half_a_circle_does_not_spin():
    steady = SteadyFace(1.0)
    for number in range(80):
        face = mesh_head(0, roll=150 + number)
        seen = steady(face)
        size = float((face.landmarks.amax(0) - face.landmarks.amin(0)).max())
        assert float((seen.landmarks - face.landmarks).norm(dim=1).max()) < 0.15 * size, number


def test_box_and_depth_follow_the_landmarks():
    faces, _ = film(noise=1.0)
    steady = SteadyFace(0.5)
    seen = [steady(face) for face in faces][-1]
    assert torch.allclose(torch.tensor(seen.box[:2]), seen.landmarks.amin(0)) and seen.depth is not None
    assert seen.depth.shape == faces[0].depth.shape and seen.regions == {}


def test_what_rests_is_averaged_and_what_jumps_is_followed():
    filtered = OneEuro(0.02, 5.0)
    for _ in range(20):
        filtered(torch.zeros(1))
    assert float(filtered(torch.tensor([0.001]))) < 0.0005
    assert float(filtered(torch.tensor([3.0]))) > 2.5
