"""People are parsed by the built-in parser where, and only where, an assembly needs what landmarks never give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.find import find_faces
from face_part_fusion.detectors.parser_builtin import BuiltinParser
from face_part_fusion.detectors.parts import FaceParts, Region
from face_part_fusion.fusion.regions.assemble import assemble
from face_part_fusion.fusion.regions.parsed import lacking_regions, parsed_people, regions_looked_up
from face_part_fusion.fusion.regions.plan import make_plan


@pytest.fixture(scope="module")
def portrait() -> FaceParts:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    picture = torch.from_numpy(data.astronaut()[:256, 100:356].astype(np.float32) / 255)[None]
    return FaceParts(picture, find_faces(picture, BuiltinDetector()), (0,))


class Counted:
    """Gives the parser and counts how often it is asked for."""

    def __init__(self) -> None:
        self.asked, self.parser = 0, BuiltinParser()

    def __call__(self) -> BuiltinParser:
        self.asked += 1
        return self.parser


@pytest.fixture(scope="module")
def parser() -> Counted:
    return Counted()


def with_parts(parts: FaceParts, *names: str) -> FaceParts:
    """Hair, ears and so on as somebody painted them: one pixel wide, so that nobody takes them for the parser's."""
    face = parts.faces[0][0]
    painted = {name: Region(mask=torch.ones(1, 1), corner=(3, 3)) for name in names}
    return replace(parts, faces=((replace(face, regions={**face.regions, **painted}),),))


@pytest.mark.parametrize(("task", "overrides", "of_target", "of_source"), [
    ("face swap", {}, ["ears", "hair"], ["ears", "hair"]),
    ("head swap", {}, ["head", "ears", "hair"], ["head", "ears", "hair"]),
    ("attribute edit", {"lips": "source"}, ["ears", "hair"], ["ears", "hair"]),
    ("attribute edit", {"background": "anew"}, ["ears", "hair", "background"], []),
    ("reenact", {}, [], []),
    ("inpaint", {}, [], []),
])  # fmt: skip
def test_a_plan_says_what_each_person_lacks(portrait, task, overrides, of_target, of_source) -> None:
    plan, face = make_plan(task, True, overrides, None, "grey"), portrait.faces[0][0]
    for giver, lacking in (("target", of_target), ("source", of_source), ("source 2", [])):
        assert lacking_regions(face, regions_looked_up(plan, giver)) == lacking


def test_a_controller_that_encodes_every_region_needs_the_background_too(portrait: FaceParts) -> None:
    plan, face = make_plan("reenact", True, None, None, "grey"), portrait.faces[0][0]
    assert lacking_regions(face, regions_looked_up(plan, "source", True)) == ["ears", "hair", "background"]
    assert lacking_regions(face, regions_looked_up(plan, "target", True)) == []


def test_a_head_swap_of_faces_that_nobody_parsed(portrait: FaceParts, parser: Counted) -> None:
    plan, before = make_plan("head swap", True, None, None, "grey"), parser.asked
    people = parsed_people(plan, {"target": portrait, "source": portrait, "source 2": portrait}, parser)
    assert parser.asked == before + 2 and people["source 2"] is portrait
    assert {"head", "hair", "ears"} <= set(people["target"].face(0).regions) and "neck" not in people["target"].face(
        0
    ).regions
    made = assemble("head swap", people["target"], people["source"])
    face = assemble("face swap", people["target"], people["source"])
    assert made.mask.mean() > face.mask.mean() > 0.02 and "not protected" not in face.report()


def test_what_is_known_is_kept_and_nothing_is_parsed_for_it(portrait: FaceParts, parser: Counted) -> None:
    plan, before = make_plan("head swap", True, None, None, "grey"), parser.asked
    whole = with_parts(portrait, "hair", "ears")
    assert parsed_people(plan, {"target": whole, "source": whole}, parser)["target"] is whole and parser.asked == before
    bald = with_parts(portrait, "hair")
    made = parsed_people(plan, {"target": bald}, parser)["target"].face(0)
    assert made.regions["hair"] is bald.face(0).regions["hair"] and made.has("ears") and not made.has("head")


def test_the_report_says_what_covers_a_part_that_is_given(portrait: FaceParts, parser: Counted) -> None:
    picture, (x0, y0, x1, y1) = portrait.pictures.clone(), map(int, portrait.faces[0][0].box_of("mouth"))
    picture[0, y0 - 12 : y1 + 50, x0 - 25 : x1 + 25] = torch.tensor([0.1, 0.35, 0.8])
    source, plan = replace(portrait, pictures=picture), make_plan("face swap", True, None, None, "grey")
    people = parsed_people(plan, {"target": portrait, "source": source}, parser)
    report = assemble("face swap", people["target"], people["source"]).report()
    assert "the source's mouth is" in report and "covered by something in front" in report
    assert "covered" not in assemble("face swap", people["source"], people["target"]).report()


def test_pictures_without_a_face_keep_their_place_and_progress_is_told(portrait: FaceParts, parser: Counted) -> None:
    three = FaceParts(portrait.pictures.expand(3, -1, -1, -1), (portrait.faces[0], (), portrait.faces[0]), (0, None, 0))
    done: list[float] = []
    plan = make_plan("face swap", True, None, None, "grey")
    people = parsed_people(
        plan, {"target": three, "source": portrait}, parser, progress=lambda i, n: done.append(i / n)
    )
    assert len(people["target"]) == 3 and people["target"].face(1) is None and people["target"].face(2).has("hair")
    assert done == sorted(done) and done[-1] == 1
