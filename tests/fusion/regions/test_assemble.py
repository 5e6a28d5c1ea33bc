"""The region assembler against hand-written pictures: rectangles as regions, every row of the table of tasks."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts, PartMissing, Region
from face_part_fusion.detectors.selection import choose
from face_part_fusion.fusion.regions.assemble import assemble
from face_part_fusion.fusion.regions.plan import FILLS
from face_part_fusion.fusion.regions.preview import COLOURS, draw_givers
from face_part_fusion.fusion.regions.tasks import GIVERS, REGIONS
from hypothesis import given, settings
from hypothesis import strategies as st

H, W = 48, 56
# x0, y0, x1, y1. The hair covers two rows of the skin; a box of 18 x 18 pixels has an eye distance of 10.
RECTS = {
    "left_brow": (18, 17, 22, 18), "right_brow": (26, 17, 30, 18), "left_eye": (18, 19, 22, 21),
    "right_eye": (26, 19, 30, 21), "nose": (22, 22, 26, 26), "mouth": (20, 28, 28, 30), "ears": (12, 20, 15, 25),
    "skin": (15, 14, 33, 32), "hair": (13, 8, 35, 16),
}  # fmt: skip
BOX = (15, 14, 33, 32)
TWO = 0.2  # dilated by two pixels
# The source's face lies 4 pixels further right and 3 further down; its skin is wider, its hair reaches further up.
DX, DY = 4, 3
WIDER = {"skin": (14, 14, 34, 33), "hair": (13, 5, 35, 16)}


def rect(*box: float, dx: int = 0, dy: int = 0) -> torch.Tensor:
    x0, y0, x1, y1 = box
    mask = torch.zeros(H, W)
    mask[int(y0) + dy : int(y1) + dy, int(x0) + dx : int(x1) + dx] = 1
    return mask


def person(seed: int, rects: dict | None = None, dx: int = 0, dy: int = 0, without: tuple = ()) -> FaceParts:
    given_rects = {p: b for p, b in {**RECTS, **(rects or {})}.items() if p not in without}
    regions = {part: Region(mask=rect(*box, dx=dx, dy=dy)) for part, box in given_rects.items()}
    box = (BOX[0] + dx, BOX[1] + dy, BOX[2] + dx, BOX[3] + dy)
    picture = torch.rand(1, H, W, 3, generator=torch.Generator().manual_seed(seed))
    return FaceParts(picture, ((Face(box, 1.0, regions=regions),),), (0,))


TARGET = person(1)
SOURCE = person(2, WIDER, DX, DY)
# The source's picture where it comes to lie on the target.
MOVED = torch.roll(SOURCE.pictures[0], (-DY, -DX), (0, 1))


def grown(mask: torch.Tensor, pixels: int) -> torch.Tensor:
    """By hand: every white pixel's square."""
    out = torch.zeros_like(mask)
    for y, x in torch.nonzero(mask):
        out[max(0, y - pixels) : y + pixels + 1, max(0, x - pixels) : x + pixels + 1] = 1
    return out


def union(*boxes: tuple) -> torch.Tensor:
    return torch.stack([rect(*box) for box in boxes]).amax(0)


def over(below: torch.Tensor, above: torch.Tensor | float, where: torch.Tensor) -> torch.Tensor:
    above = above if isinstance(above, torch.Tensor) else torch.full_like(below, above)
    return torch.where(where[..., None] > 0, above, below)


def same(assembly, picture: torch.Tensor, mask: torch.Tensor) -> None:
    assert torch.equal(assembly.mask[0], mask)
    assert torch.allclose(assembly.picture[0], picture, atol=1e-4)
    base = TARGET if assembly.base == "target" else SOURCE
    assert torch.equal(assembly.picture[0][mask == 0], base.pictures[0][mask == 0]), "changed outside the mask"


