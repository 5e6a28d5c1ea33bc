"""Trained projections of references: the file that is made, and what is said of one that does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from face_part_fusion.command.main import main
from face_part_fusion.injection.face_fusion.file import (
    build_projections,
    layers_of_family,
    new_projections,
    save_projections,
)
from face_part_fusion.injection.files.weight_file import read_metadata, read_weights

SMALL = {"input_1_0": 8, "middle_0_0": 16}


def test_a_file_comes_back_as_it_was(tmp_path: Path):
    made = new_projections("sd15", SMALL, seed=3)
    path = save_projections(made, tmp_path / "sub" / "p.safetensors")
    built = build_projections(read_weights(path), read_metadata(path), path)
    built.load_state_dict(read_weights(path))
    assert built.family == "sd15" and built.widths == SMALL
    hidden = torch.randn(1, 5, 8)
    assert all(
        torch.equal(a, b)
        for a, b in zip(made.layers["input_1_0"](hidden), built.layers["input_1_0"](hidden), strict=True)
    )


def test_new_values_are_nothing_and_keys_the_same_for_a_seed():
    first, again, other = (new_projections("sd15", SMALL, seed=seed) for seed in (1, 1, 2))
    for name in SMALL:
        keys, values = first.layers[name](torch.ones(1, 1, SMALL[name]))
        assert not values.any() and torch.equal(keys, again.layers[name].to_k(torch.ones(1, 1, SMALL[name])))
        assert not torch.equal(first.layers[name].to_k.weight, other.layers[name].to_k.weight)


@pytest.mark.parametrize(("family", "count", "widths"), [("sd15", 16, {320, 640, 1280}), ("sd2", 16, {320, 640, 1280}),
                                                         ("sdxl", 70, {640, 1280})])  # fmt: skip
def test_every_layer_of_a_family_has_a_projection(family: str, count: int, widths: set[int]):
    layers = layers_of_family(family)
    assert len(layers) == count and set(layers.values()) == widths


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "pt"}, "new-controller --kind face-fusion"),
        ({"version": "2"}, "update the pack"),
        ({"layers": "{"}, "metadata is damaged"),
        ({"family": "flux"}, "known are sd15, sd2, sdxl"),
        ({"layers": '{"input_1_0": 8}'}, "2 unknown"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, str], said: str):
    path = save_projections(new_projections("sd15", SMALL), tmp_path / "p.safetensors")
    with pytest.raises(ValueError, match=said):
        build_projections(read_weights(path), read_metadata(path) | change, path)


def test_another_ending_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="end its name in .safetensors"):
        save_projections(new_projections("sd15", SMALL), tmp_path / "p.bin")


def test_the_command_makes_a_file_for_all_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "p.safetensors"
    assert main(["new-controller", "--kind", "face-fusion", "-o", str(path)]) == 0
    assert "24,780,800 parameters" in capsys.readouterr().out
    assert build_projections(read_weights(path), read_metadata(path), path).widths == layers_of_family("sd15")


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--family", "sdxl"], "--kind face-fusion"), (["--kind", "face-fusion", "--no-identity"], "leave them out")],
)
def test_options_of_the_other_kind_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
):
    assert main(["new-controller", "-o", str(tmp_path / "p.safetensors"), *words]) == 2
    assert said in capsys.readouterr().err
