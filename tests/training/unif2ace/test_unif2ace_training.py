"""A UniF2ace model in miniature: what its losses are, that they fall, and that the file is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from face_part_fusion.injection.files.weight_file import read_metadata, read_weights
from face_part_fusion.injection.unif2ace.file import checked_weights, read_config, save_model
from face_part_fusion.injection.unif2ace.image_tokeniser import TokeniserShape
from face_part_fusion.injection.unif2ace.text_tokenizer import TextTokenizer
from face_part_fusion.injection.unif2ace.transformer import ANSWER, Experts, Shape, Transformer
from face_part_fusion.injection.unif2ace.vocabulary import Vocabulary, text_after_picture
from face_part_fusion.training.unif2ace.judge import answers
from face_part_fusion.training.unif2ace.losses import BALANCE, answering_loss, drawing_loss, tokeniser_loss
from face_part_fusion.training.unif2ace.portraits import CAPTION, Portrait, load, prepare, square
from face_part_fusion.training.unif2ace.train import Settings, codes_of, train_tokeniser, train_transformer
from face_part_fusion.training.unif2ace.words import word_tokenizer

pytest.importorskip("tokenizers")
pytest.importorskip("accelerate", reason="pip install '.[test]'")
WORDS = Vocabulary(text=20, codes=8, end=19)
SHAPE = TokeniserShape(8, (1, 2, 2), (1, 1, 1), (1, 1, 2), (1, 1, 1), bits=5, groups=4)
SETTINGS = Settings(
    side=16, tokeniser_steps=60, steps=80, batch=8, tokeniser_rate=4e-3, rate=1e-2, width=32, layers=2, heads=2,
    token_experts=3, expert_width=16,
)  # fmt: skip


def network(seed=0):
    torch.manual_seed(seed)
    return Transformer(Shape(WORDS.size, 16, 2, 2, 24, 4, Experts(number=3, best=2, inner=6, clip=0, face=0))).double()


def person(i: int) -> Portrait:
    """A light or dark disc on a ground, and what is said of it."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
    light = i % 2 == 0
    disc = (x.square() + y.square() < 0.3 + 0.02 * i).float()
    picture = (disc * (0.8 if light else -0.8)).expand(3, -1, -1)
    word = "light" if light else "dark"
    return Portrait(picture, f"A {word} face.", {"skin_tone": word})


def test_answers_are_learnt_token_by_token_and_questions_are_not():
    net, codes = network(), torch.tensor([[1, 2, 3], [4, 5, 6]])
    questions, answers = [[1, 2], [3]], [[4, 5, 6], [7]]
    loss, terms, balance = answering_loss(net, WORDS, codes, questions, answers), [], 0
    tokens = text_after_picture(WORDS, codes, [[1, 2, 4, 5, 6, 19], [3, 7, 19]])
    states = net(*tokens, ANSWER)
    for row, (question, reply) in enumerate(zip(questions, answers, strict=True)):
        for j, wanted in enumerate([*reply, 19]):
            # Codes with their three marks come first, then the token that begins the text.
            logits = net.logits(states.hidden[row, 6 + len(question) + j])
            terms.append(-logits.log_softmax(-1)[wanted])
    balance = BALANCE * states.balance
    assert torch.allclose(loss, torch.stack(terms).mean() + balance, atol=1e-6)


def test_a_drawing_learns_nothing_from_the_codes_that_it_sees():
    net, codes = network(), torch.randint(8, (4, 9), generator=torch.Generator().manual_seed(1))
    losses = [drawing_loss(net, WORDS, [[1, 2]] * 4, codes, torch.Generator().manual_seed(s)) for s in (2, 2, 3)]
    assert losses[0] == losses[1] != losses[2] and min(losses) > 0
    losses[0].backward()
    assert net.model.layers[0].token_experts["understanding"].router.weight.grad is None


def test_the_gradient_of_a_picture_passes_its_codes(tmp_path: Path):
    settings = replace(SETTINGS, tokeniser_steps=1)
    net = train_tokeniser([person(0)], tmp_path / "t.pt", settings, lambda _: None, SHAPE)
    tokeniser_loss(net, person(1).picture[None]).backward()
    assert float(net.encoder.conv_in.weight.grad.abs().max()) > 0


