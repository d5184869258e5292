"""SRCNN in Keras 3: the float reference. Nothing here names a backend; TensorFlow is the one tested."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is loaded: no banner in front of every table

import keras
import numpy as np

from model.errors import UserError
from model.weights import FloatModel

PADDINGS = ("valid", "same")
_BAND_PIXELS = 1 << 20  # larger pictures go through in bands of rows: 64 float maps of a 1 Mpixel band are 256 MiB


def build(network, padding="valid"):
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
        x = keras.layers.Conv2D(layer.out_ch, layer.k, padding=padding, kernel_initializer="zeros",
                                activation="relu" if layer.relu else None, name=layer.name)(x)
    return keras.Model(pixels, x, name=network.name)


def initial_weights(network, seed):
    """Return weights to start a training from.

    He-normal, except for one path through the network that carries the pixel on unchanged (channel 0 of every
    layer), and a damped last layer: the first output is the bicubic picture plus a little noise, so that
    training starts at bicubic quality and has to learn only the difference.

    Parameters
    ----------
    network : Network
    seed : int

    Returns
    -------
    weights, biases : tuple of ndarray of float32
        Shapes (O, Kh, Kw, I) and (O,).
    """
    rng = np.random.default_rng(seed)
    weights = []
    for layer in network.layers:
        std = np.sqrt(2 / layer.taps) * (1.0 if layer.relu else 0.01)
        weight = rng.normal(0, std, layer.weight_shape).astype(np.float32)
        weight[0] = 0 if layer.relu else weight[0]
        weight[0, layer.k // 2, layer.k // 2, 0] = 1
        weights.append(weight)
    return tuple(weights), tuple(np.zeros(layer.out_ch, np.float32) for layer in network.layers)


def transpose_kernel(kernel, to):
    """Change a kernel's axis order: the one place where TensorFlow's H, W, I, O meets the project's O, Kh, Kw, I.

    Parameters
    ----------
    kernel : ndarray, 4 axes
    to : str
        "project" (from TensorFlow's order) or "tensorflow" (from the project's).
    """
    return np.ascontiguousarray(np.transpose(kernel, {"project": (3, 0, 1, 2), "tensorflow": (1, 2, 3, 0)}[to]))


def set_weights(keras_model, weights, biases):
    """Put weights in project order into a model made by `build`."""
    arrays = []
    for weight, bias in zip(weights, biases):
        arrays += [transpose_kernel(weight, "tensorflow"), bias]
    keras_model.set_weights(arrays)


def get_weights(keras_model):
    """Return the weights of a model made by `build`, in project order: (weights, biases)."""
    arrays = keras_model.get_weights()
    return (tuple(transpose_kernel(kernel, "project").astype(np.float32) for kernel in arrays[::2]),
            tuple(bias.astype(np.float32) for bias in arrays[1::2]))


def to_float_model(keras_model, network, upscale, meta=None):
    """Keras model -> `FloatModel`. Raises UserError if a weight is NaN or of the wrong shape."""
    return FloatModel(network, upscale, *get_weights(keras_model), meta or {})


def from_float_model(float_model, padding="valid"):
    """`FloatModel` -> Keras model; see `build`."""
    keras_model = build(float_model.network, padding)
    set_weights(keras_model, float_model.weights, float_model.biases)
    return keras_model


def infer_float(model, y):
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
        pixels = padded[None, top:bottom + 2 * halo, :, None].astype(np.float32) / 255
        out[top:bottom] = keras.ops.convert_to_numpy(keras_model(pixels, training=False))[0, :, :, 0]
    out *= 255
    return out
