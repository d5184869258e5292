"""Whole picture = every tiling, bit for bit; and the cutting itself."""

import functools

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from host.picture import tiling
from host.picture.backends import CsimBackend, GoldenBackend
from host.picture.pipeline import infer_input
from model.integer import golden
from model.integer.examples import random_input
from tests.random_models import random_model, random_rgb_model

NETWORKS = {"srcnn915": 6, "srcnn935": 7, "srcnn955": 8}  # with their halos
SIDE = st.integers(1, 30)


@given(height=SIDE, width=SIDE, tile_height=st.integers(1, 40), tile_width=st.integers(1, 40))
def test_every_pixel_is_in_exactly_one_tile(height, width, tile_height, tile_width):
    hits = np.zeros((height, width), int)
    for tile in tiling.cut(height, width, tile_height, tile_width):
        assert 1 <= tile.height <= tile_height and 1 <= tile.width <= tile_width
        assert tile.top + tile.height <= height and tile.left + tile.width <= width  # a slice would hide it
        hits[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] += 1
    assert (hits == 1).all()


@given(side=st.integers(1, 10**6), limit=st.integers(1, 10**6))
def test_even_parts(side, limit):
    part = tiling.even(side, limit)
    assert part <= limit and -(-side // part) == -(-side // min(limit, side))
    assert side - part * (side // part) == 0 or part - side % part < -(-side // part)  # the last is hardly smaller


@given(height=SIDE, width=SIDE, halo=st.integers(0, 9), seed=st.integers(0, 99))
def test_padding_takes_strided_views(height, width, halo, seed):
    """The host pads planes of colour pictures, of which backends take contiguous tiles."""
    colour = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    padded = golden.pad(colour[:, :, 1], halo)
    np.testing.assert_array_equal(padded, golden.pad(np.ascontiguousarray(colour[:, :, 1]), halo))
    assert padded.flags.c_contiguous


def test_views_copy_nothing():
    padded = np.arange(400, dtype=np.uint8).reshape(20, 20)
    tiles = tiling.cut(16, 16, 5, 7)
    for tile, view in zip(tiles, tiling.views(padded, tiles, 2), strict=True):
        assert np.shares_memory(view, padded) and view.shape == (tile.height + 4, tile.width + 4)
        assert view[0, 0] == padded[tile.top, tile.left]


def test_put_refuses_another_size():
    with pytest.raises(ValueError, match=r"row 2, column 3 gave \(1, 4\), expected \(3, 4\)"):
        tiling.put(np.zeros((9, 9), np.uint8), tiling.Tile(2, 3, 3, 4), np.zeros((1, 4), np.uint8))


@settings(max_examples=60, deadline=None, print_blob=True)
@given(
    network=st.sampled_from(sorted(NETWORKS)),
    height=SIDE,
    width=SIDE,
    tile_height=st.integers(1, 40),
    tile_width=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
@example("srcnn915", 1, 1, 1, 1, 0)
@example("srcnn935", 4, 3, 1, 1, 1)
@example("srcnn955", 1, 30, 40, 1, 2)
@example("srcnn915", 23, 17, 7, 5, 3)
def test_every_tiling_gives_the_bits_of_the_whole(models, network, height, width, tile_height, tile_width, seed):
    assume(-(-height // tile_height) * -(-width // tile_width) <= 40)  # for speed only
    model = models[network]
    assert model.network.halo == NETWORKS[network]
    y = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    whole = golden.infer(model, y, workers=1)
    assert whole.size < 50 or len(np.unique(whole)) > 5
    tiled = infer_input(y, GoldenBackend(model), (tile_height, tile_width))
    np.testing.assert_array_equal(tiled, whole)


VIDEO = [random_model("abpn8m2", 2), random_model("abpn8m5", 3), random_model("abpn12m4", 4)]
VIDEO += [random_rgb_model(upscale) for upscale in (2, 3, 4)]


@settings(max_examples=60, deadline=None, print_blob=True)
@given(
    model=st.sampled_from(VIDEO),
    height=SIDE,
    width=SIDE,
    tile=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_tiling_of_a_picture_at_low_resolution_gives_the_bits_of_the_whole(model, height, width, tile, seed):
    assume(-(-height // max(1, tile[0] // model.upscale)) * -(-width // max(1, tile[1] // model.upscale)) <= 40)
    x = random_input(model.network, np.random.default_rng(seed), height, width)
    whole = golden.infer(model, x, workers=1)
    assert whole.shape[:2] == (height * model.upscale, width * model.upscale)
    np.testing.assert_array_equal(infer_input(x, GoldenBackend(model), tile), whole)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, print_blob=True)
@given(height=SIDE, width=SIDE, tile=st.tuples(st.integers(1, 60), st.integers(1, 60)), seed=st.integers(0, 2**32 - 1))
def test_every_tiling_of_the_kernels_gives_the_bits_of_the_whole(height, width, tile, seed):
    model = VIDEO[0]
    assume(-(-height // max(1, tile[0] // 2)) * -(-width // max(1, tile[1] // 2)) <= 40)
    x = random_input(model.network, np.random.default_rng(seed), height, width)
    np.testing.assert_array_equal(infer_input(x, csim(), tile), golden.infer(model, x, workers=1))


@functools.cache
def csim():
    """The kernels of the first network for video, built once."""
    return CsimBackend(VIDEO[0])
