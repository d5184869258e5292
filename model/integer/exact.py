"""Sums and matrix products that give the same bits on every processor.

A float sum depends on its order and on where it is rounded, and both depend on the processor: BLAS has a kernel for
each, with other blocks, other vectors, with or without fused multiply-add; numpy has several versions of its loops.
Quantisation decides between integers by such numbers, so whatever it computes with is built of these:

* **Whole numbers** (`product`, `gram`). If all factors are whole numbers, and no sum of products can leave what the
  float type holds exactly, every partial sum is exact: in any order, in any blocks, fused or not. The bound is
  asserted. Real numbers become whole ones by `to_grid`.
* **Real matrices** (`matmul`). Each is cut into two slices of whole numbers times powers of two, from the top; the
  products of slices are exact, the results are added elementwise (Ozaki et al., "Error-free transformations of matrix
  multiplication", 2012).
* **Elementwise** additions, multiplications, divisions, square roots, roundings and comparisons of numpy: IEEE 754
  says every bit of each result, whatever the vectors, and a product is rounded before it is added, since these are
  two calls. Additions along an axis are written out as such, in one order (`total`).

Logarithms, exponentials and trigonometry, whose last digits differ between numpy's versions of them, are not used;
`numpy.frexp` tells exponents exactly. Neither are `sum`, `mean`, `dot`, `einsum` and `linalg` on anything but whole
numbers.
"""

from __future__ import annotations

import numpy as np

MANTISSA = {np.dtype(np.float32): 24, np.dtype(np.float64): 53}  # whole numbers up to 2^this are exact


def to_grid(x: np.ndarray, bits: int) -> tuple[np.ndarray, float]:
    """Round an array to whole numbers of one power of two.

    Parameters
    ----------
    x : ndarray of float
    bits : int
        The whole numbers are at most 2^bits. Not more than the type's mantissa.

    Returns
    -------
    whole : ndarray
        Same type and shape; x is about whole * unit.
    unit : float
    """
    unit = 2.0 ** (int(np.frexp(largest(x))[1]) - bits)  # all |x| < 2^exponent
    whole = x * x.dtype.type(1 / unit)
    return np.rint(whole, out=whole), unit


def largest(x: np.ndarray) -> float:
    """Return the largest magnitude in an array, 0 if it is empty."""
    return float(max(x.max(initial=0), -x.min(initial=0)))


def product(a: np.ndarray, b: np.ndarray, worst: float | None = None) -> np.ndarray:
    """Return a @ b of whole numbers, exactly.

    Parameters
    ----------
    a, b : ndarray, shapes (M, K) and (K, N)
        Both float32 or both float64.
    worst : float
        What no sum of K magnitudes of products exceeds; from the largest numbers in a and b if None.
    """
    assert a.dtype == b.dtype
    worst = largest(a) * largest(b) * a.shape[1] if worst is None else worst
    assert worst <= 2 ** MANTISSA[a.dtype], f"sums of up to {worst:.3g} are not exact in {a.dtype}"
    return a @ b


def gram(columns: np.ndarray, bound: float | None = None) -> np.ndarray:
    """Return columns.T @ columns of whole numbers: as many rows at once as are exact, these results added up.

    Parameters
    ----------
    columns : ndarray of float32 or float64, shape (N, K)
    bound : float
        What no magnitude exceeds; looked up if None.

    Returns
    -------
    ndarray of float64, shape (K, K)
    """
    bound = largest(columns) if bound is None else bound
    rows = int(2 ** MANTISSA[columns.dtype] // max(bound, 1) ** 2)
    assert rows, f"squares of up to {bound:.3g}^2 are not exact in {columns.dtype}"
    sums = np.zeros((columns.shape[1],) * 2)
    for top in range(0, len(columns), rows):
        part = columns[top : top + rows]
        sums += part.T @ part
    return sums


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a @ b of real matrices, to about 2^-40 of the largest number in a's row times that in b's column.

    Parameters
    ----------
    a, b : ndarray of float64, shapes (M, K) and (K, N)
    """
    bits = (53 - a.shape[1].bit_length()) // 2
    a_high, a_low, a_unit = _slices(a, bits, 1)
    b_high, b_low, b_unit = _slices(b, bits, 0)
    low = product(a_high, b_low) + product(a_low, b_high)
    return (product(a_high, b_high) + low * 2.0 ** -(bits + 1)) * (a_unit * b_unit)


def total(x: np.ndarray) -> np.ndarray:
    """Return the sum along the first axis: the second half added to the first, until one is left."""
    x = np.asarray(x, np.float64)
    while len(x) > 1:
        half = len(x) // 2
        pairs = x[:half] + x[half : 2 * half]
        x = np.concatenate([pairs, x[2 * half :]]) if len(x) % 2 else pairs
    return x[0] if len(x) else np.zeros(x.shape[1:])


def _slices(x, bits, axis):
    """Return (high, low, unit): x is about (high + low / 2^(bits + 1)) * unit, with whole numbers up to 2^bits and
    one power of two per row (axis 1) or column (axis 0).
    """
    magnitude = np.maximum(x.max(axis, keepdims=True), -x.min(axis, keepdims=True))
    unit = np.ldexp(1.0, np.frexp(magnitude)[1] - bits)
    scaled = x * (1 / unit)
    high = np.rint(scaled)
    return high, np.rint((scaled - high) * 2.0 ** (bits + 1)), unit
