"""Which photographs are kept, and how many at a time."""

from __future__ import annotations

import weakref

import pytest
from face_part_fusion.metrics.describe.choose import Fit
from face_part_fusion.metrics.describe.shortlist import Shortlist


class Photograph:
    """An object whose life can be watched."""

    def __init__(self, name):
        self.name = name


def chosen(fits, best_first=False, **options):
    """The names of those kept, and the most that were alive after any was added."""
    shortlist, alive, most = Shortlist(**{"most": 0, "closest": False} | options), weakref.WeakSet(), 0
    for name, fit in enumerate(fits):
        photograph = Photograph(name)
        alive.add(photograph)
        shortlist.add(photograph, fit)
        del photograph
        most = max(most, len(alive))
    return [photograph.name for photograph in shortlist.items(best_first)], most


FITS = [Fit(0.6, ()), Fit(0.0, ("hat",)), Fit(0.9, ()), Fit(0.7, ()), Fit(0.9, ())]
FAIL = [Fit(0.2, ("hat", "beard")), Fit(0.1, ("hat",)), Fit(0.3, ("hat",)), Fit(0.3, ("beard",))]


@pytest.mark.parametrize("fits, options, kept, alive", [
    (FITS, {}, [0, 2, 3, 4], 4), (FITS, {"most": 2}, [2, 4], 2), (FITS, {"most": 1}, [2], 1),
    (FITS, {"best_first": True}, [2, 4, 3, 0], 4), (FITS, {"most": 3, "best_first": True}, [2, 4, 3], 3),
    (FAIL, {}, [], 0), (FAIL, {"closest": True}, [2], 1), ([*FAIL, *FITS], {"closest": True, "most": 1}, [6], 1),
])  # fmt: skip
def test_no_more_is_kept_than_is_wanted(fits, options, kept, alive):
    assert chosen(fits, **options) == (kept, alive)
