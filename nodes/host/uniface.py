"""A UniF2ace or Show-o model in the host's care."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management as mm
import comfy.ops
import torch
from torch import Tensor, nn

from ...detectors.progress import Progress, stages
from ...injection.files.flat_state import flat_state
from ...injection.files.weight_file import read_metadata, read_weights
from ...injection.unif2ace.file import ADVICE, FORMAT, checked_weights, read_config
from ...injection.unif2ace.image_tokeniser import ImageTokeniser
from ...injection.unif2ace.model import UniFaceModel
from ...injection.unif2ace.show_o import TOKENISER_ADVICE, is_show_o, read_show_o, read_tokeniser
from ...injection.unif2ace.text_tokenizer import TextTokenizer
from ...injection.unif2ace.transformer import Transformer
from ...injection.unif2ace.vocabulary import Vocabulary
from .patcher import in_patcher
from .progress import stop_if_asked
from .uniface_files import IN_THE_MODEL, needed_beside

# Not float16: Phi's attention overflows in it.
_DTYPES = [torch.bfloat16, torch.float32]


@dataclass(frozen=True, eq=False)
class UniFace:
    """What travels on the UNIFACE wire. `transformer`, `tokeniser`: host ModelPatchers. `side`: of its pictures."""

    transformer: Any
    tokeniser: Any
    vocabulary: Vocabulary
    text: TextTokenizer
    side: int

    def ready(self) -> UniFaceModel:
        """The model, its weights on the host's compute device."""
        mm.load_models_gpu(self.get_models())
        return UniFaceModel(
            self.transformer.model, self.tokeniser.model, self.vocabulary, self.text, self.side, mm.get_torch_device()
        )

    def get_models(self) -> list[Any]:
        """The host asks objects on a wire for the models that they keep alive."""
        return [self.transformer, self.tokeniser]


def load_uniface(
    path: str, image_tokenizer: str | None, text_tokenizer: str | None, side: int, progress: Progress
) -> UniFace:
    """The model in a file. `image_tokenizer`, `text_tokenizer`: files of a Show-o model. `side`: of its pictures.

    Raises ValueError saying which file is missing, what is wrong with one, or that one is not needed.
    """
    metadata = read_metadata(path)
    if metadata.get("format") != FORMAT:
        return _show_o(path, image_tokenizer, text_tokenizer, side, progress)
    for field, given in (("image_tokenizer", image_tokenizer), ("text_tokenizer", text_tokenizer)):
        if given is not None:
            raise ValueError(f"{field} names {given}, and {path} has tokenizers of its own; set it to '{IN_THE_MODEL}'")
    config = read_config(metadata, path)
    weights, tokeniser = checked_weights(read_weights(path, ADVICE), config, path, progress)
    text = TextTokenizer(metadata.get("text_tokenizer", ""), config.vocabulary, path)
    return UniFace(
        _in_host(lambda: Transformer(config.transformer, comfy.ops.manual_cast), weights, _dtype(weights)),
        _in_host(lambda: ImageTokeniser(config.tokeniser, comfy.ops.manual_cast), tokeniser, torch.float32),
        config.vocabulary, text, config.side,
    )  # fmt: skip


def _show_o(
    path: str, image_tokenizer: str | None, text_tokenizer: str | None, side: int, progress: Progress
) -> UniFace:
    checking, checking_tokeniser = stages(progress, 2)
    published = flat_state(read_weights(path, ADVICE), ())
    # Before gigabytes are checked.
    for field, given in (("image_tokenizer", image_tokenizer), ("text_tokenizer", text_tokenizer)):
        if given is None and is_show_o(published):
            raise ValueError(needed_beside(field, path))
    shape, vocabulary, weights = read_show_o(published, path, checking)
    text = TextTokenizer(_content(text_tokenizer), vocabulary, text_tokenizer)
    read = flat_state(read_weights(image_tokenizer, TOKENISER_ADVICE), ())
    sizes, tokeniser = read_tokeniser(read, image_tokenizer, checking_tokeniser)
    return UniFace(
        _in_host(lambda: Transformer(shape, comfy.ops.manual_cast), weights, _dtype(weights)),
        _in_host(lambda: ImageTokeniser(sizes, comfy.ops.manual_cast), tokeniser, torch.float32),
        vocabulary, text, side,
    )  # fmt: skip


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def _dtype(weights: Mapping[str, Tensor]) -> torch.dtype:
    return mm.unet_dtype(model_params=sum(w.numel() for w in weights.values()), supported_dtypes=_DTYPES)


def _in_host(make: Callable[[], nn.Module], weights: Mapping[str, Tensor], dtype: torch.dtype) -> Any:
    """A ModelPatcher around the module that `make` builds, with these weights themselves: a large model is in memory
    once."""
    with torch.device("meta"):
        module = make()
    module.load_state_dict({key: weight.to(dtype) for key, weight in weights.items()}, assign=True)
    for layer in module.modules():
        if not any(True for _ in layer.children()):
            layer.register_forward_pre_hook(stop_if_asked)
    return in_patcher(module.eval().requires_grad_(False), mm.get_torch_device(), mm.unet_offload_device())
