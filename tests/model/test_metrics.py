"""MSE, PSNR and SSIM against their definitions, written out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.quality import metrics


def pair(seed, height=16, width=19):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 256, (height, width)).astype(np.uint8)
    return truth, np.clip(truth + rng.integers(-40, 41, truth.shape), 0, 255).astype(np.uint8)


def test_known_values():
    truth, result = np.zeros((20, 20), np.uint8), np.full((20, 20), 255, np.uint8)
    assert metrics.mse(truth, result) == 65025  # would be 1 in wrapping uint8
    assert metrics.psnr(truth, result) == 0
    assert metrics.psnr(truth, truth) == math.inf
    assert metrics.ssim(truth, truth) == metrics.ssim_global(truth, truth) == 1
    assert metrics.psnr(truth, truth + 16) == pytest.approx(24.0485, abs=1e-4)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_ssim_is_the_mean_over_whole_gaussian_windows(seed):
    truth, result = pair(seed)
    axis = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(axis, axis) / axis.sum() ** 2
    values = []
    for row in range(truth.shape[0] - 10):
        for column in range(truth.shape[1] - 10):
            t, r = (p[row : row + 11, column : column + 11].astype(float) for p in (truth, result))
            mt, mr = (window * t).sum(), (window * r).sum()
            vt, vr, cov = (
                (window * t * t).sum() - mt**2,
                (window * r * r).sum() - mr**2,
                (window * t * r).sum() - mt * mr,
            )
            values.append(
                (2 * mt * mr + 6.5025) * (2 * cov + 58.5225) / ((mt**2 + mr**2 + 6.5025) * (vt + vr + 58.5225))
            )
    assert metrics.ssim(truth, result) == pytest.approx(np.mean(values), abs=1e-9)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_global_ssim_is_one_window(seed):
    truth, result = pair(seed)
    (vt, cov), (_, vr) = np.cov(truth.ravel().astype(float), result.ravel().astype(float), ddof=0)
    mt, mr = truth.mean(), result.mean()
    expected = (2 * mt * mr + 6.5025) * (2 * cov + 58.5225) / ((mt**2 + mr**2 + 6.5025) * (vt + vr + 58.5225))
    assert metrics.ssim_global(truth, result) == pytest.approx(expected, abs=1e-12)