def test_face_swap_masks_out_both_faces_dilated_and_keeps_hair_ears_and_background() -> None:
    upper = union(RECTS["hair"], RECTS["ears"])
    mask = grown(union(RECTS["skin"], WIDER["skin"]) * (1 - upper), 2) * (1 - upper)
    assembly = assemble("face swap", TARGET, SOURCE, dilate=TWO)
    same(assembly, over(TARGET.pictures[0], 0.5, mask), mask)
    assert mask[15, 20] == 0 and mask[34, 20] == 1 and mask[35, 20] == 0 and mask[22, 13] == 0
    assert assembly.unprotected == () and assembly.regions_from["skin"] == "source"
    assert set(assembly.origin.unique().tolist()) == {GIVERS.index("target"), GIVERS.index("anew")}


def test_face_swap_works_with_an_oval_alone_and_says_what_was_not_protected() -> None:
    bare = person(1, without=("hair", "ears"))
    mask = grown(union(RECTS["skin"], WIDER["skin"]), 2)
    assembly = assemble("face swap", bare, person(2, WIDER, DX, DY, without=("hair", "ears")), dilate=TWO)
    same(assembly, over(TARGET.pictures[0], 0.5, mask), mask)
    assert set(assembly.unprotected) == {"the target's hair", "the target's ears"}
    assert "not known, so not protected" in assembly.report() and "source: eyebrows, eyes, nose" in assembly.report()


def test_head_swap_lays_the_grey_source_head_on_the_target_with_both_heads_cut_out() -> None:
    head = union(WIDER["skin"], WIDER["hair"], RECTS["ears"])
    old = union(RECTS["skin"], RECTS["hair"], RECTS["ears"])
    mask = grown(torch.maximum(head, old), 2)
    grey = (MOVED * torch.tensor([0.299, 0.587, 0.114])).sum(-1, keepdim=True).expand(-1, -1, 3)
    picture = over(over(TARGET.pictures[0], 0.5, mask), grey, head)
    assembly = assemble("head swap", TARGET, SOURCE, dilate=TWO)
    same(assembly, picture, mask)
    assert torch.equal(assembly.origin[0] == GIVERS.index("source"), head > 0)


def test_a_given_head_is_laid_with_what_is_worn_on_it() -> None:
    hat = (13, 2, 35, 33)
    wearing = person(2, {**WIDER, "head": hat}, DX, DY)
    assembly = assemble("head swap", TARGET, wearing, dilate=0)
    assert torch.equal(assembly.mask[0], torch.maximum(rect(*hat), rect(*RECTS["ears"])))


def test_attribute_edit_pastes_the_new_part_and_masks_out_what_the_old_one_leaves_bare() -> None:
    higher = person(2, {"nose": (22, 21, 26, 25)}, DX, DY)
    # The nose is laid where the target's is: by its own box.
    moved = torch.roll(SOURCE.pictures[0], (1 - DY, -DX), (0, 1))
    nose = rect(*RECTS["nose"])
    others = union(*(RECTS[p] for p in ("left_eye", "right_eye", "mouth", "left_brow", "right_brow", "hair", "ears")))
    mask = torch.maximum(nose, grown(nose, 2) * (1 - others))
    assembly = assemble("attribute edit", TARGET, higher, {"nose": "source"}, dilate=TWO)
    same(assembly, over(TARGET.pictures[0], moved, nose), mask)


def test_pasted_hair_leaves_the_longer_old_hair_masked_out() -> None:
    long = person(1, {"hair": (13, 8, 35, 40)})
    face = {"skin": (0, 0, 1, 1)}  # nothing of the face lies above the hair
    assembly = assemble("attribute edit", long, person(2, face, DX, DY), {"hair": "source"}, dilate=0, fill="black")
    new, old = rect(*RECTS["hair"]), rect(13, 8, 35, 40)
    picture = over(over(long.pictures[0], 0.0, old), MOVED, new)
    assert torch.equal(assembly.mask[0], old) and torch.allclose(assembly.picture[0], picture, atol=1e-4)


