import pytest
import torch
from face_part_fusion.fusion.light import Light, meet, read_light, relight

UNIT = 60.0
# No skin around the part whose glare may be darkened.
NOWHERE = torch.zeros(())
SHAPE = (90, 120)
SKIN = torch.tensor([62.0, 14.0, 18.0])
LIPS = (slice(35, 55), slice(40, 80))


def textured(seed=0, grain=2.0):
    detail = torch.randn(*SHAPE, 3, generator=torch.Generator().manual_seed(seed))
    return SKIN + grain * detail * torch.tensor([1.0, 0.3, 0.3])


def maps():
    """Skin but for lips in the middle; the distance from them in eye distances."""
    rows, columns = torch.arange(SHAPE[0]) + 0.5, torch.arange(SHAPE[1]) + 0.5
    beside = torch.stack([(columns - 60).abs().expand(SHAPE) - 20, (rows - 45).abs()[:, None].expand(SHAPE) - 10])
    distance = beside.amax(0) / UNIT
    return (distance > 0.03).float(), distance


def lit(reference, target, tone=1.0, amount=1.0):
    light = read_light(target, reference, *maps(), UNIT)
    return relight(reference, light, tone, amount, NOWHERE), light


def on_skin(picture):
    return picture[maps()[0] > 0].mean(0)


def side_light(strength=10.0):
    return torch.linspace(-strength, strength, SHAPE[1])[None, :, None] * torch.tensor([1.0, 0.0, 0.0])


def test_equal_pictures_stay_as_they_are_whatever_the_lips():
    picture = textured()
    picture[LIPS] += torch.tensor([-20.0, 30.0, 5.0])
    result, light = lit(picture, picture)
    assert torch.allclose(result, picture, atol=1e-3)
    assert light.gain == pytest.approx(1) and light.slope(torch.ones(SHAPE)) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("shift", [(8.0, 0.0, 0.0), (-12.0, 0.0, 0.0), (0.0, 6.0, -8.0), (5.0, -3.0, 9.0)])
def test_a_constant_shift_is_undone_on_skin_and_fine_texture_stays(shift):
    target, reference = textured(1), textured(2) - torch.tensor(shift)
    result, _ = lit(reference, target)
    assert (on_skin(result) - on_skin(target)).abs().max() < 0.5
    inner = maps()[0] > 0
    detail = (result - reference - (result - reference).mean((0, 1)))[inner]
    assert detail.std(0).max() < 1.0 < (textured(2) - SKIN)[..., 0].std()


def test_shades_of_bare_skin_turn_to_the_hue_of_the_targets_skin():
    pale = torch.zeros(SHAPE)
    pale[40:50, 50:70] = 1
    # Redder skin whose pale spot is less red, on skin as colourful that is yellow.
    skin, target = torch.tensor([62.0, 22.0, 6.0]), torch.tensor([62.0, 6.0, 22.0])
    reference = skin - pale[..., None] * torch.tensor([0.0, 6.0, 0.0])
    light = Light(target.expand(*SHAPE, 3), skin.expand(*SHAPE, 3), target - skin)
    spot = relight(reference, light, 1.0, 1.0, torch.ones(SHAPE), bare=True)[45, 60] - target
    assert spot[2] < -4 and abs(spot[1]) < 3.5


def test_light_from_one_side_is_undone_on_skin():
    target, reference = textured(1) + side_light(), textured(2)
    result, _ = lit(reference, target)
    for columns in (slice(8, 30), slice(90, 112)):
        assert (
            abs(float((result - target)[:, columns, 0].mean()))
            < 1.5
            < abs(float((reference - target)[:, columns, 0].mean()))
        )


def test_the_colour_of_lips_does_not_tint_the_skin_around():
    target, reference = textured(1), textured(2)
    plain, _ = lit(reference, target)
    target[LIPS] += torch.tensor([-20.0, 30.0, 0.0])
    reference[LIPS] += torch.tensor([10.0, -20.0, 20.0])
    painted, _ = lit(reference, target)
    skin = maps()[0] > 0
    assert (painted - plain)[skin].abs().max() < 0.1
    assert (painted - reference)[LIPS].abs().mean() < 1.5


@pytest.mark.parametrize("bare", [False, True])
def test_neither_tone_nor_light_keeps_the_reference(bare):
    reference = textured(2) * torch.tensor([1.0, 2.5, 2.5])
    _, light = lit(reference, textured(1) + 20 + side_light())
    assert torch.allclose(relight(reference, light, 0.0, 0.0, NOWHERE, bare), reference, atol=1e-3)


def test_the_shades_of_bare_skin_are_weaker_under_a_cast_of_colour_and_its_mean_is_the_targets():
    target, reference = textured(1), textured(2) * torch.tensor([1.0, 3.0, 3.0])
    _, light = lit(reference, target)
    lips, skin = (relight(reference, light, 1.0, 1.0, NOWHERE, bare)[..., 1] for bare in (False, True))
    assert skin.std() < 0.5 * lips.std()
    assert (skin - light.target[..., 1]).mean().abs() < 0.5


