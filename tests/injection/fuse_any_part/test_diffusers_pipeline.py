"""The whole released computation with diffusers' modules, against diffusers' own scheduler and plain steps."""

import pytest
import torch
from face_part_fusion.fusion.features.records import FusedFeatures, TargetPicture
from face_part_fusion.injection.fuse_any_part.checkpoint import read_checkpoint
from face_part_fusion.injection.fuse_any_part.diffusers_models import build_adapter, build_unet, load_encoder
from face_part_fusion.injection.fuse_any_part.diffusers_pipeline import (
    Sampling,
    generate,
    masked_latent,
    sample_latents,
)
from face_part_fusion.injection.fuse_any_part.diffusers_unet import Injection
from face_part_fusion.injection.fuse_any_part.latents import MaskedLatent
from support.fuse_weights import TINY, random_fap

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

WIDTH, CPU = 32, torch.device("cpu")


@pytest.fixture(scope="module", params=["A", "B"])
def checkpoint(request):
    return read_checkpoint(random_fap(request.param, TINY, width=WIDTH), "random")


@pytest.fixture(scope="module")
def injection(checkpoint):
    with Injection(build_unet(checkpoint, CPU, torch.float32), build_adapter(checkpoint, CPU, torch.float32)) as made:
        yield made


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    return make_vae().eval().requires_grad_(False)


def make_vae(**more):
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 4, 4), layers_per_block=1, norm_num_groups=2, **more,
    )  # fmt: skip