def test_attribute_edit_without_a_source_masks_the_region_out() -> None:
    eyes = union(RECTS["left_eye"], RECTS["right_eye"])
    others = union(*(RECTS[p] for p in ("nose", "mouth", "left_brow", "right_brow", "hair", "ears")))
    mask = torch.maximum(eyes, grown(eyes, 2) * (1 - others))
    assembly = assemble("attribute edit", TARGET, None, {"eyes": "anew"}, dilate=TWO)
    same(assembly, over(TARGET.pictures[0], 0.5, eyes), mask)
    assembly = assemble("attribute edit", TARGET, SOURCE, {"eyes": "source"}, dilate=TWO, shown="mask out")
    same(assembly, over(TARGET.pictures[0], 0.5, mask), mask)


@pytest.mark.parametrize("task", ["reenact", "animate"])
def test_reenact_and_animate_take_the_whole_source_and_make_everything_anew(task: str) -> None:
    wide = replace(SOURCE, pictures=torch.rand(1, H, W + 8, 3))
    assembly = assemble(task, TARGET, wide)
    assert torch.equal(assembly.picture, wide.pictures) and torch.equal(assembly.mask, torch.ones(1, H, W + 8))


def test_inpaint_takes_the_whole_source_and_the_users_mask() -> None:
    mask = rect(3, 4, 30, 20)[None]
    same(assemble("inpaint", TARGET, SOURCE, mask=mask), SOURCE.pictures[0], mask[0])
    alone = assemble("inpaint", TARGET, mask=mask)
    same(alone, TARGET.pictures[0], mask[0])
    assert set(alone.regions_from.values()) == {"target"}


def test_the_greys_of_an_inpainting_mask_survive_and_any_other_task_takes_what_is_white() -> None:
    mask = 0.3 * rect(3, 4, 30, 20)[None] + 0.6 * rect(30, 4, 40, 20)[None]
    assert torch.equal(assemble("inpaint", TARGET, mask=mask).mask, mask)
    assert assemble("inpaint", TARGET, mask=mask.clamp(max=0.3)).mask.max() == pytest.approx(0.3)
    limited = assemble("face swap", TARGET, SOURCE, mask=mask).mask
    assert set(limited.unique().tolist()) == {0, 1} and not limited[0, :, :30].any()


def test_a_given_region_without_area_is_reported() -> None:
    ears, hair = "hidden or not known, so nothing of it is given: the source's ears", {"hair": (0, 0, 0, 0)}
    unknown = [person(seed, without=("ears",)) for seed in (1, 2)]
    hidden, bald = person(2, {"ears": (0, 0, 0, 0)}), person(2, {**hair, "head": RECTS["skin"]})
    for target, source in (unknown, (TARGET, hidden)):
        swapped = assemble("head swap", target, source)
        assert swapped.empty == ("the source's ears",) and ears in swapped.report()
    assert assemble("head swap", TARGET, bald).empty == ("the source's hair",)
    assert assemble("head swap", TARGET, SOURCE).empty == assemble("face swap", *unknown).empty == ()
    # A face without outlined features holds them all the same.
    assert assemble("face swap", TARGET, person(2, without=("left_brow", "nose"))).empty == ()


def test_several_people_give_in_one_go_and_a_kept_feature_stays() -> None:
    """Face from the source, eyes from another, the target's mouth: no eyes of the source shine through."""
    third = person(3, {"left_eye": (18, 19, 22, 20), "right_eye": (26, 19, 30, 20)})
    overrides = {"eyes": "source 2", "lips": "target"}
    assembly = assemble("face swap", TARGET, SOURCE, overrides, others=[third], dilate=0, shown="paste", fill="white")
    eyes, mouth = union(RECTS["left_eye"], RECTS["right_eye"]), rect(*RECTS["mouth"])
    hidden = union(RECTS["hair"], RECTS["ears"], RECTS["mouth"])
    # The source's own hair does not come along, but here the target's lies over that place anyway.
    skin = rect(*WIDER["skin"]) * (1 - hidden)
    assert torch.equal(assembly.mask[0], torch.maximum(skin, eyes))
    names = {(20, 20): "source 2", (24, 24): "source", (24, 29): "target", (16, 15): "target"}
    for (x, y), name in names.items():
        assert GIVERS[assembly.origin[0, y, x]] == name, (x, y)
    assert torch.equal(assembly.picture[0][mouth > 0], TARGET.pictures[0][mouth > 0])
    gaps = assembly.origin[0] == GIVERS.index("anew")
    assert torch.equal(assembly.picture[0][gaps], torch.ones(int(gaps.sum()), 3))


