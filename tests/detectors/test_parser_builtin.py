"""The built-in parser on the astronaut, who wears no spectacles and whose hair lies above her face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.find import find_faces
from face_part_fusion.detectors.parser_builtin import BuiltinParser, Parse
from face_part_fusion.detectors.parser_net import CLASSES
from face_part_fusion.detectors.parser_regions import (
    cover_report,
    covered,
    parse_with_builtin,
    parsed_where_missing,
    regions_of,
)
from face_part_fusion.detectors.parts import Face, FaceParts, Region
from face_part_fusion.fusion.masks import part_mask


@pytest.fixture(scope="module")
def parser() -> BuiltinParser:
    return BuiltinParser()


@pytest.fixture(scope="module")
def portrait() -> FaceParts:
    data = pytest.importorskip("skimage.data", reason="scikit-image ships the photograph; pip install '.[test]'")
    picture = torch.from_numpy(data.astronaut().astype(np.float32) / 255)[None]
    faces = find_faces(picture, BuiltinDetector())
    return FaceParts(picture, faces, (0,))


@pytest.fixture(scope="module")
def parse(parser: BuiltinParser, portrait: FaceParts) -> Parse:
    return parser(portrait.pictures[0], portrait.faces[0][0])


def test_probabilities_have_the_pictures_size_and_add_up_to_one(parse: Parse) -> None:
    every = torch.stack([parse.of(name) for name in CLASSES])
    assert every.shape == (len(CLASSES), 512, 512) and every.min() >= 0 and every.max() <= 1
    assert (every.sum(0) - 1).abs().max() < 1e-3
    both = parse.of("hair", "face")
    assert (both - parse.of("hair") - parse.of("face")).abs().max() < 1e-4


def test_a_rectangle_of_cells_holds_what_the_whole_picture_holds(parse: Parse) -> None:
    for classes in (("hair",), ("face", "ears"), ("neck",), ("body",)):
        cells = parse.cells_of(*classes)
        rows, columns = parse.pixels_of(cells)
        x, y = parse.corner
        whole = parse.of(*classes)
        part = parse.within(cells, *classes)
        inside = whole[y + rows.start : y + rows.stop, x + columns.start : x + columns.stop]
        assert part.shape == inside.shape and (part - inside).abs().max() < 0.03
        assert (whole.sum() - inside.sum()) < 0.002 * whole.numel() and (inside > 0.5).sum() == (whole > 0.5).sum()
    assert parse.cells_of("lens") is None


def test_a_portrait_is_parsed(parse: Parse, portrait: FaceParts) -> None:
    x0, y0, x1, y1 = portrait.faces[0][0].box
    middle = int((x0 + x1) / 2)
    assert parse.of("face")[int((y0 + y1) / 2), middle] > 0.9
    assert parse.of("hair")[int(y0 - 0.15 * (y1 - y0)), middle] > 0.9
    assert parse.of("background")[5:40, 150:170].mean() > 0.9
    assert parse.of("body")[int(y1) :].sum() > 0.3 * (x1 - x0) * (y1 - y0) and not parse.spectacles
    assert parse.of("frame", "lens").max() == 0


def test_a_picture_that_is_turned_gives_the_turned_parse(parser: BuiltinParser, portrait: FaceParts) -> None:
    picture = portrait.pictures[0].rot90(1, (0, 1)).contiguous()
    ((face, *_),) = find_faces(picture[None], BuiltinDetector())
    turned = parser(picture, face).of("hair").rot90(-1)
    assert (turned - parser(portrait.pictures[0], portrait.faces[0][0]).of("hair")).abs().mean() < 0.02


def test_many_faces_at_once_are_parsed_like_each_alone(parser: BuiltinParser, portrait: FaceParts) -> None:
    picture, face = portrait.pictures[0], portrait.faces[0][0]
    first, second = parser.many([picture, picture.flip(1)], [face, Face(face.box, 1.0)])
    assert torch.allclose(first.coarse, parser(picture, face).coarse, atol=1e-4)
    assert second.coarse.shape[0] == len(CLASSES)


def test_the_larger_picture_gives_the_same_areas(parser: BuiltinParser, portrait: FaceParts, parse: Parse) -> None:
    large = torch.nn.functional.interpolate(portrait.pictures.permute(0, 3, 1, 2), scale_factor=3, mode="bicubic")
    face = portrait.faces[0][0]
    larger = Face(tuple(3 * v for v in face.box), 1.0, 3 * face.landmarks, face.scheme)
    hair = parser(large[0].permute(1, 2, 0).clamp(0, 1).contiguous(), larger).of("hair")
    assert hair.shape == (1536, 1536)
    small = torch.nn.functional.avg_pool2d(hair[None], 3)[0]
    assert (small - parse.of("hair")).abs().mean() < 0.02


def test_spectacles_that_are_drawn_are_seen(parser: BuiltinParser, portrait: FaceParts) -> None:
    from PIL import Image, ImageDraw

    face = portrait.faces[0][0]
    image = Image.fromarray((portrait.pictures[0] * 255).byte().numpy())
    pen = ImageDraw.Draw(image)
    eyes = [face.landmarks[list(points)].mean(0) for points in ((33, 133), (362, 263))]
    unit = float((eyes[1] - eyes[0]).norm())
    for x, y in (eye.tolist() for eye in eyes):
        pen.ellipse((x - 0.4 * unit, y - 0.3 * unit, x + 0.4 * unit, y + 0.34 * unit), outline=(20, 20, 20), width=3)
    (x0, y0), (x1, y1) = (eye.tolist() for eye in eyes)
    pen.line((x0 + 0.4 * unit, y0, x1 - 0.4 * unit, y1), fill=(20, 20, 20), width=3)
    worn = parser(torch.from_numpy(np.array(image)).float() / 255, face)
    assert worn.spectacles
    lens = worn.of("lens", "frame")
    assert all(lens[int(y), int(x)] > 0.5 for x, y in (eye.tolist() for eye in eyes))
    regions = regions_of(worn)
    assert regions["glasses"].has_area() and regions["skin"].mask is not None


def test_what_covers_a_part_is_measured(parser: BuiltinParser, portrait: FaceParts) -> None:
    face = portrait.faces[0][0]
    assert max((sum(c.values()) for c in covered(parser(portrait.pictures[0], face), face).values()), default=0) < 0.15
    picture = portrait.pictures.clone()
    x0, y0, x1, y1 = (int(v) for v in face.box_of("mouth"))
    picture[0, y0 - 12 : y1 + 50, x0 - 25 : x1 + 25] = torch.tensor([0.1, 0.35, 0.8])
    hidden = parse_with_builtin(FaceParts(picture, portrait.faces, (0,)), parser)
    assert hidden.face(0).occluded("mouth") > 0.5 > hidden.face(0).occluded("eyes")
    assert "the mouth is" in cover_report(hidden) and "covered by something in front" in cover_report(hidden)
    assert portrait.face(0).occluded("mouth") is None
    both = FaceParts(torch.cat([hidden.pictures, picture]), (hidden.faces[0], hidden.faces[0]), (0, 0))
    free = parse_with_builtin(FaceParts(portrait.pictures, portrait.faces, (0,)), parser)
    pair = replace(both, faces=(hidden.faces[0], free.faces[0]))
    lines = cover_report(pair).splitlines()
    assert lines[0].startswith("picture 1: the ") and "the mouth is covered least in picture 2: 0 %" in lines
    assert not any("eyes" in line for line in lines) and cover_report(free) == ""


def test_landmarks_keep_their_parts_unless_all_are_replaced(parser: BuiltinParser, portrait: FaceParts) -> None:
    own, missing = portrait.face(0), parse_with_builtin(portrait, parser).face(0)
    assert missing.regions["skin"] is own.regions["skin"]
    assert {"hair", "ears", "neck", "head", "body", "glasses", "background"} <= set(missing.regions)
    assert not missing.shows("glasses") and missing.has("glasses")
    every = parse_with_builtin(portrait, parser, replaced="all").face(0)
    assert every.regions["skin"].mask is not None and every.regions["left_eye"] is own.regions["left_eye"]
    head, hair = (part_mask(missing, (part,), portrait.size) for part in ("head", "hair"))
    assert (head - hair).min() > -0.05


def test_no_picture_is_lost_and_progress_is_told(parser: BuiltinParser, portrait: FaceParts) -> None:
    three = FaceParts(portrait.pictures.expand(3, -1, -1, -1), (portrait.faces[0], (), portrait.faces[0]), (0, None, 0))
    done: list[tuple[int, int]] = []
    parsed = parse_with_builtin(three, parser, progress=lambda i, n: done.append((i, n)))
    assert len(parsed) == 3 and parsed.faces[1] == () and parsed.face(2).has("hair") and done[-1][0] == done[-1][1]


def test_faces_are_parsed_only_where_a_part_is_missing(parser: BuiltinParser, portrait: FaceParts) -> None:
    calls: list[int] = []

    def give() -> BuiltinParser:
        calls.append(1)
        return parser

    assert parsed_where_missing(portrait, ("left_eye", "nose"), give) is portrait and not calls
    parsed = parsed_where_missing(portrait, ("hair", "nose"), give)
    assert set(parsed.face(0).regions) - set(portrait.face(0).regions) == {"hair"} and calls == [1]
    assert parsed.face(0).occluded("eyes") is not None
    assert parsed_where_missing(parsed, ("hair", "nose"), give) is parsed and calls == [1]


def test_all_faces_of_a_picture_are_parsed_when_everyone_counts(parser: BuiltinParser, portrait: FaceParts) -> None:
    two = FaceParts(portrait.pictures, (portrait.faces[0] * 2,), (1,))
    chosen = parsed_where_missing(two, ("hair",), lambda: parser)
    assert [face.has("hair") for face in chosen.faces[0]] == [False, True]
    everyone = parsed_where_missing(chosen, ("hair",), lambda: parser, everyone=True)
    assert everyone.faces[0][0].has("hair") and everyone.faces[0][1] is chosen.faces[0][1]


def test_settings_that_do_not_exist_are_refused(parser: BuiltinParser, portrait: FaceParts) -> None:
    with pytest.raises(ValueError, match="replace is 'some'"):
        parse_with_builtin(portrait, parser, replaced="some")
    with pytest.raises(ValueError, match="padding is 9"):
        parse_with_builtin(portrait, parser, padding=9)


def test_a_face_at_the_edge_and_one_without_landmarks_are_parsed(parser: BuiltinParser, portrait: FaceParts) -> None:
    face = portrait.faces[0][0]
    x0, y0, x1, y1 = face.box
    cut = portrait.pictures[0, int(y0) :, int((x0 + x1) / 2) :]
    moved = Face((x0 - int((x0 + x1) / 2), 0.0, x1 - int((x0 + x1) / 2), y1 - int(y0)), 1.0)
    assert parser(cut, moved).of("face").shape == cut.shape[:2]
    empty = Face(face.box, 1.0, regions={"nose": Region(mask=torch.ones(2, 2))})
    assert covered(parser(portrait.pictures[0], empty), empty) == {}
