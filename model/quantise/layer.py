"""Integer parameters for one layer: least squares against quantised inputs, then rounding with error feedback.

Rounding every weight to its nearest integer is far from the best integer filter: neighbouring pixels are alike, so
the error of one weight can be undone by its neighbours. With H the second moments of the layer's inputs, a filter
w in place of v costs (w - v)' H (w - v). `round_with_feedback` rounds one weight after the other and lets the
remaining ones take up each error (the idea of Optimal Brain Surgeon and GPTQ), `polish` then moves single weights
by one while that helps. Everything is float64 numpy, and the same on every run.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

WEIGHT_MIN, WEIGHT_MAX = -128, 127
DAMPING = 1e-4  # of the mean second moment: keeps directions that calibration never showed from growing
_FLOOR = 0.01  # steps squared: above what float32 sums leave of a constant input, below a stored value's rounding
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
        return self.covariance + (DAMPING * np.trace(self.covariance) / size + _FLOOR) * np.eye(size)

    @functools.cached_property
    def elimination(self) -> tuple[np.ndarray, np.ndarray]:
        """(order, factor): weights in the order of rounding, and how each error is best passed on to the later ones."""
        order = np.argsort(-np.diag(self.damped), kind="stable")  # strongest inputs first, while all others can help
        inverse = np.linalg.inv(self.damped[np.ix_(order, order)])
        return order, np.linalg.cholesky(inverse).T  # upper triangular, inverse = factor' factor


@dataclasses.dataclass
class Fit:
    """What one output channel should be: its target t against the inputs x.

    Attributes
    ----------
    inputs : Inputs
        Shared by all channels of a large layer.
    target : float
        Mean of t.
    cross : ndarray of float64, shape (K,)
        Covariance of x and t.
    """

    inputs: Inputs
    target: float
    cross: np.ndarray

    def solve(self, original: np.ndarray) -> np.ndarray:
        """Return the real filter that best makes the target from the inputs, drawn towards `original` (K,), the
        trained one.
        """
        return original + np.linalg.solve(self.inputs.damped, self.cross - self.inputs.covariance @ original)

    def bias(self, filter_: np.ndarray) -> float:
        """Return the bias that removes the mean error of `filter_` (K,), in the target's unit."""
        return self.target - filter_ @ self.inputs.mean


def round_with_feedback(filters: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Round filters to int8, one weight after the other, each error passed on to the weights still free.

    Parameters
    ----------
    filters : ndarray of float64, shape (N, K)
        In units of the integer weights.
    inputs : Inputs

    Returns
    -------
    ndarray of float64, shape (N, K)
        Whole numbers in -128..127.
    """
    order, factor = inputs.elimination
    free = filters[:, order].copy()
    for i in range(free.shape[1]):
        value = np.clip(np.rint(free[:, i]), WEIGHT_MIN, WEIGHT_MAX)
        error = (free[:, i] - value) / factor[i, i]
        free[:, i] = value
        free[:, i + 1 :] -= error[:, None] * factor[i, i + 1 :]
    rounded = np.empty_like(free)
    rounded[:, order] = free
    return rounded


def polish(rounded: np.ndarray, filters: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Move single weights by one while that lowers the error; same arrays as in `round_with_feedback`."""
    rounded, covariance = rounded.copy(), inputs.damped
    diagonal = np.diag(covariance)
    gradient = (rounded - filters) @ covariance
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


def error(rounded: np.ndarray, filters: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Return each filter's mean squared output error, in units of its integer accumulator, shape (N,)."""
    difference = rounded - filters
    return np.einsum("nk,nk->n", difference @ inputs.damped, difference)
