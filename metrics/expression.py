"""Whether two faces have the same expression: by landmarks, or by the coefficients of the user's Deep3DFaceRecon."""

from __future__ import annotations

from torch import Tensor

from ..detectors.motion import motion_of
from ..detectors.parts import FaceParts
from ..injection.faces.deep3d import deep3d_motion
from ..injection.faces.deep3d_network import Deep3DNetwork
from ..injection.faces.motion_groups import DEEP3D, PROVIDER, motion_groups


def expression_difference(one: FaceParts, other: FaceParts) -> float | None:
    """Mean difference of opening, width and lift of the mouth, of both brows and both lids, in percent of the eye
    distance.

    `one`, `other`: one picture each. None where the landmarks of a face do not show them.
    """
    mine, others = (_group(motion_of(parts), PROVIDER) for parts in (one, other))
    return None if mine is None or others is None else 100 * float((mine - others).abs().mean())


def deep3d_difference(network: Deep3DNetwork, one: FaceParts, other: FaceParts) -> float:
    """The distance of the 64 expression coefficients. Raises ValueError as `crop_for_deep3d` does."""
    mine, others = (_group(deep3d_motion(network, parts), DEEP3D) for parts in (one, other))
    if mine is None or others is None:
        raise ValueError("Deep3DFaceRecon gave no expression; detect with landmarks")
    return float((mine - others).norm())


def _group(motion: Tensor, provider: str) -> Tensor | None:
    values = motion_groups(motion, provider)["expression"][0]
    return values[1:] if float(values[0]) else None