def test_hair_that_hangs_over_the_sources_face_does_not_come_along() -> None:
    fringe = person(2, {**WIDER, "hair": (13, 5, 35, 20)}, DX, DY)
    assembly = assemble("face swap", TARGET, fringe, dilate=0, shown="paste", fill="black")
    skin = rect(*WIDER["skin"]) * (1 - union(RECTS["hair"], RECTS["ears"]))
    under = skin * rect(13, 5, 35, 20)
    # Beyond the target's own face nothing was there that could be bare.
    new, bare = skin * (1 - under), under * rect(*RECTS["skin"])
    picture = over(over(TARGET.pictures[0], MOVED, new), 0.0, bare)
    same(assembly, picture, torch.maximum(new, bare))
    assert bare.sum() == 4 * 18


def test_what_a_lower_layer_has_covered_is_not_bare() -> None:
    """The new eye lacks a corner: there the new face shows, not a hole."""
    face = person(2, dx=DX, dy=DY, without=("left_eye", "right_eye"))
    eyes = person(3)
    notched = eyes.faces[0][0].regions["left_eye"].mask.clone()
    notched[19, 18] = 0
    regions = {**eyes.faces[0][0].regions, "left_eye": Region(mask=notched)}
    eyes = replace(eyes, faces=((replace(eyes.faces[0][0], regions=regions),),))
    assembly = assemble("face swap", TARGET, face, {"eyes": "source 2"}, others=[eyes], dilate=0, shown="paste")
    assert [GIVERS[assembly.origin[0, 19, x]] for x in (18, 19)] == ["source", "source 2"]
    assert torch.allclose(assembly.picture[0, 19, 18], MOVED[19, 18], atol=1e-4)


def test_another_background_is_laid_behind_the_targets_head() -> None:
    head = union(RECTS["skin"], RECTS["hair"], RECTS["ears"])
    assembly = assemble("attribute edit", TARGET, person(2), {"background": "source"}, dilate=0)
    same(assembly, over(person(2).pictures[0], TARGET.pictures[0], head), 1 - head)


@pytest.mark.parametrize("fill", FILLS)
def test_masked_out_pixels_become_the_fill(fill: str) -> None:
    assembly = assemble("face swap", TARGET, SOURCE, fill=fill)
    value = FILLS[fill]
    inside = assembly.mask[0] > 0
    expected = TARGET.pictures[0][inside] if value is None else torch.full((int(inside.sum()), 3), value)
    assert torch.equal(assembly.picture[0][inside], expected)


def test_a_mask_limits_what_may_change() -> None:
    left = rect(0, 0, 24, H)
    free, limited = (assemble("head swap", TARGET, SOURCE, mask=m) for m in (None, left[None]))
    assert torch.equal(limited.mask, free.mask * left)
    same(limited, over(TARGET.pictures[0], free.picture[0], left), free.mask[0] * left)


def test_batches_broadcast_and_a_picture_without_a_face_stays_as_it_is() -> None:
    pictures = torch.cat([TARGET.pictures, torch.rand(1, H, W, 3), TARGET.pictures])
    three = FaceParts(pictures, (TARGET.faces[0], (), TARGET.faces[0]), (0, None, 0))
    assembly = assemble("face swap", three, SOURCE)
    one = assemble("face swap", TARGET, SOURCE)
    assert torch.equal(assembly.picture[1], pictures[1]) and not assembly.mask[1].any()
    for i in (0, 2):
        assert torch.equal(assembly.picture[i], one.picture[0]) and torch.equal(assembly.mask[i], one.mask[0])
    with pytest.raises(ValueError, match=r"the batches do not match \(target 3, source 2 pictures\)"):
        assemble("face swap", three, replace(SOURCE, pictures=pictures[:2], faces=SOURCE.faces * 2, chosen=(0, 0)))


