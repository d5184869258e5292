"""Weight files: written and read back, and every way in which one can be wrong."""

import dataclasses
import json

import numpy as np
import pytest

from model.base.errors import UserError
from model.graph.description import load_network
from model.graph.formats import BIAS_BITS, MAX_SHIFT
from model.graph.weights import (
    FloatModel,
    QuantLayer,
    QuantModel,
    load_float,
    load_quant,
    save_float,
    save_quant,
    weight_path,
)
from model.integer.examples import random_model
from tests.random_models import random_float_model

NETWORK = load_network("srcnn915")


def float_model(network=NETWORK):
    return dataclasses.replace(random_float_model(network, 4), meta={"seed": 4})


def test_float_weights_survive_the_file(tmp_path):
    model = float_model()
    save_float(model, tmp_path / "w.npz")
    read = load_float(tmp_path / "w.npz", "srcnn915")
    assert read.network == NETWORK and read.upscale == 3 and read.meta == {"seed": 4}
    assert all(np.array_equal(a, b) for a, b in zip(read.weights + read.biases, model.weights + model.biases))


def test_integer_weights_survive_the_file(tmp_path):
    model = random_model(NETWORK, np.random.default_rng(4))
    save_quant(model, tmp_path / "w.npz")
    read = load_quant(tmp_path / "w.npz", "srcnn915")
    for a, b in zip(read.layers, model.layers):
        assert (
            np.array_equal(a.weight, b.weight) and np.array_equal(a.bias, b.bias) and np.array_equal(a.shift, b.shift)
        )


def test_writing_leaves_nothing_beside_the_file(tmp_path):
    save_float(float_model(), tmp_path / "w.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]


@pytest.mark.parametrize("content", [b"", b"no zip at all", None])
def test_files_that_are_no_weights(tmp_path, content):
    path = tmp_path / "w.npz"
    if content is None:
        save_float(float_model(), path)
        content = path.read_bytes()[:-500]
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a readable weight file"):
        load_float(path)


def test_archives_of_something_else(tmp_path):
    for arrays in ({"a": np.zeros(3)}, {"header": np.array("[]")}, {"header": np.array(json.dumps({"kind": "float"}))}):
        np.savez(tmp_path / "w.npz", **arrays)
        with pytest.raises(UserError, match="not a readable weight file"):
            load_float(tmp_path / "w.npz")


def test_missing_file_names_the_remedy(tmp_path):
    with pytest.raises(UserError, match="make train"):
        load_float(tmp_path / "none.npz")


def test_weights_of_another_network_are_refused(tmp_path):
    save_float(float_model(load_network("srcnn935")), tmp_path / "w.npz")
    with pytest.raises(UserError, match="weights of srcnn935, not of srcnn915"):
        load_float(tmp_path / "w.npz", "srcnn915")
    with pytest.raises(UserError, match="needs weights of shape"):
        FloatModel(NETWORK, 3, float_model(load_network("srcnn935")).weights, float_model().biases)


def test_float_where_integers_are_needed_is_refused(tmp_path):
    save_float(float_model(), tmp_path / "w.npz")
    with pytest.raises(UserError, match="float weights where int8 weights are needed"):
        load_quant(tmp_path / "w.npz")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_weights_are_refused(value):
    model = float_model()
    model.weights[1][3, 0, 0, 5] = value
    with pytest.raises(UserError, match="layer conv2 hold NaN"):
        FloatModel(NETWORK, 3, model.weights, model.biases)


def changed(index=0, **parts):
    layers = list(random_model(NETWORK, np.random.default_rng(4)).layers)
    q = layers[index]
    layers[index] = QuantLayer(parts.get("weight", q.weight), parts.get("bias", q.bias), parts.get("shift", q.shift))
    return QuantModel(NETWORK, 3, tuple(layers))


@pytest.mark.parametrize(
    "parts, message",
    [
        ({"weight": np.zeros((64, 9, 9, 1), np.int16)}, "int8 weights"),
        ({"shift": np.full(64, MAX_SHIFT + 1, np.uint8)}, "shifts of at most"),
        ({"shift": np.zeros(3, np.uint8)}, "64 shifts"),
        ({"bias": np.full(64, 2 ** (BIAS_BITS - 1), np.int32)}, "outside 24 bits"),
        ({"bias": np.zeros(3, np.int32)}, "needs weights of shape"),
    ],
)
def test_integers_outside_their_formats_are_refused(parts, message):
    with pytest.raises(UserError, match=message):
        changed(**parts)


def test_largest_formats_fit_the_accumulator():
    """The format's worst case, exactly: the accumulator width is computed for it."""
    model = changed(
        weight=np.full((64, 9, 9, 1), -128, np.int8),
        bias=np.full(64, 2 ** (BIAS_BITS - 1) - 1, np.int32),
        shift=np.full(64, MAX_SHIFT, np.uint8),
    )
    assert model.layers[0].worst_accumulator < 2 ** (NETWORK.layers[0].acc_bits - 1)


def test_names_of_the_committed_files():
    assert weight_path("srcnn915", 3).name == "srcnn915_x3.npz"
    assert weight_path("srcnn915", 2, "opencv", quantised=True).name == "srcnn915_x2_opencv_int8.npz"
    assert weight_path("abpn8m2", 2, data="T91+BSDS399").name == "abpn8m2_x2_t91bsds399.npz"
    assert weight_path("abpn8m2", 2, quantised=True, data="my/Own_pictures/").name == "abpn8m2_x2_ownpictures_int8.npz"
