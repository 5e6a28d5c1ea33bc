"""SD1.5 and SDXL models of a real host with all their blocks and random weights, but narrow; nothing is read.

For scripts beside this file, after `host.start()`.
"""

from __future__ import annotations

from typing import Any

import torch

_COMMON = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "use_spatial_transformer": True, "legacy": False,
    "dtype": torch.float32,
}  # fmt: skip
_SIZES = {
    "sd15": {
        "channel_mult": [1, 2, 4, 4], "num_res_blocks": [2, 2, 2, 2], "context_dim": 768, "num_heads": 4,
        "num_head_channels": -1, "use_linear_in_transformer": False, "transformer_depth": [1] * 6 + [0] * 2,
        "transformer_depth_output": [1] * 9 + [0] * 3, "transformer_depth_middle": 1,
    },
    "sdxl": {
        "channel_mult": [1, 2, 4], "num_res_blocks": [2, 2, 2], "context_dim": 2048, "num_heads": -1,
        "num_head_channels": 16, "use_linear_in_transformer": True, "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "transformer_depth_middle": 10,
        "num_classes": "sequential", "adm_in_channels": 2816,
    },
}  # fmt: skip


def small_unet(
    family: str, base: int = 32, seed: int = 0, dtype: torch.dtype = torch.float32, channels: int = 4
) -> Any:
    """A host MODEL on the CPU; its first level is `base` wide. `channels`: 9 for an inpainting model."""
    import comfy.model_patcher
    import comfy.supported_models

    kind = {"sd15": comfy.supported_models.SD15, "sdxl": comfy.supported_models.SDXL}[family]
    sizes = {**_COMMON, **_SIZES[family], "in_channels": channels, "model_channels": base, "dtype": dtype}
    config = kind(sizes)
    config.set_inference_dtype(dtype, None)
    model = config.get_model({}, "")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            flat = parameter.ndim == 1
            parameter.copy_(0.1 * noise + 0.5 if flat else noise / parameter[0].numel() ** 0.5)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model.eval(), load_device=cpu, offload_device=cpu)


def random_words(family: str, seed: int) -> list[list[Any]]:
    """A host CONDITIONING of the family's widths."""
    draw = torch.Generator().manual_seed(seed)
    more = {"pooled_output": torch.randn(1, 1280, generator=draw)} if family == "sdxl" else {}
    return [[torch.randn(1, 77, _SIZES[family]["context_dim"], generator=draw), more]]
