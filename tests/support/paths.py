"""Folders of this checkout, and the evaluation data beside it."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
TOOLS = ROOT / "tools"
SHARED = ROOT.parent / "shared"
