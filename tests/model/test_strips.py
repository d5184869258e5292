"""Strips: every row once, whatever the number of threads; errors come through; small pictures start no thread."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.imaging import color, resize, strips


@settings(deadline=None)
@given(height=st.integers(1, 200), rows=st.integers(1, 250), threads=st.integers(1, 5), large=st.booleans())
def test_every_row_is_in_exactly_one_strip(height, rows, threads, large):
    hits, users = np.zeros(height, int), set()

    def work(parts):
        users.add(threading.get_ident())
        for top, bottom in parts:
            assert 0 < bottom - top <= rows
            hits[top:bottom] += 1

    strips.each_strip(work, height, strips.LEAST_PIXELS if large else 1, rows, threads)
    assert (hits == 1).all()
    assert large and threads > 1 and height > 1 or users == {threading.get_ident()}


def test_an_error_in_a_thread_comes_through():
    def work(parts):
        for top, _ in parts:
            if top == 70:
                raise ZeroDivisionError("row 70")

    with pytest.raises(ZeroDivisionError, match="row 70"):
        strips.each_strip(work, 100, strips.LEAST_PIXELS, 10, 3)


def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    rgb = np.random.default_rng(1).integers(0, 256, (700, 900, 3), np.uint8)
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(strips, "THREADS", threads)
        results.append(
            (
                color.rgb_to_ycbcr(rgb),
                color.ycbcr_to_rgb(rgb),
                color.rgb_to_y(rgb),
                *(resize.upscale_bicubic(rgb[:, :, 0], s) for s in (2, 3, 4)),
            )
        )
    for others in results[1:]:
        assert all(np.array_equal(one, other) for one, other in zip(results[0], others, strict=True))
