"""The float network in numpy: what quantisation approximates, and what shows a picture's way through it where there is
no TensorFlow.

A convolution rounds its inputs and weights to grids (`ACT_GRID` bits for a picture's largest value, as many as float32
has; for a filter what is left of float64's 53), so that every product and every sum is exact: the same numbers on every
processor, see `model.integer.exact`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.graph.kinds import Add, Conv
from model.graph.network import INPUT
from model.integer import golden
from model.integer.exact import largest, product, to_grid

if TYPE_CHECKING:
    from model.graph.weights import FloatModel

WHITE = 255
ACT_GRID = 24
MOST_WINDOWS = 4096  # multiplied at once: 26 MB where a layer has 800 taps


def float_tensors(model: FloatModel, pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Run the network on pictures of one size that are padded already.

    Parameters
    ----------
    model : FloatModel
    pictures : ndarray of uint8, shape (N, H, W), or (N, H, W, 3) for an RGB network

    Returns
    -------
    dict of str to ndarray
        By name, the input first: float32 (N, H', W', C), pixels in [0, 1]; of a convolution what it gives before its
        activation.
    """
    network, values, acts = model.network, {}, {}
    values[INPUT] = acts[INPUT] = pictures.reshape(*pictures.shape[:3], -1).astype(np.float32) / np.float32(WHITE)
    parameters = dict(zip((layer.name for layer in network.convs), zip(model.weights, model.biases, model.slopes)))
    for layer in network.layers:
        given = [acts[name] for name in layer.inputs]
        if isinstance(layer, Conv):
            weight, bias, slope = parameters[layer.name]
            z = values[layer.name] = _convolution(*given, weight, bias, white=layer.inputs[0] == INPUT)
            acts[layer.name] = activate(layer, z, slope)
        elif isinstance(layer, Add):
            sums = np.stack([add(*pair) for pair in zip(*given)])
            # What is stored from 0 on makes an addition a ReLU as well. Not so the picture: it is cut at its end.
            free = network.keeps_sign(layer.name) or network.shows(layer.name)
            values[layer.name] = acts[layer.name] = sums if free else np.maximum(sums, 0)
        else:
            values[layer.name] = acts[layer.name] = np.stack([golden.depth_to_space(x, layer.factor) for x in given[0]])
    return values


def activate(layer: Conv, z: np.ndarray, slope: np.ndarray | None = None) -> np.ndarray:
    """Return what a convolution passes on of `z`, channels last."""
    if layer.activation == "prelu":
        return np.where(z > 0, z, z * slope)
    if layer.activation == "none":
        return z
    return np.clip(z, 0, layer.cap)


def add(residual: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Return residual (H, W, n * C) + earlier (H + 2 crop, W + 2 crop, C), as `golden.add` without saturation."""
    height, width, channels = residual.shape
    crop = (earlier.shape[0] - height) // 2
    inside = earlier[crop : crop + height, crop : crop + width]
    return residual + np.tile(inside, channels // earlier.shape[2])


def infer(model: FloatModel, padded: np.ndarray) -> np.ndarray:
    """Run the network on one picture.

    Parameters
    ----------
    model : FloatModel
    padded : ndarray of uint8, shape (H + 2 halo, W + 2 halo), or (..., 3) for an RGB network

    Returns
    -------
    ndarray of float32, shape (H * scale, W * scale), or (..., C) if the network gives C > 1 channels
        In units of 0..255, neither rounded nor clipped.
    """
    last = model.network.layers[-1]
    y = float_tensors(model, padded[None])[last.name][0]
    if isinstance(last, Conv):
        y = activate(last, y, model.slopes[-1])
    y = y * np.float32(WHITE)
    return y[:, :, 0] if model.network.out_ch == 1 else y


def windows(x: np.ndarray, k: int, dtype: type = np.float32) -> np.ndarray:
    """(H, W, I) -> (pixels, k * k * I) of `dtype`, taps in weight order."""
    view = np.lib.stride_tricks.sliding_window_view(x.astype(dtype), (k, k), axis=(0, 1))
    return view.transpose(0, 1, 3, 4, 2).reshape(-1, k * k * x.shape[2])


def _convolution(act, weight, bias, white):
    """Return the convolution of (N, H, W, I) before its activation; `white`: of pixels, whole numbers of 1/255."""
    out_ch, k = weight.shape[:2]
    matrix, unit, most = _weight_grid(weight.reshape(out_ch, -1).T)
    height, width = (side - k + 1 for side in act.shape[1:3])
    rows = max(1, MOST_WINDOWS // width)
    z = np.empty((len(act), height, width, out_ch), np.float32)
    for source, out in zip(act, z):
        whole, act_unit = (np.rint(source * np.float32(WHITE)), 1 / WHITE) if white else to_grid(source, ACT_GRID)
        worst = largest(whole) * most
        for top in range(0, height, rows):
            band = out[top : top + rows]
            sums = product(windows(whole[top : top + rows + k - 1], k, np.float64), matrix, worst)
            band[:] = (sums * (unit * act_unit) + bias).reshape(band.shape)
    return z


def _weight_grid(matrix):
    """Round (K, O) to whole numbers of one unit per column, as fine as sums over activations allow.

    Returns whole numbers, units (O,), and the largest sum of magnitudes in a column.
    """
    rough, unit = to_grid(np.abs(matrix.astype(np.float64)), 40 - matrix.shape[0].bit_length())
    sums = rough.sum(0) * unit  # of whole numbers
    units = np.ldexp(1.0, np.frexp(sums)[1] - (52 - ACT_GRID))  # half the room is for what rounding adds
    whole = np.rint(matrix / units)
    return whole, units, float(np.abs(whole).sum(0).max())
