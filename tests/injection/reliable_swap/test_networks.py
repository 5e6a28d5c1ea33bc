"""FixerNet, AEI-Net and SimSwap's generator against plain computations, and the sizes that were published."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.injection.faces.fixer_net import FixerNet, full_vector, lower_quarter
from face_part_fusion.injection.faces.iresnet import DEPTHS, FaceVectorNet
from face_part_fusion.injection.reliable_swap.aei_net import AEINet
from face_part_fusion.injection.reliable_swap.simswap import SimSwapNet
from face_part_fusion.injection.reliable_swap.source import identity_crop, trans_matrix
from support.network_weights import IRESNETS, filled, iresnet_shapes
from support.swap_weights import (
    aei_shapes,
    fixer_shapes,
    plain_aei,
    plain_attributes,
    plain_simswap,
    plain_vector,
    simswap_shapes,
)

NETWORKS = {
    "FaceShifter 640": (lambda: AEINet(640), aei_shapes(640), 187_964_245, 311),
    "FaceShifter 512": (lambda: AEINet(512), aei_shapes(512), 184_343_381, 311),
    "SimSwap 640": (lambda: SimSwapNet(640), simswap_shapes(640), 57_411_075, 123),
    "SimSwap 512": (lambda: SimSwapNet(512), simswap_shapes(512), 55_051_779, 123),
    "FixerNet": (FixerNet, fixer_shapes(), 31_793_216, 475),
    "ArcFace": (lambda: FaceVectorNet(DEPTHS["r100"]), iresnet_shapes(IRESNETS["r100"]), 65_156_160, 925),
}


def draw():
    return torch.Generator().manual_seed(5)


def loaded(make, weights):
    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu").to(next(iter(weights.values())).dtype).load_state_dict(weights)
    return network.eval().requires_grad_(False)


def near(ours, plain):
    return float((ours - plain).abs().max()) <= 1e-5 * max(1.0, float(plain.abs().max()))


@pytest.mark.parametrize("name", NETWORKS)
def test_keys_shapes_and_parameters_are_those_published(name):
    make, shapes, parameters, tensors = NETWORKS[name]
    with torch.device("meta"):
        network = make()
    assert {key: tuple(w.shape) for key, w in network.state_dict().items()} == shapes
    assert sum(w.numel() for w in network.parameters()) == parameters and len(shapes) == tensors


def test_the_maps_of_attributes_have_the_published_sizes():
    with torch.device("meta"):
        maps = AEINet(640).encoder(torch.zeros(1, 3, 256, 256))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (1024, 2, 2), (2048, 4, 4), (1024, 8, 8), (512, 16, 16), (256, 32, 32), (128, 64, 64), (64, 128, 128),
        (64, 256, 256),
    ]  # fmt: skip


def test_aei_net_equals_a_plain_computation(width=640):
    # In double precision: normalising maps of 2 x 2 random cells multiplies rounding beyond the bound.
    weights = filled(aei_shapes(width), dtype=torch.float64)
    target = torch.rand(1, 3, 256, 256, generator=draw()).double() * 2 - 1
    identity = torch.randn(1, width, generator=draw()).double()
    network = loaded(lambda: AEINet(width), weights)
    result, maps = network(target, identity), plain_attributes(weights, target)
    assert all(near(ours, plain) for ours, plain in zip(network.encoder(target), maps, strict=True))
    plain = plain_aei(weights, maps, identity)
    assert result.shape == target.shape and float(result.std()) > 0.05 and near(result, plain)


@pytest.mark.parametrize("width", [512, 640])
def test_simswap_equals_a_plain_computation(width):
    weights = filled(simswap_shapes(width))
    target, identity = torch.rand(1, 3, 64, 64, generator=draw()) * 2 - 1, torch.randn(1, width, generator=draw())
    network = loaded(lambda: SimSwapNet(width), weights)
    result, plain = network(target, identity), plain_simswap(weights, target, identity)
    assert result.shape == target.shape and float(result.std()) > 0.05 and near(result, plain)
    assert not near(network(target, -identity), plain)


def test_fixer_net_and_arcface_equal_plain_computations_and_make_640_values():
    face = torch.rand(2, 3, 112, 112, generator=draw()) * 2 - 1
    fixer, arcface = filled(fixer_shapes(), 1), filled(iresnet_shapes(IRESNETS["r18"]), 2)
    lower = loaded(FixerNet, fixer)(lower_quarter(face))
    assert near(lower, plain_vector(fixer, face[:, :, 56:112, 28:84], IRESNETS["r50"]))
    identity = loaded(lambda: FaceVectorNet(DEPTHS["r18"]), arcface)(face)
    assert near(identity, plain_vector(arcface, face, IRESNETS["r18"]))
    vector = full_vector(identity, lower)
    assert vector.shape == (2, 640) and torch.equal(vector[:, 512:], lower)
    assert torch.allclose(vector[:, :512].norm(dim=1), torch.ones(2)) and near(
        vector[:, :512] * identity.norm(dim=1, keepdim=True), identity
    )


@pytest.mark.parametrize("size", [256, 512])
def test_the_matrix_moves_a_point_of_the_crop_to_where_it_was_published(size):
    s = size / 256
    expected = torch.tensor(
        [[1.07695457, -0.03625215, -1.56352194 * s], [0.03625215, 1.07695457, -5.32134629 * s]], dtype=torch.float64
    )
    assert torch.allclose(trans_matrix(size).double(), expected, atol=1e-5)
    # A ramp: what lies at p after the warp came from the inverse of p.
    ys, xs = torch.meshgrid(*[torch.arange(float(size))] * 2, indexing="ij")
    faces = identity_crop(torch.stack([xs, ys, xs * 0 + 1])[None] / size, trans_matrix(size))[0]
    linear = torch.linalg.inv(expected[:, :2])
    for row, column in ((20, 30), (56, 56), (90, 70)):
        place = torch.tensor([column, row], dtype=torch.float64) * (size - 1) / 111
        came = linear @ (place - expected[:, 2])
        assert faces[:2, row, column].double() * size == pytest.approx(came, abs=0.01)
    assert identity_crop(torch.ones(1, 3, size, size), trans_matrix(size)).shape == (1, 3, 112, 112)


def test_without_a_matrix_the_crop_is_only_shrunk_its_corners_staying():
    crop = torch.rand(1, 3, 256, 256, generator=draw())
    small = identity_crop(crop, None)
    assert torch.allclose(small[..., 0, 0], crop[..., 0, 0]) and torch.allclose(small[..., -1, -1], crop[..., -1, -1])
