"""One person's face parts as encoder tokens, as an IP-Adapter takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ...detectors.parts import FaceParts
from ...detectors.progress import Progress
from ...fusion.features.encoder import Encoder
from ...fusion.features.part_crops import encode_crops


@dataclass(frozen=True, eq=False)
class PartTokens:
    """One person in B pictures; at least one part.

    `parts`: part, or "face" for the whole face, -> (B, n, C), the encoder's tokens of a square crop around that part,
    class token included.
    `unconditioned`: (1, n, C), the encoder's tokens of pixel values that are all zero.
    `strengths`: part -> 0..2, for every key of `parts`.
    `encoder`: its name, for messages.
    """

    parts: Mapping[str, Tensor]
    unconditioned: Tensor
    strengths: Mapping[str, float]
    encoder: str


def encode_parts(
    encoder: Encoder, parts: FaceParts, strengths: Mapping[str, float], padding: float, progress: Progress | None = None
) -> tuple[PartTokens, Tensor]:
    """Tokens of each part's own crop, and the crops (B * parts, s, s, 3), picture by picture.

    `strengths`: part or "face" -> 0..2; parts at 0 are left out.
    `padding`: room around each part, in lengths of its longer side.
    Raises as `fusion.features.part_crops.encode_crops` does.
    """
    above_0 = {part: strength for part, strength in strengths.items() if strength > 0}
    tokens, unconditioned, crops = encode_crops(parts, encoder, above_0, padding, progress)
    return PartTokens(tokens, unconditioned, above_0, encoder.name), crops


def part_tokens_only(representation: object, name: str) -> PartTokens:
    """`representation` itself. Raises ValueError, naming it by `name`, when it was encoded for another controller."""
    if not isinstance(representation, PartTokens):
        raise ValueError(
            f"{name} has no tokens of face parts, which an IP-Adapter needs; encode the face again without a FaceX "
            "controller, with a CLIP vision model and at least one part above 0"
        )
    return representation
