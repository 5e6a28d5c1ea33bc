"""The order of the pack's templates in the host's gallery."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from server import PromptServer

# The host lists the files of every pack in the order of the disk.
_PATHS = ("/workflow_templates", "/api/workflow_templates")
_PACK = Path(__file__).parents[2].name


def sort_templates() -> None:
    """From now on the host lists the pack's templates by name. Without a server, as in scripts, nothing happens."""
    server = getattr(PromptServer, "instance", None)
    if server is not None and not server.app.on_response_prepare.frozen:
        server.app.on_response_prepare.append(_sort)


async def _sort(request: Any, response: Any) -> None:
    """`request`, `response`: aiohttp's; any other answer than the host's list, such as a refusal, stays as it is."""
    body = getattr(response, "body", None)
    if request.path not in _PATHS or response.status != 200 or not isinstance(body, bytes):
        return
    if "Content-Encoding" in response.headers or response.content_type != "application/json":
        return
    names_by_pack = json.loads(body)
    names_by_pack.get(_PACK, []).sort()
    in_order = json.dumps(names_by_pack).encode()
    # The length is in the headers already.
    if len(in_order) == len(body):
        response.body = in_order
