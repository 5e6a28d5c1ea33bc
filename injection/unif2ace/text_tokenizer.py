"""Text <-> tokens by a tokenizer.json, with the library `tokenizers` that ComfyUI's transformers bring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .vocabulary import Vocabulary

END = "<|endoftext|>"
ADVICE = "as text_tokenizer take tokenizer.json of microsoft/phi-1_5 on Hugging Face (MIT)"


class TextTokenizer:
    """The tokenizer of one model."""

    def __init__(self, content: str, vocabulary: Vocabulary, source: str | Path) -> None:
        """`content`: of tokenizer.json. `source`: its file.

        Raises ValueError where it is damaged or that of another model, and ImportError without `tokenizers`.
        """
        self._tokenizer: Any = _tokenizer(content, source)
        tokens, end = self._tokenizer.get_vocab_size(with_added_tokens=True), self._tokenizer.token_to_id(END)
        if (tokens, end) != (vocabulary.text, vocabulary.end):
            raise ValueError(
                f"{source} has {tokens} tokens and {END} is {'absent' if end is None else f'number {end}'}; the model "
                f"needs {vocabulary.text} and number {vocabulary.end}; for Show-o {ADVICE}"
            )

    def encode(self, text: str) -> list[int]:
        """Without tokens for begin and end."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(list(tokens)).strip()

    def question(self, text: str) -> list[int]:
        """A question as Show-o was trained to answer it."""
        return self.encode(f"USER: \n{text} ASSISTANT:")


def _tokenizer(content: str, source: str | Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ImportError(
            "the text of a UniF2ace or Show-o model needs the package tokenizers, which ComfyUI installs with "
            "transformers: pip install tokenizers"
        ) from error
    try:
        return Tokenizer.from_str(content)
    except Exception as error:  # the library raises plain Exception
        raise ValueError(f"{source} is not a tokenizer.json of Hugging Face; {ADVICE}") from error
