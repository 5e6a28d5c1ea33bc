"""Drawing and answering against plain computations."""

from __future__ import annotations

import torch
from face_part_fusion.injection.unif2ace.inference import answer, draw
from face_part_fusion.injection.unif2ace.masked_sampling import sample_masked
from face_part_fusion.injection.unif2ace.transformer import ANSWER, DRAW, Experts, Shape, Transformer
from face_part_fusion.injection.unif2ace.vocabulary import Vocabulary, picture_after_text, text_after_picture

WORDS = Vocabulary(text=20, codes=8, end=19)
EXPERTS = Experts(number=3, best=2, inner=6, clip=0, face=0)


def network(experts=None):
    torch.manual_seed(1)
    net = Transformer(Shape(WORDS.size, 16, 2, 2, 24, 4, experts)).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return net


def drawn(seed=0, experts=None, **options):
    return draw(network(experts), WORDS, [[3, 4], [5]], 9, generator=torch.Generator().manual_seed(seed), **options)


@torch.no_grad()
def test_drawing_is_masked_sampling_with_guidance_away_from_no_text():
    net = network()

    def logits_of(codes):
        wish, none = (
            net.logits(net(*picture_after_text(WORDS, texts, codes), DRAW).hidden)[:, -10:-1, 30:38]
            for texts in ([[3, 4], [5]], [[], []])
        )
        return 3 * wish - 2 * none

    wanted = sample_masked(logits_of, torch.full((2, 9), 8), 8, 6, 0.5, torch.Generator().manual_seed(0))
    assert torch.equal(drawn(guidance=2.0, steps=6, temperature=0.5), wanted)
    assert wanted.max() < 8


def test_a_seed_repeats_a_drawing_with_the_noise_expert_too():
    assert torch.equal(drawn(experts=EXPERTS), drawn(experts=EXPERTS))
    assert not torch.equal(drawn(0), drawn(1))


@torch.no_grad()
def test_an_answer_is_the_likeliest_token_each_time():
    for experts in (None, EXPERTS):
        net, codes = network(experts), torch.tensor([[1, 2, 3, 4]])
        said = answer(net, WORDS, codes, [6, 7], longest=5)
        text = [6, 7]
        for _ in range(5):
            tokens = text_after_picture(WORDS, codes, [text])
            logits = net.logits(net(*tokens, ANSWER).hidden)[0, -1, :20]
            if int(logits.argmax()) == 19:
                break
            text.append(int(logits.argmax()))
        assert said == text[2:] and said


def test_an_answer_ends_with_the_end_token():
    net = network()
    with torch.no_grad():
        net.lm_head.bias[19] = 1e4
    assert answer(net, WORDS, torch.tensor([[1, 2]]), [6], longest=5) == []


def test_progress_counts_the_steps():
    seen = []
    drawn(steps=4, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
