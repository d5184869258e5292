"""Graphs of every kind of layer: the golden model against nested loops, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base.errors import UserError
from model.base.paths import NETWORKS
from model.graph.description import list_networks, load_network
from model.graph.family import family_description, family_member, family_network
from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import UPSCALES, Network
from model.graph.rewrite import conv_side, transposed_weights
from model.graph.weights import QuantModel, load_quant, save_quant
from model.integer import flat, golden
from model.integer.examples import random_input, random_model
from tests import oracle

SEEDS = st.integers(0, 2**32 - 1)


def random_graph(rng):
    """A network with a PReLU, an addition of an earlier tensor, an anchor and a depth-to-space, in most draws."""
    in_ch, s = int(rng.choice([1, 3])), int(rng.choice([2, 3, 4]))
    sides, activations = (1, 3, 5), ("relu", "prelu", "clip")
    width = int(rng.integers(1, 5))
    layers = [_conv("first", rng.choice(sides), in_ch, width, rng.choice(activations))]
    if rng.integers(2):
        layers += [
            _conv("inner", rng.choice(sides), width, 3, rng.choice((*activations, "none"))),
            _conv("back", rng.choice(sides), 3, width * int(rng.integers(1, 3)), "none"),
            Add("sum", ("back", "first")),
        ]
        width = layers[-2].out_ch
    channels = in_ch * s**2 if rng.integers(2) else s**2
    layers.append(_conv("residual", rng.choice(sides), width, channels, "none"))
    if channels % in_ch == 0 and rng.integers(3):
        layers.append(Add("anchor", ("residual", "input")))
    layers.append(DepthToSpace("pixels", s))
    if rng.integers(3) == 0:
        layers.append(_conv("after", 1, channels // s**2, 2, "relu"))
    return Network("drawn", tuple(layers), "y" if in_ch == 1 else "rgb", s)


def _conv(name, k, in_ch, out_ch, activation):
    return Conv(name, int(k), in_ch, out_ch, str(activation), cap=1.0 if activation == "clip" else None)


def oracle_tensors(model, x):
    """Every tensor by nested loops."""
    known = {"input": x.reshape(*x.shape[:2], -1).tolist()}
    parameters = dict(zip((layer.name for layer in model.network.convs), model.layers))
    for layer in model.network.layers:
        given = [known[name] for name in layer.inputs]
        if isinstance(layer, Add):
            known[layer.name] = oracle.add(*given)
        elif isinstance(layer, DepthToSpace):
            known[layer.name] = oracle.depth_to_space(*given, layer.factor)
        else:
            q = parameters[layer.name]
            common = *given, q.weight.tolist(), q.bias.tolist(), q.shift.tolist()
            if layer.activation == "prelu":
                known[layer.name] = oracle.prelu_layer(*common, q.slope.tolist(), q.zero.tolist())
            else:
                known[layer.name] = oracle.layer(*common, low=-256 if layer.signed else 0)
    return known


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SEEDS)
def test_random_graphs_equal_the_oracle(seed):
    rng = np.random.default_rng(seed)
    network = random_graph(rng)
    model = random_model(network, rng, extreme=bool(rng.integers(3) == 0))
    x = random_input(network, rng, *(2 * network.halo + rng.integers(1, 5, 2)))
    expected, actual = oracle_tensors(model, x), golden.tensors(model, x)
    for name in expected:
        assert np.array_equal(actual[name], expected[name]), (seed, name)
    out = np.asarray(expected[network.layers[-1].name], np.uint8)
    assert np.array_equal(golden.infer_valid(model, x, 1), out[..., 0] if network.out_ch == 1 else out), seed


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS)
def test_chunks_blocks_and_workers_change_nothing(seed):
    rng = np.random.default_rng(seed)
    network = random_graph(rng)
    model = random_model(network, rng)
    picture = random_input(network, rng, *rng.integers(1, 50, 2))
    whole = golden.infer(model, picture, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat, "_CHUNK_PIXELS", int(rng.integers(1, 1000)))
        patch.setattr(golden, "_BLOCK_ROWS", int(rng.integers(1, 30)))
        patch.setattr(golden, "_BLOCK_COLUMNS", int(rng.integers(4, 30)))
        patch.setattr(golden, "_MIN_ROWS", int(rng.integers(1, 30)))
        assert np.array_equal(golden.infer(model, picture, int(rng.integers(1, 5))), whole), seed


def test_random_graphs_are_not_all_saturated():
    """The comparisons above would prove little if every output were 0 or 255."""
    varied = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        network = random_graph(rng)
        values = golden.tensors(random_model(network, rng), random_input(network, rng, 40, 40))
        varied += all(len(np.unique(value)) > 20 for value in values.values())
    assert varied > 20


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS, st.integers(2, 4), st.integers(2, 9))
def test_a_transposed_convolution_is_a_convolution_and_depth_to_space(seed, stride, k):
    rng = np.random.default_rng(seed)
    k = max(k, stride)
    padding = int(rng.integers(0, k))
    weight = rng.integers(-9, 10, (int(rng.integers(1, 3)), k, k, 2))
    x = rng.integers(0, 9, (5, 4, 2))
    split = transposed_weights(weight, stride, padding)
    halo = conv_side(k, stride, padding) // 2
    around = np.pad(x, ((halo, halo), (halo, halo), (0, 0)))
    zeros = [0] * len(split)
    sums = oracle.convolution(around.tolist(), split.tolist(), zeros, lambda acc, _: acc)
    assert oracle.depth_to_space(sums, stride) == oracle.transposed_convolution(
        x.tolist(), weight.tolist(), stride, padding
    )


def test_what_is_derived_of_the_networks_for_video():
    network = load_network("abpn8m2", 2)
    assert (network.label, network.halo, network.scale, network.macs_per_pixel) == ("abpn8m2_x2", 5, 2, 410)
    assert [layer.signed for layer in network.convs] == [False, False, False, True]
    assert [load_network("abpn8m2", s).convs[-1].out_ch for s in (2, 3, 4)] == [4, 9, 16]
    assert load_network("srcnn915", 4) == load_network("srcnn915"), "what takes the upscaled picture depends on none"
    assert set(list_networks("y")) | set(list_networks("upscaled")) | set(list_networks("rgb")) == set(list_networks())


def test_weights_of_every_kind_come_back_as_they_were(tmp_path):
    rng = np.random.default_rng(5)
    for _ in range(10):
        network = random_graph(rng)
        model = random_model(network, rng)
        save_quant(model, tmp_path / "w.npz")
        back = load_quant(tmp_path / "w.npz")
        assert back.network == network
        for q, p in zip(back.layers, model.layers, strict=True):
            for part in ("weight", "bias", "shift", "slope", "zero"):
                assert np.array_equal(getattr(q, part), getattr(p, part))


def test_a_network_of_one_factor_refuses_weights_of_another():
    model = random_model(load_network("abpn8m2", 2), np.random.default_rng(0))
    with pytest.raises(UserError, match="abpn8m2_x2 does not fit weights for x3; choose the network of that factor"):
        QuantModel(model.network, 3, model.layers)


CONV, TAIL = Conv("a", 3, 1, 4, "relu"), DepthToSpace("pixels", 2)


@pytest.mark.parametrize(
    "layers, message",
    [
        (
            (Conv("a", 3, 1, 6, "relu"), TAIL),
            "makes 2 x 2 pixels of 6 channels; their number has to be a multiple of 4",
        ),
        (
            (CONV, Conv("r", 3, 4, 4, "none"), TAIL, Add("s", ("pixels", "input"))),
            "of scale 2 and 1; add tensors of one",
        ),
        ((Conv("r", 3, 1, 4, "relu"), Add("s", ("r", "input")), TAIL), "without activation that only this layer reads"),
        ((Conv("r", 3, 1, 4, "none"), Add("s", ("input", "r")), TAIL), "of 1 and 4 channels|first comes the output"),
        ((CONV, Conv("r", 3, 4, 5, "none"), Add("s", ("r", "a"))), "of 5 and 4 channels; the first needs a multiple"),
        (
            (Conv("r", 3, 1, 4, "none"), Conv("b", 1, 4, 4, "none"), Add("s", ("b", "input")), Add("t", ("r", "s"))),
            "keeps its sign",
        ),
        ((CONV, Conv("r", 3, 4, 4, "none"), Add("s", ("r", "late")), TAIL), "reads 'r', 'late'; it reads two tensors"),
        ((CONV, TAIL, Conv("after", 3, 1, 1, "none")), "no whole number of input pixels"),
    ],
)
def test_graphs_that_do_not_fit_are_refused(layers, message):
    with pytest.raises(UserError, match=message):
        Network("n", layers, "y", 2)


GOOD = """name = "n"
input = "y"
[[layers]]
name = "up"
kind = "transposed_convolution"
k = 9
out_ch = 1
activation = "none"
"""


def write(tmp_path, text):
    path = tmp_path / "n.toml"
    path.write_text(text)
    return str(path)


def test_a_transposed_convolution_is_read_as_two_layers(tmp_path):
    network = load_network(write(tmp_path, GOOD), 2)
    assert [(layer.name, type(layer)) for layer in network.layers] == [("up", Conv), ("up_pixels", DepthToSpace)]
    assert (network.convs[0].k, network.convs[0].out_ch, network.out_ch, network.upscale) == (5, 4, 1, 2)
    assert load_network(write(tmp_path, GOOD + "stride = 3\n")).upscale is None, "it names its factor itself"


@pytest.mark.parametrize(
    "text, upscale, message",
    [
        (GOOD, None, "the layers of n depend on the upscale; name it: 2, 3, 4"),
        (GOOD, 5, "the layers of n depend on the upscale"),
        (GOOD.replace("transposed_convolution", "pooling"), 2, "of kind 'pooling'; known: convolution, "),
        (GOOD.replace("k = 9", "k = 1"), 2, "stride 2 has at least that k"),
        (GOOD.replace('"none"', '"clip"'), 2, "clip alone has a cap above 0"),
        (GOOD.replace('"none"', '"tanh"'), 2, "activation = 'tanh'.*one of none, relu, clip, prelu"),
        (GOOD.replace('"y"', '"hsv"'), 2, "input = 'hsv'; it is one of upscaled, y, rgb"),
        (GOOD.replace("out_ch = 1", 'out_ch = "upscale"'), 2, "whole number for k"),
    ],
)
def test_broken_descriptions_are_refused(tmp_path, text, upscale, message):
    with pytest.raises(UserError, match=message):
        load_network(write(tmp_path, text), upscale)


@pytest.mark.parametrize("name", list_networks("y"))
def test_the_family_is_described_as_it_is_built(name):
    member = family_member(name)
    assert (NETWORKS / f"{name}.toml").read_text() == family_description(member)
    for upscale in UPSCALES:
        assert load_network(name, upscale) == family_network(member, upscale)
