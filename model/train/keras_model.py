"""SRCNN in Keras 3: the float reference. Nothing here names a backend; TensorFlow is the one tested."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Sequence


@contextlib.contextmanager
def _quiet():
    """Hold back what is written to stderr, and show it only if the block fails.

    TensorFlow's C++ side greets with a dozen lines that none of its own settings silences.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            log.seek(0)
            os.write(kept, log.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


with _quiet():
    import keras

    keras.ops.zeros(1)  # wakes the device, the second half of the greeting

import numpy as np

from model.base.errors import UserError
from model.graph.network import Network
from model.graph.weights import FloatModel

CENTRE = 0.5  # of the pixels' range, subtracted inside a model that is being trained
WHITENING_FLOOR = 0.01  # of the mean eigenvalue: bounds the gain of directions without energy
_BAND_PIXELS = 1 << 20  # larger pictures go through in bands of rows: 64 float maps of a 1 Mpixel band are 256 MiB


def build(network: Network, padding: str = "valid") -> keras.Model:
    """Return the network as a Keras model from (N, H, W, 1) to (N, H', W', 1), pixels in [0, 1], any size.

    Parameters
    ----------
    network : Network
    padding : str
        "valid": the output is smaller by the halo on each side. "same": zeros around every layer's input
        (for training only: inference pads the picture once, by replication).

    Returns
    -------
    keras.Model
        Weights are undefined until `set_weights`.
    """
    x = pixels = keras.Input((None, None, 1), name="y")
    for layer in network.layers:
        x = keras.layers.Conv2D(
            layer.out_ch,
            layer.k,
            padding=padding,
            kernel_initializer="zeros",
            activation="relu" if layer.relu else None,
            name=layer.name,
        )(x)
    return keras.Model(pixels, x, name=network.name)


class WhitenedConv2D(keras.layers.Conv2D):
    """A convolution whose kernel is whitening @ (what is trained): a training block that collapses into a plain one.

    Neighbouring pixels of an upscaled picture are nearly equal, so that plain gradients are hundreds of times
    larger along smooth filters than along the fine ones that sharpen. Whitening the window's taps removes
    that: with it, 4,000 steps at x3 reach what 60,000 steps reach without.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        taps = self.kernel_size[0] * self.kernel_size[1] * input_shape[-1]
        self.whitening = self.add_weight(name="whitening", shape=(taps, taps), initializer="zeros", trainable=False)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        kernel = keras.ops.matmul(self.whitening, keras.ops.reshape(self.kernel, (-1, self.filters)))
        kernel = keras.ops.reshape(kernel, self.kernel.shape)
        return self.activation(keras.ops.conv(x, kernel, padding=self.padding, data_format="channels_last") + self.bias)


def build_trainable(network: Network, padding: str = "valid") -> keras.Model:
    """Return the network as it is trained: first layer whitened, pixels centred around 0 inside; see `collapse`.

    "same" convolutions therefore pad the picture with mid-grey.
    """
    pixels = keras.Input((None, None, 1), name="y")
    x = keras.layers.Rescaling(1.0, -CENTRE)(pixels)
    for i, layer in enumerate(network.layers):
        kind = keras.layers.Conv2D if i else WhitenedConv2D
        x = kind(
            layer.out_ch,
            layer.k,
            padding=padding,
            kernel_initializer="zeros",
            activation="relu" if layer.relu else None,
            name=layer.name,
        )(x)
    return keras.Model(pixels, keras.layers.Rescaling(1.0, CENTRE)(x), name=f"{network.name}_trainable")


def collapse(trainable: keras.Model) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Return the plain weights that compute what a model made by `build_trainable` computes: (weights, biases)."""
    layers = [layer for layer in trainable.layers if isinstance(layer, keras.layers.Conv2D)]
    kernels = [keras.ops.convert_to_numpy(layer.kernel).astype(np.float64) for layer in layers]
    biases = [keras.ops.convert_to_numpy(layer.bias).astype(np.float64) for layer in layers]
    whitening = keras.ops.convert_to_numpy(layers[0].whitening).astype(np.float64)
    kernels[0] = (whitening @ kernels[0].reshape(len(whitening), -1)).reshape(kernels[0].shape)
    biases[0] -= CENTRE * kernels[0].sum((0, 1, 2))
    biases[-1] += CENTRE
    return (
        tuple(transpose_kernel(kernel, "project").astype(np.float32) for kernel in kernels),
        tuple(bias.astype(np.float32) for bias in biases),
    )


def start_from(
    trainable: keras.Model, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], whitening: np.ndarray
) -> None:
    """Put plain weights in project order into a model made by `build_trainable`: the inverse of `collapse`.

    Parameters
    ----------
    trainable : keras.Model
    weights, biases : sequence of ndarray
    whitening : ndarray, shape (taps, taps)
        See `whitening_of`; invertible.
    """
    layers = [layer for layer in trainable.layers if isinstance(layer, keras.layers.Conv2D)]
    kernels = [transpose_kernel(weight, "tensorflow").astype(np.float64) for weight in weights]
    biases = [bias.astype(np.float64) for bias in biases]
    biases[0] = biases[0] + CENTRE * kernels[0].sum((0, 1, 2))
    biases[-1] = biases[-1] - CENTRE
    kernels[0] = np.linalg.solve(whitening, kernels[0].reshape(len(whitening), -1)).reshape(kernels[0].shape)
    layers[0].whitening.assign(whitening.astype(np.float32))
    for layer, kernel, bias in zip(layers, kernels, biases):
        layer.kernel.assign(kernel.astype(np.float32))
        layer.bias.assign(bias.astype(np.float32))


