"""From label maps to regions: a parser that reads painted colours, so that every region must come back where it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.parsing import (
    BISENET,
    CLASSES_OF,
    class_names,
    parse_faces,
    with_masks,
    without_head,
)
from face_part_fusion.detectors.parts import PARTS, PARTS_BY_SOURCE, Face, FaceParts, PartMissing, Region
from face_part_fusion.detectors.preview import draw_preview
from face_part_fusion.detectors.selection import choose
from face_part_fusion.fusion.masks import part_mask
from PIL import Image

# The portrait is drawn in units of SCALE pixels.
SCALE = 2
H, W = 240 * SCALE, 320 * SCALE
# As on jonathandinu/face-parsing's card.
SEGFORMER = (
    "background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip",
    "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
# Class -> boxes x0, y0, x1, y1; later ones lie above. The person's left is the picture's right.
PAINTED = {
    "cloth": [(90, 200, 230, 240)], "neck": [(140, 170, 180, 205)], "hair": [(105, 50, 215, 140)],
    "l_ear": [(203, 110, 213, 135)], "r_ear": [(107, 110, 117, 135)], "skin": [(117, 70, 203, 180)],
    "r_brow": [(128, 92, 150, 97)], "l_brow": [(170, 92, 192, 97)], "r_eye": [(130, 105, 150, 113)],
    "l_eye": [(170, 105, 190, 113)], "nose": [(150, 112, 170, 140)], "u_lip": [(145, 147, 175, 154)],
    "mouth": [(145, 154, 175, 162)], "l_lip": [(145, 162, 175, 170)],
}  # fmt: skip
# One colour for each class.
CODE = torch.rand(19, 3, generator=torch.Generator().manual_seed(4))
FIVE = torch.tensor([[140.0, 109], [180, 109], [160, 135], [147, 158], [173, 158]]) * SCALE


class Painter:
    """Names the class whose colour a pixel has, by the number that it has among `names`; a blend is its neighbours'."""

    size = 320

    def __init__(self, names: tuple[str, ...] = BISENET) -> None:
        self.names, self.calls = names, 0

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        assert crops.shape == (1, 3, 320, 320)
        self.calls += 1
        distance, nearest = torch.cdist(crops[0].flatten(1).T, CODE).min(1)
        known = torch.nn.functional.one_hot(nearest, 19) * (distance < 0.02)[:, None]
        around = torch.nn.functional.avg_pool2d(known.T.reshape(1, 19, 320, 320).float(), 5, 1, 2).argmax(1)
        classes = torch.where(distance.reshape(1, 320, 320) < 0.02, nearest.reshape(1, 320, 320), around)
        return torch.tensor([self.names.index(n) if n in self.names else 0 for n in BISENET])[classes]


