"""Colours under the mask: the opposite ones there change nothing that is seen."""

import numpy as np
import pytest

from host.picture.backends import GoldenBackend
from host.picture.pipeline import upscale_picture
from model.imaging.picture import Picture
from model.imaging.transparency import extend_colours
from tests.random_models import random_model, random_rgb_model

RNG = np.random.default_rng(4)


def by_hand(pixels, alpha, reach):
    """One pixel after the other."""
    colours = {(y, x): pixels[y, x].astype(int) for y, x in np.argwhere(alpha != 0)}
    for _ in range(reach):
        fresh = {}
        for y, x in np.ndindex(alpha.shape):
            around = [colours[y + j, x + i] for j in (-1, 0, 1) for i in (-1, 0, 1) if (y + j, x + i) in colours]
            if (y, x) not in colours and around:
                fresh[y, x] = (2 * sum(around) + len(around)) // (2 * len(around))
        colours |= fresh
    out = pixels.copy()
    for place, colour in colours.items():
        out[place] = colour
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(9, 14), (9, 14, 3), (1, 7, 3), (5, 1)])
@pytest.mark.parametrize("reach", [1, 3, 20])
def test_the_mean_of_the_neighbours_from_the_edge_outwards(dtype, shape, reach):
    white = np.iinfo(dtype).max
    pixels = RNG.integers(0, white + 1, shape).astype(dtype)
    alpha = (RNG.random(shape[:2]) < 0.12) * RNG.integers(1, white + 1, shape[:2])
    alpha.flat[0] = 1
    alpha = alpha.astype(dtype)
    before = pixels.copy()
    np.testing.assert_array_equal(extend_colours(pixels, alpha, reach), by_hand(pixels, alpha, reach))
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("alpha", [None, np.zeros((4, 5), np.uint8), np.full((4, 5), 1, np.uint8)])
def test_nothing_hidden_or_nothing_seen(alpha):
    pixels = RNG.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    assert extend_colours(pixels, alpha, 3) is pixels


@pytest.mark.parametrize(
    "model", [random_model("srcnn915", 3), random_model("abpn8m2", 2), random_rgb_model()], ids=lambda m: m.network.name
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_opposite_colours_under_the_mask_change_nothing_that_is_seen(model, dtype):
    white = np.iinfo(dtype).max
    alpha = np.zeros((48, 60), dtype)
    alpha[14:30, 20:33] = white
    alpha[18:22, 24:27] = 0
    seen = RNG.integers(0, white + 1, (48, 60, 3)).astype(dtype)
    results = []
    for hidden in (0, white, RNG.integers(0, white + 1, seen.shape)):
        pixels = np.where(alpha[:, :, None] != 0, seen, hidden).astype(dtype)
        results.append(upscale_picture(Picture(pixels, alpha), GoldenBackend(model)))
    shown = results[0].alpha != 0
    assert shown.mean() < 0.2 and (results[0].alpha == 0).any()
    for other in results[1:]:
        np.testing.assert_array_equal(other.alpha, results[0].alpha)
        np.testing.assert_array_equal(other.pixels[shown], results[0].pixels[shown])
    assert np.any(results[0].pixels != results[1].pixels)  # far away it stays what it was


def test_no_dark_fringe():
    """A red disc on transparent black: whatever is seen of it is red."""
    y, x = np.mgrid[:40, :40] - 19.5
    alpha = np.where(y**2 + x**2 < 130, 255, 0).astype(np.uint8)
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[alpha > 0] = (200, 30, 30)
    from host.picture.pipeline import load_model

    result = upscale_picture(Picture(pixels, alpha), GoldenBackend(load_model("srcnn915", 3)))
    seen = result.pixels[result.alpha > 0].astype(int)
    assert np.abs(seen - (200, 30, 30)).max() <= 6
