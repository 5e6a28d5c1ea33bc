"""The report of `measure`: one HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..metrics.bars import colour_of
from ..metrics.figures import QUESTIONS, Question
from .faces import split_spec
from .measure_one import Measured
from .measure_summary import SET_FIGURES, ranked

# Pictures at either end of a ranking.
_ENDS = 10
# Questions about the picture as a whole, which a card leaves out.
_OF_PIXELS = ("mse", "psnr", "ssim", "psnr_outside", "ssim_outside")
# Of a histogram: classes, width and height in pixels.
_CLASSES, _WIDTH, _HEIGHT = 24, 300, 72
# Of runs side by side; after the last, the first again.
_COLOURS = ("#1976d2", "#ef6c00", "#2e7d32", "#8e24aa", "#c62828", "#00838f")

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #20242a; background: #f6f7f9; margin: 0 auto; max-width: 1180px;
  padding: 24px; }
h1 { font-size: 24px; } h2 { font-size: 19px; margin: 36px 0 10px; } h3 { font-size: 16px; margin: 20px 0 8px; }
table { border-collapse: collapse; background: white; box-shadow: 0 1px 3px #0002; }
td, th { padding: 6px 12px; text-align: left; border-bottom: 1px solid #e7e9ee; vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; } small, .dim { color: #66707d; }
.bar { display: inline-block; width: 90px; height: 9px; background: #e3e6eb; border-radius: 4px; margin-right: 8px; }
.bar i { display: block; height: 9px; border-radius: 4px; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 14px; }
.plot, .card { background: white; box-shadow: 0 1px 3px #0002; border-radius: 6px; padding: 10px 12px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 12px; }
.card { display: flex; gap: 12px; } figure { margin: 0; width: 132px; flex: none; }
figure img { width: 132px; height: 132px; display: block; border-radius: 4px; }
figcaption, .card table { font-size: 12.5px; } .card table { box-shadow: none; width: 100%; }
.card td { padding: 2px 4px; } .card .bar { width: 44px; }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 5px 0 10px; }
code { overflow-wrap: anywhere; }
"""


def report_page(
    runs: Mapping[str, Sequence[Measured]], summaries: Mapping[str, Any], broken: Mapping[str, str], rank: str | None
) -> str:  # fmt: skip
    """The page as text. `rank`: the question by which pictures are shown as the worst and the best; None: all bars."""
    count = sum(own["pictures"] for own in summaries.values())
    body = [
        f"<h1>{count} pictures measured</h1>", _legend(summaries), "<h2>Side by side</h2>", _medians(summaries),
        _sets(summaries), "<h2>Distributions</h2>", _plots(runs), *_galleries(runs, summaries, rank),
        _left_out(summaries, broken), "<h2>What the figures mean</h2>", _meanings(summaries),
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>Face Part Fusion: measured</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>'


def _legend(summaries: Mapping[str, Any]) -> str:
    keys = (f'<span class="key" style="background:{_colour(i)}"></span>{escape(name)} ({own["pictures"]})'
            for i, (name, own) in enumerate(summaries.items()))  # fmt: skip
    return f"<p>{''.join(keys)}</p>"


def _medians(summaries: Mapping[str, Any]) -> str:
    rows = []
    for key, question in QUESTIONS.items():
        own = [summary["questions"].get(key) for summary in summaries.values()]
        if any(own):
            cells = "".join(_median(question, each) for each in own)
            better = "more" if question.better == "higher" else "less"
            rows.append(f"<tr><td>{escape(question.title)} <small>{better} is better</small></td>{cells}</tr>")
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in summaries)
    return f"<table><tr><th>median (middle half)</th>{head}</tr>{''.join(rows)}</table>"


def _median(question: Question, own: Mapping[str, float] | None) -> str:
    if own is None:
        return '<td class="n dim">-</td>'
    low, high = (question.number(own[f"{end}_quartile"]) for end in ("lower", "upper"))
    text = f"{question.in_words(own['median'])} <small>({low} to {high}; {own['count']:.0f})</small>"
    return f'<td class="n">{_bar(question.goodness(own["median"]))}{text}</td>'


def _bar(goodness: float) -> str:
    red, green, blue = colour_of(goodness)
    style = f"width:{max(3, round(100 * goodness))}%;background:rgb({red},{green},{blue})"
    return f'<span class="bar"><i style="{style}"></i></span>'


def _sets(summaries: Mapping[str, Any]) -> str:
    rows = []
    for key, meaning in SET_FIGURES.items():
        values = [own["set"].get(key) for own in summaries.values()]
        if any(value is not None for value in values):
            cells = "".join(f'<td class="n">{"-" if value is None else f"{value:.3f}"}</td>' for value in values)
            rows.append(
                f"<tr><td>{escape(key.replace('_', ' '))}</td>{cells}<td><small>{escape(meaning)}</small></td></tr>"
            )
    if not rows:
        return ""
    head = "".join(f'<th class="n">{escape(name)}</th>' for name in summaries)
    return f"<h3>As a whole</h3><table><tr><th></th>{head}<th></th></tr>{''.join(rows)}</table>"


