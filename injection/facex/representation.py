"""What travels from a reference face to a controller: encoder tokens of its parts, FaceX's representations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ...fusion.regions.tasks import REGIONS


@dataclass(frozen=True, eq=False)
class FaceRepresentation:
    """FACE_REPRESENTATION: one person; B pictures.

    For IP-Adapter: `parts`: part, or "face" for the whole face, -> (B, n, C), the encoder's tokens of a square crop
    around that part, class token included. `unconditioned`: (1, n, C), its tokens of pixel values that are all zero.
    `strengths`: part -> 0..2, for every key of `parts`. `encoder`: its name, for messages.

    For FaceX, None where it was not made: `regions`: (B, R, C), a token per region. `present`: (B, R) bool, whether the
    region has pixels. `identity`: (B, n, C). `motion`: (B, m). `inpaint`: (B, n, C), of the inpainting reference.
    `providers`: representation -> name of what made it.
    """

    parts: Mapping[str, Tensor] = field(default_factory=dict)
    unconditioned: Tensor | None = None
    strengths: Mapping[str, float] = field(default_factory=dict)
    encoder: str = ""
    regions: Tensor | None = None
    present: Tensor | None = None
    identity: Tensor | None = None
    motion: Tensor | None = None
    inpaint: Tensor | None = None
    providers: Mapping[str, str] = field(default_factory=dict)

    def empty_regions(self) -> tuple[str, ...]:
        """FaceX: the regions without pixels in at least one picture, for which the learned empty token stands."""
        if self.present is None:
            return ()
        return tuple(region for region, there in zip(REGIONS, self.present.all(0).tolist(), strict=True) if not there)

    def __len__(self) -> int:
        """B, the number of pictures; 0 for an empty record."""
        given = (*self.parts.values(), self.regions, self.identity, self.motion, self.inpaint)
        return next((len(tokens) for tokens in given if tokens is not None), 0)
