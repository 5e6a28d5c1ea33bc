"""Kept layers: another strength mixes them anew, to the same picture; any other change lays them anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from face_part_fusion.fusion import composite as room
from face_part_fusion.fusion import kept as kept_room
from face_part_fusion.fusion.composite import composite
from face_part_fusion.fusion.kept import KeptStacks, digest
from support.drawn_faces import SIZE, gives, person


@pytest.fixture
def laid(monkeypatch):
    """The parts that are laid, one after another."""
    parts = []
    own = room.lay_part
    monkeypatch.setattr(room, "lay_part", lambda *given: parts.append(given[3]) or own(*given))
    return parts


def equal(one, other):
    return torch.equal(one.pictures, other.pictures) and torch.equal(one.changed, other.changed)


def test_another_strength_is_mixed_anew_to_the_picture_that_laying_gives(laid):
    kept, target, giver, other = KeptStacks(), person(), person(5), person(9)
    for eyes, mouth in ((1.0, 1.0), (0.6, 1.0), (0.6, 0.2), (1.0, 1.0)):
        references = [gives(giver, "eyes", strength=eyes), gives(other, "mouth", strength=mouth)]
        again = composite(target, references, covers="ignore", kept=kept)
        assert len(laid) == 2
        fresh = composite(target, references, covers="ignore")
        del laid[2:]
        assert equal(again, fresh) and again.report == fresh.report


CHANGES = {
    "the target's pixels": lambda target, giver, settings: target.pictures[0, 60:64].mul_(0.5),
    "the reference's pixels": lambda target, giver, settings: giver.pictures[0, 60:64].mul_(0.5),
    "the tone": lambda target, giver, settings: settings.update(tone=0.5),
    "the mask": lambda target, giver, settings: settings.update(mask=torch.ones(1, *SIZE).triu()),
    "the warp": lambda target, giver, settings: settings.update(warp="piecewise"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_stale_is_shown_after_a_change(laid, change):
    kept, target, giver, settings = KeptStacks(), person(), person(5), {"covers": "ignore"}
    composite(target, [gives(giver, "mouth")], **settings, kept=kept)
    CHANGES[change](target, giver, settings)
    again = composite(target, [gives(giver, "mouth")], **settings, kept=kept)
    assert laid == ["mouth"] * 2
    assert equal(again, composite(target, [gives(giver, "mouth")], **settings))


def test_another_face_and_a_part_that_goes_are_laid_anew(laid):
    kept, target, giver = KeptStacks(), person(), person(5)
    composite(target, [gives(giver, "mouth", "nose")], covers="ignore", kept=kept)
    composite(target, [gives(giver, "mouth")], covers="ignore", kept=kept)
    moved = replace(giver, faces=((replace(giver.faces[0][0]),),))
    composite(target, [gives(moved, "mouth")], covers="ignore", kept=kept)
    assert laid == ["nose", "mouth", "mouth", "mouth"]


def test_no_more_is_kept_than_fits(laid, monkeypatch):
    kept, people = KeptStacks(), [person(seed) for seed in range(3)]
    composite(people[0], [gives(person(5), "mouth")], covers="ignore", kept=kept)
    ((one,),) = [kept._stacks.values()]
    monkeypatch.setattr(kept_room, "_MOST_BYTES", int(2.5 * one.bytes))
    for target in people[1:]:
        composite(target, [gives(person(5), "mouth")], covers="ignore", kept=kept)
    assert len(kept._stacks) == 2


def test_a_film_is_not_kept(laid):
    kept, target = KeptStacks(), person()
    film = replace(target, pictures=target.pictures.expand(9, -1, -1, -1), faces=target.faces * 9, chosen=(0,) * 9)
    composite(film, [gives(person(5), "mouth")], covers="ignore", kept=kept)
    assert kept._stacks == {}


def test_one_value_and_another_shape_are_another_content():
    one, other = torch.zeros(4, 6), torch.zeros(4, 6)
    other[3, 5] = 1e-6
    assert digest(one) == digest(torch.zeros(4, 6)) != digest(other)
    assert digest(one) != digest(torch.zeros(6, 4)) and digest(None) is None
