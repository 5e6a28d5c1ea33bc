"""Published files: recognised, read safely, checked, and refused with what is wrong."""

from __future__ import annotations

import os

import pytest
import torch
from face_part_fusion.injection.faces.fixer_net import read_fixer_net
from face_part_fusion.injection.reliable_swap.file import read_swapper
from support.network_weights import IRESNETS, iresnet_shapes
from support.swap_weights import aei_shapes, fixer_shapes, published, simswap_shapes, thin
from torch.nn import functional


def saved(tmp_path, state, name="G_mouth1_t38_post.pth"):
    torch.save(state, tmp_path / name)
    return tmp_path / name


def crop(size=256):
    return torch.rand(size, size, 3, generator=torch.Generator().manual_seed(3))


def test_faceshifters_file_holds_all_networks_and_swaps_with_640_values(tmp_path):
    state = published("FaceShifter", 640)
    path = saved(tmp_path, state | {"trans_matrix": 2 * state["trans_matrix"]})
    assert path.stat().st_size < 20e6
    swapper = read_swapper(path)
    assert torch.equal(swapper.matrix, 2 * state["trans_matrix"][0])
    assert (swapper.width, swapper.lower_face, swapper.name) == (640, True, "FaceShifter with 640 values")
    identity = swapper.identify(crop()[None])
    assert identity.shape == (1, 640) and torch.allclose(identity[:, :512].norm(), torch.ones(()))
    result = swapper.swap(crop(), identity[0])
    picture = crop().movedim(-1, 0)[None] * 2 - 1
    expected = swapper.generator(picture, identity)[0].movedim(0, -1)
    assert result.shape == (256, 256, 3) and torch.allclose(result * 2 - 1, expected, atol=1e-6)
    assert 0 <= float(result.min()) and float(result.max()) <= 1


def test_simswaps_file_may_lack_recogniser_and_fixer_which_come_from_other_files(tmp_path):
    generator = thin(simswap_shapes(640))
    path = saved(tmp_path, generator, "G_mouth1_st5.pth")
    arcface = saved(tmp_path, thin(iresnet_shapes(IRESNETS["r18"])), "backbone.pth")
    fixer = saved(tmp_path, {f"backbone.{k}": w for k, w in thin(fixer_shapes()).items()}, "fixer_net_casia.pth")
    with pytest.raises(ValueError, match=r"without the face recogniser.*backbone.pth of arcface_torch.*non-commercial"):
        read_swapper(path)
    with pytest.raises(ValueError, match=r"needs identities of 640 values.*fixer_net_casia_28_56_84_112.pth beside"):
        read_swapper(path, arcface)
    swapper = read_swapper(path, arcface, fixer)
    identity = swapper.identify(crop()[None])
    # SimSwap's source is not turned, only shrunk.
    assert swapper.matrix is None
    face = functional.interpolate(crop().movedim(-1, 0)[None] * 2 - 1, (112, 112), mode="bilinear", align_corners=True)
    assert torch.allclose(identity[0, 512:], swapper.fixer(face[..., 56:, 28:84])[0], atol=1e-5)
    assert "SimSwap" in swapper.name and swapper.swap(crop(), identity[0]).shape == (256, 256, 3)
    other = saved(tmp_path, thin(fixer_shapes(), 5), "other.pth")
    assert read_swapper(path, arcface, other).provider != swapper.provider


def without(*starts):
    return lambda state: {key: w for key, w in state.items() if not key.startswith(starts)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("encoder.conv3.0"), r"FaceShifter's generator \(298 tensors\): 1 missing \(encoder.conv3.0.weight\)"),
        (lambda w: w | {"encoder.conv8.0.weight": torch.ones(2)}, r"1 unknown \(encoder.conv8.0.weight\); take a pub"),
        (
            lambda w: w | {"generator.up1.bias": torch.ones(9)},
            r"generator.up1.bias is \(9,\), needed is \(1024,\)",
        ),
        (lambda w: w | {"generator.up1.bias": torch.full((1024,), float("nan"))}, r"values that are not finite"),
        (lambda w: w | {"generator.up1.weight": torch.ones(256, 1024, 2, 2)}, r"identities are 256 values, known are"),
        (
            lambda w: {"lora_unet.weight": torch.ones(2, 2)},
            r"holds no face swapper: it is a LoRA; take a published face swapper",
        ),
        (
            lambda w: {"weight": torch.ones(2)},
            r"holds no face swapper: it is of an unknown kind; take a published face swapper",
        ),
        (lambda w: [torch.ones(2)], r"holds no face swapper"),
    ],
)
def test_what_is_not_the_published_network_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read_swapper(saved(tmp_path, change(thin(aei_shapes(512)))))


class Command:
    """A pickle of this runs a command when it is read carelessly."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_code_in_a_file_is_not_run_and_half_a_file_is_told(tmp_path):
    path = saved(tmp_path, {"G.a": Command(f"touch {tmp_path / 'ran'}")})
    for read in (read_swapper, read_fixer_net):
        with pytest.raises(ValueError, match=r"holds more than weights.*nothing in it was run; take "):
            read(path)
    assert not (tmp_path / "ran").exists()
    path = saved(tmp_path, thin(simswap_shapes(512)))
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(ValueError, match="cut short or damaged"):
        read_swapper(path)
    path.write_text("<html>")
    with pytest.raises(ValueError, match="holds no weights: it begins with '<html>'; take a published face swapper"):
        read_swapper(path)


@pytest.mark.parametrize("matrix", [torch.ones(3, 3), torch.full((1, 2, 3), float("inf")), [1, 2]])
def test_a_matrix_of_another_kind_is_refused(tmp_path, matrix):
    with pytest.raises(ValueError, match="trans_matrix is not one finite 2 x 3 matrix; take a published face swapper"):
        read_swapper(saved(tmp_path, thin(aei_shapes(512)) | {"trans_matrix": matrix}))


def test_a_fixer_net_is_read_in_every_naming(tmp_path):
    weights = thin(fixer_shapes())
    face = torch.rand(1, 3, 56, 56, generator=torch.Generator().manual_seed(1)) * 2 - 1
    results = [
        read_fixer_net(saved(tmp_path, {f"{prefix}{k}": w for k, w in weights.items()} | more))(face)
        for prefix, more in (("", {}), ("backbone.", {"vgg_mean": torch.ones(1, 3, 1, 1)}), ("mouth_net.backbone.", {}))
    ]
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])
    with pytest.raises(ValueError, match=r"does not hold ReliableSwap's FixerNet.*take fixer_net_casia"):
        read_fixer_net(saved(tmp_path, thin(iresnet_shapes(IRESNETS["r50"]))))
