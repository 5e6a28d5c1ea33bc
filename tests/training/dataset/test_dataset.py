"""Sets of faces: what is in them, what is left out, that they go on after a stop, and how they are read back."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from face_part_fusion.command.main import main
from face_part_fusion.training.dataset.duplicates import MOST_BITS, difference_hash, duplicates_of
from face_part_fusion.training.dataset.identities import by_folder, by_vectors
from face_part_fusion.training.dataset.read import samples
from face_part_fusion.training.dataset.run import make_dataset
from face_part_fusion.training.dataset.settings import Settings
from face_part_fusion.training.shards.workers import here
from PIL import Image
from support.onnx_swappers import recogniser_file
from support.paths import ROOT

SETTINGS = Settings(size=96, per_shard=2, duplicates=True)


class Stopped(Exception):
    """Stands for a signal that ends the program."""


def make(photographs, output, settings=SETTINGS, progress=lambda *_: None, workers=here):
    return make_dataset(photographs, output, settings, workers, progress, "1.0")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """Photographs of two people as far as folders tell, one of them twice, and two that cannot be used."""
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the portrait")
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "ann").mkdir()
    picture = Image.fromarray(data.astronaut()).crop((60, 0, 400, 340))
    picture.save(folder / "ann" / "1.png")
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "ann" / "2.png")
    picture.resize((300, 300)).save(folder / "ben.jpg", quality=60)
    Image.new("RGB", (64, 64), "gray").save(folder / "wall.png")
    (folder / "cut.jpg").write_bytes((folder / "ben.jpg").read_bytes()[:2000])
    return folder


@pytest.fixture(scope="module")
def whole(photographs, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole")
    make(photographs, output)
    return output


def test_a_set_has_faces_people_and_the_reasons_of_what_was_left_out(whole):
    manifest = json.loads((whole / "manifest.json").read_bytes())
    assert manifest["complete"] and (manifest["faces"], manifest["people"]) == (3, 2)
    assert [shard["samples"] for shard in manifest["shards"]] == [2, 1]
    reasons = {each["picture"]: each["reason"] for each in manifest["bad_pictures"]}
    assert set(reasons) == {"cut.jpg", "wall.png"} and reasons["wall.png"] == "no face"


def test_it_reads_back_as_it_was_written(whole):
    read = {sample.facts["photograph"]: sample for sample in samples(whole, seed=0)}
    assert set(read) == {"ann/1.png", "ann/2.png", "ben.jpg"}
    one = read["ann/1.png"]
    assert one.face.shape == (96, 96, 3) and one.classes.shape == (96, 96) and 0.1 < float(one.face.mean()) < 0.9
    assert one.facts["person"] == "ann" and len(one.facts["landmarks"]) == 478
    # The mirrored photograph is the mirror image, but for the compression.
    assert float((one.face - read["ann/2.png"].face.flip(1)).abs().mean()) < 0.05


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_reads_the_same_in_the_same_order(whole, workers):
    alone = [sample.key for sample in samples(whole, seed=5)]
    shares = [[sample.key for sample in samples(whole, 5, worker, workers)] for worker in range(workers)]
    assert [shares[at % workers][at // workers] for at in range(len(alone))] == alone
    assert {tuple(s.key for s in samples(whole, seed)) for seed in range(9)} != {tuple(alone)}
    with pytest.raises(ValueError, match="worker is 2 of 2"):
        list(samples(whole, 0, 2, 2))


def test_a_copy_is_left_out_and_named(photographs, tmp_path):
    manifest = make(photographs, tmp_path, Settings(size=96))
    assert manifest["duplicates"] == [{"picture": "ben.jpg", "of": "ann/1.png"}] and manifest["faces"] == 2


def test_a_run_that_was_stopped_ends_with_the_same_bytes(photographs, whole, tmp_path):
    for name, stop in (("photographs", 0), ("faces", 2)):

        def progress(what: str, done: int, total: int, at=(name, stop)) -> None:
            if (what, done) == at:
                raise Stopped

        with pytest.raises(Stopped):
            make(photographs, tmp_path, progress=progress)
    make(photographs, tmp_path)
    assert files(tmp_path) == files(whole)


def command(photographs: Path, output: Path, folder: Path, *words: str) -> None:
    """The command in a process of its own, where workers can import the pack; `folder`: gets a link to it."""
    (folder / "face_part_fusion").symlink_to(ROOT, target_is_directory=True)
    program = "import sys; from face_part_fusion.command.main import main; sys.exit(main())"
    options = ["--size", "96", "--per-shard", "2", "--duplicates", *words]
    subprocess.run(
        [sys.executable, "-c", program, "dataset", str(photographs), "-o", str(output), *options],
        env={**os.environ, "PYTHONPATH": str(folder)}, check=True, capture_output=True, text=True,
    )  # fmt: skip


def shards(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in files(folder).items() if name.endswith(".tar")}


@pytest.mark.slow
def test_a_pool_makes_the_same_bytes(photographs, whole, tmp_path):
    command(photographs, tmp_path / "out", tmp_path, "--workers", "2")
    assert shards(tmp_path / "out") == shards(whole) != {}


@pytest.mark.slow
def test_a_ray_cluster_makes_the_same_bytes(photographs, whole, tmp_path):
    pytest.importorskip("ray", reason="ray is optional")
    command(photographs, tmp_path / "out", tmp_path, "--ray", "local")
    assert shards(tmp_path / "out") == shards(whole) != {}


def test_a_damaged_shard_is_named_and_made_again(photographs, whole, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    shard = copy / "faces-000000.tar"
    shard.write_bytes(shard.read_bytes()[:700])
    with pytest.raises(ValueError, match="faces-000000.tar is missing or damaged"):
        list(samples(copy, 0))
    make(photographs, copy)
    assert files(copy) == files(whole)


def test_another_set_is_not_mixed_in(photographs, whole):
    with pytest.raises(ValueError, match="holds faces that were begun with other settings"):
        make(photographs, whole, Settings(size=128))


def test_people_are_told_by_vectors():
    one, two = torch.eye(4)[0], torch.eye(4)[1]
    vectors = torch.stack([one, two, one + 0.2 * two, two + 0.1 * one, torch.eye(4)[3]])
    assert by_vectors(vectors, 0.9) == ["person-000000", "person-000001"] * 2 + ["person-000002"]
    assert by_folder([Path("ann/1.png"), Path("ann/2.png"), Path("ben.jpg")]) == ["ann", "ann", "ben.jpg"]


def test_a_recognisers_vectors_are_stored(photographs, tmp_path):
    settings = Settings(
        size=96, duplicates=True, recogniser=recogniser_file(tmp_path / "w600k_r50.onnx"), identities="recogniser",
        same_person=0.9999,
    )  # fmt: skip
    make(photographs, tmp_path / "set", settings)
    read = {sample.facts["photograph"]: sample.facts for sample in samples(tmp_path / "set", 0)}
    assert all(
        len(facts["vector"]) == 512 and re.fullmatch(r"person-\d{6}", facts["person"]) for facts in read.values()
    )


def test_copies_are_near_in_their_hashes():
    draw = np.random.default_rng(0)
    coarse = Image.fromarray(draw.integers(0, 255, (24, 24, 3), dtype=np.uint8))
    picture = np.asarray(coarse.resize((256, 256), Image.Resampling.BICUBIC))
    noisy = (picture.astype(int) + draw.integers(-6, 6, picture.shape)).clip(0, 255).astype(np.uint8)
    hashes = [difference_hash(each) for each in (picture, picture[:, ::-1], noisy)]
    assert duplicates_of(hashes) == {2: 0}
    # Wherever as many bits as allowed differ, one stretch is still the same.
    for seed in range(20):
        bits = np.random.default_rng(seed).choice(256, MOST_BITS, replace=False)
        other = hashes[0]
        for bit in bits.tolist():
            other ^= 1 << bit
        assert duplicates_of([hashes[0], other]) == {1: 0}


def test_few_hashes_are_compared():
    compared = []

    class Watched(int):
        def __xor__(self, other):
            compared.append(other)
            return int(self) ^ int(other)

    draw = np.random.default_rng(0)
    assert duplicates_of([Watched(int.from_bytes(draw.bytes(32), "big")) for _ in range(300)]) == {}
    assert 0 < len(compared) < 0.02 * 300 * 299 / 2


def test_the_command_tells_what_it_wrote(photographs, tmp_path, capsys):
    words = ["dataset", str(photographs), "-o", str(tmp_path / "set"), "--size", "96", "--workers", "1"]
    assert main(words) == 0
    out = capsys.readouterr()
    assert re.search(r"2 faces of 1 people in 1 files, .* MB, from 5 photographs", out.out)
    assert "ben.jpg: the same photograph as ann/1.png" in out.err and "wall.png: no face" in out.err
    assert main(["dataset", str(photographs), "-o", str(tmp_path / "x"), "--identities", "recogniser"]) == 2
    assert "name its file with --recogniser" in capsys.readouterr().err
    assert main(["dataset", str(photographs), "-o", str(photographs / "x")]) == 2
