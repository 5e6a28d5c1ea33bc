"""Faces restored by small ONNX graphs and by an upscale model, on the FFHQ crop."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.fusion.lab import to_lab
from face_part_fusion.fusion.sharpness import texture
from face_part_fusion.injection.reliable_swap.restore import (
    OnnxRestorer,
    RestoreSettings,
    UpscaleRestorer,
    read_restorer,
    restore_faces,
)
from support.drawn_faces import drawn, person
from support.onnx_files import by_onnxruntime, write
from support.onnx_swappers import restorer_file
from torch.nn import functional

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def crop(size=64):
    return torch.rand(size, size, 3, generator=torch.Generator().manual_seed(3))


def restored(restorer, target=None, mask=None, **settings):
    settings = RestoreSettings(**{"covers": False, **settings})
    return restore_faces(target or person(), restorer, settings, mask=mask)


def sharpened(picture):
    """Doubles detail, as a restorer does."""
    soft = functional.avg_pool2d(functional.pad(picture, [1] * 4, mode="replicate"), 3, 1)
    return (picture + 2 * (picture - soft)).clamp(0, 1)


def test_a_restorer_gets_pixels_about_zero_and_gives_them(tmp_path):
    path = restorer_file(tmp_path / "gfpgan_1.4.onnx")
    restorer = read_restorer(path)
    assert (restorer.name, restorer.size, restorer.fidelity) == ("gfpgan_1.4.onnx", 64, False)
    (expected,) = by_onnxruntime(path, input=(crop() * 2 - 1).movedim(-1, 0)[None].contiguous())
    result = restorer.restore(crop(), 0.5)
    assert torch.allclose(result.movedim(-1, 0)[None] * 2 - 1, expected, atol=1e-4) and float(result.std()) > 0.05


@pytest.mark.parametrize("fidelity", [0.0, 0.3, 1.0])
def test_codeformer_gets_its_fidelity_as_a_double(tmp_path, fidelity):
    path = restorer_file(tmp_path / "codeformer.onnx", fidelity=True)
    restorer = read_restorer(path)
    pixels = (crop() * 2 - 1).movedim(-1, 0)[None].contiguous()
    (expected,) = by_onnxruntime(path, input=pixels, weight=torch.tensor([fidelity], dtype=torch.float64))
    result = restorer.restore(crop(), fidelity)
    assert restorer.fidelity and torch.allclose(
        result.movedim(-1, 0)[None], ((expected + 1) / 2).clamp(0, 1), atol=1e-4
    )
    assert fidelity < 1 or torch.allclose(result, crop(), atol=1e-5)


def test_an_upscale_model_gets_as_many_pixels_as_it_enlarges_to_512():
    came = []

    def enlarge(picture):
        came.append(tuple(picture.shape))
        return picture.repeat_interleave(4, 2).repeat_interleave(4, 3)

    restorer = UpscaleRestorer(enlarge, 4.0)
    result = restored(restorer, blend=1.0)
    assert came == [(1, 3, 128, 128)] and restorer.restore(crop(128), 0).shape == (512, 512, 3)
    assert float(result.changed.max()) > 0.99
    assert UpscaleRestorer(enlarge, 1.0).size == 512 and UpscaleRestorer(enlarge, 2.0).size == 256


def test_a_restored_face_keeps_its_own_sharpness_and_the_rest_stays_bit_for_bit():
    target = person()
    target = replace(target, pictures=0.5 + target.pictures * 0.05)

    def detailed(picture):
        """Stripes of about four pixels of the photograph, as fine as a restorer makes pores and lashes."""
        return (picture + 0.1 * (torch.arange(512) * 0.5).sin()).clamp(0, 1)

    result = restored(UpscaleRestorer(detailed, 1.0), target, blend=1.0)
    still = result.changed == 0
    assert torch.equal(result.pictures[still], target.pictures[still])
    inside = (result.changed[0] > 0.9).float()
    before, after = (texture(to_lab(p[0])[..., 0], inside) for p in (target.pictures, result.pictures))
    assert after > 4 * before
    assert result.report == (("1 face restored by the upscale model",),)


def test_blend_goes_from_the_photograph_to_the_restored_face():
    target = person()
    whole, half, none = (
        restored(UpscaleRestorer(sharpened, 1.0), target, blend=blend).pictures - target.pictures
        for blend in (1.0, 0.5, 0.0)
    )
    assert 0.35 < float(half.abs().mean() / whole.abs().mean()) < 0.65 and not none.any()


def test_all_faces_or_the_chosen_one_or_nobody_and_only_under_the_mask():
    one, other = drawn(x=50.0, y=60.0, unit=28.0), drawn(x=115.0, y=60.0, unit=28.0)
    target = replace(person(), faces=((one, other),))
    restorer = UpscaleRestorer(sharpened, 1.0)
    halves = [restored(restorer, target, faces=faces).changed[0].split(80, 1) for faces in ("chosen", "all")]
    assert [[bool(side.max() > 0.5) for side in sides] for sides in halves] == [[True, False], [True, True]]
    several = restored(restorer, replace(target, also=((1,),)), faces="chosen").changed[0].split(80, 1)
    assert [bool(side.max() > 0.5) for side in several] == [True, True]
    mask = torch.zeros(1, *target.size)
    assert float(restored(restorer, target, mask).changed.max()) == 0
    nobody = restored(restorer, replace(target, faces=((),), chosen=(None,)))
    assert nobody.report == (("0 faces restored by the upscale model",),)
    assert torch.equal(nobody.pictures, target.pictures)


def test_a_face_larger_than_the_restorers_is_told(tmp_path):
    restorer = read_restorer(restorer_file(tmp_path / "a.onnx", size=64))
    assert len(restored(restorer).report[0]) == 1
    pictures = functional.interpolate(person().pictures.movedim(-1, 1), scale_factor=8.0).movedim(1, -1)
    large = replace(person(), pictures=pictures, faces=((drawn(x=640.0, y=560.0, unit=480.0),),))
    assert "what was sharp may get softer" in restored(restorer, large).report[0][1]


def test_other_graphs_and_settings_are_refused(tmp_path):
    for name, inputs in (
        ("two", {"a": [1, 3, 64, 64], "b": [1, 3, 64, 64]}), ("grey", {"a": [1, 1, 64, 64]}),
        ("open", {"a": [1, 3, "h", "w"]}), ("more", {"a": [1, 3, 64, 64], "b": [1, 512]}),
    ):  # fmt: skip
        path = write(tmp_path / f"{name}.onnx", inputs, {"y": None}, [("Relu", ["a"], ["y"], {})], {})
        with pytest.raises(ValueError, match=r"is not a face restorer: its inputs are a .*take gfpgan_1.4.onnx, codef"):
            read_restorer(path)
    (tmp_path / "a.onnx").write_bytes(b"no")
    with pytest.raises(ValueError, match="cut short or is not an ONNX file"):
        read_restorer(tmp_path / "a.onnx")
    for settings, message in (
        ({"faces": "some"}, "faces is 'some'; choose one of chosen, all"),
        ({"fidelity": 1.5}, "fidelity is 1.5; it goes from 0 to 1"),
        ({"blend": float("nan")}, "blend is nan"),
    ):
        with pytest.raises(ValueError, match=message):
            restored(UpscaleRestorer(sharpened, 1.0), **settings)
    assert isinstance(read_restorer(restorer_file(tmp_path / "b.onnx")), OnnxRestorer)
