"""FaceX's controller as patches: masks of another shape, pieces of the latent, start and end, later hosts."""

from __future__ import annotations

import copy
import gc
from typing import Any

import pytest
import torch
from face_part_fusion.injection.facex.control import RepresentationControl
from face_part_fusion.injection.facex.patch import ControlPatch
from face_part_fusion.injection.sampling.run import SamplingRun
from face_part_fusion.injection.sampling.span import Span
from support.sampling_runs import Guider, in_run
from torch import Tensor

WIDTH, SIDE = 16, 8


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def patch(count: int = 1, **how: Any) -> ControlPatch:
    torch.manual_seed(0)
    control = RepresentationControl("sd15", {"input_1": WIDTH}).requires_grad_(False)
    return ControlPatch(control, draw(count, 3, 768), draw(1, 3, 768, seed=1), owner="A Node", **how)


def options(h: int = SIDE, w: int = SIDE, sigma: float = 3.0, **more: Any) -> dict[str, Any]:
    return {
        "block": ("input", 1), "cond_or_uncond": [1, 0], "sigmas": torch.tensor([sigma, sigma]),
        "activations_shape": [2, WIDTH, h, w], "original_shape": [2, 4, h, w], **more,
    }  # fmt: skip


def call(made: ControlPatch, given: dict[str, Any]) -> Tensor:
    """One block of one call of the model, with the host's options in `given`."""
    h, w = given["activations_shape"][-2:]
    made.remember(draw(2, h * w, WIDTH), given)
    return made.add(draw(2, h * w, WIDTH, seed=2), given)


def sampled(
    made: ControlPatch, *calls: dict[str, Any], latent: tuple[int, int] = (SIDE, SIDE), **how: Any
) -> list[Any]:
    """What `call` returns for each of `calls` within one sampling run of latents of this size."""
    return in_run(made, torch.zeros(1, 4, *latent), lambda run: [call(made, one | run) for one in calls], **how)


def test_a_mask_of_another_shape_than_the_latent_is_refused():
    wide = patch(mask=torch.ones(1, 128, 256))
    words = "A Node: FaceX's mask: .* 256 x 128 pixels and the latent 8 x 8 cells, which is another shape"
    with pytest.raises(ValueError, match=words):
        sampled(wide)
    sampled(wide, latent=(SIDE, 2 * SIDE))
    sampled(patch(mask=torch.ones(1, 1, 1)), latent=(SIDE, 3 * SIDE))


def test_a_mask_is_not_squeezed_into_a_piece_of_the_latent_and_without_one_a_piece_is_steered():
    piece, masked = options(4, 4), patch(mask=torch.ones(1, 64, 64))
    assert sampled(masked, options())[0].isfinite().all()
    words = "A Node: .* a piece of 4 x 4 cells of a latent of 8 x 8.*tiled sampling"
    with pytest.raises(ValueError, match=words):
        sampled(masked, piece)
    for everywhere in (patch(), patch(mask=torch.ones(1, 1, 1))):
        assert not torch.equal(sampled(everywhere, piece)[0], draw(2, 16, WIDTH, seed=2))


def test_counts_that_do_not_fit_are_said_with_the_name_of_the_node():
    with pytest.raises(ValueError, match="A Node: face_representation has 2 pictures, but 1 latent is sampled"):
        sampled(patch(2), options())
    with pytest.raises(ValueError, match="A Node: mask has 2 masks, but 1 latent is sampled"):
        sampled(patch(mask=torch.ones(2, 8, 8)), options())


def test_start_and_end_follow_the_noise_levels_of_the_model_that_samples_and_are_read_once_per_step(monkeypatch):
    made, unchanged = patch(span=Span(0.5, 0.9)), draw(2, SIDE * SIDE, WIDTH, seed=2)
    for scale in (10, 100):
        calls = [options(sigma=scale * level) for level in (0.6, 0.5, 0.2, 0.05)]
        given = sampled(made, *calls, highest=scale)
        assert [torch.equal(one, unchanged) for one in given] == [True, False, False, True]
    read, sigmas = [], options(sigma=2.0)["sigmas"]
    monkeypatch.setattr(Tensor, "__float__", lambda self: read.append(1) or 2.0)
    sampled(made, *(options(sigmas=sigmas) for _ in range(16)), highest=10.0)
    assert len(read) == 1


def test_nested_sampling_runs_of_one_patch_have_states_of_their_own():
    made, noise, inner = patch(span=Span(0.5, 0.9)), torch.zeros(1, 4, SIDE, SIDE), []
    unchanged = draw(2, SIDE * SIDE, WIDTH, seed=2)

    def outer(run: dict[str, Any]) -> Tensor:
        inner.extend(sampled(made, options(sigma=2.0), highest=100.0))
        return call(made, options(sigma=2.0) | run)

    assert not torch.equal(in_run(made, noise, outer, highest=10.0), unchanged)
    assert torch.equal(inner[0], unchanged)


def test_nothing_of_a_sampling_run_is_left_after_it_even_when_it_fails():
    made, guider = patch(), Guider()
    for ends in (False, True):

        def sampler(run: dict[str, Any], ends: bool = ends) -> None:
            call(made, options() | run)
            if not ends:
                raise RuntimeError("stopped")

        try:
            in_run(made, torch.zeros(1, 4, SIDE, SIDE), sampler, guider)
        except RuntimeError:
            assert not ends
        gc.collect()
        assert guider.model_options == {"transformer_options": {}}
        assert not any(type(one) is SamplingRun for one in gc.get_objects())


def test_arguments_of_later_hosts_are_let_by_and_a_copied_model_keeps_the_patch():
    made, given = patch(), options()
    made.remember(draw(2, 64, WIDTH), given, later=1)
    assert made.add(draw(2, 64, WIDTH), given, later=1).shape == (2, 64, WIDTH)
    assert copy.deepcopy([made])[0] is made
