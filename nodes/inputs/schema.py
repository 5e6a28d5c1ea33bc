"""What every node is declared with: the base class and schemas that also load on older hosts."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

from comfy_api.latest import io

from .values import check_values

# The host has this type since 0.15.0; a custom type of the same name is the same socket.
BoundingBox = getattr(io, "BoundingBox", None) or io.Custom("BOUNDING_BOX")
# The package's name under the host, which is the path of its folder.
_PACK = __name__.removesuffix("nodes.inputs.schema")


class FaceNode(io.ComfyNode):
    """Base class of the pack's nodes. Numbers, choices, texts and switches are checked against the schema before
    `execute`; exceptions of the pack's own classes leave it as plain ValueErrors.

    The host's error panel begins with the exception's class, and for any class but Python's own with the path of its
    module.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        execute = cls.__dict__.get("execute")
        # Before each run the host makes locked subclasses, which carry the wrapped method already.
        if execute is not None and not hasattr(execute.__func__, "__wrapped__"):
            cls.execute = classmethod(_with_plain_errors(_with_checked_values(execute.__func__)))


def _with_checked_values(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    code = execute.__code__
    names = code.co_varnames[: code.co_argcount]

    @functools.wraps(execute)
    def wrapped(cls: type[FaceNode], *args: Any, **inputs: Any) -> io.NodeOutput:
        check_values(cls.define_schema().inputs, dict(zip(names[1:], args, strict=False)) | inputs)
        return execute(cls, *args, **inputs)

    return wrapped


def _with_plain_errors(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    @functools.wraps(execute)
    def wrapped(*args: Any, **inputs: Any) -> io.NodeOutput:
        try:
            return execute(*args, **inputs)
        except ValueError as error:
            if not type(error).__module__.startswith(_PACK):
                raise
            # With its traceback, which the panel offers for a report and which ends where the problem was seen.
            raise ValueError(str(error)).with_traceback(error.__traceback__) from None

    return wrapped


def schema(**keywords: Any) -> io.Schema:
    """io.Schema with the keywords that this host knows; an unknown one would raise TypeError and stop the whole pack.

    `search_aliases` came with ComfyUI 0.11.0, `has_intermediate_output` later: it keeps a node's own picture when the
    page is loaded anew.
    """
    known = {f.name for f in dataclasses.fields(io.Schema)}
    return io.Schema(**{k: v for k, v in keywords.items() if k in known})


def field(kind: Any, name: str, *positional: Any, label: str = "", **keywords: Any) -> Any:
    """`kind.Input(name, ...)` with the keywords that this host knows; `advanced` came with ComfyUI 0.10.0.

    `label`: what people read instead of `name`; the tooltip then begins with the name, which error messages quote.
    """
    known = _keywords_of(kind)
    if label:
        keywords |= {"display_name": label, "tooltip": f"({name}) {keywords['tooltip']}"}
    return kind.Input(name, *positional, **{k: v for k, v in keywords.items() if k in known})


@functools.cache
def _keywords_of(kind: Any) -> frozenset[str]:
    return frozenset(inspect.signature(kind.Input.__init__).parameters)
