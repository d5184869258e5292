"""Fixtures that several tests share: integer models with random weights, and the files they lie in."""

import numpy as np
import pytest

from model.network import load_network
from model.weights import QuantLayer, QuantModel, save_quant


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


@pytest.fixture(scope="session")
def models():
    """Random models by network name, all for x3."""
    return {name: random_model(name) for name in ("srcnn915", "srcnn935", "srcnn955")}


@pytest.fixture(scope="session")
def weight_files(tmp_path_factory):
    """Random weight files by (network, upscale)."""
    folder, files = tmp_path_factory.mktemp("weights"), {}
    for network, upscale in (("srcnn915", 2), ("srcnn915", 3), ("srcnn915", 4), ("srcnn935", 3), ("srcnn955", 3)):
        files[network, upscale] = folder / f"{network}_x{upscale}_int8.npz"
        save_quant(random_model(network, upscale), files[network, upscale])
    return files
