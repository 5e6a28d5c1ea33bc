"""Imports every module of the pack in a Python that has none of the packages it needs: `import_alone.py FOLDER`.

A stand-in takes the place of torch, the host and the others, so that classes, dataclasses, defaults and what is taken
from the standard library are run by this Python. Prints how many modules were imported, and every one that was not.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import pathlib
import sys
import types
import warnings

ROOT = pathlib.Path(sys.argv[1])
FOLDERS = ("command", "detectors", "fusion", "injection", "nodes")
OTHERS = {
    "torch", "numpy", "PIL", "safetensors", "comfy", "comfy_api", "folder_paths", "node_helpers", "nodes", "execution",
    "comfy_execution", "latent_preview", "server",
}  # fmt: skip


class Anything(type):
    """A class, function, array or number of an absent package."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return anything(name)

    def __call__(cls, *words, **named):
        """A decorator gives its function back; a class of the pack makes an object."""
        if cls.__module__ != __name__:
            return super().__call__()
        return words[0] if words and callable(words[0]) and not named else anything("value")

    def _value(cls, *others):
        return anything("value")

    def _no(cls, other):
        return False

    def _one(cls):
        return 1

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = _value
    __neg__ = __abs__ = __or__ = __ror__ = __getitem__ = __matmul__ = _value
    __gt__ = __lt__ = __ge__ = __le__ = _no
    __len__ = __int__ = __index__ = __float__ = _one

    def __iter__(cls):
        return iter(())

    def __hash__(cls):
        return id(cls)


def anything(name):
    return Anything(name, (), {"__module__": __name__})


class StandIn(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return anything(name)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in OTHERS:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return StandIn(spec.name)

    def exec_module(self, module):
        pass


warnings.simplefilter("error")
sys.meta_path.insert(0, Finder())
spec = importlib.util.spec_from_file_location("pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
module = sys.modules["pack"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
imported, failed = 0, []
for file in [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]:
    name = ".".join(("pack", *file.relative_to(ROOT).with_suffix("").parts)).replace(".__init__", "")
    try:
        importlib.import_module(name)
        imported += 1
    except Exception as error:
        failed.append(f"{name}: {type(error).__name__} {error}")
sys.stdout.write("\n".join([f"{imported} imported by {sys.version.split()[0]}", *failed]))
