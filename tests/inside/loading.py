"""What the host imports for this pack and for nothing else: {"packages": [...], "modules": of our own}."""

from __future__ import annotations

import asyncio
import sys

from host import finish, load_host, start

load_host(*sys.argv[1:3])
import nodes  # noqa: E402

# Every host has loaded its own before it loads a pack.
asyncio.run(nodes.init_builtin_extra_nodes())
before = set(sys.modules)
start()
names = set(sys.modules) - before
packages = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
finish({"packages": sorted(packages), "modules": sum(name.startswith("face_part_fusion.") for name in names)})
