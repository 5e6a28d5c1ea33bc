"""The expression, from how far mouth, eyes and brows are from their usual places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .attribute import Attribute
from .eyes import eye_openness
from .mouth import corner_lift, mouth_opening
from .view import FaceView

# Number of a neutral face and of a strong movement, by movement: mouth widths, eye widths, eye distances.
_MOVEMENTS: Mapping[str, tuple[float, float]] = {
    "smile": (-0.01, 0.09), "frown": (0.02, -0.06), "mouth_open": (0.05, 0.5), "eyes_closed": (0.26, 0.08),
    "eyes_wide": (0.28, 0.42), "brows_raised": (0.235, 0.3), "brows_lowered": (0.2, 0.16),
}  # fmt: skip


def movements(view: FaceView) -> dict[str, float]:
    """How strong each movement is, 0..1."""
    brow = (view.span(105, 159) + view.span(334, 386)) / 2
    numbers = {
        "smile": corner_lift(view), "frown": corner_lift(view), "mouth_open": mouth_opening(view),
        "eyes_closed": eye_openness(view), "eyes_wide": eye_openness(view),
        "brows_raised": brow, "brows_lowered": brow,
    }  # fmt: skip
    return {
        name: max(0.0, min(1.0, (numbers[name] - still) / (strong - still)))
        for name, (still, strong) in _MOVEMENTS.items()
    }


def expression(view: FaceView) -> Iterator[Attribute]:
    strength = movements(view)
    laughing = min(1.0, 2 * strength["smile"] * strength["mouth_open"] ** 0.5)
    surprised = strength["mouth_open"] * max(strength["brows_raised"], strength["eyes_wide"]) * (1 - strength["smile"])
    scores = {"smiling": strength["smile"], "surprised": surprised, "unhappy": strength["frown"] * 0.8}
    if strength["mouth_open"] > 0.45:
        scores["laughing"] = laughing
    word, score = max(scores.items(), key=lambda pair: pair[1])
    if score < 0.35:
        word, score = "neutral", 1 - score
    yield Attribute("expression", word, score, "share", min(0.95, 0.5 + score / 2) * view.detail, 0.3)
