"""Networks in Keras as they are trained: the first layer whitened, others expanded, pixels centred around 0 inside.

Inference stays the plain network, into which `collapse` turns this one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.graph.kinds import Add, DepthToSpace
from model.graph.network import INPUT, Network
from model.train.keras_layers import TrainedConv2D, keras
from model.train.keras_model import connect, get_slopes, set_slopes, transpose_kernel

CENTRE = 0.5  # of the pixels' range, subtracted inside a model that is being trained
WHITENING_FLOOR = 0.01  # of the mean eigenvalue: bounds the gain of directions without energy
FIRST_SLOPE = 0.25  # of a PReLU
PASSED_NOISE = 0.5  # of He's, where a layer starts by passing its input on


def build_trainable(network: Network, padding: str = "valid", expand: int = 0) -> keras.Model:
    """Return the network as it is trained.

    Parameters
    ----------
    network : Network
    padding : str
        See `connect`. "same" convolutions pad the picture with mid-grey.
    expand : int
        Channels in the middle of every convolution (`TrainedConv2D`); 0 for plain ones.

    Returns
    -------
    keras.Model
        Weights are undefined until `start_from`.
    """

    def conv(layer, x):
        if INPUT in layer.inputs:
            x = keras.layers.Rescaling(1.0, -CENTRE)(x)
        return TrainedConv2D(layer, padding, layer is network.convs[0], expand)(x)

    finish = keras.layers.Rescaling(1.0, CENTRE) if _centred_output(network) else None
    return connect(network, padding, conv, f"{network.name}_trainable", finish)


def _centred_output(network):
    """Whether the picture comes straight out of a convolution, which then makes it around 0."""
    layer = network.layers[-1]
    while isinstance(layer, DepthToSpace):
        layer = next(before for before in network.layers if before.name in layer.inputs)
    return layer is network.convs[-1] and layer.activation == "none"


def collapse(trainable: keras.Model) -> tuple[tuple, tuple, tuple]:
    """Return the plain weights that compute what a model made by `build_trainable` computes: (weights, biases,
    slopes).
    """
    network, to_numpy = trainable.network, keras.ops.convert_to_numpy
    weights, biases = [], []
    for layer in network.convs:
        block = trainable.get_layer(layer.name)
        matrix = to_numpy(block.kernel).astype(np.float64).reshape(layer.taps, -1)
        if block.expand:
            matrix = matrix @ to_numpy(block.back).astype(np.float64)
        if block.whitened:
            matrix = to_numpy(block.whitening).astype(np.float64) @ matrix
        bias = to_numpy(block.bias).astype(np.float64)
        if INPUT in layer.inputs:
            bias -= CENTRE * matrix.sum(0)
        weights.append(transpose_kernel(matrix.reshape(block.shape), "project").astype(np.float32))
        biases.append(bias)
    if _centred_output(network):
        biases[-1] += CENTRE
    return tuple(weights), tuple(bias.astype(np.float32) for bias in biases), get_slopes(trainable)


def start_from(
    trainable: keras.Model,
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    whitening: np.ndarray,
    slopes: Sequence[np.ndarray | None] = (),
    seed: int = 0,
) -> None:
    """Put plain weights in project order into a model made by `build_trainable`: the inverse of `collapse`.

    Parameters
    ----------
    trainable : keras.Model
    weights, biases : sequence of ndarray
    whitening : ndarray, shape (taps, taps)
        Of the first layer; see `whitening_of`; invertible.
    slopes : sequence of ndarray or None, optional
        Of every PReLU.
    seed : int
        Of what an expanded convolution has more than its plain weights say.
    """
    network, rng = trainable.network, np.random.default_rng([seed, 2])
    for layer, weight, bias in zip(network.convs, weights, biases, strict=True):
        block = trainable.get_layer(layer.name)
        matrix = transpose_kernel(weight, "tensorflow").astype(np.float64).reshape(layer.taps, -1)
        bias = bias.astype(np.float64)
        if INPUT in layer.inputs:
            bias = bias + CENTRE * matrix.sum(0)
        if layer is network.convs[-1] and _centred_output(network):
            bias = bias - CENTRE
        if block.whitened:
            matrix = np.linalg.solve(whitening, matrix)
            block.whitening.assign(whitening.astype(np.float32))
        if block.expand:
            matrix, back = _expand(matrix, block.expand, rng)
            block.back.assign(back.astype(np.float32))
        block.kernel.assign(matrix.reshape(block.kernel.shape).astype(np.float32))
        block.bias.assign(bias.astype(np.float32))
    set_slopes(trainable, slopes or (None,) * len(network.convs))


def _expand(matrix, channels, rng):
    """Return (taps, channels) and (channels, out) of which `matrix` is the product.

    Back is made of orthonormal columns, as far as it goes; what it does not see of the first is noise of He's size.
    """
    taps, out_ch = matrix.shape
    assert channels >= out_ch, f"{channels} channels cannot hold {out_ch}"
    back = np.linalg.qr(rng.normal(0, 1, (channels, out_ch)))[0]
    noise = rng.normal(0, np.sqrt(2 / taps), (taps, channels))
    return matrix @ back.T + noise - (noise @ back) @ back.T, back


def whitening_of(pictures: np.ndarray, k: int) -> np.ndarray:
    """Return the whitening of k x k windows, symmetric, of gain 1 on average.

    Parameters
    ----------
    pictures : ndarray, shape (N, H, W) or (N, H, W, C)
        Patches of network input in [0, 1].
    k : int

    Returns
    -------
    ndarray of float64, shape (k * k * C, k * k * C)
    """
    pixels = pictures.astype(np.float64).reshape(*pictures.shape[:3], -1) - CENTRE
    view = np.lib.stride_tricks.sliding_window_view(pixels, (k, k), axis=(1, 2))[:, ::4, ::4]
    windows = view.transpose(0, 1, 2, 4, 5, 3).reshape(-1, k * k * pixels.shape[3])
    values, vectors = np.linalg.eigh(windows.T @ windows / len(windows))
    mean = values.mean()
    if not mean > 0:
        return np.eye(len(values))
    return (vectors * np.sqrt(mean / (values + WHITENING_FLOOR * mean))) @ vectors.T


def initial_weights(
    network: Network, seed: int, whitening: np.ndarray | None = None
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], tuple[np.ndarray | None, ...]]:
    """Return weights to start a training from: the first output is nearly what the network takes.

    He-normal (the first layer's in whitened coordinates). A network that adds an earlier tensor starts with a
    residual near 0, and every layer in it that has as many outputs as inputs passes them on, plus half of such noise:
    abpn8m5 at x3 is 0.17 dB ahead so after 1,500 steps. One that adds nothing has a path that carries the pixel on
    unchanged, along the first channels of every layer, and a damped last layer. So training has to learn only the
    difference from the bicubic picture, or from the repeated pixels.

    Parameters
    ----------
    network : Network
    seed : int
    whitening : ndarray, shape (taps, taps), optional
        Of the first layer.

    Returns
    -------
    weights, biases, slopes : tuple of ndarray of float32
        Shapes (O, Kh, Kw, I), (O,) and (O,), None where there is no PReLU.
    """
    rng = np.random.default_rng(seed)
    carried = 0 if any(isinstance(layer, Add) for layer in network.layers) else network.in_ch
    carried = carried if all(layer.out_ch >= carried for layer in network.convs) else 0
    weights, biases = [], []
    for layer in network.convs:
        last = layer is network.convs[-1]
        damped = layer.signed or not layer.relu
        weight = rng.normal(0, np.sqrt(2 / layer.taps) * (0.01 if damped else 1.0), layer.weight_shape)
        if layer is network.convs[0] and whitening is not None:
            weight = (weight.reshape(layer.out_ch, -1) @ whitening).reshape(weight.shape)
        if not carried and not damped and layer.in_ch == layer.out_ch:
            weight *= PASSED_NOISE
            weight[range(layer.out_ch), layer.k // 2, layer.k // 2, range(layer.out_ch)] += 1
        paths = (range(layer.out_ch) if last else range(carried)) if carried else ()
        for o in paths:
            weight[o] = 0 if layer.relu else weight[o]
            weight[o, layer.k // 2, layer.k // 2, o % carried] = 1
        bias = np.zeros(layer.out_ch, np.float32)
        weights.append(weight.astype(np.float32))
        if INPUT in layer.inputs and layer.relu:
            # random filters see the centred pixel; the paths see it as it is
            bias[carried:] = -CENTRE * weights[-1][carried:].sum((1, 2, 3))
        biases.append(bias)
    slopes = [np.full(c.out_ch, FIRST_SLOPE, np.float32) if c.activation == "prelu" else None for c in network.convs]
    return tuple(weights), tuple(biases), tuple(slopes)
