"""`face-part-fusion measure`: what is compared with what, stopped runs, broken pictures, and what is written."""

from __future__ import annotations

import argparse
import csv
import json
import re

import pytest
from face_part_fusion.command import measure, measure_one
from face_part_fusion.command.main import main
from face_part_fusion.command.measure_rows import Row, rows_of
from face_part_fusion.command.photo import load_photo, save_photo
from face_part_fusion.metrics.figures import PARTS


@pytest.fixture(scope="module")
def folders(portrait, pair, tmp_path_factory):
    """Two runs over three targets, and a reference: one run changed nothing, the other darkened."""
    base, picture = tmp_path_factory.mktemp("measure"), load_photo(portrait)[0]
    for number in range(3):
        own = picture * (1 - 0.1 * number)
        for folder, pixels in (("targets", own), ("same", own), ("darker", own * 0.7)):
            save_photo(pixels, base / folder / f"person {number}.png")
    save_photo(load_photo(pair)[0], base / "pair.png")
    return base


def figures(output):
    return json.loads((output / "figures.json").read_text(encoding="utf-8"))


def test_runs_stand_side_by_side(folders, tmp_path, capsys):
    words = ["measure", str(folders / "same"), str(folders / "darker"), "--targets", str(folders / "targets")]
    assert main([*words, "--references", f"mouth={folders / 'pair.png'}#1", "-o", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"median \(middle half\) +same, 3 +darker, 3", printed)
    assert re.search(r"Light other than the target's \(less is better\) +0 L", printed)
    runs = figures(tmp_path)["runs"]
    assert runs["same"]["questions"]["mse"]["median"] == 0 < runs["darker"]["questions"]["mse"]["median"]
    assert runs["same"]["questions"]["light"]["median"] == 0 and runs["darker"]["questions"]["light"]["median"] > 8
    assert runs["same"]["questions"]["taken_mouth"]["median"] == pytest.approx(0, abs=1e-3)
    assert "at least 5 in each set" in runs["same"]["set_reasons"]["naturalness"]
    assert [row["result"].endswith("png") for row in runs["same"]["rows"]] == [True] * 3


def test_the_report_is_one_file_that_loads_nothing(folders, tmp_path):
    words = ["measure", str(folders / "darker"), "--targets", str(folders / "targets"), "-o", str(tmp_path)]
    assert main(words) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "3 pictures measured" in page
    assert page.count("data:image/jpeg;base64,") >= 4
    assert not re.search(r"https?://|<script|<link|src=\"(?!data:)", page)


def test_a_run_that_was_stopped_goes_on(folders, tmp_path, monkeypatch):
    words = ["measure", str(folders / "darker"), "--targets", str(folders / "targets"), "-o", str(tmp_path)]
    whole = measure_one.score
    calls = []

    def stopped(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(measure_one, "score", stopped)
    assert main(words) == 130
    assert len(list((tmp_path / "rows").iterdir())) == 1
    assert main(words) == 0
    assert len(calls) == 4
    # A damaged file of a row is measured again, as is a picture that changed since.
    next((tmp_path / "rows").glob("*.json")).write_text("{")
    assert main(words) == 0
    assert len(calls) == 5


def test_a_broken_picture_is_named_and_left_out(folders, tmp_path, capsys):
    broken = tmp_path / "results"
    broken.mkdir()
    (broken / "person 1.png").write_bytes(b"no picture")
    save_photo(load_photo(folders / "same" / "person 0.png")[0], broken / "person 0.png")
    words = ["measure", str(broken), "--targets", str(folders / "targets"), "-o", str(tmp_path / "out")]
    assert main(words) == 2
    assert re.search(r"person 1.png is left out: .*cannot be read as a picture", capsys.readouterr().err)
    out = figures(tmp_path / "out")
    assert out["runs"]["results"]["pictures"] == 1 and list(out["broken"]) == [str(broken / "person 1.png")]


def test_a_result_without_a_face_is_measured_as_far_as_it_goes(folders, tmp_path):
    blank = save_photo(load_photo(folders / "same" / "person 0.png")[0] * 0, tmp_path / "blank.png")
    words = ["measure", str(blank), "--targets", str(folders / "targets" / "person 0.png"), "-o", str(tmp_path / "out")]
    assert main(words) == 0
    row = figures(tmp_path / "out")["runs"]["pictures"]["rows"][0]
    assert row["not_measured"]["pose"] == "no face was found in the result" and row["figures"]["mse"] > 0.05


def test_a_table_names_triples_of_its_own(folders, tmp_path):
    table = folders / "triples.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["result", "target", "reference", "mouth"])
        rows.writerow(["darker/person 0.png", "targets/person 0.png", "pair.png", "pair.png#1"])
        rows.writerow(["darker/person 1.png", "", "", ""])
    one, other = rows_of([str(table)], None, [])
    assert one.target == str(folders / "targets/person 0.png") and one.run == "triples"
    assert one.references["mouth"].endswith("pair.png#1") and one.references["person"].endswith("pair.png")
    assert other == Row("triples", str(folders / "darker/person 1.png"))
    table.write_text("picture,target\n")
    with pytest.raises(ValueError, match="has the columns picture; its first line names any of result, target"):
        rows_of([str(table)], None, [])


def test_photographs_are_found_by_name_pattern_or_stand_for_all(folders):
    rows = rows_of([str(folders / "sa*" / "*.png")], str(folders / "targets"), [str(folders / "pair.png")])
    assert len(rows) == 3 and {row.run for row in rows} == {str(folders / "sa*" / "*.png")}
    assert all(row.target and row.target.endswith(row.result[-12:]) for row in rows)
    assert all(set(row.references) == {*PARTS, "person"} for row in rows)


def test_other_weights_under_the_same_name_measure_anew(tmp_path, monkeypatch):
    parser, weights = argparse.ArgumentParser(), tmp_path / "epoch_20.pth"
    measure.add_measure(parser)
    monkeypatch.setattr(measure, "read_deep3d", lambda _: None)
    keys = []
    for content in (b"one", b"other"):
        weights.write_bytes(content)
        options = parser.parse_args(["result.png", "-o", str(tmp_path / "out"), "--deep3d", str(weights)])
        keys += [measure._measurer(options)._key(Row("pictures", __file__)) for _ in range(2)]
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_folders_and_tables_of_one_name_are_runs_of_their_own(folders, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same").symlink_to(folders / "same")
    words = [str(tmp_path / "a" / "same"), str(tmp_path / "b" / "same"), str(folders / "darker")]
    assert list(dict.fromkeys(row.run for row in rows_of(words, None, []))) == [*words[:2], "darker"]
    table = tmp_path / "darker.csv"
    table.write_text("result\na/same/person 0.png\n")
    assert {row.run for row in rows_of([words[2], str(table)], None, [])} == {words[2], str(table)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["same", "--references", "eyes="], "--references eyes= names no photograph; write eyes=PHOTO"),
        (["nothing"], "RESULTS nothing is neither a file nor a folder, and no file fits it as a pattern"),
        (["same", "--targets", "pairs"], "--targets pairs is neither"),
        (["pair.png", "--targets", "targets"], r"--targets has no picture with the name of a result \(pair\)"),
        (["same", "--references", "pair.png", "--references", "eyes=pair.png"], "--references gives eyes twice"),
        (["same", "--recogniser", "none.onnx"], "there is no face recogniser none.onnx"),
        (["same", "darker", "--fid", "w.pth"], "--fid compares two folders"),
    ],
)
def test_bad_words_are_explained(folders, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(folders)
    assert main(["measure", *words, "-o", str(tmp_path)]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_set_of_results_is_told_from_its_targets(portrait, tmp_path):
    picture = load_photo(portrait)[0]
    for number in range(6):
        own = picture * (1 - 0.05 * number)
        save_photo(own, tmp_path / "targets" / f"{number}.png")
        # Stripes, which no photograph has.
        striped = own.clone()
        striped[::2] = (striped[::2] + 0.2).clamp(0, 1)
        save_photo(striped, tmp_path / "results" / f"{number}.png")
    words = ["measure", str(tmp_path / "results"), "--targets", str(tmp_path / "targets"), "-o", str(tmp_path / "out")]
    assert main(words) == 0
    own = figures(tmp_path / "out")["runs"]["results"]["set"]
    assert own["told_apart"] == own["told_from_target"] == 1 and own["frechet_distance (own features)"] > 0
