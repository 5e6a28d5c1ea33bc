"""IPAdapter-plus, to compare with: its folder is loaded as a package and its node applied to a model."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor


class IPAdapterPlus:
    """The pack in `folder`, with the weights in `file`; needs a started host."""

    def __init__(self, folder: Path, file: Path) -> None:
        spec = importlib.util.spec_from_file_location(
            "ipadapter_plus", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None and spec.loader is not None
        module = sys.modules["ipadapter_plus"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._node = module.NODE_CLASS_MAPPINGS["IPAdapterEmbeds"]
        self._weights = sys.modules["ipadapter_plus.utils"].ipadapter_model_loader(str(file))

    def __call__(self, model: Any, references: Sequence[tuple[Tensor, Tensor]], empty: Tensor) -> Any:
        """`model` with each reference's tokens (1, n, C) inside its mask (1, H, W); `empty`: for the negative."""
        for tokens, mask in references:
            model, *_ = self._node().apply_ipadapter(
                model, self._weights, tokens, 1.0, "linear", 0.0, 1.0, neg_embed=empty, attn_mask=mask,
                clip_vision=object(),
            )  # fmt: skip
        return model
