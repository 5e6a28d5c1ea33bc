"""A model's own file and its use: saved, read back, and what is wrong with it said."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from face_part_fusion.injection.files.weight_file import read_metadata, read_weights
from face_part_fusion.injection.unif2ace.file import checked_weights, metadata_of, read_config
from face_part_fusion.injection.unif2ace.image_tokeniser import ImageTokeniser
from face_part_fusion.injection.unif2ace.model import UniFaceModel, middle_square
from face_part_fusion.injection.unif2ace.text_tokenizer import TextTokenizer
from face_part_fusion.injection.unif2ace.transformer import Transformer
from face_part_fusion.injection.unif2ace.vocabulary import Vocabulary
from support.uniface_weights import SMALL, save_small, tokenizer_json

pytest.importorskip("tokenizers")
METADATA = metadata_of(SMALL, "{}")


def read(path):
    metadata = read_metadata(path)
    config = read_config(metadata, path)
    transformer, tokeniser = Transformer(config.transformer).eval(), ImageTokeniser(config.tokeniser).eval()
    for net, weights in zip((transformer, tokeniser), checked_weights(read_weights(path), config, path), strict=True):
        net.load_state_dict(weights)
    text = TextTokenizer(metadata["text_tokenizer"], config.vocabulary, path)
    return UniFaceModel(transformer, tokeniser, config.vocabulary, text, config.side, torch.device("cpu"))


def test_a_saved_model_comes_back_whole_and_draws_and_answers(tmp_path):
    transformer, tokeniser = save_small(tmp_path / "small.safetensors")
    model = read(tmp_path / "small.safetensors")
    assert all(torch.equal(v, transformer.state_dict()[k]) for k, v in model.transformer.state_dict().items())
    assert all(torch.equal(v, tokeniser.state_dict()[k]) for k, v in model.tokeniser.state_dict().items())
    options = {"guidance": 2.0, "steps": 3, "temperature": 1.0}
    pictures = model.pictures_of("a smiling face", 2, seed=1, **options)
    assert pictures.shape == (2, 16, 16, 3) and 0 <= pictures.min() and pictures.max() <= 1
    assert torch.equal(pictures, model.pictures_of("a smiling face", 2, seed=1, **options))
    assert not torch.equal(pictures, model.pictures_of("a smiling face", 2, seed=2, **options))
    said = model.answer_about(torch.rand(20, 30, 3), "what", 4)
    assert 1 <= len(said.split()) <= 4


def test_the_middle_square_of_a_picture_is_seen():
    ramp = torch.linspace(0, 1, 40)[None, :, None].expand(20, 40, 3)
    seen = middle_square(ramp, 10)
    assert seen.shape == (1, 3, 10, 10) and float(seen.mean()) == pytest.approx(0.5, abs=1e-3)
    assert float(seen.min()) > 0.25 and torch.equal(middle_square(ramp[:, :20], 20)[0, 0], ramp[:, :20, 0])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"format": "x"}, "is not a UniF2ace model of this pack.*never published"),
        ({"version": "2"}, "update the pack"),
        ({"side": "17"}, "metadata is damaged"),
        ({"vocabulary": "[]"}, "metadata is damaged"),
        ({"tokeniser": '{"bits": 6}'}, "metadata is damaged"),
        ({"transformer": "{}"}, "metadata is damaged"),
    ],
)
def test_wrong_metadata_are_said(change, problem):
    with pytest.raises(ValueError, match=problem):
        read_config({**METADATA, **change}, "file")


def test_a_file_that_lacks_a_tensor_is_not_read(tmp_path):
    save_small(tmp_path / "small.safetensors")
    weights = read_weights(tmp_path / "small.safetensors")
    del weights["tokeniser.decoder.conv_out.bias"]
    with pytest.raises(ValueError, match=r"1 missing \(tokeniser.decoder.conv_out.bias\)"):
        checked_weights(weights, SMALL, "file")


def test_the_sizes_of_tokens_and_codes_must_agree():
    with pytest.raises(ValueError, match="99 and 32 codes"):
        dataclasses.replace(SMALL, vocabulary=Vocabulary(10, 99, 9))


def test_text_becomes_tokens_and_comes_back():
    text = TextTokenizer(tokenizer_json(), Vocabulary(48, 8192, 9), "file")
    assert text.encode("a smiling face") == [2, 4, 3] and text.decode([2, 4, 3, 9]) == "a smiling face"
    assert text.question("what") == [0, 7, 1]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{}", "is not a tokenizer.json"),
        ("", "is not a tokenizer.json"),
        (None, "has 10 tokens .* number 9; the model needs 48"),
    ],
)
def test_a_tokenizer_of_another_model_is_not_taken(content, problem):
    with pytest.raises(ValueError, match=problem):
        TextTokenizer(tokenizer_json(0) if content is None else content, Vocabulary(48, 8192, 9), "file")
