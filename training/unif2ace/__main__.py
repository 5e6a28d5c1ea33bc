"""python -m face_part_fusion.training.unif2ace FOLDER --portraits PICTURES: a model that draws and answers, small.

Portraits are cut and described by measurement; a tokeniser of their pixels and a transformer with experts are
trained, and FOLDER/unif2ace.safetensors is written, which ComfyUI reads from models/unif2ace.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from ...injection.unif2ace.file import save_model
from ...injection.unif2ace.text_tokenizer import TextTokenizer
from ..parser.portraits import held_out
from .judge import answers
from .portraits import load, prepare
from .train import Settings, batch_loss, codes_of, train_tokeniser, train_transformer
from .words import word_tokenizer

FILE = "unif2ace.safetensors"
_NUMBERS = ("side", "tokeniser_steps", "steps", "batch", "tokeniser_rate", "rate", "seed", "width", "layers", "heads")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--portraits", type=Path, help="the folder of pictures; only needed to describe them")
    for name in _NUMBERS:
        value = getattr(Settings(), name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--token-experts", type=int, default=Settings().experts.number, help="0: none")
    parser.add_argument("--sequence-experts", type=int, default=Settings().experts.best_of_sequence, help="0: none")
    options = parser.parse_args()
    experts = replace(Settings().experts, number=options.token_experts, best_of_sequence=options.sequence_experts)
    settings = Settings(**{name: getattr(options, name) for name in _NUMBERS}, experts=experts)
    stored = options.folder / f"portraits_{settings.side}"
    if options.portraits is not None:
        pictures = sorted(options.portraits.glob("*.jpg"))
        prepare(
            pictures,
            stored,
            settings.side,
            lambda i: _log(f"described {i} of {len(pictures)}") if i % 20 == 0 else None,
        )
    everybody = load(stored)
    judges = held_out(list(everybody))
    people = [person for name, person in everybody.items() if name not in judges]
    texts = [text for person in people for pair in person.questions for text in pair]
    content, vocabulary = word_tokenizer(texts, settings.tokeniser.codes)
    text, config = TextTokenizer(content, vocabulary, "the new tokenizer"), settings.config(vocabulary)
    tokeniser = train_tokeniser(people, settings, _log)
    transformer = train_transformer(config, text, tokeniser, people, settings, _log)
    others = [everybody[name] for name in sorted(judges)]
    codes = codes_of(tokeniser, others)
    with torch.no_grad():
        random = torch.Generator().manual_seed(settings.seed)
        loss = batch_loss(transformer, vocabulary, text, others, codes, random)
    told = answers(transformer, vocabulary, text, codes, others, people)
    _log(
        f"{len(others)} people held out: loss {float(loss):.4f}; of {told.asked} questions {told.right:.3f} right, "
        f"{told.commonest:.3f} by the commonest answers"
    )
    save_model(config, transformer.state_dict(), tokeniser.state_dict(), content, options.folder / FILE)
    _log(f"wrote {options.folder / FILE}")


def _log(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
