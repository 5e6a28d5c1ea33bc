"""Which side of a part is taken: the reference's own, or the mirror image of the other."""

from dataclasses import replace

import pytest
import torch
from face_part_fusion.fusion.canvas import Canvas, Source, Style
from face_part_fusion.fusion.cover import Cover
from face_part_fusion.fusion.outline import outlines
from face_part_fusion.fusion.placement import place_part
from face_part_fusion.fusion.side import looks_aside, placement_of, sides_of
from support.drawn_faces import fuse, gives, portrait
from support.mesh_head import mesh_head, shown, turned

MIRRORED = "the nearer side's mirror image was taken for the farther"


def foreshortening(target, reference, eye):
    return place_part("eyes", target, reference, False).foreshortening(outlines(target, eye)[0])


def test_two_heads_that_look_the_same_way_are_not_foreshortened():
    assert foreshortening(mesh_head(12), mesh_head(12), "left_eye") == pytest.approx(1, abs=0.03)


def test_the_far_eye_of_a_turned_reference_is_foreshortened_and_the_near_one_hardly():
    far, near = (foreshortening(mesh_head(0), mesh_head(44), eye) for eye in ("right_eye", "left_eye"))
    assert far < 0.6 * near and near > 0.6


def test_it_does_not_depend_on_the_size_of_either_picture():
    small = foreshortening(mesh_head(0), mesh_head(40, unit=30), "right_eye")
    assert small == pytest.approx(foreshortening(mesh_head(0), mesh_head(40), "right_eye"), abs=0.02)


def test_an_eye_seen_from_its_edge_comes_from_the_mirror_image_and_the_report_says_so():
    ((line,),) = fuse(turned(0), [gives(turned(46, 5), "eyes")]).report
    assert MIRRORED in line
    ((line,),) = fuse(turned(0), [gives(turned(22, 5), "eyes")]).report
    assert MIRRORED not in line


def test_both_eyes_then_show_the_near_one():
    giver = turned(46, 5)
    giver.pictures[:, :, : int(mesh_head(46).landmarks[168, 0])] = torch.tensor([0.2, 0.9, 0.2])
    pictures, changed, _ = fuse(turned(0), [gives(giver, "eyes")], tone=0.0, light=0.0)
    green = pictures[0, ..., 1] - pictures[0, ..., 0]
    left, right = (green[:, half][changed[0][:, half] == 1] for half in (slice(0, 200), slice(200, 400)))
    assert left.mean() > 0.3 and right.mean() > 0.3


def test_a_painted_eye_is_never_mirrored():
    face = mesh_head(46)
    painted = replace(face.regions["right_eye"], mask=torch.ones(30, 30), corner=(200, 200), rings=())
    ((line,),) = fuse(turned(0), [gives(turned(46, regions={**shown(face), "right_eye": painted}), "eyes")]).report
    assert MIRRORED not in line


@pytest.mark.parametrize(("share", "aside"), [(0.0, False), (0.1, False), (0.2, True), (-0.2, True)])
def test_a_gaze_that_goes_aside_is_noticed(share, aside):
    face = mesh_head(0)
    outer, inner = face.landmarks[33], face.landmarks[133]
    iris = (outer + inner) / 2 + share * (inner - outer)
    gazing = replace(face, scheme="mediapipe478", landmarks=torch.cat([face.landmarks, iris.expand(10, 2)]))
    assert looks_aside(gazing, "left_eye") == aside


def test_without_irises_nothing_is_said_of_the_gaze():
    assert not looks_aside(mesh_head(0), "left_eye")


def test_an_eye_behind_a_lens_reaches_half_as_far_as_a_bare_one():
    none = torch.zeros(400, 400)

    def reach(spectacles):
        cover = Cover(torch.eye(2, 3, dtype=torch.float64), lambda classes: none, lambda: none, spectacles)
        source = Source(portrait(5, (400, 400)), mesh_head(0), cover=cover)
        canvas = Canvas(portrait(0, (400, 400)), torch.zeros(400, 400), None)
        placement = placement_of("left_eye", mesh_head(0), source, Style())
        (side,) = sides_of("left_eye", canvas, mesh_head(0), source, placement, Style())
        return side.grow

    assert reach(True) == 0.5 * reach(False) == 0.5
