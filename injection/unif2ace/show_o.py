"""Published Show-o files (Apache-2.0), recognised by their keys: the transformer, and its MAGVIT-v2 tokeniser.

Layout: showlab/Show-o on GitHub. Phi-1.5's heads have 64 channels, of which 32 carry the position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..files.families import family
from ..files.weight_check import check_weights, module_shapes, size_of
from .file import ADVICE
from .image_tokeniser import ImageTokeniser, TokeniserShape, signs_of
from .transformer import Shape, Transformer
from .vocabulary import SPECIAL, Vocabulary

TOKENISER_ADVICE = "as image_tokenizer take the weight file of showlab/magvitv2 on Hugging Face (Apache-2.0)"
_PREFIX, _EMBEDDING = "showo.", "showo.model.embed_tokens.weight"
_HEAD, _ROTATED = 64, 32
_CODES = TokeniserShape().codes
# Tables that follow from the number of bits, which the published file has beside its weights.
_TABLE, _POWERS = "quantize.embedding", "quantize.power_vals"
# Angles that Phi computes anew; old versions of transformers saved them.
_ANGLES = ".rotary_emb.inv_freq"

Progress = Callable[[int, int], None]


def is_show_o(weights: Mapping[str, Any]) -> bool:
    return _EMBEDDING in weights


def read_show_o(
    weights: Mapping[str, Any], source: str | Path, progress: Progress | None = None
) -> tuple[Shape, Vocabulary, dict[str, Tensor]]:
    """Sizes, vocabulary, and the state dict of a `Transformer`.

    `weights`: key -> tensor, flat. `progress`: called with the tensors checked and all of them.

    Raises ValueError for a file of another kind, for Show-o's variant that reads CLIP's tokens, and where a key or a
    shape is another.
    """
    if not is_show_o(weights):
        kind = family(weights)
        raise ValueError(
            f"{source} {f'is {kind}' if kind else 'holds no model that is known here'}: it lacks {_EMBEDDING} of "
            f"Show-o, and its metadata name no model of this pack. {ADVICE}"
        )
    if any(key.startswith("mm_projector.") for key in weights):
        raise ValueError(
            f"{source} is Show-o with CLIP-ViT (it has mm_projector), which asks about CLIP's tokens in place of image "
            "tokens and is not read here; take showlab/show-o or showlab/show-o-512x512"
        )
    named = {k.removeprefix(_PREFIX): v for k, v in weights.items() if not k.endswith(_ANGLES)}
    vocabulary, width = (size_of(weights, _EMBEDDING, dimension, 0) for dimension in (0, 1))
    text = vocabulary - len(SPECIAL) - _CODES - 1
    if width < _HEAD or width % _HEAD or text < 2:
        raise ValueError(
            f"{source} does not hold Show-o: {_EMBEDDING} is {vocabulary} x {width}, needed are more than {_CODES} "
            f"tokens and a width that is a multiple of {_HEAD}; {ADVICE}"
        )
    layers = {match[1] for key in named if (match := re.match(r"model\.layers\.(\d+)\.", key))}
    inner = size_of(named, "model.layers.0.mlp.fc1.weight", 0, 4 * width)
    shape = Shape(vocabulary, width, len(layers), width // _HEAD, inner, _ROTATED)
    check_weights(
        named, module_shapes(lambda: Transformer(shape)), source=source, name="Show-o", advice=ADVICE, progress=progress
    )
    # Phi-1.5's tokenizer has 38 runs of spaces after the end token.
    return shape, Vocabulary(text, _CODES, text - 39), named


def read_tokeniser(
    weights: Mapping[str, Any], source: str | Path, progress: Progress | None = None
) -> tuple[TokeniserShape, dict[str, Tensor]]:
    """Sizes, and the state dict of an `ImageTokeniser`, of the published MAGVIT-v2.

    Raises ValueError where a key or a shape is another, and for a table of codes that is not that of the signs.
    """
    shape = TokeniserShape(width=size_of(weights, "encoder.conv_in.weight", 0, TokeniserShape.width))
    tables = {_TABLE: signs_of(torch.arange(shape.codes)[None, None], shape.bits)[0, :, 0].T,
              _POWERS: 2 ** torch.arange(shape.bits - 1, -1, -1)}  # fmt: skip
    named = {key: value for key, value in weights.items() if key not in tables}
    if shape.width % shape.groups:
        raise ValueError(f"{source} is {family(weights) or 'no image tokeniser'}; {TOKENISER_ADVICE}")
    check_weights(
        named, module_shapes(lambda: ImageTokeniser(shape)), source=source, name="the MAGVIT-v2 tokeniser of Show-o",
        advice=TOKENISER_ADVICE, progress=progress,
    )  # fmt: skip
    for key, table in tables.items():
        if key in weights and (weights[key].shape != table.shape or not torch.equal(weights[key].to(table), table)):
            raise ValueError(f"{source} numbers its codes in another way ({key}); {TOKENISER_ADVICE}")
    return shape, named
