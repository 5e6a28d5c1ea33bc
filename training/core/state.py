"""Checkpoints. NAME.pt has the step, the optimisers and the places of all random numbers, and names the file with the
weights, NAME-STEP.safetensors, whose metadata say how they came about. NAME.pt is replaced last: whenever a run is cut
off, what it names is whole.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .options import Options
from .plan import Part, Plan

METADATA = "face_part_fusion"
_VERSIONS = ("torch", "numpy", "accelerate", "safetensors", "diffusers")


class TrainingStopped(RuntimeError):
    """Why a training ended early, what is kept, and what to do."""


def save_state(plan: Plan, state: Path, step: int, options: Options, rest: Mapping[str, Any]) -> None:
    """`rest`: of the run, such as the places of random numbers.

    Raises TrainingStopped where it cannot be written; the checkpoint before it is then as it was.
    """
    weights = state.with_name(f"{state.stem}-{step}.safetensors")
    tensors = {
        f"{name}.{role}.{key}": value.detach().cpu().contiguous()
        for name, part in plan.parts.items()
        for role, net in _nets(part).items()
        for key, value in net.state_dict().items()
    }
    kept = {
        "step": step, "weights": weights.name, "facts": dict(plan.facts),
        "optimizers": {name: part.optimizer.state_dict() for name, part in plan.parts.items()}, **rest,
    }  # fmt: skip
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        _whole(weights, lambda part: save_file(tensors, part, {METADATA: json.dumps(_facts(plan, step, options))}))
        _whole(state, lambda part: torch.save(kept, part))
    except (OSError, RuntimeError, SafetensorError) as problem:
        before = f"the checkpoint before it is kept in {state}" if state.exists() else "there is no checkpoint yet"
        size = sum(value.numel() * value.element_size() for value in tensors.values()) / 1e6
        raise TrainingStopped(
            f"the checkpoint of step {step} cannot be written to {state.parent}: {problem}; {before}. Make room for "
            f"{3 * size:.0f} MB there, and run the same command again to go on"
        ) from problem
    _clean(state, weights)


def read_state(state: Path, kind: str) -> dict[str, Any]:
    """What `save_state` wrote, without the weights. Raises ValueError for another file and a damaged one."""
    try:
        kept = torch.load(state, map_location="cpu", weights_only=True)
    except Exception as problem:  # Damaged files raise nearly anything.
        raise ValueError(f"{state} cannot be read as the state of a training: {problem}") from problem
    if not isinstance(kept, dict) or "weights" not in kept:
        raise ValueError(
            f"{state} is not the state of a {kind}'s training as this version writes it; name another folder"
        )
    return kept


def restore(plan: Plan, state: Path) -> dict[str, Any]:
    """Load weights and optimisers into the parts; returns what `read_state` does. Raises ValueError as it does."""
    kept = read_state(state, plan.kind)
    try:
        tensors = load_file(state.with_name(kept["weights"]))
        for name, part in plan.parts.items():
            for role, net in _nets(part).items():
                net.load_state_dict(_below(tensors, f"{name}.{role}."))
            part.optimizer.load_state_dict(kept["optimizers"][name])
    except (OSError, SafetensorError) as problem:
        raise ValueError(f"{kept['weights']} beside {state} is missing or damaged: {problem}") from problem
    except (RuntimeError, KeyError, ValueError) as problem:
        raise ValueError(f"{state} belongs to a run with another {plan.kind}; name another folder") from problem
    return kept


def weights_of(state: Path, part: str, role: str, kind: str) -> dict[str, Tensor]:
    """The weights of a part's network in the role "net" or "mean"."""
    return _below(load_file(state.with_name(read_state(state, kind)["weights"])), f"{part}.{role}.")


def facts_of(weights: Path) -> dict[str, Any]:
    """Kind, step, settings, options, facts of the data and versions with which a file of weights was made."""
    with safe_open(weights, "pt") as file:
        return json.loads(file.metadata()[METADATA])


def _facts(plan: Plan, step: int, options: Options) -> dict[str, Any]:
    settings = None if plan.settings is None else dataclasses.asdict(plan.settings)
    return {
        "kind": plan.kind, "step": step, "steps": plan.steps, "settings": settings, "options": vars(options),
        "facts": dict(plan.facts), "versions": {"python": platform.python_version(), **_versions()},
    }  # fmt: skip


def _versions() -> dict[str, str]:
    versions = {}
    for name in ("face-part-fusion", *_VERSIONS):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _nets(part: Part) -> dict[str, nn.Module]:
    return {"net": part.net} | ({} if part.mean is None else {"mean": part.mean.net})


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _whole(file: Path, write: Callable[[Path], object]) -> None:
    """`file` gets its name only when it is complete and on the disk."""
    part = file.with_name(file.name + ".part")
    try:
        write(part)
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _clean(state: Path, current: Path) -> None:
    """Away with weights of earlier steps, and with what a run that was cut off left half written."""
    earlier = re.compile(rf"{re.escape(state.stem)}-\d+\.safetensors(\.part)?")
    for file in state.parent.iterdir():
        if file != current and earlier.fullmatch(file.name):
            file.unlink(missing_ok=True)
