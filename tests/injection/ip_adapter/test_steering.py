"""From faces to steerings: crops of parts, the regions that they steer, pictures of these, errors."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts, PartMissing, Region
from face_part_fusion.fusion.features.encoder import Encoder
from face_part_fusion.fusion.features.part_crops import encode_crops, part_squares
from face_part_fusion.injection.ip_adapter.part_tokens import PartTokens, part_tokens_only
from face_part_fusion.injection.ip_adapter.region_preview import draw_regions
from face_part_fusion.injection.ip_adapter.regions import region_masks, steer
from support.drawn_faces import drawn, person


def representation(**strengths: float) -> PartTokens:
    tokens = {part: torch.full((1, 3, 4), float(i)) for i, part in enumerate(strengths)}
    return PartTokens(tokens, torch.zeros(1, 3, 4), strengths, "a test")


def means() -> Encoder:
    """One token per quarter of a picture of 8 x 8 pixels, its mean colour, after a class token."""

    def run(pixels: torch.Tensor) -> torch.Tensor:
        cells = torch.nn.functional.avg_pool2d(pixels, 4).flatten(2).transpose(1, 2)
        return torch.cat([cells.mean(1, keepdim=True), cells], 1)

    return Encoder("means", 8, (2, 2), 1, 3, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), run)


def marked(roll: float, colour: tuple[float, float, float] = (1.0, 0.0, 0.0)) -> FaceParts:
    """A face with a disc of 16 pixels painted over the middle of its mouth."""
    face = drawn(roll=roll)
    parts = person(0, face)
    x0, y0, x1, y1 = face.box_of("mouth")
    rows, columns = torch.meshgrid(*(torch.arange(n) + 0.5 for n in parts.size), indexing="ij")
    away = ((columns - (x0 + x1) / 2) ** 2 + (rows - (y0 + y1) / 2) ** 2).sqrt()
    parts.pictures[0][away < 8] = torch.tensor(colour)
    return parts


@pytest.mark.parametrize("roll", [0.0, 0.4, -0.7])
def test_a_part_lies_in_the_middle_of_its_crop_at_the_asked_size(roll: float):
    parts = marked(roll)
    red = part_squares(parts, "mouth", 64, 0.5)[0] @ torch.tensor([1.0, -0.5, -0.5]) > 0.8
    rows, columns = torch.nonzero(red, as_tuple=True)
    assert abs(float(rows.float().mean()) - 31.5) < 3 and abs(float(columns.float().mean()) - 31.5) < 3
    x0, _, x1, _ = drawn().box_of("mouth")
    assert float(columns.max() - columns.min() + 1) == pytest.approx(16 * 32 / (x1 - x0), abs=3)


def test_a_turned_face_is_cropped_level():
    """The two eyes of a face that is turned lie on one line of the crop."""
    face = drawn(roll=0.5)
    parts = person(0, face)
    for name, colour in (("left_eye", [1.0, 0.0, 0.0]), ("right_eye", [0.0, 0.0, 1.0])):
        x0, y0, x1, y1 = (round(v) for v in face.box_of(name))
        parts.pictures[0, y0:y1, x0:x1] = torch.tensor(colour)
    for part in ("eyes", "face"):
        crop = part_squares(parts, part, 96, 0.25)[0]
        left = torch.nonzero(crop[..., 0] - crop[..., 2] > 0.7).float().mean(0)
        right = torch.nonzero(crop[..., 2] - crop[..., 0] > 0.7).float().mean(0)
        assert abs(float(left[0] - right[0])) < 3 and right[1] - left[1] > 15


def test_each_part_has_tokens_of_its_own_crop_and_the_empty_picture_is_zero():
    parts = marked(0.0)
    given = {"mouth": 1.0, "eyes": 0.0, "nose": 0.3}
    tokens, empty, crops = encode_crops(parts, means(), given, 0.0)
    assert set(tokens) == {"mouth", "nose"} and crops.shape == (2, 8, 8, 3)
    for i, part in enumerate(("mouth", "nose")):
        assert torch.allclose(tokens[part][0, 0], (crops[i].mean((0, 1)) - 0.5) / 0.25, atol=1e-4)
    assert torch.equal(empty, torch.zeros(1, 5, 3))


def test_a_batch_of_faces_keeps_its_order():
    parts = FaceParts(
        torch.cat([marked(0.0).pictures, marked(0.0, (0.0, 0.0, 1.0)).pictures]), ((drawn(),), (drawn(),)), (0, 0)
    )
    tokens, _, crops = encode_crops(parts, means(), {"mouth": 1.0, "face": 1.0}, 0.2)
    assert tokens["mouth"].shape == (2, 5, 3) and crops.shape == (4, 8, 8, 3)
    assert tokens["mouth"][0, 0, 0] > tokens["mouth"][1, 0, 0] and tokens["mouth"][0, 0, 2] < tokens["mouth"][1, 0, 2]


@pytest.mark.parametrize(
    ("strengths", "said"),
    [({"eyes": 0.0}, "would steer nothing"), ({}, "would steer nothing"), ({"chin": 1.0}, "'chin' is not a part"),
     ({"eyes": 3.0}, "goes from 0 to 2"), ({"hair": 1.0}, "this face has no 'hair'")],
)  # fmt: skip
def test_crops_that_cannot_be_are_refused(strengths: dict, said: str):
    with pytest.raises(ValueError, match=said):
        encode_crops(person(), means(), strengths, 0.2)


def test_a_reference_picture_without_a_face_is_refused():
    pair = person(count=2)
    with pytest.raises(ValueError, match="picture 2 of 2 has no chosen face"):
        encode_crops(FaceParts(pair.pictures, (pair.faces[0], ()), (0, None)), means(), {"face": 1.0}, 0.2)


def test_every_part_steers_its_own_region_with_its_own_strength():
    target = person()
    steerings = steer([representation(eyes=0.5, nose=1.0), representation(mouth=2.0)], target, strength=0.5)
    assert [s.name for s in steerings] == [
        "eyes of representation 1", "nose of representation 1", "mouth of representation 2"
    ]  # fmt: skip
    assert [s.strength for s in steerings] == [0.25, 0.5, 1.0]
    for one, part in zip(steerings, ("eyes", "nose", "mouth"), strict=True):
        assert torch.equal(one.mask, region_masks(target, part, 0, 0)) and one.mask.max() == 1
        x0, y0, x1, y1 = target.face(0).box_of(part)
        rows, columns = torch.nonzero(one.mask[0], as_tuple=True)
        assert x0 - 2 <= columns.min() and columns.max() <= x1 + 2 and y0 - 2 <= rows.min() and rows.max() <= y1 + 2


def test_regions_grow_by_shares_of_the_face_and_a_mask_cuts_them():
    target = person()
    small, large = (region_masks(target, "mouth", grow, 0.0).sum() for grow in (0.0, 0.2))
    assert large > 2 * small
    left = torch.zeros(1, *target.size)
    left[:, :, : target.size[1] // 2] = 1
    cut = steer([representation(face=1.0)], target, mask=left)[0].mask
    assert cut[left == 0].max() == 0 and cut.max() == 1
    assert torch.equal(steer([representation(face=1.0)], None, mask=left)[0].mask, left)
    assert steer([representation(face=1.0)], None)[0].mask.tolist() == [[[1.0]]]


def test_the_whole_face_is_its_oval_or_all_that_there_is():
    target = person()
    assert torch.equal(region_masks(target, "face", 0, 0), region_masks(target, "skin", 0, 0))
    only = Face((10, 10, 50, 50), 1.0, regions={"mouth": drawn().regions["mouth"]})
    assert torch.equal(region_masks(person(0, only), "face", 0, 0), region_masks(person(0, only), "mouth", 0, 0))


def test_a_target_picture_without_a_face_stays_in_the_batch():
    pair = person(count=2)
    target = FaceParts(pair.pictures, (pair.faces[0], ()), (0, None))
    mask = steer([representation(mouth=1.0)], target)[0].mask
    assert len(mask) == 2 and mask[0].max() == 1 and mask[1].max() == 0


def test_what_cannot_steer_is_refused():
    target, face = person(), representation(mouth=1.0)
    with pytest.raises(ValueError, match="nothing steers: wire at least one"):
        steer([], target)
    with pytest.raises(ValueError, match="representation 2 has no tokens of face parts"):
        part_tokens_only(object(), "representation 2")
    with pytest.raises(PartMissing, match="target: this face has no 'hair'"):
        steer([representation(hair=1.0)], target)
    with pytest.raises(ValueError, match="the region of 'mouth' in target is empty; raise grow"):
        steer([face], target, grow=-0.5)
    with pytest.raises(ValueError, match="target has no chosen face"):
        steer([face], FaceParts(target.pictures, ((),), (None,)))
    painted = Face((10, 10, 50, 50), 1.0, regions={"mouth": Region(mask=torch.zeros(5, 5))})
    with pytest.raises(ValueError, match="the region of 'mouth' in target is empty"):
        steer([face], person(0, painted))


def test_the_picture_shows_each_region_in_a_colour_of_its_own():
    target = person(count=2)
    steerings = steer([representation(eyes=1.0, mouth=1.0)], target)
    drawn_regions = draw_regions([(s.mask, s.strength) for s in steerings], target)
    assert drawn_regions.shape == target.pictures.shape and 0 <= drawn_regions.min() and drawn_regions.max() <= 1
    saturation = drawn_regions.amax(-1) - drawn_regions.amin(-1)
    inside = torch.stack([s.mask for s in steerings]).amax(0)
    assert saturation[inside == 0].max() < 1e-6 and saturation[inside == 1].min() > 0.2
    first, second = (drawn_regions[s.mask == 1].mean(0) for s in steerings)
    assert (first - second).abs().max() > 0.3
    assert draw_regions([(torch.ones(1, 1, 1), 1.0)], None).shape == (1, 512, 512, 3)
    assert draw_regions([(torch.ones(1, 1, 1), 1.0), (torch.ones(3, 20, 30), 0.0)], None).shape == (3, 20, 30, 3)
