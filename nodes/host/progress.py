"""The host's progress bar and stop button as callbacks for code that knows no host."""

from __future__ import annotations

from typing import Any

import comfy.model_management
import comfy.utils

from ...detectors.progress import Progress


def host_progress() -> Progress:
    """A callback (done, total); raises the host's interruption when the user pressed stop."""
    bar = comfy.utils.ProgressBar(1)

    def report(done: int, total: int) -> None:
        stop_if_asked()
        bar.update_absolute(done, total)

    return report


def stop_if_asked(*_: Any) -> None:
    """Raises the host's interruption when the user pressed stop. Also a hook before a module's forward."""
    comfy.model_management.throw_exception_if_processing_interrupted()
