"""State kept during one sampling run, and the base of every patch that needs it.

The state belongs to the run and not to the patch: samplings may be nested, and two may run at once with one model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from .conditionings import in_options
from .grid_masks import Size
from .span import WHOLE_RUN, Levels, Span


@contextmanager
def problems_of(owner: str) -> Iterator[None]:
    """A ValueError that is raised inside is prefixed with `owner`, the node that made a patch."""
    try:
        yield
    except ValueError as problem:
        raise ValueError(f"{owner}: {problem}") from problem


class SamplingRun:
    """State of one patch during one sampling run.

    `levels`: the noise levels at which the patch acts, None for all. `latent`: height and width of the latents that are
    sampled, in cells.
    """

    def __init__(self, levels: Levels | None = None, latent: Size | None = None) -> None:
        self._levels, self._latent = levels, latent
        self._step: tuple[Tensor | None, bool] = (None, True)
        self._kept: dict[Any, Any] = {}

    def __deepcopy__(self, memo: Any) -> SamplingRun:
        return self

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` returned when `key` was first asked for in this run."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def without_kept(self) -> SamplingRun:
        """The same run with nothing kept."""
        return SamplingRun(self._levels, self._latent)

    @property
    def kept_bytes(self) -> int:
        """Size of all tensors that are kept."""
        kept = [t for value in self._kept.values() for t in (value if isinstance(value, tuple) else (value,))]
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

    def refuse_pieces(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError when a call with the host's `options` computes a piece of the latent: no mask fits it."""
        shape = options.get("original_shape")
        if self._latent is not None and shape is not None and tuple(shape[-2:]) != self._latent:
            raise ValueError(
                f"the model is called with a piece of {shape[-2]} x {shape[-1]} cells of a latent of {self._latent[0]} "
                f"x {self._latent[1]}, where the regions do not fit: the patch cannot work with area conditioning or "
                "tiled sampling; use masked conditioning instead"
            )


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
        with in_options(guider, self.key, self._begin(noise, model_sampling)):
            return executor(noise, *arguments, **named)

    def around_model(
        self, executor: Any, x: Tensor, t: Tensor, c_concat: Tensor | None = None, c_crossattn: Any = None,
        control: Any = None, transformer_options: dict[str, Any] | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """APPLY_MODEL: a call of the model outside of any sampling run is a run of its own."""
        options = self.options_of_call(executor.class_obj, x, t, transformer_options or {})
        return executor(x, t, c_concat, c_crossattn, control, options, **more)

    def options_of_call(self, model: Any, x: Tensor, t: Tensor, options: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of the host's `options` for a call of `model` with latents `x` at noise levels `t`, with a run."""
        inner = {"sigmas": t, **options}
        if self.key not in inner:
            inner[self.key] = self._begin(x, model.model_sampling)
        return inner

    def _begin(self, latents: Tensor, model_sampling: Any) -> SamplingRun:
        height, width = latents.shape[-2:]
        return SamplingRun(self.span.levels(model_sampling.percent_to_sigma), (int(height), int(width)))
