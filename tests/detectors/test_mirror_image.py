"""The mirror image of a face."""

from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.mirror_image import mirror_image
from support.drawn_faces import drawn
from support.mesh_head import mesh_head

WIDTH = 400


def test_mirrored_twice_it_is_the_face_itself():
    face = replace(mesh_head(20, roll=7), angles=(20.0, 3.0, 7.0), box=(10, 20, 310, 380))
    twice = mirror_image(mirror_image(face, WIDTH), WIDTH)
    assert torch.allclose(twice.landmarks, face.landmarks, atol=1e-3) and torch.equal(twice.depth, face.depth)
    assert twice.angles == face.angles and twice.box == face.box


def test_a_head_that_looks_to_the_left_looks_to_the_right():
    left, right = mirror_image(mesh_head(-30), WIDTH), mesh_head(30)
    assert torch.allclose(left.landmarks, right.landmarks, atol=1e-2)
    assert torch.allclose(left.regions["left_eye"].rings[0], right.regions["left_eye"].rings[0], atol=1e-2)


def test_a_face_without_a_mesh_is_refused():
    with pytest.raises(ValueError, match="a mirror image needs the landmarks of a face mesh and their depth"):
        mirror_image(drawn("mediapipe468"), WIDTH)
