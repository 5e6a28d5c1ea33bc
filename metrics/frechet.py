"""The Frechet distance of two sets of vectors, each taken for a Gaussian.

It is the distance of FID (Heusel et al. 2017), but its size depends on the encoder: it bears the encoder's name, and
only torch-fidelity's Inception gives the one that is called FID (`fid`).
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """>= 0, 0 for the same set. Few vectors give too large a distance: compare only sets of the same sizes.

    `one`, `other`: (N, n) and (M, n), N and M at least 2. Raises ValueError for other shapes.
    """
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise ValueError(
            f"a Frechet distance needs two sets of at least two vectors of one length; came {tuple(one.shape)} and "
            f"{tuple(other.shape)}"
        )
    (mean, spread), (mean_other, spread_other) = _gaussian(one), _gaussian(other)
    # The root of a product of two covariances has the trace of the singular values of the product of their roots.
    root = torch.linalg.svdvals(spread @ spread_other.T).sum()
    distance = (mean - mean_other).square().sum() + spread.square().sum() + spread_other.square().sum() - 2 * root
    return max(0.0, float(distance))


def _gaussian(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (n,) and a root (N, n) of the covariance, root.T @ root, float64."""
    vectors = vectors.double()
    mean = vectors.mean(0)
    return mean, (vectors - mean) / (len(vectors) - 1) ** 0.5


def fid(one: Path, other: Path, weights: Path) -> float:
    """FID of the pictures in two folders, by torch-fidelity.

    `weights`: its weights-inception-2015-12-05-6726825d.pth. Raises ModuleNotFoundError without torch-fidelity and
    ValueError without that file: nothing is downloaded here.
    """
    if not weights.is_file():
        raise ValueError(
            f"FID needs Inception's weights, and there is no file {weights}; fetch "
            "weights-inception-2015-12-05-6726825d.pth of github.com/toshas/torch-fidelity"
        )
    try:
        fidelity = import_module("torch_fidelity")
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"FID needs the Python package torch-fidelity, and {missing.name} is not installed; install it with: pip "
            'install "face-part-fusion[metrics]"'
        ) from missing
    result = fidelity.calculate_metrics(
        input1=str(one), input2=str(other), fid=True, cuda=torch.cuda.is_available(), verbose=False,
        feature_extractor_weights_path=str(weights), cache=False,
    )  # fmt: skip
    return float(result["frechet_inception_distance"])
