"""Loading the pack costs a host little: nothing is imported that the host has not imported itself."""

from __future__ import annotations

import pytest
from support.measured import measure, usable_hosts


@pytest.mark.parametrize("host", usable_hosts())
def test_loading_imports_no_package_but_our_own(host, tmp_path):
    imported = measure(host, "loading.py", tmp_path)
    assert imported["packages"] == ["face_part_fusion"]
    assert imported["modules"] > 100
