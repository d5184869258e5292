"""Weights of pictures: squared errors add up to the gain over bicubic, and each patch has those of its picture."""

import numpy as np
import pytest

from model.data.datasets import Pairs, Patches
from model.data.weighting import MOST, picture_weights
from model.imaging.resize import imresize, to_uint8


def pictures(scale, seed):
    """Smooth, rough and flat ones."""
    rng = np.random.default_rng(seed)
    highs = []
    for contrast, shape in ((3, (24, 30)), (30, (30, 24)), (90, (36, 36)), (0, (24, 24))):
        noise = np.repeat(np.repeat(rng.normal(0, contrast, [side // 3 for side in shape]), 3, 0), 3, 1)
        highs.append(to_uint8(128 + noise))
    lows = [to_uint8(imresize(high, 1 / scale)) for high in highs]
    return Pairs.of(zip([to_uint8(imresize(low, scale)) for low in lows] if scale == 1 else lows, highs), scale)


def mean_psnr(pairs, outs):
    return np.mean([-10 * np.log10(np.mean((out - high) ** 2) + 1) for out, (_, high) in zip(outs, pairs.pictures())])


@pytest.mark.parametrize("scale", [2, 3])
def test_weighted_errors_have_the_slope_of_the_mean_gain(scale):
    pairs = pictures(scale, 5)
    weights = picture_weights(pairs)
    bicubic = [to_uint8(imresize(low, scale)).astype(float) for low, _ in pairs.pictures()]
    true = [high.astype(float) for _, high in pairs.pictures()]
    rough = [i for i in range(len(true)) if weights[i] < 0.999 * weights.max()]  # the others are held back
    assert len(rough) >= 2
    slopes = []
    for i in rough:
        better = [b + 1e-4 * (t - b) * (j == i) for j, (b, t) in enumerate(zip(bicubic, true))]
        gain = mean_psnr(pairs, better) - mean_psnr(pairs, bicubic)
        error = np.mean((bicubic[i] - true[i]) ** 2) - np.mean((better[i] - true[i]) ** 2)
        slopes.append(gain / (weights[i] * error))
    assert slopes == pytest.approx([slopes[0]] * len(slopes), rel=1e-3)


def test_a_pixel_weighs_one_on_average_and_no_picture_too_much():
    pairs = pictures(2, 6)
    weights, pixels = picture_weights(pairs), pairs.shapes.prod(1)
    assert weights @ pixels == pytest.approx(pixels.sum(), rel=1e-5)
    assert weights.max() <= MOST * np.median(weights) * (1 + 1e-6)
    assert weights[2] < weights[1] < weights[0]  # the rougher, the less


@pytest.mark.parametrize("order", ["random", "ordered"])
def test_each_patch_has_the_weight_of_its_picture(order):
    shapes = np.array([(12, 20), (5, 5), (9, 8)])  # the middle one is too small for a patch
    pixels = np.concatenate([np.full(h * w, 10 * i, np.uint8) for i, (h, w) in enumerate(shapes)])
    pairs, weights = Pairs(pixels, pixels, shapes), np.array([1.0, 7.0, 3.0], np.float32)
    plain = Patches(pairs, 7, 1, order, 2, 40, seed=3)
    low, high, weight = Patches(pairs, 7, 1, order, 2, 40, seed=3, weights=weights)(4)
    assert weight.dtype == np.float32
    assert np.array_equal(weight, weights[np.round(low[:, 0, 0, 0] * 25.5).astype(int)])
    assert set(weight) == {1.0, 3.0} or order == "ordered"
    for one, two in zip(plain(4), (low, high), strict=True):
        assert np.array_equal(one, two)
