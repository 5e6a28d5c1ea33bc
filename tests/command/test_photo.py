"""Photographs of any kind of file become colours in 0..1, and go back."""

import numpy as np
import pytest
import torch
from face_part_fusion.command.photo import load_photo, save_photo
from PIL import Image


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "I;16"])
def test_photographs_of_any_mode_are_read_as_colour(mode, tmp_path):
    Image.new(mode, (7, 5)).save(tmp_path / "photo.png")
    assert load_photo(tmp_path / "photo.png").shape == (1, 5, 7, 3)


def test_a_photograph_is_turned_upright_as_its_camera_noted(tmp_path):
    image, exif = Image.new("RGB", (7, 5)), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "photo.jpg", exif=exif)
    assert load_photo(tmp_path / "photo.jpg").shape == (1, 7, 5, 3)


def test_a_picture_goes_to_a_file_and_back_within_half_a_step(tmp_path):
    picture = torch.rand(6, 7, 3) * 1.4 - 0.2
    path = save_photo(picture, tmp_path / "a" / "b" / "photo.png")
    assert (load_photo(path)[0] - picture.clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6


RAMP = np.linspace(0, 65535, 35).reshape(5, 7)


@pytest.mark.parametrize("kind, ending", [(np.uint16, "png"), (np.uint16, "tiff"), (np.int32, "tiff")])
def test_a_grey_picture_of_16_bits_keeps_them(kind, ending, tmp_path):
    Image.fromarray(RAMP.astype(kind)).save(tmp_path / f"photo.{ending}")
    photo = load_photo(tmp_path / f"photo.{ending}")
    assert photo.shape == (1, 5, 7, 3) and torch.equal(photo[..., 0], photo[..., 2])
    assert np.allclose(photo[0, ..., 0], RAMP.astype(kind) / 65535, atol=1e-6)


@pytest.mark.parametrize("white", [1.0, 1.4, 255.0, 65535.0])
def test_a_picture_of_floats_is_taken_for_the_range_that_holds_it(white, tmp_path):
    values = (RAMP / 65535 * white).astype(np.float32)
    Image.fromarray(values).save(tmp_path / "photo.tiff")
    divided = values / (1 if white < 2 else white)
    assert np.allclose(load_photo(tmp_path / "photo.tiff")[0, ..., 0], divided.clip(0, 1), atol=1e-6)


@pytest.mark.parametrize(
    "value, message", [(float("nan"), "values from nan"), (1e9, "values from 0 to 1e"), (-9.0, "values from -9")]
)
def test_floats_that_are_not_a_picture_are_refused_by_path(value, message, tmp_path):
    values = np.zeros((5, 7), np.float32)
    values[2, 3] = value
    Image.fromarray(values).save(tmp_path / "photo.tiff")
    with pytest.raises(ValueError, match=f"photo.tiff .*{message}"):
        load_photo(tmp_path / "photo.tiff")
