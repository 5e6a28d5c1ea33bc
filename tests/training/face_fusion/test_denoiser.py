"""The miniature's attention, and that the pack's node in a real host samples the same pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from face_part_fusion.injection.face_fusion.file import build_projections, save_projections
from face_part_fusion.injection.files.weight_file import read_metadata, read_weights
from face_part_fusion.training.face_fusion.model import TRAINED, TRAINING_FREE, ReferenceDenoiser
from face_part_fusion.training.face_fusion.noise import levels
from face_part_fusion.training.face_fusion.sampling import sample, timesteps_of
from safetensors.torch import load_file, save_file
from support.hosts import Host
from support.measured import measure, usable_hosts
from torch import Tensor

WIDTHS = (32, 64, 96)
TIMES = torch.tensor([300, 800])


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def net() -> ReferenceDenoiser:
    """With random weights, and projections that give something."""
    pytest.importorskip("diffusers")
    torch.manual_seed(0)
    net = ReferenceDenoiser(WIDTHS).eval()
    with torch.no_grad():
        for i, projection in enumerate(net.projections.layers.values()):
            weight: Any = projection.to_v.weight
            weight.copy_(draw(*weight.shape, seed=i) / weight.shape[0] ** 0.5)
    return net


def predicted(net: ReferenceDenoiser, references: Tensor | None, mechanism: str = TRAINED, **more: Any) -> Tensor:
    net.set_references(references, mechanism)
    with torch.no_grad():
        return net(draw(2, 4, 8, 8, seed=1), TIMES, **more)


def gap(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.std())


def test_layers_are_named_as_the_host_names_them(net):
    assert {name: width for name, width in net.projections.widths.items()} == {
        "input_1_0": 32, "input_3_0": 64, "input_5_0": 96, "middle_0_0": 96, "output_0_0": 96, "output_1_0": 96,
        "output_2_0": 64, "output_3_0": 64, "output_4_0": 32, "output_5_0": 32,
    }  # fmt: skip


@pytest.mark.parametrize("mechanism", [TRAINED, TRAINING_FREE])
class TestReferences:
    def test_change_the_pictures_that_look_at_them(self, net, mechanism: str):
        plain, references = predicted(net, None), draw(2, 1, 4, 8, 8, seed=2)
        assert gap(predicted(net, references, mechanism), plain) > 1e-2
        assert torch.equal(predicted(net, references, mechanism, looks=False), plain)

    def test_are_each_picture_s_own(self, net, mechanism: str):
        first, second = draw(2, 1, 4, 8, 8, seed=2), draw(2, 1, 4, 8, 8, seed=3)
        mixed = predicted(net, torch.stack([first[0], second[1]]), mechanism)
        assert gap(mixed[:1], predicted(net, first, mechanism)[:1]) < 1e-5
        assert gap(mixed[1:], predicted(net, second, mechanism)[1:]) < 1e-5
        assert gap(mixed[1:], predicted(net, first, mechanism)[1:]) > 1e-2

    def test_twice_the_same_count_once_and_order_does_not_count(self, net, mechanism: str):
        one, two = draw(2, 1, 4, 8, 8, seed=2), draw(2, 2, 4, 8, 8, seed=3)
        assert gap(predicted(net, one.expand(-1, 2, -1, -1, -1), mechanism), predicted(net, one, mechanism)) < 1e-5
        assert gap(predicted(net, two.flip(1), mechanism), predicted(net, two, mechanism)) < 1e-5


def test_new_projections_take_attention_and_give_nothing():
    pytest.importorskip("diffusers")
    torch.manual_seed(0)
    net = ReferenceDenoiser(WIDTHS)
    net.set_references(draw(1, 1, 4, 8, 8))
    net(draw(1, 4, 8, 8), TIMES[:1]).square().mean().backward()
    gradients = [projection.to_v.weight.grad for projection in net.projections.layers.values()]
    assert all(gradient is not None and bool(gradient.any()) for gradient in gradients)


@pytest.mark.parametrize("host", usable_hosts())
def test_the_node_samples_the_same_pictures(host: Host, net, tmp_path: Path):
    path = save_projections(net.projections, tmp_path / "face_fusion.safetensors")
    build_projections(read_weights(path), read_metadata(path), path)
    save_file(net.unet.state_dict(), tmp_path / "unet.safetensors")
    noise, references, guidance, steps = draw(1, 4, 8, 8, seed=5), draw(2, 4, 8, 8, seed=6), 2.0, 3
    a, s = levels()
    now = timesteps_of(steps)[:-1]
    sigmas = torch.cat([s[now] / a[now], torch.zeros(1)])
    inputs = {"noise": noise, "references": references, "sigmas": sigmas, "guidance": torch.tensor(guidance)}
    save_file(inputs, tmp_path / "inputs.safetensors")
    assert measure(host, "face_fusion_miniature.py", tmp_path) == {"layers": 10}
    pictures = load_file(tmp_path / "pictures.safetensors")
    nobody = sample(net, noise, steps=steps)
    assert gap(pictures["nobody"], nobody) < 1e-4
    for mechanism in (TRAINED, TRAINING_FREE):
        expected = sample(net, noise, references[None], mechanism=mechanism, steps=steps, guidance=guidance)
        assert gap(pictures[mechanism], expected) < 1e-4 and gap(expected, nobody) > 1e-2
