"""All figures of one result: against its target, and against the people who gave parts or their identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial

from torch import Tensor

from ..detectors.parts import Face, FaceParts
from ..fusion.masks import part_mask
from ..injection.faces.deep3d_network import Deep3DNetwork
from .expression import deep3d_difference, expression_difference
from .figures import PERSON, Figures
from .gaze import gaze_difference
from .identity import WHICH, FaceVectors, same_person
from .light import light_difference
from .likeness import SamePart, likeness, taken
from .lpips import Lpips
from .mse import mse
from .pose import turned
from .psnr import psnr
from .rim import rim
from .seam import seam
from .ssim import mean_similarity, similarity_map

# How far around the face oval nothing counts as outside, as a share of its height: blends reach beyond it.
_AROUND = 0.08


@dataclass(frozen=True, eq=False)
class Networks:
    """What the user has beside the pack; None: figures that need it are not measured."""

    recogniser: FaceVectors | None = None
    deep3d: Deep3DNetwork | None = None
    lpips: Lpips | None = None


class NotMeasured(ValueError):
    """The reason why a figure is missing."""


@dataclass(frozen=True, eq=False)
class Triple:
    """One result and what it is compared with, one picture each, with its chosen face.

    `references`: part (of `figures.PARTS`) or PERSON -> who gives it.
    """

    result: FaceParts
    target: FaceParts | None = None
    references: Mapping[str, FaceParts] = field(default_factory=dict)


def score(triple: Triple, networks: Networks | None = None) -> Figures:
    """Every figure that can be measured, and why the others cannot."""
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for key, measure in _questions(triple, networks or Networks()).items():
        try:
            value = measure()
        except ValueError as missing:
            reasons[key] = str(missing)
            continue
        if value is None:
            reasons[key] = _UNKNOWN.get(key, "the landmarks of a face do not show it")
        else:
            values[key] = value
    return Figures(values, reasons)


def check_counts(results: int, others: Mapping[str, int]) -> None:
    """Raises ValueError for inputs with another number of pictures than 1 or that of the results. `others`: by name."""
    for name, count in others.items():
        if count not in (1, results):
            raise ValueError(
                f"{name} has {count} pictures and result has {results}; one picture is compared with all, else both "
                "must have as many"
            )


def single(parts: FaceParts, picture: int) -> FaceParts:
    """One picture of a batch; a batch of one stands for any number."""
    return parts if len(parts) == 1 else parts.single(picture)


def _questions(triple: Triple, networks: Networks) -> dict[str, Callable[[], float | None]]:
    """Key of QUESTIONS -> what measures it; it raises ValueError with the reason where it cannot."""
    questions: dict[str, Callable[[], float | None]] = {}
    for part, reference in triple.references.items():
        if part == PERSON:
            questions["identity"] = partial(_identity, triple.result, reference, networks, "the reference")
            continue
        if triple.target is not None:
            questions[f"taken_{part}"] = partial(_taken, triple.result, triple.target, reference, part)
        questions[f"likeness_{part}"] = partial(_likeness, triple.result, reference, part)
    if triple.target is None:
        return questions
    result, target = triple.result, triple.target
    similarity = cache(lambda: similarity_map(*_pixels(result, target)))
    return {
        **questions,
        "identity_target": partial(_identity, result, target, networks, "the target"),
        "pose": lambda: turned(_face(result), _face(target, "the target")),
        "expression": lambda: expression_difference(_with_face(result), _with_face(target, "the target")),
        "expression_deep3d": partial(_deep3d, result, target, networks),
        "gaze": lambda: gaze_difference(_face(result), _face(target, "the target")),
        "light": lambda: light_difference(_with_face(result), _with_face(target, "the target")),
        "seam": lambda: seam(*_pixels(result, target)),
        "rim": lambda: rim(*_pixels(result, target)),
        "mse": lambda: mse(*_pixels(result, target)),
        "psnr": lambda: psnr(*_pixels(result, target)),
        "ssim": lambda: mean_similarity(similarity()),
        "psnr_outside": lambda: psnr(*_pixels(result, target), _outside(target)),
        "ssim_outside": lambda: mean_similarity(similarity(), _outside(target)),
        "lpips": partial(_lpips, result, target, networks),
    }


_NO_EDGE = "nothing changed, or nearly the whole picture did, so there is no edge"
# What it means that a measure gave nothing, by key.
_UNKNOWN = {
    "seam": _NO_EDGE,
    "rim": _NO_EDGE,
    "light": "too little skin of the face is seen",
}


def _face(parts: FaceParts, name: str = "the result") -> Face:
    face = parts.face(0)
    if face is None:
        raise NotMeasured(f"no face was found in {name}")
    return face


def _with_face(parts: FaceParts, name: str = "the result") -> FaceParts:
    _face(parts, name)
    return parts


def _taken(result: FaceParts, target: FaceParts, reference: FaceParts, part: str) -> float:
    for parts, name in ((result, "the result"), (target, "the target"), (reference, "the reference")):
        _face(parts, name)
    try:
        return 100 * taken(result, target, reference, part)
    except SamePart as same:
        raise NotMeasured(str(same)) from same


def _likeness(result: FaceParts, reference: FaceParts, part: str) -> float:
    return likeness(_with_face(result), _with_face(reference, "the reference"), part)


def _identity(result: FaceParts, other: FaceParts, networks: Networks, name: str) -> float:
    if networks.recogniser is None:
        raise NotMeasured(f"it needs a face recogniser: {WHICH}")
    mine, others = (_landmarked(parts, whose) for parts, whose in ((result, "the result"), (other, name)))
    return same_person(networks.recogniser(mine)[0], networks.recogniser(others)[0])


def _deep3d(result: FaceParts, target: FaceParts, networks: Networks) -> float:
    if networks.deep3d is None:
        raise NotMeasured("it needs Deep3DFaceRecon's weights")
    return deep3d_difference(networks.deep3d, _landmarked(result, "the result"), _landmarked(target, "the target"))


def _lpips(result: FaceParts, target: FaceParts, networks: Networks) -> float:
    if networks.lpips is None:
        raise NotMeasured("it needs torchmetrics and AlexNet's weights, and was not asked for")
    return networks.lpips(*_pixels(result, target))


def _landmarked(parts: FaceParts, name: str) -> FaceParts:
    if not _face(parts, name).scheme:
        raise NotMeasured(f"the face of {name} has no landmarks, as it came from a box or a mask")
    return parts


def _pixels(result: FaceParts, target: FaceParts) -> tuple[Tensor, Tensor]:
    if result.size != target.size:
        (h, w), (high, wide) = result.size, target.size
        raise NotMeasured(f"the result is {w} x {h} pixels and the target {wide} x {high}; both must have one size")
    return result.pictures[0], target.pictures[0]


def _outside(target: FaceParts) -> Tensor:
    """(H, W): 1 outside the target's face oval. Without an oval the parts that the face has are left out."""
    face = _face(target, "the target")
    names = ("skin",) if face.has("skin") else tuple(face.regions)
    outside = 1 - part_mask(face, names, target.size, grow=_AROUND * (face.box[3] - face.box[1]))
    if not bool(outside.any()):
        raise NotMeasured("the face fills the picture")
    return outside
