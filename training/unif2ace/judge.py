"""What a trained model knows of people whom it has not seen, beside what the commonest answer gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ...injection.unif2ace.inference import answer
from ...injection.unif2ace.text_tokenizer import TextTokenizer
from ...injection.unif2ace.transformer import Transformer
from ...injection.unif2ace.vocabulary import Vocabulary
from .portraits import Portrait

# Tokens of an answer of a word or two.
_LONGEST = 6


@dataclass(frozen=True)
class Answers:
    """`asked`: questions. `right`: share answered word for word; `commonest`: share that the training set's commonest
    answer to each question gets."""

    asked: int
    right: float
    commonest: float


def answers(
    network: Transformer, vocabulary: Vocabulary, text: TextTokenizer, codes: Tensor, people: Sequence[Portrait],
    seen: Sequence[Portrait],
) -> Answers:  # fmt: skip
    """Every attribute of `people`, whose image tokens are `codes` (B, N), asked for. `seen`: the training set."""
    by_question: dict[str, Counter[str]] = {}
    for each in seen:
        for question, word in each.questions[1:]:
            by_question.setdefault(question, Counter())[word] += 1
    right, common = [], []
    for each, own in zip(people, codes, strict=True):
        for question, word in each.questions[1:]:
            said = answer(network, vocabulary, own[None], text.question(question), longest=_LONGEST)
            right.append(said == text.encode(word))
            common.append(by_question[question].most_common(1)[0][0] == word if question in by_question else False)
    return Answers(len(right), sum(right) / max(len(right), 1), sum(common) / max(len(common), 1))
