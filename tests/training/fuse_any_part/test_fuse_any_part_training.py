"""Training FuseAnyPart in miniature: data, drops, both kinds, and a file that the pack's loader reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from face_part_fusion.fusion.features.encoder import Encoder
from face_part_fusion.injection.fuse_any_part.checkpoint import load_checkpoint
from face_part_fusion.injection.fuse_any_part.diffusers_models import build_adapter, build_unet
from face_part_fusion.injection.fuse_any_part.diffusers_unet import Injection
from face_part_fusion.training.dataset.read import Sample
from face_part_fusion.training.fuse_any_part.__main__ import sampled
from face_part_fusion.training.fuse_any_part.model import FusedDenoiser, save_denoiser, widened
from face_part_fusion.training.fuse_any_part.photographs import Stored, fused_tokens, load, prepare, read, without
from face_part_fusion.training.fuse_any_part.train import DROPS, Settings, batch_of, drop_of, train
from safetensors.torch import load_file, save_file
from support.fuse_weights import TINY
from torch import Tensor

diffusers = pytest.importorskip("diffusers")
GRID, WIDTH, SIDE = (4, 4), 32, 8
PARTS = ("eyes", "nose", "mouth")
BOXES = {"eyes": (0.25, 0.25, 0.5, 0.75), "nose": (0.5, 0.25, 0.75, 0.75), "mouth": (0.75, 0.25, 1.0, 0.75)}


def stored(folder: Path, people: int = 2, photographs: int = 3, scale: float = 1.0) -> Stored:
    """Of photograph k of person p all values are 10 p + k, those of its parts in the hundreds of the part.

    `scale`: factor on the tokens.
    """
    folder.mkdir(exist_ok=True)
    for p in range(people):
        for k in range(photographs):
            own = 10.0 * p + k
            tensors = {name: torch.full((4, SIDE, SIDE), own / 100) for name in ("latent", "painted")}
            tensors["mask"] = torch.zeros(1, SIDE, SIDE)
            tensors["mask"][:, 2:, 2:6] = 1
            values = {"face": scale * own} | {n: scale * (own + 100 * (i + 1)) for i, n in enumerate(PARTS)}
            values["empty"] = -1.0
            tensors |= {f"tokens.{name}": torch.full((17, WIDTH), value) for name, value in values.items()}
            boxes = {f"boxes.{part}": torch.tensor(box) for part, box in BOXES.items()}
            halves = {name: value.half() for name, value in tensors.items()}
            save_file(halves | boxes, folder / f"{p}{k}.safetensors", {"person": str(p), "grid": "[4, 4]"})
    return load(folder)


def small(kind: str) -> FusedDenoiser:
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(
        in_channels=4, block_out_channels=TINY, cross_attention_dim=768, attention_head_dim=8, norm_num_groups=32
    )
    return FusedDenoiser(widened(unet), kind, WIDTH, GRID)


def test_cells_come_from_the_parts_of_their_givers_and_drops_are_pasted(tmp_path: Path):
    people = stored(tmp_path)
    target, *others = (read(file) for file in people.people[0])
    givers = dict(zip(PARTS, (others[0], others[1], others[0]), strict=True))
    cells = fused_tokens(target, givers, people.empty, GRID)[1:, 0].unflatten(0, GRID)
    assert cells.tolist() == [[0, 0, 0, 0], [0, 101, 101, 0], [0, 202, 202, 0], [0, 301, 301, 0]]
    cells = fused_tokens(target, givers, people.empty, GRID, frozenset(("face", "nose")))[1:, 0].unflatten(0, GRID)
    assert cells.tolist() == [[-1, -1, -1, -1], [-1, 101, 101, -1], [-1, -1, -1, -1], [-1, 301, 301, -1]]


def test_five_cases_are_dropped_in_four_of_a_hundred_each():
    counts = [drop_of((i + 0.5) / 1000) for i in range(1000)]
    assert [counts.count(case) for case in DROPS] == [40] * 5 and counts.count(frozenset()) == 800
    assert [sorted(case) for case in DROPS] == [
        ["eyes", "face", "mouth", "nose"], ["eyes", "mouth", "nose"], ["mouth", "nose"], ["eyes", "mouth"],
        ["eyes", "nose"],
    ]  # fmt: skip


def test_parts_are_of_other_photographs_of_the_same_person(tmp_path: Path):
    people = stored(tmp_path)
    seen = set()
    for number in range(40):
        batch = batch_of(people, 2, 0, number)
        assert batch.rows.shape == (2, 9, SIDE, SIDE) and batch.tokens.shape == (2, 17, WIDTH)
        for tokens in batch.tokens[:, 1:, 0]:
            face, *parts = tokens.unflatten(0, GRID)[:, 1].tolist()
            for hundred, part in enumerate(parts, 1):
                if face >= 0 and part >= 0:
                    assert part // 100 == hundred and part % 100 // 10 == face // 10 and part % 100 != face
            seen.add(face)
    assert seen >= {0, 1, 2, 10, 11, 12}
    again = batch_of(people, 2, 0, 39)
    assert torch.equal(batch.rows, again.rows) and not torch.equal(batch.rows, batch_of(people, 2, 1, 39).rows)
    # Outside the mask the masked latent is the painted one, inside it is noise.
    masked, mask = batch.rows[:, 4:8], batch.rows[:, 8:]
    assert float((masked * (1 - mask)).abs().max()) < 0.13
    assert 0.7 < float(masked[(mask > 0).expand(-1, 4, -1, -1)].std()) < 1.3


def test_new_input_channels_begin_at_nothing():
    net = small("A")
    rows, tokens, times = torch.randn(2, 9, SIDE, SIDE), torch.randn(2, 17, WIDTH), torch.tensor([5, 700])
    changed = torch.cat([rows[:, :4], torch.randn(2, 5, SIDE, SIDE)], 1)
    with torch.no_grad():
        assert torch.equal(net(rows, times, tokens), net(changed, times, tokens))
    assert net.unet.config.in_channels == 9


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path: Path):
    people, settings = stored(tmp_path / "people"), Settings("A", steps=4, batch=2)
    whole = train(small("A"), None, people, tmp_path / "whole.pt", settings, lambda _: None)
    train(small("A"), None, people, tmp_path / "cut.pt", settings, lambda _: None, stop=1)
    again = train(small("A"), None, people, tmp_path / "cut.pt", settings, lambda _: None)
    pairs = zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("kind", ["A", "B"])
def test_the_loss_falls_and_the_loader_reads_the_file(tmp_path: Path, kind: str):
    people = stored(tmp_path / "people", scale=0.003)
    settings = Settings(kind, steps=10, batch=2, rate=5e-3)
    whole = train(small(kind), None, people, tmp_path / "state.pt", settings, lambda _: None)
    before, after = (sum(loss(net.eval(), people, i) for i in range(4)) for net in (small(kind), whole))
    assert after < 0.9 * before, (before, after)
    save_denoiser(whole, tmp_path / "fuse_any_part.safetensors")
    checkpoint = load_checkpoint(tmp_path / "fuse_any_part.safetensors")
    unet, adapter = (make(checkpoint, torch.device("cpu"), torch.float32) for make in (build_unet, build_adapter))
    batch = batch_of(people, 2, 1, 0)
    with torch.no_grad(), Injection(unet, adapter) as injection:
        injection.set_features(batch.tokens, GRID, 1)
        expected = whole(batch.rows, batch.timesteps, batch.tokens)
        assert checkpoint.kind == kind
        assert torch.allclose(injection(batch.rows, batch.timesteps), expected, atol=1e-5)


def loss(net: FusedDenoiser, people: Stored, number: int) -> float:
    batch = batch_of(people, 2, 7, number)
    with torch.no_grad():
        return float((net(batch.rows, batch.timesteps, batch.tokens) - batch.noise).square().mean())


def test_held_out_people_are_sampled_with_parts_of_their_other_photographs(tmp_path: Path):
    own, judges = without(stored(tmp_path, people=3), 2)
    assert len(own.people) == 1 and len(judges.people) == 2 and not set(own.people) & set(judges.people)
    targets, made = sampled(small("A").train(), judges, 0)
    assert targets.shape == made.shape == (2, 4, SIDE, SIDE) and bool(made.isfinite().all())


def test_people_with_one_photograph_and_damaged_files_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="4 photographs of 4 people, and nobody has two"):
        stored(tmp_path / "single", people=4, photographs=1)
    people = stored(tmp_path / "people")
    people.people[0][0].write_bytes(b"cut")
    with pytest.raises(ValueError, match="00.safetensors is missing or damaged"):
        read(people.people[0][0])


def test_photographs_are_encoded_once(tmp_path: Path):
    """A photograph through a small encoder and VAE: where the parts lie, and what they see."""
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the portrait")
    face = torch.from_numpy(data.astronaut()[:300, 70:370].copy()).float() / 255
    samples = [Sample(str(i), picture, torch.zeros(1), {"person": "a"}) for i, picture in enumerate((face, face * 0))]
    runs: list[int] = []

    def tokens(pixels: Tensor) -> Tensor:
        runs.append(len(pixels))
        cells = torch.nn.functional.adaptive_avg_pool2d(pixels, GRID).flatten(2).transpose(1, 2)
        return torch.cat([cells.mean(1, keepdim=True), cells], 1)

    encoder = Encoder("small", 32, GRID, 1, 3, (0.5,) * 3, (0.5,) * 3, tokens)

    def encode(pictures: Tensor) -> Tensor:
        small = torch.nn.functional.avg_pool2d(pictures.movedim(-1, 1), 8)
        return torch.cat([small, small[:, :1]], 1)

    assert prepare(iter(samples), tmp_path, encoder, encode, lambda _: None) == ["1"]
    count = len(runs)
    prepare(iter(samples[:1]), tmp_path, encoder, encode, lambda _: None)
    assert len(runs) == count and load_file(tmp_path / "0.safetensors")["tokens.empty"].abs().max() == 0
    one = read(tmp_path / "0.safetensors")
    assert one.latent.shape == (4, 64, 64) and one.mask.shape == (1, 64, 64) and 0.02 < float(one.mask.mean()) < 0.3
    assert float(((one.latent - one.painted).abs() * (1 - one.mask)).amax()) < 0.12
    assert not torch.equal(one.latent, one.painted) and one.boxes["eyes"][0] < one.boxes["mouth"][0]
