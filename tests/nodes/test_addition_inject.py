"""AdditionInject and FuseAnyPartSampling in real hosts, against a plain computation and among other nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from face_part_fusion.injection.unet.blocks import BLOCKS
from support import plain_fuse_any_part as plain
from support.fuse_weights import TINY, random_fap
from support.hosts import Host, find_hosts
from support.measured import NEEDED, measure, usable_hosts

NAMES = ("A released", "A practical", "B released", "B practical")
# GB that the full sizes need: the UNet's weights twice while they are loaded, and room to compute.
FULL = 12


@pytest.fixture(scope="module", params=usable_hosts())
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return measure(request.param, "addition_inject.py", tmp_path_factory.mktemp("inject"))


@pytest.mark.parametrize("kind", "AB")
def test_the_plain_computation_without_injection_is_the_unet_of_diffusers(kind: str):
    diffusers = pytest.importorskip("diffusers")
    published = random_fap(kind, TINY, 1, 64)
    weights = published["unet"] if kind == "A" else plain.part(published, "unet.")
    theirs = diffusers.UNet2DConditionModel(
        in_channels=9, block_out_channels=TINY, cross_attention_dim=768, attention_head_dim=8, norm_num_groups=32
    )
    theirs.load_state_dict({k: weights[k] for k in theirs.state_dict()})
    draw = torch.Generator().manual_seed(0)
    x, text = torch.randn(2, 9, 16, 24, generator=draw), torch.randn(2, 5, 768, generator=draw)
    with torch.no_grad():
        expected = theirs(x, 321, encoder_hidden_states=text).sample
        assert torch.allclose(plain.unet(weights, x, 321, text), expected, atol=1e-4)


@pytest.mark.parametrize("kind", "AB")
def test_noise_predictions_equal_the_plain_computation(figures: dict[str, Any], kind: str):
    found = figures["parity"][kind]
    assert max(found["981"], found["501"], found["1"]) <= 1e-4


@pytest.mark.parametrize("kind", "AB")
def test_a_whole_released_sampling_equals_the_plain_loop(figures: dict[str, Any], kind: str):
    found = figures["parity"][kind]
    assert found["loop"] <= 1e-4 * max(1.0, found["loop's size"])
    assert found["told"] == [[0, 3], [1, 3], [2, 3]]


def test_released_a_reads_neither_text_nor_its_attention(figures: dict[str, Any]):
    found = figures["no effect"]
    assert found["text"] == 0 and found["q, k and v"] == 0 and found["equal features and CFG"] == 0
    assert found["features"] > 0.1


def test_released_a_at_strength_0_leaves_the_bias_alone(figures: dict[str, Any]):
    found = figures["no effect"]
    assert found["strength 0 against the bias alone"] <= 1e-4 and found["strength half"] <= 1e-4


@pytest.mark.parametrize("kind", "AB")
def test_practical_switched_off_is_the_unpatched_model_exactly(figures: dict[str, Any], kind: str):
    assert set(figures["exact"][kind]["off"].values()) == {0.0}


@pytest.mark.parametrize("kind", "AB")
def test_practical_follows_text_mask_parts_blocks_and_schedule(figures: dict[str, Any], kind: str):
    found = figures["exact"][kind]
    assert min(found["on"].values()) > 1e-2 and found["differ"] > 1e-4 and found["text acts"] > 1e-2
    assert found["mask 1 against none"] <= 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_every_block_fires_in_every_step_and_its_constant_is_computed_once(figures: dict[str, Any], name: str):
    found = figures["counts"][name]
    assert found["fired"] == {block.name: 3 for block in BLOCKS}
    assert found["projected"] == {block.name: 1 for block in BLOCKS}
    assert found["runs"] == 1 and found["left"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_parent_siblings_and_clones_do_not_affect_each_other(figures: dict[str, Any], name: str):
    found = figures["branches"][name]
    assert found["acts"] > 0.01 and found["siblings differ"] > 0.01
    same = ("again", "grandchild", "patched anew", "parent", "parent's options")
    assert {key: found[key] for key in same} == dict.fromkeys(same, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_a_batch_take_their_own_picture_in_one_call_or_two(figures: dict[str, Any], name: str):
    found = figures["batches"][name]
    assert found["pictures differ"] > 0.01
    assert max(found[key] for key in ("two calls", "one of four", "rows of one picture", "one row")) <= 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_a_lora_counts_whether_it_comes_before_or_after(figures: dict[str, Any], name: str):
    found = figures["neighbours"][name]
    assert found["LoRA accepted"] and found["LoRA acts"] > 0.01
    assert max(found["LoRA after"], found["LoRA before"]) <= 1e-4 and found["LoRA gone"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_other_nodes_and_low_memory_work_beside_it(figures: dict[str, Any], name: str):
    found = figures["neighbours"][name]
    assert found["addition"] > 1e-3 and found["control acts"] > 0.01 and found["area"] > 1e-3
    assert found["control gone"] == 0 and found["low VRAM"] <= 1e-5


def test_an_attention_replacement_counts_except_in_released_a(figures: dict[str, Any]):
    found = {name: figures["neighbours"][name]["replacement"] for name in NAMES}
    assert found.pop("A released") == 0 and min(found.values()) > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_close(figures: dict[str, Any], name: str):
    found = figures["half"][name]
    assert found["torch.bfloat16"] < 0.1 and found["torch.float16"] < 0.02


@pytest.mark.parametrize("kind", "AB")
def test_pictures_of_any_shape_are_sampled(figures: dict[str, Any], kind: str):
    assert figures["sizes"][kind] == {
        "released (128, 192)": [16, 24, True], "released (200, 136)": [24, 16, True],
        "released (121, 150)": [16, 20, True], "practical (128, 192)": [16, 24, True],
        "practical (200, 136)": [25, 17, True], "practical (121, 150)": [15, 19, True],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("case", "words"),
    {
        "4 channels": "takes 4 input channels and 9 are needed", "SDXL": "SD1.5 model", "flow": "SD3",
        "width": "32 wide; adapter needs 64", "kind": "kind 'C'", "grid": "24 x 24 cells", "twice": "already carries",
        "part": "brows is 0.5", "blocks": "block_weights has 2 entries", "percent": "must be the larger one",
        "mask": "mask has 3 masks", "empty boxes": "reach no cell", "vae": "VAE of an SD1.5 checkpoint",
        "latent size": "Addition Inject: the sampler's latent has 8 x 16 cells", "schedule": "noise schedule",
    }.items(),
)  # fmt: skip
def test_bad_input_is_a_clear_error(figures: dict[str, Any], case: str, words: str):
    assert words in figures["errors"][case]


def available() -> float:
    """GB of memory; infinite where the system does not tell."""
    told = Path("/proc/meminfo")
    lines = told.read_text().splitlines() if told.exists() else []
    return next((int(line.split()[1]) / 1e6 for line in lines if line.startswith("MemAvailable")), float("inf"))


@pytest.mark.slow
def test_full_sizes_equal_the_plain_computation(tmp_path: Path):
    hosts: list[Host] = [h for h in find_hosts() if h.numbers >= NEEDED]
    if not hosts:
        pytest.skip("no ComfyUI 0.8.0 or newer was found")
    if available() < FULL:
        pytest.skip(f"{available():.0f} GB of memory are available; the full sizes need {FULL}")
    found = measure(hosts[-1], "addition_inject_full.py", tmp_path)
    assert found["parameters"] == 859_535_364
    for kind in "AB":
        assert found[kind]["gap"] <= 1e-4 and found[kind]["size"] > 0.1 and found[kind]["kept MB"] <= 60
