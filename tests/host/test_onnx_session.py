"""onnxruntime gives the golden model's bits: any graph, any weights, up to the bound of float32 and beyond it."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.picture import backends
from host.picture.backends import GoldenBackend, OnnxBackend, open_backend
from model.base.errors import UserError
from model.graph.description import list_networks, load_network
from model.graph.formats import BIAS_BITS, MAX_SHIFT
from model.graph.kinds import Conv
from model.graph.network import Network
from model.graph.weights import QuantLayer, QuantModel
from model.integer import examples, floating, golden
from tests import oracle
from tests.chains import chains, graphs
from tests.random_models import random_float_model, random_model, random_rgb_model

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from host.picture import exact_onnx, onnx_session
from host.picture.onnx_session import OnnxSession

SEEDS = st.integers(0, 2**32 - 1)
LIMIT = 2**24


def check(model, rng, height, width):
    """Compare a picture's every bit with the golden model; return what the graph's operators are."""
    x = examples.random_input(model.network, rng, height + 2 * model.network.halo, width + 2 * model.network.halo)
    session = OnnxSession(model)
    np.testing.assert_array_equal(session.infer_valid(x, 2), golden.infer_valid(model, x, 1))
    return [node.op_type for node in exact_onnx.exact_model(model).graph.node]


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("name", [name for name in list_networks() if "srcnn" not in name])
def test_networks_for_video(name, extreme):
    for upscale in (2, 3, 4):
        rng = np.random.default_rng(upscale)
        check(examples.random_model(load_network(name, upscale), rng, extreme), rng, 21, 37)


@pytest.mark.parametrize("name", ["srcnn915", "srcnn935", "srcnn955"])
def test_srcnn(name):
    rng = np.random.default_rng(3)
    network = load_network(name, 3)
    operators = check(examples.random_model(network, rng), rng, 19, 22)
    assert "HardSigmoid" in operators  # layers of many channels stay in the runtime's layout
    check(examples.random_model(network, rng, extreme=True), rng, 11, 9)


def test_every_kind_and_colours():
    rng = np.random.default_rng(4)
    network = load_network("tests/descriptions/all_kinds.toml", 3)
    operators = check(examples.random_model(network, rng), rng, 9, 14)
    assert {"PRelu", "Add", "DepthToSpace", "Concat", "Slice", "Transpose"} <= set(operators)
    check(examples.random_model(network, rng, extreme=True), rng, 6, 5)
    check(random_rgb_model(), rng, 150, 31)


@settings(max_examples=60, deadline=None)
@given(st.one_of(chains(), graphs()), SEEDS, st.booleans(), st.integers(1, 12), st.integers(1, 12))
def test_any_graph(config, seed, extreme, height, width):
    rng = np.random.default_rng(seed)
    check(examples.random_model(config.network, rng, extreme), rng, height, width)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 3, 5]),
    st.sampled_from([1, 2, 3, 8, 15]),
    st.sampled_from([1, 2, 5, 8, 16, 17]),
    st.booleans(),
    st.booleans(),
    SEEDS,
)
def test_a_layer_equals_nested_loops(k, in_ch, out_ch, prelu, behind, seed):
    """All shifts, the largest biases and slopes; with a layer behind it, which may read other units."""
    rng = np.random.default_rng(seed)
    head = Conv("head", 1, 1, in_ch, "relu")
    layer = Conv("layer", k, in_ch, out_ch, "prelu" if prelu else "relu")
    tail = (Conv("tail", 1, out_ch, 1, "none"),) * behind
    bias = rng.integers(-99, 99, in_ch).astype(np.int32)
    layers = [QuantLayer(np.ones(head.weight_shape, np.int8), bias, np.zeros(in_ch, np.uint8))]
    for conv in (layer, *tail):
        shift = rng.integers(0, MAX_SHIFT + 1, conv.out_ch)
        limit = 2 ** (BIAS_BITS - 1) - 1
        bias = rng.integers(-limit, limit + 1, conv.out_ch) >> rng.integers(0, BIAS_BITS, conv.out_ch)
        pair = {}
        if conv.activation == "prelu":
            pair = {
                "slope": np.minimum(rng.integers(0, 8, conv.out_ch), MAX_SHIFT - shift).astype(np.uint8),
                "zero": rng.integers(0, 256, conv.out_ch).astype(np.uint8),
            }
        weight = rng.integers(-128, 128, conv.weight_shape) >> rng.integers(0, 7)
        layers.append(QuantLayer(weight.astype(np.int8), bias.astype(np.int32), shift.astype(np.uint8), **pair))
    network = Network("random", (head, layer, *tail))
    model = QuantModel(network, 3, tuple(layers))
    x = rng.integers(0, 256, (k + 4, k + 3)).astype(np.uint8)
    values = [[[int(v)] for v in row] for row in x]
    for q in layers:
        given_ = [q.weight.tolist(), q.bias.tolist(), q.shift.tolist()]
        if q.slope is None:
            values = oracle.layer(values, *given_)
        else:
            values = oracle.prelu_layer(values, *given_, q.slope.tolist(), q.zero.tolist())
    expected = np.array(values, np.uint8)
    session = OnnxSession(model)
    np.testing.assert_array_equal(session.infer_valid(x), expected[:, :, 0] if network.out_ch == 1 else expected)


def two_channels(bias, channels):
    """One 17x17 layer whose largest sum is 17 * 17 * 127 * 255 * channels + bias, behind one that copies its input."""
    copy = QuantLayer(np.ones((channels, 1, 1, 1), np.int8), np.zeros(channels, np.int32), np.zeros(channels, np.uint8))
    large = QuantLayer(
        np.full((2, 17, 17, channels), 127, np.int8), np.array([bias, -bias], np.int32), np.array([16, 22], np.uint8)
    )
    layers = (Conv("copy", 1, 1, channels, "relu"), Conv("large", 17, channels, 2, "relu"))
    return QuantModel(Network("bound", layers), 3, (copy, large))


def test_the_bound_of_float32():
    """Just below 2^24 floats are used as they are, from there on the layer is cut; the bits are the same."""
    half, largest = 1 << 21, 17 * 17 * 127 * 255
    most = LIMIT - 1 - half - largest
    rng = np.random.default_rng(6)
    for bias, wide in [(most, False), (most + 1, True)]:
        model = two_channels(bias, 1)
        assert (model.layers[1].worst_accumulator >= LIMIT) == wide
        operators = check(model, rng, 5, 6)
        casts = operators.count("Cast")
        assert casts == (4 if wide else 2)  # to float64 and back
        session = OnnxSession(model)
        for value in (0, 1, 254, 255):  # the very largest sums
            x = np.full((21, 20), value, np.uint8)
            np.testing.assert_array_equal(session.infer_valid(x), golden.infer_valid(model, x, 1))
    assert "Slice" in check(two_channels(0, 3), rng, 3, 4)  # three parts of one channel


def test_halves_round_up_in_shifted_layers():
    """Every input against biases around halves, where rounding to even would differ."""
    out_ch = 32
    bias = (np.arange(-16, 16) * 8 + np.tile([0, 3, 4, 5], 8)).astype(np.int32)
    first = QuantLayer(np.full((out_ch, 1, 1, 1), 1, np.int8), bias, np.full(out_ch, 3, np.uint8))
    for channel in range(0, out_ch, 5):
        second = np.zeros((1, 1, 1, out_ch), np.int8)
        second[..., channel] = 1
        layers = (Conv("first", 1, 1, out_ch, "relu"), Conv("second", 1, out_ch, 1, "none"))
        model = QuantModel(
            Network("halves", layers), 3, (first, QuantLayer(second, np.zeros(1, np.int32), np.zeros(1, np.uint8)))
        )
        x = np.arange(256, dtype=np.uint8).reshape(16, 16)
        session = OnnxSession(model)
        expected = np.clip((x.astype(int) + bias[channel] + 4) >> 3, 0, 255)
        np.testing.assert_array_equal(session.infer_valid(x), expected)


def test_blocks_cover_a_picture_once():
    for height, width, threads in [(1, 1, 1), (15, 4000, 8), (129, 257, 2), (1000, 3, 3), (16 * 7, 20, 64)]:
        seen = np.zeros((height, width), int)
        blocks = onnx_session._blocks(height, width, threads, 128)
        for rows, columns in blocks:
            seen[rows, columns] += 1
            assert rows.stop - rows.start <= max(128, 31) and columns.stop - columns.start <= 256
        assert (seen == 1).all()


def test_blocks_and_threads_change_nothing():
    model, rng = random_model("abpn8m2", 2), np.random.default_rng(7)
    check(model, rng, 300, 530)


def test_sums_that_no_cut_makes_small():
    layer = Conv("large", 25, 1, 1, "none")
    q = QuantLayer(np.full(layer.weight_shape, 127, np.int8), np.zeros(1, np.int32), np.zeros(1, np.uint8))
    with pytest.raises(UserError, match=r"layer large has sums beyond 2\^24.*use --backend golden"):
        OnnxSession(QuantModel(Network("large", (layer,)), 3, (q,)))


def test_a_runtime_that_rounds_is_found(monkeypatch, models):
    real = OnnxSession._run
    monkeypatch.setattr(OnnxSession, "_run", lambda self, x: real(self, x) ^ (np.arange(1) == 0))
    with pytest.raises(UserError, match="does not compute srcnn915 exactly on this processor; use --backend golden"):
        OnnxSession(models["srcnn915"])


@pytest.mark.parametrize("name", ["srcnn915", "abpn8m5", "tests/descriptions/all_kinds.toml"])
def test_the_float_network_beside_it(name):
    """What it is measured against is the same network, in floats."""
    import onnxruntime

    model = random_float_model(load_network(name, 3), 5, spread=0.1)
    rng, halo = np.random.default_rng(8), model.network.halo
    x = examples.random_input(model.network, rng, 9 + 2 * halo, 7 + 2 * halo)
    session = onnxruntime.InferenceSession(exact_onnx.float_model(model).SerializeToString())
    planes = x.reshape(*x.shape[:2], -1).transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    (given,) = session.run(None, {exact_onnx.INPUT_NAME: planes})
    expected = floating.infer(model, x).reshape(*given.shape[2:], -1)
    np.testing.assert_allclose(given[0].transpose(1, 2, 0) * 255, expected, rtol=1e-4, atol=1e-2)


def test_bad_input(models):
    session = OnnxSession(models["srcnn915"])
    with pytest.raises(UserError, match="uint8 pictures of at least 13 pixels a side"):
        session.infer_valid(np.zeros((12, 40), np.uint8))


def test_the_backend(monkeypatch, models):
    model = models["srcnn915"]
    backend, why = open_backend("onnxruntime", model)
    assert isinstance(backend, OnnxBackend) and why == ""
    tiles = [np.full((14, 15), 77, np.uint8), np.zeros((20, 13), np.uint8)]
    for tile, result in zip(tiles, backend.infer(tiles), strict=True):
        np.testing.assert_array_equal(result, golden.infer_valid(model, tile, 1))
    backend, why = open_backend("auto", model)
    assert isinstance(backend, OnnxBackend) and "the same bits, fastest here" in why
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install onnx onnxruntime.*use --backend golden"):
        open_backend("onnxruntime", model)
    backend, why = open_backend("auto", model)
    assert isinstance(backend, GoldenBackend) and "the same bits" in why


def test_auto_takes_golden_where_float32_is_too_small(models):
    """A layer that has to be cut is not what onnxruntime is fast at."""
    model = random_model("srcnn955", 3, 915)
    wide = examples.random_model(load_network("srcnn955", 3), np.random.default_rng(1), extreme=True)
    assert golden.exact_dtype(wide) is np.float64
    assert isinstance(open_backend("auto", wide)[0], GoldenBackend)
    assert isinstance(open_backend("auto", model)[0], OnnxBackend) == (golden.exact_dtype(model) is np.float32)
    assert "onnxruntime" in backends.NAMES
