"""Head Layout Diffusion Loader in real hosts: MODEL and VAE compute as the pack's own modules, alone and mixed."""

from __future__ import annotations

from typing import Any

import pytest
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "layout_diffusion.py", tmp_path_factory.mktemp("diffusion"))


def test_the_vae_is_the_codec(figures: dict[str, Any]):
    assert figures["encode"] < 1e-5 and figures["decode"] < 1e-5


def test_the_hosts_euler_gives_what_the_packs_own_sampling_gives(figures: dict[str, Any]):
    assert figures["plain"] < 1e-4 and figures["mixed"] < 1e-4 and figures["other layout"] > 1e-3


def test_semantic_mix_keeps_head_and_body_to_the_bit(figures: dict[str, Any]):
    assert figures["head"] and figures["body"] and figures["between"] > 1e-5


def test_what_does_not_fit_is_said(figures: dict[str, Any]):
    assert "wire conditioning of Layout Complete" in figures["no layout"]
    assert "28 x 40 pixels, which are 7 x 10 cells, and the sampled latent is 8 x 10" in figures["size"]
    assert "2 layouts and the latent 3 pictures" in figures["count"]
    assert "1 missing (model.layout_encoder.weight)" in figures["short"]
    assert "metadata is damaged" in figures["damaged"] and "format 'nothing'" in figures["other"]
    assert "weights names 'nothing.safetensors', which is not there" in figures["nothing"]