def test_words_become_a_tokenizer_with_an_end():
    content, vocabulary = word_tokenizer(["A light face."], 32)
    text = TextTokenizer(content, vocabulary, "")
    assert text.decode(text.encode("A light face.")) == "A light face ."
    assert vocabulary.end == vocabulary.text - 1 and text.decode(text.question("light face")).startswith("USER :")


def test_losses_fall_and_the_file_is_read(tmp_path: Path):
    people, lines = [person(i) for i in range(12)], []
    texts = [text for each in people for pair in each.questions for text in pair]
    content, vocabulary = word_tokenizer(texts, SHAPE.codes)
    config, text = SETTINGS.config(vocabulary, SHAPE), TextTokenizer(content, vocabulary, "")
    tokeniser = train_tokeniser(people, tmp_path / "tokeniser.pt", SETTINGS, lines.append, SHAPE)
    state = tmp_path / "transformer.pt"
    transformer = train_transformer(config, text, tokeniser, people, state, SETTINGS, lines.append)
    pictures = torch.stack([each.picture for each in people])
    with torch.no_grad():
        error = (tokeniser.decode(tokeniser.encode(pictures)) - pictures).abs().mean()
    assert float(error) < 0.6 * float((pictures.mean(0) - pictures).abs().mean())
    for name in ("tokeniser", "transformer"):
        losses = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)]
        assert losses[-1] < 0.6 * losses[0], losses
    told = answers(transformer, vocabulary, text, codes_of(tokeniser, people), people, people)
    # Half are light: the commonest answer is right for them alone.
    assert told.asked == 12 and told.commonest == 0.5 and told.right > 0.9
    save_model(config, transformer.state_dict(), tokeniser.state_dict(), content, tmp_path / "m.safetensors")
    metadata = read_metadata(tmp_path / "m.safetensors")
    assert read_config(metadata, "m") == config and metadata["text_tokenizer"] == content
    checked_weights(read_weights(tmp_path / "m.safetensors"), config, "m")


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path: Path):
    people, settings = [person(i) for i in range(4)], replace(SETTINGS, tokeniser_steps=6, steps=6, batch=2)
    content, vocabulary = word_tokenizer([t for each in people for pair in each.questions for t in pair], SHAPE.codes)
    config, text = settings.config(vocabulary, SHAPE), TextTokenizer(content, vocabulary, "")

    def trained_tokeniser(state: str, stop: int | None = None):
        return train_tokeniser(people, tmp_path / state, settings, lambda _: None, SHAPE, stop)

    def trained_transformer(state: str, stop: int | None = None):
        return train_transformer(config, text, tokeniser, people, tmp_path / state, settings, lambda _: None, stop)

    tokeniser = trained_tokeniser("whole tokeniser.pt")
    for trained, whole in ((trained_tokeniser, tokeniser), (trained_transformer, trained_transformer("whole.pt"))):
        state = f"{trained.__name__}.pt"
        trained(state, stop=3)
        pairs = zip(trained(state).state_dict().values(), whole.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_portraits_are_cut_and_described(tmp_path: Path, shared_faces: Path):
    photographs = sorted((shared_faces / "portraits").glob("*.jpg"))[:2]
    told: list[int] = []
    prepare(photographs, tmp_path, 32, told.append)
    people = load(tmp_path)
    assert told == [1, 2] and set(people) == {path.stem for path in photographs}
    for each in people.values():
        assert each.picture.shape == (3, 32, 32) and -1 <= each.picture.min() < each.picture.max() <= 1
        assert len(each.caption.split()) > 15 and len(each.words) > 3
        assert each.questions[0] == (CAPTION, each.caption) and len(each.questions) == len(each.words) + 1
    with pytest.raises(ValueError, match="--portraits"):
        load(tmp_path / "empty")


def test_a_square_keeps_inside_the_picture():
    picture = torch.rand(40, 60, 3)
    assert torch.allclose(square(picture, (50.0, 10.0, 60.0, 20.0), 17)[:, 0, 0], picture[6, 43], atol=1e-5)
    assert square(picture, (0.0, 0.0, 60.0, 40.0), 20).shape == (3, 20, 20)
