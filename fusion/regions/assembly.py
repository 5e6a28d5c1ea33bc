"""What the region assembler gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from .tasks import GIVERS, regions_of


@dataclass(frozen=True, eq=False)
class Assembly:
    """Assembled pictures; B of them.

    `picture`: (B, H, W, 3) float32, 0..1, the inpainting reference, FaceX's I_R.
    `mask`: (B, H, W) float32, 1 = to be made anew, else 0; where the task is "inpaint" also the greys of the user's
        own mask. Where it is 0 the picture is the base's, bit for bit.
    `origin`: (B, H, W) int64, whose pixel it is, as an index into GIVERS; "anew" is masked out.
    `base`: "target" or "source", whose picture is the canvas.
    `regions_from`: region -> giver.
    `unprotected`: regions that would stay as they are but are not known, such as "the target's hair".
    `empty`: regions that somebody gives but that have no area on that face, such as "the source's ears" under hair.
    `covered`: sentences of what covers a part that somebody gives; another photograph of that person may show it.
    """

    picture: Tensor
    mask: Tensor
    origin: Tensor
    base: str
    regions_from: Mapping[str, str]
    unprotected: tuple[str, ...]
    empty: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()

    def report(self) -> str:
        """Who gives what, one line for each giver, then the regions that are not known and those that are covered."""
        regions_by_giver = {giver: regions_of(giver, self.regions_from) for giver in GIVERS}
        lines = [f"{giver}: {', '.join(regions)}" for giver, regions in regions_by_giver.items() if regions]
        if self.unprotected:
            lines.append(f"not known, so not protected: {', '.join(self.unprotected)}")
        if self.empty:
            lines.append(f"hidden or not known, so nothing of it is given: {', '.join(self.empty)}")
        return "\n".join([*lines, *self.covered])
