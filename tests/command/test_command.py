import io
import json
from contextlib import redirect_stdout

import pytest
import torch
from face_part_fusion.command import open_file
from face_part_fusion.command.demo import RECIPES, run_demo
from face_part_fusion.command.faces import Finder, split_spec
from face_part_fusion.command.main import main
from face_part_fusion.command.photo import load_photo, save_photo
from face_part_fusion.detectors import bundled
from PIL import Image, ImageDraw


@pytest.fixture
def empty(tmp_path):
    """A file without a face."""
    return save_photo(torch.full((40, 50, 3), 0.5), tmp_path / "empty.png")


def fails(capsys, *arguments):
    """Run, expect status 2, and give the sentence on stderr."""
    assert main([str(a) for a in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("face-part-fusion: ") and err.count("\n") == 1 and "Traceback" not in err
    return err


def test_detect_draws_a_preview_and_prints_a_record_of_every_face(pair, tmp_path, capsys):
    out = tmp_path / "new folder" / "preview.png"
    assert main(["detect", str(pair), "-o", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    records = [json.loads(line) for line in printed.out.splitlines()]
    assert [face["face"] for face in records] == [0, 1] and {"eyes", "nose", "mouth"} & set(records[0]["parts"])
    made, wrote = printed.err.splitlines()
    assert made == f"face-part-fusion: made the folder {out.parent}" and wrote == f"wrote {out.resolve()}"
    assert Image.open(out).size == (640, 320)


def test_detect_prints_a_table_of_the_same_figures(pair, tmp_path, capsys):
    arguments = ["detect", str(pair), "-o", str(tmp_path / "preview.png")]
    assert main([*arguments, "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(arguments) == 0
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert head.split()[:6] == ["face", "score", "x", "y", "width", "height"] and last.startswith("wrote ")
    assert len(rows) == len(records) == 2
    for row, record in zip(rows, records, strict=True):
        number, score, *figures, parts = row.split(maxsplit=9)
        x0, y0, x1, y1 = record["box"]
        assert int(number) == record["face"] and abs(float(score) - record["score"]) <= 0.006
        for shown, exact in zip(figures, (x0, y0, x1 - x0, y1 - y0, *record["angles"]), strict=True):
            assert abs(float(shown) - exact) <= 0.7
        assert parts == ", ".join(part.replace("_", " ") for part in record["parts"])
        assert row.index(parts) == head.index("parts"), "the columns stand below one another"


def test_swap_writes_the_fused_picture_and_changes_that_part_only(portrait, pair, tmp_path, capsys):
    out = tmp_path / "out.png"
    arguments = ["--target", str(portrait), "--mouth", f"{pair}#1", "--order", "left-right", "-o", str(out)]
    assert main(["swap", *arguments]) == 0
    report, written = capsys.readouterr().out.splitlines()
    assert report.startswith(f"mouth of {pair}#1 at 100%: ") and written == f"wrote {out.resolve()}"
    before, after = load_photo(portrait), load_photo(out)
    different = (before != after).any(-1)[0]
    assert different.any() and not different[: different.shape[0] // 3].any() and different.float().mean() < 0.2


@pytest.mark.parametrize("more, marked", [([], True), (["--no-mark"], False)])
@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_swap_writes_into_the_file_that_it_was_edited(portrait, pair, tmp_path, ending, more, marked):
    out = tmp_path / f"out.{ending}"
    assert main(["swap", "--target", str(portrait), "--mouth", str(pair), "-o", str(out), *more]) == 0
    content = out.read_bytes()
    assert (b"compositeWithTrainedAlgorithmicMedia" in content) is marked
    assert (b"composited: mouth" in content) is marked


@pytest.mark.parametrize("ending", ["gif", "bmp", "tiff"])
def test_a_file_that_cannot_carry_the_mark_is_written_only_when_none_is_wanted(portrait, tmp_path, ending, capsys):
    arguments = ["swap", "--target", portrait, "--mouth", portrait, "-o", tmp_path / f"out.{ending}"]
    assert "end the name in .png, .jpg or .webp, or add --no-mark" in fails(capsys, *arguments)
    assert main([*map(str, arguments), "--no-mark"]) == 0 and (tmp_path / f"out.{ending}").exists()


def test_a_console_that_lacks_the_letters_of_a_name_prints_their_numbers(portrait, tmp_path):
    printed, out = io.BytesIO(), tmp_path / "顔.png"
    with redirect_stdout(io.TextIOWrapper(printed, encoding="cp1252")) as console:
        assert main(["detect", str(portrait), "-o", str(out)]) == 0
        console.flush()
    assert out.exists() and rb"\u9854.png" in printed.getvalue()


def test_damaged_weights_of_the_pack_are_refused_by_name(portrait, tmp_path, capsys, monkeypatch):
    for file in bundled.FOLDER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:5000])
    monkeypatch.setattr(bundled.load_bundled, "__defaults__", (tmp_path,))
    message = fails(capsys, "detect", portrait, "-o", tmp_path / "out.png")
    assert (
        "face_detection_short_range.safetensors cannot be read" in message and "reinstall Face Part Fusion" in message
    )


def test_swap_with_strength_0_writes_the_target_again(portrait, pair, tmp_path):
    out = tmp_path / "out.png"
    arguments = ["--target", str(portrait), "--left-eye", str(pair), "--strength", "left-eye=0", "-o", str(out)]
    assert main(["swap", *arguments]) == 0 and torch.equal(load_photo(out), load_photo(portrait))


@pytest.mark.parametrize("size", [1, 2])
def test_swap_leaves_the_black_area_of_a_mask_of_any_size(portrait, pair, tmp_path, size):
    mask = torch.zeros(320, 320, 3)
    mask[:, :160] = 1
    mask = mask[::size, ::size]
    painted, out = save_photo(mask, tmp_path / "mask.png"), tmp_path / "out.png"
    arguments = ["--target", str(portrait), "--skin", f"{pair}#1", "--mask", str(painted), "-o", str(out)]
    assert main(["swap", *arguments]) == 0
    different = (load_photo(out) != load_photo(portrait)).any(-1)[0]
    assert different[:, :160].any() and not different[:, 159 + size :].any()


def test_the_number_after_the_photo_picks_the_face(pair):
    find = Finder("left-right", 0.4)
    first, second = find(f"{pair}#0"), find(f"{pair}#1")
    assert find(str(pair)).chosen == first.chosen == (0,) and second.chosen == (1,)
    assert first.face(0).box[2] < second.face(0).box[0] and first.pictures is second.pictures


def test_a_number_sign_in_the_name_of_an_existing_file_belongs_to_the_name(tmp_path):
    file = tmp_path / "me#2"
    file.touch()
    assert split_spec(str(file)) == (file, None) and split_spec(f"{file}#3") == (file, 3)
    assert split_spec("a#b.png")[1] is None and split_spec("a.png#12")[1] == 12


def test_a_path_that_does_not_exist_is_refused(tmp_path, capsys):
    out = tmp_path / "out.png"
    assert "there is no file missing.png" in fails(capsys, "detect", "missing.png", "-o", out)
    assert "there is no file" in fails(capsys, "swap", "--target", "x.png", "--nose", "x.png", "-o", out)
    assert f"{tmp_path} is a folder" in fails(capsys, "detect", tmp_path, "-o", out)
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\xff\xd8\xff\xe0aaaa"])
def test_a_file_that_is_not_a_picture_is_refused_by_path(content, tmp_path, capsys):
    file = tmp_path / "broken.png"
    file.write_bytes(content)
    assert f"{file} cannot be read as a picture" in fails(capsys, "detect", file, "-o", tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.98])
@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_a_truncated_picture_is_refused_by_path(kind, keep, tmp_path, capsys):
    file = tmp_path / f"cut.{kind}"
    save_photo(torch.rand(60, 60, 3), file)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])
    assert f"{file} cannot be read" in fails(capsys, "detect", file, "-o", tmp_path / "out.png")


def test_a_damaged_chunk_and_a_picture_of_absurd_size_are_refused_by_path(tmp_path, capsys, monkeypatch):
    file = save_photo(torch.rand(60, 60, 3), tmp_path / "photo.png")
    monkeypatch.setattr(open_file, "MOST_PIXELS", 1000)
    assert f"{file} cannot be read" in fails(capsys, "detect", file, "-o", tmp_path / "out.png")
    monkeypatch.undo()
    data = bytearray(file.read_bytes())
    start = data.index(b"IDAT")
    data[start - 4 : start] = (20).to_bytes(4, "big")
    file.write_bytes(data)
    assert f"{file} cannot be read" in fails(capsys, "detect", file, "-o", tmp_path / "out.png")


def test_no_face_and_an_index_past_the_last_face_are_refused_by_file(portrait, empty, tmp_path, capsys):
    out = tmp_path / "out.png"
    for message in (
        fails(capsys, "swap", "--target", empty, "--nose", portrait, "-o", out),
        fails(capsys, "swap", "--target", portrait, "--nose", f"{portrait}#4", "-o", out),
        fails(capsys, "detect", f"{portrait}#4", "-o", out),
    ):
        assert (
            f"{empty}: no face found in the picture" in message
            or f"{portrait}: index 4 asks for face number 5" in message
        )
        assert "--threshold" in message or "take one after the #" in message
        assert "on_missing" not in message and "wire" not in message and not out.exists()


def test_detect_writes_the_picture_with_a_note_when_it_has_no_face(empty, tmp_path, capsys):
    out = tmp_path / "preview.png"
    assert main(["detect", str(empty), "-o", str(out)]) == 1
    printed = capsys.readouterr()
    assert printed.out == f"wrote {out.resolve()}\n" and f"{empty}: no face found in the picture" in printed.err
    assert Image.open(out).size == (50, 40) and not torch.equal(load_photo(out), load_photo(empty))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "nothing to swap into --target: give at least one part, such as --eyes PHOTO"),
        (["--nose", "P", "--strength", "mouth=1"], "--strength names 'mouth', but no photograph gives it"),
        (["--nose", "P", "--strength", "nose"], "--strength is 'nose'; write PART=NUMBER"),
        (["--nose", "P", "--strength", "nose=2"], "the strength of 'nose' is 2.0; it goes from 0 to 1"),
        (["--nose", "P", "--weights", "E"], "--weights needs --base DIR, an SD1.5 model in diffusers' layout"),
        (["--nose", "P", "--seed", "3"], "--seed is for FuseAnyPart's model; add --weights FAP.bin"),
        (["--nose", "P", "--tone", "3"], "tone is 3.0; it goes from 0"),
        (["--nose", "P", "--grow", "-1"], "grow is -1.0; it goes from 0 to 10"),
        (["--nose", "P", "--mask", "E"], "empty.png: mask is 50 x 40 pixels but the pictures are 320 x 320; it must"),
        (["--nose", "P", "--mask", "BLACK"], "mask is black everywhere, so it would leave nothing: paint white where"),
        (["--nose", "P", "-o", "out.xyz"], "out.xyz cannot carry the mark that it was edited; end the name in .png"),
        (["--nose", "P", "-o", "out.xyz", "--no-mark"], "out.xyz"),
    ],
)
def test_a_wrong_choice_is_one_sentence_and_writes_nothing(more, message, portrait, empty, tmp_path, capsys):
    black = save_photo(torch.zeros(32, 32, 3), tmp_path / "black.png")
    words = {"P": portrait, "E": empty, "BLACK": black, "out.xyz": tmp_path / "out.xyz"}
    options = [words.get(word, word) for word in more]
    assert message in fails(capsys, "swap", "--target", portrait, "-o", tmp_path / "out.png", *options)
    assert {path.name for path in tmp_path.iterdir()} == {"empty.png", "black.png"}