def test_head_swap_without_hair_says_what_is_missing_who_gives_it_and_what_works() -> None:
    for target, source, whose in ((person(1, without=("hair",)), SOURCE, "target"),
                                  (TARGET, person(2, without=("hair",)), "source")):  # fmt: skip
        with pytest.raises(PartMissing, match=f"head swap needs 'hair' of the {whose}, but this face has no") as said:
            assemble("head swap", target, source)
        for word in ("comes from", "face parsing", "mask", "'face swap' works without"):
            assert word in str(said.value)


def test_in_a_batch_the_picture_that_lacks_a_region_is_named() -> None:
    whole, bald = person(1), person(2, without=("hair",))
    two = FaceParts(torch.cat([whole.pictures, bald.pictures]), whole.faces + bald.faces, (0, 0), whole.detector)
    with pytest.raises(PartMissing, match="^picture 2 of 2: head swap needs 'hair' of the target"):
        assemble("head swap", two, whole)


@pytest.mark.parametrize(("task", "overrides", "without", "words"), [
    ("face swap", {}, "skin", "face swap needs 'skin' of the target.*'inpaint' needs no regions"),
    ("attribute edit", {"ears": "source"}, "ears", "attribute edit needs 'ears' of the target.*'target'"),
    ("attribute edit", {"background": "anew"}, "hair", "attribute edit needs 'hair' of the target"),
])  # fmt: skip
def test_a_region_that_nobody_found_is_asked_for(task, overrides, without, words) -> None:
    with pytest.raises(PartMissing, match=words):
        assemble(task, person(1, without=(without,)), SOURCE, overrides)


def test_people_who_are_not_wired_in_are_asked_for() -> None:
    with pytest.raises(ValueError, match="head swap takes .* from the source, but nobody is wired into source;"):
        assemble("head swap", TARGET)
    with pytest.raises(ValueError, match="takes eyes from the source 3, but nobody is wired into source_3"):
        assemble("face swap", TARGET, SOURCE, {"eyes": "source 3"}, others=[SOURCE])
    with pytest.raises(ValueError, match="reenact takes .* nobody is wired into source"):
        assemble("reenact", TARGET)


def test_a_source_without_a_face_is_an_error() -> None:
    nobody = FaceParts(SOURCE.pictures, ((),), (None,))
    with pytest.raises(ValueError, match="face swap needs a face in the source, and there is none"):
        assemble("face swap", TARGET, nobody)
    assert torch.equal(assemble("reenact", TARGET, nobody).picture, SOURCE.pictures)


def test_masks_that_are_missing_empty_or_miss_the_face_are_errors() -> None:
    with pytest.raises(ValueError, match="inpaint makes anew what is white in mask, but no mask is wired in"):
        assemble("inpaint", TARGET)
    with pytest.raises(ValueError, match="mask is empty"):
        assemble("inpaint", TARGET, mask=torch.zeros(1, H, W))
    with pytest.raises(ValueError, match=r"mask has shape \(1, 4, 4\); needed is \(1, 48, 56\)"):
        assemble("inpaint", TARGET, mask=torch.ones(1, 4, 4))
    with pytest.raises(ValueError, match="face swap leaves nothing to be made anew"):
        assemble("face swap", TARGET, SOURCE, mask=rect(0, 40, 9, H)[None])


@pytest.mark.parametrize(("words", "choice"), [
    ("shown is 'x'; choose one of paste, greyscale, mask out", {"shown": "x"}),
    ("fill is 'x'; choose one of grey, black", {"fill": "x"}),
    ("dilate is -1", {"dilate": -1}),
])  # fmt: skip
def test_settings_that_do_not_exist_are_refused(words: str, choice: dict) -> None:
    with pytest.raises(ValueError, match=words):
        assemble("face swap", TARGET, SOURCE, **choice)


def test_the_preview_tints_what_is_not_the_bases_own() -> None:
    assembly = assemble("attribute edit", TARGET, SOURCE, {"nose": "source"}, dilate=0)
    drawn, nose = draw_givers(assembly)[0], rect(*RECTS["nose"]) > 0
    assert torch.equal(drawn[~nose], TARGET.pictures[0][~nose])
    expected = torch.lerp(assembly.picture[0][nose], COLOURS[GIVERS.index("source")], 0.45)
    assert torch.allclose(drawn[nose], expected) and len(COLOURS) == len(GIVERS)


