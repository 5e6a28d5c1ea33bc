"""What a file holds besides its colours - profile, transparency, quality, depth - goes along or is told about."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch
from face_part_fusion.command import open_file
from face_part_fusion.command.colours import from_srgb, to_srgb
from face_part_fusion.command.main import main
from face_part_fusion.command.mask_file import load_mask
from face_part_fusion.command.open_file import free_memory
from face_part_fusion.command.photo import load_photo, read_photo, save_photo
from PIL import Image, ImageCms, JpegImagePlugin

SIZE = 24


def wide_profile() -> bytes:
    """An RGB profile with Display P3's primaries (adapted to D50) and a gamma of 2.2."""
    number = lambda value: struct.pack(">i", round(value * 65536))  # noqa: E731

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(number, values))

    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + b"\0" * 78
    tags = {
        b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.51512, 0.2412, -0.00105), b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": xyz(0.1571, 0.06657, 0.78407),
        **{tag: b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) for tag in (b"rTRC", b"gTRC", b"bTRC")},
    }  # fmt: skip
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data
    size = 128 + len(table) + len(body)
    head = struct.pack(">I", size) + b"\0" * 4 + b"\x02\x10\0\0" + b"mntrRGB XYZ " + b"\0" * 12 + b"acsp" + b"\0" * 88
    return head[:68] + number(0.9642) + number(1.0) + number(0.8249) + head[80:128] + table + body


WIDE = wide_profile()


