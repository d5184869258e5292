"""The float reference against plain numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base.errors import UserError
from model.graph.description import load_network
from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import Network
from model.graph.weights import FloatModel
from model.integer import floating, golden
from model.integer.examples import random_input
from tests.model.test_kinds import random_graph
from tests.random_models import random_float_model

keras_model = pytest.importorskip("model.train.keras_model", reason="the float reference needs keras and tensorflow")
from model.train import keras_trainable

SMALL = Network(
    "small", (Conv("conv1", 5, 1, 3, "relu"), Conv("conv2", 1, 3, 4, "relu"), Conv("conv3", 3, 4, 1, "none"))
)


def plain(model, picture):
    """The replicate-padded picture's way through the graph, by the definitions, in float64."""
    network, halo = model.network, model.network.halo
    picture = picture.reshape(*picture.shape[:2], -1)
    known = {"input": np.pad(picture, ((halo, halo), (halo, halo), (0, 0)), mode="edge") / 255}
    parameters = dict(zip((c.name for c in network.convs), zip(model.weights, model.biases, model.slopes)))
    for layer in network.layers:
        x, *others = (known[name] for name in layer.inputs)
        if isinstance(layer, Add):
            crop = (others[0].shape[0] - x.shape[0]) // 2
            earlier = others[0][crop : crop + x.shape[0], crop : crop + x.shape[1]]
            x = np.stack([x[..., o] + earlier[..., o % earlier.shape[2]] for o in range(x.shape[2])], axis=2)
            if network.readers(layer.name) != network.layers[-1:] and layer is not network.layers[-1]:
                x = np.maximum(x, 0) if signless(network, layer) else x
        elif isinstance(layer, DepthToSpace):
            s, channels = layer.factor, x.shape[2] // layer.factor**2
            big = np.empty((x.shape[0] * s, x.shape[1] * s, channels))
            for i, j, c in np.ndindex(s, s, channels):
                big[i::s, j::s, c] = x[:, :, (i * s + j) * channels + c]
            x = big
        else:
            weight, bias, slope = parameters[layer.name]
            windows = np.lib.stride_tricks.sliding_window_view(x, (layer.k, layer.k), axis=(0, 1))
            x = np.einsum("hwikl,okli->hwo", windows, weight.astype(np.float64)) + bias
            x = {
                "none": lambda x, _: x,
                "relu": lambda x, _: np.maximum(x, 0),
                "clip": lambda x, _, cap=layer.cap: np.minimum(np.maximum(x, 0), cap),
                "prelu": lambda x, slope: np.where(x < 0, x * slope, x),
            }[layer.activation](x, slope)
        known[layer.name] = x
    out = 255 * known[network.layers[-1].name]
    return out[:, :, 0] if out.shape[2] == 1 else out


def signless(network, layer):
    """Whether an addition's earlier tensor is stored from 0 on."""
    earlier = {other.name: other for other in network.layers}.get(layer.inputs[1])
    return getattr(earlier, "activation", "none") != "prelu"


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 2), (23, 31)])
def test_infer_is_the_definition(shape):
    y = np.random.default_rng(shape).integers(0, 256, shape, np.uint8)
    model = random_float_model(SMALL, 4)
    out = keras_model.infer_float(model, y)
    assert out.shape == shape and out.dtype == np.float32
    np.testing.assert_allclose(out, plain(model, y), atol=1e-3)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_kind_is_the_definition(seed):
    rng = np.random.default_rng(seed)
    network = random_graph(rng)
    model = random_float_model(network, seed % 1000)
    picture = random_input(network, rng, *rng.integers(1, 12, 2))
    out, expected = keras_model.infer_float(model, picture), plain(model, picture)
    assert out.shape == expected.shape
    tolerance = 1e-5 * np.abs(expected).max() + 1e-3
    np.testing.assert_allclose(out, expected, atol=tolerance)
    # what quantisation approximates is the same network
    np.testing.assert_allclose(floating.infer(model, golden.pad(picture, network.halo)), expected, atol=3 * tolerance)


@pytest.mark.parametrize("seed", range(8))
def test_round_trip_of_every_kind_keeps_every_bit(seed):
    model = random_float_model(random_graph(np.random.default_rng(seed)), seed)
    back = keras_model.to_float_model(keras_model.from_float_model(model), model.upscale)
    for there, here in zip(model.weights + model.biases + model.slopes, back.weights + back.biases + back.slopes):
        assert (there is None and here is None) or np.array_equal(there, here)


def test_large_pictures_go_through_in_bands(monkeypatch):
    y = np.random.default_rng(1).integers(0, 256, (40, 30), np.uint8)
    model = keras_model.from_float_model(random_float_model(SMALL, 5))
    whole = keras_model.infer_float(model, y)
    monkeypatch.setattr(keras_model, "_BAND_PIXELS", 7 * 30)
    np.testing.assert_allclose(keras_model.infer_float(model, y), whole, atol=1e-3)


@pytest.mark.parametrize("name", ["srcnn915", "srcnn935", "srcnn955"])
def test_round_trip_through_keras_keeps_every_bit(name):
    network = load_network(name)
    model = random_float_model(network, 6)
    back = keras_model.to_float_model(keras_model.from_float_model(model, "same"), 3, {"a": 1})
    assert all(np.array_equal(a, b) for a, b in zip(model.weights + model.biases, back.weights + back.biases))
    assert back.upscale == 3 and back.meta == {"a": 1}


def test_transpose_kernel():
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # H, W, I, O
    ours = keras_model.transpose_kernel(kernel, "project")
    assert ours.shape == (5, 2, 3, 4) and ours[4, 1, 2, 3] == kernel[1, 2, 3, 4]
    assert np.array_equal(keras_model.transpose_kernel(ours, "tensorflow"), kernel)


