"""One sampling run of a patch, as a host calls it, without a host."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from torch import Tensor


class Guider:
    """What a patch reads of the host's guider. `highest`: the noise level at the beginning of a sampling run."""

    def __init__(self, highest: float = 10.0) -> None:
        self.model_options: dict[str, Any] = {"transformer_options": {}}
        model_sampling = SimpleNamespace(percent_to_sigma=lambda share: highest * (1 - share))
        self.model_patcher = SimpleNamespace(get_model_object=lambda name: model_sampling)


def in_run(
    patch: Any, noise: Tensor, sampler: Callable[[dict[str, Any]], Any], guider: Guider | None = None,
    highest: float = 10.0,
) -> Any:  # fmt: skip
    """What `sampler` returns; it gets the options of the run's model calls."""
    executor = Executor(guider or Guider(highest), lambda class_obj, _: sampler(_options(class_obj)))
    return patch.around_sampling(executor, noise)


class Executor:
    """The end of a host's chain of wrappers."""

    def __init__(self, class_obj: Any, compute: Callable[..., Any]) -> None:
        self.class_obj, self._compute = class_obj, compute

    def __call__(self, *arguments: Any) -> Any:
        return self._compute(self.class_obj, *arguments)


def _options(guider: Any) -> dict[str, Any]:
    return guider.model_options["transformer_options"]
