"""Published Show-o files: recognised by their keys, read key by key."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.injection.unif2ace.image_tokeniser import ImageTokeniser, TokeniserShape
from face_part_fusion.injection.unif2ace.show_o import is_show_o, read_show_o, read_tokeniser
from face_part_fusion.injection.unif2ace.transformer import Shape, Transformer
from face_part_fusion.injection.unif2ace.vocabulary import Vocabulary
from support.uniface_weights import WORDS, random_magvit, random_show_o

TEXT = len(WORDS) + 1 + 38


@pytest.fixture(scope="module")
def weights():
    return random_show_o()


@pytest.fixture(scope="module")
def magvit():
    return random_magvit()


def test_sizes_vocabulary_and_weights_come_from_the_keys(weights):
    shape, vocabulary, named = read_show_o(weights, "file")
    assert is_show_o(weights) and shape == Shape(TEXT + 8203, 64, 2, 1, 96, 32)
    assert vocabulary == Vocabulary(TEXT, 8192, len(WORDS))
    Transformer(shape).load_state_dict(named)
    assert torch.equal(named["model.layers.1.mlp.fc2.bias"], weights["showo.model.layers.1.mlp.fc2.bias"])


def test_the_published_sizes_are_phis_and_its_end_token_is_50256():
    published = {"showo.model.embed_tokens.weight": torch.empty(58498, 2048, device="meta")}
    published |= {f"showo.model.layers.{i}.x": torch.empty(1) for i in range(24)}
    with pytest.raises(ValueError, match=r"does not hold Show-o \(341 tensors\)"):
        read_show_o(published, "file")
    assert len(Transformer(Shape(40, 64, 24, 1, 64, 32)).state_dict()) == 341
    assert Vocabulary().end == Vocabulary().text - 39


def test_saved_angles_of_old_versions_are_left_out(weights):
    old = {**weights, "showo.model.layers.0.self_attn.rotary_emb.inv_freq": torch.rand(16)}
    assert read_show_o(old, "file")[2].keys() == read_show_o(weights, "file")[2].keys()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"mm_projector.0.weight": torch.ones(1)}, "Show-o with CLIP-ViT .* take showlab/show-o"),
        ({"showo.model.layers.1.mlp.fc1.bias": None}, r"1 missing \(model.layers.1.mlp.fc1.bias\)"),
        ({"showo.model.layers.1.self_attn.dense.weight": torch.ones(64, 63)}, r"\(64, 63\), needed is \(64, 64\)"),
        ({"showo.lm_head.bias": torch.full((TEXT + 8203,), torch.nan)}, "not finite"),
        ({"extra": torch.ones(1)}, r"1 unknown \(extra\)"),
        ({"showo.model.embed_tokens.weight": torch.ones(8000, 64)}, "needed are more than 8192 tokens"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(weights, change, problem):
    wrong = {key: value for key, value in {**weights, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=problem):
        read_show_o(wrong, "file")


def test_another_file_is_named_and_that_no_weights_of_unif2ace_exist():
    with pytest.raises(ValueError, match=r"is a LoRA: .*UniF2ace's weights were never published.*showlab/show-o"):
        read_show_o({"x.lora_up.weight": torch.ones(2, 2)}, "file")


def test_the_published_tokeniser_is_read(magvit):
    shape, named = read_tokeniser(magvit, "file")
    assert shape == TokeniserShape(width=32)
    net = ImageTokeniser(shape)
    net.load_state_dict(named)
    assert net.encode(torch.rand(1, 3, 32, 48)).shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"quantize.power_vals": 2 ** torch.arange(13)}, r"another way \(quantize.power_vals\)"),
        ({"quantize.embedding": torch.ones(8192, 13)}, r"another way \(quantize.embedding\)"),
        ({"decoder.conv_out.bias": None}, r"1 missing \(decoder.conv_out.bias\)"),
        ({"encoder.conv_in.weight": torch.ones(20, 3, 3, 3)}, "is a VAE; as image_tokenizer take"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_tokeniser_is_said(magvit, change, problem):
    wrong = {key: value for key, value in {**magvit, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=problem):
        read_tokeniser(wrong, "file")
