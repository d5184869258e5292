"""Networks from elsewhere: what is read equals ONNX Runtime on the file."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("onnxruntime", reason="import needs the packages onnx and onnxruntime (make setup)")

from model.base.errors import UserError
from model.base.paths import ROOT
from model.convert.compare import check_integers, check_same, largest_difference, random_padded
from model.convert.imported import import_network
from model.graph.description import description_text, load_network
from model.integer.examples import random_model
from tests.model.onnx_files import Drawn, saved

FOREIGN = ROOT / "tests" / "foreign"
# name -> input, factor, kinds of layers, halo
KNOWN = {
    "espcn": ("y", 3, "ccc p", 4),
    "fsrcnn": ("y", 3, "cccccccc p", 8),
    "ecbsr": ("y", 2, "cccccc a p", 6),
    "ecbsr_m1c8": ("y", 2, "ccc a p", 3),
    "quicksrnet": ("rgb", 2, "cccc p", 4),
    "srvgg": ("rgb", 2, "cccccc a p", 6),
}
FILES = [f"{name}_{exporter}" for name in KNOWN for exporter in ("old", "new")] + ["zoo"]
LETTERS = {"Conv": "c", "Add": "a", "DepthToSpace": "p"}


@pytest.mark.parametrize("file", FILES)
def test_networks_of_others(file):
    """Float as ONNX Runtime; integers as its ConvInteger."""
    imported = import_network(FOREIGN / f"{file}.onnx")
    network = imported.model.network
    kinds = "".join(LETTERS[type(layer).__name__] for layer in network.layers)
    found = (network.input, network.upscale, kinds, network.halo)
    wanted = KNOWN.get(file.rsplit("_", 1)[0], ("y", 3, "cccc p", 5))
    assert found == (*wanted[:2], wanted[2].replace(" ", ""), wanted[3])
    assert check_same(imported) < 1e-5
    integers = random_model(network, np.random.default_rng(1))
    assert check_integers(integers, random_padded(imported)) > 1000


@pytest.mark.parametrize("name", KNOWN)
def test_both_exporters_give_one_network(name):
    old, new = (import_network(FOREIGN / f"{name}_{exporter}.onnx", name).model for exporter in ("old", "new"))
    assert old.network == new.network
    for a, b in zip((*old.weights, *old.biases), (*new.weights, *new.biases), strict=True):
        assert np.array_equal(a, b)
    for a, b in zip(old.slopes, new.slopes, strict=True):
        assert (a is None) == (b is None) and (a is None or np.array_equal(a, b))


@pytest.mark.parametrize("file", ["srvgg_old", "fsrcnn_new", "quicksrnet_old"])
def test_description_is_read_as_it_was_written(file, tmp_path):
    network = import_network(FOREIGN / f"{file}.onnx").model.network
    path = tmp_path / "net.toml"
    path.write_text(description_text(network, {network.name: "a comment", "conv1": "a node"}))
    assert load_network(str(path)) == network == load_network(str(path), network.upscale)
    with pytest.raises(UserError, match="is for upscale = . alone, x4 is asked for"):
        load_network(str(path), 4)


def test_wrong_weights_are_noticed():
    """The comparison can fail: one weight changed by 1 in 100 is above its limit."""
    imported = import_network(FOREIGN / "espcn_old.onnx")
    weight = imported.model.weights[0]
    weight[np.unravel_index(np.abs(weight).argmax(), weight.shape)] *= 1.01
    assert largest_difference(imported) > 1e-4
    with pytest.raises(UserError, match="gives other pixels here than in ONNX Runtime"):
        check_same(imported)


# --- any network


def activation(draw, net, x, channels):
    kind = draw(st.sampled_from(("Relu", "PRelu", "LeakyRelu", "Clip", "Clip6", "none", "keras")), label="activation")
    if kind == "none":
        return x
    if kind == "PRelu":
        shape = (channels, 1, 1) if draw(st.booleans(), label="slope per channel") else (1,)
        return net.op("PRelu", x, net.constant(net.rng.uniform(-0.2, 1.2, shape)))
    if kind == "LeakyRelu":
        return net.op("LeakyRelu", x, alpha=0.2)
    if kind == "keras":  # relu(x) - slope * relu(-x)
        slope = net.constant(net.rng.uniform(0, 1, (1, channels, 1, 1)))
        negative = net.op("Mul", slope, net.op("Relu", net.op("Neg", x)))
        return net.op("Sub", net.op("Relu", x), negative)
    if kind == "Relu":
        return net.op("Relu", x)
    low, high = (0.0, 1.0) if kind == "Clip" else (-0.25, 6.0)
    return net.op("Clip", x, net.constant(low), net.constant(high))


def convolution(draw, net, x, in_ch, out_ch):
    kernel = tuple(draw(st.sampled_from((1, 2, 3, 4, 5)), label="side") for _ in range(2))
    how = draw(st.sampled_from(("same", "upper", "lower", "dilated", "groups", "reflect")), label="convolution")
    if how == "groups" and in_ch == out_ch:
        return net.conv(x, in_ch, out_ch, 3, groups=in_ch)
    if how == "dilated":
        return net.conv(x, in_ch, out_ch, 3, pads=[2] * 4, dilations=[2, 2])
    if how == "reflect":
        pads = net.constant([0, 0, 1, 2, 0, 0, 1, 2], np.int64)
        return net.conv(net.op("Pad", x, pads, mode="reflect"), in_ch, out_ch, kernel=(3, 5), pads=[0] * 4)
    if how in ("upper", "lower"):
        return net.conv(x, in_ch, out_ch, kernel=kernel, auto_pad=f"SAME_{how.upper()}")
    return net.conv(x, in_ch, out_ch, kernel=kernel, bias=draw(st.booleans(), label="bias"))


def pixels(draw, net, x, channels, factor, height, width):
    """Channels to pixels, in a way that some exporter writes."""
    how = draw(st.sampled_from(("DCR", "CRD", "reshape", "transposed")), label="pixels")
    if how == "reshape":
        split = net.op("Reshape", x, net.constant([1, channels, factor, factor, height, width], np.int64))
        moved = net.op("Transpose", split, perm=[0, 1, 4, 2, 5, 3])
        shape = net.constant([1, channels, height * factor, width * factor], np.int64)
        return net.op("Reshape", moved, shape)
    if how == "transposed":
        k = draw(st.integers(factor, 7), label="side")
        weight = net.rng.normal(0, 0.2, (channels * factor**2, channels, k, k))
        begin = draw(st.integers(0, (k - factor)), label="padding")
        pads = [begin, begin, max(0, k - factor - begin), max(0, k - factor - begin)]
        return net.op("ConvTranspose", x, net.constant(weight), strides=[factor] * 2, pads=pads)
    return net.op("DepthToSpace", x, blocksize=factor, mode=how)


def anchor(draw, net, x, channels, factor):
    how = draw(st.sampled_from(("nearest", "linear", "cubic", "tile")), label="anchor")
    if how == "tile":
        copies = net.op("Concat", *[x] * factor**2, axis=1)
        return net.op("DepthToSpace", copies, blocksize=factor, mode="DCR")
    scales = net.constant([1, 1, factor, factor])
    return net.op("Resize", x, "", scales, mode=how, **({"nearest_mode": "floor"} if how == "nearest" else {}),
                  coordinate_transformation_mode="asymmetric" if how == "nearest" else "half_pixel")  # fmt: skip


@st.composite
def networks(draw):
    """Draw a network from a picture to one that is larger: residual blocks, anchors, constants, ends."""
    channels, factor = draw(st.sampled_from((1, 3)), label="channels"), draw(st.sampled_from((2, 3)), label="factor")
    height, width, wide = 30, 34, draw(st.integers(2, 5), label="width")
    net = Drawn(channels, draw(st.integers(0, 2**16), label="weights"), shape=[1, channels, height, width])
    x = source = net.input
    if draw(st.booleans(), label="normalised"):
        x = net.op(
            "Div", net.op("Sub", x, net.constant(0.45)), net.constant(net.rng.uniform(0.2, 2, (1, channels, 1, 1)))
        )
    x = activation(draw, net, convolution(draw, net, x, channels, wide), wide)
    for _ in range(draw(st.integers(0, 2), label="blocks")):
        before = x
        x = convolution(draw, net, x, wide, wide)
        if draw(st.booleans(), label="batch norm"):
            parts = [net.constant(net.rng.uniform(0.3, 1, wide)) for _ in range(4)]
            x = net.op("BatchNormalization", x, *parts)
        x = activation(draw, net, x, wide)
        if draw(st.booleans(), label="skip"):
            x = net.op(
                *draw(st.sampled_from([("Add", x, before), ("Add", before, x), ("Sub", before, x)]), label="sum")
            )
            x = activation(draw, net, x, wide)
    x = net.conv(x, wide, channels * factor**2)
    x = pixels(draw, net, x, channels, factor, height, width)
    if draw(st.booleans(), label="anchored"):
        x = net.op("Add", x, anchor(draw, net, source, channels, factor))
    if draw(st.booleans(), label="behind"):
        x = net.conv(activation(draw, net, x, channels), channels, channels)
    end = draw(st.sampled_from(("none", "clip", "scaled")), label="end")
    if end == "clip":
        x = net.op("Clip", x, net.constant(0.0), net.constant(1.0))
    elif end == "scaled":
        x = net.op("Add", net.op("Mul", x, net.constant(0.5)), net.constant(0.25))
    return net.model(x)


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(model=networks())
def test_any_network(model, tmp_path_factory):
    """Residual blocks, anchors, activations, pads, constants, pixel shuffles in all writings: the float network is the
    file's.
    """
    path = tmp_path_factory.mktemp("drawn") / "drawn.onnx"
    path.write_bytes(model.SerializeToString())
    imported = import_network(path)
    assert largest_difference(imported) < 1e-4


# --- shapes of networks that are not drawn above


def test_valid_convolutions(tmp_path):
    """SRCNN as published: no padding, a result smaller than the picture, which was upscaled before."""
    net = Drawn(1)
    x = net.op("Relu", net.conv(net.input, 1, 4, 9, pads=[0] * 4))
    x = net.op("Relu", net.conv(x, 4, 3, 1, pads=[0] * 4))
    imported = saved(net, net.conv(x, 3, 1, 5, pads=[0] * 4), tmp_path, upscale=3)
    network = imported.model.network
    assert (network.input, network.upscale, imported.model.upscale, network.halo) == ("upscaled", None, 3, 6)
    assert imported.origin == (6, 6) and check_same(imported) < 1e-5


@pytest.mark.parametrize("black, white", [(0, 255), (-1, 1), (16, 235)])
def test_black_and_white(black, white, tmp_path):
    """A network of bytes, or of -1..1, is one of 0..1 here, its anchor included."""
    net = Drawn(3, shape=[1, 3, None, None])
    x = net.op("PRelu", net.conv(net.input, 3, 6), net.constant([0.25]))
    x = net.op("Add", net.conv(x, 6, 12), net.op("Concat", *[net.input] * 4, axis=1))
    x = net.op("Clip", net.op("DepthToSpace", x, blocksize=2), net.constant(black), net.constant(white))
    imported = saved(net, x, tmp_path, black=black, white=white)
    assert [type(layer).__name__ for layer in imported.model.network.layers] == ["Conv", "Conv", "Add", "DepthToSpace"]
    assert check_same(imported) < 1e-5 and not imported.notes


def test_channels_last(tmp_path):
    """NHWC at both ends, as TensorFlow has it."""
    net = Drawn(shape=["n", "h", "w", 3])
    x = net.op("Relu", net.conv(net.op("Transpose", net.input, perm=[0, 3, 1, 2]), 3, 5))
    x = net.op("DepthToSpace", net.conv(x, 5, 12), blocksize=2)
    imported = saved(net, net.op("Transpose", x, perm=[0, 2, 3, 1]), tmp_path)
    assert imported.model.network.input == "rgb" and check_same(imported) < 1e-5


def test_a_fixed_size_is_only_kept_where_it_must(tmp_path):
    """What has no reshape of fixed sizes is looked at, and compared, at a small size."""
    net = Drawn(1, shape=[1, 1, 1080, 1920])
    x = net.op("DepthToSpace", net.op("Relu", net.conv(net.input, 1, 4)), blocksize=2)
    imported = saved(net, x, tmp_path)
    assert imported.opened.fixed == (None, None) and check_same(imported) < 1e-5
    assert import_network(FOREIGN / "zoo.onnx").opened.fixed == (224, 224)
    net = Drawn(1, shape=[1, 1, 40, 48])  # computes other sizes, but by other factors
    x = net.op("Resize", net.conv(net.input, 1, 1), "", "", net.constant([1, 1, 80, 96], np.int64), mode="nearest")
    imported = saved(net, x, tmp_path)
    assert imported.opened.fixed == (40, 48) and check_same(imported) < 1e-5


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("opset, resize", [(7, "Upsample"), (9, "Upsample"), (10, "Resize")])
def test_older_opsets(opset, resize, mode, tmp_path):
    """Scales as attributes or input, ends of a clip as attributes."""
    net = Drawn(1, opset=opset)
    x = net.op("Clip", net.conv(net.input, 1, 4), min=0.0, max=1.0)
    x = net.op("DepthToSpace", net.conv(x, 4, 4), blocksize=2)
    scales = [1.0, 1.0, 2.0, 2.0]
    if opset < 9:
        anchor = net.op(resize, net.input, mode=mode, scales=scales)
    else:
        anchor = net.op(resize, net.input, net.constant(scales), mode=mode)
    imported = saved(net, net.op("Add", x, anchor), tmp_path)
    assert imported.model.network.convs[0].activation == "clip" and check_same(imported) < 1e-5


def test_filter_behind_depth_to_space_gets_zeros_where_the_halo_needs_it(tmp_path):
    net = Drawn(1)
    x = net.op("DepthToSpace", net.conv(net.input, 1, 4), blocksize=2)
    imported = saved(net, net.conv(net.op("Relu", x), 1, 1, 3), tmp_path)
    assert [layer.k for layer in imported.model.network.convs] == [3, 5] and check_same(imported) < 1e-5


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_picture_resized_first(mode, tmp_path):
    """What a network upscales itself, before its convolutions, is a convolution and depth-to-space."""
    net = Drawn(1)
    x = net.op("Resize", net.input, "", net.constant([1, 1, 3, 3]), mode=mode, cubic_coeff_a=-0.5)
    x = net.conv(net.op("Relu", net.conv(x, 1, 4, 5)), 4, 1, 3)
    imported = saved(net, x, tmp_path)
    assert imported.model.network.upscale == 3 and check_same(imported) < 1e-5


def test_sum_that_may_be_negative(tmp_path):
    """A skip from behind a ReLU to a sum without one: copies keep its sign, and are noted."""
    net = Drawn(1)
    first = net.op("Relu", net.conv(net.input, 1, 4, name="first"))
    x = net.op("Add", net.conv(first, 4, 4), first)
    imported = saved(net, net.op("DepthToSpace", net.conv(x, 4, 4), blocksize=2), tmp_path)
    assert check_same(imported) < 1e-5
    assert imported.notes and all("a 1x1 convolution 4 x 4 copies channels" in note for note in imported.notes)


def test_keras():
    """A .keras file by way of Keras' own export, which is compared with Keras on the way."""
    pytest.importorskip("tf2onnx", reason="needs Keras and tf2onnx (make setup)")
    imported = import_network(FOREIGN / "keras.keras")
    network = imported.model.network
    assert [layer.activation for layer in network.convs] == ["prelu", "relu", "none"]
    assert (network.label, network.halo) == ("keras_x2", 4) and check_same(imported) < 1e-5
