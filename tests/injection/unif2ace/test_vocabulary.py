"""The sequences of Show-o: which token stands where, and who sees whom."""

from __future__ import annotations

import torch
from face_part_fusion.injection.unif2ace.hybrid_mask import hybrid_mask
from face_part_fusion.injection.unif2ace.vocabulary import Vocabulary, picture_after_text, text_after_picture

CODES = torch.tensor([[7, 8192, 9], [1, 2, 3]])
PAD, SOI, EOI, T2I, MMU, END = 50295, 50296, 50297, 50300, 50301, 50256


def test_the_numbers_are_those_of_show_o():
    v = Vocabulary()
    assert (v.size, v.mask, v.first_code) == (58498, 58497, 50305)
    assert [v.special(n) for n in ("[PAD]", "<|soi|>", "<|eoi|>", "<|t2i|>", "<|mmu|>")] == [PAD, SOI, EOI, T2I, MMU]


def test_a_picture_follows_its_text_which_is_padded_before():
    ids, kinds = picture_after_text(Vocabulary(), [[11, 12], []], CODES, longest=6)
    image = [SOI, 50305 + 7, 58497, 50305 + 9, EOI]
    assert ids[0].tolist() == [PAD, PAD, T2I, END, 11, 12, END, *image]
    assert ids[1, :7].tolist() == [PAD] * 4 + [T2I, END, END]
    assert kinds[0].tolist() == [0, 0, 1, 1, 1, 1, 1] + [2] * 5


def test_longer_text_is_cut_and_still_ends():
    ids, _ = picture_after_text(Vocabulary(), [range(100, 120)], CODES[:1], longest=6)
    assert ids[0, :7].tolist() == [T2I, END, 100, 101, 102, 103, END]


def test_text_follows_a_picture_of_which_all_is_seen():
    ids, kinds = text_after_picture(Vocabulary(), CODES, [[11, 12, 13], [14]])
    assert ids[1].tolist() == [MMU, SOI, 50306, 50307, 50308, EOI, END, 14, PAD, PAD]
    sees = hybrid_mask(kinds)[0]
    assert sees[:, :6].all() and torch.equal(sees[6:, 6:], torch.ones(4, 4).tril().bool())
