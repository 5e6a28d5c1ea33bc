"""Figures with a public definition equal a library's, or a plain formula, on the same input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from face_part_fusion.metrics.frechet import frechet_distance
from face_part_fusion.metrics.likeness import oriented_gradients
from face_part_fusion.metrics.mse import mse
from face_part_fusion.metrics.psnr import SAME, psnr
from face_part_fusion.metrics.ssim import ssim
from face_part_fusion.metrics.two_sample import area_under_curve, logistic_regression


def pictures(seed=0, size=(40, 56)):
    draw = torch.Generator().manual_seed(seed)
    one = torch.rand(*size, 3, generator=draw)
    return one, (one + 0.2 * torch.randn(*size, 3, generator=draw)).clamp(0, 1)


@pytest.mark.parametrize("seed", range(4))
def test_psnr_mse_and_ssim_are_scikit_images(seed):
    library = pytest.importorskip("skimage.metrics")
    one, other = pictures(seed)
    a, b = one.double().numpy(), other.double().numpy()
    assert mse(one, other) == pytest.approx(library.mean_squared_error(a, b), rel=1e-12)
    assert psnr(one, other) == pytest.approx(library.peak_signal_noise_ratio(a, b, data_range=1), rel=1e-12)
    published = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = library.structural_similarity(a, b, data_range=1, channel_axis=-1, **published)
    assert ssim(one, other) == pytest.approx(expected, rel=1e-9)


def test_the_descriptor_of_a_part_is_scikit_images_histogram_of_oriented_gradients():
    library = pytest.importorskip("skimage.feature")
    grey = pictures(5, (48, 96))[0].mean(-1).double()
    expected = library.hog(grey.numpy(), 9, (8, 8), (2, 2), block_norm="L2")
    np.testing.assert_allclose(oriented_gradients(grey).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("counts", [(300, 200), (12, 9)])
def test_the_frechet_distance_is_the_formula(counts):
    linalg = pytest.importorskip("scipy.linalg")
    draw = np.random.default_rng(0)
    one, other = draw.normal(size=(counts[0], 16)), draw.normal(0.3, 1.5, size=(counts[1], 16))
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = linalg.sqrtm(a @ b).real
    expected = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(a + b - 2 * root)
    assert frechet_distance(torch.tensor(one), torch.tensor(other)) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(torch.tensor(one), torch.tensor(one)) == pytest.approx(0, abs=1e-9)


def test_the_classifier_is_scikit_learns():
    linear = pytest.importorskip("sklearn.linear_model")
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(60, 90)), (np.arange(60) < 20).astype(float)
    x[y > 0, :3] += 1
    weights, offset = logistic_regression(torch.tensor(x), torch.tensor(y), 0.5)
    library = linear.LogisticRegression(C=1 / (0.5 * 60), class_weight="balanced", tol=1e-10, max_iter=10000).fit(x, y)
    np.testing.assert_allclose(weights.numpy(), library.coef_[0], atol=1e-5)
    assert float(offset) == pytest.approx(float(library.intercept_[0]), abs=1e-5)


def test_the_area_under_the_curve_is_scikit_learns_with_ties():
    library = pytest.importorskip("sklearn.metrics")
    scores, right = torch.tensor([3.0, 1, 2, 2, 0, 5, 2]), torch.tensor([1, 0, 1, 0, 0, 1, 1])
    expected = library.roc_auc_score(right.numpy(), scores.numpy())
    assert area_under_curve(scores[right > 0], scores[right == 0]) == pytest.approx(expected)


def test_equal_pictures_have_finite_figures():
    one = pictures()[0]
    assert (mse(one, one), psnr(one, one), ssim(one, one)) == (0, SAME, pytest.approx(1))


def test_weights_choose_the_pixels():
    one, other = pictures()
    left = torch.zeros(one.shape[:2])
    left[:, :28] = 1
    assert mse(one, other, left) == pytest.approx(mse(one[:, :28], other[:, :28]), rel=1e-6)
    assert psnr(one, other, left) == pytest.approx(-10 * math.log10(mse(one[:, :28], other[:, :28])), rel=1e-6)
    changed = one.clone()
    changed[:, 33:] = 0
    assert ssim(one, changed, left) == pytest.approx(1) and ssim(one, changed) < 0.8
    with pytest.raises(ValueError, match="no pixel is left to compare: every weight is 0"):
        mse(one, other, torch.zeros(one.shape[:2]))


def test_pictures_of_two_sizes_are_refused_with_both():
    with pytest.raises(ValueError, match="56 x 40 pixels and the other 56 x 30"):
        ssim(pictures()[0], pictures()[0][:30])
    with pytest.raises(ValueError, match="at least 11 pixels; came 56 x 8"):
        ssim(pictures()[0][:8], pictures()[0][:8])


def test_lpips_is_torchmetrics(tmp_path, monkeypatch):
    torchvision = pytest.importorskip("torchvision")
    library = pytest.importorskip("torchmetrics.functional.image")
    from face_part_fusion.metrics.lpips import lpips

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    # Random weights: the published ones are not fetched here.
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), folder / "alexnet-owt-7be5be79.pth")
    one, other = pictures(7, (96, 128))
    planes = (each.movedim(-1, 0)[None] for each in (one, other))
    expected = float(library.learned_perceptual_image_patch_similarity(*planes, net_type="alex", normalize=True))
    assert lpips()(one, other) == pytest.approx(expected, rel=1e-5) and expected > 0
