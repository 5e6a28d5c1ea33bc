"""EXIF data of a target - camera, time, place - go along; damaged ones are told and never stop a photograph."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
from face_part_fusion.command.main import main
from face_part_fusion.command.mask_file import load_mask
from face_part_fusion.command.photo import read_photo, save_photo
from PIL import ExifTags, Image

ORIENTATION, THUMBNAIL = int(ExifTags.Base.Orientation), int(ExifTags.Base.JpegIFOffset)
MADE, PLACE, DETAILS = "Kamerabau", {1: "N", 2: (48.0, 30.0, 12.5), 3: "E", 4: (11.0, 1.0, 2.0)}, int(ExifTags.IFD.Exif)
MAKERS_OWN = b"Nikon\0\2\x10\0\0II*\0" + bytes(range(60))


def exif_data(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION], exif[int(ExifTags.Base.Make)] = orientation, MADE
    exif[int(ExifTags.IFD.GPSInfo)] = PLACE
    exif[DETAILS] = {0x9003: "2024:01:02 03:04:05", 0x829A: 0.005, 0x927C: MAKERS_OWN}
    return exif.tobytes()


def picture() -> Image.Image:
    """30 x 20 smooth pixels, each corner another colour."""
    corners = np.array([[[250, 20, 20], [20, 250, 20]], [[20, 20, 250], [240, 240, 20]]], np.uint8)
    return Image.fromarray(corners).resize((30, 20), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_pillow_does_and_its_mask_too(tmp_path, orientation):
    from PIL import ImageOps

    picture().save(tmp_path / "p.png", exif=exif_data(orientation))
    photo = read_photo(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as file:
        upright = np.asarray(ImageOps.exif_transpose(file))
    assert np.array_equal((photo.picture[0].numpy() * 255).round(), upright) and photo.notes == ()
    picture().convert("L").save(tmp_path / "m.png", exif=exif_data(orientation))
    assert load_mask(tmp_path / "m.png")[0].shape[1:] == upright.shape[:2]


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff"])
def test_everything_is_kept_and_the_orientation_is_reset(tmp_path, kind, ending):
    picture().save(tmp_path / f"p.{kind}", exif=exif_data(6))
    photo, out = read_photo(tmp_path / f"p.{kind}"), tmp_path / f"out.{ending}"
    save_photo(photo.picture[0], out, [] if ending == "tiff" else ["eyes replaced"], photo)
    with Image.open(out) as copy:
        exif = copy.getexif()
        assert copy.size == (20, 30) and exif.get(ORIENTATION, 1) == 1 and exif[int(ExifTags.Base.Make)] == MADE
        assert exif.get_ifd(int(ExifTags.IFD.GPSInfo)) == PLACE
        assert exif.get_ifd(DETAILS)[0x9003] == "2024:01:02 03:04:05" and exif.get_ifd(DETAILS)[0x927C] == MAKERS_OWN
    assert ending == "tiff" or b"compositeWithTrainedAlgorithmicMedia" in out.read_bytes()
    assert np.array_equal(read_photo(out).picture.shape, photo.picture.shape), "it is not turned twice"


def test_a_grey_file_of_16_bits_keeps_them_too(tmp_path):
    Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100).save(tmp_path / "p.png", exif=exif_data(6))
    photo = read_photo(tmp_path / "p.png")
    save_photo(photo.picture[0], tmp_path / "out.png", copy_of=photo)
    with Image.open(tmp_path / "out.png") as copy:
        assert copy.mode == "L" and copy.size == (20, 30) and copy.info["exif"] == exif_data(1)


def test_all_but_the_orientation_stays_bit_for_bit(tmp_path):
    for orientation in (1, 8):
        picture().save(tmp_path / "p.jpg", exif=exif_data(orientation))
        assert read_photo(tmp_path / "p.jpg").exif == exif_data(1)


def test_the_thumbnail_of_the_old_picture_is_neither_listed_nor_left(tmp_path):
    """A second directory, which lists a JPEG file that lies behind it."""
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG")
    thumb, main_part = buffer.getvalue(), bytearray(exif_data(3)[6:])
    count = int.from_bytes(main_part[8:10], "big")
    main_part[10 + 12 * count : 14 + 12 * count] = len(main_part).to_bytes(4, "big")
    at = len(main_part) + 2 + 2 * 12 + 4
    entries = [(0x0201, at), (0x0202, len(thumb))]
    second = b"\0\2" + b"".join(t.to_bytes(2, "big") + b"\0\4\0\0\0\1" + v.to_bytes(4, "big") for t, v in entries)
    picture().save(tmp_path / "p.jpg", exif=b"Exif\0\0" + bytes(main_part) + second + bytes(4) + thumb)
    with Image.open(tmp_path / "p.jpg") as file:
        assert THUMBNAIL in file.getexif().get_ifd(ExifTags.IFD.IFD1) and thumb in file.info["exif"]
    photo = read_photo(tmp_path / "p.jpg")
    save_photo(photo.picture[0], tmp_path / "out.jpg", copy_of=photo)
    with Image.open(tmp_path / "out.jpg") as copy:
        assert not copy.getexif().get_ifd(ExifTags.IFD.IFD1) and copy.getexif()[int(ExifTags.Base.Make)] == MADE
        assert thumb[:40] not in copy.info["exif"] and thumb[-40:] not in copy.info["exif"]


def test_damaged_data_are_told_and_the_photograph_is_read(tmp_path, recwarn):
    """Bits, bytes and lengths of it changed at random: Pillow raises five kinds of errors for these."""
    rng, told = random.Random(1), 0
    for _ in range(400):
        data = bytearray(exif_data(6))
        for _ in range(rng.choice([1, 2, 8])):
            data[rng.randrange(6, len(data))] = rng.randrange(256)
        data = data[: rng.randrange(6, len(data))] if rng.random() < 0.3 else data
        ending = rng.choice(["jpg", "png", "webp"])
        picture().save(tmp_path / f"p.{ending}", exif=bytes(data))
        photo = read_photo(tmp_path / f"p.{ending}")
        assert sorted(photo.picture.shape) == [1, 3, 20, 30]
        told += any("EXIF data are damaged" in note for note in photo.notes)
        for out in ("jpg", "png", "webp"):
            save_photo(photo.picture[0], tmp_path / f"out.{out}", ["x"], photo)
            assert read_photo(tmp_path / f"out.{out}").picture.shape == photo.picture.shape
    assert 20 < told < 380 and not recwarn.list


def test_a_swap_keeps_place_and_time_of_the_target_alone(portrait: Path, tmp_path):
    Image.open(portrait).rotate(-90, expand=True).save(tmp_path / "t.jpg", exif=exif_data(8), quality=95)
    Image.open(portrait).save(tmp_path / "r.jpg", exif=exif_data().replace(MADE.encode(), b"Another! "))
    words = ["--target", str(tmp_path / "t.jpg"), "--mouth", str(tmp_path / "r.jpg"), "-o", str(tmp_path / "out.jpg")]
    assert main(["swap", *words]) == 0
    with Image.open(tmp_path / "out.jpg") as copy:
        assert copy.size == (320, 320) and copy.info["exif"] == exif_data(1)
