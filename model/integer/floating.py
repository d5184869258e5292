"""The float network in numpy: what quantisation approximates, and what shows a picture's way through it where there is
no TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from model.graph.weights import FloatModel

MOST_WINDOWS = 4096  # multiplied at once: 13 MB where a layer has 800 taps


def float_layers(model: FloatModel, pictures: np.ndarray) -> list[np.ndarray]:
    """Run the network on pictures of one size that are padded already.

    Parameters
    ----------
    model : FloatModel
    pictures : ndarray of uint8, shape (N, H, W)

    Returns
    -------
    list of ndarray of float32, shape (N, H', W', O)
        Per layer its output before ReLU, pixels in [0, 1].
    """
    act, outputs = pictures[..., None].astype(np.float32) / 255, []
    for layer, weight, bias in zip(model.network.layers, model.weights, model.biases):
        matrix = weight.reshape(layer.out_ch, -1).T.astype(np.float32)
        height, width = (side - layer.k + 1 for side in act.shape[1:3])
        rows = max(1, MOST_WINDOWS // width)
        z = np.empty((len(act), height, width, layer.out_ch), np.float32)
        for source, out in zip(act, z):
            for top in range(0, height, rows):
                band = out[top : top + rows]
                band[:] = (windows(source[top : top + rows + layer.k - 1], layer.k) @ matrix).reshape(band.shape) + bias
        outputs.append(z)
        act = np.maximum(z, 0) if layer.relu else z
    return outputs


def infer(model: FloatModel, padded: np.ndarray) -> np.ndarray:
    """Run the network on one picture.

    Parameters
    ----------
    model : FloatModel
    padded : ndarray of uint8, shape (H + 2 halo, W + 2 halo)

    Returns
    -------
    ndarray of float32, shape (H, W)
        In units of 0..255, neither rounded nor clipped.
    """
    return float_layers(model, padded[None])[-1][0, :, :, 0] * np.float32(255)


def windows(x: np.ndarray, k: int) -> np.ndarray:
    """(H, W, I) -> float32 (pixels, k * k * I), taps in weight order."""
    view = np.lib.stride_tricks.sliding_window_view(x.astype(np.float32), (k, k), axis=(0, 1))
    return view.transpose(0, 1, 3, 4, 2).reshape(-1, k * k * x.shape[2])
