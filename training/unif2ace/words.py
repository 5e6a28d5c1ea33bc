"""A small word tokenizer, made from the texts of a training set."""

from __future__ import annotations

from collections.abc import Iterable

from ...injection.unif2ace.text_tokenizer import END, TextTokenizer
from ...injection.unif2ace.vocabulary import Vocabulary

_UNKNOWN = "[UNK]"


def word_tokenizer(texts: Iterable[str], codes: int) -> tuple[str, Vocabulary]:
    """The content of tokenizer.json, and the vocabulary with `codes` image codes. Each word and mark is a token.

    Raises ImportError without the package tokenizers.
    """
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers
    except ImportError as error:
        raise ImportError("training a UniF2ace model needs the package tokenizers: pip install tokenizers") from error
    parts = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    # What a question is wrapped in.
    texts = [*texts, "USER: ASSISTANT:"]
    words = sorted({word for text in texts for word, _ in parts.pre_tokenize_str(text)})
    known = {word: i for i, word in enumerate([*words, _UNKNOWN, END])}
    tokenizer = Tokenizer(models.WordLevel(known, _UNKNOWN))
    tokenizer.pre_tokenizer = parts
    tokenizer.add_special_tokens([END])
    vocabulary = Vocabulary(len(known), codes, known[END])
    content = tokenizer.to_str()
    TextTokenizer(content, vocabulary, "the new tokenizer")
    return content, vocabulary
