"""LPIPS (Zhang et al. 2018), the distance that people see, by torchmetrics."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from .mse import check_sizes

# AlexNet's weights, which torchvision fetches by itself where they are missing.
_BACKBONE = "alexnet-owt-7be5be79.pth"
# Two pictures (H, W, 3), 0..1 -> their distance, 0 for the same picture.
Lpips = Callable[[Tensor, Tensor], float]


def lpips() -> Lpips:
    """LPIPS with AlexNet, the version that its authors recommend for comparisons.

    Raises ModuleNotFoundError without torchmetrics and torchvision, and ValueError where AlexNet's weights are not on
    the disk: nothing is downloaded here.
    """
    try:
        import_module("torchvision")
        image = import_module("torchmetrics.image.lpip")
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"LPIPS needs the Python packages torchmetrics and torchvision, and {missing.name} is not installed; "
            'install them with: pip install "face-part-fusion[metrics]"'
        ) from missing
    weights = Path(torch.hub.get_dir()) / "checkpoints" / _BACKBONE
    if not weights.is_file():
        raise ValueError(
            f"LPIPS needs AlexNet's weights, and there is no file {weights}; fetch "
            f"https://download.pytorch.org/models/{_BACKBONE} and put it there"
        )
    network = image.LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)

    def measure(one: Tensor, other: Tensor) -> float:
        check_sizes(one, other)
        with torch.no_grad():
            return float(network(*(picture.movedim(-1, 0)[None].float().clamp(0, 1) for picture in (one, other))))

    return measure
