"""Training a generator with triplets in miniature: which samples, which losses act on them, and a run that goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from face_part_fusion.training.core.state import TrainingStopped
from face_part_fusion.training.reliable_swap.discriminator import PatchJudge, VggMaps, read_vgg
from face_part_fusion.training.reliable_swap.generator import Settings, Trainee, train_generator
from face_part_fusion.training.reliable_swap.losses import Batch, Faces, generator_terms, judge_loss, judged_real
from face_part_fusion.training.reliable_swap.triplets import Mixture, Samples
from face_part_fusion.training.shards.shard import ShardWriter
from torch import Tensor, nn
from torch.nn import functional

SIDE = 32
GREY = {"c_a": 0.2, "c_b": 0.4, "c_ab": 0.6, "c_ba": 0.8}


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wide, self.deep = nn.Conv2d(3, 6, 3, 1, 1), nn.Conv2d(6, 6, 4, 2, 1)

    def forward(self, picture: Tensor) -> list[Tensor]:
        wide = torch.tanh(self.wide(picture))
        return [self.deep(wide), wide]


class Decoder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.style, self.out = nn.Linear(width, 6), nn.Conv2d(12, 3, 3, 1, 1)

    def forward(self, maps: list[Tensor], identity: Tensor) -> Tensor:
        deep = functional.interpolate(maps[0], scale_factor=2.0)
        both = torch.cat([deep + self.style(identity)[:, :, None, None], maps[1]], 1)
        return torch.tanh(self.out(both))


class SmallGenerator(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder, self.generator = Encoder(), Decoder(width)


def small_faces() -> Faces:
    torch.manual_seed(5)
    recogniser = nn.Sequential(nn.AvgPool2d(28), nn.Flatten(), nn.Linear(48, 8))
    fixer = nn.Sequential(nn.AvgPool2d(28), nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 4))
    return Faces(recogniser, fixer, None)


def trainee(width: int = 12) -> Trainee:
    torch.manual_seed(3)
    return Trainee(SmallGenerator(width), PatchJudge(scales=2, width=4, layers=2))


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "triplets-000000.tar"
    writer = ShardWriter(path)
    classes = {"c_a": torch.full((SIDE, SIDE), 13, dtype=torch.uint8), "c_b": torch.full((SIDE, SIDE), 11).byte()}
    for key in ("000000000", "000000001"):
        pictures = {name: torch.full((SIDE, SIDE, 3), grey) for name, grey in GREY.items()}
        writer.add(key, pictures, classes, {}, "png")
    writer.close()
    return path


def roles(batch: Batch) -> set[tuple[str, str, str]]:
    def name(picture: Tensor) -> str:
        return min(GREY, key=lambda name: abs(GREY[name] * 2 - 1 - float(picture.mean())))

    triple = zip(batch.target, batch.source, batch.reference, strict=True)
    return {(name(t), name(s), name(r)) for t, s, r in triple}


def test_samples_of_each_kind_have_the_pictures_and_the_masks_of_their_roles(shard):
    seen: dict[int, set[tuple[str, str, str]]] = {}
    batches = iter(Samples([shard], 2, 0, Mixture(triplets=0.5, same=0.5, naive=True)))
    for batch in (next(batches) for _ in range(60)):
        for i, kind in enumerate(batch.kind.tolist()):
            one = Batch(*(values[i : i + 1] for values in vars(batch).values()))
            seen.setdefault(kind, set()).update(roles(one))
            ((target, _, reference),) = roles(one)
            # All of a's photograph is hair here, all of b's is lips.
            assert float(one.hair.mean()) == (target[:3] == "c_a")
            assert float(one.mouth.mean()) == (reference[:3] == "c_b")
    assert seen == {
        0: {("c_a", "c_b", "c_a"), ("c_b", "c_a", "c_b")}, 1: {("c_a",) * 3, ("c_b",) * 3},
        2: {("c_a", "c_b", "c_ab")}, 3: {("c_b", "c_a", "c_ba")},
        4: {("c_ab", "c_ba", "c_a")}, 5: {("c_ba", "c_ab", "c_b")},
    }  # fmt: skip


def test_batches_come_in_the_published_mixture_and_the_same_for_the_same_seed(shard):
    def kinds(seed: int) -> list[int]:
        batches = iter(Samples([shard], 1, seed, Mixture()))
        return [int(next(batches).kind[0]) for _ in range(400)]

    counts = Counter(kinds(1))
    assert set(counts) == {0, 1, 4, 5}
    assert 60 <= counts[4] + counts[5] <= 110 and 40 <= counts[1] <= 90
    assert kinds(1)[:50] == kinds(1)[:50] != kinds(2)[:50]


def test_another_tar_and_no_shards_are_refused(tmp_path, shard):
    with pytest.raises(ValueError, match="face-part-fusion triplets FOLDER"):
        Samples([], 1, 0, Mixture())
    writer = ShardWriter(tmp_path / "other.tar")
    writer.add("0", {"photo": torch.zeros(4, 4, 3)}, {}, {}, "png")
    writer.close()
    with pytest.raises(ValueError, match="other.tar is not a shard"):
        next(iter(Samples([tmp_path / "other.tar"], 1, 0, Mixture())))


def one_of(kind: int) -> Batch:
    torch.manual_seed(kind)
    pictures = (torch.rand(1, 3, SIDE, SIDE) * 2 - 1 for _ in range(3))
    return Batch(*pictures, torch.tensor([kind]), torch.ones(1, 1, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE))


@pytest.mark.parametrize("released", [False, True])
def test_each_term_acts_on_the_kinds_that_it_is_meant_for_and_the_released_mistake_can_be_had(released):
    faces, result, maps = small_faces(), torch.zeros(1, 3, SIDE, SIDE), [torch.ones(1, 2, 4, 4)]
    active: dict[str, set[int]] = {}
    for kind in range(6):
        terms = generator_terms(one_of(kind), result, (maps, maps), faces, lambda x: [x] * 5, released)
        for name, term in terms.items():
            active.setdefault(name, set()).update({kind} if float(term) else set())
    everything = set(range(6))
    assert active == {
        "identity": everything, "lower_face": everything, "attributes": set(), "reconstruction": {1},
        "reference": {4, 5}, "features": {4, 5}, "reference_identity": {4, 5}, "reference_lower_face": {4, 5},
        "hair": {0} if released else {0, 1, 2, 3}, "mouth": set() if released else {1, 2, 3, 4, 5},
    }  # fmt: skip


def test_the_terms_have_their_published_factors():
    faces, batch, result = small_faces(), one_of(4), torch.zeros(1, 3, SIDE, SIDE)
    maps = [torch.zeros(1, 2, 4, 4)] * 8, [torch.full((1, 2, 4, 4), 0.5)] * 8
    terms = generator_terms(batch, result, maps, faces, lambda x: [x] * 5)
    away = float(batch.reference.abs().mean())
    own, source, wanted = (faces(each) for each in (result, batch.source, batch.reference))
    expected = {
        "attributes": 10 * 8 * 0.25, "reference": 0.05 * away, "mouth": 0.05 * away,
        "features": 0.5 * (1 / 32 + 1 / 16 + 1 / 8 + 1 / 4 + 1) * away,
        "identity": 5 * (1 - float(functional.cosine_similarity(own[0], source[0]))),
        "lower_face": 0.5 * (1 - float(functional.cosine_similarity(own[1], source[1]))),
        "reference_identity": 10 * (1 - float(functional.cosine_similarity(own[0], wanted[0]))),
        "reference_lower_face": 1 - float(functional.cosine_similarity(own[1], wanted[1])),
    }  # fmt: skip
    assert {name: float(terms[name]) for name in expected} == pytest.approx(expected, rel=1e-4)
    assert float(generator_terms(one_of(1), result, maps, faces)["reconstruction"]) == pytest.approx(
        10 * float(one_of(1).reference.abs().mean()), rel=1e-4
    )
    assert float(generator_terms(one_of(0), result, maps, faces)["hair"]) == pytest.approx(
        2 * float(one_of(0).target.abs().mean()), rel=1e-4
    )


def test_the_judge_wants_a_margin_of_one_at_every_scale():
    high, low = [torch.full((1, 1, 4, 4), 2.0), torch.full((1, 1, 2, 2), 2.0)], [torch.full((1, 1, 4, 4), -2.0)] * 2
    assert float(judge_loss(high, low)) == 0 and float(judge_loss(low, high)) == 6
    assert float(judged_real(high)) == -2
    scores = PatchJudge(scales=3, width=4, layers=3)(torch.zeros(1, 3, 64, 64))
    assert len(scores) == 3 and scores[0].shape[-1] > scores[1].shape[-1] > scores[2].shape[-1]


def test_the_faces_networks_never_change_in_training():
    faces = small_faces()
    before = {key: value.clone() for key, value in faces.state_dict().items()}
    picture = torch.rand(2, 3, SIDE, SIDE, requires_grad=True)
    sum(each.sum() for each in faces.train()(picture)).backward()
    assert picture.grad is not None and float(picture.grad.abs().sum()) > 0
    assert all(torch.equal(before[key], value) for key, value in faces.state_dict().items())


@pytest.mark.parametrize("width", [12, 8])
def test_a_run_learns_to_give_a_photograph_back_and_goes_on_after_a_stop(shard, tmp_path, width):
    lines: list[str] = []
    samples, state = Samples([shard], 2, 0, Mixture(triplets=0, same=1)), tmp_path / "state.pt"
    settings = {"rate": 5e-3, "betas": (0.0, 0.999), "width": width}
    train_generator(trainee(width), small_faces(), None, samples, state, Settings(steps=50, **settings), lines.append)
    net = train_generator(
        trainee(width), small_faces(), None, samples, state, Settings(steps=200, **settings), lines.append
    )
    losses = [float(line.split("reconstruction ")[1].split(",")[0]) for line in lines]
    ends = ["step 50 of 50", "step 100 of 200", "step 150 of 200", "step 200 of 200"]
    assert [line.split(",")[0] for line in lines] == ends
    assert losses[-1] < 0.5 * losses[0] and ("lower_face" in lines[0]) == (width == 12)
    assert not net.training and torch.load(state, weights_only=True)["step"] == 200
    with pytest.raises(ValueError, match="belongs to a run with another generator"):
        train_generator(trainee(5), small_faces(), None, samples, state, Settings(steps=201), lines.append)


def test_a_run_that_was_cut_off_ends_as_one_that_was_not_and_names_a_damaged_shard(shard, tmp_path):
    samples = Samples([shard], 1, 0, Mixture(triplets=0.5, same=0.5))
    settings = Settings(steps=7, rate=5e-3, width=12)

    def run(name: str, **changes: int) -> nn.Module:
        own = replace(settings, **changes)
        return train_generator(trainee(), small_faces(), None, samples, tmp_path / name, own, lambda _: None)

    whole = run("whole.pt")
    run("cut.pt", steps=4)
    again = run("cut.pt")
    pairs = zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 3])
    with pytest.raises(TrainingStopped, match=r"step 1 of 7 cannot read its data: .*triplets-000000.tar is .*damaged"):
        run("damaged.pt")
    assert torch.load(tmp_path / "damaged.pt", weights_only=True)["step"] == 0
    shard.write_bytes(content)
    assert torch.equal(run("damaged.pt").generator.out.weight, whole.generator.out.weight)


def test_vgg_is_read_from_torchvisions_layout_and_gives_five_maps(tmp_path):
    torch.manual_seed(0)
    weights = dict(VggMaps().state_dict())
    assert {"features.0.weight", "features.28.weight"} <= weights.keys() and len(weights) == 26
    torch.save({**weights, "features.30.weight": torch.zeros(512, 512, 3, 3)}, tmp_path / "vgg19.pth")
    maps = read_vgg(tmp_path / "vgg19.pth")(torch.zeros(1, 3, 32, 32))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2),
    ]  # fmt: skip
