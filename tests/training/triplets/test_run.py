"""Whole runs: what is written, that it is always the same, and what happens to runs that are cut off."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from face_part_fusion.command.main import main
from face_part_fusion.training.shards import workers
from face_part_fusion.training.shards.workers import here
from face_part_fusion.training.triplets.run import make_triplets
from face_part_fusion.training.triplets.settings import Settings
from PIL import Image
from support.paths import ROOT

SETTINGS = Settings(size=96, per_shard=1)


class Stopped(Exception):
    """Stands for a signal that ends the program."""


def stop_at(what: str, count: int) -> Callable[[str, int, int], None]:
    def progress(name: str, done: int, total: int) -> None:
        if (name, done) == (what, count):
            raise Stopped

    return progress


def make(photographs: Path, output: Path, progress=lambda *_: None, settings: Settings = SETTINGS):
    return make_triplets(photographs, output, settings, here, progress, "1.0")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.fixture(scope="module")
def whole(photographs, tmp_path_factory) -> Path:
    """A set that was made in one run."""
    output = tmp_path_factory.mktemp("whole")
    make(photographs, output)
    return output


def test_a_shard_holds_both_people_both_swaps_and_the_roles_of_four_triplets(whole):
    with tarfile.open(whole / "triplets-000000.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
        assert all(not (m.mtime or m.uid or m.uname) for m in tar.getmembers())
    key = "000000000"
    names = ("c_a.jpg", "c_b.jpg", "c_ab.jpg", "c_ba.jpg", "c_a_classes.png", "c_b_classes.png", "json")
    assert list(members) == [f"{key}.{name}" for name in names]
    classes = Image.open(io.BytesIO(members[f"{key}.c_a_classes.png"]))
    assert classes.mode == "L" and classes.size == (96, 96) and classes.getpixel((48, 52)) == 2
    pictures = {name: Image.open(io.BytesIO(members[f"{key}.{name}.jpg"])) for name in ("c_a", "c_b", "c_ab", "c_ba")}
    assert {image.size for image in pictures.values()} == {(96, 96)}
    assert len({image.tobytes() for image in pictures.values()}) == 4
    facts = json.loads(members[f"{key}.json"])
    roles = [(t["role"], t["code"], t["target"], t["source"], t["result"]) for t in facts["triplets"]]
    assert roles == [
        ("naive", 2, "c_a", "c_b", "c_ab"), ("naive", 3, "c_b", "c_a", "c_ba"),
        ("cycle", 4, "c_ab", "c_ba", "c_a"), ("cycle", 5, "c_ba", "c_ab", "c_b"),
    ]  # fmt: skip
    assert "ben.jpg" in (facts["a"], facts["b"]) and facts["a"] != facts["b"]


def test_the_manifest_counts_what_there_is_and_says_what_was_left_out(whole):
    manifest = json.loads((whole / "manifest.json").read_bytes())
    assert manifest["complete"] and manifest["samples"] == 2 and manifest["triplets"] == {"naive": 4, "cycle": 4}
    assert [shard["name"] for shard in manifest["shards"]] == ["triplets-000000.tar", "triplets-000001.tar"]
    assert all(shard["bytes"] == (whole / shard["name"]).stat().st_size for shard in manifest["shards"])
    assert manifest["bad_pictures"] == [
        {"picture": "cut.jpg", "reason": "unreadable: OSError"}, {"picture": "wall.png", "reason": "no face"},
    ]  # fmt: skip
    assert manifest["versions"]["torch"] == torch.__version__ and manifest["settings"]["size"] == 96


def test_webdataset_reads_the_shards(whole):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is what the shards are for")
    urls = [str(whole / f"triplets-{number:06d}.tar") for number in range(2)]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb"))
    assert [sample["__key__"] for sample in samples] == ["000000000", "000000001"]
    assert samples[0]["c_ab.jpg"].shape == (96, 96, 3) and samples[0]["json"]["triplets"][3]["code"] == 5


@pytest.mark.parametrize("what, count", [("photographs", 0), ("pairs", 0), ("pairs", 1)])
def test_a_run_that_was_cut_off_goes_on_to_the_same_bytes(photographs, whole, tmp_path, what, count):
    with pytest.raises(Stopped):
        make(photographs, tmp_path, stop_at(what, count))
    assert not json.loads((tmp_path / "manifest.json").read_bytes())["complete"]
    (tmp_path / "triplets-000001.part").write_bytes(b"half a shard")
    make(photographs, tmp_path)
    assert files(tmp_path) == files(whole)


def test_a_damaged_shard_is_made_again_and_a_whole_one_is_not(photographs, whole, tmp_path):
    make(photographs, tmp_path)
    first, second = tmp_path / "triplets-000000.tar", tmp_path / "triplets-000001.tar"
    first.write_bytes(first.read_bytes()[:-512])
    before = second.stat().st_mtime_ns
    make(photographs, tmp_path)
    assert files(tmp_path) == files(whole) and second.stat().st_mtime_ns == before


def test_a_set_is_not_continued_with_other_settings(photographs, tmp_path):
    with pytest.raises(Stopped):
        make(photographs, tmp_path, stop_at("photographs", 0))
    with pytest.raises(ValueError, match="begun with other settings.*Name another folder"):
        make(photographs, tmp_path, settings=Settings(size=128))


@pytest.mark.parametrize("words, message", [
    (["NOTHING", "-o", "out"], "is not a folder"),
    (["EMPTY", "-o", "out"], "has no pictures in it"),
    (["ANN", "-o", "out"], "has 1 people in 1 photographs that can be used; triplets need two"),
    (["ANN", "-o", "ANN/out"], "lies in"),
    (["ANN", "-o", "out", "--workers", "0"], "--workers is 0"),
    (["ANN", "-o", "out", "--size", "8"], "size is 8"),
    (["ANN", "-o", "out", "--generator", "none.pth"], "none.pth"),
])  # fmt: skip
def test_what_cannot_be_made_is_refused_in_a_sentence(photographs, astronaut, tmp_path, capsys, words, message):
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "ANN").mkdir()
    (tmp_path / "ANN" / "1.png").write_bytes(astronaut.read_bytes())
    paths = [str(tmp_path / word) if word[0].isalpha() else word for word in words]
    one = [] if "--workers" in words else ["--workers", "1"]
    assert main(["triplets", *paths, *one]) == 2
    assert re.search(re.escape(message), capsys.readouterr().err)


def test_without_ray_the_message_names_the_package(photographs, tmp_path, capsys, monkeypatch):
    def absent(name: str):
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr(workers, "import_module", absent)
    assert main(["triplets", str(photographs), "-o", str(tmp_path / "out"), "--ray", "local"]) == 2
    assert 'pip install "face-part-fusion[ray]"' in capsys.readouterr().err


def _command(photographs: Path, output: Path, folder: Path, *words: str) -> None:
    """The command in a Python of its own, whose workers find the pack too."""
    (folder / "face_part_fusion").symlink_to(ROOT)
    program = "import sys; from face_part_fusion.command.main import main; sys.exit(main())"
    options = ["--size", "96", "--per-shard", "1", *words]
    subprocess.run(
        [sys.executable, "-c", program, "triplets", str(photographs), "-o", str(output), *options],
        env={**os.environ, "PYTHONPATH": str(folder)}, check=True, capture_output=True, text=True,
    )  # fmt: skip


def _shards(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in files(folder).items() if name.endswith(".tar")}


@pytest.mark.slow
def test_two_processes_make_the_same_bytes_as_one(photographs, whole, tmp_path):
    _command(photographs, tmp_path / "out", tmp_path, "--workers", "2")
    assert _shards(tmp_path / "out") == _shards(whole)


@pytest.mark.slow
def test_a_ray_cluster_makes_the_same_bytes(photographs, whole, tmp_path):
    pytest.importorskip("ray", reason="ray is optional")
    _command(photographs, tmp_path / "out", tmp_path, "--ray", "local")
    assert _shards(tmp_path / "out") == _shards(whole)
