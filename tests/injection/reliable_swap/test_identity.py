"""One person from several photographs, outliers, and the file that keeps them."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.detectors.parts import Face, FaceParts
from face_part_fusion.injection.reliable_swap.identity import (
    between,
    check_provider,
    likeness,
    load_identity,
    read_identity,
    save_identity,
)
from safetensors.torch import save_file
from support.drawn_faces import SIZE, drawn
from support.plain_swapper import PlainSwapper

RED, BLUE = (0.9, 0.3, 0.3), (0.2, 0.3, 0.9)


def photo(colour, face=None, faces=None):
    """One picture of one colour; `faces`: all of its faces, of which the first is chosen."""
    faces = (drawn() if face is None else face,) if faces is None else faces
    return FaceParts(torch.tensor(colour).expand(1, *SIZE, 3), (faces,), (0 if faces else None,))


def turned(yaw):
    face = drawn()
    return Face(face.box, face.score, face.landmarks, face.scheme, (yaw, 0.0, 0.0), face.regions)


def test_one_photograph_is_its_own_vector_and_a_batch_is_one_person():
    swapper = PlainSwapper()
    one, report = read_identity(swapper, {"person": photo(RED)})
    assert one.vector.shape == (640,) and one.photographs == 1 and report == ("one person from 1 photograph",)
    assert one.vector[512:515].tolist() == pytest.approx(RED, abs=1e-3) and one.thumbnail.shape == (128, 128, 3)
    two = FaceParts(photo(RED).pictures.expand(2, -1, -1, -1), ((drawn(),),) * 2, (0, 0))
    batch, _ = read_identity(swapper, {"person": two})
    assert batch.photographs == 2 and torch.allclose(batch.vector, one.vector, atol=1e-6)


def test_large_faces_from_in_front_count_more():
    swapper = PlainSwapper()
    near, _ = read_identity(swapper, {"a": photo((0.9, 0.3, 0.3)), "b": photo((0.9, 0.6, 0.3), turned(75.0))})
    even, _ = read_identity(swapper, {"a": photo((0.9, 0.3, 0.3)), "b": photo((0.9, 0.6, 0.3))})
    small = drawn(unit=5.0)
    tiny, _ = read_identity(swapper, {"a": photo((0.9, 0.3, 0.3)), "b": photo((0.9, 0.6, 0.3), small)})
    assert even.vector[513] == pytest.approx(0.45, abs=1e-3)
    assert float(near.vector[513]) == pytest.approx((0.3 + 0.6 * 0.2588) / 1.2588, abs=1e-3)
    assert float(tiny.vector[513]) < 0.42
    assert torch.allclose(near.vector[:512].norm(), torch.ones(()))


def test_somebody_else_is_told_and_left_out_of_three_but_not_of_two():
    swapper = PlainSwapper()
    three, report = read_identity(swapper, {"a": photo(RED), "b": photo(BLUE), "c": photo((0.8, 0.3, 0.3))})
    alone, _ = read_identity(swapper, {"a": photo(RED), "c": photo((0.8, 0.3, 0.3))})
    assert three.photographs == 2 and torch.allclose(three.vector, alone.vector)
    assert "b shows somebody else (likeness -" in report[1] and report[1].endswith("is left out")
    two, report = read_identity(swapper, {"a": photo(RED), "b": photo(BLUE)})
    assert two.photographs == 2 and "counts all the same, as there are only two" in report[1]


def test_a_swapper_that_takes_a_picture_gets_the_best_photographs_and_no_mean():
    swapper = PlainSwapper()
    swapper.pictures = True
    near = drawn(unit=70.0)
    one, _ = read_identity(swapper, {"a": photo(RED, turned(60.0)), "b": photo((0.8, 0.3, 0.3), near)})
    assert one.vector[512:515].tolist() == pytest.approx((0.8, 0.3, 0.3), abs=1e-3)


def test_pictures_of_nobody_and_of_several_people_are_told():
    people = {"a": photo(RED, faces=(drawn(), drawn(x=120.0))), "b": photo(BLUE, faces=())}
    one, report = read_identity(PlainSwapper(), people)
    assert one.photographs == 1
    assert report[1:] == ("a has 2 faces, of which the chosen one is read", "b has no face and is left out")
    with pytest.raises(ValueError, match="^b: no photograph has a face to read the person from"):
        read_identity(PlainSwapper(), {"b": photo(BLUE, faces=())})
    with pytest.raises(ValueError, match="^a: a face swap needs eyes, nose and mouth"):
        read_identity(PlainSwapper(), {"a": photo(RED, Face((0, 0, 50, 50), 1.0))})


def test_an_identity_comes_back_from_its_small_file(tmp_path):
    one, _ = read_identity(PlainSwapper(), {"a": photo(RED), "b": photo(RED)})
    save_identity(one, tmp_path / "anna.safetensors")
    assert (tmp_path / "anna.safetensors").stat().st_size < 60_000
    back = load_identity(tmp_path / "anna.safetensors")
    assert torch.equal(back.vector, one.vector) and (back.provider, back.photographs) == ("mean colours", 2)
    assert float((back.thumbnail - one.thumbnail).abs().max()) <= 0.5 / 255 + 1e-6


def test_an_identity_of_another_recogniser_is_refused_with_both_names():
    one, _ = read_identity(PlainSwapper(), {"a": photo(RED)})
    check_provider(one, PlainSwapper(), "identity")
    with pytest.raises(ValueError, match=r"reference was made by mean colours \(640 values\).*by another \(640 values"):
        check_provider(one, PlainSwapper(provider="another"), "reference")
    with pytest.raises(ValueError, match=r"\(640 values\), and this swapper needs one by mean colours \(512 values\)"):
        check_provider(one, PlainSwapper(lower=False), "identity")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: (t, {}), "holds no saved identity .it says no format"),
        (lambda t, m: (t, m | {"format": "other 2"}), "its format is 'other 2'"),
        (lambda t, m: (t | {"more": torch.ones(1)}, m), "was changed since"),
        (lambda t, m: (t | {"identity": torch.full((640,), float("nan"))}, m), "was changed since"),
        (lambda t, m: (t | {"identity": torch.ones(9)}, m), "was changed since"),
        (lambda t, m: (t | {"thumbnail": torch.ones(4, 4, 3)}, m), "was changed since"),
        (lambda t, m: ({"identity": t["identity"]}, m), "was changed since"),
        (lambda t, m: (t, m | {"photographs": "many"}), "was changed since"),
    ],
)
def test_other_files_are_refused(tmp_path, change, message):
    tensors = {"identity": torch.ones(640), "thumbnail": torch.zeros(4, 4, 3, dtype=torch.uint8)}
    metadata = {"format": "face_part_fusion identity 1", "provider": "mean colours", "photographs": "2"}
    save_file(tensors, tmp_path / "a.safetensors", metadata)
    assert load_identity(tmp_path / "a.safetensors").photographs == 2
    tensors, metadata = change(tensors, metadata)
    save_file(tensors, tmp_path / "a.safetensors", metadata)
    with pytest.raises(ValueError, match=message):
        load_identity(tmp_path / "a.safetensors")


def test_a_damaged_file_is_told(tmp_path):
    one, _ = read_identity(PlainSwapper(), {"a": photo(RED)})
    save_identity(one, tmp_path / "a.safetensors")
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(whole[:1000])
    with pytest.raises(ValueError, match="cut short or damaged"):
        load_identity(tmp_path / "a.safetensors")


def test_between_two_identities():
    own, new = torch.zeros(640), torch.zeros(640)
    own[0], new[1], own[600], new[600] = 1, 1, 2, 6
    half = between(own, new, 0.5, 1.0)
    assert half[:2].tolist() == pytest.approx([0.5**0.5] * 2) and float(half[600]) == 4
    assert float(between(own, new, 1.0, 0.0)[600]) == 2 and torch.equal(between(own, new, 1.0, 1.0), new)
    assert likeness(own, new) == 0 and likeness(own, own) == 1
