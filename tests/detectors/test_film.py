"""A face is chosen once and followed: past people who cross, a board that hides it, and other people beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from face_part_fusion.command.photo import load_photo
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.face_mesh import MESH_POINTS
from face_part_fusion.detectors.film import FaceFollower, film_report, follow_film
from face_part_fusion.detectors.parts import Face
from face_part_fusion.detectors.selection import FaceMissing
from support.films import Actor, Frame, Path, film
from support.paths import SHARED

PORTRAITS = SHARED / "faces" / "portraits"
SIZE, FRAMES, BOARD = (360, 640), 300, range(220, 230)
# By number in the sorted folder; nobody chose them for how they look.
# The second film is run by name.
PEOPLE = [(3, 20, 50), pytest.param((60, 90, 120), marks=pytest.mark.soak)]


@pytest.fixture(scope="module")
def detector() -> BuiltinDetector:
    return BuiltinDetector()


def actor(detector: BuiltinDetector, number: int, path: Path, covered: range = range(0)) -> Actor:
    files = sorted(PORTRAITS.glob("*.jpg"))
    if not files:
        pytest.skip(f"{PORTRAITS} is not there")
    picture = load_photo(files[number])
    return Actor(picture[0], detector(picture)[0][0].landmarks, path, covered)


def wave(share: float, times: float, height: float) -> float:
    return height * math.sin(2 * math.pi * times * share)


def crossing(detector: BuiltinDetector, people: tuple[int, int, int]) -> Iterator[Frame]:
    """300 frames: the first person is small in the back, the second passes behind the third, and is hidden for 10."""

    def ease(share: float) -> float:
        part = min(1.0, max(0.0, (share - 0.3) / 0.35))
        return part * part * (3 - 2 * part)

    ways: list[Path] = [
        lambda t: (0.5 + wave(t, 2, 0.3), 0.25, 0.25, wave(t, 3, 0.1)),
        lambda t: (0.25 + 0.5 * ease(t) + wave(t, 4, 0.02), 0.5 + wave(t, 6, 0.02), 0.4 + wave(t, 3, 0.03),
                   wave(t, 5, 0.12)),
        lambda t: (0.75 - 0.5 * ease(t) + wave(t, 3, 0.02), 0.52 + wave(t, 7, 0.02), 0.4 + wave(t, 2, 0.03),
                   wave(t, 4, 0.1)),
    ]  # fmt: skip
    actors = [
        actor(detector, number, way, BOARD if role == 1 else range(0))
        for role, (number, way) in enumerate(zip(people, ways, strict=True))
    ]
    return film(actors, FRAMES, SIZE)


def distances(face: Face, frame: Frame) -> list[float]:
    """From the face to each person, in face sizes."""
    return [
        float((face.landmarks - points).norm(dim=1).mean() / (points.amax(0) - points.amin(0)).max())
        for points in frame.landmarks
    ]


@pytest.mark.slow
@pytest.mark.parametrize("people", PEOPLE)
def test_no_frame_of_300_has_the_wrong_person(detector, people):
    follow = FaceFollower(detector, order="left-right")
    seen, apart = [], []
    for number, frame in enumerate(crossing(detector, people)):
        faces, chosen = follow(frame.picture)
        if chosen is None:
            continue
        away = distances(faces[chosen], frame)
        assert away[1] == min(away) and away[1] < 0.15, (number, away)
        seen.append(number)
        apart.append(away[1])
    assert not set(seen) & set(BOARD[1:])
    # All but the board and the frames of the crossing in which the other stands before the face.
    assert len(seen) >= FRAMES - len(BOARD) - 30 and {0, BOARD[0] - 5, BOARD[-1] + 5, FRAMES - 1} <= set(seen)
    assert sum(apart) / len(apart) < 0.02


class Counting:
    """A detector that counts its full searches."""

    def __init__(self, detector: BuiltinDetector) -> None:
        self._detector, self.full, self.near = detector, 0, 0

    def __call__(self, *arguments):
        self.full += 1
        return self._detector(*arguments)

    def follow(self, picture, faces):
        self.near += len(faces)
        return self._detector.follow(picture, faces)


class Crossed:
    """Two faces that stand still, each found by the search for the other from the second frame on."""

    def __init__(self, faces: list[Face], *, whole: bool) -> None:
        self._faces, self._whole, self.full, self.near = faces, whole, 0, 0

    def __call__(self, *arguments):
        self.full += 1
        return (tuple(self._faces),)

    def follow(self, picture, faces):
        self.near += 1
        if len(faces) == 1:
            nearest = min(self._faces, key=lambda own: abs(own.box[0] - faces[0].box[0]))
            return (nearest if self._whole else None,)
        first, other = self._faces[::-1] if faces[0].box[0] < faces[1].box[0] else self._faces
        plain = replace(other, landmarks=other.landmarks[:MESH_POINTS], depth=other.depth[:MESH_POINTS])
        return first, plain


@pytest.mark.parametrize("whole", [True, False])
def test_a_face_that_a_neighbours_search_found_gets_its_whole_mesh(detector, whole):
    people = [actor(detector, number, lambda t, x=x: (x, 0.5, 0.4, 0.0)) for number, x in ((3, 0.3), (90, 0.7))]
    (frame,) = film(people, 1, (270, 480))
    faces = sorted(detector(frame.picture[None])[0], key=lambda face: face.box[0])
    crossed = Crossed(faces, whole=whole)
    follow = FaceFollower(crossed, order="left-right")
    for _ in range(3):
        known, chosen = follow(frame.picture)
        assert chosen == 0 and len(known[0].landmarks) == 478
        assert (known[0].landmarks - faces[0].landmarks).abs().max() < 1
    assert (crossed.full, crossed.near) == ((1, 4) if whole else (3, 4))


@pytest.fixture(scope="module")
def two(detector) -> list[Frame]:
    """40 frames: one person who sways, and one who comes into the picture in the middle, larger."""
    first = actor(detector, 3, lambda t: (0.3 + wave(t, 1, 0.03), 0.5, 0.4, 0.0), range(20, 23))
    other = actor(detector, 90, lambda t: (0.72 if t >= 0.5 else 3.0, 0.5, 0.6, 0.0))
    return list(film([first, other], 40, (270, 480)))


def test_the_face_is_chosen_once_and_searched_near_where_it_was(detector, two):
    counting = Counting(detector)
    parts = follow_film(torch.stack([frame.picture for frame in two]), FaceFollower(counting, every=15))
    # The other one is larger from frame 20 on; those three frames are searched whole, and the three hidden ones.
    assert all(distances(parts.face(i), two[i])[0] < 0.1 for i in range(40) if parts.face(i) is not None)
    assert {i for i, chosen in enumerate(parts.chosen) if chosen is None} == {20, 21, 22}
    assert counting.full <= 3 + 3 + 1
    assert parts.face(5).has("eyes") and parts.face(5).has("skin")
    assert film_report(parts.chosen).endswith("frames in which it was not seen, and which stay as they were: 21-23")


def test_no_frame_is_copied_and_a_face_that_never_comes_is_an_error(detector, two):
    frames = torch.stack([frame.picture for frame in two[:3]])
    assert follow_film(frames, FaceFollower(detector)).pictures.data_ptr() == frames.data_ptr()
    with pytest.raises(FaceMissing, match="is in none of the 3 frames, which have at most 1 faces"):
        follow_film(frames, FaceFollower(detector, index=4))


def test_a_recogniser_tells_who_came_back(detector, two):
    def only_left(picture, face):
        return torch.tensor([1.0, 0.0]) if face.box[0] < 240 else torch.tensor([0.0, 1.0])

    person = torch.tensor([0.0, 1.0])
    follow = FaceFollower(detector, recognise=only_left, person=person)
    chosen = [follow(frame.picture) for frame in two]
    # Who is looked for comes in frame 20.
    assert all(number is None for _, number in chosen[:20])
    assert all(faces[number].box[0] > 240 for faces, number in chosen[25:])


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"smooth": 1.5}, "smooth is 1.5"), ({"every": 0}, "every is 0"), ({"index": -1}, "index is -1"),
     ({"order": "biggest"}, "'biggest' is not a face order")],
)  # fmt: skip
def test_a_setting_outside_its_range_is_refused(detector, setting, message):
    with pytest.raises(ValueError, match=message):
        FaceFollower(detector, **setting)
