"""Which faces change, how far, and what the report says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.parts import FaceParts
from face_part_fusion.injection.reliable_swap.identity import Identity
from face_part_fusion.injection.reliable_swap.swap import SwapSettings, swap_faces
from support.drawn_faces import drawn, portrait
from support.plain_swapper import PlainSwapper

LEFT, RIGHT = drawn(x=65.0, y=80.0, unit=50.0), drawn(x=235.0, y=80.0, unit=50.0)


def group(count=1):
    """Two people beside one another: a red one, who is chosen, and a blue one."""
    red, blue = (portrait(i) * torch.tensor(c) for i, c in ((1, (1.0, 0.6, 0.6)), (2, (0.5, 0.6, 1.0))))
    pictures = torch.cat([red, blue], 1)[None].expand(count, -1, -1, -1).contiguous()
    return FaceParts(pictures, ((LEFT, RIGHT),) * count, (0,) * count)


def somebody(swapper, colour=(0.1, 0.9, 0.2)):
    return Identity(swapper.identify(torch.tensor(colour).expand(1, 64, 64, 3))[0], swapper.provider, torch.zeros(1), 1)


def swapped(target=None, swapper=None, identity=None, mask=None, **settings):
    swapper = swapper or PlainSwapper()
    settings = SwapSettings(**{"covers": False, **settings})
    return swap_faces(target or group(), swapper, identity or somebody(swapper), settings, mask=mask)


def sides(result, i=0):
    """Whether the left and the right person of a picture changed."""
    width = result.changed.shape[2] // 2
    return tuple(bool(side.max() > 0.5) for side in (result.changed[i, :, :width], result.changed[i, :, width:]))


def test_the_chosen_face_all_faces_or_those_like_a_reference_change():
    swapper = PlainSwapper()
    blue = somebody(swapper, (0.3, 0.4, 0.8))
    assert sides(swapped()) == (True, False)
    assert sides(swapped(replace(group(), also=((1,),)))) == (True, True)
    every, alike = swapped(faces="all"), swapped(faces="like the reference", reference=blue)
    assert sides(every) == (True, True) and every.report[0][0] == "2 faces changed"
    assert sides(alike) == (False, True)
    assert alike.report[0][0].startswith("1 of 2 faces look like the reference (likeness -")
    assert sides(swapped(faces="like the reference", reference=blue, least_likeness=-1.0)) == (True, True)


def test_what_does_not_change_is_as_it_was_bit_for_bit():
    target = group(2)
    target = replace(target, faces=(target.faces[0], ()), chosen=(0, None))
    result = swapped(target)
    assert torch.equal(result.pictures[1], target.pictures[1]) and sides(result, 1) == (False, False)
    assert result.report[1] == ("left as it was: it has no chosen face",)
    still = result.changed == 0
    assert torch.equal(result.pictures[still], target.pictures[still])
    none = swapped(target, strength=0.0)
    assert torch.equal(none.pictures, target.pictures) and "strength is 0" in none.report[0][0]


def test_strength_and_lower_face_go_from_the_targets_own_identity_to_the_new_one():
    for settings, weights in (
        ({}, (1.0, 1.0)), ({"strength": 0.5}, (0.5, 0.5)), ({"lower_face": 0.25}, (1.0, 0.25)),
        ({"strength": 0.5, "lower_face": 0.5}, (0.5, 0.25)),
    ):  # fmt: skip
        swapper = PlainSwapper()
        new = somebody(swapper)
        swapped(swapper=swapper, identity=new, **settings)
        came = swapper.swapped[0]
        own = []
        other = PlainSwapper()
        other.swap = lambda crop, _, own=own, other=other: own.append(other.identify(crop[None])[0]) or crop
        swapped(swapper=other, identity=new)
        expected = torch.lerp(own[0], new.vector, weights[0])[:512]
        assert torch.allclose(came[:512], expected / expected.norm(), atol=2e-3)
        assert torch.allclose(came[512:], torch.lerp(own[0], new.vector, weights[1])[512:], atol=2e-3)


def test_a_mask_and_progress_and_a_stop():
    calls = []
    mask = torch.zeros(1, *group().size)
    result = swap_faces(
        group(3), PlainSwapper(), somebody(PlainSwapper()), SwapSettings(covers=False), mask=mask,
        progress=lambda done, total: calls.append((done, total)),
    )  # fmt: skip
    assert calls == [(1, 3), (2, 3), (3, 3)] and float(result.changed.max()) == 0

    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        swap_faces(group(), PlainSwapper(), somebody(PlainSwapper()), SwapSettings(covers=False), progress=stop)


def test_turned_heads_and_faces_larger_than_the_generator_are_told():
    face = replace(drawn(x=160.0, y=80.0, unit=70.0), angles=(60.0, 0.0, 0.0))
    target = replace(group(), faces=((face,),))
    lines = swapped(target).report[0]
    assert any("turned by 60 degrees" in line for line in lines)
    assert any("times as large as the 64 pixels of a plain swapper" in line for line in lines)


def test_a_larger_crop_is_made_in_passes_and_only_other_generators_pass_twice():
    for lower, boost, area, passes in (
        (True, 1, "whole face", 1), (True, 3, "whole face", 9), (False, 1, "whole face", 2),
        (False, 2, "lower half", 8), (False, 2, "upper half", 4),
    ):  # fmt: skip
        swapper = PlainSwapper(lower=lower)
        result = swapped(swapper=swapper, pixel_boost=boost, area=area)
        assert len(swapper.swapped) == passes and sides(result) == (True, False)
    swapper = PlainSwapper(lower=False)
    swapped(swapper=swapper, lower_face=0.0)
    assert len(swapper.swapped) == 1


def test_a_boosted_face_is_sharper_and_not_called_soft():
    face = drawn(x=160.0, y=80.0, unit=70.0)
    target = replace(group(), faces=((face,),))

    def swap(boost):
        swapper = PlainSwapper()
        swapper.swap = lambda crop, _: crop
        return swapped(target, swapper, pixel_boost=boost)

    gaps = [float((swap(boost).pictures - target.pictures).abs().mean()) for boost in (1, 4)]
    assert gaps[1] < 0.7 * gaps[0]
    assert any("raise pixel_boost" in line for line in swap(1).report[0])
    assert not any("softer" in line for line in swap(4).report[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"faces": "like the reference"}, "no reference is wired in"),
        ({"faces": "some"}, "faces is 'some'; choose one of chosen, all"),
        ({"strength": 1.5}, "strength is 1.5; it goes from 0 to 1"),
        ({"lower_face": float("nan")}, "lower_face is nan"),
        ({"pixel_boost": 0}, "pixel_boost is 0; it goes from 1 to 8"),
        ({"identity": Identity(torch.ones(640), "glintr", torch.zeros(1), 1)}, "identity was made by glintr"),
        ({"reference": Identity(torch.ones(640), "glintr", torch.zeros(1), 1)}, "reference was made by glintr"),
        ({"mask": torch.zeros(1, 3, 3)}, r"mask has shape \(1, 3, 3\)"),
        ({"target": replace(group(), faces=((replace(LEFT, scheme=""),),))}, "^target: a face swap needs eyes"),
    ],
)
def test_bad_inputs_are_told(settings, message):
    with pytest.raises(ValueError, match=message):
        swapped(**settings)
