"""A trainer's dataclass of settings, filled from the command line and from a TOML file."""

from __future__ import annotations

import argparse
import typing
from collections.abc import Mapping
from dataclasses import fields, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from .options import PRECISIONS, Options

T = TypeVar("T")
# As the command begins; from Python the processor is the default.
_OPTIONS = Options(device="auto", progress=True, tensorboard=find_spec("tensorboard") is not None)


def add_settings(parser: argparse.ArgumentParser, *defaults: Any) -> None:
    """An option for every field of a settings dataclass, the options of `Options`, and --config.

    `defaults`: objects of one dataclass; more than one where the defaults depend on another option.
    """
    parser.add_argument("--config", type=Path, help="TOML file with settings; options of the command go before it")
    for objects in (defaults, (_OPTIONS,)):
        hints = typing.get_type_hints(type(objects[0]))
        for field in fields(objects[0]):
            values = dict.fromkeys(str(getattr(each, field.name)) for each in objects)
            _add(parser, field.name, hints[field.name], getattr(objects[0], field.name), " or ".join(values))


def read_settings(options: argparse.Namespace, default: T) -> tuple[T, Options]:
    """`default` and the options of the run, with what the file of --config and the command line say.

    Raises ValueError for a file that cannot be read, and for a name or a type in it that the trainer does not know.
    """
    file = {} if options.config is None else _read(options.config)
    known = {field.name for each in (default, _OPTIONS) for field in fields(each)}  # type: ignore[arg-type]
    if unknown := sorted(file.keys() - known):
        raise ValueError(
            f"{options.config} has {', '.join(unknown)}, which this trainer does not know; it knows "
            + ", ".join(sorted(known))
        )
    return _filled(default, file, options), _filled(_OPTIONS, file, options)


def _add(parser: argparse.ArgumentParser, name: str, kind: Any, value: object, shown: str) -> None:
    option: dict[str, Any] = {"dest": name, "default": None, "help": f"default: {shown}"}
    if kind is bool:
        option["action"] = argparse.BooleanOptionalAction
    elif isinstance(value, tuple):
        option |= {"type": float, "nargs": len(value)}
    else:
        option["type"] = kind
        if name == "precision":
            option["choices"] = PRECISIONS
    parser.add_argument(f"--{name.replace('_', '-')}", **option)


def _filled(default: T, file: Mapping[str, Any], options: argparse.Namespace) -> T:
    changes = {}
    for field in fields(default):  # type: ignore[arg-type]
        value, given = getattr(default, field.name), getattr(options, field.name)
        if given is None and field.name in file:
            given = _checked(file[field.name], value, field.name, options.config)
        if given is not None:
            changes[field.name] = tuple(given) if isinstance(value, tuple) else given
    return replace(default, **changes)  # type: ignore[type-var]


def _checked(given: Any, value: object, name: str, file: Path) -> Any:
    """What the file says, as the type of the default `value`."""
    if isinstance(value, float) and type(given) is int:
        return float(given)
    if isinstance(value, tuple) and isinstance(given, list) and len(given) == len(value):
        return tuple(_checked(each, own, name, file) for each, own in zip(given, value, strict=True))
    if type(given) is not type(value):
        raise ValueError(f"{file} has {name} = {given!r}; needed is a value such as {value!r}")
    return given


def _read(file: Path) -> dict[str, Any]:
    try:
        toml = import_module("tomllib")
    except ModuleNotFoundError:
        toml = _tomli()
    try:
        return toml.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ValueError(f"{file} cannot be read as TOML: {problem}") from problem


def _tomli() -> Any:
    try:
        return import_module("tomli")
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "--config needs Python 3.11, or the package tomli: pip install tomli. The same settings can be given as "
            "options of the command"
        ) from missing
