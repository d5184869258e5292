"""Integer parameters for one layer: least squares against quantised inputs, then rounding with error feedback.

Rounding every weight to its nearest integer is far from the best integer filter: neighbouring pixels are alike, so
the error of one weight can be undone by its neighbours. With H the second moments of the layer's inputs, a filter
w in place of v costs (w - v)' H (w - v). `round_with_feedback` rounds one weight after the other and lets the
remaining ones take up each error (the idea of Optimal Brain Surgeon and GPTQ), `polish` then moves single weights
by one while that helps. All of it is elementwise arithmetic and exact products: the same on every processor
(`model.integer.exact`).
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from model.integer.exact import matmul, total
from model.quantise import linear

WEIGHT_MIN, WEIGHT_MAX = -128, 127
DAMPING = 1e-4  # of the mean second moment: keeps directions that calibration never showed from growing
_FLOOR = 0.01  # steps squared: below a stored value's rounding
_POLISH_STEPS = 4000  # single moves per filter; ends earlier when none helps


@dataclasses.dataclass
class Inputs:
    """Statistics of a layer's windows over calibration samples, in stored units.

    Attributes
    ----------
    samples : float
    mean : ndarray of float64, shape (K,)
    covariance : ndarray of float64, shape (K, K)
    """

    samples: float
    mean: np.ndarray
    covariance: np.ndarray

    @functools.cached_property
    def damped(self) -> np.ndarray:
        """The covariance with its diagonal raised a little: invertible, and wary of the unseen."""
        size = len(self.covariance)
        return self.covariance + (DAMPING * total(np.diag(self.covariance)) / size + _FLOOR) * np.eye(size)

    @functools.cached_property
    def elimination(self) -> tuple[np.ndarray, np.ndarray]:
        """(order, lower): weights in the order of rounding, strongest inputs first, while all others can help; and the
        Cholesky factor of `damped` in the opposite order.
        """
        order = np.argsort(-np.diag(self.damped), kind="stable")
        return order, linear.cholesky(self.damped[np.ix_(order[::-1], order[::-1])])


@dataclasses.dataclass
class Fit:
    """What some output channels of a layer should be: their targets t against the inputs x.

    Attributes
    ----------
    inputs : Inputs
    channels : ndarray of int, shape (N,)
        All channels of a large layer, one of a small one.
    target : ndarray of float64, shape (N,)
        Means of t.
    cross : ndarray of float64, shape (N, K)
        Covariances of x and t.
    """

    inputs: Inputs
    channels: np.ndarray
    target: np.ndarray
    cross: np.ndarray

    def solve(self, original: np.ndarray) -> np.ndarray:
        """Return the real filters that best make the targets from the inputs, drawn towards `original` (N, K), the
        trained ones.
        """
        order, lower = self.inputs.elimination
        missing = self.cross - matmul(original, self.inputs.covariance)
        change = np.empty_like(original)
        change[:, order[::-1]] = linear.solve(lower, missing[:, order[::-1]].T).T
        return original + change

    def bias(self, filters: np.ndarray) -> np.ndarray:
        """Return the biases that remove the mean errors of `filters` (N, K), in the targets' unit."""
        return self.target - total((filters * self.inputs.mean).T)


def round_with_feedback(filters: np.ndarray, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Round filters to int8, one weight after the other, each error passed on to the weights still free.

    Parameters
    ----------
    filters : ndarray of float64, shape (N, K)
        In units of the integer weights.
    inputs : Inputs

    Returns
    -------
    rounded : ndarray of float64, shape (N, K)
        Whole numbers in -128..127.
    error : ndarray of float64, shape (N,)
        Mean squared output error of each, in units of its integer accumulator.
    """
    order, lower = inputs.elimination
    # Row i: what the error of weight i, with those of the weights before it, costs that no later one can take up.
    factor = lower.T[::-1, ::-1]
    diagonal = np.diag(factor)
    passed_on = np.ascontiguousarray((factor / diagonal[:, None]).T)  # [i, j]: from weight i to j > i
    wanted = np.ascontiguousarray(filters[:, order].T)
    free, value = wanted.copy(), np.empty_like(wanted)
    error = np.zeros(len(filters))
    for start in range(0, len(free), linear.BLOCK):
        stop = min(start + linear.BLOCK, len(free))
        for i in range(start, stop):
            value[i] = np.clip(np.rint(free[i]), WEIGHT_MIN, WEIGHT_MAX)
            error += ((value[i] - free[i]) * diagonal[i]) ** 2
            free[i + 1 : stop] -= passed_on[i, i + 1 : stop, None] * (value[i] - wanted[i])
        if stop < len(free):
            block = slice(start, stop)
            free[stop:] -= matmul(np.ascontiguousarray(passed_on[block, stop:].T), value[block] - wanted[block])
    rounded = np.empty(filters.shape)
    rounded[:, order] = value.T
    return rounded, error


def polish(rounded: np.ndarray, filters: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Move single weights by one while that lowers the error; same arrays as in `round_with_feedback`."""
    rounded, covariance = rounded.copy(), inputs.damped
    diagonal = np.diag(covariance)
    gradient = matmul(rounded - filters, covariance)
    rows = np.arange(len(rounded))
    for _ in range(_POLISH_STEPS):
        step = np.where(gradient > 0, -1.0, 1.0)
        gain = diagonal - 2 * np.abs(gradient)  # change of the error by that step
        gain[(rounded + step < WEIGHT_MIN) | (rounded + step > WEIGHT_MAX)] = np.inf
        best = np.argmin(gain, axis=1)
        moved = gain[rows, best] < -1e-12 * diagonal[best]
        if not moved.any():
            break
        active, column = rows[moved], best[moved]
        delta = step[active, column]
        rounded[active, column] += delta
        gradient[active] += delta[:, None] * covariance[column]
    return rounded
