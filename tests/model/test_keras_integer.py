"""The trainable integer network: its forward pass is the golden model, bit for bit, layer by layer."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base.errors import UserError
from model.graph.formats import BIAS_BITS, MAX_SHIFT
from model.graph.kinds import Add, Conv
from model.graph.network import Network
from model.graph.weights import QuantLayer, QuantModel, quant_parts
from model.integer import examples, golden
from tests.model.test_kinds import random_graph
from tests.random_models import random_model

lib = pytest.importorskip("model.train.keras_integer", reason="fine-tuning needs keras and tensorflow")
keras = lib.keras

SMALL = Network(
    "small", (Conv("conv1", 5, 1, 7, "relu"), Conv("conv2", 1, 7, 6, "relu"), Conv("conv3", 3, 6, 1, "none"))
)


def wild_model(seed):
    """Anything the number formats allow: every shift, extreme weights, biases over their whole range, dead channels.

    Every other model is one whose values are spread over 0..255, instead of mostly saturated.
    """
    rng, layers = np.random.default_rng(seed), []
    tame = rng.random() < 0.5
    for layer in SMALL.layers:
        weight = rng.choice([-128, -127, -1, 0, 1, 127, *rng.integers(-128, 128, 6)], layer.weight_shape).astype(
            np.int8
        )
        if tame:
            shift = int(np.log2(130 * layer.taps**0.5)) - rng.integers(0, 2, layer.out_ch)
            bias = rng.integers(-64, 192, layer.out_ch) << shift
        else:
            shift = rng.integers(0, MAX_SHIFT + 1, layer.out_ch)
            bias = rng.integers(-(2 ** (BIAS_BITS - 1)) + 1, 2 ** (BIAS_BITS - 1), layer.out_ch) >> rng.integers(
                0, 20, layer.out_ch
            )
        weight[rng.random(layer.out_ch) < 0.1] = 0
        layers.append(QuantLayer(weight, bias.astype(np.int32), shift.astype(np.uint8)))
    return QuantModel(SMALL, 3, tuple(layers))


def test_the_models_of_these_tests_use_the_range():
    spread = 0
    for seed in range(40):
        stored = levels((19, 24), seed)[:, :, None]
        for q in wild_model(seed).layers:
            stored = golden.layer_output(q, stored)
        spread += len(np.unique(stored)) > 30
    assert spread >= 8  # of some 20 whose shifts are not at random


def levels(shape, seed):
    """Noise, and flat areas of the extreme values."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, shape).astype(np.uint8)
    x[: shape[0] // 3] = 255
    x[: shape[0] // 3, : shape[1] // 2] = 0
    return x


def keras_of(model):
    keras_model = lib.build(model.network)
    lib.start_from(keras_model, model)
    return keras_model


def assert_every_layer_is_golden(keras_model, model, x):
    names = [layer.name for layer in model.network.layers]
    outputs = [
        keras_model.get_layer(f"{layer.name}_saturated" if isinstance(layer, Add) else layer.name).output
        for layer in model.network.layers
    ]
    # as training makes them, wrongly rounded in the last place
    pixels = x.reshape(1, *x.shape[:2], -1).astype(np.float32) * np.float32(1 / 255)
    stored = golden.tensors(model, x)
    for name, out in zip(names, keras.Model(keras_model.input, outputs)(pixels)):
        out = keras.ops.convert_to_numpy(out)[0]
        different = np.argwhere(out != stored[name])
        assert not len(different), (
            f"{name}: {len(different)} differ, first at {different[0]}: {out[tuple(different[0])]}, not "
            f"{stored[name][tuple(different[0])]}"
        )
    assert np.array_equal(lib.infer_valid(keras_model, x[None])[0], golden.infer_valid(model, x, workers=1))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_forward_is_golden_for_anything_the_formats_allow(seed):
    model = wild_model(seed)
    lib.check_exact(model)
    assert_every_layer_is_golden(keras_of(model), model, levels((19, 24), seed))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_forward_is_golden_between_whole_numbers(seed):
    """In the middle of a training: kernels and offsets are fractions."""
    rng = np.random.default_rng(seed)
    keras_model = keras_of(wild_model(seed))
    for layer in SMALL.layers:
        layer = keras_model.get_layer(layer.name)
        kernel, offset = layer.kernel.numpy(), layer.offset.numpy()
        kernel = kernel + rng.choice([-0.5, 0.5, rng.normal()], kernel.shape) + rng.normal(0, 0.1, kernel.shape)
        layer.kernel.assign(np.clip(kernel, -128, 127))  # where training keeps it
        layer.offset.assign(offset * rng.normal(1, 0.1, offset.shape) + rng.normal(0, 1, offset.shape))
    model = lib.to_quant_model(keras_model, 3)
    assert_every_layer_is_golden(keras_model, model, levels((17, 21), seed))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_forward_is_golden_for_every_kind(seed):
    """Random graphs, as quantised and, kernels and offsets moved, in the middle of a training."""
    rng = np.random.default_rng(seed)
    network = random_graph(rng)
    model = examples.random_model(network, rng)
    x = examples.random_input(network, rng, *(2 * network.halo + rng.integers(3, 14, 2)))
    keras_model = keras_of(model)
    assert_every_layer_is_golden(keras_model, model, x)
    for layer in network.convs:
        layer = keras_model.get_layer(layer.name)
        kernel, offset = layer.kernel.numpy(), layer.offset.numpy()
        layer.kernel.assign(np.clip(kernel + rng.normal(0, 9, kernel.shape), -128, 127))
        layer.offset.assign(offset + rng.normal(0, 9, offset.shape))
    moved = lib.to_quant_model(keras_model, 3 if network.upscale is None else network.upscale)
    assert_every_layer_is_golden(keras_model, moved, x)


@pytest.mark.parametrize("network", ["srcnn915", "srcnn935", "srcnn955"])
def test_forward_is_golden_for_the_networks(network):
    model = random_model(network)
    lib.check_exact(model)
    x = levels((41, 47), 5)
    assert len(np.unique(golden.infer_valid(model, x))) > 50
    assert_every_layer_is_golden(keras_of(model), model, x)


def test_sums_beyond_float32_are_refused():
    model = random_model("srcnn955")
    layers = list(model.layers)
    layers[1] = dataclasses.replace(layers[1], weight=np.full_like(layers[1].weight, 127))
    model = QuantModel(model.network, 3, tuple(layers))
    with pytest.raises(UserError, match="sums of layer conv2 may reach .* exact below 16777216"):
        lib.check_exact(model)


def test_there_and_back_keeps_every_integer():
    model = random_model("srcnn915")
    back = lib.to_quant_model(keras_of(model), 3, {"a": 1})
    assert_same_integers(model, back)
    assert back.meta == {"a": 1}


@pytest.mark.parametrize("seed", range(6))
def test_there_and_back_keeps_every_integer_of_every_kind(seed):
    rng = np.random.default_rng(seed)
    network = random_graph(rng)
    model = examples.random_model(network, rng)
    assert_same_integers(model, lib.to_quant_model(keras_of(model), model.upscale))


def assert_same_integers(model, back):
    for layer, q, p in zip(model.network.convs, model.layers, back.layers, strict=True):
        for part in quant_parts(layer):
            there, here = getattr(q, part), getattr(p, part)
            assert np.array_equal(there, here) and there.dtype == here.dtype, (layer.name, part)


def test_not_a_number_is_refused():
    keras_model = keras_of(wild_model(1))
    keras_model.get_layer("conv2").offset.assign(np.full(6, np.nan, np.float32))
    with pytest.raises(UserError, match="layer conv2 are no longer numbers"):
        lib.to_quant_model(keras_model, 3)


def test_gradients_pass_rounding_and_stop_at_saturation():
    import tensorflow

    one = Network("one", (Conv("conv1", 1, 1, 3, "none"),))
    weight = np.array([64, 127, -127], np.int8).reshape(3, 1, 1, 1)
    model = QuantModel(one, 3, (QuantLayer(weight, np.array([0, 0, 0], np.int32), np.array([6, 2, 2], np.uint8)),))
    keras_model = keras_of(model)
    with tensorflow.GradientTape() as tape:
        total = keras.ops.sum(keras_model(np.full((1, 4, 4, 1), 100 / 255, np.float32)))
    kernel, offset = tape.gradient(total, keras_model.trainable_variables)
    # channel 0 gives 100 per pixel; channel 1 saturates at 255, channel 2 at 0
    np.testing.assert_allclose(kernel.numpy().ravel(), [16 * 100 / 64 / 255, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(offset.numpy(), [16 / 255, 0, 0], rtol=1e-5)
