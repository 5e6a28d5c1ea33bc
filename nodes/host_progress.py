"""The host's progress bar and stop button behind one callback that the computing code can call."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_management
import comfy.utils


def host_progress() -> Callable[[int, int], None]:
    """A callback (done, total); raises the host's interruption when the user pressed stop."""
    bar = comfy.utils.ProgressBar(1)

    def report(done: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    return report
