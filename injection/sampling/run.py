"""State kept during one sampling run, and the base of every patch that needs it.

The state belongs to the run and not to the patch: samplings may be nested, and two may run at once with one model.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .areas import Area, areas_of_call
from .conditionings import in_options, noted_areas
from .grid_masks import Size, Window
from .rows import Rows
from .span import WHOLE_RUN, Levels, Span

# Make-ups of a call's rows of which constants are kept: those of a guider with several conditionings, and of areas.
MAKE_UPS = 8


@contextmanager
def problems_of(owner: str) -> Iterator[None]:
    """A ValueError that is raised inside is prefixed with `owner`, the node that made a patch."""
    try:
        yield
    except ValueError as problem:
        raise ValueError(f"{owner}: {problem}") from problem


@contextmanager
def uncompiled() -> Iterator[None]:
    """While inside, what torch.compile compiled runs as it was written.

    A compiled UNet keeps the patches of its first call, or their absence, for all models. PyTorch before 2.6 cannot
    switch.
    """
    # Not imported for this: a model can only have been compiled where the compiler is imported.
    if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
        with torch.compiler.set_stance("force_eager"):
            yield
    else:
        yield


class SamplingRun:
    """State of one patch during one sampling run.

    `levels`: the noise levels at which the patch acts, None for all. `latent`: height and width of the latents that are
    sampled, in cells. `latents`: how many are sampled. Both are None when they are those of each call.
    """

    def __init__(self, levels: Levels | None = None, latent: Size | None = None, latents: int | None = None) -> None:
        self._levels, self.latent, self.latents = levels, latent, latents
        self._step: tuple[Tensor | None, bool] = (None, True)
        self._kept: dict[Any, Any] = {}
        self._kept_of_rows: dict[Any, dict[Any, Any]] = {}

    def __deepcopy__(self, memo: Any) -> SamplingRun:
        return self

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` returned when `key` was first asked for in this run."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def keep_of_rows(self, rows: Any, key: Any, make: Callable[[], Any]) -> Any:
        """As `keep`, for one make-up of a call's rows; what belongs to the make-ups used last is kept, and no more.

        Context windows make up the rows of a call in ever new ways.
        """
        kept = self._kept_of_rows.pop(rows, {})
        self._kept_of_rows[rows] = kept
        if len(self._kept_of_rows) > MAKE_UPS:
            del self._kept_of_rows[next(iter(self._kept_of_rows))]
        if key not in kept:
            kept[key] = make()
        return kept[key]

    def without_kept(self) -> SamplingRun:
        """The same run with nothing kept."""
        return SamplingRun(self._levels, self.latent, self.latents)

    @property
    def kept_bytes(self) -> int:
        """Size of all tensors that are kept."""
        values = [*self._kept.values(), *(v for kept in self._kept_of_rows.values() for v in kept.values())]
        kept = [t for value in values for t in (value if isinstance(value, tuple) else (value,))]
        return sum(t.numel() * t.element_size() for t in kept if isinstance(t, Tensor))

    def acts(self, options: Mapping[str, Any]) -> bool:
        """Whether the patch acts in the step of a call with the host's `options`."""
        return self._levels is None or self.acts_at(options["sigmas"])

    def acts_at(self, sigmas: Tensor) -> bool:
        """Whether the patch acts at the noise levels (rows,) of a step."""
        if self._levels is None:
            return True
        # Read once per step, because reading waits for the graphics card.
        if self._step[0] is not sigmas:
            self._step = (sigmas, self._levels.include(float(sigmas.max())))
        return self._step[1]

    def rows(self, options: Mapping[str, Any], total: int) -> Rows:
        """The rows of a call with the host's `options` that has `total` of them."""
        return Rows.of(options, total, self.latents)

    def areas(self, options: Mapping[str, Any], piece: Size) -> tuple[Area, ...]:
        """For each chunk of rows the area that a call computes; `piece`: height and width of its latents, in cells.

        Raises ValueError when the call computes a piece of the latent that no area explains.
        """
        return areas_of_call(options, noted_areas(options), piece, self.latent)

    def windows(self, options: Mapping[str, Any]) -> tuple[Window, ...]:
        """As `areas`, for a call within the UNet, as shares of the latent; one window when all chunks have the same."""
        height, width = options.get("original_shape", self.latent or (1, 1))[-2:]
        piece = (int(height), int(width))
        windows = tuple(area.window(self.latent or piece) for area in self.areas(options, piece))
        return windows[:1] if len(set(windows)) == 1 else windows


class SamplingPatch:
    """Base of a patch: every sampling run has a `SamplingRun` of its own, in the host's options under `key`.

    `owner`: the node that made the patch, for messages. `span`: in which part of a sampling run it acts.
    """

    def __init__(self, owner: str, span: Span = WHOLE_RUN) -> None:
        self.owner, self.span = owner, span
        # Of this very object, so that two patches on one model do not share a run.
        self.key = f"face_part_fusion_run_{id(self)}"

    def __deepcopy__(self, memo: Any) -> Any:
        # Hosts before 0.14 copy patches and wrappers deeply with every clone of a model.
        return self

    def check_latents(self, noise: Tensor) -> None:
        """Raises ValueError when the patch does not fit the latents (N, C, ..., h, w) that are to be sampled."""

    def run_of(self, options: Mapping[str, Any]) -> SamplingRun:
        """The run that a call with the host's `options` belongs to; a new one where the UNet is called by itself.

        Raises ValueError for such a call when the patch acts in a part of the run only.
        """
        run = options.get(self.key)
        if run is not None:
            return run
        if not self.span.whole:
            raise ValueError(
                f"{self.owner}: the patch acts in a part of the sampling run, and the UNet was called outside of one; "
                "call the model's apply_model"
            )
        return SamplingRun()

    def around_sampling(self, executor: Any, noise: Tensor, *arguments: Any, **named: Any) -> Any:
        """OUTER_SAMPLE: a run begins and ends. Raises ValueError as `check_latents` does."""
        guider = executor.class_obj
        with problems_of(self.owner):
            self.check_latents(noise)
        # Those of the model that samples, as another node may have changed its noise levels after this one.
        model_sampling = guider.model_patcher.get_model_object("model_sampling")
        with in_options(guider, self.key, self._begin(noise, model_sampling, len(noise))):
            return executor(noise, *arguments, **named)

    def around_model(
        self, executor: Any, x: Tensor, t: Tensor, c_concat: Tensor | None = None, c_crossattn: Any = None,
        control: Any = None, transformer_options: dict[str, Any] | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """APPLY_MODEL: a call of the model outside of any sampling run is a run of its own."""
        options = self.options_of_call(executor.class_obj, x, t, transformer_options or {})
        with uncompiled():
            return executor(x, t, c_concat, c_crossattn, control, options, **more)

    def options_of_call(self, model: Any, x: Tensor, t: Tensor, options: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of the host's `options` for a call of `model` with latents `x` at noise levels `t`, with a run."""
        inner = {"sigmas": t, **options}
        if self.key not in inner:
            inner[self.key] = self._begin(x, model.model_sampling)
        return inner

    def _begin(self, latents: Tensor, model_sampling: Any, count: int | None = None) -> SamplingRun:
        height, width = latents.shape[-2:]
        return SamplingRun(self.span.levels(model_sampling.percent_to_sigma), (int(height), int(width)), count)
