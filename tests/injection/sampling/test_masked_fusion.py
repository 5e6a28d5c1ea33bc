from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from face_part_fusion.injection.sampling.masked_fusion import (
    CLEAN_SIGMA,
    HeldRegions,
    fit_mask,
    fit_target,
    make_layer,
    make_mix,
    seeded_noise,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.measured import measure, usable_hosts
from torch import Tensor

SIGMAS = {"eps": (10.0, 4.0, 1.5, 0.4, 0.0), "flow": (1.0, 0.8, 0.5, 0.2, 0.0)}
LEFT = torch.zeros(1, 6, 6).index_fill(2, torch.arange(3), 1.0)
RAMP = torch.linspace(0, 1, 6).expand(1, 6, 6)


class Family:
    """The two ways in which models mix a picture with noise, with a latent space of half the VAE's values."""

    def __init__(self, kind: str) -> None:
        self.kind, self.sigmas = kind, torch.tensor(SIGMAS[kind])

    def noise_scaling(self, sigma: Tensor, noise: Tensor, latent: Tensor) -> Tensor:
        return sigma * noise + (1 - sigma if self.kind == "flow" else 1) * latent

    def percent_to_sigma(self, percent: float) -> float:
        return float(self.sigmas[0]) * (1 - percent)

    def process_latent_in(self, latent: Tensor) -> Tensor:
        return latent / 2

    def get_model_object(self, name: str) -> Family:
        return self

    @property
    def model_sampling(self) -> Family:
        return self


class Executor:
    """The host's chain of wrappers, ending in `original`."""

    def __init__(self, original: Callable[..., Tensor], owner: Any, wrappers: list[Callable[..., Tensor]]) -> None:
        self.original, self.class_obj, self.wrappers = original, owner, wrappers

    def __call__(self, *words: Any, **more: Any) -> Tensor:
        if not self.wrappers:
            return self.original(*words, **more)
        return self.wrappers[0](Executor(self.original, self.class_obj, self.wrappers[1:]), *words, **more)


class Run:
    """One Euler sampling through the wrapper, as the host calls it. `seen`: x and sigma of every call of the model."""

    def __init__(self, kind: str, denoiser: Callable[[Tensor], Tensor]) -> None:
        self.family, self.denoiser = Family(kind), denoiser
        self.guider = SimpleNamespace(model_patcher=self.family, inner_model=self.family, wrappers=[], model_options={})
        self.seen: list[tuple[Tensor, Tensor]] = []

    def sample(
        self, layers: list[Any], noise: Tensor, latent: Tensor, sigmas: Tensor | None = None, seed: int = 3, **more: Any
    ) -> Tensor:
        held = HeldRegions(tuple(layers), lambda guider, wrapper: guider.wrappers.append(wrapper))
        around = [held] if layers else []
        sigmas = self.family.sigmas.clone() if sigmas is None else sigmas
        sampler, shapes = more.get("sampler"), more.get("latent_shapes", [latent.shape])
        return Executor(self.euler, self.guider, around)(
            noise, latent, sampler, sigmas, None, None, True, seed, latent_shapes=shapes
        )

    def euler(self, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, *_: Any, **more: Any) -> Tensor:
        x = self.family.noise_scaling(sigmas[0], noise, latent / 2)
        for now, then in zip(sigmas[:-1], sigmas[1:], strict=True):
            estimate = Executor(self.predict, self.guider, self.guider.wrappers)(x, now.expand(len(x)), {}, 3)
            x = x + (x - estimate) / now * (then - now)
        sigmas[-1] = 0.001  # uni_pc overwrites the sigmas that it is given
        return x * 2

    def predict(self, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: int) -> Tensor:
        self.seen.append((x, timestep))
        return self.denoiser(x)


def latent(seed: int, *shape: int) -> Tensor:
    return torch.randn(*(shape or (1, 4, 6, 6)), generator=torch.Generator().manual_seed(seed))


def oracle(picture: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: (picture / 2).expand_as(x)


@pytest.fixture(params=["eps", "flow"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


TARGET, PICTURE, NOISE, EMPTY = latent(1), latent(2), latent(3), torch.zeros(1, 4, 6, 6)


def test_outside_is_the_target_to_the_bit_and_inside_is_what_the_sampler_gives_alone(kind: str):
    held = Run(kind, oracle(PICTURE)).sample([make_layer(TARGET, LEFT, 0, 1, True)], NOISE, EMPTY)
    alone = Run(kind, oracle(PICTURE)).sample([], NOISE, EMPTY)
    assert torch.equal(held[..., 3:], TARGET[..., 3:])
    assert torch.equal(held[..., :3], alone[..., :3])


def test_the_model_is_given_the_target_at_the_noise_of_every_step(kind: str):
    run = Run(kind, torch.tanh)
    run.sample([make_layer(TARGET, LEFT, 0, 1, True)], NOISE, EMPTY)
    assert len(run.seen) == 4
    for x, sigma in run.seen:
        want = run.family.noise_scaling(sigma, NOISE, TARGET / 2)
        assert torch.equal(x[..., 3:], want[..., 3:])


def test_a_white_mask_leaves_the_sampling_as_it_is(kind: str):
    free = Run(kind, torch.tanh).sample([make_layer(TARGET, torch.ones(1, 48, 48), 0, 1, True)], NOISE, EMPTY)
    assert torch.equal(free, Run(kind, torch.tanh).sample([], NOISE, EMPTY))


@settings(deadline=None, max_examples=30)
@given(mask=arrays("float32", (1, 6, 6), elements=st.floats(0, 1, width=32)).filter(lambda m: m.any()))
def test_a_soft_mask_mixes_in_proportion_and_only_once(mask: Any):
    soft = torch.from_numpy(mask)
    for end in (1.0, 0.5):
        mixed = Run("flow", oracle(PICTURE)).sample([make_layer(TARGET, soft, 0, end, True)], NOISE, EMPTY)
        assert torch.allclose(mixed, PICTURE * soft + TARGET * (1 - soft), atol=1e-5)


def test_the_window_says_in_which_steps_the_region_is_held():
    run = Run("eps", oracle(PICTURE))
    done = run.sample([make_layer(TARGET, LEFT, 0.3, 0.9, False)], NOISE, EMPTY)
    want = [run.family.noise_scaling(sigma, NOISE, TARGET / 2) for _, sigma in run.seen]
    held = [torch.equal(x[..., 3:], w[..., 3:]) for (x, _), w in zip(run.seen, want, strict=True)]
    assert held == [False, True, True, False]
    assert torch.allclose(done, PICTURE, atol=1e-5)


def test_the_region_is_held_from_the_first_step_on_wherever_the_schedule_starts():
    # Hosts give exactly 1 for 0 percent of a flow, and a schedule may start a rounding above it.
    run = Run("flow", oracle(PICTURE))
    sigmas = torch.tensor([1 + 1e-6, 0.5, 0.0])
    run.sample([make_layer(TARGET, LEFT, 0, 1, True)], NOISE, EMPTY, sigmas)
    want = run.family.noise_scaling(sigmas[0], NOISE, TARGET / 2)
    assert torch.equal(run.seen[0][0][..., 3:], want[..., 3:])


def test_a_sampling_that_leaves_noise_ends_at_that_noise():
    part = torch.tensor(SIGMAS["eps"][:3])
    left = Run("eps", oracle(PICTURE)).sample([make_layer(TARGET, LEFT, 0, 1, True)], NOISE, EMPTY, part)
    assert torch.allclose(left[..., 3:] / 2, (TARGET / 2 + 1.5 * (NOISE - 0.1 * TARGET / 2))[..., 3:], atol=1e-5)


def test_a_sampler_that_counts_its_last_noise_as_clean_ends_at_the_target():
    layer, sigmas = make_layer(TARGET, LEFT, 0, 1, True), torch.tensor([4.0, 1.0, 0.03])
    for clean, exact in ((0.03, True), (0.02, False), (0.0, False)):
        sampler = SimpleNamespace(**{CLEAN_SIGMA: float(torch.tensor(clean))})
        run = Run("eps", oracle(PICTURE))
        done = run.sample([layer], NOISE, EMPTY, sigmas.clone(), sampler=sampler)
        assert torch.equal(done[..., 3:], TARGET[..., 3:]) == exact


def test_a_sampling_without_noise_of_its_own_takes_the_noise_of_its_seed():
    run = Run("eps", oracle(PICTURE))
    run.sample([make_layer(TARGET, LEFT, 0, 1, True)], torch.zeros_like(NOISE), latent(4), seed=11)
    noise = torch.randn(1, 4, 6, 6, generator=torch.manual_seed(11))
    assert torch.equal(run.seen[0][0][..., 3:], (TARGET / 2 + 10 * noise)[..., 3:])
    assert torch.equal(noise, seeded_noise(NOISE, 11))


def test_the_later_of_two_layers_lies_over_the_earlier():
    top, second = LEFT.transpose(1, 2), latent(5)
    layers = [make_layer(TARGET, LEFT, 0, 1, True), make_layer(second, top, 0, 1, True)]
    done = Run("flow", oracle(PICTURE)).sample(layers, NOISE, EMPTY)
    assert torch.equal(done[..., 3:, :], second[..., 3:, :])
    assert torch.equal(done[..., :3, 3:], TARGET[..., :3, 3:])
    assert torch.allclose(done[..., :3, :3], PICTURE[..., :3, :3], atol=1e-5)


def test_one_wrapper_serves_samplings_of_other_sizes_and_keeps_nothing():
    layer = make_layer(latent(1, 1, 4, 6, 6), torch.ones(1, 3, 3).tril(), 0, 1, True)
    held = HeldRegions((layer,), lambda guider, wrapper: guider.wrappers.append(wrapper))
    before = dict(vars(held))
    for count in (1, 2):
        run = Run("eps", oracle(PICTURE))
        sized = [latent(i, count, 4, 6, 6) for i in (3, 4)]
        shape = [sized[0].shape]
        done = Executor(run.euler, run.guider, [held])(*sized, None, run.family.sigmas.clone(), latent_shapes=shape)
        assert torch.equal(done[..., :1, 5:], layer.target.expand(count, -1, -1, -1)[..., :1, 5:])
    assert vars(held) == before


@pytest.mark.parametrize("side", [3, 6, 48])
def test_every_picture_of_a_batch_has_its_own_mask_and_a_black_one_stays_the_target(side: int):
    masks = torch.zeros(2, side, side)
    masks[1] = 1
    targets = latent(6, 2, 4, 6, 6)
    done = Run("eps", oracle(PICTURE)).sample([make_layer(targets, masks, 0, 1, True)], latent(7, 2, 4, 6, 6), targets)
    assert torch.equal(done[0], targets[0])
    assert torch.allclose(done[1], PICTURE[0], atol=1e-5)


def test_a_picture_in_a_video_model_keeps_its_own_mask():
    masks = torch.cat([LEFT, LEFT.flip(2)])
    fitted = fit_mask(masks, (2, 16, 1, 6, 6))
    assert torch.equal(fitted[:, 0, 0], masks)
    assert fit_target(latent(1), (2, 4, 1, 6, 6)).shape == (1, 4, 1, 6, 6)
    done = Run("flow", oracle(PICTURE[:, :, None])).sample(
        [make_layer(TARGET, masks, 0, 1, True)], latent(7, 2, 4, 1, 6, 6), torch.zeros(2, 4, 1, 6, 6)
    )
    assert torch.equal(done[0, ..., 3:], TARGET[0, :, None, :, 3:])
    assert torch.equal(done[1, ..., :3], TARGET[0, :, None, :, :3])


def test_masks_are_spread_over_the_frames_of_a_video():
    masks = torch.cat([LEFT, 1 - LEFT])
    fitted = fit_mask(masks, (1, 4, 2, 6, 6))
    assert torch.equal(fitted[0, 0], masks)
    assert fit_mask(masks, (1, 4, 4, 6, 6)).shape == (1, 1, 4, 6, 6)
    assert torch.equal(fit_mask(LEFT, (3, 4, 5, 6, 6))[0, 0, 4], LEFT[0])


@pytest.mark.parametrize(
    ("target", "mask", "window", "words"),
    [
        (torch.zeros(1, 4, 6, 6), LEFT, (0, 1), "target is empty"),
        (latent(1, 4, 6, 6), LEFT, (0, 1), r"shape \(4, 6, 6\)"),
        (TARGET, torch.zeros(1, 6, 6), (0, 1), "no white"),
        (TARGET, LEFT, (0.6, 0.4), "end_percent is 0.4 and start_percent 0.6"),
        (TARGET, LEFT, (0.5, 0.5), "must be the larger"),
    ],
)
def test_what_cannot_be_meant_is_refused(target: Tensor, mask: Tensor, window: tuple[float, float], words: str):
    with pytest.raises(ValueError, match=words):
        make_layer(target, mask, *window, True)


@pytest.mark.parametrize(
    ("target", "mask", "sampled", "words"),
    [
        (latent(1, 1, 4, 6, 8), LEFT, (1, 4, 6, 6), "target is 8 x 6 latent cells but the sampled latent is 6 x 6"),
        (latent(1, 1, 16, 6, 6), LEFT, (1, 4, 6, 6), "16 channels but the model samples 4"),
        (latent(1, 3, 4, 6, 6), LEFT, (2, 4, 6, 6), "target has 3 latents, but 2"),
        (TARGET, LEFT.expand(3, -1, -1), (2, 4, 6, 6), "mask has 3 masks, but 2"),
        (latent(1, 1, 4, 2, 6, 6), LEFT, (1, 4, 6, 6), r"\(1, 4, 2, 6, 6\) but the sampled latent \(1, 4, 6, 6\)"),
        (TARGET, LEFT, (1, 4, 36), "something other than one picture"),
    ],
)
def test_what_does_not_fit_the_sampled_latent_is_refused(target: Tensor, mask: Tensor, sampled: Any, words: str):
    empty = torch.zeros(sampled)
    with pytest.raises(ValueError, match=words):
        Run("eps", torch.tanh).sample([make_layer(target, mask, 0, 1, True)], torch.ones(sampled), empty)


def test_a_mask_whose_white_is_lost_at_the_size_of_the_latent_is_refused():
    dot = torch.zeros(1, 48, 48)
    dot[0, 0, 0] = 1
    with pytest.raises(ValueError, match="6 x 6 cells; grow the mask"):
        fit_mask(dot, (1, 4, 6, 6))


def test_latents_packed_into_one_are_refused():
    with pytest.raises(ValueError, match="take the node out"):
        Run("flow", torch.tanh).sample([make_layer(TARGET, LEFT, 0, 1, True)], NOISE, EMPTY, latent_shapes=[(1,), (1,)])


# In real hosts, with random weights of three families.


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "masked_fusion.py", tmp_path_factory.mktemp("masked"))


FAMILIES = pytest.mark.parametrize("family", ["sd15", "sdxl", "flow"])


@FAMILIES
def test_in_the_host_every_sampler_keeps_the_outside_and_makes_the_inside_anew(figures: dict[str, Any], family: str):
    assert len(figures[family]["samplers"]) >= 3
    for name, found in figures[family]["samplers"].items():
        assert found["white"] == 0 and found["outside"] == 0 and found["finite"], (name, found)
        # uni_pc stops at sigma 0.001, so without the target set at the end a trace of noise stays.
        assert found["outside_by_steps"] < (5e-2 if name == "uni_pc" else 1e-5), (name, found)
        assert found["inside"] > 0.1 and found["context"] > 0.1, (name, found)


@FAMILIES
def test_in_the_host_the_model_sees_the_noised_target_in_every_step_of_the_window(figures: dict[str, Any], family: str):
    found = figures[family]["steps"]
    assert found["off"] == 0 and found["calls"] == 5
    assert found["window"][2] == 0 and min(found["window"][3:]) > 0.1
    assert family == "flow" or found["window"][0] > 0.1  # at sigma 1 a flow's input is noise alone


@FAMILIES
def test_in_the_host_an_oracle_gives_its_picture_inside_and_soft_edges_in_proportion(
    figures: dict[str, Any], family: str
):
    found = figures[family]["oracle"]
    assert found["inside"] == 0 and found["outside"] == 0
    assert max(v for k, v in found["soft"].items() if k != "uni_pc") < 1e-5, found
    assert found["late"] < 1e-5 and found["loose"] < 1e-5, found


@FAMILIES
def test_in_the_host_it_composes_with_the_noise_mask(figures: dict[str, Any], family: str):
    found = figures[family]["with_noise_mask"]
    assert found["node"] == 0 and found["both"] < 1e-5 and found["host"] < 1e-5, found


@FAMILIES
def test_in_the_host_what_is_black_is_the_target_wherever_another_masker_frees_it(figures: dict[str, Any], family: str):
    for name, found in figures[family]["other_maskers"].items():
        assert found["white"] == 0, (name, found)
        if name.startswith("differential"):
            assert found["grey"] == found["black"] == 0, (name, found)
        else:
            assert found["mixed"] < 1e-5 and found["kept"] < 1e-5, (name, found)


@FAMILIES
def test_in_the_host_what_all_masks_free_is_the_models_and_inpainting_conditioning_changes_nothing_outside(
    figures: dict[str, Any], family: str
):
    assert all(found["free"] < 1e-5 for found in figures[family]["other_maskers"].values())
    inpaint = figures[family]["inpaint"]
    # Where its noise mask is black, the host scales the latent to and fro.
    assert inpaint["outside"] < 1e-5 and inpaint["free"] < 1e-5, inpaint


@FAMILIES
def test_in_the_host_two_samplers_in_a_row_hold_the_same_noise(figures: dict[str, Any], family: str):
    found = figures[family]["stages"]
    assert found["level"] == 0 and found["end"] < 1e-5 and found["noisy"] > 0.1, found


def test_in_the_host_the_released_sampling_ends_at_the_target_as_well(figures: dict[str, Any]):
    found = figures["released"]
    assert found["outside"] == 0 and found["inside"] > 0.1 and found["free"] > 1e-3 and found["first half"] > 1e-3


def test_in_the_host_clones_siblings_and_batches_do_not_affect_one_another(figures: dict[str, Any]):
    clones, batch = figures["clones"], figures["batch"]
    same = ("sibling", "second", "parent", "repeat", "left_over", "chain_later", "chain_earlier")
    assert all(clones[name] == 0 for name in same), clones
    assert clones["chain_inside"] > 0.1
    assert batch["own"] == 0 and batch["shared"] == 0 and batch["inside"] > 0.1, batch


def test_in_the_host_what_does_not_fit_is_said(figures: dict[str, Any]):
    words = {"size": "6 x 8", "channels": "has 3 channels", "targets": "3 latents, but 2", "masks": "3 masks, but 2"}
    words |= {"packed": "take the node out", "nested": "several latents in one"}
    refusals = figures["refusals"]
    assert {k: w in refusals[k] for k, w in words.items()} == dict.fromkeys(words, True)
    assert all(refusals[k].startswith("Masked Fusion: ") for k in words if k != "nested"), refusals


HEAD = torch.zeros(1, 6, 6).index_fill(2, torch.arange(2), 1.0)
BODY = torch.zeros(1, 6, 6).index_fill(2, torch.arange(4, 6), 1.0)
OTHER = latent(9)


def mixed_by_hand(
    run: Run, sources: list[tuple[Tensor, Tensor]], order: str, denoiser: Callable[[Tensor], Tensor]
) -> Tensor:
    """CompVis' mask branch with several sources, Euler steps, and Blended Latent Diffusion's order."""
    family = run.family
    z = family.noise_scaling(family.sigmas[0], NOISE, EMPTY)

    def mix(z: Tensor, pictures: list[Tensor]) -> Tensor:
        rest = 1 - sum(mask for _, mask in sources)
        return sum(mask * picture for picture, (_, mask) in zip(pictures, sources, strict=True)) + rest * z

    def noised(sigma: Tensor) -> list[Tensor]:
        return [family.noise_scaling(sigma, NOISE, source / 2) for source, _ in sources]

    for now, then in zip(family.sigmas[:-1], family.sigmas[1:], strict=True):
        if order == "mix first":
            z = mix(z, noised(now))
        z = z + (z - denoiser(z)) / now * (then - now)
        if order == "after the step" and then > 0:
            z = mix(z, noised(then))
    return mix(z, [source / 2 for source, _ in sources]) * 2


@pytest.mark.parametrize("order", ["mix first", "after the step"])
@pytest.mark.parametrize("sources", [
    [(TARGET, HEAD)], [(TARGET, HEAD), (OTHER, BODY)], [(TARGET, 0.6 * RAMP), (OTHER, 0.4 * (1 - RAMP))],
], ids=["one source", "two sources", "soft masks"])  # fmt: skip
def test_a_mix_is_the_published_loop(kind: str, order: str, sources: list[tuple[Tensor, Tensor]]):
    run = Run(kind, torch.tanh)
    layers = make_mix(sources, order, 0, 1, True)
    want = mixed_by_hand(run, [(source, mask[:, None]) for source, mask in sources], order, torch.tanh)
    assert torch.allclose(run.sample(list(layers), NOISE, EMPTY), want, atol=1e-5)


def test_both_sources_come_back_to_the_bit_whatever_the_model_says(kind: str):
    layers = make_mix([(TARGET, HEAD), (OTHER, BODY)], "mix first", 0, 1, True)
    result = Run(kind, lambda x: torch.randn_like(x)).sample(list(layers), NOISE, EMPTY)
    assert torch.equal(result[..., :2], TARGET[..., :2]) and torch.equal(result[..., 4:], OTHER[..., 4:])


def test_a_mix_begins_where_its_span_does():
    layers = make_mix([(TARGET, HEAD)], "mix first", 0.5, 1, True)
    run = Run("eps", torch.tanh)
    run.sample(list(layers), NOISE, EMPTY)
    want = [run.family.noise_scaling(sigma, NOISE, TARGET / 2) for _, sigma in run.seen]
    held = [torch.allclose(x[..., :2], w[..., :2]) for (x, _), w in zip(run.seen, want, strict=True)]
    assert held == [False, True, True, True]


def test_the_first_source_lies_over_the_second():
    first, second = make_mix([(TARGET, HEAD), (OTHER, HEAD + 0.5 * BODY)], "mix first", 0, 1, True)
    assert torch.equal(first.mask, 1 - HEAD) and torch.equal(second.mask, 1 - 0.5 * BODY)
    assert first.mix is second.mix


def test_a_mix_lies_over_a_region_that_is_held():
    held = make_layer(PICTURE, torch.ones(1, 6, 6).index_fill(2, torch.tensor([0, 2]), 0.0), 0, 1, True)
    result = Run("flow", torch.tanh).sample([held, *make_mix([(TARGET, HEAD)], "mix first", 0, 1, True)], NOISE, EMPTY)
    assert torch.equal(result[..., :2], TARGET[..., :2]) and torch.equal(result[..., 2], PICTURE[..., 2])


def test_masks_that_leave_nothing_and_another_order_are_refused():
    with pytest.raises(ValueError, match="nothing would be made anew"):
        make_mix([(TARGET, HEAD), (OTHER, 1 - HEAD)], "mix first", 0, 1, True)
    with pytest.raises(ValueError, match="order is 'x'"):
        make_mix([(TARGET, HEAD)], "x", 0, 1, True)