def whitening_of(pictures: np.ndarray, k: int) -> np.ndarray:
    """Return the whitening of k x k windows, symmetric, of gain 1 on average.

    Parameters
    ----------
    pictures : ndarray, shape (N, H, W)
        Patches of network input in [0, 1].
    k : int

    Returns
    -------
    ndarray of float64, shape (k * k, k * k)
    """
    windows = np.lib.stride_tricks.sliding_window_view(pictures.astype(np.float64) - CENTRE, (k, k), axis=(1, 2))[
        :, ::4, ::4
    ]
    windows = windows.reshape(-1, k * k)
    values, vectors = np.linalg.eigh(windows.T @ windows / len(windows))
    mean = values.mean()
    if not mean > 0:
        return np.eye(k * k)
    return (vectors * np.sqrt(mean / (values + WHITENING_FLOOR * mean))) @ vectors.T


def initial_weights(
    network: Network, seed: int, whitening: np.ndarray | None = None
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Return weights to start a training from.

    He-normal (the first layer's in whitened coordinates), except for one path through the network that carries
    the pixel on unchanged (channel 0 of every layer), and a damped last layer: the first output is the bicubic
    picture plus a little noise, so that training has to learn only the difference.

    Parameters
    ----------
    network : Network
    seed : int
    whitening : ndarray, shape (taps, taps), optional
        Of the first layer.

    Returns
    -------
    weights, biases : tuple of ndarray of float32
        Shapes (O, Kh, Kw, I) and (O,).
    """
    rng = np.random.default_rng(seed)
    weights = []
    for i, layer in enumerate(network.layers):
        weight = rng.normal(0, np.sqrt(2 / layer.taps) * (1.0 if layer.relu else 0.01), layer.weight_shape)
        if i == 0 and whitening is not None:
            weight = (weight.reshape(layer.out_ch, -1) @ whitening).reshape(weight.shape)
        weight[0] = 0 if layer.relu else weight[0]
        weight[0, layer.k // 2, layer.k // 2, 0] = 1
        weights.append(weight.astype(np.float32))
    biases = [np.zeros(layer.out_ch, np.float32) for layer in network.layers]
    if network.layers[0].relu:  # random filters see the centred pixel; the path through channel 0 sees it as it is
        biases[0][1:] = -CENTRE * weights[0][1:].sum((1, 2, 3))
    return tuple(weights), tuple(biases)


def transpose_kernel(kernel: np.ndarray, to: str) -> np.ndarray:
    """Change a kernel's axis order: the one place where TensorFlow's H, W, I, O meets the project's O, Kh, Kw, I.

    Parameters
    ----------
    kernel : ndarray, 4 axes
    to : str
        "project" (from TensorFlow's order) or "tensorflow" (from the project's).
    """
    return np.ascontiguousarray(np.transpose(kernel, {"project": (3, 0, 1, 2), "tensorflow": (1, 2, 3, 0)}[to]))


def set_weights(keras_model: keras.Model, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> None:
    """Put weights in project order into a model made by `build`."""
    arrays = []
    for weight, bias in zip(weights, biases):
        arrays += [transpose_kernel(weight, "tensorflow"), bias]
    keras_model.set_weights(arrays)


def get_weights(keras_model: keras.Model) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Return the weights of a model made by `build`, in project order: (weights, biases)."""
    arrays = keras_model.get_weights()
    return (
        tuple(transpose_kernel(kernel, "project").astype(np.float32) for kernel in arrays[::2]),
        tuple(bias.astype(np.float32) for bias in arrays[1::2]),
    )


def to_float_model(keras_model: keras.Model, network: Network, upscale: int, meta: dict | None = None) -> FloatModel:
    """Keras model -> `FloatModel`. Raises UserError if a weight is NaN or of the wrong shape."""
    return FloatModel(network, upscale, *get_weights(keras_model), meta or {})


def from_float_model(float_model: FloatModel, padding: str = "valid") -> keras.Model:
    """`FloatModel` -> Keras model; see `build`."""
    keras_model = build(float_model.network, padding)
    set_weights(keras_model, float_model.weights, float_model.biases)
    return keras_model


def infer_float(model: keras.Model | FloatModel, y: np.ndarray) -> np.ndarray:
    """Run the float reference on a whole picture: replicate-padded by the halo, then valid convolutions.

    Parameters
    ----------
    model : FloatModel or keras.Model
        A Keras model has to be valid; make it once with `from_float_model` where many pictures follow.
    y : ndarray of uint8, shape (H, W)
        Y of the bicubic-upscaled picture.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In units of 0..255, neither rounded nor clipped.
    """
    if y.dtype != np.uint8 or y.ndim != 2 or y.size == 0:
        raise UserError(f"the reference takes a uint8 (height, width) picture of at least 1x1, not {y.dtype} {y.shape}")
    keras_model = from_float_model(model) if isinstance(model, FloatModel) else model
    halo = sum(layer.kernel_size[0] - 1 for layer in keras_model.layers if hasattr(layer, "kernel_size")) // 2
    height, width = y.shape
    padded = np.pad(y, halo, mode="edge")
    band = max(1, min(height, _BAND_PIXELS // width))
    out = np.empty((height, width), np.float32)
    for top in range(0, height, band):
        bottom = min(top + band, height)
        pixels = padded[None, top : bottom + 2 * halo, :, None].astype(np.float32) / 255
        out[top:bottom] = keras.ops.convert_to_numpy(keras_model(pixels, training=False))[0, :, :, 0]
    out *= 255
    return out
