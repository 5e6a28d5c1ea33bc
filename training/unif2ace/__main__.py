"""python -m face_part_fusion.training.unif2ace FOLDER --portraits PICTURES: a model that draws and answers, small.

Portraits are cut and described by measurement; a tokeniser of their pixels and a transformer with experts are
trained, and FOLDER/unif2ace.safetensors is written, which ComfyUI reads from models/unif2ace. FOLDER keeps what was
described and both states, so that a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ...injection.unif2ace.file import save_model
from ...injection.unif2ace.text_tokenizer import TextTokenizer
from ..core.options import listed, main_first, process_number
from ..core.record import one_sentence, to_terminal
from ..core.settings import add_settings, read_settings
from ..parser.portraits import held_out
from .judge import answers
from .portraits import load, prepare
from .train import TOKENISER, Batch, Settings, codes_of, loss_of, train_tokeniser, train_transformer
from .words import word_tokenizer

FILE = "unif2ace.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--portraits", type=Path, help="the folder of pictures; only needed to describe them")
    add_settings(parser, Settings())
    options = parser.parse_args()
    settings, running = read_settings(options, Settings())
    folder, stored = options.folder, options.folder / f"portraits_{settings.side}"
    if options.portraits is not None:
        pictures = sorted(options.portraits.glob("*.jpg"))
        with main_first(running):
            prepare(pictures, stored, settings.side,
                    lambda i: to_terminal(f"described {i} of {len(pictures)}") if i % 20 == 0 else None)  # fmt: skip
    everybody = load(stored)
    judges = held_out(list(everybody))
    people, facts = [person for name, person in everybody.items() if name not in judges], listed(everybody)
    texts = [text for person in people for pair in person.questions for text in pair]
    content, vocabulary = word_tokenizer(texts, TOKENISER.codes)
    text, config = TextTokenizer(content, vocabulary, "the new tokenizer"), settings.config(vocabulary)
    tokeniser = train_tokeniser(
        people, folder / "tokeniser.pt", settings, to_terminal, options=running, facts=facts
    )  # fmt: skip
    transformer = train_transformer(
        config, text, tokeniser, people, folder / "transformer.pt", settings, to_terminal, options=running, facts=facts
    )
    if process_number():
        return
    others = [everybody[name] for name in sorted(judges)]
    codes = codes_of(tokeniser, others)
    with torch.no_grad():
        random = torch.Generator().manual_seed(settings.seed)
        loss = loss_of(transformer, vocabulary, text, Batch(others, codes, random))
    told = answers(transformer, vocabulary, text, codes, others, people)
    to_terminal(
        f"{len(others)} people held out: loss {float(loss):.4f}; of {told.asked} questions {told.right:.3f} right, "
        f"{told.commonest:.3f} by the commonest answers"
    )
    save_model(config, transformer.state_dict(), tokeniser.state_dict(), content, folder / FILE)
    to_terminal(f"wrote {folder / FILE}")


if __name__ == "__main__":
    with one_sentence():
        main()
