"""One face followed through the frames of a film: chosen once, kept through crossings and short losses.

Every face near the chosen one is followed as well, so that a person who passes in front of it is known as somebody
else. Between two full searches faces are searched only where they are expected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn import functional

from .builtin import DEFAULT_THRESHOLD, BuiltinDetector
from .face_mesh import MESH_POINTS
from .find import outlined
from .one_euro import SteadyFace
from .parts import Face, FaceParts
from .progress import Progress, counted
from .selection import FaceMissing, sort_faces
from .track import Track, distance, is_same_face, look_of, size_of

# A picture (H, W, 3) 0..1 and one of its faces -> a vector (n,) whose cosine is large for one person.
Recognise = Callable[[Tensor, Face], Tensor]

# Frames between two full searches.
FULL_SEARCH = 15
# Frames for which a lost face is expected where it was, with its look alone to tell that it is the same one.
PATIENCE = 10
# Cosine of two looks from which they may be one face in neighbouring frames, and from which a face is taken for one
# that was lost for long: near where it was, and anywhere. Of 780 pairs of two people's portraits 1 in 100 has more than
# .77, and none more than .86.
ALIKE, VERY_ALIKE, SURELY_ALIKE = 0.7, 0.87, 0.92
# Cosine of a recogniser from which two faces are one person; two people have about 0.
SAME_PERSON = 0.3
# How far, in face sizes, a face moves at most between two frames, and how much farther with each frame in which it was
# lost, up to the farthest; and the largest change of its size, as a factor.
_STEP, _MORE, _FARTHEST, _GROWTH = 0.5, 0.1, 1.5, 1.5
# How much a face size of distance counts against likeness where several faces could be the one.
_DISTANCE = 0.3
# Faces within so many face sizes of the chosen one are followed too, and how many at most.
_NEAR, _NEIGHBOURS = 4.0, 2


class FaceFollower:
    """Takes the frames of a film one after another and follows the chosen face; its memory does not grow with them."""

    def __init__(
        self, detector: BuiltinDetector, *, order: str = "large-small", index: int = 0, smooth: float = 0.5,
        threshold: float = DEFAULT_THRESHOLD, smallest: int = 32, every: int = FULL_SEARCH, patience: int = PATIENCE,
        recognise: Recognise | None = None, person: Tensor | None = None,
    ) -> None:  # fmt: skip
        """`order`, `index`: which face of the first frame that has so many is chosen.

        `smooth`: 0..1, how strongly landmarks are steadied; 0: not at all.
        `threshold`, `smallest`: of full searches, see BuiltinDetector.
        `every`: a full search each so many frames. `patience`: frames for which a lost face is expected where it was.
        `recognise`: tells people apart after a loss, instead of their look.
        `person`: a vector of `recognise`; who is chosen, instead of `order` and `index`.

        Raises ValueError for a setting outside its range.
        """
        if not 0 <= smooth <= 1:
            raise ValueError(f"smooth is {smooth}; it goes from 0 (off) to 1 (over about ten frames)")
        if every < 1 or patience < 0:
            raise ValueError(f"every is {every} and patience {patience}; needed are 1 frame, 0 frames, or more")
        if index < 0:
            raise ValueError(f"index is {index}; faces are numbered from 0")
        sort_faces((), order)
        self._detector, self._order, self._index, self._smooth = detector, order, index, smooth
        self._threshold, self._smallest, self._every, self._patience = threshold, smallest, every, patience
        self._recognise, self._person = recognise, person
        self._tracks: list[Track] = []
        self._chosen: Track | None = None
        self._steady: SteadyFace | None = None
        self._until_search = 0

    def __call__(self, picture: Tensor) -> tuple[tuple[Face, ...], int | None]:
        """The faces that are known in the next frame (H, W, 3), 0..1, and the chosen one's number; None: not there."""
        if not self._step(picture, full=self._until_search <= 0):
            # Lost: it may have gone anywhere.
            self._step(picture, full=True)
        self._until_search -= 1
        visible_tracks = sorted(
            (track for track in self._tracks if track.lost == 0), key=lambda track: track is not self._chosen
        )
        if self._chosen is None or self._chosen.lost:
            self._steady = None
            return tuple(outlined(track.face) for track in visible_tracks), None
        self._steady = self._steady or SteadyFace(self._smooth)
        steady = self._steady(self._chosen.face)
        return tuple(outlined(face) for face in (steady, *(track.face for track in visible_tracks[1:]))), 0

    def _step(self, picture: Tensor, full: bool) -> bool:
        """Search one frame. Returns False when the chosen face is not found by a search that was not full."""
        if full:
            self._until_search = self._every
            faces = list(self._detector(picture[None], self._threshold, self._smallest)[0])
        else:
            faces = self._near_chosen(picture)
        looks = [look_of(picture, face) for face in faces]
        pairs = self._pairs(picture, faces, looks)
        if not full and not self._has_full_mesh(picture, faces, pairs):
            return False
        for number, track in pairs.items():
            track.update(faces[number], looks[number])
        self._tracks = [track for track in self._tracks if self._is_kept(track, track in pairs.values(), full)]
        if full:
            self._tracks += [Track(face, [looks[n]]) for n, face in enumerate(faces) if n not in pairs]
        if self._chosen is None:
            self._choose(picture)
        return True

    def _has_full_mesh(self, picture: Tensor, faces: list[Face], pairs: dict[int, Track]) -> bool:
        """Whether the chosen face is among `faces`, with irises; a neighbour's plain mesh is replaced in `faces`.

        Where two faces cross, the chosen one may be found by the search for its neighbour.
        """
        number = next((number for number, track in pairs.items() if track is self._chosen), None)
        if number is None:
            return False
        if len(faces[number].landmarks) > MESH_POINTS:
            return True
        mesh = self._detector.follow(picture, [faces[number]])[0]
        if mesh is None or not is_same_face(mesh, faces[number]):
            return False
        faces[number] = mesh
        return True

    def _is_kept(self, track: Track, is_matched: bool, full: bool) -> bool:
        """Whether a track goes on; one that was searched in vain is one frame older."""
        if not is_matched:
            track.lost += 1
        return track is self._chosen or track.lost <= (self._patience if full else self._every + self._patience)

    def _choose(self, picture: Tensor) -> None:
        tracks = {id(track.face): track for track in self._tracks}
        faces = sort_faces([track.face for track in self._tracks], self._order)
        if self._person is not None and self._recognise is not None:
            likenesses = [_cosine(self._recognise(picture, face), self._person) for face in faces]
            best = max(range(len(faces)), key=lambda n: likenesses[n], default=None)
            if best is None or likenesses[best] < SAME_PERSON:
                return
            chosen = faces[best]
        elif self._index < len(faces):
            chosen = faces[self._index]
        else:
            return
        self._chosen = tracks[id(chosen)]
        if self._recognise is not None:
            self._chosen.person = self._recognise(picture, chosen) if self._person is None else self._person

    def _near_chosen(self, picture: Tensor) -> list[Face]:
        """The chosen face and those around it, searched where they are expected; of two over one face both."""
        if self._chosen is None or self._chosen.lost:
            return []
        own = self._chosen.face
        others = [(distance(own, track.face), track) for track in self._tracks if track is not self._chosen]
        near = sorted((pair for pair in others if pair[0] <= _NEAR and pair[1].lost == 0), key=lambda pair: pair[0])
        tracks = [self._chosen, *(track for _, track in near[:_NEIGHBOURS])]
        followed = self._detector.follow(picture, [track.expected() for track in tracks])
        faces = [face for face in followed if face is not None]
        return [face for n, face in enumerate(faces) if not any(is_same_face(face, other) for other in faces[:n])]

    def _pairs(self, picture: Tensor, faces: Sequence[Face], looks: Sequence[Tensor]) -> dict[int, Track]:
        """Number of a face -> the track that it goes on, the likeliest pairs first."""
        scores = []
        for number, (face, look) in enumerate(zip(faces, looks, strict=True)):
            for track in self._tracks:
                score = self._score(track, face, look)
                if score is not None:
                    scores.append((score, number, track))
        pairs: dict[int, Track] = {}
        for _, number, track in sorted(scores, key=lambda one: -one[0]):
            free = number not in pairs and track not in pairs.values()
            if free and (track.lost == 0 or self._is_person(track, picture, faces[number])):
                pairs[number] = track
        return pairs

    def _score(self, track: Track, face: Face, look: Tensor) -> float | None:
        """How likely the face is the track's; None where it cannot be."""
        likeness, apart = track.likeness(look), distance(track.expected(), face)
        growth = size_of(face) / size_of(track.face)
        near = apart <= min(_STEP + _MORE * track.lost, _FARTHEST) and 1 / _GROWTH <= growth <= _GROWTH
        least = (ALIKE if track.lost <= self._patience else VERY_ALIKE) if near else SURELY_ALIKE
        if likeness < least and (track.person is None or track.lost == 0):
            return None
        # While half of it was hidden, the chosen face may have been taken for a new one.
        first = track is self._chosen and likeness >= SURELY_ALIKE
        return likeness - _DISTANCE * min(apart, _FARTHEST) + first

    def _is_person(self, track: Track, picture: Tensor, face: Face) -> bool:
        """Whether a face that comes back is the track's person, as far as a recogniser can tell."""
        if track.person is None or self._recognise is None:
            return True
        return _cosine(self._recognise(picture, face), track.person) >= SAME_PERSON


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))


