from itertools import pairwise

import pytest
from face_part_fusion.fusion.suitability import Fit, remarks

# What a remark is about, a figure that just passes its limit, one that does not, and words of the remark.
LIMITS = [
    ({"turn": 18.6}, {"turn": 17.9}, "the heads look 19 degrees apart"),
    ({"cover_on_reference": 0.09}, {"cover_on_reference": 0.07}, "something covers it on the reference"),
    ({"cover_on_target": 0.09}, {"cover_on_target": 0.07}, "something lies over it on the target"),
    ({"gain": 1.9}, {"gain": 1.7}, "the reference is far darker"),
    ({"gain": 0.5}, {"gain": 0.6}, "the reference is far lighter"),
    ({"slope": 7.1}, {"slope": 6.9}, "the light comes from another side"),
    ({"enlarged": 1.7}, {"enlarged": 1.5}, "the reference is small and was enlarged 1.7 times"),
    ({"texture": 0.5}, {"texture": 0.6}, "the reference is softer than the target"),
    ({"texture": 2.3}, {"texture": 2.1}, "the target is softer than the reference"),
]


def test_nothing_is_said_of_photographs_that_suit_each_other():
    assert remarks(Fit()) == [] == remarks(Fit(turn=0.0))


@pytest.mark.parametrize(("past", "within", "words"), LIMITS)
def test_each_remark_is_made_exactly_when_its_figure_passes_its_limit(past, within, words):
    (line,) = remarks(Fit(**past))
    assert words in line and remarks(Fit(**within)) == []


def test_heads_far_apart_get_advice():
    near, far = remarks(Fit(turn=29.0)), remarks(Fit(turn=31.0))
    assert "choose a reference that looks the same way" in far[0] and "choose" not in near[0]


def test_several_faults_are_named_together_the_worst_first():
    figures = [past for past, _, _ in LIMITS if past not in ({"gain": 0.5}, {"texture": 0.5}, {"texture": 2.3})]
    lines = remarks(Fit(**{name: value for figure in figures for name, value in figure.items()}))
    assert len(lines) == len(figures)
    alone = [remarks(Fit(**figure))[0] for figure in figures]
    assert all(lines.index(first) < lines.index(second) for first, second in pairwise(alone))


def test_a_small_reference_is_not_called_soft_too():
    assert len(remarks(Fit(enlarged=3.0, texture=0.2))) == 1
