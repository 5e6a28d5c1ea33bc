"""The face mesh: shapes, noise, and parity with the TFLite file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.bundled import load_bundled
from face_part_fusion.detectors.face_mesh import FaceMesh
from support.paths import SHARED


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return load_bundled(FaceMesh(), "face_mesh_468.safetensors")


def test_points_and_presence_have_a_row_for_each_crop(mesh: FaceMesh) -> None:
    points, presence = mesh(torch.zeros(2, 3, 192, 192))
    assert points.shape == (2, 468, 3) and presence.shape == (2,)


def test_noise_is_not_taken_for_a_face(mesh: FaceMesh) -> None:
    noise = torch.rand(4, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    assert torch.sigmoid(mesh(noise)[1]).max() < 0.5


def test_mesh_equals_the_tflite_file(mesh: FaceMesh) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    path = SHARED / "models" / "face_landmark.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    picture = np.random.default_rng(0).uniform(0, 1, (1, 192, 192, 3)).astype(np.float32)
    lite = interpreter.Interpreter(str(path), num_threads=1)
    lite.allocate_tensors()
    lite.set_tensor(lite.get_input_details()[0]["index"], picture)
    lite.invoke()
    wanted = {d["shape"].prod(): lite.get_tensor(d["index"]).reshape(-1) for d in lite.get_output_details()}
    points, presence = mesh(torch.from_numpy(picture).permute(0, 3, 1, 2))
    np.testing.assert_allclose(points.numpy().reshape(-1), wanted[1404], atol=5e-3)
    np.testing.assert_allclose(presence.numpy(), wanted[1], atol=1e-3)