def colours(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def changed_copy(path, out) -> tuple[np.ndarray, np.ndarray]:
    """Make the top left quarter grey in a copy of a photograph; values of both files as they lie in them."""
    photo = read_photo(path)
    picture = photo.picture[0].clone()
    picture[: SIZE // 2, : SIZE // 2] = 0.5
    save_photo(picture, out, copy_of=photo)
    with Image.open(path) as before, Image.open(out) as after:
        assert before.size == after.size
        return np.asarray(before), np.asarray(after)


def rest() -> np.ndarray:
    outside = np.ones((SIZE, SIZE), bool)
    outside[: SIZE // 2, : SIZE // 2] = False
    return outside


def test_a_profile_is_applied_on_reading(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "wide.png", icc_profile=WIDE)
    plain = load_photo(tmp_path / "wide.png")[0]
    assert torch.equal(plain, torch.from_numpy(np.asarray(to_srgb(Image.fromarray(colours()), WIDE)) / np.float32(255)))
    red = Image.new("RGB", (1, 1), (200, 60, 40))
    assert to_srgb(red, WIDE).getpixel((0, 0))[0] > 205, "the same numbers are a stronger red in a wider space"


@pytest.mark.parametrize("ending", ["png", "webp", "tiff", "jpg"])
def test_a_profile_is_kept_and_untouched_pixels_stay_bit_for_bit(tmp_path, ending):
    Image.fromarray(colours()).save(tmp_path / "wide.png", icc_profile=WIDE)
    photo = read_photo(tmp_path / "wide.png")
    before, after = changed_copy(tmp_path / "wide.png", tmp_path / f"out.{ending}")
    with Image.open(tmp_path / f"out.{ending}") as out:
        assert out.info["icc_profile"] == WIDE == photo.profile
    if ending in ("png", "tiff"):
        assert (before != after).any(-1)[: SIZE // 2, : SIZE // 2].mean() > 0.9
        assert np.array_equal(before[rest()], after[rest()])
    back = load_photo(tmp_path / f"out.{ending}")[0, : SIZE // 2 - 4, : SIZE // 2 - 4]
    assert (back - 0.5).abs().mean() < 0.02


def test_a_format_without_profiles_gets_srgb(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "wide.png", icc_profile=WIDE)
    changed_copy(tmp_path / "wide.png", tmp_path / "out.bmp")
    shown = to_srgb(Image.fromarray(colours()), WIDE)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.bmp"))[rest()], np.asarray(shown)[rest()])


def test_colours_go_through_srgb_and_back_within_rounding():
    inside = (colours() // 6 + 100).astype(np.uint8)
    image = Image.fromarray(inside)
    back = np.asarray(from_srgb(to_srgb(image, WIDE), WIDE)).astype(int)
    assert np.abs(back - inside).max() <= 3


@pytest.mark.parametrize(
    "profile", [b"not a profile", WIDE[:200], ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
def test_a_broken_profile_is_told_and_the_pixels_are_used(tmp_path, profile):
    Image.fromarray(colours()).save(tmp_path / "p.png", icc_profile=profile)
    photo = read_photo(tmp_path / "p.png")
    assert photo.profile is None and "its colours are taken for sRGB" in photo.notes[0]
    assert torch.equal(photo.picture[0], torch.from_numpy(colours() / np.float32(255)))


def test_cmyk_is_read_and_told(tmp_path):
    Image.fromarray(colours() // 3 + 80).convert("CMYK").save(tmp_path / "p.jpg", quality=100)
    photo = read_photo(tmp_path / "p.jpg")
    assert "CMYK" in photo.notes[0]
    assert (photo.picture[0] * 255 - torch.from_numpy(colours() // 3 + 80)).abs().mean() < 8


def cut_out(path, mode: str = "RGBA") -> np.ndarray:
    pixels = np.concatenate((colours(), np.full((SIZE, SIZE, 1), 255, np.uint8)), -1)
    pixels[:, -6:, 3] = 0
    pixels[:, -8:-6, 3] = 128
    image = Image.fromarray(pixels)
    (image if mode == "RGBA" else image.convert(mode)).save(path)
    return pixels


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_transparency_is_kept_and_what_it_hides_is_neither_used_nor_changed(tmp_path, ending):
    pixels = cut_out(tmp_path / "cut.png")
    seen = read_photo(tmp_path / "cut.png").picture[0, :, -6:] * 255
    mean = torch.from_numpy(pixels[:, :-6, :3].reshape(-1, 3).mean(0))
    assert (seen - mean).abs().max() <= 0.51, "hidden pixels are the mean of the visible ones"
    before, after = changed_copy(tmp_path / "cut.png", tmp_path / f"out.{ending}")
    assert after.shape == before.shape and np.array_equal(after[rest()], before[rest()])
    assert np.array_equal(after[..., 3], before[..., 3])


def test_a_jpeg_of_a_cut_out_is_white_where_it_was_transparent(tmp_path):
    cut_out(tmp_path / "cut.png")
    changed_copy(tmp_path / "cut.png", tmp_path / "out.jpg")
    assert np.asarray(Image.open(tmp_path / "out.jpg"))[:, -3:].min() > 235


def test_a_palette_with_a_transparent_colour_keeps_it(tmp_path):
    image = Image.fromarray(colours()).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    image.save(tmp_path / "p.png", transparency=3)
    photo = read_photo(tmp_path / "p.png")
    assert photo.alpha is not None and set(np.unique(photo.alpha)) == {0, 255}
    save_photo(photo.picture[0], tmp_path / "out.png", copy_of=photo)
    assert Image.open(tmp_path / "out.png").mode == "RGBA"


@pytest.mark.parametrize("quality, subsampling", [(70, 2), (92, 0), (85, 1)])
@pytest.mark.parametrize("edits", [[], ["eyes replaced"]])
def test_a_jpeg_keeps_its_quality_with_and_without_the_mark(tmp_path, quality, subsampling, edits):
    Image.fromarray(colours()).save(tmp_path / "p.jpg", quality=quality, subsampling=subsampling)
    photo = read_photo(tmp_path / "p.jpg")
    save_photo(photo.picture[0], tmp_path / "out.jpg", edits, photo)
    with Image.open(tmp_path / "p.jpg") as before, Image.open(tmp_path / "out.jpg") as after:
        assert after.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(after) == subsampling


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_other_lossy_files_are_written_alike_with_and_without_the_mark(tmp_path, ending):
    picture = torch.from_numpy(colours() / np.float32(255))
    for name, edits in (("marked", ["eyes replaced"]), ("plain", [])):
        save_photo(picture, tmp_path / f"{name}.{ending}", edits)
    marked, plain = (np.asarray(Image.open(tmp_path / f"{name}.{ending}")) for name in ("marked", "plain"))
    assert np.array_equal(marked, plain)
    if ending == "jpg":
        with Image.open(tmp_path / "plain.jpg") as image:
            assert JpegImagePlugin.get_sampling(image) == 0 and max(image.quantization[0]) <= 15


def test_a_lossless_webp_stays_lossless_under_its_profile_too(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "p.webp", lossless=True, icc_profile=WIDE)
    before, after = changed_copy(tmp_path / "p.webp", tmp_path / "out.webp")
    assert np.array_equal(before[rest()], after[rest()])
    Image.fromarray(colours()).save(tmp_path / "lossy.webp", quality=80)
    assert read_photo(tmp_path / "lossy.webp").options == {}


def test_an_animation_and_16_bits_of_colour_are_told(tmp_path):
    frames = [Image.fromarray(colours(seed)) for seed in range(3)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    photo = read_photo(tmp_path / "a.webp")
    assert photo.notes == ("it has 3 pictures, and the first one is used",)
    assert torch.equal(photo.picture[0], torch.from_numpy(colours() / np.float32(255)))
    (tmp_path / "deep.png").write_bytes(deep_png())
    assert "16 bits per channel" in read_photo(tmp_path / "deep.png").notes[0]


def deep_png() -> bytes:
    """A PNG of 4 x 4 pixels with 16 bits for each of three channels."""
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(range(24)) for _ in range(4))
    head = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_more_pixels_than_pillow_takes_are_read_and_its_limit_stays(tmp_path, monkeypatch):
    Image.fromarray(colours()).save(tmp_path / "p.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert load_photo(tmp_path / "p.png").shape == (1, SIZE, SIZE, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("width, height", [(60, 60), (200, 30), (31, 97)])
def test_the_advice_for_too_large_a_picture_works(tmp_path, monkeypatch, width, height):
    Image.new("RGB", (width, height)).save(tmp_path / "p.png")
    monkeypatch.setattr(open_file, "MOST_PIXELS", 1000)
    with pytest.raises(ValueError, match=rf"p.png cannot be read: it is {width} x {height} pixels.* at most") as error:
        load_photo(tmp_path / "p.png")
    longest = int(str(error.value).split("at most ")[-1].split()[0])
    image = Image.open(tmp_path / "p.png")
    image.thumbnail((longest, longest))
    image.save(tmp_path / "smaller.png")
    assert load_photo(tmp_path / "smaller.png").shape[1:3] == image.size[::-1] and max(image.size) == longest


def test_too_little_free_memory_is_told_with_its_amount(tmp_path, monkeypatch):
    Image.new("RGB", (60, 60)).save(tmp_path / "p.png")
    assert free_memory() is None or free_memory() > 1e6
    monkeypatch.setattr(open_file, "free_memory", lambda: 100_000)
    with pytest.raises(ValueError, match=r"because 0.0 GB of memory are free; shrink it .* at most \d+ pixels"):
        load_photo(tmp_path / "p.png")


AREA = np.zeros((8, 10), np.uint8)
AREA[2:5, 3:7] = 1


def paint(kind: str) -> Image.Image:
    light = np.stack([AREA * 255] * 3, -1)
    return {
        "grey": lambda: Image.fromarray(AREA * 255),
        "0 and 1": lambda: Image.fromarray(AREA),
        "1 bit": lambda: Image.fromarray(AREA.astype(bool)),
        "16 bits": lambda: Image.fromarray(AREA.astype(np.uint16) * 65535),
        "16 bits, 0 and 1": lambda: Image.fromarray(AREA.astype(np.uint16)),
        "red on black": lambda: Image.fromarray(light * np.array([1, 0, 0], np.uint8)),
        "white on transparent white": lambda: Image.fromarray(np.concatenate((light * 0 + 255, light[..., :1]), -1)),
        "black on transparent": lambda: Image.fromarray(np.concatenate((light * 0, light[..., :1]), -1)),
        "red on transparent": lambda: Image.fromarray(
            np.concatenate((light * 0 + np.array([255, 0, 0], np.uint8), light[..., :1]), -1)
        ),
        "opaque alpha": lambda: Image.fromarray(np.concatenate((light, light[..., :1] * 0 + 255), -1)),
        "grey and alpha": lambda: Image.fromarray(np.stack((AREA * 255, AREA * 0 + 255), -1)),
        "palette": lambda: Image.fromarray(AREA * 255).convert("P"),
    }[kind]()


@pytest.mark.parametrize("kind", [
    "grey", "0 and 1", "1 bit", "16 bits", "16 bits, 0 and 1", "red on black", "white on transparent white",
    "black on transparent", "red on transparent", "opaque alpha", "grey and alpha", "palette",
])  # fmt: skip
def test_a_mask_is_read_as_people_paint_it(kind, tmp_path):
    paint(kind).save(tmp_path / "mask.png")
    mask, notes = load_mask(tmp_path / "mask.png")
    assert torch.allclose(mask[0], torch.from_numpy(AREA.astype(np.float32)), atol=1e-6)
    assert bool(notes) == (kind.endswith("0 and 1") or "transparent" in kind)


def test_white_and_black_on_transparent_is_white_where_both_are(tmp_path):
    pixels = np.zeros((8, 10, 4), np.uint8)
    pixels[2:5, :, 3] = 255
    pixels[2:5, 3:7, :3] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    assert torch.equal(load_mask(tmp_path / "mask.png")[0][0], torch.from_numpy(AREA.astype(np.float32)))


def test_a_half_grey_mask_stays_and_is_told(tmp_path):
    Image.fromarray(AREA * 128).save(tmp_path / "mask.png")
    mask, notes = load_mask(tmp_path / "mask.png")
    assert abs(float(mask.max()) - 128 / 255) < 1e-6 and "changes by 50%" in notes[0]


def test_a_photograph_with_transparent_areas_is_refused_as_a_mask(tmp_path):
    cut_out(tmp_path / "cut.png")
    with pytest.raises(ValueError, match="cut.png is a coloured picture with transparent areas.*save the mask alone"):
        load_mask(tmp_path / "cut.png")


def test_a_swap_keeps_profile_and_transparency_of_the_target(portrait, tmp_path, capsys):
    image = Image.open(portrait).convert("RGBA")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 320, 40))
    image.putalpha(alpha)
    image.save(tmp_path / "t.png", icc_profile=WIDE)
    out = tmp_path / "out.png"
    assert main(["swap", "--target", str(tmp_path / "t.png"), "--mouth", str(portrait), "-o", str(out)]) == 0
    before, after = (np.asarray(Image.open(file)) for file in (tmp_path / "t.png", out))
    assert Image.open(out).info["icc_profile"] == WIDE and np.array_equal(before[..., 3], after[..., 3])
    different = (before != after).any(-1)
    assert 0.001 < different.mean() < 0.2 and not different[:80].any()


def test_colours_beyond_srgb_fade_out_with_the_change(tmp_path):
    """A stronger red than sRGB has, changed by 0, half and wholly to grey: no step, and nothing of it is left."""
    red = np.zeros((1, 3, 3), np.uint8) + np.array([250, 20, 20], np.uint8)
    Image.fromarray(red).save(tmp_path / "red.png", icc_profile=WIDE)
    photo = read_photo(tmp_path / "red.png")
    amount = torch.tensor([[0.0, 0.5, 1.0]])
    mixed = photo.picture[0] + amount[..., None] * (0.5 - photo.picture[0])
    save_photo(mixed, tmp_path / "out.png", copy_of=photo, changed=amount)
    none, half, whole = np.asarray(Image.open(tmp_path / "out.png"))[0].astype(int)
    assert none.tolist() == [250, 20, 20] and np.ptp(whole) <= 2
    assert np.abs(half - (none + whole) / 2).max() < 25


def grey_profile(gamma: float) -> bytes:
    """A grey profile, from the RGB one above: its curve alone."""
    number = struct.pack(">IH", 1, round(gamma * 256))
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + b"\0" * 78
    white = b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in (0.9642, 1.0, 0.8249))
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": white, b"kTRC": b"curv\0\0\0\0" + number}
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data
    return struct.pack(">I", 128 + len(table) + len(body)) + WIDE[4:16] + b"GRAY" + WIDE[20:128] + table + body


@pytest.mark.parametrize("profile", [None, grey_profile(1.4)])
@pytest.mark.parametrize("ending", ["jpg", "png", "tiff", "webp", "bmp"])
def test_a_grey_photograph_stays_grey_with_its_profile_where_the_copy_is(tmp_path, ending, profile):
    grey = Image.fromarray(colours()).convert("L")
    grey.save(tmp_path / "p.png", **({"icc_profile": profile} if profile else {}))
    before, after = changed_copy(tmp_path / "p.png", tmp_path / f"out.{ending}")
    with Image.open(tmp_path / f"out.{ending}") as out:
        kept = ending not in ("webp", "bmp")
        assert out.mode == ("RGB" if ending == "webp" else "L")
        assert out.info.get("icc_profile") == (profile if kept else None)
    if ending in ("png", "tiff"):
        assert np.array_equal(before[rest()], after[rest()])
    again, first = load_photo(tmp_path / f"out.{ending}")[0], load_photo(tmp_path / "p.png")[0]
    assert (again - first)[rest()].abs().mean() < 0.02
    assert (again[: SIZE // 2 - 8, : SIZE // 2 - 8] - 0.5).abs().max() < 0.06


def test_a_grey_photograph_that_gets_colour_is_written_in_colour(tmp_path):
    Image.fromarray(colours()).convert("L").save(tmp_path / "p.png", icc_profile=grey_profile(1.8))
    photo = read_photo(tmp_path / "p.png")
    picture = photo.picture[0].clone()
    picture[:4] = torch.tensor([0.8, 0.2, 0.1])
    save_photo(picture, tmp_path / "out.png", copy_of=photo)
    with Image.open(tmp_path / "out.png") as out:
        assert out.mode == "RGB" and "icc_profile" not in out.info
    assert (load_photo(tmp_path / "out.png")[0] - picture).abs().max() < 0.01


@pytest.mark.parametrize("bits", ["L", "LA", "1", "I;16"])
def test_grey_files_of_all_kinds_come_back_grey(tmp_path, bits):
    grey = np.asarray(Image.fromarray(colours()).convert("L"))
    image = Image.fromarray(grey.astype(np.uint16) * 257) if bits == "I;16" else Image.fromarray(grey).convert(bits)
    image.save(tmp_path / "p.png")
    photo = read_photo(tmp_path / "p.png")
    save_photo(photo.picture[0], tmp_path / "out.png", copy_of=photo)
    with Image.open(tmp_path / "out.png") as out:
        assert out.mode == ("LA" if bits == "LA" else "L")
        wanted = image.convert("L") if bits != "I;16" else Image.fromarray(grey)
        assert np.array_equal(np.asarray(out.convert("L")), np.asarray(wanted))


@pytest.mark.parametrize("quality", [60, 92])
def test_a_swap_in_a_grey_jpeg_gives_a_grey_jpeg_of_its_quality(portrait, tmp_path, quality):
    Image.open(portrait).convert("L").save(tmp_path / "t.jpg", quality=quality)
    words = ["--target", str(tmp_path / "t.jpg"), "--mouth", str(portrait), "-o", str(tmp_path / "out.jpg")]
    assert main(["swap", *words]) == 0
    with Image.open(tmp_path / "t.jpg") as before, Image.open(tmp_path / "out.jpg") as after:
        assert after.mode == "L" and after.quantization == before.quantization
        assert (np.asarray(before) != np.asarray(after)).mean() < 0.3
