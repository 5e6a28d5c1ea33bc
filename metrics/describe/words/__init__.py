"""The words for attributes, one file for each language."""

from __future__ import annotations

from .en import ENGLISH
from .ja import JAPANESE
from .language import Language
from .zh import CHINESE

LANGUAGES: dict[str, Language] = {"English": ENGLISH, "Chinese": CHINESE, "Japanese": JAPANESE}
