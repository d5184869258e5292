"""Networks from elsewhere: what cannot be read says so in one sentence, by node."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="import needs the packages onnx and onnxruntime (make setup)")

from model.base.errors import UserError
from model.base.paths import ROOT
from model.convert import keras_export
from model.convert.compare import check_same
from model.convert.imported import import_network
from tests.model.onnx_files import Drawn, saved

FOREIGN = ROOT / "tests" / "foreign"


def small(kind="Relu", *more, **attributes):
    """Return a network x2 of Y with one operator in the middle, named `middle`."""
    net = Drawn(1, **{key: attributes.pop(key) for key in ("opset", "shape") if key in attributes})
    x = net.conv(net.input, 1, 4)
    x = net.op(kind, x, *(net.constant(value) for value in more), name="middle", **attributes)
    return net, net.op("DepthToSpace", net.conv(x, 4, 4), blocksize=2)


@pytest.mark.parametrize(
    "kind, more, attributes, words",
    [
        ("Tanh", (), {}, "node middle is Tanh, which has no kind here; write ReLU or PReLU"),
        ("Sigmoid", (), {}, "node middle is Sigmoid"),
        ("MaxPool", (), {"kernel_shape": [3, 3], "pads": [1] * 4}, "node middle is MaxPool.* convolutions of stride 1"),
        ("Softmax", (), {"axis": 1}, "node middle is Softmax.* attention"),
        ("Clip", (-3e38, 1.0), {}, "a clip at 1 has no lower end"),
        ("Mul", (np.ones((1, 4, 36, 44)) * np.arange(44),), {}, "node middle computes with a constant"),
    ],
)
def test_operators_without_a_kind(kind, more, attributes, words, tmp_path):
    fixed = {"shape": [1, 1, 36, 44]} if kind == "Mul" else {}
    net, output = small(kind, *more, **attributes, **fixed)
    with pytest.raises(UserError, match=words):
        saved(net, output, tmp_path)


def strided():
    net = Drawn(1)
    return net, net.op("DepthToSpace", net.conv(net.input, 1, 16, 3, name="down", strides=[2, 2]), blocksize=4)


def rounded():
    net = Drawn(1)
    x = net.op("Cast", net.op("Cast", net.input, to=6, name="rounded"), to=1)
    return net, net.op("DepthToSpace", net.conv(x, 1, 4), blocksize=2)


def stretched():
    net = Drawn(1)
    x = net.op("Resize", net.input, "", net.constant([1, 1, 2, 2]), mode="linear", name="stretch",
               coordinate_transformation_mode="align_corners")  # fmt: skip
    return net, net.conv(x, 1, 1)


def uneven():
    net = Drawn(1)
    return net, net.op("Resize", net.input, "", net.constant([1, 1, 2, 1.5]), mode="linear", name="uneven")


def taken_apart():
    net = Drawn(1)
    x = net.conv(net.op("SpaceToDepth", net.input, blocksize=2), 4, 16, name="first")
    return net, net.op("DepthToSpace", x, blocksize=4)


def joined():
    net = Drawn(1)
    x = net.op("Concat", net.conv(net.input, 1, 2), net.op("Relu", net.conv(net.input, 1, 2)), axis=1, name="join")
    return net, net.op("DepthToSpace", net.conv(x, 4, 4), blocksize=2)


def multiplied():
    net = Drawn(1)
    x = net.op("Mul", net.conv(net.input, 1, 4), net.op("Relu", net.conv(net.input, 1, 4)), name="gate")
    return net, net.op("DepthToSpace", x, blocksize=2)


def classifier():
    net = Drawn(1, shape=[1, 1, 28, 28])
    x = net.op("Reshape", net.conv(net.input, 1, 4), net.constant([1, 4, 28 * 28], np.int64))
    return net, x


def shifted():
    net = Drawn(1, shape=[1, 1, 36, 44])
    x = net.conv(net.input, 1, 4, 3, pads=[0, 0, 2, 2])
    moved = net.op("Slice", x, *(net.constant(v, np.int64) for v in ([1], [44], [3])))
    cut = net.op("Slice", x, *(net.constant(v, np.int64) for v in ([0], [43], [3])))
    x = net.op("Add", moved, cut, name="shifted_sum")
    return net, net.op("DepthToSpace", x, blocksize=2)


def factor(channels, given, made):
    def build():
        net = Drawn(given)
        return net, net.op("DepthToSpace", net.conv(net.input, given, channels), blocksize=made)

    return build


def nothing():
    net = Drawn(3)
    return net, net.conv(net.input, 3, 3)


@pytest.mark.parametrize(
    "build, words",
    [
        (strided, "node down is a convolution of stride"),
        (taken_apart, "node first reads pixels that were taken apart .*space-to-depth"),
        (stretched, "node stretch resizes by other weights from place to place; take align_corners=False"),
        (uneven, "node uneven resizes 1 x 1 x 36 x 44 to 1 x 1 x 72 x 66; only whole factors, up"),
        (rounded, "node rounded casts the picture to other numbers; export in float32"),
        (joined, "node join .Concat. joins different tensors; add them instead"),
        (multiplied, "node gate .Mul. of two tensors has no kind here; write a sum"),
        (classifier, "the output tensor\\d+_0 is 1 x 4 x 784, no picture"),
        (shifted, "node shifted_sum adds pictures that are shifted against each other"),
        (factor(25, 1, 5), "its factor is 5, here it is one of 2, 3, 4"),
        (factor(8, 1, 2), "gives 2 channels of a picture with 1"),
        (nothing, "as many pixels as it takes, in colour"),
    ],
)
def test_networks_without_a_form(build, words, tmp_path):
    with pytest.raises(UserError, match=words) as refused:
        saved(*build(), tmp_path)
    assert str(refused.value).startswith(str(tmp_path / "net.onnx"))


def test_factor_of_a_network_at_full_size_has_to_be_named(tmp_path):
    net = Drawn(1)
    with pytest.raises(UserError, match="name the factor .--upscale 3, UPSCALE=3."):
        saved(net, net.conv(net.input, 1, 1), tmp_path)
    net, output = small()
    with pytest.raises(UserError, match="its factor is 2, not x3"):
        saved(net, output, tmp_path, upscale=3)


@pytest.mark.parametrize(
    "shape, words",
    [
        ([1, "c", None, None], "is 1 x . x . x .; its channels have to be known, 1 .Y. or 3 .RGB.: only batch, height"),
        ([1, 2, None, None], "its channels have to be known"),
        ([4, 1, None, None], "is 4 x 1 x . x ., no picture"),
        ([1, 1, None], "is 1 x 1 x ., no picture"),
    ],
)
def test_inputs_that_are_no_picture(shape, words, tmp_path):
    net = Drawn(shape=shape)
    with pytest.raises(UserError, match=words):
        saved(net, net.op("Relu", net.input), tmp_path)


def test_fixed_size_within_the_padding_is_refused(tmp_path):
    net = Drawn(1, shape=[1, 1, 6, 6])
    x = net.op("Reshape", net.conv(net.conv(net.input, 1, 4, 5), 4, 4, 5), net.constant([1, 4, 6, 6], np.int64))
    x = net.op("DepthToSpace", x, blocksize=2)
    with pytest.raises(UserError, match="takes 6 x 6 pixels alone, all within the 4 that its padding reaches"):
        check_same(saved(net, x, tmp_path))


def test_files_that_are_no_network(tmp_path):
    path = tmp_path / "net.onnx"
    with pytest.raises(UserError, match="there is no file"):
        import_network(path)
    path.write_bytes(b"no network")
    with pytest.raises(UserError, match="is no (valid )?ONNX file"):
        import_network(path)
    (tmp_path / "net.keras").write_bytes(b"no network")
    net, output = small()
    model = net.model(output)
    model.opset_import[0].version = 99
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="has opset 99; this reads 7 to"):
        import_network(path)
    model = net.model(output)
    model.graph.node[1].domain = "com.example"
    model.opset_import.add(domain="com.example", version=1)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="node middle is Relu of com.example, which is no operator of ONNX"):
        import_network(path)
    model = net.model(output)
    model.graph.output.add().CopyFrom(model.graph.output[0])
    model.graph.output[1].name = "tensor1_0"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="has 2 outputs"):
        import_network(path)


def test_external_data_missing(tmp_path):
    import onnx

    net, output = small()
    options = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(net.model(output), tmp_path / "net.onnx", **options)
    assert import_network(tmp_path / "net.onnx").model.network.upscale == 2
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(UserError, match="keeps its weights in .*not there; copy it beside"):
        import_network(tmp_path / "net.onnx")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(bad, tmp_path):
    net, output = small()
    model = net.model(output)
    weight = np.zeros((4, 1, 3, 3), np.float32)
    weight[2, 0, 1, 1] = bad
    model.graph.initializer[0].raw_data = weight.tobytes()
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="hold NaN"):
        import_network(tmp_path / "net.onnx")


def test_packages_that_are_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="need the packages onnx and onnxruntime .*or run `make setup`"):
        import_network(FOREIGN / "espcn_old.onnx")


@pytest.mark.parametrize("said", ["greeting\nreason: it is none", "greeting\nModuleNotFoundError: it is none"])
def test_what_keras_says_is_shown(said, tmp_path, monkeypatch):
    """The reason of the process that exports, whether it gave one or fell."""
    path = tmp_path / "net.keras"
    with pytest.raises(UserError, match="there is no file"):
        import_network(path)
    path.write_bytes(b"")
    ended = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(keras_export.subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(UserError, match=r"Keras cannot read or export .* \((ModuleNotFoundError: )?it is none\); "):
        import_network(path)
