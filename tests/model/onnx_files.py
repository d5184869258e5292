"""Small ONNX networks as the tests of import draw them, operator by operator."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model.convert.imported import import_network


class Drawn:
    """A graph that grows by one operator at a time.

    Parameters
    ----------
    channels : int
        Of the input, 1 x channels x height x width.
    seed : int
        Of weights.
    opset : int
    """

    def __init__(self, channels=1, seed=1, opset=17, shape=None):
        self.rng, self.opset = np.random.default_rng(seed), opset
        self.nodes, self.constants, self.outputs = [], [], []
        self.input = "picture"
        self.shape = shape or ["batch", channels, "height", "width"]

    def constant(self, values, dtype=np.float32):
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def op(self, kind, *inputs, name=None, outputs=1, **attributes):
        made = [f"tensor{len(self.nodes)}_{i}" for i in range(outputs)]
        node = helper.make_node(kind, list(inputs), made, name or f"{kind.lower()}{len(self.nodes)}", **attributes)
        self.nodes.append(node)
        return made[0] if outputs == 1 else made

    def conv(self, x, in_ch, out_ch, k=3, pads=None, bias=True, groups=1, kernel=None, name=None, **attributes):
        kernel = kernel or (k, k)
        weight = self.rng.normal(0, 1 / np.sqrt(kernel[0] * kernel[1] * in_ch), (out_ch, in_ch // groups, *kernel))
        inputs = [x, self.constant(weight)] + ([self.constant(self.rng.normal(0.1, 0.1, out_ch))] if bias else [])
        if pads is None and "auto_pad" not in attributes:
            pads = [(side - 1) // 2 for side in kernel] + [side // 2 for side in kernel]
        if pads is not None:
            attributes["pads"] = pads
        return self.op("Conv", *inputs, name=name, group=groups, **attributes)

    def model(self, *outputs):
        graph = helper.make_graph(
            self.nodes,
            "drawn",
            [helper.make_tensor_value_info(self.input, TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in outputs],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def save(self, path, *outputs):
        onnx.save(self.model(*outputs), path)
        return path


def saved(net, output, tmp_path, **options):
    """Return what import makes of a drawn network, by way of a file."""
    return import_network(net.save(tmp_path / "net.onnx", output), **options)
