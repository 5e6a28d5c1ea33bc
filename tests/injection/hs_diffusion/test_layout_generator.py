"""The layout generator as it is shipped: what is visible stays, what was hidden comes back, sizes do not matter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.fusion.regions.layout import BACKGROUND, BODY, FACE, HAIR, NECK, layout_of
from face_part_fusion.fusion.regions.neck import moved_neck, neck_of
from face_part_fusion.fusion.regions.pair import complete_layout, make_layout
from face_part_fusion.injection.hs_diffusion.layout_net import SIDE, LayoutGenerator, LayoutNet, cut, square_of
from support.drawn_people import drawn_person, joined


@pytest.fixture(scope="module")
def generator() -> LayoutGenerator:
    return LayoutGenerator()


def covered(long_hair: float = 2.8):
    """A drawn person under the head of one with long hair, and the truth."""
    own, other = drawn_person(), drawn_person(hair_length=long_hair)
    truth, cover = (layout_of(p.pictures[0], p.faces[0][0]) for p in (own, other))
    silhouette = torch.maximum((cover[HAIR] + cover[FACE]).clamp(0, 1), truth[NECK])
    head = truth[HAIR] + truth[FACE]
    known = truth * (1 - silhouette * (1 - head))
    known[NECK] = 0
    return known, (1 - known.sum(0)).clamp(0, 1), neck_of(own.faces[0][0], truth), truth


def test_what_is_visible_stays_and_every_pixel_is_one_in_sum(generator: LayoutGenerator):
    known, hidden, neck, _ = covered()
    full = generator(known, hidden, neck)
    assert full.shape == known.shape and full.dtype == torch.float32
    assert torch.equal(full[:, hidden == 0], known[:, hidden == 0])
    assert torch.allclose(full.sum(0), torch.ones(()), atol=1e-5) and float(full.min()) >= 0
    assert torch.equal(full[[HAIR, FACE]], known[[HAIR, FACE]])


def test_neck_shoulders_and_background_come_where_they_were(generator: LayoutGenerator):
    known, hidden, neck, truth = covered()
    full, cells = generator(known, hidden, neck), hidden > 0.5
    right = full.argmax(0)[cells] == truth.argmax(0)[cells]
    assert float(right.float().mean()) > 0.85
    for kind in (BACKGROUND, NECK, BODY):
        both = (full.argmax(0) == kind) & (truth.argmax(0) == kind) & cells
        assert float(both.sum()) > 0.6 * float(((truth.argmax(0) == kind) & cells).sum())


def test_the_size_of_the_picture_does_not_matter(generator: LayoutGenerator):
    known, hidden, neck, _ = covered()
    twice = [torch.nn.functional.interpolate(t[None], scale_factor=2, mode="nearest")[0] for t in (known, hidden[None])]
    matrix = torch.tensor([[2.0, 0, 0], [0, 2, 0]])
    large = generator(twice[0], twice[1][0], moved_neck(neck, matrix))
    small = torch.nn.functional.avg_pool2d(large[None], 2)[0]
    assert float((small - generator(known, hidden, neck)).abs().mean()) < 0.02


def test_all_that_is_hidden_lies_in_the_square():
    known, hidden, neck, _ = covered(3.0)
    hidden = hidden.clone()
    hidden[-1, :] = 1
    cells = cut(hidden[None], square_of(hidden, neck), SIDE)
    scale = float(square_of(hidden, neck)[0, 0])
    assert float(cells.sum()) == pytest.approx(float(hidden.sum()) * scale**2, rel=0.05)


def test_a_pair_is_completed_by_it(generator: LayoutGenerator):
    head, body = drawn_person(x=90.0, unit=40.0), drawn_person(hair_length=1.6)
    layout = make_layout(joined(head, head), body)
    full = complete_layout(layout, generator=generator)
    assert len(full.pairs) == 2
    for before, after in zip(layout.pairs, full.pairs, strict=True):
        assert float(after.areas[NECK].sum()) > 100
        assert torch.equal(after.areas[FACE], before.head_areas[FACE] * (1 - before.over))
        assert replace(after, areas=before.areas).masks()[0].equal(before.masks()[0])


def test_the_network_is_small():
    assert sum(weight.numel() for weight in LayoutNet().parameters()) * 2 < 2e6
