"""Linear systems with the same bits on every processor: elementwise arithmetic, and `model.integer.exact` for blocks.

LAPACK's routines end in BLAS, so that their last digits depend on the processor. These are the textbook's, by blocks
of `BLOCK` columns: within a block elementwise, column by column, between blocks matrix products.
"""

from __future__ import annotations

import numpy as np

from model.integer.exact import matmul

BLOCK = 64


def cholesky(matrix: np.ndarray) -> np.ndarray:
    """Return the lower triangular L with matrix = L L'.

    Parameters
    ----------
    matrix : ndarray of float64, shape (K, K)
        Symmetric and well inside positive definite.
    """
    size = len(matrix)
    rest, lower = matrix.copy(), np.zeros_like(matrix)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        panel = np.ascontiguousarray(rest[start:, start:stop].T)  # its rows are the columns of L, from `start` on
        for i, column in enumerate(panel):
            column[:i] = 0
            column /= np.sqrt(column[i])
            panel[i + 1 :, i:] -= column[i + 1 : stop - start, None] * column[i:]
        lower[start:, start:stop] = panel.T
        if stop < size:
            below = lower[stop:, start:stop]
            rest[stop:, stop:] -= matmul(below, np.ascontiguousarray(below.T))
    return lower


def solve(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return x of lower lower' x = right.

    Parameters
    ----------
    lower : ndarray of float64, shape (K, K)
        From `cholesky`.
    right : ndarray of float64, shape (K, N)
    """
    x = substitute(lower, right)
    for i in range(len(x) - 1, -1, -1):
        x[i] /= lower[i, i]
        x[:i] -= lower[i, :i, None] * x[i]
    return x


def substitute(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return x of lower x = right; shapes as for `solve`."""
    x, columns = right.copy(), np.ascontiguousarray(lower.T)
    for i in range(len(x)):
        x[i] /= lower[i, i]
        x[i + 1 :] -= columns[i, i + 1 :, None] * x[i]
    return x


def invert_lower(lower: np.ndarray) -> np.ndarray:
    """Return the inverse of a lower triangular matrix, lower triangular too."""
    inverse = np.zeros_like(lower)
    for start in range(0, len(lower), BLOCK):
        stop = min(start + BLOCK, len(lower))
        block = np.zeros((stop - start, stop))
        block[:, start:] = np.eye(stop - start)
        if start:
            block[:, :start] = -matmul(lower[start:stop, :start], inverse[:start, :start])
        inverse[start:stop, :stop] = substitute(lower[start:stop, start:stop], block)
    return inverse