def test_tone_is_the_mean_and_light_is_what_differs_from_place_to_place():
    target, reference = textured(1) + torch.tensor([9.0, 0.0, 0.0]) + side_light(), textured(2)
    changes = {}
    for name, tone, amount in (("tone", 1.0, 0.0), ("light", 0.0, 1.0), ("both", 1.0, 1.0)):
        change = (lit(reference, target, tone, amount)[0] - reference)[..., 0]
        changes[name] = float(change.mean()), float(change[:, 90:].mean() - change[:, :30].mean())
    assert changes["tone"] == pytest.approx((9, 0), abs=1)
    assert changes["light"][0] == pytest.approx(0, abs=1) and changes["light"][1] > 10
    assert changes["both"] == pytest.approx((9, changes["light"][1]), abs=1)


def test_black_stays_black_and_white_white():
    for shift in (25.0, -25.0):
        reference = textured(2) - torch.tensor([shift, 0.0, 0.0])
        reference[40:45, 50:70] = 0
        reference[45:50, 50:70] = torch.tensor([100.0, 0, 0])
        result, _ = lit(reference, textured(1))
        assert result[40:45, 50:70, 0].abs().max() < 1e-3 and (result[45:50, 50:70, 0] - 100).abs().max() < 1e-3


def test_a_reference_far_too_dark_is_lifted_only_in_part():
    result, light = lit(textured(2, 0.5) - torch.tensor([42.0, 0, 0]), textured(1))
    assert light.gain > 2.5 and 1.3 * 20 < on_skin(result)[0] < 55


def test_a_monochrome_target_takes_the_colour_away_but_not_at_tone_0():
    target, reference = textured(1) * torch.tensor([1.0, 0.0, 0.0]), textured(2)
    reference[LIPS] += torch.tensor([0.0, 30.0, 0.0])
    assert lit(reference, target)[0][..., 1:].abs().mean() < 1
    assert torch.allclose(lit(reference, target, 0.0, 0.0)[0], reference, atol=1e-3)


def test_gain_and_slope_have_the_values_of_the_pictures():
    even = torch.full((4, 6, 3), 30.0)
    ramp = 60 + torch.tensor([-6.0, -6, -6, 6, 6, 6])[None, :, None].expand(4, 6, 3)
    light = Light(ramp, even, (ramp - even).mean((0, 1)))
    assert light.gain == pytest.approx(2) and light.slope(torch.ones(4, 6)) == pytest.approx(6)
    left = torch.zeros(4, 6)
    left[:, :3] = 1
    assert light.slope(left) == pytest.approx(0, abs=1e-4)


def test_a_window_without_skin_gives_numbers():
    light = read_light(textured(1), textured(2), torch.zeros(SHAPE), maps()[1], UNIT)
    assert torch.isfinite(relight(textured(2), light, 1.0, 1.0, NOWHERE)).all()


def test_a_part_meets_the_target_at_its_edge_and_keeps_its_own_light_far_inside():
    target, part = torch.full((*SHAPE, 3), 50.0), torch.full((*SHAPE, 3), 58.0)
    distance = maps()[1]
    alpha = (0.5 - (distance - 0.3) / 0.08).clamp(0, 1)
    result = meet(part, target, alpha, UNIT)
    at_edge, far = (alpha - 0.5).abs() < 0.25, distance < 0
    assert at_edge.any() and far.any()
    assert (result - target)[at_edge].abs().max() < 0.4 * 8 and (result - part)[far].abs().max() < 0.5 * 8
    assert torch.equal(meet(target, target, alpha, UNIT), target)


def test_a_large_step_at_the_edge_is_a_feature_and_is_not_carried_in():
    target, part = torch.zeros(*SHAPE, 3), torch.full((*SHAPE, 3), 90.0)
    alpha = (0.5 - (maps()[1] - 0.3) / 0.08).clamp(0, 1)
    assert (meet(part, target, alpha, UNIT) - part).abs().max() <= 25


def test_white_is_a_glare_on_skin_and_a_tooth_within_the_part():
    target, reference = textured(1) - torch.tensor([30.0, 0, 0]), textured(2)
    reference[LIPS] = reference[:5, :5] = torch.tensor([98.0, 0.0, 0.0])
    light = read_light(target, reference, *maps(), UNIT)
    skin, distance = maps()
    relit = relight(reference, light, 1.0, 1.0, (distance > 0).float())[..., 0]
    assert relit[LIPS].mean() > 90 and relit[:5, :5].mean() < 75


def test_teeth_take_a_weaker_colour_of_skin_and_never_the_skins_own_shift():
    red, pale = (torch.tensor(lab).expand(*SHAPE, 3).clone() for lab in ([50.0, 30, 30], [70.0, 10, 16]))
    teeth = red.clone()
    teeth[20:30, 30:50] = torch.tensor([85.0, 0, 24])
    light = read_light(pale, red, torch.ones(SHAPE), torch.full(SHAPE, -0.2), 60.0)
    result = relight(teeth, light, 1.0, 1.0, torch.zeros(SHAPE))[25, 40]
    assert result[1].abs() < 0.5 and 8 < result[2] < 14
