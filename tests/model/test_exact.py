"""Sums and products that give the same bits everywhere: exact where they say so, close elsewhere, in any order."""

import fractions

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.integer import exact
from model.quantise import linear

SEEDS = st.integers(0, 2**32 - 1)


def spread(rng, *shape):
    """Numbers of both signs over many powers of two."""
    return rng.normal(size=shape) * 2.0 ** rng.integers(-12, 12, shape)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(SEEDS, st.integers(1, 40))
def test_products_of_real_matrices_do_not_depend_on_the_order(seed, terms):
    """All that BLAS may do otherwise is another order (and fused rounding, which exact sums don't feel)."""
    rng = np.random.default_rng(seed)
    a, b, order = spread(rng, 5, terms), spread(rng, terms, 4), rng.permutation(terms)
    found = exact.matmul(a, b)
    assert np.array_equal(found, exact.matmul(np.ascontiguousarray(a[:, order]), np.asfortranarray(b[order])))
    bound = np.abs(a).max(1)[:, None] * np.abs(b).max(0) * terms * 2.0**-40
    for i in range(5):
        for j in range(4):
            true = sum(fractions.Fraction(x) * fractions.Fraction(y) for x, y in zip(a[i], b[:, j]))
            assert abs(fractions.Fraction(found[i, j]) - true) <= bound[i, j]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(SEEDS, st.integers(1, 5000))
def test_grams_of_bytes_are_exact_in_float32(seed, rows):
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 129, (rows, 3)) if rng.integers(2) else np.full((rows, 3), -128)
    assert np.array_equal(exact.gram(x.astype(np.float32)), x.T @ x)
    assert np.array_equal(exact.gram(x.astype(np.float32), bound=128), x.T @ x)


def test_what_would_round_is_refused():
    large = np.full((2, 2), 2.0**27)
    for run in (lambda: exact.product(large, large), lambda: exact.gram(large.astype(np.float32))):
        with pytest.raises(AssertionError, match="not exact in float"):
            run()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(SEEDS, st.integers(1, 22), st.sampled_from((np.float32, np.float64)))
def test_a_grid_is_as_fine_as_it_says(seed, bits, dtype):
    x = spread(np.random.default_rng(seed), 30).astype(dtype)
    whole, unit = exact.to_grid(x, bits)
    assert whole.dtype == dtype and np.array_equal(whole, np.rint(whole)) and np.abs(whole).max() <= 2**bits
    assert np.abs(whole * unit - x).max() <= unit / 2 and unit <= np.abs(x).max() * 2.0 ** (1 - bits)
    assert exact.to_grid(np.zeros(3), bits)[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 64, 1000])
def test_totals_add_up(count):
    x = spread(np.random.default_rng(count), count, 3)
    assert exact.total(x) == pytest.approx(x.sum(0), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("size", [1, 5, 64, 65, 200])
def test_linear_systems_equal_lapack(size):
    rng = np.random.default_rng(size)
    root, right = rng.normal(size=(size, size + 5)), rng.normal(size=(size, 3))
    matrix = root @ root.T + np.eye(size)
    lower = linear.cholesky(matrix)
    assert lower == pytest.approx(np.linalg.cholesky(matrix), rel=1e-8, abs=1e-8)
    assert linear.solve(lower, right) == pytest.approx(np.linalg.solve(matrix, right), rel=1e-6, abs=1e-8)
    assert linear.substitute(lower, right) == pytest.approx(np.linalg.solve(lower, right), rel=1e-6, abs=1e-8)
    assert linear.invert_lower(lower) == pytest.approx(np.linalg.inv(lower), rel=1e-6, abs=1e-8)