def fused_features(mode="practical", height=128, width=128, batch=1, seed=0, cells=4, view=(0.0, 0.0, 1.0, 1.0)):
    g = torch.Generator().manual_seed(seed)
    picture = torch.rand(batch, height, width, 3, generator=g)
    mask = torch.zeros(batch, height, width)
    mask[:, height // 4 : height // 2, width // 4 : -width // 4] = 1
    box = torch.tensor([[0.25, 0.25, 0.5, 0.75]] * batch)
    painted = torch.lerp(picture, torch.full((3,), 0.7).expand_as(picture), mask[..., None])
    target = TargetPicture(picture, painted, torch.tensor([view] * batch), {"eyes": box}, mask)
    tokens = torch.randn(batch + 1, 1 + cells * cells, WIDTH, generator=g)
    parts = {"eyes": torch.zeros(batch, cells, cells)}
    origin = torch.zeros(batch, cells, cells, dtype=torch.int64)
    return FusedFeatures(mode, tokens[1:], tokens[:1], (cells, cells), 1, "tiny", parts, origin, target)


def scheduler(steps):
    made = diffusers.DDIMScheduler(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    made.set_timesteps(steps)
    return made


def direct_loop(injection, fused, masked, x, sampling):
    """The published loop, one forward for each side of the guidance."""
    ddim = scheduler(sampling.steps)
    for t in ddim.timesteps:
        sides = []
        for tokens in (fused.unconditioned, fused.tokens):
            injection.set_features(tokens, fused.grid)
            sides.append(injection(torch.cat([x, masked.latent, masked.mask], 1), t))
        noise = sides[0] + sampling.guidance * (sides[1] - sides[0])
        x = ddim.step(noise, t, x, eta=0).prev_sample
    return x


def noises(seed, shape=(1, 4, 16, 16)):
    """Of the target's latent, under the mask, and at the start."""
    return [torch.randn(shape, generator=torch.Generator().manual_seed(seed + i)) for i in range(3)]


def test_fifty_steps_go_from_981_to_1_with_the_published_signal(injection):
    seen = []

    class Silent:
        """Predicts no noise, and notes when it was asked."""

        unet, set_features = injection.unet, staticmethod(lambda *_, **__: None)

        def __call__(self, sample, timestep):
            seen.append(timestep)
            return torch.zeros(len(sample), 4, 8, 8)

    masked = MaskedLatent(torch.zeros(1, 1, 8, 8), torch.zeros(1, 4, 8, 8))
    after = sample_latents(Silent(), fused_features(), masked, torch.ones(1, 4, 8, 8), Sampling(50))
    assert seen == list(range(981, 0, -20)) == scheduler(50).timesteps.tolist()
    # Without noise the start is only scaled, by the root of the last over the first share of signal.
    assert torch.allclose(after, torch.full_like(after, (0.99914998 / 0.005775495898) ** 0.5), rtol=1e-5)


@torch.no_grad()
def test_the_loop_equals_diffusers_own_scheduler_with_guidance(injection):
    fused, (target, fill, start) = fused_features("released", batch=2), noises(5, (2, 4, 16, 16))
    mask = (torch.arange(256).view(1, 1, 16, 16).expand(2, -1, -1, -1) % 3 == 0).float()
    masked, sampling = MaskedLatent(mask, target * (1 - mask) + fill * mask), Sampling(4, 7.5)
    ours = sample_latents(injection, fused, masked, start * 0.18215, sampling)
    wanted = direct_loop(injection, fused, masked, start * 0.18215, sampling)
    assert (ours - wanted).abs().max() < 1e-4 * float(wanted.abs().max())
    other = sample_latents(injection, fused, masked, start * 0.18215, Sampling(4, 3.0))
    assert (ours - other).abs().max() > 1e-2


@torch.no_grad()
def test_guidance_is_nothing_when_both_sides_are_equal_and_1_leaves_the_conditioned_side(injection):
    fused, (target, _, start) = fused_features("released"), noises(6)
    masked = MaskedLatent(torch.ones(1, 1, 16, 16), target)
    unguided = sample_latents(injection, fused, masked, start, Sampling(2, 1.0))
    assert (unguided - direct_loop(injection, fused, masked, start, Sampling(2, 1.0))).abs().max() < 1e-3
    same = FusedFeatures(**{**vars(fused), "unconditioned": fused.tokens})
    equal = sample_latents(injection, same, masked, start, Sampling(2, 7.5))
    assert (equal - unguided).abs().max() < 1e-4 * float(unguided.abs().max())


@pytest.mark.parametrize("checkpoint", ["A"], indirect=True)
@torch.no_grad()
def test_the_whole_computation_equals_its_plain_steps(injection, vae):
    fused, sampling = fused_features("released", 512, 512), Sampling(1, 7.5, seed=11)
    steps = []
    ours = generate(vae, injection, fused, sampling, lambda: steps.append(1))
    (target, fill, start), mask = noises(11, (1, 4, 64, 64)), torch.zeros(1, 1, 64, 64)
    mask[..., 16:32, 16:48] = 1
    latent = vae.encode(fused.target.painted.permute(0, 3, 1, 2) * 2 - 1).latent_dist
    latent = (latent.mean + latent.std * target) * 0.18215
    masked = MaskedLatent(mask, latent * (1 - mask) + fill * mask)
    x = direct_loop(injection, fused, masked, start * 0.18215, sampling)
    wanted = (vae.decode(x / 0.18215).sample / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    assert ours.shape == (1, 512, 512, 3) and (ours - wanted).abs().max() < 1e-3 and len(steps) == 1
    assert wanted.std() > 0.01


@torch.no_grad()
def test_one_seed_gives_one_picture(injection, vae):
    fused = fused_features()
    first, again, other = (generate(vae, injection, fused, Sampling(2, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@torch.no_grad()
def test_practical_mode_keeps_the_size_and_starts_from_unit_noise(injection, vae):
    fused, sampling = fused_features("practical", 128, 192), Sampling(1, 1.0, seed=3)
    masked = masked_latent(vae, fused, 3)
    start = noises(3, (1, 4, 16, 24))[2]
    wanted = vae.decode(sample_latents(injection, fused, masked, start, sampling) / 0.18215).sample / 2 + 0.5
    ours = generate(vae, injection, fused, sampling)
    assert ours.shape == (1, 128, 192, 3) and torch.equal(ours, wanted.clamp(0, 1).permute(0, 2, 3, 1))


@torch.no_grad()
def test_practical_mode_lays_the_features_where_the_encoder_looked(injection, vae):
    whole = fused_features(seed=1)
    part = fused_features(seed=1, view=(0.5, 0.5, 1.0, 1.0))
    results = [generate(vae, injection, fused, Sampling(1, 1.0)) for fused in (whole, part)]
    assert (results[0] - results[1]).abs().max() > 1e-4


@torch.no_grad()
def test_the_latent_is_the_targets_where_nothing_is_made_anew_and_unit_noise_elsewhere(vae):
    fused = fused_features("released", 512, 512)
    one, other = masked_latent(vae, fused, 1), masked_latent(vae, fused, 2)
    hidden = one.mask.bool().expand_as(one.latent)
    mean = vae.encode(fused.target.painted.permute(0, 3, 1, 2) * 2 - 1).latent_dist.mean * 0.18215
    spread = float((one.latent - other.latent)[~hidden].std())
    assert one.mask.sum() == 16 * 32 and abs(float(one.latent[hidden].std()) - 1) < 0.05
    assert (one.latent - mean)[~hidden].abs().max() < 6 * spread and not torch.equal(one.latent, other.latent)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"steps": 0}, "steps is 0; it must be 1 to 1000"),
        ({"guidance": float("nan")}, "guidance is nan; it must be a finite number"),
        ({"seed": -1}, "seed is -1; it must be 0 to"),
        ({"seed": 2**63}, f"seed is {2**63}"),
    ],
)
def test_sampling_outside_its_ranges_is_told(wrong, told):
    with pytest.raises(ValueError, match=told):
        Sampling(**wrong)
    Sampling(1, 0.0, 2**63 - 3), Sampling(1000)


@torch.no_grad()
def test_a_vae_that_overflows_is_told(injection, vae):
    broken = make_vae().eval()
    broken.decoder.conv_out.bias.fill_(float("inf"))
    with pytest.raises(ValueError, match="the VAE gave values that are not finite"):
        generate(broken, injection, fused_features(), Sampling(1, 1.0))


@pytest.mark.parametrize("mode", ["practical", "released"])
@torch.no_grad()
def test_models_in_16_bits_give_nearly_the_same_latents(mode, checkpoint, injection):
    fused, (target, _, start) = fused_features(mode), noises(6)
    masked, place = MaskedLatent(torch.ones(1, 1, 16, 16), target), (CPU, torch.bfloat16)
    wanted = sample_latents(injection, fused, masked, start, Sampling(2, 1.5))
    with Injection(build_unet(checkpoint, *place), build_adapter(checkpoint, *place)) as small:
        ours = sample_latents(small, fused, masked, start, Sampling(2, 1.5))
    assert ours.dtype == torch.float32 and 0 < (ours - wanted).abs().mean() < 0.05 * wanted.abs().mean()


def test_unet_and_adapter_hold_the_files_weights_in_the_precision_asked_for(checkpoint):
    unet, adapter = build_unet(checkpoint, CPU, torch.float16), build_adapter(checkpoint, CPU, torch.float16)
    assert unet.config.in_channels == 9 and unet.config.attention_head_dim == 8
    for module, state in ((unet, checkpoint.unet), (adapter, checkpoint.adapter)):
        held = module.state_dict()
        assert held.keys() == state.keys() and not any(p.requires_grad for p in module.parameters())
        assert all(held[name].dtype == torch.float16 and torch.equal(held[name], state[name].half()) for name in state)


@torch.no_grad()
def test_the_encoder_gives_the_tokens_before_its_last_layer(tmp_path):
    config = transformers.CLIPVisionConfig(
        hidden_size=32, intermediate_size=16, num_hidden_layers=3, num_attention_heads=2, image_size=28, patch_size=7,
        projection_dim=8,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.CLIPVisionModelWithProjection(config).eval()
    model.save_pretrained(tmp_path)
    encoder = load_encoder(tmp_path, CPU, torch.float32)
    pixels = torch.randn(2, 3, 28, 28)
    kept = []
    layers = next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == 3)
    layers[1].register_forward_hook(lambda _, __, out: kept.append(out[0] if isinstance(out, tuple) else out))
    model(pixels)
    assert torch.allclose(encoder.run(pixels), kept[0], atol=1e-6)
    assert (encoder.size, encoder.grid, encoder.classes, encoder.width) == (28, (4, 4), 1, 32)
