"""FaceX's controller as patches: masks of another shape, pieces of the latent, start and end, later hosts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from face_part_fusion.injection.facex.control import RepresentationControl
from face_part_fusion.injection.facex.patch import ControlPatch
from torch import Tensor

WIDTH, SIDE = 16, 8


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def patch(**how: Any) -> ControlPatch:
    torch.manual_seed(0)
    control = RepresentationControl("sd15", {"input_1": WIDTH}).requires_grad_(False)
    return ControlPatch(control, draw(1, 3, 768), draw(1, 3, 768, seed=1), **how)


def options(h: int = SIDE, w: int = SIDE, sigma: float = 3.0, **more: Any) -> dict[str, Any]:
    return {
        "block": ("input", 1), "cond_or_uncond": [1, 0], "sigmas": torch.tensor([sigma, sigma]),
        "activations_shape": [2, WIDTH, h, w], "original_shape": [2, 4, h, w], **more,
    }  # fmt: skip


def run(made: ControlPatch, given: dict[str, Any]) -> Tensor:
    h, w = given["activations_shape"][-2:]
    made.remember(draw(2, h * w, WIDTH), given)
    return made.add(draw(2, h * w, WIDTH, seed=2), given)


def test_a_mask_of_another_shape_than_the_latent_is_refused():
    made = patch(mask=torch.ones(1, 128, 256))
    with pytest.raises(ValueError, match="256 x 128 pixels and the latent 8 x 8 cells, which is another shape"):
        made.begin(torch.zeros(1, 4, SIDE, SIDE), float)
    made.begin(torch.zeros(1, 4, SIDE, 2 * SIDE), float)
    patch(mask=torch.ones(1, 1, 1)).begin(torch.zeros(1, 4, SIDE, 3 * SIDE), float)


def test_a_mask_is_not_squeezed_into_a_piece_of_the_latent_and_without_one_a_piece_is_steered():
    whole, piece = torch.zeros(1, 4, SIDE, SIDE), options(4, 4)
    masked = patch(mask=torch.ones(1, 64, 64))
    masked.begin(whole, float)
    assert run(masked, options()).isfinite().all()
    with pytest.raises(ValueError, match="a piece of 4 x 4 cells of a latent of 8 x 8.*use masked conditioning"):
        run(masked, piece)
    for everywhere in (patch(), patch(mask=torch.ones(1, 1, 1))):
        everywhere.begin(whole, float)
        assert not torch.equal(run(everywhere, piece), draw(2, 16, WIDTH, seed=2))


def test_start_and_end_follow_the_noise_levels_of_the_model_that_samples_and_are_read_once_per_step(monkeypatch):
    made, unchanged = patch(start=0.5, end=0.9), draw(2, SIDE * SIDE, WIDTH, seed=2)

    def acts(sigma: float) -> bool:
        return not torch.equal(run(made, options(sigma=sigma)), unchanged)

    for scale in (10, 100):
        made.begin(torch.zeros(1, 4, SIDE, SIDE), lambda share, scale=scale: scale * (1 - share))
        assert [acts(scale * level) for level in (0.6, 0.5, 0.2, 0.05)] == [False, True, True, False]
        made.forget()
    made.begin(torch.zeros(1, 4, SIDE, SIDE), lambda share: 10 * (1 - share))
    read, sigmas = [], options(sigma=2.0)["sigmas"]
    monkeypatch.setattr(Tensor, "__float__", lambda self: read.append(1) or 2.0)
    for _ in range(16):
        run(made, options(sigmas=sigmas))
    assert len(read) == 1
    with pytest.raises(ValueError, match="end must be the larger one"):
        patch(start=0.5, end=0.5)


def test_arguments_of_later_hosts_are_let_by_and_a_copied_model_keeps_the_patch():
    made, given = patch(), options()
    made.remember(draw(2, 64, WIDTH), given, later=1)
    assert made.add(draw(2, 64, WIDTH), given, later=1).shape == (2, 64, WIDTH)
    assert copy.deepcopy([made])[0] is made
