"""`face-part-fusion measure`: how good results are: a table, figures as JSON, and a report for a browser."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..detectors.parts import PART_CHOICES
from ..injection.faces.deep3d_network import read_deep3d
from ..metrics.figures import QUESTIONS, Question
from ..metrics.frechet import fid
from ..metrics.identity import read_face_vectors
from ..metrics.lpips import lpips
from ..metrics.score import Networks
from ..training.shards.shard import write_whole
from .faces import Finder, add_choice
from .measure_one import Broken, Measured, RowMeasurer
from .measure_report import report_page
from .measure_rows import COLUMNS, Row, pictures_of, rows_of
from .measure_summary import SET_FIGURES, summary_of
from .targets import Bar
from .version import version

EXAMPLES = """examples:
  face-part-fusion measure fused --targets photos --references eyes=anna.jpg -o measured
  face-part-fusion measure swapped other --targets photos --references ben.jpg --recogniser w600k_r50.onnx -o measured
  face-part-fusion measure triples.csv -o measured
  face-part-fusion measure 'out/*_00001_.png' --targets me.jpg -o measured

Run it again with the same words to go on after a stop: what was measured stays."""

# In the output folder: figures, report, and a folder with what was measured of each picture.
FIGURES, REPORT, ROWS = "figures.json", "report.html", "rows"
# Broken pictures that are printed; figures.json has all.
_PRINTED = 20


def add_measure(measure: argparse.ArgumentParser) -> None:
    measure.description = (
        "Measure results against the photographs that they were made of: did the parts take, is it the person, did "
        "pose, expression, gaze and light stay, can the edge be seen, can a classifier tell. Several folders are "
        "compared side by side."
    )
    measure.add_argument(
        "results", nargs="+", metavar="RESULTS",
        help=f"a folder, a pattern in quotes, pictures, or a CSV file with any of the columns {', '.join(COLUMNS)}",
    )  # fmt: skip
    measure.add_argument(
        "--targets", metavar="T", help="what was changed: one photograph, or a folder or pattern with results' names"
    )
    measure.add_argument(
        "--references", action="append", default=[], metavar="[PART=]R",
        help="who gave the face, or with PART= eyes, brows, nose, mouth or the person alone; as --targets; repeatable",
    )  # fmt: skip
    measure.add_argument("-o", "--output", type=Path, required=True, metavar="MEASURED", help="a folder for all of it")
    measure.add_argument(
        "--recogniser", type=Path, metavar="FILE", help="a face recogniser (.onnx, .pth), for identity"
    )
    measure.add_argument("--deep3d", type=Path, metavar="FILE", help="Deep3DFaceRecon's weights, for expression")
    measure.add_argument("--lpips", action="store_true", help="LPIPS too; needs face-part-fusion[metrics]")
    measure.add_argument(
        "--photographs", metavar="P", help="untouched ones that results are told from, beside the targets"
    )
    measure.add_argument(
        "--around", action="append", default=[], choices=PART_CHOICES, metavar="PART",
        help="look for traces around this part alone, such as neck; repeatable",
    )  # fmt: skip
    measure.add_argument(
        "--fid", type=Path, metavar="WEIGHTS",
        help="FID between RESULTS, a folder, and --photographs, a folder; needs face-part-fusion[metrics]",
    )  # fmt: skip
    measure.add_argument(
        "--rank", choices=tuple(QUESTIONS), metavar="QUESTION",
        help=f"what the worst and best ten are chosen by; default: what was taken over. One of {', '.join(QUESTIONS)}",
    )  # fmt: skip
    add_choice(measure)
    measure.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    rows = rows_of(options.results, options.targets, options.references)
    untouched = [Row("", picture) for picture in pictures_of(options.photographs, "--photographs")] if (
        options.photographs
    ) else []  # fmt: skip
    if options.fid is not None:
        _check_fid(options)
    measurer = _measurer(options)
    measured, broken = _measure_all(measurer, [*rows, *untouched])
    runs = {name: [each for each in measured if each.row.run == name] for name in dict.fromkeys(r.run for r in rows)}
    photographs = [each for each in measured if not each.row.run]
    if not any(runs.values()):
        _tell_broken(broken, options.output)
        raise ValueError("none of the results could be measured; see the reasons above")
    summaries = {name: summary_of(own, photographs) for name, own in runs.items() if own}
    if options.fid is not None:
        name = next(iter(summaries))
        summaries[name]["set"]["FID"] = fid(Path(options.results[0]), Path(options.photographs), options.fid)
    _write(options, runs, summaries, broken)
    for line in _table(summaries):
        print(line)
    _tell_broken(broken, options.output)
    print(f"wrote {options.output / REPORT} and {FIGURES} beside it")
    return 2 if broken else 0


def _check_fid(options: argparse.Namespace) -> None:
    folders = [*options.results, options.photographs or ""]
    if len(options.results) != 1 or not all(folder and Path(folder).is_dir() for folder in folders):
        raise ValueError("--fid compares two folders: give one folder as RESULTS and another one as --photographs")
    if find_spec("torch_fidelity") is None or not options.fid.is_file():
        # It says what is missing, before hours of measuring.
        fid(Path(folders[0]), Path(folders[1]), options.fid)


def _measurer(options: argparse.Namespace) -> RowMeasurer:
    networks = Networks(
        read_face_vectors(options.recogniser) if options.recogniser else None,
        read_deep3d(options.deep3d) if options.deep3d else None,
        lpips() if options.lpips else None,
    )  # fmt: skip
    find = Finder(options.order, options.threshold)
    folder = options.output / ROWS
    if options.output.is_file():
        raise ValueError(f"-o {options.output} is a file; name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "recogniser": networks.recogniser and networks.recogniser.name, "lpips": options.lpips,
        "deep3d": options.deep3d and _stamp(options.deep3d), "order": options.order,
        "threshold": options.threshold, "version": version(),
    }  # fmt: skip
    return RowMeasurer(folder, find, networks, settings, options.around)


def _stamp(file: Path) -> tuple[str, int, int]:
    """What changes when a file is replaced: rows that were measured with another one are measured again."""
    status = file.stat()
    return str(file.resolve()), status.st_size, status.st_mtime_ns


def _measure_all(measurer: RowMeasurer, rows: Sequence[Row]) -> tuple[list[Measured], dict[str, str]]:
    """Every row that can be measured, and result -> reason of the others."""
    measurer.expect(rows)
    measured: list[Measured] = []
    broken: dict[str, str] = {}
    bar = Bar(len(rows))
    try:
        for number, row in enumerate(rows):
            bar.show(number, Path(row.result).name)
            try:
                measured.append(measurer(row))
            except Broken as reason:
                broken[row.result] = str(reason)
    finally:
        bar.clear()
    return measured, broken


def _write(
    options: argparse.Namespace, runs: Mapping[str, Sequence[Measured]], summaries: Mapping[str, Any],
    broken: Mapping[str, str],
) -> None:  # fmt: skip
    figures = {
        "version": version(),
        "runs": {name: {**summary, "rows": [_row(each) for each in runs[name]]} for name, summary in summaries.items()},
        "broken": broken,
        "questions": {key: vars(question) for key, question in QUESTIONS.items()},
    }
    write_whole(options.output / FIGURES, json.dumps(figures, indent=1, ensure_ascii=False).encode())
    page = report_page(runs, summaries, broken, options.rank)
    write_whole(options.output / REPORT, page.encode())


def _row(measured: Measured) -> dict[str, Any]:
    row = measured.row
    return {
        "result": row.result, "target": row.target, "references": dict(row.references),
        "figures": dict(measured.figures.values), "not_measured": dict(measured.figures.reasons),
    }  # fmt: skip


def _table(summaries: Mapping[str, Any]) -> list[str]:
    """A line for each question and one column for each run: the median, and in brackets the middle half."""
    lines = [["median (middle half)", *(f"{name}, {own['pictures']}" for name, own in summaries.items())]]
    for key, question in QUESTIONS.items():
        cells = [_cell(question, own["questions"].get(key)) for own in summaries.values()]
        if any(cells):
            arrow = "more is better" if question.better == "higher" else "less is better"
            lines.append([f"{question.title} ({arrow})", *(cell or "-" for cell in cells)])
    for key in SET_FIGURES:
        values = [own["set"].get(key) for own in summaries.values()]
        if any(value is not None for value in values):
            lines.append([key.replace("_", " "), *("-" if value is None else f"{value:.3f}" for value in values)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]


def _cell(question: Question, distribution: Mapping[str, float] | None) -> str:
    if distribution is None:
        return ""
    low, high = (question.number(distribution[f"{end}_quartile"]) for end in ("lower", "upper"))
    return f"{question.in_words(distribution['median'])} ({low} to {high})"


def _tell_broken(broken: Mapping[str, str], output: Path) -> None:
    for result, reason in list(broken.items())[:_PRINTED]:
        print(f"face-part-fusion: {result} is left out: {reason}", file=sys.stderr)
    if len(broken) > _PRINTED:
        print(f"face-part-fusion: and {len(broken) - _PRINTED} more, see {output / FIGURES}", file=sys.stderr)
