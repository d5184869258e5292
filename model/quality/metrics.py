"""Quality of a picture against the true one: MSE, PSNR (peak 255) and the two SSIMs of the two protocols."""

from __future__ import annotations

import math

import numpy as np

PEAK = 255
MOST_PSNR = 100.0  # dB, reported for results without any error: means and JSON have no infinity
SSIM_WINDOW = 11  # pixels a side: 2 * round(3.5 * sigma) + 1 with sigma 1.5


def mse(truth: np.ndarray, result: np.ndarray) -> float:
    """Return the mean squared error of two pictures of the same shape (any numeric dtype, 0..255), in grey levels
    squared.
    """
    difference = np.asarray(truth, np.float64) - np.asarray(result, np.float64)
    return float(np.mean(difference * difference))


def psnr(truth: np.ndarray, result: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal pictures."""
    error = mse(truth, result)
    return math.inf if error == 0 else 10 * math.log10(PEAK**2 / error)


def ssim(truth: np.ndarray, result: np.ndarray) -> float:
    """Return the mean SSIM as the papers measure it: Gaussian 11x11 window, sigma 1.5, only whole windows.

    Parameters
    ----------
    truth, result : ndarray of uint8, shape (H, W)
        At least 11 pixels a side.
    """
    from skimage.metrics import structural_similarity  # PSNR is for boards, too, which have no scikit-image

    return float(
        structural_similarity(
            truth, result, data_range=PEAK, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def ssim_global(truth: np.ndarray, result: np.ndarray) -> float:
    """Return the SSIM of the original project: one window, as large as the picture."""
    truth, result = np.asarray(truth, np.float64), np.asarray(result, np.float64)
    mean_t, mean_r = truth.mean(), result.mean()
    covariance = np.mean((truth - mean_t) * (result - mean_r))
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    luminance = (2 * mean_t * mean_r + c1) / (mean_t**2 + mean_r**2 + c1)
    structure = (2 * covariance + c2) / (truth.var() + result.var() + c2)
    return float(luminance * structure)
