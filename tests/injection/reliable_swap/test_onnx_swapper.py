"""ONNX swappers: recognised by inputs and shapes, given identities and pixels as each takes them, and run."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.fusion.crop import FFHQ_POINTS
from face_part_fusion.injection.files import onnx_network
from face_part_fusion.injection.files.onnx_network import TorchNetwork, read_network
from face_part_fusion.injection.reliable_swap.onnx_swapper import read_onnx_swapper
from support.onnx_files import by_onnxruntime, draw, write
from support.onnx_swappers import EMAP, KINDS, converter_file, recogniser_file, swapper_file
from torch.nn import functional

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIZES = {"inswapper": 128, "SimSwap 512": 512}
NAMES = {"SimSwap 512": "SimSwap (unofficial)"}


@pytest.fixture
def recogniser(tmp_path):
    return recogniser_file(tmp_path / "w600k_r50.onnx")


@pytest.fixture
def read(tmp_path, recogniser):
    """A swapper of a kind, its converters beside it."""

    def swapper(kind):
        for name in ("simswap", "ghost"):
            converter_file(tmp_path / f"crossface_{name}.onnx")
        return read_onnx_swapper(swapper_file(tmp_path / f"{kind}.onnx", kind), recogniser)

    return swapper


def crop(size=128, seed=3):
    return torch.rand(size, size, 3, generator=torch.Generator().manual_seed(seed))


def as_input(picture):
    return picture.movedim(-1, 0)[None].contiguous()


def recognised(tmp_path, face):
    return by_onnxruntime(tmp_path / "w600k_r50.onnx", data=as_input(face) * 2 - 1)[0]


def converted(tmp_path, kind, face):
    return by_onnxruntime(tmp_path / f"crossface_{kind}.onnx", input=recognised(tmp_path, face))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_told_from_all_others_and_runs_without_onnxruntime(read, monkeypatch, kind):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(onnx_network, "import_module", absent)
    swapper = read(kind)
    size = SIZES.get(kind, 256)
    assert swapper.kind.name == NAMES.get(kind, kind) and swapper.target.size == size
    identity = swapper.identify(crop(swapper.source.size)[None])
    assert identity.shape == (1, swapper.width) and float(identity[0, :512].norm()) == pytest.approx(1, abs=1e-5)
    result = swapper.swap(crop(size), identity[0])
    assert result.shape == (size, size, 3) and float(result.std()) > 0.01
    assert 0 <= float(result.min()) and float(result.max()) <= 1
    other = swapper.identify(crop(swapper.source.size, 9)[None] * torch.tensor([1.0, 0.2, 0.5]))[0]
    assert float((swapper.swap(crop(size), other) - result).abs().max()) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_conversion_equals_onnxruntime(tmp_path, kind):
    path = swapper_file(tmp_path / "a.onnx", kind, seed=11)
    network = read_network(path)
    assert isinstance(network.network, TorchNetwork)
    inputs = {
        value.name: torch.rand(value.shape, generator=torch.Generator().manual_seed(4)) for value in network.inputs
    }
    for ours, theirs in zip(network(**inputs), by_onnxruntime(path, **inputs), strict=True):
        assert ours.shape == theirs.shape and float((ours - theirs).abs().max()) < 1e-4 and float(ours.std()) > 1e-3


def test_recogniser_and_converter_equal_onnxruntime(tmp_path, recogniser):
    faces = torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(4))
    assert torch.allclose(read_network(recogniser)(data=faces)[0], by_onnxruntime(recogniser, data=faces)[0], atol=1e-4)
    path, vector = converter_file(tmp_path / "c.onnx"), draw(1, 512)
    assert torch.allclose(read_network(path)(input=vector)[0], by_onnxruntime(path, input=vector)[0], atol=1e-4)


def test_inswapper_projects_the_identity_by_the_matrix_in_its_file(tmp_path, read):
    swapper = read("inswapper")
    assert (swapper.source.size, swapper.width) == (112, 512)
    identity = swapper.identify(crop(112)[None])
    assert torch.allclose(identity, functional.normalize(recognised(tmp_path, crop(112))), atol=1e-5)
    given = functional.normalize(identity @ EMAP)
    (expected,) = by_onnxruntime(tmp_path / "inswapper.onnx", target=as_input(crop()), source=given)
    assert torch.allclose(as_input(swapper.swap(crop(), identity[0])), expected.clamp(0, 1), atol=1e-4)


def test_hyperswap_takes_the_identity_as_it_is_and_pictures_about_zero(tmp_path, read):
    swapper, identity = read("HyperSwap"), functional.normalize(draw(1, 512, seed=8))
    expected, _ = by_onnxruntime(tmp_path / "HyperSwap.onnx", target=as_input(crop(256)) * 2 - 1, source=identity)
    assert torch.allclose(as_input(swapper.swap(crop(256), identity[0])), (expected + 1) / 2, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "mean", "spread"),
    [("SimSwap", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ("SimSwap 512", (0.0,) * 3, (1.0,) * 3)],
)
def test_simswap_takes_converted_identities_and_pixels_by_imagenets_statistics(tmp_path, read, kind, mean, spread):
    swapper, size = read(kind), SIZES.get(kind, 256)
    identity = swapper.identify(crop(112)[None])
    assert torch.allclose(identity, functional.normalize(converted(tmp_path, "simswap", crop(112))), atol=1e-5)
    pixels = as_input((crop(size) - torch.tensor(mean)) / torch.tensor(spread))
    (expected,) = by_onnxruntime(tmp_path / f"{kind}.onnx", target=pixels, source=identity)
    assert torch.allclose(as_input(swapper.swap(crop(size), identity[0])), expected.clamp(0, 1), atol=1e-4)


def test_ghost_keeps_the_length_of_its_converted_identities(tmp_path, read):
    swapper = read("Ghost")
    identity, vector = swapper.identify(crop(112)[None])[0], converted(tmp_path, "ghost", crop(112))
    assert swapper.width == 513 and float(identity[512]) == pytest.approx(float(vector.norm()), rel=1e-4)
    (expected,) = by_onnxruntime(tmp_path / "Ghost.onnx", target=as_input(crop(256)) * 2 - 1, source=vector)
    assert torch.allclose(as_input(swapper.swap(crop(256), identity)), (expected + 1) / 2, atol=1e-4)


@pytest.mark.parametrize(("kind", "side"), [("BlendSwap", 112), ("UniFace", 256)])
def test_swappers_that_take_a_picture_get_it_and_a_vector_compares_people(tmp_path, read, kind, side):
    swapper = read(kind)
    identity = swapper.identify(crop(side)[None])[0]
    assert swapper.pictures and swapper.source.size == side and swapper.width == 512 + 3 * side**2
    signed = kind == "UniFace"
    pixels = as_input(crop(256)) * 2 - 1 if signed else as_input(crop(256))
    (expected,) = by_onnxruntime(tmp_path / f"{kind}.onnx", target=pixels, source=as_input(crop(side)))
    expected = (expected + 1) / 2 if signed else expected
    assert torch.allclose(as_input(swapper.swap(crop(256), identity)), expected.clamp(0, 1), atol=1e-4)
    if kind == "BlendSwap":
        vector = functional.normalize(recognised(tmp_path, crop(side)))[0]
        assert torch.allclose(identity[:512], vector, atol=1e-5)


def test_points_lie_where_the_files_were_made_for(read):
    def points(kind, i):
        return read(kind).target.points[i]

    assert points("inswapper", 0) == pytest.approx((38.2946 + 8 + 0.5, 51.6963 + 0.5), abs=1e-3)
    assert points("HyperSwap", 4) == pytest.approx((2 * (70.7299 + 8) + 0.5, 2 * 92.2041 + 0.5), abs=1e-3)
    for kind, size in (("SimSwap", 256), ("SimSwap 512", 512), ("Ghost", 256)):
        assert points(kind, 2) == pytest.approx((56 * size / 112 + 0.5, 68.493 * size / 112 + 0.5), abs=1e-3)
    for kind in ("BlendSwap", "UniFace"):
        assert points(kind, 1) == pytest.approx((FFHQ_POINTS[1] / 2).tolist(), abs=1e-3)
    assert read("BlendSwap").source.points[0] == pytest.approx((38.2946 + 0.5, 51.6963 + 0.5), abs=1e-3)
    assert read("UniFace").source.points[0] == pytest.approx((FFHQ_POINTS[0] / 2).tolist(), abs=1e-3)


def test_another_recogniser_or_converter_has_another_provider(tmp_path, recogniser):
    path = swapper_file(tmp_path / "a.onnx", "inswapper")
    one = read_onnx_swapper(path, recogniser).provider
    assert read_onnx_swapper(path, recogniser_file(tmp_path / "other.onnx", seed=9)).provider != one
    converter_file(tmp_path / "crossface_simswap.onnx")
    assert read_onnx_swapper(swapper_file(tmp_path / "s.onnx", "SimSwap"), recogniser).provider != one
    assert read_onnx_swapper(swapper_file(tmp_path / "b.onnx", "BlendSwap"), recogniser).provider != one


def test_other_graphs_are_refused_with_what_they_are_and_the_kinds_that_are_known(tmp_path, recogniser):
    def refused(path, message, recogniser=recogniser):
        with pytest.raises(ValueError, match=message):
            read_onnx_swapper(path, recogniser)

    kinds = "known are inswapper_128.onnx .*HyperSwap .*SimSwap .*Ghost .*BlendSwap .*UniFace"
    refused(
        recogniser, r"is not a face swapper of a known kind: it takes data \(n, 3, 112, 112\) and gives out.*" + kinds
    )
    for inputs, name in (
        ({"source": [1, 512], "target": [1, 3, 224, 224]}, "a"),
        ({"source": [1, 3, 99, 99], "target": [1, 3, 256, 256]}, "b"),
        ({"a": [1, 3, 112, 112], "b": [1, 3, 256, 256]}, "c"),
        ({"target": [1, 3, 256, 256], "source": [1, 512], "third": [1]}, "d"),
    ):
        first = next(iter(inputs))
        path = write(tmp_path / f"{name}.onnx", inputs, {"y": None}, [("Relu", [first], ["y"], {})], {})
        refused(path, kinds)
    half = tmp_path / "half.onnx"
    good = swapper_file(tmp_path / "good.onnx", "inswapper")
    half.write_bytes(good.read_bytes()[:500_000])
    refused(half, "half.onnx is cut short or is not an ONNX file.*fetch the swapper again")
    refused(good, r"takes identities by w600k_r50.onnx, which was not found.*buffalo_l", None)
    refused(good, "is not a recogniser of 112 pixels and 512 values", recogniser_file(tmp_path / "r.onnx", 128))


def test_a_converter_that_is_missing_or_something_else_is_told(tmp_path, recogniser):
    for kind, name in (("SimSwap", "simswap"), ("Ghost", "ghost")):
        path = swapper_file(tmp_path / "a.onnx", kind)
        with pytest.raises(ValueError, match=rf"\({kind}\) takes identities that.*put crossface_{name}.onnx of"):
            read_onnx_swapper(path, recogniser)
        converter_file(tmp_path / f"arcface_converter_{name}.onnx", 256)
        with pytest.raises(ValueError, match=f"arcface_converter_{name}.onnx does not convert 512 values to 512"):
            read_onnx_swapper(path, recogniser)
