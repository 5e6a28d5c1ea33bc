"""The loop of every trainer. On one processor it gives the same losses to the bit however often it is cut off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .options import Options
from .plan import Log, Part, Plan
from .record import Record
from .state import TrainingStopped, restore, save_state


def train(
    plan: Plan, state: Path, options: Options, accelerator: Any, log: Log, stop: int | None = None
) -> None:  # fmt: skip
    """Train the parts of `plan` in place; go on from `state` where it exists.

    accelerator: of `accelerator_for`, made before the networks so that they know their device.
    stop: the step before which to leave off, None for none.

    Raises TrainingStopped for data that cannot be read, a loss that is not a number and a disk that is full, and
    ValueError for the state of another training.
    """
    _Run(plan, state, options, accelerator).go(log, plan.steps if stop is None else stop)


class _Run:
    def __init__(self, plan: Plan, state: Path, options: Options, accelerator: Any) -> None:
        self.plan, self.state, self.options, self.accelerator = plan, state, options, accelerator
        self.peaks = {name: [g["lr"] for g in part.optimizer.param_groups] for name, part in plan.parts.items()}
        self.kept = restore(plan, state) if state.exists() else None
        self.first = self.step = 0 if self.kept is None else int(self.kept["step"])
        if options.checkpoint_gradients:
            _checkpoint_gradients(plan)
        self.nets: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Any] = {}
        for name, part in plan.parts.items():
            self.nets[name], self.optimizers[name] = accelerator.prepare(part.net, part.optimizer)
            if part.mean is not None:
                part.mean.net.to(accelerator.device)
        if self.kept is not None:
            self._go_on(self.kept)

    def go(self, log: Log, end: int) -> None:
        if self.step >= end and self.kept is not None:
            return
        # At once, so that a disk or folder that cannot be written is known before the work.
        if self.kept is None:
            self._save(self._places())
        record = self._record(log)
        try:
            while self.step < end and not self.plan.ends(self.step):
                self._one(record)
            if self.step % self._save_every:
                self._save(self._places())
        finally:
            if record is not None:
                record.close()

    def _one(self, record: Record | None) -> None:
        places, step = self._places(), self.step
        terms: dict[str, float] = {}
        rate = self._set_rates(step)
        for i in range(self.options.accumulate):
            batch = self._batch(step * self.options.accumulate + i, places)
            for name, value in self._descend(batch).items():
                terms[name] = terms.get(name, 0.0) + value / self.options.accumulate
        self.step += 1
        for part in self.plan.parts.values():
            if part.mean is not None:
                part.mean.update(part.net, self.step)
        if record is not None:
            record.step(self.step, terms, rate)
        if self.step % self._save_every == 0:
            self._save(self._places())
        if record is not None:
            self._sheet(record)
            if self.step % self.plan.report == 0:
                record.line(self.step)

    def _batch(self, number: int, places: dict[str, Any]) -> Any:
        try:
            return self.plan.batch(number)
        except (ValueError, OSError) as problem:
            if self.accelerator.num_processes == 1:
                self._save(places)
            raise TrainingStopped(
                f"step {self.step + 1} of {self.plan.steps} cannot read its data: {problem}. {self._where} Once the "
                "data are repaired, run the same command again to go on"
            ) from problem

    def _descend(self, batch: Any) -> dict[str, float]:
        """The gradients of one batch, and the step where it is the last of its step. Returns the terms."""
        accelerator, values = self.accelerator, dict[str, float]()
        with accelerator.accumulate(*self.nets.values()):
            with accelerator.autocast():
                losses = self.plan.losses(self.nets, batch)
            while (one := self._next(losses)) is not None:
                name, terms = one
                values |= self._means(terms)
                self._check(values)
                accelerator.backward(sum_of(terms))
            if accelerator.sync_gradients:
                for name, part in self.plan.parts.items():
                    self._clip(name, part)
                for optimizer in self.optimizers.values():
                    optimizer.step()
                    optimizer.zero_grad()
        return values

    def _next(self, losses: Any) -> Any:
        with self.accelerator.autocast():
            return next(losses, None)

    def _means(self, terms: Mapping[str, Tensor]) -> dict[str, float]:
        """Over all processes."""
        values = {name: term.detach() for name, term in terms.items()}
        if self.accelerator.num_processes > 1:
            values = self.accelerator.reduce(values, "mean")
        return {name: float(value) for name, value in values.items()}

    def _check(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                self._not_finite(f"{name} is {value}")

    def _clip(self, name: str, part: Part) -> None:
        if part.clip is not None:
            norm = float(self.accelerator.clip_grad_norm_(self.nets[name].parameters(), part.clip))
            # With fp16 the scaler leaves such a step out by itself.
            if not math.isfinite(norm) and self.accelerator.scaler is None:
                self._not_finite(f"the norm of {name}'s gradients is {norm}")

    def _not_finite(self, what: str) -> None:
        raise TrainingStopped(
            f"step {self.step + 1} of {self.plan.steps}: {what}, so that the weights would be lost. {self._where} Go "
            "on from it with a lower learning rate, or without fp16, and look at the data of this step"
        )

    @property
    def _where(self) -> str:
        return f"The last checkpoint is kept in {self.state}."

    @property
    def _save_every(self) -> int:
        return self.options.save_every or self.plan.save

    def _set_rates(self, step: int) -> float:
        rates = []
        for name, part in self.plan.parts.items():
            for group, peak in zip(part.optimizer.param_groups, self.peaks[name], strict=True):
                group["lr"] = peak * part.rate(step)
                rates.append(group["lr"])
        return float(rates[0])

    def _places(self) -> dict[str, Any]:
        """Where random numbers and data of this process are, before a step."""
        places: dict[str, Any] = {"torch": torch.get_rng_state()}
        if self.accelerator.device.type == "cuda":
            places["cuda"] = torch.cuda.get_rng_state(self.accelerator.device)
        return places | {"streams": {name: stream.state_dict() for name, stream in self.plan.streams.items()}}

    def _save(self, places: dict[str, Any]) -> None:
        if not all(bool(p.isfinite().all()) for part in self.plan.parts.values() for p in part.net.parameters()):
            self._not_finite("weights are not finite")
        everyone = [places]
        if self.accelerator.num_processes > 1:
            from accelerate.utils import gather_object

            everyone = gather_object([places])
        scaler = self.accelerator.scaler
        rest = {"places": everyone, "scaler": None if scaler is None else scaler.state_dict()}
        if self.accelerator.is_main_process:
            save_state(self.plan, self.state, self.step, self.options, rest)

    def _go_on(self, kept: dict[str, Any]) -> None:
        if kept["scaler"] is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(kept["scaler"])
        if len(kept["places"]) != self.accelerator.num_processes:
            # Of another number of processes: their data and random numbers begin anew.
            return
        places = kept["places"][self.accelerator.process_index]
        torch.set_rng_state(places["torch"])
        if "cuda" in places and self.accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(places["cuda"], self.accelerator.device)
        for name, stream in self.plan.streams.items():
            stream.load_state_dict(places["streams"][name])

    def _record(self, log: Log) -> Record | None:
        if not self.accelerator.is_main_process:
            return None
        options = self.options
        return Record(self.plan, self.state, self.first, log, options.tensorboard, options.progress)

    def _sheet(self, record: Record) -> None:
        every = self.options.sheet_every or self.plan.sheet_every
        if self.plan.sheet is None or self.step % every:
            return
        devices = [self.accelerator.device] if self.accelerator.device.type == "cuda" else []
        with torch.no_grad(), torch.random.fork_rng(devices):
            record.sheet(self.step, self.plan.sheet())


def sum_of(terms: Mapping[str, Tensor]) -> Tensor:
    values = list(terms.values())
    return values[0] if len(values) == 1 else torch.stack(values).sum()


def _checkpoint_gradients(plan: Plan) -> None:
    """For the networks of diffusers, which bring it."""
    ways: list[Callable[[], None]] = []
    for part in plan.parts.values():
        nets = (net for net in part.net.modules() if getattr(net, "_supports_gradient_checkpointing", False))
        ways += [net.enable_gradient_checkpointing for net in nets]  # type: ignore[misc]
    if not ways:
        raise ValueError(f"checkpoint_gradients: a {plan.kind} cannot; leave it out")
    for way in ways:
        way()