def _plots(runs: Mapping[str, Sequence[Measured]]) -> str:
    plots = []
    for key, question in QUESTIONS.items():
        values = {name: [each.figures.values[key] for each in own if key in each.figures.values]
                  for name, own in runs.items()}  # fmt: skip
        if any(values.values()):
            plots.append(f'<div class="plot"><b>{escape(question.title)}</b>{_histogram(question, values)}</div>')
    return f'<div class="plots">{"".join(plots)}</div>'


def _histogram(question: Question, values: Mapping[str, Sequence[float]]) -> str:
    """One outline a run over common classes."""
    everything = [value for own in values.values() for value in own]
    low, high = min(everything), max(everything)
    if high - low < 1e-9:
        return f"<p><small>all {question.in_words(low)}</small></p>"
    shapes = []
    for number, own in enumerate(values.values()):
        counts = [0] * _CLASSES
        for value in own:
            counts[min(_CLASSES - 1, int((value - low) / (high - low) * _CLASSES))] += 1
        most = max(max(counts), 1)
        step = _WIDTH / _CLASSES
        points = [f"{x * step:.1f},{_HEIGHT - count / most * (_HEIGHT - 4):.1f} {(x + 1) * step:.1f},"
                  f"{_HEIGHT - count / most * (_HEIGHT - 4):.1f}" for x, count in enumerate(counts)]  # fmt: skip
        outline = f"0,{_HEIGHT} {' '.join(points)} {_WIDTH},{_HEIGHT}"
        shapes.append(f'<polygon points="{outline}" fill="{_colour(number)}" fill-opacity=".35" '
                      f'stroke="{_colour(number)}"/>')  # fmt: skip
    svg = f'<svg width="100%" viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(shapes)}</svg>'
    ends = f"<small>{question.in_words(low)}<span style='float:right'>{question.in_words(high)}</span></small>"
    return svg + ends


def _galleries(
    runs: Mapping[str, Sequence[Measured]], summaries: Mapping[str, Any], rank: str | None
) -> list[str]:  # fmt: skip
    by = QUESTIONS[rank].title if rank else "what was taken over"
    parts = []
    for name in summaries:
        order = ranked(runs[name], rank)
        # Nobody is among both.
        ends = min(_ENDS, max(1, len(order) // 2)) if order else 0
        for title, shown in (("worst", order[:ends]), ("best", order[::-1][:ends])):
            if shown and not (title == "best" and len(order) == 1):
                cards = "".join(_card(each) for each in shown)
                heading = f"<h2>{escape(name)}: the {title} {len(shown)} by {escape(by)}</h2>"
                parts.append(f'{heading}<div class="cards">{cards}</div>')
    return parts


def _card(measured: Measured) -> str:
    row = measured.row
    captions: dict[str, list[str]] = {row.result: ["result"]}
    if row.target:
        captions.setdefault(row.target, []).append("target")
    for part, spec in row.references.items():
        captions.setdefault(spec, []).append(part)
    figures = "".join(_figure(measured.thumbnails.get(spec), words) for spec, words in captions.items())
    lines = "".join(
        f'<tr><td>{escape(QUESTIONS[key].title)}</td><td class="n">{_bar(QUESTIONS[key].goodness(value))}'
        f"{QUESTIONS[key].in_words(value)}</td></tr>"
        for key, value in measured.figures.values.items()
        if key not in _OF_PIXELS
    )
    name = escape(split_spec(row.result)[0].name)
    pictures = (
        f'<div style="display:grid;grid-template-columns:132px 132px;gap:6px;align-content:start">{figures}</div>'
    )
    return f'<div class="card">{pictures}<div style="flex:1"><code>{name}</code><table>{lines}</table></div></div>'


def _figure(jpeg: str | None, words: Sequence[str]) -> str:
    picture = f'<img src="data:image/jpeg;base64,{jpeg}" alt="">' if jpeg else ""
    return f"<figure>{picture}<figcaption>{escape(', '.join(words))}</figcaption></figure>"


def _left_out(summaries: Mapping[str, Any], broken: Mapping[str, str]) -> str:
    """What was not measured, and why."""
    lines = [
        f"<li><code>{escape(Path(result).name)}</code>: {escape(reason)}</li>" for result, reason in broken.items()
    ]
    for name, own in summaries.items():
        for key, reasons in own["not_measured"].items():
            for reason, count in reasons.items():
                where = "" if count == own["pictures"] else f", {count} of {own['pictures']} pictures"
                lines.append(f"<li>{escape(name)}, {escape(QUESTIONS[key].title)}{where}: {escape(reason)}</li>")
        lines += [f"<li>{escape(name)}, {escape(key)}: {escape(why)}</li>" for key, why in own["set_reasons"].items()]
    return f"<h2>Not measured</h2><ul>{''.join(lines)}</ul>" if lines else ""


def _meanings(summaries: Mapping[str, Any]) -> str:
    measured = {key for own in summaries.values() for key in own["questions"]}
    rows = "".join(
        f"<tr><td>{escape(question.title)}</td><td>{escape(question.meaning)}</td><td>{escape(question.needs)}</td>"
        f"<td><small>{escape(question.source)}</small></td></tr>"
        for key, question in QUESTIONS.items()
        if key in measured
    )
    return f"<table><tr><th></th><th>meaning</th><th>compared with</th><th>definition</th></tr>{rows}</table>"


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
