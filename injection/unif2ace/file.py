"""A model with its tokenisers as one safetensors file, whose metadata say its sizes and hold the text tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..files.own_file import check_format, reading_metadata, save_weights
from ..files.weight_check import check_weights, module_shapes
from .image_tokeniser import ImageTokeniser, TokeniserShape
from .transformer import Experts, Shape, Transformer
from .vocabulary import Vocabulary

FORMAT, VERSION = "face-part-fusion UniF2ace", "1"
# What to take, for messages.
ADVICE = (
    "UniF2ace's weights were never published; as model take the weight file of showlab/show-o or "
    "showlab/show-o-512x512 on Hugging Face (Apache-2.0), or a file that python -m face_part_fusion.training.unif2ace "
    "wrote"
)
_TRANSFORMER, _TOKENISER = "transformer.", "tokeniser."


@dataclass(frozen=True)
class Config:
    """`side`: of the square pictures that it knows, in pixels."""

    transformer: Shape
    tokeniser: TokeniserShape
    vocabulary: Vocabulary
    side: int

    def __post_init__(self) -> None:
        """Raises ValueError for parts that do not go together."""
        fits = self.vocabulary.codes == self.tokeniser.codes and self.vocabulary.size == self.transformer.vocabulary
        if not fits or self.side < 1 or self.side % self.tokeniser.factor:
            raise ValueError(
                f"{self.vocabulary.size} and {self.transformer.vocabulary} tokens, {self.vocabulary.codes} "
                f"and {self.tokeniser.codes} codes, {self.side} pixels with {self.tokeniser.factor} to a code, "
                "do not go together"
            )


def save_model(
    config: Config, transformer: Mapping[str, Tensor], tokeniser: Mapping[str, Tensor], text_tokenizer: str, path: Path
) -> None:
    """`transformer`, `tokeniser`: state dicts. `text_tokenizer`: the content of its tokenizer.json."""
    weights = {_TRANSFORMER + k: v for k, v in transformer.items()} | {_TOKENISER + k: v for k, v in tokeniser.items()}
    save_weights(weights, metadata_of(config, text_tokenizer), path, "the model's file")


def metadata_of(config: Config, text_tokenizer: str) -> dict[str, str]:
    return {
        "format": FORMAT, "version": VERSION, "text_tokenizer": text_tokenizer, "side": str(config.side),
        **{name: json.dumps(asdict(getattr(config, name))) for name in ("transformer", "tokeniser", "vocabulary")},
    }  # fmt: skip


def read_config(metadata: Mapping[str, str], source: str | Path) -> Config:
    """The sizes in a file's metadata. Raises ValueError for another format, a newer version and damaged metadata."""
    check_format(metadata, FORMAT, VERSION, source, "is not a UniF2ace model of this pack", ADVICE)
    with reading_metadata(source):
        shape = json.loads(metadata["transformer"])
        experts = shape.pop("experts")
        return Config(
            Shape(**shape, experts=experts and Experts(**experts)),
            TokeniserShape(**_values(metadata, "tokeniser")),
            Vocabulary(**_values(metadata, "vocabulary")),
            int(metadata["side"]),
        )


def _values(metadata: Mapping[str, str], name: str) -> Any:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in json.loads(metadata[name]).items()}


def checked_weights(
    weights: Mapping[str, Tensor],
    config: Config,
    source: str | Path,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The state dicts of Transformer and ImageTokeniser, key by key. Raises ValueError as `check_weights` does."""
    check_weights(
        weights, module_shapes(lambda: _Both(config)), source=source, progress=progress,
        name="a UniF2ace model of the sizes in its metadata", advice="copy the file again, or train anew",
    )  # fmt: skip
    transformer, tokeniser = (
        {k.removeprefix(p): v for k, v in weights.items() if k.startswith(p)} for p in (_TRANSFORMER, _TOKENISER)
    )
    return transformer, tokeniser


class _Both(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.transformer, self.tokeniser = Transformer(config.transformer), ImageTokeniser(config.tokeniser)
