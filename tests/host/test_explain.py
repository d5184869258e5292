"""The notebook's helpers: layer by layer is the whole network, the float network is TensorFlow's."""

import builtins

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.show import explain
from model.graph.weights import load_float, load_quant, weight_path
from model.imaging.resize import upscale_bicubic
from model.integer import floating, golden
from model.integer.examples import random_input
from tests.random_models import random_model, random_rgb_model


@settings(max_examples=20, deadline=None)
@given(
    model=st.sampled_from(
        [random_model("srcnn915"), random_model("srcnn955"), random_model("abpn8m5", 3), random_rgb_model()]
    ),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_last_feature_map_is_the_output(model, height, width, seed):
    network = model.network
    padded = random_input(network, np.random.default_rng(seed), height + 2 * network.halo, width + 2 * network.halo)
    maps = explain.feature_maps(model, padded)
    assert list(maps) == [layer.name for layer in network.layers]
    assert [maps[name].shape[2] for name in maps] == [network.tensors[name].channels for name in maps]
    output = golden.infer_valid(model, padded, 1)
    assert np.array_equal(maps[network.layers[-1].name].reshape(output.shape), output)


@pytest.mark.parametrize("network", ["srcnn915", "srcnn935", "srcnn955"])
def test_float_network_is_tensorflows(network):
    from model.train.keras_model import infer_float

    model = load_float(weight_path(network, 3), network)
    y = upscale_bicubic(np.ascontiguousarray(explain.sample_photo()[0][100:130, 200:230, 1]), 3)
    result = floating.infer(model, golden.pad(y, model.network.halo))
    np.testing.assert_allclose(result, infer_float(model, y), atol=2e-3)  # of 255: float32, sums in another order
    fixed = golden.infer(load_quant(weight_path(network, 3, quantised=True), network), y)
    assert np.abs(result - fixed).mean() < 1


def test_photo_without_the_packages_that_have_one(monkeypatch):
    real = builtins.__import__

    def without(*missing):
        def fail(name, *rest, **more):
            if name.split(".")[0] in missing:
                raise ImportError(name)
            return real(name, *rest, **more)

        monkeypatch.setattr(builtins, "__import__", fail)

    names = []
    for missing in ((), ("skimage",), ("skimage", "matplotlib")):
        without(*missing)
        photo, name = explain.sample_photo()
        assert photo.dtype == np.uint8 and photo.ndim == 3 and min(photo.shape[:2]) >= 256
        assert len(np.unique(photo.reshape(-1, 3), axis=0)) > 1000
        names.append(name)
    assert names == ["astronaut (scikit-image)", "Grace Hopper (matplotlib)", "a drawing"]


def test_brighten():
    maps = np.zeros((2, 2, 3), np.uint8)
    maps[0, 0], maps[1, 1] = (0, 1, 200), (0, 0, 100)
    assert explain.brighten(maps)[0, 0].tolist() == [0, 255, 255] and explain.brighten(maps)[1, 1].tolist() == [
        0,
        0,
        127,
    ]


def test_brighten_shows_residuals_by_their_size():
    residual = np.array([[[-256], [128]], [[0], [255]]], np.int16)
    assert explain.brighten(residual)[:, :, 0].tolist() == [[255, 127], [0, 254]]


def test_mosaic():
    maps = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    out = explain.mosaic(maps, columns=2, gap=1)
    assert out.shape == (8, 7)
    for i in range(5):
        assert np.array_equal(out[i // 2 * 3 :][:2, i % 2 * 4 :][:, :3], maps[:, :, i])
    assert (out[2] == 255).all() and (out[:, 3] == 255).all() and (out[6:, 4:] == 255).all()
