"""What each operator of ONNX is here: layers, values that move, or a refusal that says what to write instead."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.convert.addition import add
from model.convert.opened import tools
from model.convert.planes import Filter, Plane, turned
from model.convert.resizing import interpolated
from model.convert.running import run_node
from model.convert.taps import padding, square, transposed_padding, ungrouped
from model.convert.views import View, arrangement, shuffled, whole_view
from model.graph.rewrite import transposed_weights

if TYPE_CHECKING:
    from model.convert.builder import Builder
    from model.convert.opened import Opened

MOVES = (
    "Concat",
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)
NOTHING = ("Identity", "Dropout")
FLOATS = (1, 11)  # onnx.TensorProto.FLOAT, DOUBLE
# Operators that have no kind -> what to write instead.
INSTEAD = {
    "Tanh": "ReLU or PReLU",
    "Sigmoid": "ReLU, PReLU, or a clip",
    "HardSigmoid": "a clip",
    "HardSwish": "ReLU or PReLU",
    "Gelu": "ReLU or PReLU",
    "Erf": "ReLU or PReLU (this one is of a GELU)",
    "Elu": "ReLU or PReLU",
    "Selu": "ReLU or PReLU",
    "Celu": "ReLU or PReLU",
    "Mish": "ReLU or PReLU",
    "Softplus": "ReLU or PReLU",
    "Softmax": "convolutions: attention has no kind here",
    "MatMul": "convolutions: attention and dense layers have no kind here",
    "Gemm": "a 1x1 convolution; a dense layer makes no picture",
    "MaxPool": "convolutions of stride 1",
    "AveragePool": "convolutions of stride 1",
    "GlobalAveragePool": "nothing: channel attention has no kind here",
    "ReduceMean": "nothing: channel attention and layer normalisation have no kind here",
    "InstanceNormalization": "batch normalisation, which is folded",
    "LayerNormalization": "batch normalisation, which is folded",
    "GroupNormalization": "batch normalisation, which is folded",
    "GridSample": "a resize by a whole factor",
    "DequantizeLinear": "float32: export before quantising, which is done here",
    "QuantizeLinear": "float32: export before quantising, which is done here",
    "QLinearConv": "float32: export before quantising, which is done here",
    "ConvInteger": "float32: export before quantising, which is done here",
}


def translate(opened: Opened, builder: Builder) -> tuple[int, int]:
    """Write all operators of a network as layers of a builder.

    Returns
    -------
    (int, int)
        Row and column of its output's first pixel, in output pixels of the picture that it is given.

    Raises
    ------
    UserError
        If an operator, or what it reads, has no form here; with the node's name and what to write instead.
    """
    return _Translation(opened, builder).run()


class _Translation:
    """The views of all tensors, as they become known."""

    def __init__(self, opened, builder):
        self.opened, self.builder = opened, builder
        self.views = {}
        _, _, *sides = shape = opened.shape
        if opened.channels_last:
            sides, channels = shape[1:3], shape[3]
        else:
            channels = shape[1]
        view = whole_view(builder.input, *sides)
        if opened.channels_last:
            view = View(view.plane, *(axis.transpose(0, 2, 3, 1) for axis in view.coordinates))
        assert channels == builder.input.channels
        self.views[opened.input] = view

    def run(self):
        for node in self.opened.nodes:
            self.node(node)
        view, last = self.views.get(self.opened.output), self.opened.output
        if view is None:
            raise UserError(f"the output {last} does not depend on the picture; export again")
        if len(view.shape) != 4:
            raise UserError(
                f"the output {last} is {' x '.join(map(str, view.shape))}, no picture; only "
                f"networks from picture to picture can be imported"
            )
        channels = self.builder.input.channels
        if view.shape[1] != channels and view.shape[3] == channels:
            view = View(view.plane, *(axis.transpose(0, 3, 1, 2) for axis in view.coordinates))
        return self.builder.finish(view, last)

    def node(self, node):
        name = node.name or node.output[0]
        given = [self.views.get(source) for source in node.input]
        if all(view is None for view in given):
            raise UserError(f"node {name} ({node.op_type}) is of constants alone; export it folded")
        kind = node.op_type
        if kind in NOTHING:
            made = [given[0]]
        elif kind in MOVES:
            made = self.moved(node, name)
        elif hasattr(self, f"on_{kind}"):
            made = [getattr(self, f"on_{kind}")(node, name)]
        else:
            instead = INSTEAD.get(kind, "one of what is read: see docs/your-network.md")
            raise UserError(f"node {name} is {kind}, which has no kind here; write {instead}")
        self.views |= zip(node.output, made)

    # --- what nodes say

    def attributes(self, node):
        onnx, _ = tools()
        return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}

    def constant(self, node, index, default=None):
        """Return a constant input; `default` where it is left out."""
        if len(node.input) <= index or not node.input[index]:
            return default
        if node.input[index] not in self.opened.constants:
            raise UserError(
                f"node {node.name or node.output[0]} ({node.op_type}) computes with {node.input[index]}, which depends "
                f"on the picture; it has to be constant"
            )
        return self.opened.constants[node.input[index]].astype(np.float64)

    # --- movement

    def moved(self, node, name):
        """Run a node on coordinates."""
        views = [self.views[source] for source in node.input if source in self.views]
        if any(view.plane is not views[0].plane for view in views):
            raise UserError(
                f"node {name} ({node.op_type}) joins different tensors; add them instead: only copies of one tensor "
                f"can be joined, as an anchor is"
            )
        parts = [
            run_node(self.opened, node, {s: self.views[s].coordinates[axis] for s in node.input if s in self.views})
            for axis in range(3)
        ]
        return [View(views[0].plane, *(np.rint(part).astype(np.int32) for part in axes)) for axes in zip(*parts)]

    def on_Resize(self, node, name):
        return self.resized(node, name, self.attributes(node).get("mode", b"nearest"))

    on_Upsample = on_Resize

    def resized(self, node, name, mode):
        source = next(s for s in node.input if s in self.views)
        view = self.views[source]
        if mode == b"nearest":
            return self.moved(node, name)[0]
        weight, factor, sides = interpolated(self.opened, node, source, view.shape, name)
        plane = self.builder.filtered(view, weight, np.zeros(len(weight)), name)
        return View(plane, *shuffled(view.shape[1], factor, *sides))

    def on_Pad(self, node, name):
        """Rows and columns around a picture; what they hold, no comparison sees."""
        view, said = self.view(node), self.attributes(node)
        pads = said["pads"] if "pads" in said else self.constant(node, 1)
        if len(node.input) > 3 and node.input[3]:
            raise UserError(f"node {name} pads some axes by number; leave them out and name a padding for all")
        pads = np.asarray(pads, int).reshape(2, -1)
        if pads.shape[1] != 4 or pads[:, :2].any():
            raise UserError(f"node {name} pads channels; pad rows and columns alone")
        return View(view.plane, *arrangement(view, name).around(view.shape, pads[0, 2:], pads[1, 2:]))

    def on_Cast(self, node, name):
        if self.attributes(node)["to"] not in FLOATS:
            raise UserError(f"node {name} casts the picture to other numbers; export in float32, without casts")
        return self.views[node.input[0]]

    # --- convolutions

    def on_Conv(self, node, name):
        view, said = self.view(node), self.attributes(node)
        weight, bias = self.weights(node)
        bias = np.zeros(len(weight)) if bias is None else bias
        if any(stride != 1 for stride in said.get("strides", [1])):
            raise UserError(
                f"node {name} is a convolution of stride {said['strides']}; this hardware has stride 1: train without"
            )
        weight = ungrouped(weight, said.get("group", 1))
        dilation = said.get("dilations", [1, 1])
        reach = [(k - 1) * d for k, d in zip(weight.shape[2:], dilation)]
        before, after = padding(said, reach)
        height, width = (side + b + a - r for side, b, a, r in zip(view.shape[2:], before, after, reach))
        # Where the picture keeps its size, positions stay where they are; else a filter is in the middle.
        shift = [r // 2 - b if a + b != r else 0 for a, b, r in zip(after, before, reach)]
        plane = self.builder.filtered(view, square(weight, before, dilation, shift), bias, name, tuple(shift))
        return whole_view(plane, height, width)

    def on_ConvTranspose(self, node, name):
        view, said = self.view(node), self.attributes(node)
        weight, bias = self.weights(node)
        strides, dilation = said.get("strides", [1, 1]), said.get("dilations", [1, 1])
        if strides[0] != strides[1] or any(d != 1 for d in dilation) or said.get("group", 1) != 1 or strides[0] < 2:
            raise UserError(
                f"node {name} is a transposed convolution of stride {strides}, dilation {dilation}, groups "
                f"{said.get('group', 1)}; write one stride of at least 2 for both sides, no dilation, one group"
            )
        stride, kernel, more = strides[0], weight.shape[2:], said.get("output_padding", [0, 0])
        before, after = transposed_padding(said, view.shape[2:], kernel, stride, more)
        height, width = (
            stride * (side - 1) + o + k - b - a for side, o, k, b, a in zip(view.shape[2:], more, kernel, before, after)
        )
        most = max(before)  # zeros in front of the taps make the padding the same for rows and columns
        front = [most - b for b in before]
        side = max(stride, *(k + f for k, f in zip(kernel, front)))
        taps = np.zeros((weight.shape[1], side, side, weight.shape[0]))
        taps[:, front[0] : front[0] + kernel[0], front[1] : front[1] + kernel[1]] = weight.transpose(1, 2, 3, 0)
        split = transposed_weights(taps, stride, most)
        bias = np.tile(np.zeros(len(taps)) if bias is None else bias, stride**2)
        plane = self.builder.filtered(view, split, bias, name)
        return View(plane, *shuffled(len(taps), stride, height, width))

    def view(self, node):
        """Return the picture that a node reads."""
        view = self.views.get(node.input[0])
        if view is None or len(view.shape) != 4:
            raise UserError(
                f"node {node.name or node.output[0]} ({node.op_type}) reads what is no picture; export again"
            )
        return view

    def weights(self, node):
        weight, bias = self.constant(node, 1), self.constant(node, 2)
        for part in (weight, bias):
            if part is not None and not np.isfinite(part).all():
                raise UserError(
                    f"the weights of node {node.name or node.output[0]} hold NaN or infinity; export again from a "
                    f"checkpoint without"
                )
        return weight, bias

    # --- activations

    def on_Relu(self, node, name):
        return self.activated(node, name, "relu")

    def on_LeakyRelu(self, node, name):
        return self.activated(node, name, "prelu", self.attributes(node).get("alpha", 0.01))

    def on_PRelu(self, node, name):
        return self.activated(node, name, "prelu", self.constant(node, 1))

    def activated(self, node, name, activation, slope=None):
        view = self.views[node.input[0]]
        if slope is not None:
            view, slope = self.per_channel(view, slope, name)
        plane = self.builder.activated(view.plane, activation, slope)
        if all(reader.op_type in ("Conv", "ConvTranspose") for reader in self.readers(node.output[0])):
            plane = turned(plane)
        if isinstance(plane.body, Filter):
            plane = dataclasses.replace(plane, body=_named(plane.body, name))
        return view.of(plane)

    def readers(self, tensor):
        return [node for node in self.opened.nodes if tensor in node.input]

    def on_Clip(self, node, name):
        view, said = self.views[node.input[0]], self.attributes(node)
        low, high = (
            float(said[key]) if key in said else float(np.squeeze(self.constant(node, i, unless)))
            for key, i, unless in (("min", 1, -np.inf), ("max", 2, np.inf))
        )
        plane = self.builder.settled(view.plane)
        low, high = (end if abs(end) < 1e30 else np.copysign(np.inf, end) for end in (low, high))
        return view.of(dataclasses.replace(plane, bounds=(low, high)))

    # --- arithmetic

    def on_Add(self, node, name):
        return self.arithmetic(node, name, lambda c: (np.ones_like(c), c), 1)

    def on_Sub(self, node, name):
        if node.input[0] in self.opened.constants:
            return self.affine(self.views[node.input[1]], -1.0, self.constant(node, 0), name)
        return self.arithmetic(node, name, lambda c: (np.ones_like(c), -c), -1)

    def on_Mul(self, node, name):
        return self.arithmetic(node, name, lambda c: (c, np.zeros_like(c)), None)

    def on_Div(self, node, name):
        if node.input[0] in self.opened.constants:
            raise UserError(f"node {name} divides by what depends on the picture; write what has no quotient")
        return self.arithmetic(node, name, lambda c: (1 / c, np.zeros_like(c)), None)

    def on_Neg(self, node, name):
        return self.affine(self.views[node.input[0]], -1.0, 0.0, name)

    def on_BatchNormalization(self, node, name):
        gamma, beta, mean, variance = (self.constant(node, i) for i in (1, 2, 3, 4))
        factor = gamma / np.sqrt(variance + self.attributes(node).get("epsilon", 1e-5))
        shape = (1, -1, 1, 1)
        return self.affine(
            self.views[node.input[0]], factor.reshape(shape), (beta - mean * factor).reshape(shape), name
        )

    def arithmetic(self, node, name, affine, sign):
        """A tensor and a constant, or the sum (`sign` of the second) of two tensors."""
        views = [self.views.get(source) for source in node.input]
        if None not in views:
            if sign is None:
                raise UserError(f"node {name} ({node.op_type}) of two tensors has no kind here; write a sum")
            if sign < 0:
                views[1] = self.affine(views[1], -1.0, 0.0, name)
            try:
                shape = np.broadcast_shapes(*(view.shape for view in views))
            except ValueError as error:
                raise UserError(f"node {name} adds tensors that do not fit; export again") from error
            return add(self.builder, *views, shape, name)
        at = 0 if views[0] is not None else 1
        return self.affine(views[at], *affine(self.constant(node, 1 - at)), name)

    def affine(self, view, factor, offset, name):
        """Return factor * view + offset, arrays that broadcast to it."""
        view, factor = self.per_channel(view, factor, name)
        moved, offset = self.per_channel(view, offset, name)
        if moved is not view:  # a copy of its channels: the factor has to be told anew
            raise UserError(f"node {name} adds other constants to the pixels of one channel; one per channel is known")
        try:
            return view.of(view.plane.affine(factor, offset))
        except ValueError:
            return view.of(self.builder.settled(view.plane).affine(factor, offset))

    def per_channel(self, view, constant, name):
        """Return a view, and an array that broadcasts to it as one number per channel of its plane."""
        constant = np.asarray(constant, np.float64)
        if not np.isfinite(constant).all():
            raise UserError(f"node {name} computes with NaN or infinity; export again from a checkpoint without")
        try:
            everywhere = np.broadcast_to(constant, view.shape)
        except ValueError as error:
            raise UserError(
                f"node {name} computes with a constant of {' x '.join(map(str, constant.shape))} on "
                f"{' x '.join(map(str, view.shape))}; one number, or one per channel, is known"
            ) from error
        low, high = np.full(view.plane.channels, np.inf), np.full(view.plane.channels, -np.inf)
        np.minimum.at(low, view.channel.ravel(), everywhere.ravel())
        np.maximum.at(high, view.channel.ravel(), everywhere.ravel())
        seen = high >= low
        if (low[seen] == high[seen]).all():
            return view, np.where(seen, low, 1.0)
        split = self.own_places(view, name)
        if split is None:
            raise UserError(f"node {name} computes with a constant per pixel; one number, or one per channel, is known")
        return self.per_channel(split, constant, name)

    def own_places(self, view, name):
        """Return a view of a copy in which each channel has places of its own; None if it has them already."""
        if len(view.shape) != 4:
            return None
        seen = arrangement(view, name)
        if len(np.unique(seen.order)) == seen.order.size:
            return None
        plane = Plane.of(self.builder.copy(view.plane, seen.places), view.plane.origin)
        channel, row, column = shuffled(len(seen.order), seen.factor, *(side + seen.factor for side in view.shape[2:]))
        inside = np.s_[:, :, seen.crop[0] % seen.factor :, seen.crop[1] % seen.factor :]
        cut = [axis[inside][:, :, : view.shape[2], : view.shape[3]] for axis in (channel, row, column)]
        plane = dataclasses.replace(plane, origin=tuple(o + c // seen.factor for o, c in zip(plane.origin, seen.crop)))
        return View(plane, *cut)


def _named(body, name):
    return dataclasses.replace(body, nodes=(*body.nodes, name))
