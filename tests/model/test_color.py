"""Colour conversions: known values and properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.imaging import color

MATLAB = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])


def one(*pixel):
    return np.array([[pixel]], np.uint8)


@pytest.mark.parametrize(
    "rgb, ycbcr",
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (81, 90, 240)),
        ((0, 255, 0), (145, 54, 34)),
        ((0, 0, 255), (41, 240, 110)),
    ],
)
def test_known_colours(rgb, ycbcr):
    assert tuple(color.rgb_to_ycbcr(one(*rgb))[0, 0]) == ycbcr
    assert color.rgb_to_y(one(*rgb))[0, 0] == ycbcr[0]


@settings(deadline=None)
@given(st.integers(1, 150), st.integers(1, 20), st.integers(0, 2**32))
def test_forward_is_the_rounded_table(height, width, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    out = color.rgb_to_ycbcr(rgb)
    assert np.abs(out - (rgb @ MATLAB.T / 255 + (16, 128, 128))).max() <= 0.5 + 1e-9
    assert np.array_equal(color.rgb_to_y(rgb), out[:, :, 0])


@settings(deadline=None)
@given(st.integers(1, 150), st.integers(1, 20), st.integers(0, 2**32))
def test_round_trips_are_close(height, width, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    # half a step of rounding per channel, times the inverse's gains (at most 1.164 + 2.02, halved)
    assert np.abs(color.ycbcr_to_rgb(color.rgb_to_ycbcr(rgb)).astype(int) - rgb).max() <= 2
    assert np.abs(color.ycrcb_full_to_rgb(color.rgb_to_ycrcb_full(rgb)).astype(int) - rgb).max() <= 2


@settings(deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_inverse_is_the_inverted_table(y, cb, cr):
    expected = np.linalg.inv(MATLAB) @ ((y - 16, cb - 128, cr - 128)) * 255
    assert np.abs(color.ycbcr_to_rgb(one(y, cb, cr))[0, 0] - np.clip(expected, 0, 255)).max() <= 0.5 + 1e-9


def plain_rgb_to_ycbcr(rgb):
    """MATLAB's rgb2ycbcr in whole numbers: round half up."""
    table = np.rint(1000 * MATLAB).astype(np.int64)
    return ((rgb.astype(np.int64) @ table.T + 127500) // 255000 + (16, 128, 128)).astype(np.uint8)


def plain_ycbcr_to_rgb(ycbcr):
    """MATLAB's ycbcr2rgb, written out in doubles."""
    y, cb, cr = (ycbcr[..., c].astype(np.float64) - offset for c, offset in enumerate((16, 128, 128)))
    rgb = [
        y * 1.1643835616438358 + cb * 3.0112439739772951e-07 + cr * 1.5960268873357040,
        y * 1.1643835616438358 + cb * -0.39176253994145005 + cr * -0.81296829216220534,
        y * 1.1643835616438358 + cb * 2.0172326395564593 + cr * 3.0542617453304942e-06,
    ]
    return np.clip(np.floor(np.stack(rgb, axis=-1) + 0.5), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("first", range(0, 256, 32))
def test_every_colour_both_ways_is_the_plain_expression(first):
    """All 2^24 of them, so that no tie and no rounding of the fast form can hide."""
    colours = np.stack(
        np.meshgrid(np.arange(first, first + 32), np.arange(256), np.arange(256), indexing="ij"), axis=-1
    )
    colours = colours.reshape(-1, 1024, 3).astype(np.uint8)
    assert np.array_equal(color.rgb_to_ycbcr(colours), plain_rgb_to_ycbcr(colours))
    assert np.array_equal(color.ycbcr_to_rgb(colours), plain_ycbcr_to_rgb(colours))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.sampled_from([1, 2, 3, 31, 255, 40000, 70000]), st.integers(0, 2**32))
def test_strips_of_any_shape(height, width, seed):
    """Strided views too; the strips are shorter than the picture, as long, or a row each."""
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)[:, :, 1:]
    for function, plain in ((color.rgb_to_ycbcr, plain_rgb_to_ycbcr), (color.ycbcr_to_rgb, plain_ycbcr_to_rgb)):
        assert np.array_equal(function(rgb), plain(rgb))
    assert np.array_equal(color.rgb_to_y(rgb), plain_rgb_to_ycbcr(rgb)[:, :, 0])


def test_grey_stays():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(color.rgb_to_y(grey), grey)
    assert np.array_equal(color.rgb_to_ycrcb_full(np.dstack([grey] * 3))[:, :, 0], grey)
    assert (color.rgb_to_ycbcr(np.dstack([grey] * 3))[:, :, 1:] == 128).all()


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="H, W, 3"):
        color.rgb_to_ycbcr(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="float64"):
        color.ycbcr_to_rgb(np.zeros((4, 4, 3)))
