import pytest
import torch
from face_part_fusion.detectors.parts import FACE_ORDERS, ON_MISSING, Face
from face_part_fusion.detectors.selection import choose, read_numbers, sort_faces
from hypothesis import given, settings
from hypothesis import strategies as st

# name: box, score; every order tells the three apart.
A = Face((0, 10, 10, 20), 0.5)
B = Face((20, 0, 40, 20), 0.9)
C = Face((42, 40, 47, 45), 0.7)
NAMES = {id(A): "A", id(B): "B", id(C): "C"}


def named(faces):
    return "".join(NAMES[id(face)] for face in faces)


def pictures(count):
    return torch.zeros(count, 50, 50, 3)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("left-right", "ABC"), ("right-left", "CBA"), ("top-bottom", "BAC"), ("bottom-top", "CAB"),
        ("small-large", "CAB"), ("large-small", "BAC"), ("best-worst", "BCA"), ("worst-best", "ACB"),
    ],
)  # fmt: skip
def test_faces_come_in_the_order_asked_for_whatever_order_they_were_found_in(order, expected):
    assert named(sort_faces([A, B, C], order)) == named(sort_faces([C, B, A], order)) == expected


def test_all_eight_orders_are_known_and_another_is_refused_with_the_choices():
    assert len(FACE_ORDERS) == 8 and all(len(sort_faces([A, B, C], order)) == 3 for order in FACE_ORDERS)
    with pytest.raises(ValueError, match="'biggest' is not a face order; choose one of left-right"):
        sort_faces([A], "biggest")


@pytest.mark.parametrize("order", [o for o in FACE_ORDERS if "left" not in o])
def test_ties_go_left_to_right(order):
    row = [Face((x, 5, x + 10, 15), 0.5) for x in (0, 20, 40)]
    assert sort_faces([row[2], row[0], row[1]], order) == tuple(row)


@pytest.mark.parametrize("order", ["left-right", "right-left", "large-small", "best-worst"])
def test_ties_in_one_column_go_top_to_bottom(order):
    column = [Face((5, y, 15, y + 10), 0.5) for y in (0, 20)]
    assert sort_faces(column[::-1], order) == tuple(column)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 2), max_size=6), st.sampled_from(FACE_ORDERS), st.randoms())
def test_sorting_keeps_every_face_and_does_not_depend_on_their_order_before(corners, order, random):
    faces = [Face((x, y, x + 2, y + 2), 0.5) for x, y in set(corners)]
    mixed = random.sample(faces, len(faces))
    assert sort_faces(mixed, order) == sort_faces(faces, order)
    assert set(map(id, sort_faces(faces, order))) == set(map(id, faces))


def test_the_index_takes_the_nth_face_of_every_picture():
    parts = choose(pictures(2), [[A, B], [C, B, A]], "left-right", 1)
    assert parts.chosen == (1, 1) and parts.face(0) is B and parts.face(1) is B
    assert named(parts.faces[1]) == "ABC"


def test_an_index_past_the_last_face_is_refused_with_picture_counts_and_the_fix():
    with pytest.raises(ValueError, match="index 2 asks for face number 3, but picture 2 of 3 has 2") as error:
        choose(pictures(3), [[A, B, C], [A, B], [C]], index=2)
    assert "2 of 3 pictures lack it" in str(error.value) and "lower the index" in str(error.value)


def test_one_picture_is_not_called_picture_1_of_1():
    with pytest.raises(ValueError, match="face number 2, but the picture has 1[.] Faces are numbered from 0"):
        choose(pictures(1), [[A]], index=1)


def test_no_face_is_refused_with_the_picture_the_detector_and_the_fix():
    with pytest.raises(ValueError, match="no face found in picture 2 of 2 by InsightFace[.] Lower the threshold"):
        choose(pictures(2), [[A], []], detector="InsightFace")
    with pytest.raises(ValueError, match="no face found in the picture by the built-in detector"):
        choose(pictures(1), [[]])


def test_keep_empty_leaves_a_picture_without_a_choice_and_keeps_its_faces():
    parts = choose(pictures(3), [[A, B], [], [A]], "left-right", 1, "keep empty")
    assert parts.chosen == (1, None, None) and len(parts) == len(parts.pictures) == 3
    assert parts.face(1) is None and parts.faces[2] == (A,)


def test_previous_takes_over_faces_and_choice_of_the_picture_before():
    parts = choose(pictures(4), [[A, B], [], [], [C]], "left-right", 0, "previous")
    assert [named(faces) for faces in parts.faces] == ["AB", "AB", "AB", "C"]
    assert parts.chosen == (0, 0, 0, 0) and parts.face(2) is A


def test_previous_at_the_start_of_a_batch_takes_the_first_that_was_found():
    parts = choose(pictures(4), [[], [A], [B, C], [A]], "left-right", 1, "previous")
    assert [named(faces) for faces in parts.faces] == ["BC", "BC", "BC", "BC"]
    assert [parts.face(i) for i in range(4)] == [C, C, C, C]


@pytest.mark.parametrize("policy", ["keep empty", "previous"])
def test_a_batch_without_any_face_stays_a_batch(policy):
    parts = choose(pictures(3), [[], [], []], on_missing=policy)
    assert parts.chosen == (None, None, None) and len(parts) == 3


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.integers(0, 3), st.sampled_from(ON_MISSING[1:]))
def test_a_batch_never_shrinks(counts, index, policy):
    parts = choose(pictures(len(counts)), [[A, B, C][:n] for n in counts], "left-right", index, policy)
    assert len(parts) == len(parts.faces) == len(parts.chosen) == len(counts)
    if policy == "previous" and max(counts) > index:
        assert None not in parts.chosen
    for faces, chosen in zip(parts.faces, parts.chosen, strict=True):
        assert chosen is None or chosen == index < len(faces)


def test_a_policy_that_is_unknown_and_a_negative_index_are_refused():
    with pytest.raises(ValueError, match="on_missing is 'skip'; choose one of error, keep empty, previous"):
        choose(pictures(1), [[A]], on_missing="skip")
    with pytest.raises(ValueError, match="index is -1; faces are numbered from 0"):
        choose(pictures(1), [[A]], index=-1)


def test_further_faces_are_chosen_beside_the_one_of_the_index_and_never_alone():
    parts = choose(pictures(3), [[A, B, C], [A], []], "left-right", 0, "keep empty", also=(2, 0, 1))
    assert [parts.numbers(i) for i in range(3)] == [(0, 2, 1), (0,), ()]
    assert [named(parts.all_chosen(i)) for i in range(3)] == ["ACB", "A", ""]
    assert parts.single(0).numbers(0) == (0, 2, 1) and parts.face(0) is A
    previous = choose(pictures(2), [[A, B], []], "left-right", 1, "previous", also=(0,))
    assert [previous.numbers(i) for i in range(2)] == [(1, 0), (1, 0)]


def test_a_further_face_that_a_picture_lacks_is_refused_with_the_fix():
    with pytest.raises(
        ValueError, match=r"also asks for face number 3 \(2\), but the picture has 2. Faces are numbered"
    ):
        choose(pictures(1), [[A, B]], also=(1, 2))


def test_numbers_are_read_with_commas_or_spaces_and_once_each():
    assert read_numbers(" 2, 0 2,1") == (2, 0, 1) and read_numbers("") == ()
    for wrong in ("1; 2", "-1", "one", "1.5", "²"):
        with pytest.raises(ValueError, match="also is .*write numbers of faces, from 0, with commas between"):
            read_numbers(wrong)
