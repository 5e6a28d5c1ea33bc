"""One person as a FaceX controller takes them (arXiv 2401.00551, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ...fusion.regions.tasks import ANEW, REGIONS


@dataclass(frozen=True, eq=False)
class FaceRepresentation:
    """One person in B pictures, float32 on the CPU.

    `regions`: (B, R, C), a token for each of tasks.REGIONS.
    `present`: (B, R) bool, whether the region has pixels.
    `identity`: (B, n, C), None where the controller was made without it.
    `motion`: (B, m), as faces.motion_groups splits it.
    `inpaint`: (B, n, C), patch tokens of the inpainting reference.
    `providers`: representation -> name of the network that made it.
    """

    regions: Tensor
    present: Tensor
    identity: Tensor | None
    motion: Tensor
    inpaint: Tensor
    providers: Mapping[str, str]

    def notes(self, regions_from: Mapping[str, str] | None = None) -> list[str]:
        """Lines for a report: regions without pixels in at least one picture, except those that are made anew.

        `regions_from`: region -> giver.
        """
        present = dict(zip(REGIONS, self.present.all(0).tolist(), strict=True))
        empty = [region for region in REGIONS if not present[region] and (regions_from or {}).get(region) != ANEW]
        return [f"no pixels, so the controller's empty token stands for: {', '.join(empty)}"] if empty else []

    def __len__(self) -> int:
        """B, the number of pictures."""
        return len(self.regions)


def facex_only(representation: object, name: str) -> FaceRepresentation:
    """`representation` itself. Raises ValueError, naming it by `name`, when it was encoded for another controller."""
    if not isinstance(representation, FaceRepresentation):
        raise ValueError(f"{name} was not encoded for FaceX; encode the face again with the FaceX controller wired in")
    return representation
