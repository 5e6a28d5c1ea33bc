"""The layout-conditioned model trained in miniature on drawn people: losses fall, layouts are obeyed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from face_part_fusion.fusion.regions.layout import BACKGROUND, BODY, FACE, HAIR, NECK, layout_of
from face_part_fusion.injection.hs_diffusion.codec import Codec, CodecShape
from face_part_fusion.injection.hs_diffusion.file import DiffusionConfig
from face_part_fusion.injection.hs_diffusion.layout_unet import LayoutUNet, UNetShape
from face_part_fusion.injection.hs_diffusion.sampling import sample
from face_part_fusion.training.ldm.people import Sample, batches, head_covered
from face_part_fusion.training.ldm.train import Settings, scale_of, train_codec, train_unet
from support.drawn_people import CLOTH, GROUND, SKIN, drawn_person
from support.drawn_people import HAIR as HAIR_COLOUR

SIZE = 32
SETTINGS = Settings(codec_steps=120, steps=300, batch=8, codec_rate=4e-3, rate=2e-3, keep=0.985)


def person(seed: int) -> Sample:
    return drawn(torch.rand(5, generator=torch.Generator().manual_seed(seed)).tolist())


def drawn(draw: Sequence[float]) -> Sample:
    """`draw`: place across and down, size, length of the hair, width of the neck; 0..1."""
    parts = drawn_person(
        x=12 + 8 * draw[0], y=9 + 7 * draw[1], unit=5.5 + 2.5 * draw[2], hair_length=2 * draw[3] * (draw[3] > 0.5),
        neck_width=1.1 + 0.5 * draw[4], size=(SIZE, SIZE),
    )  # fmt: skip
    return Sample(parts.pictures[0].permute(2, 0, 1) * 2 - 1, layout_of(parts.pictures[0], parts.faces[0][0]))


def test_another_head_blanks_all_but_the_persons_own_head_and_neck():
    own, other = person(0).areas, person(1).areas
    layout, silhouette = head_covered(own, other), (other[HAIR] + other[FACE]).clamp(0, 1)
    assert torch.equal(layout[[HAIR, FACE, NECK]], own[[HAIR, FACE, NECK]])
    assert float(layout[[BACKGROUND, BODY]][:, silhouette == 1].max()) == 0


@pytest.mark.slow
def test_losses_fall_and_the_layout_is_obeyed(tmp_path: Path):
    pytest.importorskip("diffusers")
    people = [person(i) for i in range(32)]
    # Small on the left and large on the right in turn, so that neighbours differ by more than a latent's cell.
    judges = [drawn((k, k, k, hair, 0.5)) for hair in (0.2, 0.6, 0.9) for k in (0.05, 0.95)]
    lines: list[str] = []
    data = batches(people, SETTINGS.batch, 0)
    codec_shape, unet_shape = CodecShape((16, 16, 32), 1, 8, 3, 64), UNetShape((32, 48), (False, True), 1, 8, 24)
    trained = train_codec(codec_shape, data, tmp_path / "codec.pt", SETTINGS, lines.append)
    config = DiffusionConfig(unet_shape, codec_shape, scale_of(trained, data))
    denoiser = train_unet(config, trained, data, tmp_path / "unet.pt", SETTINGS, lines.append)
    for name in ("codec", "unet"):
        losses = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)]
        assert losses[-1] < 0.6 * losses[0], losses
    net, codec = LayoutUNet(unet_shape), Codec(codec_shape)
    net.load_state_dict(denoiser.state_dict())
    codec.load_state_dict(trained.state_dict())
    areas = torch.stack([judge.areas for judge in judges])
    shown = classes_of(sample(net, codec, config, areas, steps=10))
    own, others = classes(areas), classes(areas.roll(1, 0))
    right, wrong = ((shown == truth)[own != others].float().mean() for truth in (own, others))
    # Where two layouts differ, the picture is that of its own.
    assert right > wrong + 0.25, (right, wrong, lines)


def test_a_run_that_was_cut_off_in_either_network_ends_as_one_that_was_not(tmp_path: Path):
    pytest.importorskip("diffusers")
    people, settings = [person(i) for i in range(4)], Settings(codec_steps=5, steps=4, batch=2)
    shapes = CodecShape((8, 8), 1, 8, 3, 16), UNetShape((16, 16), (False, False), 1, 8, 8)

    def run(name: str, codec_stop: int | None = None, stop: int | None = None) -> torch.nn.Module:
        data = batches(people, settings.batch, 0)
        codec_state, unet_state = tmp_path / f"{name}_codec.pt", tmp_path / f"{name}_unet.pt"
        codec = train_codec(shapes[0], data, codec_state, settings, lambda _: None, stop=codec_stop)
        if codec_stop is not None:
            return codec
        config = DiffusionConfig(shapes[1], shapes[0], scale_of(codec, data))
        return train_unet(config, codec, data, unet_state, settings, lambda _: None, stop=stop)

    whole = run("whole")
    run("cut", codec_stop=2)
    run("cut", stop=3)
    pairs = zip(whole.state_dict().values(), run("cut").state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def classes(areas: torch.Tensor) -> torch.Tensor:
    """(N, H, W): ground, hair, skin or cloth."""
    return torch.stack([areas[:, BACKGROUND], areas[:, HAIR], areas[:, FACE] + areas[:, NECK], areas[:, BODY]]).argmax(
        0
    )


def classes_of(pictures: torch.Tensor) -> torch.Tensor:
    """The same, of the colours that the people are drawn in."""
    colours = torch.tensor([GROUND, HAIR_COLOUR, SKIN, CLOTH]) * 2 - 1
    return (pictures[:, None] - colours[None, :, :, None, None]).square().sum(2).argmin(1)
