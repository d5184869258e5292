"""The golden model's integers as an ONNX graph of float operators, for runtimes that are fast at float convolutions.

Why floats give the bits. float32 holds every whole number below 2^24, and a power of two times it. A convolution with
2^-shift inside its weights and its bias adds such numbers only: all products and sums, in any order, fused or not, are
whole multiples of 2^-shift, and none is larger than `QuantLayer.worst_accumulator` of them. So below 2^24 nothing is
ever rounded, whichever convolution a runtime takes, as long as it only multiplies and adds (of transformed ones,
Winograd's, that isn't so: `host.picture.onnx_session` tries the graph before it is used). What follows is one of these:

* **floor**: clip to 0..255, floor. The half is in the bias; both operators are exact.
* **shifted**: floor, by an addition, where runtimes keep convolutions of many channels in a layout of their own, which
  a Floor would make them leave and enter again. The bias is moved so that a sum is (2 acc + 1) * 2^-(shift + 1), which
  is floor's argument less a half, plus half of what the finest digit counts: never halfway between two whole numbers,
  and rounded to nearest it is the floor. It takes one more bit, so 2 * worst + 1 has to be below 2^24. Clipped to
  -0.25..255.25, it is added to 1.5 * 2^23, where float32 has whole numbers only; that is a depthwise 1x1 convolution of
  weight 1, and the hard sigmoid behind it, 2^-8 x - 1.5 * 2^15, clipped to 0..1, takes the constant off again. Both
  its product and its sum are exact. It leaves 0..255 / 256; who reads it has 256 in its weights.
* **PReLU**: PRelu with slopes 2^-slope, add a half, floor, add the zero point, clip. Where a shift is 0 the contract
  adds nothing instead of a half, which is the same for whole numbers.
* **wide**: a layer whose sums could reach 2^24 is cut over its input channels, into groups whose sums cannot; these are
  added, shifted and clipped in float64, which holds 2^53.

Rows are grouped where a layer has few output channels: runtimes compute 8 or 16 at once, whether they are there or not.
So one taller kernel, that moves on by as many rows, gives several rows as channels, which are sorted behind it. A
single output channel is made in two steps: a kernel of one column for each of the k columns, then a sum along the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from model.base.errors import UserError
from model.graph.kinds import Add, Conv
from model.graph.network import INPUT
from model.integer.golden import FLOAT32_EXACT

if TYPE_CHECKING:
    from model.graph.weights import FloatModel, QuantLayer, QuantModel

OPSET, IR_VERSION = 17, 8  # of 2022: any runtime since then
INPUT_NAME, OUTPUT_NAME = "picture", "result"
_WHITE = 255
_ROUND = 3.0 * 2**22  # 1.5 * 2^23: float32's neighbours there are one apart
_UNIT = 2.0**-8  # what a value of 1 is after a "shifted" layer
_BLOCK = 16  # output channels that runtimes compute at once, with the widest vectors


def exact_model(model: QuantModel) -> ModelProto:
    """Return the graph of a network in integers.

    Its input `INPUT_NAME` is uint8 (H + 2 halo, W + 2 halo), or (..., 3) for an RGB network, of any height and width;
    its output `OUTPUT_NAME` is uint8 (H * scale, W * scale), or (..., C).

    Raises
    ------
    UserError
        If a single input channel's sums of a layer could leave float32.
    """
    graph = _Graph(model.network)
    for layer in model.network.layers:
        graph.add(layer, model.layers[model.network.convs.index(layer)] if isinstance(layer, Conv) else None)
    return graph.finished()


class _Graph:
    """A graph that grows by layers. `unit`: what a value of 1 is in each tensor. `plain`: the input is planes of
    floats.
    """

    def __init__(self, network, plain=False):
        self.network, self.nodes, self.constants = network, [], []
        self.unit, self.tensor = {INPUT: 1.0}, {INPUT: INPUT_NAME}
        if plain:
            return
        planes = self.node("Unsqueeze", [INPUT_NAME, self.constant(np.array([0, 1] if network.in_ch == 1 else [0]))])
        if network.in_ch > 1:
            planes = self.node("Transpose", [planes], perm=[0, 3, 1, 2])
        self.tensor[INPUT] = self.node("Cast", [planes], to=TensorProto.FLOAT)

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

    def clip(self, x, least, most, dtype=np.float32):
        return self.node("Clip", [x, self.constant(dtype(least)), self.constant(dtype(most))])

    def conv(self, x, weight, bias=None, **attributes):
        """Add a convolution with weights (O, I, Kh, Kw) and float64 numbers that float32 holds."""
        given = [weight] if bias is None else [weight, bias]
        held = [np.asarray(values, np.float64).astype(np.float32) for values in given]
        assert all(np.array_equal(a, b) for a, b in zip(given, held)), "float32 does not hold a weight or a bias"
        return self.node("Conv", [x, *map(self.constant, held)], kernel_shape=list(np.shape(weight)[2:]), **attributes)

    def add(self, layer, q):
        """Add a layer, a convolution with its parameters."""
        given = [self.tensor[name] for name in layer.inputs]
        self.unit[layer.name] = 1.0
        if isinstance(layer, Conv):
            self.tensor[layer.name] = self.convolution(layer, q, *given)
        elif isinstance(layer, Add):
            self.tensor[layer.name] = self.addition(layer, *given)
        elif layer is self.network.layers[-1]:  # bytes are moved, not floats
            whole = self.node("Cast", given, to=TensorProto.UINT8)
            self.tensor[layer.name] = self.node("DepthToSpace", [whole], blocksize=layer.factor)
        else:
            self.tensor[layer.name] = self.node("DepthToSpace", given, blocksize=layer.factor)

    def addition(self, layer, residual, earlier):
        return self.clip(self.node("Add", [residual, self.earlier(layer, earlier)]), 0, _WHITE)

    def earlier(self, layer, earlier):
        """The earlier tensor of an addition, cropped and repeated as it needs to be."""
        tensors = self.network.tensors
        made, kept = (tensors[name] for name in layer.inputs)
        crop = (made.shrink - kept.shrink) // 2
        if crop:
            sides = [np.array(side) for side in ([crop, crop], [-crop, -crop], [2, 3])]
            earlier = self.node("Slice", [earlier, *map(self.constant, sides)])
        copies = made.channels // kept.channels
        if copies > 1 and kept.channels > 1:
            earlier = self.node("Concat", [earlier] * copies, axis=1)
        return earlier

    def convolution(self, layer, q, x):
        unit = self.unit[layer.inputs[0]]
        weight = q.weight.astype(np.float64).transpose(0, 3, 1, 2)
        shift, bias = q.shift.astype(np.int32), q.bias.astype(np.float64)
        least, most = (-256, 255) if layer.signed else (0, _WHITE)
        if q.worst_accumulator >= FLOAT32_EXACT:
            return self.wide(layer, q, x, weight / unit, least, most)
        weight = weight * np.ldexp(1 / unit, -shift)[:, None, None, None]
        if q.slope is not None:
            x = self.conv(x, weight, np.ldexp(bias, -shift))
            slope = np.ldexp(1.0, -q.slope.astype(np.int32)).astype(np.float32)[:, None, None]
            x = self.node("PRelu", [x, self.constant(slope)])
            x = self.node("Floor", [self.node("Add", [x, self.constant(np.float32(0.5))])])
            return self.clip(self.node("Add", [x, self._per_channel(q.zero)]), 0, _WHITE)
        if self.takes_units(layer) and 2 * q.worst_accumulator + 1 < FLOAT32_EXACT:
            x = self.conv(x, weight, np.ldexp(2 * bias + 1, -shift - 1))
            x = self.clip(x, -0.25, _WHITE + 0.25)
            one = np.ones((layer.out_ch, 1, 1, 1))
            x = self.conv(x, one, np.full(layer.out_ch, _ROUND), group=layer.out_ch)
            self.unit[layer.name] = _UNIT
            return self.node("HardSigmoid", [x], alpha=_UNIT, beta=-_ROUND * _UNIT)
        half = (1 << shift.astype(np.int64)) >> 1
        bias = np.ldexp(bias + half, -shift)
        return self.node("Floor", [self.grouped(x, weight, bias, least, most)])

    def takes_units(self, layer):
        """Whether the readers of a layer are convolutions, which can take units, and it has channels enough to pay."""
        readers = self.network.readers(layer.name)
        return layer.out_ch >= _BLOCK and bool(readers) and all(isinstance(reader, Conv) for reader in readers)

    def grouped(self, x, weight, bias, least, most):
        """A convolution and its clip, of several rows at once where there are few output channels; `weight` is
        (O, I, K, K).
        """
        out_ch, in_ch, k, _ = weight.shape
        columns = k if out_ch == 1 else 1  # of the window, that are channels at first
        rows = _BLOCK // (out_ch * columns)
        if k == 1 or rows < 2:
            return self.clip(self.conv(x, weight, bias), least, most)
        height = self.node("Sub", [self.node("Shape", [x], start=2, end=3), self.constant(np.array([k - 1]))])
        split = weight.reshape(out_ch, in_ch, k, k // columns, columns).transpose(4, 0, 1, 2, 3)
        split = split.reshape(columns * out_ch, in_ch, k, k // columns)
        tall = np.zeros((rows, *split.shape[:2], k + rows - 1, k // columns))
        for row in range(rows):
            tall[row, :, :, row : row + k] = split
        tall = tall.reshape(rows * len(split), *tall.shape[2:])
        # Rows that are missing in the last group are made up, and cut off again.
        how = {"strides": [rows, 1], "pads": [0, 0, rows - 1, 0]}
        if columns == 1:
            x = self.conv(x, tall, np.tile(bias, rows), **how)
        else:
            along = np.einsum("rs,ij->rsij", np.eye(rows), np.eye(k)).reshape(rows, rows * k, 1, k)
            x = self.conv(self.conv(x, tall, **how), along, np.tile(bias, rows))
        x = self.clip(x, least, most)  # before the rows are sorted: runtimes clip as they convolve
        width = self.node("Shape", [x], start=3, end=4)
        if out_ch > 1:
            shape = self.node("Concat", [self.constant(np.array([rows, out_ch, -1])), width], axis=0)
            x = self.node("Transpose", [self.node("Reshape", [x, shape])], perm=[1, 2, 0, 3])
        else:
            x = self.node("Transpose", [x], perm=[0, 2, 1, 3])
        shape = self.node("Concat", [self.constant(np.array([1, out_ch, -1])), width], axis=0)
        x = self.node("Reshape", [x, shape])
        return self.node("Slice", [x, self.constant(np.array([0])), height, self.constant(np.array([2]))])

    def wide(self, layer, q, x, weight, least, most):
        """A layer whose sums are beyond float32: `weight` (O, I, Kh, Kw) is not scaled by the shifts."""
        parts = _parts(layer, q)
        grouped = weight.reshape(layer.out_ch, parts, -1, layer.k, layer.k).swapaxes(0, 1)
        x = self.conv(x, grouped.reshape(parts * layer.out_ch, -1, layer.k, layer.k), group=parts)
        x = self.node("Cast", [x], to=TensorProto.DOUBLE)
        acc = self._per_channel(q.bias, np.float64)
        for part in range(parts):
            sides = [np.array([side]) for side in (part * layer.out_ch, (part + 1) * layer.out_ch, 1)]
            acc = self.node("Add", [acc, self.node("Slice", [x, *map(self.constant, sides)])])
        shift = q.shift.astype(np.int32)
        scale = self._per_channel(np.ldexp(1.0, -shift), np.float64)
        if q.slope is not None:
            below = self._per_channel(np.ldexp(1.0, -shift - q.slope.astype(np.int32)), np.float64)
            negative = self.node("Less", [acc, self.constant(np.float64(0))])
            scale = self.node("Where", [negative, below, scale])
        acc = self.node("Add", [self.node("Mul", [acc, scale]), self.constant(np.float64(0.5))])
        acc = self.node("Floor", [acc])
        if q.slope is not None:
            acc = self.node("Add", [acc, self._per_channel(q.zero, np.float64)])
        return self.node("Cast", [self.clip(acc, least, most, np.float64)], to=TensorProto.FLOAT)

    def _per_channel(self, values, dtype=np.float32):
        return self.constant(np.asarray(values, dtype)[:, None, None])

    def finished(self):
        """Return the model: the last tensor as a picture of bytes."""
        network = self.network
        last = network.layers[-1]
        x = self.tensor[last.name]
        if isinstance(last, Conv | Add):
            x = self.node("Cast", [x], to=TensorProto.UINT8)
        if network.out_ch > 1:
            x = self.node("Squeeze", [self.node("Transpose", [x], perm=[0, 2, 3, 1]), self.constant(np.array([0]))])
        else:
            x = self.node("Squeeze", [x, self.constant(np.array([0, 1]))])
        sides = [["height", "width", network.in_ch], ["rows", "columns", network.out_ch]]
        return self.proto(x, TensorProto.UINT8, *(side[: 2 + (side[2] > 1)] for side in sides))

    def proto(self, x, number, given, made):
        """Return the model, from `INPUT_NAME` to x, of a type and two shapes."""
        self.nodes.append(helper.make_node("Identity", [x], [OUTPUT_NAME]))
        graph = helper.make_graph(
            self.nodes,
            self.network.name,
            [helper.make_tensor_value_info(INPUT_NAME, number, given)],
            [helper.make_tensor_value_info(OUTPUT_NAME, number, made)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def float_model(model: FloatModel) -> ModelProto:
    """Return the graph of a network in floats, as an exporter writes it: what `exact_model` is measured against.

    Its input `INPUT_NAME` is float32 (1, C, H + 2 halo, W + 2 halo), pixels in [0, 1], its output `OUTPUT_NAME` float32
    (1, C, H * scale, W * scale), neither clipped nor rounded.
    """
    graph = _Graph(model.network, plain=True)
    network, parameters = model.network, iter(zip(model.weights, model.biases, model.slopes))
    for layer in network.layers:
        given = [graph.tensor[name] for name in layer.inputs]
        if isinstance(layer, Conv):
            weight, bias, slope = next(parameters)
            x = graph.conv(*given, weight.transpose(0, 3, 1, 2), bias)
            if layer.activation == "prelu":
                x = graph.node("PRelu", [x, graph.constant(slope.astype(np.float32)[:, None, None])])
            elif layer.activation == "clip":
                x = graph.clip(x, 0, layer.cap)
            elif layer.activation == "relu":
                x = graph.node("Relu", [x])
        elif isinstance(layer, Add):
            x = graph.node("Add", [given[0], graph.earlier(layer, given[1])])
            if not (network.keeps_sign(layer.name) or network.shows(layer.name)):  # stored from 0 on
                x = graph.node("Relu", [x])
        else:
            x = graph.node("DepthToSpace", given, blocksize=layer.factor)
        graph.tensor[layer.name] = x
    return graph.proto(x, TensorProto.FLOAT, [1, network.in_ch, "height", "width"], [1, network.out_ch, None, None])


def _parts(layer: Conv, q: QuantLayer) -> int:
    """Return into how few equal groups of input channels a layer has to be cut for sums below 2^24."""
    weight = q.weight.astype(np.int64)
    for parts in range(1, layer.in_ch + 1):
        if layer.in_ch % parts == 0:
            split = weight.reshape(layer.out_ch, -1, parts, layer.in_ch // parts)
            positive, negative = (np.maximum(sign * split, 0).sum((1, 3)).max() for sign in (1, -1))
            if max(positive, negative) * _WHITE < FLOAT32_EXACT:
                return parts
    raise UserError(
        f"layer {layer.name} has sums beyond 2^24 from a single input channel, which float32 does not hold; use "
        f"--backend golden, it gives the same bits"
    )
