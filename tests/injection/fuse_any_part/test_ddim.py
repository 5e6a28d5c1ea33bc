"""FuseAnyPart's released schedule and steps, beside diffusers' DDIMScheduler."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from face_part_fusion.injection.fuse_any_part.ddim import alpha_bars, ddim, sigmas, timesteps
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor


def scheduler(steps: int) -> Any:
    diffusers = pytest.importorskip("diffusers")
    theirs = diffusers.DDIMScheduler(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    theirs.set_timesteps(steps)
    return theirs


def test_the_published_figures():
    assert timesteps(50) == list(range(981, 0, -20))
    assert float(alpha_bars()[981]) == pytest.approx(0.005775495898, rel=1e-5)
    assert float(alpha_bars()[0]) == pytest.approx(0.99914998, rel=1e-7)
    assert float(sigmas(50)[0]) == pytest.approx(13.12, abs=0.01)


@pytest.mark.parametrize("steps", [1, 2, 7, 50, 333, 999])
def test_timesteps_are_those_of_diffusers(steps: int):
    theirs = scheduler(steps)
    assert timesteps(steps) == theirs.timesteps.tolist()
    bars = theirs.alphas_cumprod[[*timesteps(steps), 0]].double()
    assert torch.allclose(1 / (1 + sigmas(steps) ** 2), bars, rtol=1e-4)


@given(st.integers(1, 1000))
def test_every_number_of_steps_gives_a_falling_schedule(steps: int):
    schedule = sigmas(steps)
    assert len(schedule) == steps + 1 and len(timesteps(steps)) == steps
    assert bool((schedule[1:] <= schedule[:-1]).all()) and bool((schedule > 0).all())


@pytest.mark.parametrize("steps", [0, 1001])
def test_too_few_or_too_many_steps_are_an_error(steps: int):
    with pytest.raises(ValueError, match=f"steps is {steps}"):
        timesteps(steps)


@pytest.mark.parametrize("steps", [1, 4, 25])
def test_a_whole_loop_gives_what_diffusers_gives(steps: int):
    reference, start = scheduler(steps), torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.18215

    def noise(x: Tensor, t: int) -> Tensor:
        return torch.tanh(x * 2 + t / 1000) + 0.1 * x.roll(1, -1)

    theirs = start
    for t in reference.timesteps:
        theirs = reference.step(noise(theirs, int(t)), t, theirs, eta=0.0).prev_sample
    calls: list[int] = []
    ours = ddim(lambda x, i: noise(x, timesteps(steps)[i]), start, sigmas(steps), lambda i, x, clean: calls.append(i))
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert calls == list(range(steps))


def test_the_last_trained_timestep_twice_changes_nothing():
    start = torch.randn(1, 4, 4, 4)
    still = ddim(lambda x, i: torch.cos(x), start, sigmas(1000)[:2])
    assert torch.allclose(still, start, atol=1e-5)


class OnDevice(torch.Tensor):
    """A tensor of a device without double precision."""

    def double(self) -> Tensor:
        raise TypeError("this device has no float64")

    def cpu(self) -> Tensor:
        return self.as_subclass(Tensor)


def test_the_schedule_may_lie_on_a_device_without_double_precision():
    schedule = sigmas(4).float()
    start = torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    latents = ddim(lambda x, i: 0.1 * x, start, schedule.as_subclass(OnDevice))
    assert torch.equal(latents, ddim(lambda x, i: 0.1 * x, start, schedule))
