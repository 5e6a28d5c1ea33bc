"""Orders that can be left off anywhere."""

from __future__ import annotations

import pytest
import torch
from face_part_fusion.training.core.order import Order
from torch import Generator


def drawn(order: Order, times: int) -> list[tuple[list[int], float]]:
    """Others draw from the same generator in between."""
    return [(order.take(7, 3), float(torch.rand((), generator=order.random))) for _ in range(times)]


@pytest.mark.parametrize("before", [0, 1, 2, 5])
def test_an_order_goes_on_where_it_was(before: int):
    first, again = Order(Generator().manual_seed(1)), Order(Generator().manual_seed(2))
    drawn(first, before)
    again.load_state_dict(first.state_dict())
    assert drawn(first, 6) == drawn(again, 6)


def test_a_batch_is_of_one_pass_and_no_number_comes_twice_in_it():
    order = Order(Generator().manual_seed(1))
    one, two, three = (numbers for numbers, _ in drawn(order, 3))
    assert len({*one, *two}) == 6 and len(set(three)) == 3 and not order.over


def test_more_than_there_are_is_refused():
    with pytest.raises(ValueError, match="batch of 8 cannot be taken from a set of 7"):
        Order(Generator()).take(7, 8)
