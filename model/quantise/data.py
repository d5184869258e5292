"""What quantisation sees: crops of the calibration pictures, statistics of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.integer import golden
from model.integer.floating import windows
from model.quantise.layer import Fit, Inputs

if TYPE_CHECKING:
    from model.graph.kinds import Layer

CROP = 48  # output pixels a side of a calibration crop
CROPS = 110  # a quarter of a million pixels
OWN_STATISTICS_TAPS = 128  # filters up to this size get statistics over the pixels where they matter
OUTSIDE_WEIGHT = 0.03  # of pixels where a channel is inactive or saturated: they have to stay so
_CENTRE = 128  # subtracted from stored values: float32 sums of squares stay accurate


def cut_crops(pictures: list[np.ndarray], halo: int, seed: int) -> np.ndarray:
    """Cut CROPS random squares, halo included, from the padded pictures.

    Parameters
    ----------
    pictures : list of ndarray of uint8, shape (H, W)
    halo : int
    seed : int

    Returns
    -------
    ndarray of uint8, shape (CROPS, side, side)
    """
    rng = np.random.default_rng(seed)
    size = min(CROP, *(min(picture.shape) for picture in pictures))
    area = np.array([picture.size for picture in pictures], float)
    crops = []
    for choice in rng.choice(len(pictures), CROPS, p=area / area.sum()):
        padded = golden.pad(pictures[choice], halo)
        top, left = (rng.integers(0, side - size + 1) for side in pictures[choice].shape)
        crops.append(padded[top : top + size + 2 * halo, left : left + size + 2 * halo])
    return np.stack(crops)


def covariance(acts: np.ndarray, k: int) -> np.ndarray:
    """Return the covariance of windows over activations (N, H, W, I), float64 (K, K)."""
    total, mean, count = 0, 0, 0
    for act in acts:
        columns = windows(act, k)
        total = total + (columns.T @ columns).astype(np.float64)
        mean = mean + columns.sum(0, dtype=np.float64)
        count += len(columns)
    return total / count - np.outer(mean / count, mean / count)


def gather_fits(layer: Layer, stored: np.ndarray, target: np.ndarray, cap: np.ndarray) -> list[Fit]:
    """Collect the statistics a layer is fitted with.

    Parameters
    ----------
    layer : Conv
    stored : ndarray of uint8, shape (N, H, W, I)
        What the integer layer will see.
    target : ndarray of float32, shape (N, H - k + 1, W - k + 1, O)
        What its channels should hold before ReLU.
    cap : ndarray, shape (O,)
        Values from here on saturate.

    Returns
    -------
    list of Fit
        One per output channel. For small filters mainly over the pixels with 0 < target < cap: elsewhere the output
        is the same whatever the small errors. Large filters share the statistics of all pixels.
    """
    own = layer.relu and layer.taps <= OWN_STATISTICS_TAPS
    groups = layer.out_ch if own else 1
    sums = np.zeros((groups, layer.taps + 1, layer.taps + 1))
    targets = np.zeros((layer.out_ch, layer.taps + 1))
    for x, t in zip(stored, target):
        columns = windows(x, layer.k) - np.float32(_CENTRE)
        columns = np.hstack([columns, np.ones((len(columns), 1), np.float32)])
        t = t.reshape(-1, layer.out_ch)
        weight = OUTSIDE_WEIGHT if own else 1
        sums += weight * (columns.T @ columns)
        targets += weight * (t.T @ columns)
        for channel in range(layer.out_ch if own else 0):
            inside = (t[:, channel] > 0) & (t[:, channel] < cap[channel])
            chosen = columns[inside]
            sums[channel] += (1 - weight) * (chosen.T @ chosen)
            targets[channel] += (1 - weight) * (t[inside, channel] @ chosen)
    shared = [_inputs(total) for total in sums]
    fits = []
    for channel in range(layer.out_ch):
        inputs = shared[channel if own else 0]
        target = targets[channel] / max(inputs.samples, 1.0)
        fits.append(Fit(inputs, target[-1], target[:-1] - (inputs.mean - _CENTRE) * target[-1]))
    return fits


def _inputs(total):
    samples = max(total[-1, -1], 1.0)
    mean = total[-1, :-1] / samples
    return Inputs(total[-1, -1], mean + _CENTRE, total[:-1, :-1] / samples - np.outer(mean, mean))
