"""Unsuitable files and options over every command: a sentence that names them and status 2, and nothing is written."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
import torch
from face_part_fusion.command.main import main
from PIL import Image
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder, its name with spaces and letters of several languages, of files that are wrong in one way each."""
    folder = tmp_path_factory.mktemp("mit Lücken 顔 é")
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "page.png").write_text("<html><body>404</body></html>")
    (folder / "vector.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "sheet.pdf").write_bytes(b"%PDF-1.4\n%%EOF")
    (folder / "camera.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(60))
    (folder / "pointer.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    Image.new("RGB", (60, 50), "grey").save(folder / "nobody.png")
    Image.new("RGB", (1, 1)).save(folder / "pixel.png")
    Image.new("RGB", (30, 20)).save(folder / "shape.png")
    Image.new("L", (60, 50)).save(folder / "black.png")
    (folder / "pictures").mkdir()
    (folder / "weights.bin").write_bytes(b"PK\3\4" + bytes(30))
    torch.save([1, 2], folder / "list.bin")
    save_file({"lora_up": torch.ones(2)}, folder / "lora.safetensors")
    (folder / "state").mkdir()
    (folder / "painted").mkdir()
    Image.new("RGB", (60, 50), "grey").save(folder / "painted" / "nobody.png")
    return folder


PICTURES = ("missing.png", "empty.png", "text.jpg", "page.png", "vector.svg", "sheet.pdf", "camera.heic", "film.mp4",
            "pointer.png", "pictures", "nobody.png#1", "pixel.png#7")  # fmt: skip
SWAP = "swap --target {nobody.png} --eyes {nobody.png} -o {out.png}"
LINES = [
    *(f"detect {{{name}}} -o {{out.png}}" for name in PICTURES[:-2]),
    *(f"swap --target {{{name}}} --eyes {{nobody.png}} -o {{out.png}}" for name in PICTURES),
    *(f"swap --target {{nobody.png}} --eyes {{{name}}} -o {{out.png}}" for name in PICTURES),
    "swap --target {nobody.png} -o {out.png}",
    "swap --target {nobody.png} --eyes {black.png} -o {nobody.png}",
    "swap --target {nobody.png} --eyes {black.png} -o {black.png}",
    "swap --target {nobody.png} --eyes {black.png} --mask {shape.png} -o {shape.png}",
    "swap --target {painted} --eyes {black.png} -o {painted}",
    "detect {nobody.png} -o {nobody.png}",
    "detect {nobody.png} -o {out.psd}",
    "detect {nobody.png} -o {out.xyz}",
    "detect {nobody.png} -o {state}",
    "convert {lora.safetensors} -o {lora.safetensors}",
    "new-controller -o {state}",
    f"{SWAP} --strength chin=0.5",
    f"{SWAP} --covers ignore --weights {{weights.bin}} --base {{state}}",
    "swap --target {nobody.png} {black.png} --eyes {nobody.png} -o {out.png}",
    "swap --target {pictures} {pictures} --eyes {nobody.png} -o {pictures}",
    "swap --target {nobody.png} {nobody.png} --eyes {nobody.png} -o {out}",
    "swap --target {nobody.png} --eyes {nobody.png} -o {out.gif}",
    "swap --target {nobody.png} --eyes {nobody.png} -o {out}",
    f"{SWAP} --strength eyes",
    f"{SWAP} --strength eyes=much",
    f"{SWAP} --strength nose=0.5",
    f"{SWAP} --threshold 0",
    f"{SWAP} --threshold 1.5",
    f"{SWAP} --threshold nan",
    f"{SWAP} --seed 3",
    f"{SWAP} --steps 3",
    f"{SWAP} --base {{state}}",
    f"{SWAP} --weights {{weights.bin}}",
    f"{SWAP} --weights {{weights.bin}} --base {{state}} --tone 0.5",
    f"{SWAP} --weights {{weights.bin}} --base {{state}} --light 0.5",
    "convert {missing.bin} -o {out.safetensors}",
    "convert {weights.bin} -o {out.safetensors}",
    "convert {list.bin} -o {out.safetensors}",
    "convert {lora.safetensors} -o {out.safetensors}",
    "convert {state} -o {out.safetensors}",
    "convert {empty.png} -o {out.safetensors}",
    "convert {text.jpg} -o {out.safetensors}",
    "convert {nobody.png} -o {out.safetensors}",
    "new-controller -o {out.safetensors} --recogniser {missing.onnx}",
    "new-controller -o {out.safetensors} --recogniser {text.jpg}",
    "new-controller -o {out.safetensors} --recogniser {lora.safetensors}",
    "new-controller -o {out.bin}",
]


def test_there_are_enough_of_them():
    assert len(set(LINES)) == len(LINES) >= 60


@pytest.mark.parametrize("line", LINES)
def test_a_wrong_command_is_one_sentence_and_writes_nothing(line, files, tmp_path, capsys):
    words = []
    for word in line.split():
        name = word.strip("{}")
        words.append(str((tmp_path if name.startswith("out") else files) / name) if word.startswith("{") else word)
    before = {path: path.stat().st_mtime_ns for path in files.rglob("*")}
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("face-part-fusion: ") and printed.err.count("\n") == 1
    sentence = printed.err.removeprefix("face-part-fusion: ")
    assert len(sentence.split()) >= 8 and "Traceback" not in sentence and "tensor(" not in sentence
    assert any(name in sentence for word in words[1:] for name in (word, word.partition("#")[0], Path(word).name))
    assert re.search(r"[;:.] |, (or|so|but|not) ", sentence), sentence
    assert not any(tmp_path.iterdir()) and {path: path.stat().st_mtime_ns for path in files.rglob("*")} == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_cannot_be_written_is_told_as_a_user(portrait, tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert main(["detect", str(portrait), "-o", str(tmp_path / "out.png")]) == 2
    assert "out.png" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(portrait, tmp_path, capsys):
    (tmp_path / "file").touch()
    for output in (tmp_path / "file" / "out.png", Path("/proc/none/out.png") if sys.platform == "linux" else tmp_path):
        assert main(["detect", str(portrait), "-o", str(output)]) == 2
        assert str(output) in capsys.readouterr().err


def test_photographs_and_outputs_of_any_letters_and_spaces_work(portrait, tmp_path, capsys):
    folder = tmp_path / "Übungen mit Lücke" / "顔 写真" / "é#2 (1) [x] 'q' & $HOME %20"
    folder.mkdir(parents=True)
    photo = folder / "me #1 😀.png"
    photo.write_bytes(portrait.read_bytes())
    assert main(["detect", str(photo), "-o", str(folder / "new ü" / "out 顔.webp"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["face"] == 0 and (folder / "new ü" / "out 顔.webp").is_file()


@pytest.mark.parametrize("words", [
    ["detect", "", "-o", "x.png"], ["detect", "a.png", "-o", ""], ["swap", "--target", "", "--eyes", "a", "-o", "b"],
    ["swap", "--target", "a", "", "--eyes", "a", "-o", "b"], ["swap", "--target", "a", "--eyes", "", "-o", "b"],
    ["swap", "--target", "a", "--eyes", "b", "--mask", "", "-o", "b"], ["convert", "a", "-o", ""], ["demo", "-o", ""],
])  # fmt: skip
def test_a_variable_of_the_shell_that_is_not_set_is_told(words, capsys):
    """An empty path is the current folder otherwise, whose photographs would all be changed."""
    assert main(words) == 2
    name = words[words.index("") - 1].lstrip("-")
    expected = {"detect": "photo", "o": "output", "a": "target"}.get(name, name)
    assert capsys.readouterr().err.startswith(f"face-part-fusion: {expected} is empty; write a name there")


def test_a_name_that_is_too_long_is_told(portrait, tmp_path, capsys):
    for words in (["detect", "x" * 400, "-o", "out.png"], ["detect", str(portrait), "-o", str(tmp_path / ("x" * 400))]):
        assert main(words) == 2
        assert re.search(r"x{400}.*: File name too long; check the path", capsys.readouterr().err)


@pytest.mark.parametrize("seed", ["-1", "2.5", "many", str(2**63)])
def test_a_seed_that_torch_does_not_take_is_told(seed, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["new-controller", "-o", str(tmp_path / "c.safetensors"), f"--seed={seed}"])
    assert f"'{seed}' is not a whole number from 0 to" in capsys.readouterr().err and not any(tmp_path.iterdir())