boxes = st.tuples(st.integers(4, 20), st.integers(4, 20), st.integers(6, 24), st.integers(6, 20))


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(st.sampled_from(list(RECTS)), boxes, max_size=6),
    st.sets(st.sampled_from(REGIONS[:-1]), min_size=1),
    st.floats(0, 1),
    st.booleans(),
)
def test_a_person_pasted_on_themselves_changes_nothing(shapes: dict, regions: set, dilate: float, soft: bool) -> None:
    rects = {part: (x, y, x + w, y + h) for part, (x, y, w, h) in shapes.items()}
    who = person(5, rects)
    if soft:
        face = who.faces[0][0]
        blurred = {
            part: Region(mask=torch.nn.functional.avg_pool2d(r.mask[None], 3, 1, 1)[0])
            for part, r in face.regions.items()
        }
        who = replace(who, faces=((replace(face, regions=blurred),),))
    try:
        assembly = assemble("attribute edit", who, who, {region: "source" for region in regions}, dilate=dilate)
    except ValueError as problem:
        assert "is empty" in str(problem) or "nothing to be made anew" in str(problem)
        return
    assert torch.equal(assembly.picture[assembly.mask == 0], who.pictures[assembly.mask == 0])
    assert (assembly.picture - who.pictures).abs().max() <= 1 / 255


@settings(deadline=None, max_examples=25)
@given(st.floats(0, 0.5), st.floats(0, 0.5), st.sampled_from(["face swap", "head swap"]))
def test_more_dilation_only_adds_and_never_reaches_what_is_kept(less: float, more: float, task: str) -> None:
    small, large = (assemble(task, TARGET, SOURCE, dilate=d).mask[0] for d in (less, less + more))
    assert (large >= small).all()
    if task == "face swap":
        assert not (large * union(RECTS["hair"], RECTS["ears"])).any()


@pytest.mark.parametrize("task", ["face swap", "head swap"])
def test_a_picture_of_1024_pixels_takes_less_than_a_second(task: str) -> None:
    scale = 20
    people = []
    for parts in (TARGET, SOURCE):
        face = parts.faces[0][0]
        regions = {p: Region(mask=r.mask.repeat_interleave(scale, 0).repeat_interleave(scale, 1))
                   for p, r in face.regions.items()}  # fmt: skip
        large = Face(tuple(v * scale for v in face.box), 1.0, regions=regions)
        people.append(FaceParts(torch.rand(1, H * scale, W * scale, 3), ((large,),), (0,)))
    assemble(task, *people)
    start = time.perf_counter()
    assemble(task, *people)
    assert time.perf_counter() - start < 3  # 0.5 s alone; the machine may be busy


def test_on_a_photograph_the_face_is_masked_out_and_the_rest_is_untouched(shared_faces) -> None:
    import numpy as np
    from face_part_fusion.detectors.builtin import BuiltinDetector
    from face_part_fusion.detectors.find import find_faces
    from PIL import Image

    detector = BuiltinDetector()

    def people(name: str) -> FaceParts:
        pixels = np.asarray(Image.open(shared_faces / "photos" / name).convert("RGB"), dtype=np.float32) / 255
        picture = torch.from_numpy(pixels)[None]
        return choose(picture, find_faces(picture, detector))

    target, source = people("skimage_astronaut.png"), people("faceapi_happy.jpg")
    assembly = assemble("face swap", target, source)
    outside = assembly.mask[0] == 0
    assert torch.equal(assembly.picture[0][outside], target.pictures[0][outside])
    x0, y0, x1, y1 = (int(v) for v in target.face(0).box)
    assert assembly.mask[0, y0:y1, x0:x1].mean() > 0.7 and 0.02 < assembly.mask.mean() < 0.12
    # The same person on their own face: nothing to see, whatever the outline of the landmarks.
    same_person = assemble("face swap", target, target, shown="paste", dilate=0)
    assert (same_person.picture - target.pictures).abs().max() <= 1 / 255
