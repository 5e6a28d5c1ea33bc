"""A result against its target and the people who gave parts: did it take?"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import torch
from comfy_api.latest import io

from ..detectors.parts import FaceParts
from ..detectors.progress import counted
from ..fusion.captions import shown
from ..metrics.figures import PARTS, PERSON, QUESTIONS, Figures
from .host.fingerprints import Stamp
from .host.networks import networks_for_figures, networks_on_disk
from .host.progress import host_progress
from .inputs.schema import FaceNode, field, schema
from .inputs.wires import FacePartsWire

if TYPE_CHECKING:
    from ..metrics.score import Triple

AUTOMATIC, OFF = "automatic", "off"
# Outputs that are one question each, in their order; `taken` is the mean over the parts that are wired in.
_SINGLE = ("identity", "pose", "expression", "gaze", "light", "seam", "psnr_outside")
# Questions about the whole picture, which is meant to change: they are in `figures` alone.
_NOT_SHOWN = ("mse", "psnr", "ssim", "ssim_outside")
# Reasons that are not told, as nobody asked for them here.
_NOT_TOLD = ("lpips", "expression_deep3d")


class FaceScore(FaceNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="FPFFaceScore",
            display_name="Face Score",
            category="face parts/measure",
            description="Did it take? Measures a result against its target and the people who gave parts or the face: "
            "a number for each question, and a picture with bars.",
            search_aliases=["did it work", "likeness", "similarity", "face distance", "evaluate", "compare", "metrics"],
            inputs=[
                FacePartsWire.Input("result", tooltip="The finished pictures, from one more Face Part Detect."),
                FacePartsWire.Input(
                    "target", optional=True,
                    tooltip="What was changed. Without it only the likeness to the references is measured.",
                ),
                *(_person_input(part, f"The person who gave {part}, as in Part Composite.") for part in PARTS),
                _person_input(
                    PERSON, "The person whose face or identity the result has, as after a face or head swap: identity "
                    f"is measured, and all of {', '.join(PARTS)} that nobody else gave.",
                ),
                field(
                    io.Combo, "networks", options=[AUTOMATIC, OFF], default=AUTOMATIC, advanced=True,
                    tooltip="'automatic' uses a face recogniser in models/insightface and Deep3DFaceRecon in "
                    "models/deep3dfacerecon where they are; 'off' does without.",
                ),
            ],
            outputs=[
                io.Image.Output("picture", tooltip="The faces, and a bar for every question: the fuller the better. Of "
                "a long batch 64, evenly spread."),
                io.String.Output("report", tooltip="The same in words, and what could not be measured and why."),
                io.Float.Output("taken", tooltip="Percent: 0 the parts are the target's own, 100 the references'. The "
                                "mean of all parts and pictures; nan where not measured, as for all of these numbers."),
                *(io.Float.Output(key, tooltip=_tip(key)) for key in _SINGLE),
                io.String.Output("figures", tooltip="Every figure of every picture, as JSON."),
            ],
        )  # fmt: skip

    @classmethod
    def fingerprint_inputs(cls, networks: str = AUTOMATIC, **_: object) -> tuple[Stamp, ...]:
        return () if networks == OFF else networks_on_disk()

    @classmethod
    def execute(
        cls, result: FaceParts, target: FaceParts | None = None, eyes: FaceParts | None = None,
        brows: FaceParts | None = None, nose: FaceParts | None = None, mouth: FaceParts | None = None,
        person: FaceParts | None = None, networks: str = AUTOMATIC,
    ) -> io.NodeOutput:  # fmt: skip
        # Imported here and below, as figures would take a tenth of the pack's time to load.
        from ..metrics.bars import stacked
        from ..metrics.score import Networks, check_counts, score

        wired = {"eyes": eyes, "brows": brows, "nose": nose, "mouth": mouth, PERSON: person}
        others = {name: parts for name, parts in {"target": target, **wired}.items() if parts is not None}
        check_counts(len(result), {name: len(parts) for name, parts in others.items()})
        if not others:
            raise ValueError(
                "there is nothing to compare result with: wire a Face Part Detect into target, eyes, brows, nose, "
                "mouth or person"
            )
        loaded = Networks() if networks == OFF else networks_for_figures()
        triples = [_triple(result, others, i) for i in range(len(result))]
        figures = [score(triple, loaded) for triple in counted(triples, host_progress())]
        pictures = stacked([_drawn(triples[i], figures[i]) for i in shown(len(triples))])
        report = "\n".join(line for i, own in enumerate(figures) for line in _lines(own, i, len(figures)))
        numbers = [_mean(figures, [f"taken_{part}" for part in PARTS]), *(_mean(figures, [key]) for key in _SINGLE)]
        everything = json.dumps([{"figures": dict(own.values), "not_measured": dict(own.reasons)} for own in figures])
        return io.NodeOutput(pictures, report, *numbers, everything)


def _person_input(name: str, tooltip: str) -> Any:
    return FacePartsWire.Input(name, optional=True, tooltip=tooltip)


def _tip(key: str) -> str:
    question = QUESTIONS[key]
    return f"{question.title}: {question.meaning}. Compared with {question.needs}."


def _triple(result: FaceParts, others: dict[str, FaceParts], i: int) -> Triple:
    from ..metrics.score import Triple, single

    own = {name: single(parts, i) for name, parts in others.items()}
    target, person = own.pop("target", None), own.get(PERSON)
    return Triple(single(result, i), target, ({} if person is None else dict.fromkeys(PARTS, person)) | own)


def _drawn(triple: Triple, figures: Figures) -> torch.Tensor:
    from ..metrics.bars import draw_bars

    photographs = {"result": triple.result} | ({} if triple.target is None else {"target": triple.target})
    givers: dict[int, list[str]] = {}
    for name, parts in sorted(triple.references.items(), key=lambda pair: pair[0] != PERSON):
        givers.setdefault(id(parts), []).append(name)
    people = {id(parts): parts for parts in triple.references.values()}
    captions = {PERSON if PERSON in names else ", ".join(names): people[key] for key, names in givers.items()}
    drawn = Figures({key: value for key, value in figures.values.items() if key not in _NOT_SHOWN}, figures.reasons)
    return draw_bars(drawn, photographs | captions, _reasons(figures))


def _reasons(figures: Figures) -> list[str]:
    """What was not measured, one sentence for each reason."""
    titles: dict[str, list[str]] = {}
    for key, reason in figures.reasons.items():
        if key not in _NOT_TOLD:
            titles.setdefault(reason, []).append(QUESTIONS[key].title)
    return [f"not measured: {', '.join(own)}: {reason}" for reason, own in titles.items()]


def _lines(figures: Figures, i: int, count: int) -> list[str]:
    own = [f"{QUESTIONS[key].title}: {QUESTIONS[key].in_words(value)}" for key, value in figures.values.items()]
    lines = [*own, *_reasons(figures)]
    return [f"picture {i + 1}: {line}" for line in lines] if count > 1 else lines


def _mean(figures: list[Figures], keys: list[str]) -> float:
    means = [mean for own in figures if (mean := own.mean_of(keys)) is not None]
    return sum(means) / len(means) if means else math.nan
