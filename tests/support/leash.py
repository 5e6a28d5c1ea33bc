"""Runs a command and ends it once nobody holds our standard input any more: `leash.py WORD...`.

A server that is started through it does not outlive the tests, however they end.
"""

from __future__ import annotations

import subprocess
import sys
import threading


def main() -> int:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def watch() -> None:
        sys.stdin.buffer.read()
        child.kill()

    threading.Thread(target=watch, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
