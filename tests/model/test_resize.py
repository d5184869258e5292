"""Resizing: known values, properties on random sizes, the published bicubic baselines."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base.errors import UserError
from model.base.paths import dataset_files
from model.data.datasets import read_picture
from model.imaging.color import rgb_to_y
from model.imaging.resize import imresize, modcrop, opencv_resize, to_uint8, upscale_bicubic

BASELINES = {
    ("Set5", 2): 33.6614,
    ("Set5", 3): 30.3922,
    ("Set5", 4): 28.4207,
    ("Set14", 2): 30.2318,
    ("Set14", 3): 27.5405,
    ("Set14", 4): 26.0001,
}

sides = st.integers(1, 24)
pictures = st.builds(
    lambda height, width, seed: np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8),
    sides,
    sides,
    st.integers(0, 2**32),
)


def direct(row, new):
    """One row's resize by the definition, in plain loops."""
    old, out = len(row), []
    scale = new / old
    stretch = min(scale, 1)
    for u in range(new):
        centre = (u + 0.5) / scale - 0.5
        total = norm = 0
        for i in range(int(centre - 2 / stretch) - 3, int(centre + 2 / stretch) + 4):
            x = abs(centre - i) * stretch
            weight = 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0
            j = i % (2 * old)
            total += weight * row[j if j < old else 2 * old - 1 - j]
            norm += weight
        out.append(total / norm)
    return out


@settings(deadline=None)
@given(sides, sides, st.integers(0, 2**32))
def test_one_row_is_the_definition(old, new, seed):
    row = np.random.default_rng(seed).random((1, old))
    np.testing.assert_allclose(imresize(row, (1, new))[0], direct(row[0], new), atol=1e-9)


@settings(deadline=None)
@given(st.floats(0.05, 5), sides, sides, st.floats(-300, 300))
def test_constants_stay(scale, height, width, value):
    out = imresize(np.full((height, width), value), scale)
    assert out.shape == (np.ceil(scale * height - 1e-9), np.ceil(scale * width - 1e-9))
    np.testing.assert_allclose(out, value, atol=1e-9)


@settings(deadline=None)
@given(pictures, st.integers(1, 5))
def test_integer_upscale_is_imresize_rounded(picture, upscale):
    """The float result may fall on the other side of a tie; everywhere else the two are equal."""
    exact, floating = upscale_bicubic(picture, upscale), imresize(picture, upscale)
    assert exact.shape == floating.shape and exact.dtype == np.uint8
    assert np.abs(exact - np.clip(floating, 0, 255)).max() <= 0.5 + 1e-9


