"""Imports a ComfyUI once and runs each script that it is told of in a fork of its own: `fork_server.py HOST BASE`.

Each line on standard input is JSON: `words`, the script's command line (script, host, base and more), and `output` and
`errors`, the files for what it prints. The answer is one line, its exit status. Ends when standard input is closed, and
ends the script that runs then.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import sys
import traceback
from typing import Any

from host import load_host


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    # What the host prints while it is imported is no answer.
    os.dup2(2, 1)
    load_host(*sys.argv[1:3])
    import comfy.sample  # noqa: F401  (and most of what scripts import)

    while line := sys.stdin.readline():
        answers.write(f"{_run(json.loads(line))}\n")
        answers.flush()


def _run(request: dict[str, Any]) -> int:
    done, ends_with_child = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(done)
        _become(request)
    os.close(ends_with_child)
    ready, _, _ = select.select([done, 0], [], [])
    if 0 in ready:
        os.kill(child, signal.SIGKILL)
    os.close(done)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become(request: dict[str, Any]) -> None:
    """Run the script as Python itself would, and end this process."""
    for name, stream in (("output", 1), ("errors", 2)):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    sys.argv = request["words"]
    os.chdir(sys.argv[2])
    status = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


main()
