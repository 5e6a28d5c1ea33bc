"""All groups of attributes, in the order in which they are described."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .attribute import Attribute
from .brows import brows
from .colour import colours
from .expression import expression
from .eyes import eyes
from .facial_hair import facial_hair
from .hair import hair
from .head import head
from .light import light
from .mouth import mouth
from .nose import nose
from .shape import shape
from .view import FaceView
from .worn import worn

GROUPS: tuple[Callable[[FaceView], Iterator[Attribute]], ...] = (
    head, shape, hair, facial_hair, worn, eyes, brows, nose, mouth, colours, expression, light,
)  # fmt: skip
