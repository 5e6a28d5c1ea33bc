"""Parts that cannot be seen because the head is turned away."""

from __future__ import annotations

from dataclasses import replace

from .parts import GROUPS, Face

# Degrees of yaw, as the mesh gives it, above which the far eye and brow are hidden. On photographs the far eye at 42 is
# whole and its outline lies on it; at 48 the outline lies on the background.
HIDDEN_FROM = 45.0


def hidden_parts(face: Face) -> tuple[str, ...]:
    """The parts of a turned head that lie behind the nose; () where the depth of the landmarks is unknown."""
    if face.depth is None or face.angles is None or abs(face.angles[0]) <= HIDDEN_FROM:
        return ()
    far = 1 if face.angles[0] > 0 else 0
    return tuple(sides[far] for sides in GROUPS.values())


def without_hidden(face: Face, given: frozenset[str] = frozenset()) -> Face:
    """The face without the regions of its hidden parts, which `hidden` names. `given`: parts to keep in any case."""
    hidden = tuple(part for part in hidden_parts(face) if part not in given)
    if not hidden:
        return face
    return replace(face, regions={p: r for p, r in face.regions.items() if p not in hidden}, hidden=hidden)
