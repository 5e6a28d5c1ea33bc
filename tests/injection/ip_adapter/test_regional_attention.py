"""Several references, each inside its own region: the added attention, masks on a grid, batches, errors."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from face_part_fusion.injection.ip_adapter.adapter import IPAdapter, recognise
from face_part_fusion.injection.ip_adapter.regional_attention import RegionalAttention, Steering, reached_queries
from face_part_fusion.injection.ip_adapter.replacement import Layer, RegionalReplacement, attention_layers, slot_of
from face_part_fusion.injection.sampling.grid_masks import check_shape
from face_part_fusion.injection.sampling.span import Span
from face_part_fusion.injection.unet.block_weights import read_block_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ip_adapter_weights import attention, image_tokens, random_ip_adapter
from support.sampling_runs import in_run
from torch import Tensor, nn
from torch.nn import functional as F

HEADS, WIDTH, LAYER = 2, 16, 0
WEIGHTS = random_ip_adapter("sd15", "plus", base=WIDTH, inner=64, encoder=1280)
EMPTY = torch.randn(1, 4, 1280, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="module")
def adapter() -> IPAdapter:
    module = IPAdapter(recognise(WEIGHTS))
    module.load_state_dict(WEIGHTS)
    return module.requires_grad_(False)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def steering(seed: int, mask: Tensor, strength: float = 1.0, count: int = 1) -> Steering:
    return Steering(f"eyes of {seed}", draw(count, 4, 1280, seed=seed), EMPTY, mask, strength)


def options(h: int, w: int, chunks: tuple[int, ...] = (1, 0), rows: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "activations_shape": [rows, WIDTH, h, w], "cond_or_uncond": list(chunks), "n_heads": HEADS,
        "sigmas": torch.tensor([3.0]), **more,
    }  # fmt: skip


def box(h: int, w: int, y0: int, y1: int, x0: int, x1: int) -> Tensor:
    mask = torch.zeros(1, h, w)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def plainly(
    q: Tensor, base: Tensor, steerings: list[Steering], chunks: tuple[int, ...], grid: tuple[int, int]
) -> Tensor:
    """Query by query over the whole grid, with softmax spelt out."""
    pictures, out = len(q) // len(chunks), base
    for one in steerings:
        cond, uncond = image_tokens(WEIGHTS, one.tokens), image_tokens(WEIGHTS, one.unconditioned)
        rows = torch.cat([(uncond if c == 1 else cond).expand(pictures, -1, -1) for c in chunks])
        keys, values = (rows @ WEIGHTS[f"ip_adapter.1.to_{n}_ip.weight"].T for n in "kv")
        cells = F.adaptive_avg_pool2d(one.mask, grid).flatten(1)[..., None].expand(pictures, -1, -1)
        out = out + one.strength * cells.repeat(len(chunks), 1, 1) * attention(q, keys, values, HEADS)
    return out


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 7), st.integers(1, 7), st.integers(1, 3), st.integers(0, 1000),
    st.sampled_from([(1, 0), (0,), (1, 0, 0)]),
)  # fmt: skip
def test_added_attention_is_the_plain_one(h, w, pictures, seed, chunks):
    module = IPAdapter(recognise(WEIGHTS))
    module.load_state_dict(WEIGHTS)
    masks = [torch.rand(count, 3 * h, 2 * w, generator=torch.Generator().manual_seed(seed)) for count in (1, pictures)]
    masks[0][:, : h * 2] = 0
    given_ = [steering(seed, masks[0], 0.7), steering(seed + 1, masks[1], 1.4, count=pictures)]
    q, base = (draw(pictures * len(chunks), h * w, WIDTH, seed=seed + i) for i in (2, 3))
    with torch.no_grad():
        ours = RegionalAttention(module, given_, attention).add(base, q, LAYER, 1.0, options(h, w, chunks))
        assert torch.allclose(ours, plainly(q, base, given_, chunks, (h, w)), atol=1e-4)


def test_each_query_sees_only_its_own_reference(adapter):
    left, right = box(8, 8, 0, 8, 0, 3), box(8, 8, 2, 6, 4, 7)
    q, base = draw(2, 64, WIDTH, seed=1), draw(2, 64, WIDTH, seed=2)

    def seen(one: int, two: int) -> Tensor:
        regional = RegionalAttention(adapter, [steering(one, left), steering(two, right)], attention)
        return regional.add(base, q, LAYER, 1.0, options(8, 8))

    both = seen(10, 20)
    in_left, in_right = left.flatten() > 0, right.flatten() > 0
    other_left, other_right = both - seen(11, 20), both - seen(10, 21)
    # The second row is the prompt's; the first, of the negative prompt, does not know the references.
    assert torch.equal(other_left[:, ~in_left], torch.zeros_like(other_left[:, ~in_left]))
    assert torch.equal(other_right[:, ~in_right], torch.zeros_like(other_right[:, ~in_right]))
    assert (other_left[1, in_left].abs().amax(1) > 0).all() and (other_right[1, in_right].abs().amax(1) > 0).all()
    assert torch.equal(both[:, ~(in_left | in_right)], base[:, ~(in_left | in_right)])
    assert torch.equal(other_left[0], torch.zeros_like(other_left[0]))


def test_only_queries_inside_a_region_are_computed(adapter):
    lengths = []

    def counting(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        lengths.append(q.shape[1])
        return attention(q, k, v, heads)

    small, everywhere, nothing = box(8, 8, 2, 4, 2, 5), torch.ones(1, 1, 1), torch.zeros(1, 8, 8)
    regional = RegionalAttention(adapter, [steering(1, small), steering(2, everywhere), steering(3, nothing)], counting)
    regional.add(draw(2, 64, WIDTH), draw(2, 64, WIDTH), LAYER, 1.0, options(8, 8))
    assert lengths == [6, 64]


def test_a_black_mask_and_strength_zero_give_the_base_itself(adapter):
    base = draw(2, 16, WIDTH)
    for one in (steering(1, torch.zeros(1, 4, 4)), steering(1, torch.ones(1, 4, 4), 0.0)):
        regional = RegionalAttention(adapter, [one], attention)
        assert regional.add(base, draw(2, 16, WIDTH, seed=1), LAYER, 1.0, options(4, 4)) is base


def test_a_tensor_that_another_patch_keeps_is_never_written_to(adapter):
    kept = draw(2, 16, WIDTH)
    before, full = kept.clone(), torch.ones(1, 1, 1)
    regional = RegionalAttention(adapter, [steering(1, full), steering(2, box(4, 4, 0, 2, 0, 2))], attention)
    assert not torch.equal(regional.add(kept, draw(2, 16, WIDTH, seed=1), LAYER, 1.0, options(4, 4)), before)
    assert torch.equal(kept, before)


def test_a_cell_weighs_the_share_that_the_mask_covers():
    mask = torch.zeros(1, 8, 8)
    mask[0, :3, :] = 1
    cells = reached_queries(mask, 2.0, (4, 4), torch.zeros(1))
    assert cells.index.tolist() == list(range(8))
    assert cells.weight.flatten().tolist() == [2.0] * 4 + [1.0] * 4


def test_counts_shapes_and_pieces_that_do_not_fit_are_refused(adapter):
    def sample(one: Steering, *shape: int, **given: Any) -> Tensor:
        regional = RegionalAttention(adapter, [one], attention, owner="A Node")
        queries = draw(2 * shape[0], given.pop("queries", 16), WIDTH)
        return in_run(
            regional,
            torch.zeros(shape),
            lambda run: regional.add(queries, queries, LAYER, 1.0, options(4, 4) | given | run),
        )

    pair = steering(1, torch.ones(1, 64, 64), count=2)
    with pytest.raises(ValueError, match="A Node: .* 2 pictures of the reference, but 3 latents are sampled"):
        sample(pair, 3, 4, 8, 8)
    masks = steering(1, torch.ones(2, 64, 64))
    with pytest.raises(ValueError, match="A Node: .* 2 target pictures, but 4 latents"):
        sample(masks, 4, 4, 8, 8)
    with pytest.raises(ValueError, match="A Node: .* 64 x 64 pixels and the latent 16 x 8 cells"):
        sample(pair, 2, 4, 8, 16)
    check_shape("a mask", torch.ones(1, 500, 300), torch.zeros(1, 4, 62, 37))
    check_shape("a mask", torch.ones(1, 1, 1), torch.zeros(1, 4, 10, 90))
    with pytest.raises(ValueError, match="A Node: .* a piece of 4 x 4 cells of a latent of 8 x 8.*tiled sampling"):
        sample(pair, 2, 4, 8, 8, original_shape=[2, 4, 4, 4])
    with pytest.raises(ValueError, match="A Node: .* 10 queries on a grid of 4 x 4"):
        sample(pair, 2, 4, 8, 8, queries=10)
    with pytest.raises(ValueError, match="A Node: .* 2 pictures of the reference, but 1 latent is sampled"):
        regional = RegionalAttention(adapter, [pair], attention, owner="A Node")
        regional.add(draw(2, 16, WIDTH), draw(2, 16, WIDTH), LAYER, 1.0, options(4, 4))


def test_a_replacement_acts_between_its_noise_levels_only(adapter):
    base, span = draw(2, 16, WIDTH), Span(0.5, 0.9)
    regional = RegionalAttention(adapter, [steering(1, torch.ones(1, 1, 1))], attention, span=span, owner="A Node")
    patch = RegionalReplacement(regional, LAYER, 1.0, lambda q, k, v, eo, later: base)

    def changes(sigma: float, **run: Any) -> bool:
        now = options(4, 4) | {"sigmas": torch.tensor([sigma])} | run
        return patch(draw(2, 16, WIDTH, seed=1), base, base, now, later="an argument of a later host") is not base

    with pytest.raises(ValueError, match="A Node: the patch acts in a part of the sampling run, and the UNet was"):
        changes(3.0)
    noise, levels = torch.zeros(2, 4, 4, 4), (6.0, 5.0, 3.0, 1.1, 0.5)
    acting = in_run(regional, noise, lambda run: [changes(level, **run) for level in levels], highest=10.0)
    assert acting == [False, True, True, True, False]


def test_a_copied_model_keeps_the_very_same_patch_and_an_ipadapter_node_is_told_the_order(adapter):
    regional = RegionalAttention(adapter, [], attention, owner="A Node")
    patch = RegionalReplacement(regional, LAYER, 1.0, lambda *_: torch.zeros(1))
    assert copy.deepcopy({"attn2": {("input", 1): patch}})["attn2"][("input", 1)] is patch
    assert not hasattr(patch, "to")
    with pytest.raises(
        ValueError, match="A Node: an IPAdapter node comes after this node.* put the IPAdapter node first"
    ):
        patch.add(lambda: None, weight=1.0)


def test_a_slot_is_the_one_that_the_host_looks_at_first():
    single, deep = Layer("input", 4, 0, 1, 8, 768), Layer("input", 4, 1, 2, 8, 768)
    assert slot_of(single, {}) == (("input", 4), None)
    assert slot_of(single, {("input", 4): "a"}) == (("input", 4), "a")
    assert slot_of(single, {("input", 4, 0): "b", ("input", 4): "a"}) == (("input", 4, 0), "b")
    assert slot_of(deep, {("input", 4): "a"}) == (("input", 4, 1), "a")


def test_a_model_without_cross_attention_is_refused():
    with pytest.raises(ValueError, match="model is a Linear without cross-attention"):
        attention_layers(nn.Linear(2, 2))


def test_block_weights_are_read_and_checked():
    blocks = [("input", 1), ("input", 2), ("middle", 0), ("output", 3), ("output", 3)]
    assert read_block_weights(" ", blocks) == dict.fromkeys(("input_1", "input_2", "middle_0", "output_3"), 1.0)
    weights = read_block_weights("input_2 = 0.5, input=2,output_3=0,", blocks)
    assert weights == {"input_1": 2.0, "input_2": 0.5, "middle_0": 1.0, "output_3": 0.0}
    for text in ("1, 0, 0.5", "1 0 0.5", " 1;0;  0.5 "):
        assert list(read_block_weights(text, blocks).values()) == [1.0, 1.0, 0.0, 0.5]
    assert list(read_block_weights("4, 3, 2, 1", blocks).values()) == [4.0, 3.0, 2.0, 1.0]
    wrong = ("down=1", "output_4=1", "middle=x", "middle", "input=11", "input=nan", "1, 2", "1 2", "1, x, 1", "1 2 -3")
    for text in wrong:
        with pytest.raises(ValueError, match="block_weights has"):
            read_block_weights(text, blocks)
