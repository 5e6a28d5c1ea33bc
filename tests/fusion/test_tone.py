import pytest
import torch
from face_part_fusion.fusion.tone import match_tone, weighted_mean

SKIN = torch.tensor([0.7, 0.55, 0.45])


# Large pictures are measured on every second pixel.
LARGE = 3


def textured(seed=0, times=1):
    detail = torch.rand(24 * times, 30 * times, 3, generator=torch.Generator().manual_seed(seed)) - 0.5
    return SKIN + 0.06 * detail


def ring(times=1):
    weights = torch.zeros(24, 30)
    weights[2:22, 2:28] = 1
    weights[7:17, 8:22] = 0
    return weights.repeat_interleave(times, 0).repeat_interleave(times, 1)


def on_ring(picture):
    return weighted_mean(picture, ring())


def test_an_equal_ring_leaves_the_reference_unchanged_also_where_it_differs_inside():
    target, reference = textured(), textured()
    reference[9:15, 10:20] = torch.tensor([0.2, 0.1, 0.6])
    assert torch.allclose(match_tone(reference, target, ring()), reference, atol=1e-4)


@pytest.mark.parametrize("shift", [-0.25, -0.1, 0.1, 0.2])
def test_a_constant_shift_is_undone_on_the_ring(shift):
    target = textured()
    matched = match_tone(target + shift, target, ring())
    assert (on_ring(matched) - on_ring(target)).abs().max() < 0.003
    assert ((matched - target).abs() * ring()[..., None]).max() < 0.04


@pytest.mark.parametrize("times", [1, LARGE])
@pytest.mark.parametrize("gain", [0.4, 0.8, 1.3])
def test_a_gain_is_undone_on_the_ring(gain, times):
    target, weights = textured(times=times), ring(times)
    matched = match_tone(target * gain, target, weights)
    assert (weighted_mean(matched, weights) - weighted_mean(target, weights)).abs().max() < 0.003
    assert ((matched - target).abs() * weights[..., None]).max() < 0.04


def test_a_colour_cast_is_undone_on_the_ring():
    target = textured()
    matched = match_tone(target * torch.tensor([0.8, 1.0, 1.2]), target, ring())
    assert (on_ring(matched) - on_ring(target)).abs().max() < 0.003


def test_light_that_falls_from_one_side_is_followed():
    light = torch.linspace(-0.15, 0.15, 30)[None, :, None]
    target, reference = textured(1) + light, textured(2)
    matched = match_tone(reference, target, ring())
    rest = (matched - target)[:, 3:6].mean() - (matched - target)[:, -6:-3].mean()
    assert rest.abs() < 0.3 * 0.24


def test_relief_around_the_part_is_not_taken_for_light():
    reference = textured(1) + 0.1 * torch.linspace(0, 20, 30).sin()[None, :, None]
    added = match_tone(reference, textured(1), ring()) - reference
    assert (added - added.mean((0, 1))).abs().max() < 0.01


@pytest.mark.parametrize("gain", [0.2, 0.4, 0.7])
def test_a_darker_target_does_not_sink_shadows_to_black(gain):
    reference = textured(1)
    reference[9:15, 10:20] *= 0.4
    matched = match_tone(reference, textured(2) * gain, ring())
    assert matched[9:15, 10:20].mean() > 0.25 * on_ring(matched).mean()


@pytest.mark.parametrize("gain", [0.4, 0.7, 1.2])
def test_black_stays_black_and_white_stays_the_lightest(gain):
    reference = textured(1)
    reference[9:12, 10:20], reference[12:15, 10:20] = 0, 1
    matched = match_tone(reference, textured(2) * gain, ring()).mean(-1)
    assert matched[9:12, 10:20].abs().max() < 0.03 and matched[12:15, 10:20].min() > 1.25 * matched[:7].max()


@pytest.mark.parametrize("times", [1, LARGE])
def test_pixels_of_ring_weight_0_never_matter(times):
    target, reference = textured(1, times), textured(2, times) * 0.7
    expected = match_tone(reference, target, ring(times))
    wild = torch.rand(24 * times, 30 * times, 3, generator=torch.Generator().manual_seed(3)) * 4 - 1
    off = (ring(times) == 0)[..., None]
    matched = match_tone(torch.where(off, wild, reference), torch.where(off, wild.flip(0), target), ring(times))
    assert torch.allclose(torch.where(off, expected, matched), expected, atol=1e-5)


