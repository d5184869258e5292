"""Random models and pictures that use the whole range of the formats, for tests and test vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.graph.formats import BIAS_BITS, MAX_SHIFT, MAX_SLOPE
from model.graph.weights import QuantLayer, QuantModel

if TYPE_CHECKING:
    from model.graph.network import Network


def random_model(network: Network, rng: np.random.Generator, extreme: bool = False, upscale: int = 3) -> QuantModel:
    """Return a model with random integers that use the whole range of the formats.

    Parameters
    ----------
    network : Network
    rng : numpy.random.Generator
    extreme : bool
        Only -128 and 127 as weights; some channels with the largest biases and the extreme shifts.
    upscale : int
        What the model says that it is for, if the network takes an upscaled picture; others say so themselves.
    """
    layers = []
    for layer in network.convs:
        # accumulators spread by about 128 * 75 * sqrt(taps); shifts around log2(spread / 100) keep them in range
        spread = 128 * 75 * layer.taps**0.5
        bias = rng.integers(-int(spread), int(spread) + 1, layer.out_ch).astype(np.int32)
        centre = int(np.log2(spread / 100))
        shift = rng.integers(max(0, centre - 1), centre + 2, layer.out_ch).astype(np.uint8)
        if layer.signed:  # a residual: both signs, mostly within what it can change
            bias = (bias >> 1).astype(np.int32)
        elif layer is network.convs[-1]:
            # no ReLU behind it: a middling output, or most of the picture would be black or white
            bias = rng.integers(64, 192, layer.out_ch).astype(np.int32) << shift
        weight = rng.integers(-128, 128, layer.weight_shape).astype(np.int8)
        if extreme:
            weight = rng.choice(np.array([-128, 127], np.int8), layer.weight_shape)
            # every fourth channel, but not the last layer's only one: the output has to stay interesting
            some = np.arange(layer.out_ch) % 4 == 3
            limit = 2 ** (BIAS_BITS - 1) - 1
            bias = np.where(some, rng.choice([-limit, limit], layer.out_ch), bias).astype(np.int32)
            shift = np.where(some, rng.choice([0, 1, MAX_SHIFT], layer.out_ch), shift).astype(np.uint8)
        prelu = {}
        if layer.activation == "prelu":
            slope = np.minimum(rng.integers(0, MAX_SLOPE + 1, layer.out_ch), MAX_SHIFT - shift.astype(int))
            prelu = {"slope": slope.astype(np.uint8), "zero": rng.integers(0, 256, layer.out_ch).astype(np.uint8)}
        layers.append(QuantLayer(weight, bias, shift, **prelu))
    factor = upscale if network.input == "upscaled" else network.scale
    return QuantModel(network, network.upscale or factor, tuple(layers))


def random_input(network: Network, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return what a network takes: `random_picture`, or three of them as (H, W, 3)."""
    planes = [random_picture(rng, height, width) for _ in range(network.in_ch)]
    return planes[0] if len(planes) == 1 else np.dstack(planes)


def random_picture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return an (H, W) uint8 picture with smooth parts, edges and extremes, so that no output is constant."""
    y, x = np.mgrid[:height, :width]
    smooth = 127 + 100 * np.sin(x / rng.uniform(2, 9)) * np.cos(y / rng.uniform(2, 9))
    noise = rng.integers(0, 256, (height, width))
    extreme = rng.choice([0, 255], (height, width))
    return np.choose(rng.integers(0, 3, (height, width)), [smooth, noise, extreme]).astype(np.uint8)
