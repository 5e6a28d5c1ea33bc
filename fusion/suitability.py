"""What makes two photographs suit each other badly, in sentences for the person who chose them."""

from __future__ import annotations

from dataclasses import dataclass

from .light import STRONGEST_GAIN
from .placement import SAME_TURN

# Degrees between two heads from which a part is seldom convincing.
_FAR_TURNED = 30
# And from which it is hopeless, sooner for what shows its wrong side: an eye has a mirror image.
_HOPELESS = 48
_SOONER = {"nose": 30, "mouth": 30}
# Foreshortening of an eye below which it is too little seen.
_EDGE_ON = 0.5
# A reference enlarged by more than this is soft.
_ENLARGED = 1.6
# The texture of the reference's skin as a multiple of the target's: blurred, and too sharp.
_BLURRED, _SHARP = 0.55, 2.2
# Standard deviation, in steps of L, of what the light of two photographs differs by over a part.
_OTHER_SIDE = 7
# Contrast of the shades on a reference, as a multiple of the target's, from which softening leaves traces.
_HARD = 1.5
# Share of a part that is covered, from which it is told.
_COVERED = 0.08
# And from which the part is left as it was.
_MOSTLY = 0.5
# Lightness of an eye's white as a share of the skin's, below which an eye would be a black hole. Of 268 portraits, six
# lie below, all in deep shadow or closed.
_IN_SHADOW = 0.35


@dataclass(frozen=True)
class Fit:
    """How well one side of a part of a reference suits the target.

    `turn`: degrees between the directions in which the heads look, None where unknown.
    `enlarged`: by how much the reference is enlarged.
    `texture`: fine texture of its skin as a multiple of the target's.
    `gain`: lightness of the target's skin as a multiple of the reference's.
    `slope`: how unevenly the light differs over the part, in steps of L (0..100).
    `hardness`: contrast of the reference's shades as a multiple of the target's.
    `cover_on_reference`: 0..1, share of the part that something covers on the reference.
    `cover_on_target`: 0..1, share of the part over which something of the target's lies.
    `mirrored`: whether the other side's mirror image is taken.
    `shade`: lightness of an eye's white on the reference as a share of the skin's.
    """

    turn: float | None = None
    enlarged: float = 1.0
    texture: float = 1.0
    gain: float = 1.0
    slope: float = 0.0
    hardness: float = 1.0
    cover_on_reference: float = 0.0
    cover_on_target: float = 0.0
    mirrored: bool = False
    shade: float = 1.0


def is_edge_on(foreshortening: float) -> bool:
    """Whether a reference shows a part so much from its edge that it has too few pixels of it."""
    return foreshortening < _EDGE_ON


def too_far_turned(part: str, turn: float | None) -> bool:
    """Whether heads that look `turn` degrees apart can no longer exchange the part; None where it is unknown."""
    return turn is not None and turn > _SOONER.get(part, _HOPELESS)


def is_covered(fit: Fit) -> bool:
    """Whether something covers so much of the part, on either side, that it is left as it was."""
    return max(fit.cover_on_reference, fit.cover_on_target) > _MOSTLY


def is_in_shadow(fit: Fit) -> bool:
    """Whether an eye on the reference lies so deep in shadow, or is so much closed, that it is left as it was."""
    return fit.shade < _IN_SHADOW


def remarks(fit: Fit) -> list[str]:
    """What a person should know, worst first; nothing for photographs that suit each other."""
    if is_covered(fit):
        whose = "reference" if fit.cover_on_reference > fit.cover_on_target else "target"
        return [f"left as it was: more than half of it is covered on the {whose}; choose another photograph"]
    if is_in_shadow(fit):
        return ["left as it was: an eye on the reference is closed or in deep shadow; choose one with open, lit eyes"]
    lines = []
    if fit.turn is not None and fit.turn > SAME_TURN:
        advice = "; choose a reference that looks the same way" if fit.turn > _FAR_TURNED else ""
        how = "the nearer side's mirror image was taken for the farther" if fit.mirrored else "it was turned along"
        lines.append(f"the heads look {fit.turn:.0f} degrees apart, so {how}{advice}")
    if fit.cover_on_reference > _COVERED:
        lines.append("something covers it on the reference, and that was left out; a reference without it is better")
    if fit.cover_on_target > _COVERED:
        lines.append("something lies over it on the target, and that was kept on top")
    if not 1 / STRONGEST_GAIN <= fit.gain <= STRONGEST_GAIN:
        way = "darker" if fit.gain > 1 else "lighter"
        lines.append(f"the reference is far {way}, so it was matched only in part; choose one in similar light")
    if fit.slope > _OTHER_SIDE:
        lines.append("the light comes from another side, and hard shadows may stay; choose a reference lit alike")
    elif fit.hardness > _HARD:
        lines.append("the light on the reference is harder, and shadows may stay; choose one in softer light")
    if fit.enlarged > _ENLARGED:
        lines.append(f"the reference is small and was enlarged {fit.enlarged:.1f} times; a larger one is sharper")
    elif fit.texture < _BLURRED:
        lines.append("the reference is softer than the target; grain was added, detail cannot be")
    elif fit.texture > _SHARP:
        lines.append("the target is softer than the reference, so the part was softened")
    return lines