def box(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
    return x0 * SCALE, y0 * SCALE, x1 * SCALE, y1 * SCALE


def rect(*boxes: tuple[int, int, int, int]) -> torch.Tensor:
    mask = torch.zeros(H, W)
    for x0, y0, x1, y1 in boxes:
        mask[y0 * SCALE : y1 * SCALE, x0 * SCALE : x1 * SCALE] = 1
    return mask


def label_map(painted: dict) -> torch.Tensor:
    labels = torch.zeros(H, W, dtype=torch.long)
    for name, boxes in painted.items():
        for x0, y0, x1, y1 in boxes:
            labels[y0 * SCALE : y1 * SCALE, x0 * SCALE : x1 * SCALE] = BISENET.index(name)
    return labels


def portrait(painted: dict = PAINTED, face: Face | None = None) -> FaceParts:
    picture = CODE[label_map(painted)][None]
    face = face or Face(box(117.0, 80.0, 203.0, 180.0), 1.0, FIVE, "five")
    return FaceParts(picture, ((face,),), (0,))


def painted_as(*classes: str) -> torch.Tensor:
    return torch.isin(label_map(PAINTED), torch.tensor([BISENET.index(c) for c in classes])).float()


def close(mask: torch.Tensor, expected: torch.Tensor) -> bool:
    """Equal but for three pixels along the edges, which is little more than one of the parser's crop."""
    mask = mask.round()
    inner, outer = (sign * torch.nn.functional.max_pool2d(sign * expected[None], 7, 1, 3)[0] for sign in (-1, 1))
    return bool(mask.any() and (mask >= inner).all() and (mask <= outer).all())


FACE = ("skin", "l_brow", "r_brow", "l_eye", "r_eye", "nose", "mouth", "u_lip", "l_lip")
WANTED = {
    "hair": ("hair",), "ears": ("l_ear", "r_ear"), "neck": ("neck",), "nose": ("nose",), "skin": FACE,
    "mouth": ("u_lip", "mouth", "l_lip"), "lips": ("u_lip", "l_lip"), "inner_mouth": ("mouth",),
    "eyes": ("l_eye", "r_eye"), "brows": ("l_brow", "r_brow"), "head": (*FACE, "hair", "l_ear", "r_ear"),
    "background": ("background", "cloth"), "body": ("cloth",),
    # Sides are the picture's: the person's right eye is the left one.
    "left_eye": ("r_eye",), "right_eye": ("l_eye",), "left_brow": ("r_brow",), "right_brow": ("l_brow",),
}  # fmt: skip


@pytest.mark.parametrize("names", [BISENET, class_names(SEGFORMER)], ids=["BiSeNet order", "SegFormer order"])
def test_every_part_comes_back_where_it_was_painted(names) -> None:
    face = parse_faces(portrait(), Painter(names), padding=1.0).face(0)
    for part, classes in WANTED.items():
        assert close(part_mask(face, (part,), (H, W)), painted_as(*classes)), part
    assert set(face.regions) == set(PARTS)


@pytest.mark.parametrize("turned", [False, True])
def test_left_and_right_are_the_pictures_even_when_the_parser_confuses_them(turned: bool) -> None:
    painted = {**PAINTED, "r_eye": PAINTED["l_eye"], "l_eye": PAINTED["r_eye"]} if turned else PAINTED
    face = parse_faces(portrait(painted), Painter()).face(0)
    assert face.box_of("left_eye")[2] < 160 * SCALE < face.box_of("right_eye")[0]


def test_a_head_that_lies_on_its_side_is_parsed_upright() -> None:
    parts = portrait()
    pictures = parts.pictures.transpose(1, 2).flip(2)  # a quarter turn clockwise: x' = H - y, y' = x
    points = torch.stack([H - FIVE[:, 1], FIVE[:, 0]], -1)
    face = Face(box(60.0, 117.0, 160.0, 203.0), 1.0, points, "five")
    parsed = parse_faces(FaceParts(pictures, ((face,),), (0,)), Painter(), padding=1.0).face(0)
    for part in ("hair", "left_eye", "right_eye", "nose", "head"):
        expected = painted_as(*WANTED[part]).T.flip(1)
        assert close(part_mask(parsed, (part,), (W, H)), expected), part


def test_head_neck_and_background_share_every_pixel_of_the_picture() -> None:
    face = parse_faces(portrait(), Painter()).face(0)
    areas = [part_mask(face, (part,), (H, W)) for part in ("head", "neck", "background")]
    assert torch.allclose(sum(areas), torch.ones(H, W), atol=1e-5)
    assert areas[2][0, 0] == 1 and areas[2][-1, -1] == 1, "beyond the parsed square all is background"


def test_only_missing_keeps_the_regions_of_the_face_and_all_replaces_them() -> None:
    own = Region((torch.tensor([[1.0, 1], [9, 1], [9, 9]]),))
    face = Face(box(117.0, 80.0, 203.0, 180.0), 1.0, FIVE, "five", regions={"nose": own, "left_eye": own})
    kept = parse_faces(portrait(face=face), Painter()).face(0)
    assert kept.regions["nose"] is own and kept.regions["left_eye"] is own and kept.has("hair") and kept.has("eyes")
    taken = parse_faces(portrait(face=face), Painter(), replaced="all").face(0)
    assert close(part_mask(taken, ("nose",), (H, W)), painted_as("nose"))


def test_a_part_that_the_parser_does_not_see_is_empty_or_stays_that_of_the_landmarks() -> None:
    own = Region((torch.tensor([[130.0, 105], [150, 105], [150, 113]]),))
    face = Face(box(117.0, 80.0, 203.0, 180.0), 1.0, FIVE, "five", regions={"left_eye": own})
    bald = {k: v for k, v in PAINTED.items() if k not in ("hair", "r_eye")}
    parsed = parse_faces(portrait(bald, face), Painter(), replaced="all").face(0)
    assert parsed.regions["left_eye"] is own and parsed.has("right_eye")
    assert parsed.has("hair") and not part_mask(parsed, ("hair",), (H, W)).any()


def test_a_class_that_the_parser_lacks_stays_absent_and_the_error_names_face_parsing() -> None:
    names = tuple(n if n not in ("l_ear", "r_ear", "hair") else "" for n in BISENET)
    face = parse_faces(portrait(), Painter(names)).face(0)
    assert face.has("neck") and not face.has("head") and not face.has("background")
    with pytest.raises(PartMissing, match="this face has no 'ears'.*face parsing, with the pack's parser, a model"):
        face.region("ears")
    assert PARTS_BY_SOURCE["face parsing, with the pack's parser, a model or masks"] == frozenset(PARTS)


def test_a_face_without_landmarks_and_one_at_the_edge_are_parsed_too() -> None:
    boxed = parse_faces(portrait(face=Face(box(117.0, 70.0, 203.0, 180.0), 1.0)), Painter(), padding=0.5).face(0)
    assert close(part_mask(boxed, ("nose",), (H, W)), painted_as("nose")) and boxed.box_of("left_eye")[2] < 160 * SCALE
    top, left = 90 * SCALE, 130 * SCALE
    cut = portrait().pictures[:, top:, left:]
    corner = FaceParts(cut, ((Face(box(-13.0, -10.0, 73.0, 90.0), 1.0),),), (0,))
    face = parse_faces(corner, Painter()).face(0)
    assert close(part_mask(face, ("nose",), (H - top, W - left)), painted_as("nose")[top:, left:])


def test_a_profile_whose_eyes_lie_close_together_is_parsed_as_widely() -> None:
    profile = torch.tensor([[155.0, 109], [165, 109], [160, 135], [157, 158], [163, 158]]) * SCALE
    face = parse_faces(portrait(face=Face(box(117.0, 70.0, 203.0, 180.0), 1.0, profile, "five")), Painter()).face(0)
    for part in ("hair", "ears", "head"):
        assert close(part_mask(face, (part,), (H, W)), painted_as(*WANTED[part])), part


def test_only_chosen_faces_are_parsed_and_no_picture_is_lost() -> None:
    parts = portrait()
    face = parts.faces[0][0]
    three = FaceParts(parts.pictures.expand(3, -1, -1, -1), ((face, face), (), (face,)), (1, None, 0))
    parser, done = Painter(), []
    parsed = parse_faces(three, parser, progress=lambda i, n: done.append((i, n)))
    assert len(parsed) == 3 and parser.calls == 2 and done == [(1, 3), (2, 3), (3, 3)]
    assert parsed.faces[0][0] is face and parsed.faces[1] == ()
    assert parsed.face(0).has("hair") and parsed.face(2).has("hair")


def test_wired_masks_become_parts_and_replace_the_parsers() -> None:
    mine = rect((10, 10, 40, 30))
    parsed = with_masks(parse_faces(portrait(), Painter()), {"hair": mine[None], "ears": None}).face(0)
    assert torch.equal(part_mask(parsed, ("hair",), (H, W)), mine) and part_mask(parsed, ("ears",), (H, W)).any()
    assert with_masks(portrait(), {"neck": mine[None, None]}).face(0).box_of("neck") == box(10, 10, 40, 30)


def test_head_and_background_follow_the_masks_of_hair_and_neck_unless_the_head_has_its_own() -> None:
    parsed, mine, low = parse_faces(portrait(), Painter()), rect((10, 10, 40, 30)), rect((5, 190, 60, 199))
    before, after = (p.face(0) for p in (parsed, with_masks(parsed, {"hair": mine[None], "neck": low[None]})))
    masks = {part: [part_mask(face, (part,), (H, W)) for face in (before, after)] for part in ("head", "background")}
    hair, face = part_mask(before, ("hair",), (H, W)), part_mask(before, ("skin",), (H, W))
    assert masks["head"][1][mine > 0].min() == 1 and masks["background"][1][(mine > 0) | (low > 0)].max() == 0
    bare = (hair > 0.9) & (face < 0.1) & (mine == 0)
    assert bare.any() and masks["head"][0][bare].min() > 0.8 and masks["head"][1][bare].max() < 0.2
    both = with_masks(parsed, {"hair": mine[None], "head": low[None]}).face(0)
    assert torch.equal(part_mask(both, ("head",), (H, W)), low)


def test_a_mask_that_does_not_fit_is_named_by_its_part() -> None:
    with pytest.raises(ValueError, match="the mask wired into hair: mask is 64 x 64 pixels"):
        with_masks(portrait(), {"hair": torch.ones(1, 64, 64)})
    with pytest.raises(ValueError, match="the mask wired into ears is empty; paint the ears white"):
        with_masks(portrait(), {"ears": torch.zeros(1, H, W)})


def test_one_empty_mask_of_a_batch_gives_an_empty_region() -> None:
    parts = portrait()
    two = FaceParts(parts.pictures.expand(2, -1, -1, -1), parts.faces * 2, (0, 0))
    parsed = with_masks(two, {"hair": torch.stack([rect((5, 5, 9, 9)), torch.zeros(H, W)])})
    assert parsed.face(0).box_of("hair") == box(5, 5, 9, 9) and not part_mask(parsed.face(1), ("hair",), (H, W)).any()


def test_the_preview_shows_hair_and_not_the_head_that_covers_it() -> None:
    parsed = parse_faces(portrait(), Painter())
    shown = without_head(parsed)
    assert not shown.face(0).has("head") and shown.face(0).has("hair") and parsed.face(0).has("head")
    alone = with_masks(portrait(), {"head": rect((100, 50, 200, 180))[None]})
    assert without_head(alone).face(0).has("head")
    drawn = draw_preview(shown)
    assert drawn.shape == (1, H, W, 3) and (drawn - draw_preview(portrait())).abs().max() > 0.05


def test_labels_are_read_by_name_whatever_their_order_and_spelling() -> None:
    assert class_names(SEGFORMER)[3] == "glasses" and class_names(SEGFORMER)[8] == "l_ear"
    assert class_names(SEGFORMER)[15] == "earring" and class_names(SEGFORMER)[16] == "necklace"
    assert sorted(class_names(SEGFORMER)) == sorted(BISENET) and class_names(BISENET) == BISENET
    assert class_names(["Skin", "Left Eye", "upper-lip", "beard"]) == ("skin", "l_eye", "u_lip", "")
    assert {c for needed, more in CLASSES_OF.values() for c in (*needed, *more)} <= set(BISENET)


def test_labels_of_no_face_are_refused() -> None:
    with pytest.raises(ValueError, match="names its classes LABEL_0, LABEL_1, which are not classes of a face"):
        class_names(["LABEL_0", "LABEL_1"])


def test_settings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="replace is 'some'; choose one of only missing, all"):
        parse_faces(portrait(), Painter(), replaced="some")
    with pytest.raises(ValueError, match="padding is 9"):
        parse_faces(portrait(), Painter(), padding=9)


