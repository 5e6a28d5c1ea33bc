"""What the pack adds to the start of a ComfyUI, beside the host's own extra nodes: seconds of one core and their ratio.

    PYTHON benchmarks/loading.py COMFYUI

PYTHON is ComfyUI's own. The first run compiles bytecode; take the second.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def load() -> None:
    spec = importlib.util.spec_from_file_location(
        "face_part_fusion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = sys.modules["face_part_fusion"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    extension = asyncio.run(module.comfy_entrypoint())
    for node in asyncio.run(extension.get_node_list()):
        node.GET_SCHEMA()


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    del sys.argv[1:]
    import utils.install_util  # noqa: F401  (before another package of that name)
    from comfy.cli_args import args

    args.cpu = True
    import nodes

    own = seconds(lambda: asyncio.run(nodes.init_builtin_extra_nodes()))
    ours = seconds(load)
    print(f"this pack {ours:.2f} s, the host's extra nodes {own:.2f} s, ratio {ours / own:.2f}")


if __name__ == "__main__":
    main()
