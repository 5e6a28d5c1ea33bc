"""Masks of a film take memory where a face is, and nowhere else."""

import resource
import sys
from pathlib import Path

import pytest
import torch
from face_part_fusion.fusion.canvas import black_masks


def taken() -> int:
    """Bytes that this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_black_masks_are_zeros_that_can_be_written():
    masks = black_masks((2, 3, 5))
    assert masks.shape == (2, 3, 5) and masks.dtype == torch.float32 and not masks.any()
    masks[1, 2, 4] = 0.5
    assert masks.sum() == 0.5 and masks.clone()[1, 2, 4] == 0.5


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_masks_of_a_film_take_memory_for_what_is_written_alone():
    before = taken()
    masks = black_masks((100, 540, 960))
    # A face in each frame: 100 rows of at most two pages.
    for mask in masks:
        mask[200:300, 400:500] = 1.0
    assert masks[:, 0].sum() == 0
    assert taken() - before < 100 * 100 * 2 * 4096 * 1.2 < masks.numel() * 4 / 2