def test_padding_decides_the_size():
    assert keras_model.build(SMALL, "valid").compute_output_shape((1, 20, 30, 1)) == (1, 14, 24, 1)
    assert keras_model.build(SMALL, "same").compute_output_shape((1, 20, 30, 1)) == (1, 20, 30, 1)


def smooth_patches(seed, count=50, size=16):
    """Random walks in two directions: neighbours are alike, as in an upscaled picture."""
    walk = np.random.default_rng(seed).normal(0, 1, (count, size, size)).cumsum(1).cumsum(2)
    return ((walk - walk.min()) / (walk.max() - walk.min())).astype(np.float32)


def test_whitening_evens_out_the_window():
    patches = smooth_patches(8)
    whitening = keras_trainable.whitening_of(patches, 5)
    windows = np.lib.stride_tricks.sliding_window_view(patches - 0.5, (5, 5), axis=(1, 2)).reshape(-1, 25)

    def spread(x):
        values = np.linalg.eigvalsh(x.T @ x)
        return values[-1] / values[5]

    assert spread(windows @ whitening) < spread(windows) / 50
    np.testing.assert_allclose(whitening, whitening.T, atol=1e-9)
    assert np.array_equal(
        keras_trainable.whitening_of(np.full((3, 9, 9), 0.5), 5), np.eye(25)
    )  # a set without any contrast


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_the_trainable_form_collapses_into_the_plain_network(padding):
    model = random_float_model(SMALL, 9)
    trainable = keras_trainable.build_trainable(SMALL, padding)
    keras_trainable.start_from(
        trainable, model.weights, model.biases, keras_trainable.whitening_of(smooth_patches(8), 5)
    )
    weights, biases, _ = keras_trainable.collapse(trainable)
    for there, back in zip(model.weights + model.biases, weights + biases):
        np.testing.assert_allclose(back, there, atol=1e-4)
    pixels = smooth_patches(10, 2, 20)[..., None]
    inner = slice(None) if padding == "valid" else slice(6, -6)  # "same" pads with grey inside, with black outside
    to_numpy = keras_model.keras.ops.convert_to_numpy
    collapsed = keras_model.build(SMALL, padding)
    keras_model.set_weights(collapsed, weights, biases)
    np.testing.assert_allclose(
        to_numpy(trainable(pixels))[:, inner, inner], to_numpy(collapsed(pixels))[:, inner, inner], atol=1e-4
    )


@pytest.mark.parametrize("expand", [0, 40])
@pytest.mark.parametrize("seed", range(6))
def test_every_kind_collapses_into_the_plain_network(seed, expand):
    """Whitened and expanded; the network learns with more than it keeps."""
    network = random_graph(np.random.default_rng(seed))
    model = random_float_model(network, seed)
    trainable = keras_trainable.build_trainable(network, "valid", expand)
    first, side = network.convs[0], 2 * network.halo + 6
    walks = smooth_patches(seed, 20, side)[..., None].repeat(network.in_ch, 3)
    pixels = walks + np.random.default_rng(seed).normal(0, 0.1, walks.shape).astype(np.float32)
    whitening = keras_trainable.whitening_of(pixels, first.k)
    assert whitening.shape == (first.taps, first.taps)
    keras_trainable.start_from(trainable, model.weights, model.biases, whitening, model.slopes, seed)
    if expand:
        assert trainable.get_layer(first.name).kernel.shape == (first.k, first.k, first.in_ch, expand)
    weights, biases, slopes = keras_trainable.collapse(trainable)
    for there, back in zip(model.weights + model.biases, weights + biases):
        np.testing.assert_allclose(back, there, atol=1e-3)
    assert all((a is None and b is None) or np.array_equal(a, b) for a, b in zip(slopes, model.slopes))
    collapsed = keras_model.build(network)
    keras_model.set_weights(collapsed, weights, biases, slopes)
    to_numpy = keras_model.keras.ops.convert_to_numpy
    there, here = to_numpy(trainable(pixels[:2])), to_numpy(collapsed(pixels[:2]))
    np.testing.assert_allclose(there, here, atol=1e-4 * np.abs(here).max())


@pytest.mark.parametrize("name, upscale", [("abpn8m2", 2), ("abpn8m5", 3), ("abpn12m4", 4)])
def test_training_of_the_family_starts_near_the_repeated_pixels(name, upscale):
    network = load_network(name, upscale)
    weights, biases, _ = keras_trainable.initial_weights(network, 1)
    y = (255 * smooth_patches(2, 1, 40)[0]).astype(np.uint8)
    out = keras_model.infer_float(FloatModel(network, upscale, weights, biases), y)
    assert 0 < np.abs(out - y.repeat(upscale, 0).repeat(upscale, 1)).mean() < 5


@pytest.mark.parametrize(
    "whitening", [None, keras_trainable.whitening_of(smooth_patches(8), 9)], ids=["plain", "whitened"]
)
def test_training_starts_near_the_bicubic_picture(whitening):
    network = load_network("srcnn915")
    weights, biases, _ = keras_trainable.initial_weights(network, 1, whitening)
    assert all(np.array_equal(a, b) for a, b in zip(weights, keras_trainable.initial_weights(network, 1, whitening)[0]))
    y = (255 * smooth_patches(2, 1, 40)[0]).astype(np.uint8)
    out = keras_model.infer_float(FloatModel(network, 3, weights, biases), y)
    assert np.abs(out - y).mean() < 10


def test_bad_pictures_are_refused():
    for bad in (np.zeros((4, 4)), np.zeros((4, 4, 1), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(UserError, match="uint8"):
            keras_model.infer_float(random_float_model(SMALL, 1), bad)
