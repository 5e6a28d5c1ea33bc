"""Several targets and folders of them: what is changed, where it goes, and what the terminal shows."""

from __future__ import annotations

import io
import re
import shutil
import sys
from pathlib import Path

import pytest
from face_part_fusion.command.main import main
from face_part_fusion.command.targets import Bar, targets_of
from PIL import Image
from support.paths import ROOT


def photos(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        Image.new("RGB", (4, 4)).save(folder / name)
    return folder


def names(specs, output):
    return [(target.spec, str(target.output)) for target in targets_of([str(spec) for spec in specs], str(output))]


def test_one_photograph_goes_to_the_file_or_into_the_folder(tmp_path):
    assert names(["a.jpg"], "out.png") == [("a.jpg", "out.png")]
    assert names(["x/a.jpg#2"], tmp_path) == [("x/a.jpg#2", str(tmp_path / "a.jpg"))]
    assert names(["a.jpg"], "new/") == [("a.jpg", str(Path("new/a.jpg")))]


def test_photographs_and_folders_keep_their_names_and_others_become_png(tmp_path):
    folder = photos(tmp_path / "mit Lücke 顔", "b.PNG", "a.tiff")
    (folder / "notes.txt").write_text("no picture")
    wanted = [(str(folder / "a.tiff"), str(Path("out/a.png"))), (str(folder / "b.PNG"), str(Path("out/b.PNG")))]
    assert names([folder], "out") == wanted
    assert names(["c.jpg", folder], "out") == [("c.jpg", str(Path("out/c.jpg"))), *wanted]
    assert [spec for spec, _ in names([f"{folder}#1"], "out")] == [f"{spec}#1" for spec, _ in wanted]


@pytest.mark.parametrize("specs, output, message", [
    (["a.jpg", "b.jpg"], "out.png", "-o is out.png, one file, but there are 2 targets; name a folder"),
    (["EMPTY"], "out", "is a folder without pictures"),
    (["x/a.jpg", "y/a.JPG"], "out", "would both be written to"),
])  # fmt: skip
def test_targets_that_cannot_be_written_apart_are_refused_before_anything_is_changed(tmp_path, specs, output, message):
    folders = {"EMPTY": tmp_path / "empty", "FULL": photos(tmp_path / "full", "a.png", "b.png")}
    folders["EMPTY"].mkdir()
    with pytest.raises(ValueError, match=re.escape(message)):
        names([folders.get(spec, spec) for spec in specs], folders.get(output, output))


def test_a_folder_is_changed_and_one_without_a_face_does_not_stop_the_others(portrait, tmp_path, capsys):
    folder = photos(tmp_path / "holiday", "1-nobody.png")
    shutil.copy(portrait, folder / "2-me.png")
    out = tmp_path / "fused"
    assert main(["swap", "--target", str(folder), "--mouth", str(portrait), "-o", str(out)]) == 2
    printed = capsys.readouterr()
    assert [file.name for file in out.iterdir()] == ["2-me.png"]
    assert f"{folder / '1-nobody.png'}: no face found" in printed.err
    assert "1 of 2 targets were not changed" in printed.err
    report, wrote = printed.out.splitlines()
    me = "2-me.png"
    assert report.startswith(f"{folder / me}: mouth of {portrait} at 100%") and wrote == f"wrote {out / me}"
    assert f"made the folder {out}" in printed.err


def test_a_reference_without_a_face_stops_a_folder_at_once(tmp_path, capsys):
    folder = photos(tmp_path / "holiday", "a.png", "b.png")
    nobody = photos(tmp_path / "other", "nobody.png") / "nobody.png"
    assert main(["swap", "--target", str(folder), "--mouth", str(nobody), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "out").exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_grows_on_a_terminal_and_never_wraps(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = Bar(4)
    for done in range(4):
        bar.show(done, "a photograph with a long name" * 4)
    bar.clear()
    lines = terminal.getvalue().split("\r")[1:-2]
    assert [line.count("#") for line in lines] == [0, 6, 12, 18] and all(len(line) == 78 for line in lines)
    assert "1 of 4  a photograph" in lines[1]


def test_a_single_target_and_a_pipe_show_no_bar(monkeypatch):
    for stream, total in ((Terminal(), 1), (io.StringIO(), 5)):
        monkeypatch.setattr(sys, "stderr", stream)
        Bar(total).show(0, "a")
        assert stream.getvalue() == ""


def test_the_version_is_that_of_the_project(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    stated = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert stopped.value.code == 0 and capsys.readouterr().out == f"face-part-fusion {stated}\n"


@pytest.mark.parametrize("command", ["", "demo", "swap", "detect", "convert", "new-controller"])
def test_every_help_has_examples_that_parse(command, capsys):
    from face_part_fusion.command.main import _parser

    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    examples = capsys.readouterr().out.split("examples:\n")[1].splitlines()
    lines = [line.strip() for line in examples if line.startswith("  face-part-fusion")]
    assert len(lines) >= 2
    for line in lines:
        _parser().parse_args(line.split(" > ")[0].split()[1:])