@pytest.mark.parametrize("line", ["", "swap", "detect a.png", "swap --target a --hair b -o c", "detect a -o b -x"])
def test_a_command_line_that_is_incomplete_ends_with_status_2(line, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(line.split())
    assert stopped.value.code == 2 and "usage: face-part-fusion" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "swap", "detect", "convert", "new-controller"])
def test_an_unknown_option_is_told_with_the_usage_of_its_command(command, capsys):
    words = {"swap": "--target a -o b", "detect": "a -o b", "convert": "a -o b", "new-controller": "-o b", "demo": ""}
    with pytest.raises(SystemExit) as stopped:
        main([command, *words[command].split(), "--colour", "9"])
    printed = capsys.readouterr().err
    assert stopped.value.code == 2 and f"usage: face-part-fusion {command} " in printed
    assert f"face-part-fusion {command}: error: unrecognized arguments: --colour 9" in printed


def test_a_user_who_stops_it_sees_no_traceback(monkeypatch, tmp_path, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Finder, "__call__", stopped)
    assert main(["detect", "a.png", "-o", str(tmp_path / "b.png")]) == 130
    assert capsys.readouterr().err == ""


def test_of_a_numbered_face_that_face_alone_is_printed(pair, tmp_path, capsys):
    arguments = ["-o", str(tmp_path / "preview.png"), "--order", "left-right"]
    assert main(["detect", str(pair), *arguments, "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for number in (0, 1):
        assert main(["detect", f"{pair}#{number}", *arguments, "--json"]) == 0
        assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [records[number]]
        assert main(["detect", f"{pair}#{number}", *arguments]) == 0
        _, row, _ = capsys.readouterr().out.splitlines()
        assert row.split()[0] == str(number)


def test_folders_are_made_and_told_and_a_way_back_makes_none(portrait, tmp_path, capsys):
    assert main(["detect", str(portrait), "-o", str(tmp_path / "none" / ".." / "a.png")]) == 0
    assert capsys.readouterr().err == "" and [path.name for path in tmp_path.iterdir()] == ["a.png"]
    deep = tmp_path / "one" / "two"
    for name, told in (("b.png", f"face-part-fusion: made the folder {deep}\n"), ("c.png", "")):
        assert main(["detect", str(portrait), "-o", str(deep / name)]) == 0
        assert capsys.readouterr().err == told
    for line in (["new-controller"], ["detect", portrait]):
        assert f"cannot write {tmp_path}: it is a folder" in fails(capsys, *line, "-o", tmp_path)
        assert "c.xyz" in fails(capsys, *line, "-o", tmp_path / "new" / "c.xyz") and not (tmp_path / "new").exists()


@pytest.mark.parametrize("covers", ["spare", "ignore"])
def test_what_covers_a_part_of_the_target_stays_unless_that_is_ignored(portrait, tmp_path, covers):
    """Dark discs over both eyes, as sunglasses have, which the built-in parser sees as such."""
    face = Finder("large-small", 0.4)(str(portrait)).face(0)
    image, out = Image.open(portrait).convert("RGB"), tmp_path / "out.png"
    for part in ("left_eye", "right_eye"):
        (x0, y0), (x1, y1) = torch.cat(face.region(part)[0].rings).aminmax(dim=0)
        pad = 0.4 * (x1 - x0)
        ImageDraw.Draw(image).ellipse((x0 - pad, y0 - pad, x1 + pad, y1 + pad), fill=(15, 15, 18))
    image.save(tmp_path / "dark.png")
    words = ["--target", str(tmp_path / "dark.png"), "--eyes", str(portrait), "--covers", covers, "-o", str(out)]
    assert main(["swap", *words]) == 0
    assert torch.equal(load_photo(out), load_photo(tmp_path / "dark.png")) is (covers == "spare")


def test_the_demo_writes_the_sheet_and_every_fused_picture_and_prints_the_path(tmp_path, capsys):
    for package in ("skimage", "insightface", "tqdm"):
        pytest.importorskip(package, reason="the demo takes its photographs from there")
    run_demo(str(tmp_path / "demo"))
    last = capsys.readouterr().out.splitlines()[-1]
    sheet = tmp_path / "demo" / "sheet.png"
    assert last.startswith(f"The sheet is {sheet.resolve()} (") and last.endswith(" s)")
    assert len(RECIPES) >= 6 and Image.open(sheet).size[0] > 1000
    fused = sorted((tmp_path / "demo").glob("fused-*.png"))
    assert len(fused) == len(RECIPES) and len({path.read_bytes() for path in fused}) == len(RECIPES)
    for path in (sheet, *fused):
        assert b"compositeWithTrainedAlgorithmicMedia" in path.read_bytes()
