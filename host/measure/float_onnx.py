"""A float network as an ONNX graph, as an exporter writes it: what the integers' speed is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from model.graph.kinds import Add, Conv
from model.graph.network import INPUT

if TYPE_CHECKING:
    from model.graph.weights import FloatModel

OPSET, IR_VERSION = 17, 8  # of 2022: any runtime since then
INPUT_NAME, OUTPUT_NAME = "picture", "result"


def float_model(model: FloatModel) -> ModelProto:
    """Return the graph of a network in floats.

    Its input `INPUT_NAME` is float32 (1, C, H + 2 halo, W + 2 halo), pixels in [0, 1], its output `OUTPUT_NAME` float32
    (1, C, H * scale, W * scale), neither clipped nor rounded.
    """
    network, graph = model.network, _Graph()
    parameters = iter(zip(model.weights, model.biases, model.slopes))
    tensor = {INPUT: INPUT_NAME}
    for layer in network.layers:
        given = [tensor[name] for name in layer.inputs]
        if isinstance(layer, Conv):
            weight, bias, slope = next(parameters)
            held = map(graph.constant, (weight.transpose(0, 3, 1, 2), bias))
            x = graph.node("Conv", [*given, *held], kernel_shape=[layer.k, layer.k])
            if layer.activation == "prelu":
                x = graph.node("PRelu", [x, graph.constant(slope[:, None, None])])
            elif layer.activation == "clip":
                x = graph.node("Clip", [x, *(graph.constant(np.float32(bound)) for bound in (0, layer.cap))])
            elif layer.activation == "relu":
                x = graph.node("Relu", [x])
        elif isinstance(layer, Add):
            x = graph.node("Add", [given[0], _earlier(graph, network, layer, given[1])])
            if not (network.keeps_sign(layer.name) or network.shows(layer.name)):  # stored from 0 on
                x = graph.node("Relu", [x])
        else:
            x = graph.node("DepthToSpace", given, blocksize=layer.factor)
        tensor[layer.name] = x
    return graph.finished(x, network)


def _earlier(graph, network, layer, x):
    """The earlier tensor of an addition, cropped and repeated as it needs to be."""
    made, kept = (network.tensors[name] for name in layer.inputs)
    crop = (made.shrink - kept.shrink) // 2
    if crop:
        sides = [np.array(side) for side in ([crop, crop], [-crop, -crop], [2, 3])]
        x = graph.node("Slice", [x, *map(graph.constant, sides)])
    copies = made.channels // kept.channels
    return graph.node("Concat", [x] * copies, axis=1) if copies > 1 and kept.channels > 1 else x


class _Graph:
    """A graph that grows by operators."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value):
        """Add a constant; return its name."""
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator, inputs, **attributes):
        """Add an operator of one output; return its name."""
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def finished(self, x, network):
        """Return the model that ends in x."""
        self.nodes.append(helper.make_node("Identity", [x], [OUTPUT_NAME]))
        sides = [["height", "width"], [None, None]]
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, *side])
            for name, channels, side in zip((INPUT_NAME, OUTPUT_NAME), (network.in_ch, network.out_ch), sides)
        ]
        graph = helper.make_graph(self.nodes, network.name, ends[:1], ends[1:], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