class BiSeNetV2:
    """The evaluation model of shared_models, hard labels of 448 x 448 pixels."""

    size, names = 448, BISENET

    def __init__(self, file) -> None:
        lite = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
        self.net = lite.Interpreter(str(file), num_threads=1)
        self.net.allocate_tensors()

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        fed = ((crops * 255 - 128) / 128).permute(0, 2, 3, 1).numpy().astype(np.float32)
        self.net.set_tensor(self.net.get_input_details()[0]["index"], fed)
        self.net.invoke()
        return torch.from_numpy(self.net.get_tensor(self.net.get_output_details()[0]["index"])).reshape(1, 448, 448)


@pytest.fixture(scope="module")
def parse_photo(shared_faces, shared_models):
    from face_part_fusion.detectors.builtin import BuiltinDetector
    from face_part_fusion.detectors.find import find_faces

    parser = BiSeNetV2(shared_models / "bisenetv2_celebamaskhq_448x448_integer_quant.tflite")
    detector = BuiltinDetector()

    def parse(name: str) -> tuple[Face, Face, tuple[int, int]]:
        pixels = np.asarray(Image.open(shared_faces / "photos" / name).convert("RGB"), dtype=np.float32) / 255
        parsed = choose(torch.from_numpy(pixels)[None], find_faces(torch.from_numpy(pixels)[None], detector))
        return parsed.face(0), parse_faces(parsed, parser, replaced="all").face(0), parsed.size

    return parse


@pytest.mark.parametrize("name", ["skimage_astronaut.png", "human_stock-teen-8.jpg", "faceapi_happy.jpg"])
def test_on_photographs_parsed_features_lie_on_the_landmarks_and_hair_above_them(parse_photo, name: str) -> None:
    marks, parsed, size = parse_photo(name)
    least = {"left_eye": 0.35, "right_eye": 0.35, "nose": 0.45, "mouth": 0.5, "skin": 0.6}
    for part, share in least.items():
        a, b = (part_mask(face, (part,), size) > 0.5 for face in (marks, parsed))
        assert (a & b).sum() / (a | b).sum() > share, part
    x0, y0, x1, y1 = parsed.box_of("skin")
    assert parsed.box_of("hair")[1] < y0 and parsed.box_of("neck")[3] > y1 - 0.1 * (y1 - y0)
    head, hair, skin = (part_mask(parsed, (part,), size) > 0.5 for part in ("head", "hair", "skin"))
    assert (head & hair).sum() >= 0.98 * hair.sum() and head.sum() > 1.2 * skin.sum()
