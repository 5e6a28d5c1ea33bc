"""The help pictures of the nodes of UniF2ace: files, tokens that are settled step by step, who sees whom."""

from __future__ import annotations

import torch
from help_pixels import WIDTH, WORD, leading, shown
from help_schematics import AMBER, SMALL, millions
from people import Person, picture
from PIL import Image
from sheets import FAINT, INK, card, columns, paper, rows, sheet, tile

# people maps the repository to the package, so it comes first.
# isort: split
from face_part_fusion.injection.unif2ace.hybrid_mask import hybrid_mask
from face_part_fusion.injection.unif2ace.image_tokeniser import ImageTokeniser, TokeniserShape
from face_part_fusion.injection.unif2ace.masked_sampling import sample_masked
from face_part_fusion.injection.unif2ace.transformer import Shape, Transformer
from face_part_fusion.injection.unif2ace.vocabulary import Vocabulary, text_after_picture

# Tokens along each side of a picture of 256 pixels, and steps of which four are shown.
CELLS, STEPS, SHOWN = 16, 18, (0, 9, 15, 18)
NOTE = 20  # points


def load(target: Person, giver: Person) -> Image.Image:
    """Three files, and the two networks in them."""
    with torch.device("meta"):
        nets = Transformer(Shape()), ImageTokeniser(TokeniserShape())
    sizes = [sum(weight.numel() for weight in net.parameters()) for net in nets]
    names = ("showlab/show-o", "showlab/magvitv2", "phi-1_5 tokenizer")
    papers = [paper((name, SMALL, INK), ("models/unif2ace", NOTE, FAINT)) for name in names]
    tokens, codes = Vocabulary(), TokeniserShape()
    model = card(("transformer", 34, AMBER), (f"{tokens.size} tokens", WORD, INK), millions(sizes[0]))
    said = f"{codes.factor} x {codes.factor} pixels: 1 of {codes.codes}"
    codec = card(("image tokens", 34, AMBER), (said, SMALL, INK), millions(sizes[1]))
    return leading(papers, rows(model, codec), 1, 380)


def generate(target: Person, giver: Person) -> Image.Image:
    """The tokens of one picture after some of the steps: grey is masked yet."""
    chances = torch.randn(1, CELLS**2, 8, generator=torch.Generator().manual_seed(0))
    seen: list[torch.Tensor] = []

    def logits_of(tokens: torch.Tensor) -> torch.Tensor:
        seen.append(tokens)
        return chances

    masked = torch.full((1, CELLS**2), 8)
    seen.append(sample_masked(logits_of, masked, 8, STEPS, generator=torch.Generator().manual_seed(1)))
    colours = torch.tensor([[64, 70, 78], [255, 183, 64]], dtype=torch.uint8)
    grids = []
    for step in SHOWN:
        settled = seen[step].view(CELLS, CELLS) < 8
        image = Image.fromarray(colours[settled.long()].numpy()).resize((320, 320), Image.Resampling.NEAREST)
        above = tile(image, f"step {step}")
        grids.append((1, rows(above, card((f"{int(settled.sum())} of {CELLS**2}", NOTE, INK)), shares=(1, 0.25))))
    return sheet(WIDTH, 212, columns(*grids))


def ask(target: Person, giver: Person) -> Image.Image:
    """A portrait, and which of the tokens that follow it sees which: rows look at columns."""
    words = text_after_picture(Vocabulary(), torch.zeros(1, 12, dtype=torch.long), [range(8)])
    sees = hybrid_mask(words.kinds)[0]
    colours = torch.tensor([[64, 70, 78], [255, 183, 64]], dtype=torch.uint8)
    image = Image.fromarray(colours[sees.long()].numpy()).resize((480, 480), Image.Resampling.NEAREST)
    said = card(
        ("each row sees", NOTE, INK), ("what is orange", NOTE, INK), ("above: image tokens", NOTE, FAINT),
        ("below: question, answer", NOTE, FAINT),
    )  # fmt: skip
    portrait = shown(picture(target.near), "", 0.06)
    return sheet(WIDTH, 216, columns((1, portrait), (1, tile(image)), (1.2, said), arrows=1))


TOKENS = {"FPFUniFaceLoad": load, "FPFUniFaceGenerate": generate, "FPFUniFaceAsk": ask}
