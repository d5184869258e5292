"""Random models of a given seed: an integer one of a described network, a float one of any network."""

import numpy as np

from host.cpu import session
from model.base.errors import UserError
from model.graph.description import load_network
from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import Network
from model.graph.weights import T91, FloatModel, save_float, save_quant, weight_path
from model.integer import examples


def _fastest():
    try:
        return "cpu" if session.vectors() else "golden"
    except UserError:  # no compiler
        return "golden"


FASTEST = _fastest()  # what --backend auto takes without a board


def random_model(network="srcnn915", upscale=3, seed=915):
    """Return `model.integer.examples.random_model` of a network's name, scale and seed."""
    return examples.random_model(load_network(network, upscale), np.random.default_rng(seed), upscale=upscale)


def random_rgb_model(upscale=2, seed=3):
    """Return a random model of a small network that takes and gives colours."""
    layers = (
        Conv("conv1", 3, 3, 4, "relu"),
        Conv("residual", 3, 4, 3 * upscale**2, "none"),
        Add("anchor", ("residual", "input")),
        DepthToSpace("pixels", upscale),
    )
    return examples.random_model(Network("colours", layers, "rgb", upscale), np.random.default_rng(seed))


def random_float_model(network, seed, spread=0.4):
    """Return a `FloatModel` of a `Network`, for x3 unless it is for one factor, its weights normal with standard
    deviation `spread`.
    """
    rng = np.random.default_rng(seed)
    return FloatModel(
        network,
        network.upscale or 3,
        tuple(rng.normal(0, spread, layer.weight_shape).astype(np.float32) for layer in network.convs),
        tuple(rng.normal(0, 0.1, layer.out_ch).astype(np.float32) for layer in network.convs),
        slopes=tuple(
            rng.uniform(0, 1, layer.out_ch).astype(np.float32) if layer.activation == "prelu" else None
            for layer in network.convs
        ),
    )


def write_weights(folder, monkeypatch, network, upscale, seed=915, data=T91):
    """Write a random model's weights, float and integer, into a folder that stands in for `model/weights`; return the
    integer one.
    """
    monkeypatch.setattr("model.graph.weights.WEIGHTS", folder)
    model = random_model(network, upscale, seed)
    save_quant(model, weight_path(network, upscale, quantised=True, data=data))
    save_float(random_float_model(model.network, seed, spread=0.1), weight_path(network, upscale, data=data))
    return model
