"""Photographs that can be used and those that cannot, pairs of them, and faces warped onto one another."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.fusion.crop import FFHQ_POINTS
from face_part_fusion.injection.reliable_swap.swapper import Frame
from face_part_fusion.training.shards.person import BadPicture, Person, as_file, from_file, mesh_face, read_person
from face_part_fusion.training.triplets.pairs import Pose, choose_pairs
from face_part_fusion.training.triplets.reenact import MeshReenactment, SwapReenactment, in_proportion
from PIL import Image
from support.drawn_faces import portrait
from support.mesh_head import mesh_head

SIZE = 128


@pytest.fixture(scope="module")
def read(astronaut: Path):
    """Reads a photograph as a run does."""
    detector, parser = BuiltinDetector(), BuiltinParser()
    return lambda path, size=SIZE: read_person(path, size, detector, parser, spectacles=False)


def test_a_stored_person_is_read_back_as_it_was(read, astronaut, tmp_path):
    person = read(astronaut)
    (tmp_path / "a.npz").write_bytes(as_file(person))
    again = from_file(tmp_path / "a.npz")
    assert torch.equal(person.picture, again.picture) and torch.equal(person.classes, again.classes)
    assert torch.equal(person.face.landmarks, again.face.landmarks)
    assert {1, 2, 4, 5, 6, 7, 10, 11, 12, 13} <= set(person.classes.unique().tolist())
    assert as_file(person) == as_file(again)


def test_hair_is_seen_all_around_the_face(read, astronaut):
    person = read(astronaut)
    hair = BuiltinParser()(person.picture, person.face).of("hair") > 0.5
    assert (person.classes == 13).sum() > 0.8 * hair.sum()


def test_pictures_that_cannot_be_used_say_why(read, astronaut, tmp_path):
    whole = Image.open(astronaut)
    made = {
        "no face": Image.new("RGB", (200, 200), "gray"),
        "2 faces": Image.fromarray(np.concatenate([np.asarray(whole)] * 2, 1)),
        "too small": whole.resize((110, 110)),
        "near to the border": whole.crop((90, 60, 230, 230)).resize((560, 680)),
    }  # fmt: skip
    for reason, image in made.items():
        image.save(tmp_path / "bad.png")
        with pytest.raises(BadPicture, match=reason):
            read(tmp_path / "bad.png", 512 if reason == "too small" else SIZE)
    (tmp_path / "bad.png").write_bytes(astronaut.read_bytes()[:5000])
    with pytest.raises(BadPicture, match="unreadable"):
        read(tmp_path / "bad.png")


def poses(count: int) -> list[Pose]:
    return [Pose(f"person {number // 2}", 60.0 * (number % 3 == 0), 0.0) for number in range(count)]


def test_pairs_are_of_different_people_who_look_in_one_direction_and_never_come_twice():
    people = poses(40)
    pairs = choose_pairs(people, 40, seed=1)
    assert len(pairs) == 40 and len({frozenset(pair) for pair in pairs}) == 40
    assert all(people[a].person != people[b].person and people[a].yaw == people[b].yaw for a, b in pairs)
    assert set(Counter(a for a, _ in pairs).values()) == {1}
    assert choose_pairs(people, 40, seed=1) == pairs != choose_pairs(people, 40, seed=2)


def test_where_fewer_pairs_suit_there_are_fewer():
    assert choose_pairs([Pose("ann", 0, 0), Pose("ann", 0, 0), Pose("ben", 0, 90)], 5, seed=0) == []
    assert len(choose_pairs([Pose("ann", 0, 0), Pose("ben", 0, 0)], 5, seed=0)) == 1
    assert choose_pairs([Pose("ann", 0, 0, 0.0), Pose("ben", 0, 0, 0.3)], 5, seed=0) == []


def head(yaw: float = 0.0, wider: float = 1.0) -> Person:
    mesh = mesh_head(yaw, unit=100.0)
    points = torch.cat([mesh.landmarks, mesh.landmarks[:10]])
    points[:, 0] = 200 + (points[:, 0] - 200) * wider
    assert mesh.depth is not None
    face = mesh_face(points, torch.cat([mesh.depth, mesh.depth[:10]]), (yaw, 0.0, 0.0), 0.9)
    return Person(portrait(3, (400, 400)), face, torch.ones(400, 400, dtype=torch.uint8))


def test_a_face_warped_onto_itself_is_itself():
    person = head()
    result = MeshReenactment()(person, person)
    assert torch.allclose(result.face.landmarks[:468], person.face.landmarks[:468], atol=0.05)
    assert float((result.picture - person.picture).abs().max()) < 0.02


def test_the_targets_mesh_takes_the_proportions_of_the_source_and_keeps_its_direction():
    source, target = head(yaw=-10, wider=1.2).face, head(yaw=15).face
    eyes = [33, 263]
    assert torch.allclose(in_proportion(head(yaw=-10).face, target), target.landmarks[:468], atol=1.5)
    wide = in_proportion(source, target)
    own = target.landmarks[:468]
    assert (wide[eyes[1]] - wide[eyes[0]])[0] > 1.05 * (own[eyes[1]] - own[eyes[0]])[0]
    plain = MeshReenactment(shape=0)(replace(head(), face=source), replace(head(), face=target))
    assert torch.equal(plain.face.landmarks, target.landmarks)


class Inverter:
    """A face swapper that gives the negative of the crop, with the identity's first value as its blue."""

    name, provider, width, lower_face = "inverter", "nobody", 2, False
    source = target = Frame(128, tuple((float(x), float(y)) for x, y in FFHQ_POINTS / 4))

    def identify(self, crops):
        return crops.mean((1, 2))[:, :2]

    def swap(self, crop, identity):
        return torch.cat([1 - crop[..., :2], identity[0].expand(128, 128, 1)], -1)


def test_any_face_swapper_reenacts_over_the_targets_own_picture(read, astronaut):
    person = read(astronaut)
    moved = replace(person, picture=person.picture * 0.5)
    result = SwapReenactment(Inverter())(moved, person)
    centre = slice(40, 90)
    inverted = 1 - person.picture[centre, centre, :2]
    assert float((result.picture[centre, centre, :2] - inverted).abs().mean()) < 0.02
    assert float(result.picture[centre, centre, 2].std()) < 1e-3
    assert result.face is person.face and SwapReenactment(Inverter()).name == "inverter (nobody)"
