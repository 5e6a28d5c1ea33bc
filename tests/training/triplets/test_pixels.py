"""The steps in pixels: pyramids, colours, classes and codes."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.fusion.dilation import dilate_area
from face_part_fusion.training.shards import classes as names
from face_part_fusion.training.triplets.colour import EPSILON, transfer_colours
from face_part_fusion.training.triplets.multi_band import LEVELS, SIDE, blend, blend_bands, enlarged, halved
from face_part_fusion.training.triplets.reshape import dropped, region_code, reshaped


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("height, width", [(1, 1), (2, 3), (5, 4), (16, 16), (33, 20)])
def test_a_picture_is_halved_and_enlarged_as_opencv_does(height: int, width: int):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is what the pyramids are compared with")
    picture = noise(height, width, 3)
    small = cv2.pyrDown(picture.numpy()).reshape((height + 1) // 2, (width + 1) // 2, 3)
    own = halved(picture.movedim(-1, 0))
    assert torch.allclose(own.movedim(0, -1), torch.from_numpy(small), atol=1e-6)
    large = cv2.pyrUp(small, dstsize=(width, height)) if min(height, width) > 1 else None
    if large is not None:
        assert torch.allclose(enlarged(own, (height, width)).movedim(0, -1), torch.from_numpy(large), atol=1e-6)


@pytest.mark.parametrize("size, levels", [((SIDE, SIDE), LEVELS), ((90, 61), 5)])
def test_the_blend_is_that_of_opencvs_pyramids(size: tuple[int, int], levels: int):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is what the pyramids are compared with")
    first, second, mask = noise(*size, 3, seed=1), noise(*size, 3, seed=2), (noise(*size, 1, seed=3) > 0.5).float()

    def down(picture):
        pictures = [picture.numpy()]
        for _ in range(levels - 1):
            h, w = pictures[-1].shape[:2]
            pictures.append(cv2.pyrDown(pictures[-1]).reshape((h + 1) // 2, (w + 1) // 2, -1))
        return pictures

    def up(picture, like):
        return cv2.pyrUp(picture, dstsize=(like.shape[1], like.shape[0])).reshape(*like.shape[:2], -1)

    def bands(picture):
        pictures = down(picture)
        return [own - up(small, own) for own, small in zip(pictures, pictures[1:], strict=False)] + pictures[-1:]

    mixed = [m * a + (1 - m) * b for a, b, m in zip(bands(first), bands(second), down(mask), strict=True)]
    expected = mixed[-1]
    for band in reversed(mixed[:-1]):
        expected = up(expected, band) + band
    own = blend_bands(*(each.movedim(-1, 0) for each in (first, second, mask)), levels)
    assert torch.allclose(own.movedim(0, -1), torch.from_numpy(expected), atol=1e-5)


def test_a_blend_has_each_pictures_detail_on_its_side_and_one_tone_over_the_seam():
    detail = (noise(256, 256, 1) - 0.5) * 0.2
    first, second, mask = 0.7 + detail.expand(-1, -1, 3), torch.full((256, 256, 3), 0.4), torch.zeros(256, 256)
    mask[:, :128] = 1
    result = blend(first, second, mask)
    assert float(result.min()) >= 0 and float(result.max()) <= 1
    left, right = result[:, :96].std(), result[:, 160:].std()
    assert float(left) > 0.7 * float(blend(first, second, torch.ones(256, 256))[:, :96].std()) and float(right) < 0.01
    assert float((result[:, 112:128].mean() - result[:, 128:144].mean()).abs()) < 0.02
    assert torch.allclose(blend(second, first, torch.ones(256, 256)), second, atol=1e-5)


def test_colours_get_the_mean_and_the_covariance_of_the_target():
    turn = torch.tensor([[0.4, 0.3, 0.0], [0.0, 0.2, 0.1], [0.1, 0.0, 0.3]])
    picture, target = noise(40, 30, 3) * 0.3 + 0.2, noise(25, 50, 3, seed=1) @ turn
    result = transfer_colours(picture, target).reshape(-1, 3).double()
    other = target.reshape(-1, 3).double()
    assert torch.allclose(result.mean(0), other.mean(0), atol=1e-4)
    assert torch.allclose(result.T.cov(correction=0), other.T.cov(correction=0), atol=1e-4)


def test_a_picture_of_one_colour_takes_the_targets_mean_and_stays_one_colour():
    result = transfer_colours(torch.full((8, 8, 3), 0.5), noise(8, 8, 3))
    assert EPSILON == 1e-5 and bool(torch.isfinite(result).all())
    assert torch.allclose(result[0, 0], noise(8, 8, 3).mean((0, 1)), atol=1e-4)
    assert torch.allclose(result, result[:1, :1].expand_as(result), atol=1e-4)


def test_a_region_code_says_what_both_pictures_show():
    face, ground = torch.tensor([[True]]), torch.tensor([[False]])
    truth = {(face, face): 3, (ground, ground): 6, (face, ground): 2, (ground, face): 7}
    assert all(int(region_code(target, new)) == code for (target, new), code in truth.items())


def test_the_blue_area_grows_by_two_pixels_each_way_and_leaves_hair_out():
    target, new, hair = torch.zeros(3, 11, 11).bool()
    target[5, 5] = True
    drop = dropped(region_code(target, new), hair)
    expected = torch.zeros(11, 11).bool()
    expected[3:8, 3:8] = True
    assert torch.equal(drop, expected)
    hair[5, 5] = True
    assert not dropped(region_code(target, new), hair).any()
    # The reverse, green, is covered by the new face.
    assert not dropped(region_code(new, target), ~target).any()


def test_a_dropped_cheek_takes_the_ground_around_it_and_nothing_further_changes():
    target, new = torch.zeros(2, 32, 32).bool()
    target[8:24, 8:24] = new[8:24, 8:20] = True
    picture = torch.where(target[..., None], 0.9, 0.1).expand(32, 32, 3).contiguous()
    code = region_code(target, new)
    drop = dropped(code, torch.zeros(32, 32).bool())
    result = reshaped(picture, drop, code)
    # Its edge is soft by one pixel each way.
    inside, outside = ~dilate_area(~drop, 1), ~dilate_area(drop, 1)
    assert torch.equal(result[outside], picture[outside])
    assert inside.any() and float((result[inside] - 0.1).abs().max()) < 1e-5
    everything = torch.full((32, 32), 3)
    assert torch.equal(reshaped(picture, torch.zeros(32, 32).bool(), everything), picture)


def test_the_new_face_shows_where_it_has_skin_or_parts_and_neither_head_has_hair():
    face = ("SKIN", "NOSE", "GLASSES", "LEFT_EYE", "RIGHT_EYE", "LEFT_BROW", "RIGHT_BROW", "TEETH", "LOWER_LIP")
    ground = ("BACKGROUND", "EARS", "HAIR", "HAT", "NECK", "CLOTHES")
    new = torch.tensor([[getattr(names, name) for name in (*face, *ground)]], dtype=torch.uint8)
    assert names.inner_face(new)[0].tolist() == [True] * len(face) + [False] * len(ground)
    bald, hairy = torch.full_like(new, names.SKIN), torch.full_like(new, names.HAIR)
    assert names.blend_mask(new, bald)[0].tolist() == [0.0] * len(face) + [1.0] * len(ground)
    assert bool((names.blend_mask(new, hairy) == 1).all())