def follow_film(frames: Tensor, follower: FaceFollower, progress: Progress | None = None) -> FaceParts:
    """The frames (B, H, W, 3), 0..1, with the faces that `follower` knows in each; no frame is copied.

    `progress`: called after each frame. Raises FaceMissing when the face is in no frame.
    """
    followed = [follower(frames[i]) for i in counted(range(len(frames)), progress)]
    parts = FaceParts(frames, tuple(faces for faces, _ in followed), tuple(chosen for _, chosen in followed))
    if parts.nobody:
        most = max(len(faces) for faces in parts.faces)
        raise FaceMissing(
            f"the face to follow is in none of the {len(frames)} frames, which have at most {most} faces",
            "Lower index or threshold, choose another order or person, or use a larger picture",
        )
    return parts


def film_report(chosen: Sequence[int | None]) -> str:
    """In which frames, counted from 1, the chosen face was seen, and in which it was lost; one sentence a line.

    `chosen`: its number in each frame, None where it was not seen.
    """
    lost = [frame for frame, number in enumerate(chosen, 1) if number is None]
    lines = [f"the face was seen in {len(chosen) - len(lost)} of {len(chosen)} frames"]
    if lost:
        runs: list[list[int]] = []
        for number in lost:
            if runs and number == runs[-1][1] + 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        named = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
        lines.append(f"frames in which it was not seen, and which stay as they were: {named}")
    return "\n".join(lines)
