"""Golden model == nested-loop oracle on thousands of random cases; strips, workers and tilings change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base.errors import UserError
from model.graph.description import list_networks, load_network
from model.graph.formats import BIAS_BITS, MAX_SHIFT
from model.graph.kinds import Conv
from model.graph.network import Network
from model.graph.weights import QuantLayer, QuantModel
from model.integer import flat, golden
from tests import oracle

SEEDS = st.integers(0, 2**32 - 1)
CASES = 10  # random cases per example: one example costs hypothesis more than a small case costs the oracle
BIAS_LIMIT = 2 ** (BIAS_BITS - 1) - 1


def random_layer(rng, layer, kind):
    """Random parameters. "extreme" takes every value from the ends of its range, "usual" looks like trained weights."""
    if kind == "usual":
        weight = np.clip(rng.normal(0, 25, layer.weight_shape).round(), -128, 127)
        shift = rng.integers(7, 13, layer.out_ch)
        bias = rng.integers(-(1 << 15), 1 << 15, layer.out_ch)
    elif kind == "extreme":
        weight = rng.choice([-128, 127], layer.weight_shape)
        shift = rng.choice([0, 1, MAX_SHIFT - 1, MAX_SHIFT], layer.out_ch)
        bias = rng.choice([-BIAS_LIMIT, BIAS_LIMIT], layer.out_ch)
    else:
        weight = rng.integers(-128, 128, layer.weight_shape)
        shift = rng.integers(0, MAX_SHIFT + 1, layer.out_ch)
        bias = rng.integers(-BIAS_LIMIT, BIAS_LIMIT + 1, layer.out_ch) >> rng.integers(0, BIAS_BITS, layer.out_ch)
    return QuantLayer(weight.astype(np.int8), bias.astype(np.int32), shift.astype(np.uint8))


def random_model(rng, network, kind):
    return QuantModel(network, 3, tuple(random_layer(rng, layer, kind) for layer in network.layers))


def random_network(rng):
    """1 to 4 layers of k 1..5 and up to 4 channels; one output channel or several."""
    layers, in_ch, depth = [], 1, int(rng.integers(1, 5))
    for i in range(depth):
        out_ch = int(rng.choice([1, 1, 3, 4, 9])) if i == depth - 1 else int(rng.integers(1, 5))
        layers.append(
            Conv(f"conv{i + 1}", int(rng.choice([1, 1, 3, 5])), in_ch, out_ch, "relu" if i < depth - 1 else "none")
        )
        in_ch = out_ch
    return Network("random", tuple(layers))


def random_picture(rng, height, width):
    picture = rng.integers(0, 256, (height, width))
    return (picture if rng.integers(2) else (picture > 127) * 255).astype(np.uint8)


def parameters(q):
    return q.weight.tolist(), q.bias.tolist(), q.shift.tolist()


def assert_equal(actual, expected, what):
    expected = np.asarray(expected)
    assert actual.dtype == np.uint8
    assert actual.shape == expected.shape, what
    wrong = np.argwhere(actual != expected)
    if len(wrong):
        first = tuple(wrong[0])
        pytest.fail(
            f"{what}: {len(wrong)} of {actual.size} differ, first at {first}: golden {actual[first]}, oracle "
            f"{expected[first]}"
        )


def check_network(model, picture, what):
    expected = oracle.network(picture.tolist(), [parameters(q) for q in model.layers])
    assert_equal(golden.infer(model, picture, 1), expected, what)


KINDS = st.sampled_from(["usual", "extreme", "any"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(SEEDS, KINDS)
def test_one_layer_equals_the_oracle(seed, kind):
    rng = np.random.default_rng(seed)
    for case in range(CASES):
        layer = Conv("conv", int(rng.choice([1, 3, 5])), int(rng.integers(1, 5)), int(rng.integers(1, 5)), "relu")
        q = random_layer(rng, layer, kind)
        height, width = layer.k + rng.integers(0, 4, 2)
        x = rng.integers(0, 256, (height, width, layer.in_ch)).astype(np.uint8)
        assert_equal(
            golden.layer_output(q, x), oracle.layer(x.tolist(), *parameters(q)), f"seed {seed}, {kind}, case {case}"
        )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(SEEDS, KINDS)
def test_random_networks_equal_the_oracle(seed, kind):
    rng = np.random.default_rng(seed)
    for case in range(CASES):
        model = random_model(rng, random_network(rng), kind)
        check_network(model, random_picture(rng, *rng.integers(1, 6, 2)), f"seed {seed}, {kind}, case {case}")


@pytest.mark.parametrize("name", list_networks("upscaled"))
@pytest.mark.parametrize("kind", ["usual", "extreme", "any"])
def test_described_networks_equal_the_oracle(name, kind):
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (1, 2), (2, 1)]:
        check_network(
            random_model(rng, load_network(name), kind), random_picture(rng, *shape), f"{name}, {kind}, {shape}"
        )


def test_random_cases_are_not_all_saturated():
    """The comparisons above would prove little if every output were 0 or 255."""
    rng = np.random.default_rng(3)
    for name in list_networks("upscaled"):
        out = golden.infer(random_model(rng, load_network(name), "usual"), random_picture(rng, 40, 40))
        assert len(np.unique(out)) > 20


def test_beyond_float32_the_golden_model_takes_float64():
    """9-5-5 with extreme weights: accumulators of 1600 * 255 * 127 > 2^24, odd ones among them, would lose their last
    bit.
    """
    rng = np.random.default_rng(1)
    network = Network("deep", (Conv("a", 3, 1, 4, "relu"), Conv("b", 61, 4, 1, "none")))
    first = QuantLayer(np.full((4, 3, 3, 1), 127, np.int8), np.zeros(4, np.int32), np.zeros(4, np.uint8))
    for bias in (0, 1, 2, 3):
        weight = rng.integers(126, 128, network.layers[1].weight_shape).astype(np.int8)
        acc = int(weight.astype(int).sum()) * 255
        assert acc > golden.FLOAT32_EXACT
        # acc - (2^21 * m) - small lands just beside a rounding boundary only if every bit was kept
        shift = 20
        boundary = ((acc >> shift) << shift) - (1 << (shift - 1))
        last = QuantLayer(weight, np.array([boundary - acc + bias - 2], np.int32), np.array([shift], np.uint8))
        model = QuantModel(network, 3, (first, last))
        assert golden.exact_dtype(model) is np.float64
        expected = min(max((acc + int(last.bias[0]) + (1 << (shift - 1))) >> shift, 0), 255)
        assert golden.infer(model, np.full((1, 1), 255, np.uint8))[0, 0] == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS, st.sampled_from(["usual", "any"]))
def test_chunks_blocks_and_workers_change_nothing(seed, kind):
    rng = np.random.default_rng(seed)
    network = load_network(str(rng.choice(list_networks("upscaled")))) if rng.integers(4) == 0 else random_network(rng)
    model = random_model(rng, network, kind)
    picture = random_picture(rng, *rng.integers(1, 60, 2))
    whole = golden.infer(model, picture, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat, "_CHUNK_PIXELS", int(rng.integers(1, 1000)) if network.halo < 6 else 500)
        patch.setattr(flat, "_DIRECT_PIXELS", int(rng.integers(1, 50)))
        patch.setattr(flat, "_FULL_WINDOW_TAPS", int(rng.integers(1, 200)))
        patch.setattr(golden, "_BLOCK_ROWS", int(rng.integers(1, 30)))
        patch.setattr(golden, "_BLOCK_COLUMNS", int(rng.integers(4, 30)))
        patch.setattr(golden, "_MIN_ROWS", int(rng.integers(1, 30)))
        assert_equal(
            golden.infer(model, picture, int(rng.integers(1, 5))), whole, f"seed {seed}, {kind}, {picture.shape}"
        )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_any_tiling_equals_the_whole(seed):
    rng = np.random.default_rng(seed)
    network = load_network() if rng.integers(3) == 0 else random_network(rng)
    model = random_model(rng, network, "usual")
    picture = random_picture(rng, *rng.integers(1, 50, 2))
    halo, (tile_height, tile_width) = network.halo, rng.integers(5, 40, 2)
    padded, whole = golden.pad(picture, halo), golden.infer(model, picture, 2)
    tiled = np.empty_like(whole)
    for top in range(0, picture.shape[0], tile_height):
        for left in range(0, picture.shape[1], tile_width):
            tile = padded[top : top + tile_height + 2 * halo, left : left + tile_width + 2 * halo]
            tiled[top : top + tile_height, left : left + tile_width] = golden.infer_valid(model, tile, 1)
    assert_equal(tiled, whole, f"seed {seed}, {picture.shape}, tiles {tile_height}x{tile_width}")


def test_requantise_rounds_half_up_and_saturates():
    acc = np.array([-(1 << 40), -3, -2, 0, 1, 2, 509, 510, 1 << 40])[:, None]
    assert golden.requantise(acc, [1])[:, 0].tolist() == [0, 0, 0, 0, 1, 1, 255, 255, 255]
    assert golden.requantise(acc, [0])[:, 0].tolist() == [0, 0, 0, 0, 1, 2, 255, 255, 255]


@pytest.mark.parametrize(
    "x", [np.zeros((13, 12), np.uint8), np.zeros((13, 13), np.int32), np.zeros((20, 20, 1), np.uint8)]
)
def test_bad_input_is_refused(x):
    model = random_model(np.random.default_rng(0), load_network(), "usual")
    with pytest.raises(UserError, match="uint8 pictures of at least 13"):
        golden.infer_valid(model, x)