def test_colour_off_the_ring_does_not_colour_a_grey_target():
    target = textured(1).mean(-1, keepdim=True).repeat(1, 1, 3)
    expected = match_tone(textured(2), target, ring())
    target[9:15, 10:20] = torch.tensor([1.0, 0.0, 0.0])
    assert torch.allclose(match_tone(textured(2), target, ring()), expected, atol=1e-5)


def test_a_grey_target_gives_grey():
    target = textured(1).mean(-1, keepdim=True).expand(24, 30, 3)
    matched = match_tone(textured(2), target, ring())
    assert (matched.amax(-1) - matched.amin(-1)).max() < 1e-4
    assert (on_ring(matched) - on_ring(target)).abs().max() < 0.003


def test_a_coloured_target_keeps_the_references_colour_inside():
    reference = textured(2)
    reference[9:15, 10:20] = torch.tensor([0.7, 0.15, 0.15])
    matched = match_tone(reference, textured(1), ring())
    assert (matched[10:14, 12:18, 0] - matched[10:14, 12:18, 1]).min() > 0.4


@pytest.mark.parametrize("strength", [0.5, 1.0, 3.0])
def test_vivid_lips_in_pale_skin_do_not_glow_in_skin_of_more_colour(strength):
    def strong(colours):
        return (colours - colours.mean(-1, keepdim=True)).norm(dim=-1)

    pale, target = SKIN.mean() + 0.3 * (textured(2) - SKIN.mean()), textured(1)
    lips = pale + strength * torch.tensor([0.12, -0.06, -0.06])
    gained = strong(match_tone(lips.where(ring()[..., None] == 0, pale), target, ring())) - strong(lips)
    assert gained[ring() == 0].median() <= 1.1 * (strong(target) - strong(pale)).median()


def test_no_amount_and_an_empty_ring_leave_the_reference_as_it_is():
    target, reference = textured(1), textured(2) * 0.5
    assert torch.equal(match_tone(reference, target, ring(), 0.0), reference)
    assert torch.equal(match_tone(reference, target, torch.zeros(24, 30)), reference)


def test_half_the_amount_is_half_the_way():
    target, reference = textured(1), textured(2) * 0.6
    half = match_tone(reference, target, ring(), 0.5)
    assert torch.allclose(half, (reference + match_tone(reference, target, ring())) / 2, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_stay_numbers(value):
    flat = torch.full((24, 30, 3), value)
    for reference, target in ((flat, textured()), (textured(), flat), (flat, 1 - flat)):
        assert torch.isfinite(match_tone(reference, target, ring())).all()


def test_a_ring_of_one_pixel_is_enough():
    weights = torch.zeros(24, 30)
    weights[3, 4] = 1
    target = textured(1)
    assert (match_tone(textured(2) * 0.8, target, weights)[3, 4] - target[3, 4]).abs().max() < 0.01


@pytest.mark.parametrize("row", [20, 21])
def test_a_thin_ring_on_a_large_picture_is_enough(row):
    target, reference = textured(1, LARGE), textured(2, LARGE) * 0.8
    weights = torch.zeros(24 * LARGE, 30 * LARGE)
    weights[row] = 1
    matched = match_tone(reference, target, weights)
    assert (weighted_mean(matched, weights) - weighted_mean(target, weights)).abs().max() < 0.01


def test_the_inputs_are_not_changed():
    reference, target = textured(2), textured(1)
    copies = reference.clone(), target.clone()
    match_tone(reference, target, ring())
    assert torch.equal(reference, copies[0]) and torch.equal(target, copies[1])


def test_a_weighted_mean_counts_the_selected_pixels_only():
    picture = torch.zeros(2, 2, 3)
    picture[0, 0], picture[1, 1] = 1.0, 9.0
    assert weighted_mean(picture, torch.tensor([[3.0, 1.0], [0.0, 0.0]])).tolist() == [0.75] * 3
