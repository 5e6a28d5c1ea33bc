"""Motion descriptors by provider: the landmarks, or the 3D face network of the user's; how each divides into groups."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...detectors.motion import MOTION

PROVIDER, DEEP3D = "landmarks", "Deep3DFaceRecon"

# Provider -> group -> number of values; the first of a group is 1 where the group is known. Deep3DFaceRecon does not
# measure the gaze; with either provider the gaze comes from the landmarks.
WIDTHS: Mapping[str, Mapping[str, int]] = {
    PROVIDER: {group: len(values) for group, values in MOTION.items()},
    DEEP3D: {"pose": 4, "expression": 65, "gaze": len(MOTION["gaze"]), "texture": 81, "lighting": 28},
}


def motion_groups(motion: Tensor, provider: str = PROVIDER) -> dict[str, Tensor]:
    """A provider's descriptor (B, m) -> group -> (B, n). Raises ValueError for another length or provider."""
    if provider not in WIDTHS:
        raise ValueError(f"motion comes from '{provider}', which is not known; known are {', '.join(WIDTHS)}")
    sizes = list(WIDTHS[provider].values())
    if motion.ndim != 2 or motion.shape[1] != sum(sizes):
        raise ValueError(
            f"a motion descriptor from {provider} has shape (pictures, {sum(sizes)}); came {tuple(motion.shape)}"
        )
    return dict(zip(WIDTHS[provider], motion.split(sizes, 1), strict=True))
