"""UniF2ace Load, Generate and Ask in real hosts: they compute what the pack's own modules compute, and say what they
need."""

from __future__ import annotations

from typing import Any

import pytest
from support.measured import measure, usable_hosts


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "uniface.py", tmp_path_factory.mktemp("uniface"))


def test_pictures_and_answers_are_those_of_the_packs_own_modules(figures: dict[str, Any]):
    assert all(gap < 1e-4 for gap in figures["gaps"].values()), figures["gaps"]
    for ours, theirs in figures["answers"].values():
        assert ours == theirs and len(ours.split("\n")) == 2
    assert figures["shapes"] == {"trained": [2, 16, 16, 3], "published": [2, 256, 256, 3]}


def test_a_published_file_is_read_as_pickle_and_as_safetensors_and_at_both_sizes(figures: dict[str, Any]):
    assert figures["pickle"] and figures["size"] == [1, 512, 512, 3]


def test_the_host_manages_both_networks(figures: dict[str, Any]):
    assert figures["managed"]


def test_what_was_left_out_of_a_long_prompt_is_reported(figures: dict[str, Any]):
    assert figures["long"] == "prompt: the last 4 tokens are too many and were left out"


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("none", ("no model was found", "UniF2ace's weights were never published", "showlab/show-o", "unif2ace")),
        ("gone", ("model names 'gone.bin'", "showlab/show-o")),
        ("lora", ("is a LoRA", "never published")),
        ("no tokenizer", ("image_tokenizer is 'in the model's file'", "showlab/magvitv2", "unif2ace")),
        ("no text", ("text_tokenizer is 'in the model's file'", "tokenizer.json of microsoft/phi-1_5")),
        ("as tokenizer", ("does not hold the MAGVIT-v2 tokeniser", "showlab/magvitv2")),
        ("as model", ("is a VAE", "lacks showo.model.embed_tokens.weight")),
        ("other text", ("has 10 tokens", "the model needs 48")),
        ("broken text", ("broken.json is not a tokenizer.json",)),
        ("not needed", ("image_tokenizer names", "has tokenizers of its own")),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_said(figures: dict[str, Any], case: str, words: tuple[str, ...]):
    assert all(word in figures[case] for word in words), figures[case]
