"""How a training is run, whatever is trained: where, in which precision, how often it is saved."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from typing import Any

import torch

PRECISIONS = ("no", "bf16", "fp16")
_AUTO = "auto"


@dataclass(frozen=True)
class Options:
    """Of the run, not of the result.

    `device`: cpu, cuda, or auto: what accelerate finds, for this process of those that it launched.
    `precision`: one of PRECISIONS, of the computations; weights stay float32.
    `accumulate`: batches whose gradients are added up to one step.
    `save_every`, `sheet_every`: steps between two checkpoints and two sample sheets; 0: as the trainer has it.
    `checkpoint_gradients`: compute activations anew in the backward pass, for less memory.
    `progress`: a bar with the time left, on a terminal.
    `tensorboard`: write events for TensorBoard beside the CSV.
    """

    device: str = "cpu"
    precision: str = "no"
    accumulate: int = 1
    save_every: int = 0
    sheet_every: int = 0
    checkpoint_gradients: bool = False
    progress: bool = False
    tensorboard: bool = False


def accelerator_for(options: Options, skips: bool = False) -> Any:
    """An `accelerate.Accelerator` for one training. `skips`: whether steps leave some of the weights out.

    Raises ModuleNotFoundError without accelerate, and ValueError for options that do not exist or do not go together.
    """
    _check(options)
    accelerate = _accelerate()
    state = import_module("accelerate.state")
    if state.PartialState._shared_state and state.PartialState().num_processes == 1:
        # Its settings are the process's; a second training here may have others.
        state.AcceleratorState._reset_state(reset_partial_state=True)
    state.GradientState._reset_state()
    return accelerate.Accelerator(
        cpu=options.device == "cpu", mixed_precision=options.precision,
        gradient_accumulation_steps=options.accumulate,
        kwargs_handlers=[accelerate.DistributedDataParallelKwargs(find_unused_parameters=skips)],
    )  # fmt: skip


def main_first(options: Options) -> AbstractContextManager[None]:
    """Around what is prepared once for all processes: the others wait for the first, and find it done."""
    context: AbstractContextManager[None] = accelerator_for(options).main_process_first()
    return context


def process_number() -> int:
    """Of this process among those that a launcher started, from 0."""
    return int(os.environ.get("RANK", "0"))


def apart(seed: int) -> int:
    """`seed` for this process, so that no two have the same data; the first has `seed` itself."""
    return seed + 1_000_003 * process_number()


def listed(names: Iterable[str]) -> dict[str, object]:
    """What data a training saw, for its checkpoint: how many there are, and a digest of their names."""
    own = sorted(names)
    return {"count": len(own), "sha256": sha256("\n".join(own).encode()).hexdigest()}


def _check(options: Options) -> None:
    if options.precision not in PRECISIONS:
        raise ValueError(f"precision is '{options.precision}'; choose one of {', '.join(PRECISIONS)}")
    if options.accumulate < 1:
        raise ValueError(f"accumulate is {options.accumulate}; a step needs at least 1 batch")
    if options.device not in ("cpu", "cuda", _AUTO):
        raise ValueError(
            f"device is '{options.device}'; choose cpu, cuda or {_AUTO}, and the card with CUDA_VISIBLE_DEVICES"
        )
    if options.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is cuda, and PyTorch finds no such card here; choose cpu or {_AUTO}")
    if options.precision == "fp16" and (options.device == "cpu" or not torch.cuda.is_available()):
        raise ValueError("precision is fp16, which needs a graphics card; choose bf16 or no on the processor")


def _accelerate() -> Any:
    try:
        return import_module("accelerate")
    except ModuleNotFoundError as missing:
        if missing.name != "accelerate":
            raise
        raise ModuleNotFoundError(
            "training needs the Python package accelerate, which is not installed; install it with: pip install "
            '"face-part-fusion[training]"'
        ) from missing
