"""Heads of real portraits through a real codec: where the decoder sees nothing but the head, nothing changes."""

from __future__ import annotations

from typing import Any

import pytest
from support.hosts import Host
from support.measured import measure, usable_hosts
from support.paths import SHARED

FOLDERS = (SHARED / "models", SHARED / "faces" / "portraits")


@pytest.mark.slow
@pytest.mark.skipif(not all(f.is_dir() for f in FOLDERS), reason=f"needs {FOLDERS[0]} and {FOLDERS[1]}")
@pytest.mark.parametrize("host", usable_hosts()[-1:])
def test_the_head_is_within_the_codecs_own_error(host: Host, tmp_path: Any):
    pairs = measure(host, "head_swap_codec.py", tmp_path, *map(str, FOLDERS))
    assert len(pairs) == 3
    for name, figures in pairs.items():
        assert figures["inside"] >= 60 and figures["cells"] > 500, (name, figures)
        assert figures["between"] < 20, "the model's noise must be seen where nothing is kept"
