"""For scripts beside this file, after `host.start()`."""

from __future__ import annotations

import gc

from face_part_fusion.injection.sampling.run import SamplingRun


def runs_alive() -> int:
    """How many sampling runs still have a state in memory."""
    gc.collect()
    return sum(type(one) is SamplingRun for one in gc.get_objects())
