"""The pictures that the encoder gets, how often it runs, and the features made of its tokens."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from face_part_fusion.command.demo import astronaut
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.conventions import fuse_any_part_boxes
from face_part_fusion.detectors.find import find_faces
from face_part_fusion.detectors.parts import GROUPS, FaceParts, PartMissing, Region
from face_part_fusion.detectors.preview import REFERENCE_COLOURS
from face_part_fusion.detectors.selection import choose
from face_part_fusion.fusion.area import COMPOSITE_PARTS
from face_part_fusion.fusion.crop import crop_faces
from face_part_fusion.fusion.features import encoder as encoders
from face_part_fusion.fusion.features.encode import Framing, encode_reference, encode_target
from face_part_fusion.fusion.features.encoder import Encoder, tokens_of
from face_part_fusion.fusion.features.fuse import fuse_features
from face_part_fusion.fusion.features.origin import draw_origin
from face_part_fusion.fusion.features.painted import read_colour, skin_colour
from face_part_fusion.fusion.features.part_pictures import with_sides
from face_part_fusion.fusion.features.pixel_values import published_pixels
from face_part_fusion.fusion.masks import part_mask
from PIL import Image
from support.drawn_faces import drawn

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
THREE = {"eyes": 1.0, "nose": 1.0, "mouth": 1.0}
PRACTICAL, RELEASED = Framing("practical"), Framing("released")


class Averages:
    """An encoder whose token of a cell is the mean colour of its pixels; the class token is the picture's mean."""

    def __init__(self, size=224, side=16):
        self.size, self.side, self.pictures, self.calls = size, side, 0, 0

    def __call__(self, pixels):
        self.calls, self.pictures = self.calls + 1, self.pictures + len(pixels)
        patch = self.size // self.side
        cells = torch.nn.functional.avg_pool2d(pixels, patch).flatten(2).transpose(1, 2)
        return torch.cat([cells.mean(1, keepdim=True), cells], 1)


def encoder(size=224, side=16):
    run = Averages(size, side)
    return Encoder(f"averages at {size}", size, (side, side), 1, 3, MEAN, STD, run, model=run)


@pytest.fixture(scope="module")
def person():
    pytest.importorskip("skimage", reason="scikit-image ships the photograph")
    picture = astronaut()
    return choose(picture, find_faces(picture, BuiltinDetector()))


def several(parts, count):
    return FaceParts(parts.pictures.repeat(count, 1, 1, 1), parts.faces * count, parts.chosen * count)


