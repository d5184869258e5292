"""What quantisation sees: crops of the calibration pictures, statistics of windows.

Everything summed up here is a whole number, and every sum is exact (`model.integer.exact`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.integer import golden
from model.integer.exact import gram, largest, product, to_grid
from model.integer.floating import windows
from model.quantise.layer import Fit, Inputs

if TYPE_CHECKING:
    from model.graph.kinds import Conv

CROP = 48  # output pixels a side of a calibration crop
CROPS = 110  # a quarter of a million pixels
OWN_STATISTICS_TAPS = 128  # filters up to this size get statistics over the pixels where they matter
OUTSIDE_WEIGHT = 0.03  # of pixels where a channel is inactive or saturated: they have to stay so
_CENTRE = 128  # subtracted from stored values, none is further from it: float32 holds sums over 1,024 windows exactly
_PLAN_GRID = 20  # bits of activations whose covariance is taken: float64 holds sums over 8,192 windows
_TARGET_GRID = 22


def cut_crops(pictures: list[np.ndarray], halo: int, seed: int) -> np.ndarray:
    """Cut CROPS random squares, halo included, from the padded pictures.

    Parameters
    ----------
    pictures : list of ndarray of uint8, shape (H, W) or (H, W, C)
    halo : int
    seed : int

    Returns
    -------
    ndarray of uint8, shape (CROPS, side, side) or (CROPS, side, side, C)
    """
    rng = np.random.default_rng(seed)
    size = min(CROP, *(min(picture.shape[:2]) for picture in pictures))
    area = np.array([picture.shape[0] * picture.shape[1] for picture in pictures], float)
    crops = []
    for choice in rng.choice(len(pictures), CROPS, p=area / area.sum()):
        padded = golden.pad(pictures[choice], halo)
        top, left = (rng.integers(0, side - size + 1) for side in pictures[choice].shape[:2])
        crops.append(padded[top : top + size + 2 * halo, left : left + size + 2 * halo])
    return np.stack(crops)


def covariance(acts: np.ndarray, k: int) -> np.ndarray:
    """Return the covariance of windows over activations (N, H, W, I), float64 (K, K)."""
    size = k * k * acts.shape[3]
    sums, mean, count = np.zeros((size, size)), np.zeros(size), 0
    for act in acts:
        whole, unit = to_grid(act, _PLAN_GRID)
        columns = windows(whole, k, np.float64)
        sums += gram(columns, largest(whole)) * unit**2
        mean += columns.sum(0) * unit  # a sum of whole numbers
        count += len(columns)
    mean /= count
    return sums / count - mean[:, None] * mean


def gather_fits(layer: Conv, stored: np.ndarray, target: np.ndarray, cap: np.ndarray, outside: np.ndarray) -> list[Fit]:
    """Collect the statistics a layer is fitted with.

    Parameters
    ----------
    layer : Conv
    stored : ndarray of uint8, shape (N, H, W, I)
        What the integer layer will see.
    target : ndarray of float32, shape (N, H - k + 1, W - k + 1, O)
        What its channels should hold before the activation.
    cap : ndarray, shape (O,)
        Values from here on saturate.
    outside : ndarray, shape (O,)
        How much pixels count where not 0 < target < cap: there the output is the same whatever the small errors, or
        nearly so. Only small filters have statistics of their own; large ones share those of all pixels.

    Returns
    -------
    list of Fit
        One per output channel, or one for all of them.
    """
    own = layer.taps <= OWN_STATISTICS_TAPS and (outside < 1).any()
    groups = layer.out_ch if own else 1
    size = layer.taps + 1
    everywhere, inside = np.zeros((size, size)), np.zeros((groups, size, size))
    targets, inside_targets = np.zeros((layer.out_ch, size)), np.zeros((layer.out_ch, size))
    for x, t in zip(stored, target):
        columns = windows(x, layer.k) - np.float32(_CENTRE)
        columns = np.hstack([columns, np.ones((len(columns), 1), np.float32)])
        t = t.reshape(-1, layer.out_ch)
        everywhere += gram(columns, _CENTRE)
        doubles = columns.astype(np.float64)
        whole, unit = to_grid(t.T.astype(np.float64), _TARGET_GRID)
        worst = largest(whole) * _CENTRE * len(columns)
        targets += product(whole, doubles, worst) * unit
        if own:
            matters = (t > 0) & (t < cap)
            inside_targets += product(np.where(matters.T, whole, 0), doubles, worst) * unit
            for channel in range(layer.out_ch):
                inside[channel] += gram(columns[matters[:, channel]], _CENTRE)
    if not own:
        samples, inputs = _inputs(everywhere)
        return [_fit(inputs, np.arange(layer.out_ch), targets / samples)]
    fits = []
    for channel, weight in enumerate(outside):
        samples, inputs = _inputs(weight * everywhere + (1 - weight) * inside[channel])
        sums = weight * targets[channel] + (1 - weight) * inside_targets[channel]
        fits.append(_fit(inputs, np.array([channel]), sums[None] / samples))
    return fits


def _inputs(sums):
    samples = max(sums[-1, -1], 1.0)
    mean = sums[-1, :-1] / samples
    return samples, Inputs(sums[-1, -1], mean + _CENTRE, sums[:-1, :-1] / samples - mean[:, None] * mean)


def _fit(inputs, channels, targets):
    return Fit(inputs, channels, targets[:, -1], targets[:, :-1] - (inputs.mean - _CENTRE) * targets[:, -1:])
