"""Networks in Keras 3: the float reference. Nothing here names a backend; TensorFlow is the one tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from model.base.errors import UserError
from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import INPUT, Network
from model.graph.weights import FloatModel
from model.train import keras_layers
from model.train.keras_layers import keras

_BAND_PIXELS = 1 << 20  # larger pictures go through in bands of rows: 64 float maps of a 1 Mpixel band are 256 MiB


def connect(network: Network, padding: str, conv: Callable, name: str, finish: Callable | None = None) -> keras.Model:
    """Return a Keras model of a network's graph: (N, H, W, C) to (N, H', W', C'), pixels in [0, 1], any size.

    Parameters
    ----------
    network : Network
    padding : str
        "valid": the output is smaller by the halo on each side. "same": zeros around every layer's input
        (for training only: inference pads the picture once, by replication).
    conv : callable
        (layer, tensor) -> tensor before the activation, of a convolution.
    name : str
    finish : callable, optional
        Applied to the output.

    Returns
    -------
    keras.Model
        Its `network` is the description.
    """
    pixels = keras.Input((None, None, network.in_ch), name="rgb" if network.in_ch == 3 else "y")
    known = {INPUT: pixels}
    for layer in network.layers:
        given = [known[source] for source in layer.inputs]
        if isinstance(layer, Conv):
            known[layer.name] = _activate(layer, conv(layer, *given))
        elif isinstance(layer, Add):
            total = make_add(network, layer, padding)(*given)
            # stops at 0, as what is stored from 0 on does; but a training has to be told what is blacker than black
            stops = not network.keeps_sign(layer.name) and not network.shows(layer.name)
            known[layer.name] = keras.ops.relu(total) if stops else total
        elif isinstance(layer, DepthToSpace):
            known[layer.name] = keras_layers.DepthToSpace(layer.factor, name=layer.name)(*given)
    out = known[network.layers[-1].name]
    keras_model = keras.Model(pixels, finish(out) if finish else out, name=name)
    keras_model.network = network
    return keras_model


def make_add(network: Network, layer: Add, padding: str = "valid") -> keras.layers.Layer:
    """Return the Keras layer of an addition."""
    residual, earlier = (network.tensors[source] for source in layer.inputs)
    crop = (residual.shrink - earlier.shrink) // 2 if padding == "valid" else 0
    return keras_layers.CroppedAdd(crop, residual.channels // earlier.channels, name=layer.name)


def _activate(layer, x):
    if layer.activation == "relu":
        return keras.ops.relu(x)
    if layer.activation == "clip":
        return keras.ops.clip(x, 0, layer.cap)
    if layer.activation == "prelu":
        return keras.layers.PReLU(shared_axes=(1, 2), name=slope_name(layer))(x)
    return x


def slope_name(layer: Conv) -> str:
    """Return what the Keras layer with a PReLU's slopes is called."""
    return f"{layer.name}_prelu"


def build(network: Network, padding: str = "valid") -> keras.Model:
    """Return the network as a Keras model; see `connect`. Weights are undefined until `set_weights`."""

    def conv(layer, x):
        return keras.layers.Conv2D(layer.out_ch, layer.k, padding=padding, kernel_initializer="zeros", name=layer.name)(
            x
        )

    return connect(network, padding, conv, network.name)


def transpose_kernel(kernel: np.ndarray, to: str) -> np.ndarray:
    """Change a kernel's axis order: the one place where TensorFlow's H, W, I, O meets the project's O, Kh, Kw, I.

    Parameters
    ----------
    kernel : ndarray, 4 axes
    to : str
        "project" (from TensorFlow's order) or "tensorflow" (from the project's).
    """
    return np.ascontiguousarray(np.transpose(kernel, {"project": (3, 0, 1, 2), "tensorflow": (1, 2, 3, 0)}[to]))


