import numpy as np
import pytest
import torch
from face_part_fusion.detectors.picture import as_pictures, stacked


def test_a_proper_batch_passes_through_as_it_is():
    batch = torch.rand(2, 4, 5, 3)
    assert torch.equal(as_pictures(batch), batch)


def test_grey_becomes_three_equal_channels():
    grey = torch.rand(4, 5)
    for shape in [(4, 5), (4, 5, 1), (1, 4, 5, 1)]:
        out = as_pictures(grey.reshape(shape))
        assert out.shape == (1, 4, 5, 3) and all(torch.equal(out[0, ..., c], grey) for c in range(3))


def test_alpha_is_dropped_from_colour_and_from_grey():
    rgba, grey = torch.rand(2, 4, 5, 4), torch.rand(2, 4, 5, 2)
    assert torch.equal(as_pictures(rgba), rgba[..., :3])
    assert torch.equal(as_pictures(grey), grey[..., :1].expand(2, 4, 5, 3))


def test_one_picture_without_a_batch_is_a_batch_of_one():
    one = torch.rand(4, 5, 3)
    assert torch.equal(as_pictures(one), one[None])


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_come_out_as_float32(kind):
    batch = torch.rand(1, 4, 5, 3).to(kind)
    assert as_pictures(batch).dtype == torch.float32 and torch.equal(as_pictures(batch), batch.float())


def test_bytes_are_brought_to_0_to_1():
    out = as_pictures(torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3))
    assert torch.allclose(out.flatten(), torch.tensor([0, 0.2, 1.0]))


def test_one_pixel_is_a_picture():
    assert as_pictures(torch.rand(1, 1, 1, 3)).shape == (1, 1, 1, 3)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_value_that_is_not_a_number_is_refused_by_input_name(value):
    batch = torch.zeros(1, 2, 2, 3)
    batch[0, 1, 1, 2] = value
    with pytest.raises(ValueError, match="^target holds values that are not numbers"):
        as_pictures(batch, "target")


@pytest.mark.parametrize(
    "shape",
    [(0, 4, 4, 3), (1, 0, 4, 3), (1, 4, 0, 3), (1, 4, 4, 0), (1, 4, 4, 5), (1, 3, 8, 9), (1, 1, 4, 4, 3), (4,), ()],
)
def test_another_shape_is_refused_by_input_name(shape):
    with pytest.raises(ValueError, match="reference has shape .*needed is .batch, height, width, channels") as error:
        as_pictures(torch.zeros(shape), "reference")
    assert str(tuple(shape)) in str(error.value)


@pytest.mark.parametrize("wrong", [None, "photo.png", np.zeros((1, 4, 4, 3))])
def test_anything_but_a_tensor_is_refused_by_input_name_and_type(wrong):
    with pytest.raises(TypeError, match=f"image must be a picture tensor .*got {type(wrong).__name__}"):
        as_pictures(wrong)


def test_the_input_is_not_changed():
    batch = torch.rand(1, 3, 3, 4)
    before = batch.clone()
    as_pictures(batch)
    assert torch.equal(batch, before)


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.int16])
def test_whole_numbers_other_than_bytes_are_refused_by_input_name_with_the_fix(kind):
    with pytest.raises(ValueError, match=rf"^target holds values of type {kind}; .* target.float\(\) / 255"):
        as_pictures(torch.full((1, 2, 2, 3), 200, dtype=kind), "target")


@pytest.mark.parametrize("low, high", [(0, 255), (0, 128), (-1, 1), (-123, 130)])
def test_a_picture_of_another_range_is_refused_by_input_name_with_the_fix(low, high):
    batch = torch.linspace(low, high, 48).reshape(1, 4, 4, 3)
    with pytest.raises(ValueError, match=f"^eyes goes from {low} to {high}; needed is 0..1. Divide .* by 255"):
        as_pictures(batch, "eyes")


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_a_little_overshoot_is_clamped(kind):
    batch = torch.tensor([-0.05, 0.5, 1.05], dtype=kind).reshape(1, 1, 1, 3)
    assert as_pictures(batch).flatten().tolist() == [0, 0.5, 1]
    assert batch.min() < 0 and batch.max() > 1


def test_pictures_that_come_one_after_another_become_the_batch_that_stack_gives():
    pictures = [torch.rand(4, 5, 3) for _ in range(3)]
    assert torch.equal(stacked(iter(pictures), 3), torch.stack(pictures))
    assert stacked(iter(()), 0).numel() == 0
