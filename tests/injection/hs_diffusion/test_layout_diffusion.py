"""Codec and UNet of the layout-conditioned model against diffusers' classes; their file; the mix while they sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from face_part_fusion.injection.files.weight_file import read_metadata, read_weights
from face_part_fusion.injection.hs_diffusion.codec import Codec, CodecShape
from face_part_fusion.injection.hs_diffusion.file import DiffusionConfig, checked_weights, read_config, save_diffusion
from face_part_fusion.injection.hs_diffusion.layout_unet import LayoutUNet, UNet, UNetShape, layout_cells
from face_part_fusion.injection.hs_diffusion.sampling import noise_levels, sample
from face_part_fusion.injection.sampling.masked_fusion import make_mix

UNETS = (
    UNetShape((32, 64, 64), (False, True, True), 2, 8, 16), UNetShape((16, 24), (False, False), 1, 8, 8),
    UNetShape((16, 16, 16, 24), (True, False, True, False), 1, 8, 8),
)  # fmt: skip
CODECS = (CodecShape((16, 32, 32), 2, 8, 3, 64), CodecShape((8, 16), 1, 8, 4, 32))


@pytest.mark.parametrize("shape", UNETS)
def test_the_unet_computes_as_diffusers_does(shape: UNetShape):
    pytest.importorskip("diffusers")
    from face_part_fusion.training.ldm.train import new_unet

    torch.manual_seed(0)
    theirs, ours = new_unet(shape).eval(), UNet(shape).eval()
    ours.load_state_dict(theirs.state_dict())
    x, t = torch.randn(2, 6, 16, 24), torch.tensor([3, 901])
    with torch.no_grad():
        assert torch.allclose(ours(x, t), theirs(x, t).sample, atol=1e-5)
        assert ours(torch.randn(1, 6, 15, 21), t[:1]).shape == (1, 3, 15, 21)


@pytest.mark.parametrize("shape", CODECS)
def test_the_codec_computes_as_diffusers_does(shape: CodecShape):
    pytest.importorskip("diffusers")
    from face_part_fusion.training.ldm.train import new_codec

    torch.manual_seed(0)
    theirs, ours = new_codec(shape).eval(), Codec(shape).eval()
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        z = theirs.encode(pictures := torch.rand(2, 3, 32, 48) * 2 - 1).latents
        assert z.shape[2:] == (32 // shape.factor, 48 // shape.factor)
        assert torch.allclose(ours.encode(pictures), z, atol=1e-5)
        # Near the middle of the codebook, so that many codes are chosen.
        assert torch.allclose(ours.decode(z * 0.01), theirs.decode(z * 0.01).sample, atol=1e-4)


def small() -> tuple[DiffusionConfig, LayoutUNet, Codec]:
    torch.manual_seed(1)
    config = DiffusionConfig(UNETS[0], CODECS[0], 1.3)
    return config, LayoutUNet(config.unet).eval(), Codec(config.codec).eval()


def test_a_file_comes_back_whole(tmp_path: Path):
    config, unet, codec = small()
    save_diffusion(config, unet.state_dict(), codec.state_dict(), tmp_path / "a.safetensors")
    again = read_config(read_metadata(tmp_path / "a.safetensors"), "a")
    weights = checked_weights(read_weights(tmp_path / "a.safetensors"), again, "a")
    assert again == config
    for module, state in zip((unet, codec), weights, strict=True):
        assert module.state_dict().keys() == state.keys()
        assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [({"format": "x"}, "format 'x'"), ({"version": "2"}, "update the pack"), ({"scale": "0"}, "metadata is damaged"),
     ({"unet": "{}", "codec": "[]"}, "metadata is damaged"), ({"unet": '{"attends": [true]}'}, "metadata is damaged")],
)  # fmt: skip
def test_other_metadata_are_refused(change: dict[str, str], said: str):
    from face_part_fusion.injection.hs_diffusion.file import metadata_of

    with pytest.raises(ValueError, match=said):
        read_config(metadata_of(small()[0]) | change, "the file")


@pytest.mark.parametrize("change", ["short", "more", "shape", "nan"])
def test_other_weights_are_refused(change: str):
    config, unet, codec = small()
    weights: dict[str, Any] = {f"model.{k}": v.clone() for k, v in unet.state_dict().items()}
    weights |= {f"codec.{k}": v for k, v in codec.state_dict().items()}
    key = "model.unet.conv_in.weight"
    if change == "short":
        del weights[key]
    elif change == "more":
        weights["else"] = torch.zeros(1)
    elif change == "shape":
        weights[key] = weights[key][:1]
    else:
        weights[key][0] = float("nan")
    with pytest.raises(ValueError, match="else" if change == "more" else "conv_in"):
        checked_weights(weights, config, "the file")


def test_layouts_shrink_with_the_latent():
    areas = torch.rand(1, 5, 42, 35).softmax(1)
    cells = layout_cells(areas, 4)
    assert cells.shape == (1, 5, 10, 8)
    assert torch.allclose(cells[0, :, 0, 0], areas[0, :, 1:5, 1:5].mean((1, 2)), atol=1e-6)


def test_the_noise_levels_are_those_of_the_published_schedule():
    diffusers = pytest.importorskip("diffusers")
    kept = diffusers.DDPMScheduler(1000, 0.0015, 0.0205, beta_schedule="scaled_linear").alphas_cumprod
    assert torch.allclose(noise_levels(1000)[:-1], ((1 - kept) / kept).sqrt().flip(0), rtol=1e-3)


def test_two_sources_come_back_and_the_layout_matters_between_them():
    config, unet, codec = small()
    areas, pictures = torch.rand(1, 5, 32, 32).softmax(1), torch.rand(2, 3, 32, 32) * 2 - 1
    head, body = torch.zeros(1, 32, 32), torch.zeros(1, 32, 32)
    head[:, :12], body[:, 20:] = 1, 1
    with torch.no_grad():
        z = codec.encode(pictures)
        sources = [(z[:1], head), (z[1:], body)]
        layers = make_mix(sources, "mix first", 0.0, 1.0, True)
    assert sample(unet, codec, config, areas, layers, steps=3).shape == (1, 3, 32, 32)
    latents: list[torch.Tensor] = []
    codec.decode = lambda latent: latents.append(latent) or latent  # type: ignore[method-assign,assignment]
    for layout in (areas, areas.flip(1)):
        sample(unet, codec, config, layout, layers, steps=3)
    for made in latents:
        assert torch.equal(made[:, :, :3], z[:1, :, :3]) and torch.equal(made[:, :, 5:], z[1:, :, 5:])
    assert not torch.equal(*(made[:, :, 3:5] for made in latents))