def set_weights(
    keras_model: keras.Model,
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    slopes: Sequence[np.ndarray | None] = (),
) -> None:
    """Put weights in project order into a model made by `build`."""
    convs = keras_model.network.convs
    for layer, weight, bias in zip(convs, weights, biases, strict=True):
        keras_model.get_layer(layer.name).set_weights([transpose_kernel(weight, "tensorflow"), bias])
    set_slopes(keras_model, slopes or (None,) * len(convs))


def get_weights(keras_model: keras.Model) -> tuple[tuple, tuple, tuple]:
    """Return the weights of a model made by `build`, in project order: (weights, biases, slopes)."""
    arrays = [keras_model.get_layer(layer.name).get_weights() for layer in keras_model.network.convs]
    return (
        tuple(transpose_kernel(kernel, "project").astype(np.float32) for kernel, _ in arrays),
        tuple(bias.astype(np.float32) for _, bias in arrays),
        get_slopes(keras_model),
    )


def set_slopes(keras_model: keras.Model, slopes: Sequence[np.ndarray | None]) -> None:
    """Put the slopes of every PReLU into a model made by `connect`."""
    for layer, slope in zip(keras_model.network.convs, slopes, strict=True):
        if layer.activation == "prelu":
            keras_model.get_layer(slope_name(layer)).alpha.assign(slope.reshape(1, 1, -1))


def get_slopes(keras_model: keras.Model) -> tuple[np.ndarray | None, ...]:
    """Return the slopes of every PReLU, (O,); None for the other convolutions."""
    return tuple(
        keras.ops.convert_to_numpy(keras_model.get_layer(slope_name(layer)).alpha).reshape(-1).astype(np.float32)
        if layer.activation == "prelu"
        else None
        for layer in keras_model.network.convs
    )


def to_float_model(keras_model: keras.Model, upscale: int, meta: dict | None = None) -> FloatModel:
    """Keras model -> `FloatModel`. Raises UserError if a weight is NaN or of the wrong shape."""
    weights, biases, slopes = get_weights(keras_model)
    return FloatModel(keras_model.network, upscale, weights, biases, meta or {}, slopes)


def from_float_model(float_model: FloatModel, padding: str = "valid") -> keras.Model:
    """`FloatModel` -> Keras model; see `build`."""
    keras_model = build(float_model.network, padding)
    set_weights(keras_model, float_model.weights, float_model.biases, float_model.slopes)
    return keras_model


def infer_float(model: keras.Model | FloatModel, picture: np.ndarray) -> np.ndarray:
    """Run the float reference on a whole picture: replicate-padded by the halo, then valid convolutions.

    Parameters
    ----------
    model : FloatModel or keras.Model
        A Keras model has to be valid; make it once with `from_float_model` where many pictures follow.
    picture : ndarray of uint8, shape (H, W), or (H, W, 3) for an RGB network
        What the network takes (`Network.input`).

    Returns
    -------
    ndarray of float32, shape (H * scale, W * scale), or (..., C) if the network gives C > 1 channels
        In units of 0..255, neither rounded nor clipped.
    """
    keras_model = from_float_model(model) if isinstance(model, FloatModel) else model
    network = keras_model.network
    colours = (network.in_ch,) * (network.in_ch > 1)
    if picture.dtype != np.uint8 or picture.ndim < 2 or picture.shape[2:] != colours or picture.size == 0:
        raise UserError(
            f"the reference takes a uint8 (height, width{', 3' * len(colours)}) picture of at least 1x1, not "
            f"{picture.dtype} {picture.shape}"
        )
    halo, scale = network.halo, network.scale
    height, width = picture.shape[:2]
    padded = np.pad(picture.reshape(height, width, -1), ((halo, halo), (halo, halo), (0, 0)), mode="edge")
    band = max(1, min(height, _BAND_PIXELS // width))
    out = np.empty((height * scale, width * scale, network.out_ch), np.float32)
    for top in range(0, height, band):
        bottom = min(top + band, height)
        pixels = padded[None, top : bottom + 2 * halo].astype(np.float32) / 255
        out[top * scale : bottom * scale] = keras.ops.convert_to_numpy(keras_model(pixels, training=False))[0]
    out *= 255
    return out[:, :, 0] if network.out_ch == 1 else out
