"""Settings of a trainer: from the command line, from a TOML file, the command line before the file."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import pytest
from face_part_fusion.training.core.settings import add_settings, read_settings


@dataclass(frozen=True)
class Some:
    steps: int = 10
    rate: float = 0.1
    depth: str = "r50"
    betas: tuple[float, float] = (0.0, 0.9)
    released: bool = False


def read(*words: str, defaults: tuple[Some, ...] = (Some(),)):
    parser = argparse.ArgumentParser()
    add_settings(parser, *defaults)
    return read_settings(parser.parse_args(words), defaults[-1])


def file_of(folder: Path, text: str) -> str:
    (folder / "run.toml").write_text(text, encoding="utf-8")
    return str(folder / "run.toml")


def test_nothing_said_is_the_default():
    settings, options = read()
    assert settings == Some() and options.device == "auto" and options.precision == "no"
    assert read(defaults=(Some(), Some(steps=3)))[0].steps == 3


def test_the_command_goes_before_the_file_and_the_file_before_the_default(tmp_path: Path):
    pytest.importorskip("tomllib")
    text = 'steps = 5\nrate = 1\ndepth = "r18"\nbetas = [0.5, 1]\nreleased = true\naccumulate = 4\n'
    settings, options = read("--config", file_of(tmp_path, text), "--steps", "7", "--precision", "bf16")
    assert settings == Some(7, 1.0, "r18", (0.5, 1.0), True)
    assert type(settings.rate) is float and (options.accumulate, options.precision) == (4, "bf16")
    assert read("--betas", "0.1", "0.2", "--released")[0] == Some(betas=(0.1, 0.2), released=True)


@pytest.mark.parametrize(("text", "message"), [
    ("step = 3", "has step, which this trainer does not know; it knows .*steps"),
    ('steps = "many"', "has steps = 'many'; needed is a value such as 10"),
    ("steps = true", "has steps = True; needed is"),
    ("betas = [1]", r"has betas = \[1\]; needed is"),
    ("steps", "cannot be read as TOML"),
])  # fmt: skip
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str, message: str):
    pytest.importorskip("tomllib")
    with pytest.raises(ValueError, match=message):
        read("--config", file_of(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match="none.toml cannot be read"):
        read("--config", str(tmp_path / "none.toml"))