@pytest.mark.parametrize("side", [224, 336])
@pytest.mark.parametrize("size", [(512, 512), (100, 300), (640, 427)])
def test_released_preprocessing_is_that_of_clip_image_processor(side, size):
    transformers = pytest.importorskip("transformers")
    kind = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
    pixels = torch.randint(0, 256, (*size, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    published = Image.fromarray(pixels.numpy()).resize((256, 256))
    processor = kind(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    theirs = torch.as_tensor(np.asarray(processor(published)["pixel_values"][0]))
    ours = published_pixels(pixels[None].float() / 255, encoder(side))[0]
    assert ours.dtype == torch.float32 and float((ours - theirs).abs().max()) <= 1e-6


def test_released_part_pictures_are_the_photograph_in_the_box_and_black_outside(person):
    features, shown = encode_reference(person, encoder(), THREE, RELEASED)
    boxes = fuse_any_part_boxes(person.face(0), person.size)
    for picture, (part, (y0, x0, y1, x1)) in zip(shown, boxes.items(), strict=True):
        assert torch.allclose(features.boxes[part][0], torch.tensor([y0, x0, y1, x1]))
        rows, columns = (torch.arange(224) + 0.5) / 224, (torch.arange(224) + 0.5) / 224
        inside = ((rows > y0) & (rows < y1))[:, None] & ((columns > x0) & (columns < x1))
        away = ((rows < y0 - 0.02) | (rows > y1 + 0.02))[:, None] | ((columns < x0 - 0.02) | (columns > x1 + 0.02))
        assert picture[away].max() < 1e-3 and picture[inside].mean() > 0.2
    assert list(features.tokens) == list(THREE) and features.strengths == THREE


def test_released_boxes_may_be_close_around_each_part(person):
    loose, _ = encode_reference(person, encoder(), THREE, Framing("released", stacked=False))
    y0, _, y1, _ = loose.boxes["eyes"][0].tolist()
    x0, top, x1, bottom = person.face(0).box_of("eyes")
    assert (y0, y1) == pytest.approx((top / 512, bottom / 512)) and x0 < x1


@pytest.mark.parametrize("framing", [PRACTICAL, RELEASED], ids=lambda f: f.mode)
def test_a_target_is_painted_out_where_its_parts_are_and_unchanged_elsewhere(person, framing):
    features, shown = encode_target(person, encoder(), THREE, framing)
    target = features.target
    mask = target.mask
    assert torch.equal(target.painted[mask == 0], person.pictures[mask == 0])
    colour = skin_colour(person.pictures[0], mask[0], person.face(0))
    assert torch.allclose(target.painted[mask == 1], colour.expand(int((mask == 1).sum()), 3))
    assert (part_mask(person.face(0), list(THREE), person.size)[None][mask < 0.5]).sum() < 60
    assert colour[0] > colour[1] > colour[2] > 0.4
    assert features.tokens.shape == (1, 257, 3) and shown.shape == (1, 224, 224, 3)
    assert torch.equal(target.picture, person.pictures)


def test_a_given_colour_is_painted_instead(person):
    features, _ = encode_target(person, encoder(), THREE, RELEASED, read_colour("#f5dfd1"))
    hidden = features.target.painted[features.target.mask == 1] * 255
    assert torch.allclose(hidden, torch.tensor([245.0, 223, 209]).expand_as(hidden))
    assert read_colour("auto") is None
    with pytest.raises(ValueError, match="fill is 'skin'.*#f5dfd1"):
        read_colour("skin")


def test_only_the_parts_that_are_asked_for_are_painted_out(person):
    features, _ = encode_target(person, encoder(), {"left_eye": 1.0, "nose": 0.0}, PRACTICAL)
    assert set(features.boxes) == set(features.masks) == set(features.target.boxes) == {"left_eye"}
    right = part_mask(person.face(0), ["right_eye", "mouth"], person.size)[None] > 0
    assert features.target.mask[right].max() == 0
    assert with_sides(["eyes"]) == ["eyes", "left_eye", "right_eye"] == with_sides(["left_eye", "right_eye"])


def test_the_practical_view_is_an_unrotated_square_around_the_face(person):
    features, shown = encode_target(person, encoder(), THREE, Framing("practical", padding=0.2))
    y0, x0, y1, x1 = (features.target.view[0] * 512).tolist()
    assert y1 - y0 == pytest.approx(x1 - x0, abs=1e-3)
    x, y, right, bottom = person.face(0).box
    assert y0 < y and x0 < x and y1 > bottom and x1 > right
    cut = features.target.painted[0, round(y0) : round(y1), round(x0) : round(x1)].permute(2, 0, 1)[None]
    again = torch.nn.functional.interpolate(cut, (224, 224), mode="bilinear", antialias=True)[0].permute(1, 2, 0)
    assert (again - shown[0]).abs().mean() < 0.02
    inside = features.points[0] * torch.tensor([x1 - x0, y1 - y0]) + torch.tensor([x0, y0])
    assert torch.allclose(inside, person.face(0).landmarks, atol=0.01)


def test_a_view_may_overhang_the_picture(person):
    close = FaceParts(person.pictures[:, 60:220, 160:300], *_shifted(person, 160, 60))
    view = encode_target(close, encoder(), THREE, Framing("practical", padding=0.5))[0].target.view[0]
    assert view.min() < 0 and view.max() > 1


def test_a_practical_part_picture_keeps_the_part_and_nothing_far_from_it(person):
    features, shown = encode_reference(person, encoder(), dict.fromkeys(COMPOSITE_PARTS, 1.0), PRACTICAL)
    assert len(shown) == len(COMPOSITE_PARTS) == len(features.tokens)
    for part, picture in zip(COMPOSITE_PARTS, shown, strict=True):
        mask = features.masks[part][0]
        assert picture[mask == 0].max() < 1e-6 and picture[mask == 1].mean() > 0.15
        y0, x0, y1, x1 = features.boxes[part][0].tolist()
        rows, columns = torch.nonzero(mask > 0.5, as_tuple=True)
        assert rows.min() / 224 - y0 < 0.06 and columns.max() / 224 - x1 < 0.12 and 0 < y0 < y1 < 1
    eyes, both = features.masks["eyes"], torch.maximum(features.masks["left_eye"], features.masks["right_eye"])
    assert torch.equal(eyes, both)
    outline = part_mask(crop_faces(person, 224, "upright", 0.1)[1].face(0), ["eyes"], (224, 224))
    assert features.masks["nose"][0][outline == 1].max() == 0


def test_all_pictures_of_a_call_go_through_the_encoder_together_and_equal_ones_once(person):
    three = several(person, 3)
    for framing in (PRACTICAL, RELEASED):
        vision = encoder()
        features, shown = encode_reference(three, vision, THREE, framing)
        # Three part pictures, equal in all three pictures, and the zero picture.
        assert (vision.model.calls, vision.model.pictures) == (1, 4)
        assert len(shown) == 9 and all(t.shape == (3, 257, 3) for t in features.tokens.values())
        encode_target(person, vision, THREE, framing)
        assert (vision.model.calls, vision.model.pictures) == (2, 5)
        again, _ = encode_reference(person, vision, {"nose": 0.3}, framing)
        assert vision.model.calls == 2 and torch.equal(again.tokens["nose"][0], features.tokens["nose"][2])


def test_shown_pictures_come_picture_by_picture(person):
    two = replace(several(person, 2), pictures=torch.cat([person.pictures, 1 - person.pictures]))
    shown = encode_reference(two, encoder(), THREE, RELEASED)[1]
    for i in range(2):
        alone = FaceParts(two.pictures[i : i + 1], two.faces[:1], two.chosen[:1])
        assert torch.equal(shown[3 * i : 3 * i + 3], encode_reference(alone, encoder(), THREE, RELEASED)[1])


def test_unconditioned_is_what_the_encoder_gives_for_pixel_values_of_zero(person):
    features, _ = encode_reference(person, encoder(), THREE, RELEASED)
    assert features.unconditioned.shape == (1, 257, 3) and features.unconditioned.abs().max() == 0
    assert encode_target(person, encoder(), THREE, PRACTICAL)[0].unconditioned.abs().max() == 0


def test_remembered_tokens_are_bounded_and_go_with_their_model(monkeypatch):
    monkeypatch.setattr(encoders, "_CACHE_BYTES", 5 * 257 * 3 * 4)
    vision = encoder()
    pixels = torch.rand(12, 3, 224, 224)
    first = tokens_of(vision, pixels)
    assert len(encoders._CACHES[vision.model]) == 5
    assert torch.equal(tokens_of(vision, pixels[-5:]), first[-5:]) and vision.model.pictures == 12
    assert torch.equal(tokens_of(vision, pixels[:1]), first[:1]) and vision.model.pictures == 13
    before = len(encoders._CACHES)
    del vision
    gc.collect()
    assert len(encoders._CACHES) == before - 1


def test_many_pictures_go_through_the_encoder_in_bounded_batches():
    vision = encoder(28, 2)
    calls = []
    tokens = tokens_of(vision, torch.rand(130, 3, 28, 28), progress=lambda *done: calls.append(done))
    assert tokens.shape == (130, 5, 3) and vision.model.calls == 3
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_an_encoder_that_gives_other_tokens_than_it_says_is_refused():
    wrong = replace(encoder(), width=4)
    with pytest.raises(ValueError, match=r"averages at 224 gave tokens of shape \(1, 257, 3\), needed is \(1, 2"):
        tokens_of(wrong, torch.zeros(1, 3, 224, 224))


def test_a_side_that_is_no_multiple_of_the_cell_leaves_an_unseen_rim(person):
    siglip = encoder(384, 27)
    assert siglip.covered_side == 378
    features, shown = encode_reference(person, siglip, THREE, PRACTICAL)
    assert shown.shape[1:] == (384, 384, 3) and features.masks["nose"].shape == (1, 378, 378)
    target, _ = encode_target(person, siglip, THREE, PRACTICAL)
    assert fuse_features(target, [features]).tokens.shape == (1, 730, 3)


@pytest.mark.parametrize("framing", [PRACTICAL, RELEASED], ids=lambda f: f.mode)
def test_the_persons_own_parts_put_back_restore_the_colours_of_the_face(person, framing):
    vision = encoder()
    target, _ = encode_target(person, vision, THREE, framing)
    itself, _ = encode_reference(person, vision, THREE, framing)
    whole = encode_target(person, vision, {"left_brow": 1.0} if framing is PRACTICAL else THREE, framing)[0]
    fused = fuse_features(target, [itself])
    assert (fused.origin == 1).sum() >= 3 and set(fused.parts) == set(THREE)
    if framing is PRACTICAL:
        core = torch.stack(list(fused.parts.values())).amax(0).flatten(1) > 0.95
        plain = whole.tokens[:, 1:][core]
        assert core.sum() > 5
        assert (fused.patches[core] - plain).abs().mean() < (target.tokens[:, 1:][core] - plain).abs().mean()


def test_the_picture_of_origins_colours_each_cell_by_its_reference(person):
    vision = encoder()
    target, _ = encode_target(several(person, 2), vision, THREE, PRACTICAL)
    people = [encode_reference(person, vision, {part: 1.0}, PRACTICAL)[0] for part in THREE]
    fused = fuse_features(target, people)
    picture = draw_origin(fused)
    assert picture.shape == (2, 768, 768, 3) and picture.min() >= 0 and picture.max() <= 1
    cells = picture[0].view(16, 48, 16, 48, 3)[:, 3:-3, :, 3:-3].mean((1, 3))
    for number in (1, 2, 3):
        theirs = cells[fused.origin[0] == number].mean(0)
        colour = torch.tensor(REFERENCE_COLOURS[number - 1]) / 255
        others = [torch.tensor(c) / 255 for k, c in enumerate(REFERENCE_COLOURS[:3], 1) if k != number]
        likeness = torch.nn.functional.cosine_similarity
        assert all(likeness(theirs, colour, 0) > likeness(theirs, other, 0) for other in others)


def test_what_cannot_be_encoded_is_an_error(person):
    vision, nobody = encoder(), FaceParts(person.pictures, ((),), (None,))
    for encode_one in (encode_reference, encode_target):
        with pytest.raises(ValueError, match="every part has the strength 0"):
            encode_one(person, vision, {"eyes": 0.0}, PRACTICAL)
        for framing in (PRACTICAL, RELEASED):
            with pytest.raises(ValueError, match="picture 1 of 1 has no chosen face.*on_missing"):
                encode_one(nobody, vision, THREE, framing)
        with pytest.raises(ValueError, match="mode 'released' has no part 'brows', only eyes.*'practical'"):
            encode_one(person, vision, {"brows": 1.0}, RELEASED)
        with pytest.raises(ValueError, match="mode 'practical' has no part 'background', only body, head"):
            encode_one(person, vision, {"background": 1.0}, PRACTICAL)
        with pytest.raises(PartMissing, match="this face has no 'hair'.*face parsing"):
            encode_one(person, vision, {"hair": 1.0}, PRACTICAL)
        with pytest.raises(ValueError, match="the strength of 'nose' is 1.5"):
            encode_one(person, vision, {"nose": 1.5}, PRACTICAL)
        faceless = replace(person.face(0), regions={"mouth": person.face(0).regions["mouth"]})
        for framing in (PRACTICAL, RELEASED):
            with pytest.raises(PartMissing, match="^parts: this face has no '(nose|eyes)'"):
                encode_one(replace(person, faces=((faceless,),), chosen=(0,)), vision, {"nose": 1.0}, framing)
    with pytest.raises(ValueError, match="mode is 'exact'"):
        Framing("exact")
    with pytest.raises(ValueError, match="padding is 3"):
        Framing(padding=3)


@pytest.fixture
def parsed():
    """A drawn face with the parts that only parsing finds."""
    size, painted = (180, 160), {}
    for part, (y0, x0, y1, x1) in PARSED.items():
        painted[part] = Region(mask=torch.zeros(size).index_put((torch.arange(y0, y1)[:, None], torch.arange(x0, x1)),
                                                               torch.ones(())))  # fmt: skip
    face = drawn("mediapipe468")
    face = replace(face, regions={**face.regions, **painted})
    return FaceParts(torch.rand(1, *size, 3, generator=torch.Generator().manual_seed(2)), ((face,),), (0,))


PARSED = {"hair": (5, 30, 60, 130), "ears": (70, 20, 110, 30), "neck": (150, 50, 180, 110), "head": (5, 20, 160, 140)}


def test_parts_that_parsing_finds_are_given_and_made_anew_like_the_others(parsed):
    vision, strengths = encoder(), dict.fromkeys((*PARSED, "lips", "inner_mouth"), 1.0)
    person, shown = encode_reference(parsed, vision, strengths, PRACTICAL)
    target, _ = encode_target(parsed, vision, strengths, PRACTICAL)
    fused = fuse_features(target, [person])
    assert len(shown) == 6 and set(fused.parts) == set(strengths) and fused.origin.any()
    assert all(cells.max() > 0 for cells in fused.parts.values())
    with pytest.raises(ValueError, match="mode 'released' has no part 'hair'.*'practical'"):
        encode_reference(parsed, vision, {"hair": 1.0}, RELEASED)


def test_a_part_beyond_the_view_says_that_more_room_is_needed(parsed):
    face = parsed.face(0)
    corner = Region(mask=torch.ones(2, 2), corner=(0, 178))
    parts = replace(parsed, faces=((replace(face, regions={**face.regions, "neck": corner}),),))
    with pytest.raises(ValueError, match="the neck in picture 1 of parts lies outside the encoder's view.*padding"):
        encode_reference(parts, encoder(), {"neck": 1.0}, Framing("practical", padding=0.0))
    assert encode_reference(parts, encoder(), {"neck": 1.0}, Framing("practical", padding=1.0))[0].tokens


def test_a_mask_says_what_may_be_taken_of_a_reference(person):
    vision, left = encoder(), torch.zeros(1, *person.size)
    x0, _, x1, _ = person.face(0).box_of("nose")
    middle = round((x0 + x1) / 2)
    left[..., :middle] = 1
    whole, _ = encode_reference(person, vision, {"nose": 1.0}, PRACTICAL)
    half, shown = encode_reference(person, vision, {"nose": 1.0}, PRACTICAL, mask=left)
    everything, _ = encode_reference(person, vision, {"nose": 1.0}, PRACTICAL, mask=torch.ones(1, *person.size))
    assert torch.allclose(everything.masks["nose"], whole.masks["nose"], atol=1e-5)
    assert 0.3 < half.masks["nose"].sum() / whole.masks["nose"].sum() < 0.7
    assert shown[0][half.masks["nose"][0] == 0].max() < 1e-6
    with pytest.raises(ValueError, match="mask leaves nothing of the nose of picture 1; paint white"):
        encode_reference(person, vision, {"nose": 1.0}, PRACTICAL, mask=torch.zeros(1, *person.size))
    with pytest.raises(ValueError, match="a mask works in 'practical' only"):
        encode_reference(person, vision, {"nose": 1.0}, RELEASED, mask=left)


@pytest.mark.parametrize("part", ["eyes", "nose", "mouth"])
def test_released_needs_only_the_parts_that_are_given(person, part):
    face = person.face(0)
    members = GROUPS.get(part, (part,))
    lone = replace(face, regions={name: face.regions[name] for name in members})
    alone = replace(person, faces=((lone,),), chosen=(0,))
    features, _ = encode_reference(alone, encoder(), {part: 1.0}, RELEASED)
    x0, y0, x1, y1 = lone.box_of(part)
    assert torch.allclose(features.boxes[part][0] * 512, torch.tensor([y0, x0, y1, x1]))
    target, _ = encode_target(person, encoder(), {part: 1.0}, RELEASED)
    assert set(fuse_features(target, [features]).parts) == {part}


@pytest.mark.parametrize("ring", [[[5.0, 5.0]] * 3, [[float("nan"), 5.0], [9.0, 9.0], [5.0, 9.0]]])
def test_a_part_without_an_area_is_refused_by_name(person, ring):
    face = person.face(0)
    broken = replace(face, regions={**face.regions, "nose": Region((torch.tensor(ring),))})
    parts = replace(person, faces=((broken,),), chosen=(0,))
    with pytest.raises(ValueError, match="the box of the nose in picture 1 of parts"):
        encode_reference(parts, encoder(), {"nose": 1.0}, PRACTICAL)
    with pytest.raises(ValueError, match="the nose of a chosen face lies outside its picture"):
        encode_target(parts, encoder(), {"nose": 1.0}, PRACTICAL)


@pytest.mark.parametrize("scheme", ["mediapipe468", "insightface106", ""])
def test_any_detector_will_do_and_a_mixed_batch_has_no_landmarks(scheme):
    face = drawn(scheme or "mediapipe468")
    face = face if scheme else replace(face, scheme="", landmarks=torch.zeros(0, 2))
    parts = FaceParts(torch.rand(1, 180, 160, 3), ((face,),), (0,))
    features, _ = encode_reference(parts, encoder(), THREE, PRACTICAL)
    assert features.scheme == scheme and len(features) == 1
    mixed = FaceParts(torch.rand(2, 180, 160, 3), ((face,), (drawn("mediapipe478"),)), (0, 0))
    features, _ = encode_reference(mixed, encoder(), THREE, PRACTICAL)
    assert (features.scheme, features.points.shape) == ("", (2, 0, 2))
    target, _ = encode_target(parts, encoder(), THREE, PRACTICAL)
    with pytest.raises(ValueError, match="reference 1 has 2 pictures and the target has 1"):
        fuse_features(target, [features])


def _shifted(parts, x, y):
    face = parts.face(0)
    shift = torch.tensor([float(x), float(y)])
    regions = {n: replace(r, rings=tuple(ring - shift for ring in r.rings)) for n, r in face.regions.items()}
    box = (face.box[0] - x, face.box[1] - y, face.box[2] - x, face.box[3] - y)
    return ((replace(face, box=box, landmarks=face.landmarks - shift, regions=regions),),), (0,)