def plain_upscale(picture, upscale):
    """The definition of `upscale_bicubic` in whole numbers: exact weights from fractions, sums, round half up, clip."""
    phases, denominator = [], (2 * (2 * upscale) ** 3)
    for phase in range(upscale):
        taps = {}
        for offset in range(-2, 3):
            x = abs(Fraction(2 * phase + 1, 2 * upscale) - Fraction(1, 2) - offset)
            weight = (3 * x**3 - 5 * x**2 + 2) / 2 if x <= 1 else (-(x**3) + 5 * x**2 - 8 * x + 4) / 2 if x < 2 else 0
            taps[offset] = int(weight * denominator)
        assert sum(taps.values()) == denominator
        phases.append(taps)
    height, width = picture.shape
    padded = np.pad(picture, 2, mode="symmetric").astype(np.int64)
    out = np.empty((height * upscale, width * upscale), np.uint8)
    for i, down in enumerate(phases):
        tall = sum(weight * padded[2 + offset : 2 + offset + height] for offset, weight in down.items())
        for j, across in enumerate(phases):
            total = sum(weight * tall[:, 2 + offset : 2 + offset + width] for offset, weight in across.items())
            out[i::upscale, j::upscale] = np.clip((2 * total + denominator**2) // (2 * denominator**2), 0, 255)
    return out


@settings(deadline=None, max_examples=150)
@given(sides, sides, st.integers(1, 5), st.sampled_from([256, 2, 3]), st.integers(0, 2**32))
def test_integer_upscale_is_the_definition(height, width, upscale, levels, seed):
    """Bit for bit; with few levels there are overshoots and ties."""
    picture = (np.random.default_rng(seed).integers(0, levels, (height, width)) * 255 // (levels - 1)).astype(np.uint8)
    assert np.array_equal(upscale_bicubic(picture, upscale), plain_upscale(picture, upscale))


@settings(deadline=None)
@given(pictures, st.integers(1, 4), st.data())
def test_some_rows_are_rows_of_the_whole(picture, upscale, data):
    end = data.draw(st.integers(1, upscale * len(picture)))
    begin = data.draw(st.integers(0, end - 1))
    whole = upscale_bicubic(picture, upscale)
    assert np.array_equal(upscale_bicubic(picture, upscale, (begin, end)), whole[begin:end])
    colour = np.dstack([picture, 255 - picture])
    assert np.array_equal(upscale_bicubic(colour, upscale, (begin, end))[:, :, 0], whole[begin:end])


@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_large_upscales_are_the_definition(upscale):
    """Millions of sums, over many strips."""
    picture = np.random.default_rng(upscale).integers(0, 256, (410, 700), np.uint8)
    assert np.array_equal(upscale_bicubic(picture, upscale), plain_upscale(picture, upscale))


@settings(deadline=None)
@given(pictures, st.integers(2, 4))
def test_upscale_commutes_with_transposition_and_mirrors(picture, upscale):
    up = upscale_bicubic(picture, upscale)
    assert np.array_equal(upscale_bicubic(np.ascontiguousarray(picture.T), upscale), up.T)
    assert np.array_equal(upscale_bicubic(np.ascontiguousarray(picture[:, ::-1]), upscale), up[:, ::-1])


def test_channels_are_independent():
    rgb = np.random.default_rng(3).integers(0, 256, (13, 17, 3), np.uint8)
    for function, argument in ((imresize, 0.4), (imresize, 3), (imresize, (7, 40)), (upscale_bicubic, 3)):
        whole = function(rgb, argument)
        for c in range(3):
            assert np.array_equal(whole[:, :, c], function(np.ascontiguousarray(rgb[:, :, c]), argument)), function


@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_one_pixel(upscale):
    one = np.array([[201]], np.uint8)
    assert (upscale_bicubic(one, upscale) == 201).all() and upscale_bicubic(one, upscale).shape == (upscale, upscale)
    assert opencv_resize(one, (upscale, 1)).shape == (upscale, 1)
    assert opencv_resize(one[:, :, None], (2, 2)).shape == (2, 2, 1)


def test_strips_join_without_a_seam():
    """Pictures of many strips equal what a naive computation of the whole gives."""
    picture = np.random.default_rng(5).integers(0, 256, (300, 900), np.uint8)
    up = upscale_bicubic(picture, 4)
    assert np.array_equal(up, to_uint8(imresize(picture, 4)))
    assert np.array_equal(up[:, 400:480], upscale_bicubic(picture[:, 90:130], 4)[:, 40:120])


def test_modcrop():
    assert modcrop(np.zeros((10, 7, 3)), 3).shape == (9, 6, 3)
    with pytest.raises(UserError, match="at least|needs 4 pixels"):
        modcrop(np.zeros((3, 9)), 4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: imresize(np.zeros((0, 4)), 2),
        lambda: imresize(np.zeros(4), 2),
        lambda: imresize(np.zeros((4, 4)), (0, 2)),
        lambda: upscale_bicubic(np.zeros((4, 4)), 2),
        lambda: upscale_bicubic(np.zeros((4, 4), np.uint8), 0),
        lambda: upscale_bicubic(np.zeros((0, 4), np.uint8), 2),
        lambda: upscale_bicubic(np.zeros((4, 4), np.uint8), 64),
    ],
)
def test_bad_input(call):
    with pytest.raises(UserError):
        call()


@pytest.mark.data
@pytest.mark.parametrize("name, upscale", BASELINES)
def test_published_baselines(name, upscale):
    scores = []
    for path in dataset_files(name):
        true = modcrop(rgb_to_y(read_picture(path)), upscale)
        up = to_uint8(255 * imresize(imresize(true / 255, 1 / upscale), upscale))
        inner = (slice(upscale, -upscale),) * 2
        scores.append(10 * np.log10(255**2 / np.mean((up[inner].astype(float) - true[inner]) ** 2)))
    assert np.mean(scores) == pytest.approx(BASELINES[name, upscale], abs=0.0005)
