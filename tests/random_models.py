"""Integer models with random weights, by seed."""

import numpy as np

from model.graph.network import load_network
from model.graph.weights import QuantLayer, QuantModel


def random_model(network="srcnn915", upscale=3, seed=915):
    """Return a `QuantModel` with random weights whose output uses the range of uint8 on noise."""
    rng = np.random.default_rng(seed)
    network = load_network(network)
    layers = []
    for layer in network.layers:
        weight = rng.integers(-128, 128, layer.weight_shape).astype(np.int8)
        # a sum of `taps` random products spreads by about 75 * 110 * sqrt(taps): bring that to about 64 or 128
        shift = int(np.log2(130 * layer.taps**0.5)) - rng.integers(0, 2, layer.out_ch)
        bias = (64 + rng.integers(0, 64, layer.out_ch)) << shift
        layers.append(QuantLayer(weight, bias.astype(np.int32), shift.astype(np.uint8)))
    return QuantModel(network, upscale, tuple(layers))
