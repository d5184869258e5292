"""Writes the layers of a description for planes, as they are read: see `model.convert.planes`.

Where the project's kinds have no direct form, a 1x1 convolution that copies channels makes one, exact in floats: where
an addition needs a residual and has an activation, or an earlier tensor with a sign. Each is noted, as it takes
multipliers. A convolution without activation that another one reads keeps its sign as a PReLU of slope 1.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from model.base.errors import UserError
from model.convert.planes import Filter, Plane, Sum, Written
from model.convert.views import View, arrangement
from model.graph.kinds import Add, Conv, DepthToSpace, Tensor
from model.graph.network import INPUT

CLOSE = 1e-6  # factors and offsets that differ by less are the same, rounded in float32


class Builder:
    """Layers in topological order, and their parameters.

    Parameters
    ----------
    channels : int
        Of the input.
    black, white : float
        What the network calls black and white.

    Attributes
    ----------
    layers : list
    parameters : dict of str to (weight, bias, slope)
    nodes : dict of str to tuple of str
        The ONNX nodes that a layer stands for.
    notes : list of str
        What the user should know.
    """

    def __init__(self, channels: int, black: float, white: float) -> None:
        self.black, self.white = black, white
        self.layers, self.parameters, self.nodes, self.notes = [], {}, {}, []
        self.known = {INPUT: Tensor(channels)}
        self._written = {}  # (body, order, how) -> Written; holds the bodies, so that their ids stay theirs
        range_ = np.full(channels, white - black)
        self.input = Plane(Written(INPUT, channels), range_, np.full(channels, black))

    # --- layers

    def _name(self, stem):
        return f"{stem}{1 + sum(layer.name.rstrip('0123456789') == stem for layer in self.layers)}"

    def _append(self, layer, nodes):
        self.layers.append(layer)
        self.known[layer.name] = layer.output([self.known[name] for name in layer.inputs])
        self.nodes[layer.name] = tuple(dict.fromkeys(nodes))

    def _conv(self, body, signed=False):
        """Write a convolution; return its name."""
        out_ch, k, _, in_ch = body.weight.shape
        name = self._name("conv")
        layer = Conv(name, k, in_ch, out_ch, body.activation, (body.reads,), body.cap, signed)
        self.parameters[name] = (body.weight, body.bias, body.slope)
        self._append(layer, body.nodes)
        return name

    def write(self, body: Written | Filter | Sum, order: np.ndarray | None = None, shown: bool = False) -> Written:
        """Return the tensor of a body, its channels in an order, written down if it was not. `shown`: nothing computes
        with it, it is the picture.
        """
        natural = np.arange(body.channels)
        order = natural if order is None else np.asarray(order)
        key = (id(body), order.tobytes(), shown)
        if key not in self._written:
            self._written[key] = (self._write(body, order, natural, shown), body)
        return self._written[key][0]

    def _write(self, body, order, natural, shown):
        moved = not np.array_equal(order, natural)
        if isinstance(body, Filter):
            body = body.ordered(order)
            if body.activation == "none" and not shown:
                body = dataclasses.replace(body, activation="prelu", slope=np.ones(body.channels))
            return Written(self._conv(body), body.channels, not body.positive)
        if isinstance(body, Sum):
            period = body.earlier.channels
            if len(order) % period == 0 and (order % period == np.arange(len(order)) % period).all():
                return self._sum(body, order, shown)
            body = self.write(body)
        if not moved:
            return body
        return self.write(self.copy(Plane.of(body), order, "relu" if body.positive else "none"), shown=shown)

    def _sum(self, body, order, shown):
        earlier = body.earlier
        if shown or body.rectified != earlier.signed:
            pass  # the addition itself saturates as it should
        elif earlier.signed:  # a ReLU behind a sum with a sign
            free = self._sum(dataclasses.replace(body, rectified=False), order, False)
            return self.write(self.copy(Plane.of(free), None, "relu"))
        else:  # the sum may be negative, but is stored from 0 on if the earlier tensor is
            earlier = self.write(self.copy(Plane.of(earlier)))
        residual = self._conv(body.residual.ordered(order), signed=True)
        name = self._name("add")
        self._append(Add(name, (residual, earlier.name)), body.nodes)
        return Written(name, len(order), earlier.signed)

    def copy(self, plane: Plane, order: np.ndarray | None = None, activation: str = "none") -> Filter:
        """Return a 1x1 convolution that gives some channels of a plane, factor and offset included."""
        plane = self.settled(plane)
        order = np.arange(plane.channels) if order is None else np.asarray(order)
        source = self.write(plane.body)
        weight = np.eye(plane.channels)[order] * plane.factor[order][:, None]
        nodes = getattr(plane.body, "nodes", ())
        where = f"behind {nodes[-1]}" if nodes else "of what it reads"
        self.notes.append(f"a 1x1 convolution {len(order)} x {plane.channels} copies channels {where}")
        return Filter(source.name, weight[:, None, None, :], plane.offset[order], activation, nodes=nodes)

    # --- planes

    def settled(self, plane: Plane) -> Plane:
        """Return a plane whose bounds, if it has any, are an activation."""
        if plane.bounds is None:
            return plane
        (low, high), plane = plane.bounds, dataclasses.replace(plane, bounds=None)
        if low == -np.inf:
            raise UserError(f"a clip at {high:g} has no lower end; clip from 0 on, or take ReLU")
        ones = np.ones(plane.channels)
        plane = plane.affine(ones, -low * ones)
        plane = self.activated(plane, "relu" if high == np.inf else "clip", cap=None if high == np.inf else high - low)
        return plane.affine(ones, low * ones)

    def activated(
        self, plane: Plane, activation: str, slope: np.ndarray | None = None, cap: float | None = None
    ) -> Plane:
        """Return the activation of a plane, `slope` per channel."""
        plane = self.settled(plane)
        known = plane.body.positive and (plane.factor > 0).all() and (plane.offset >= 0).all()
        if known and activation in ("relu", "prelu"):
            return plane
        if activation == "relu" and isinstance(plane.body, Sum) and (plane.factor > 0).all() and not plane.offset.any():
            return dataclasses.replace(plane, body=dataclasses.replace(plane.body, rectified=True))
        body = plane.body if plane.open else self.copy(plane)
        body = dataclasses.replace(body, activation=activation, slope=slope, cap=cap)
        return Plane.of(body, plane.origin)

    def positions(self, view: View, node: str) -> tuple[Plane, np.ndarray]:
        """Return a plane with one position per pixel of the view, depth-to-space written down if the view is one, and
        the channel of it that each of the view's is.
        """
        plane, seen = self.settled(view.plane), arrangement(view, node)
        origin = tuple(seen.factor * o + c for o, c in zip(plane.origin, seen.crop))
        if seen.factor == 1:
            return dataclasses.replace(plane, origin=origin), seen.order[:, 0, 0]
        channels, places = len(seen.order), seen.places
        alike = [np.ptp(part[seen.order], axis=(1, 2)).max() == 0 for part in (plane.factor, plane.offset)]
        if not all(alike):  # pixels of a position that differ in what a channel means
            plane = Plane.of(self.copy(plane), plane.origin)
        source, name = self.write(plane.body, places), self._name("pixels")
        self._append(DepthToSpace(name, seen.factor, (source.name,)), (node,))
        one = seen.order[:, 0, 0]
        made = Plane(Written(name, channels, source.signed), plane.factor[one], plane.offset[one], origin)
        return made, np.arange(channels)

    def filtered(self, view: View, weight: np.ndarray, bias: np.ndarray, node: str, shift: tuple = (0, 0)) -> Plane:
        """Return a convolution of a view.

        Parameters
        ----------
        view : View
        weight : ndarray, shape (O, k, k, I)
            Of odd k, its middle on the position that it makes.
        bias : ndarray, shape (O,)
        node : str
        shift : (int, int)
            Rows and columns that its first position lies further in than the view's.
        """
        plane, channel = self.positions(view, node)
        gathered = np.zeros((*weight.shape[:3], plane.channels))
        for i, source in enumerate(channel):  # channels that repeat, as of a concatenation, add up
            gathered[..., source] += weight[..., i]
        bias = bias + (gathered * plane.offset).sum((1, 2, 3))
        body = Filter(self.write(plane.body).name, gathered * plane.factor, bias, nodes=(node,))
        return Plane.of(body, tuple(o + s for o, s in zip(plane.origin, shift)))

    # --- the end

    def finish(self, view: View, node: str) -> tuple[int, int]:
        """Write down what the network gives, `view` in its units, black to white; return where its first pixel lies."""
        plane, seen = view.plane, arrangement(view, node)
        channels = self.known[INPUT].channels
        if len(seen.order) != channels:
            raise UserError(
                f"the network gives {len(seen.order)} channels of a picture with {channels}; it has to give Y of Y, or "
                f"red, green and blue of those"
            )
        span = self.white - self.black
        if plane.bounds is not None:
            low, high = plane.bounds
            if low <= self.black + CLOSE * span and high >= self.white - CLOSE * span:  # saturation does that
                plane = dataclasses.replace(plane, bounds=None)
        plane = self.settled(plane)
        factor, offset = plane.factor / span, (plane.offset - self.black) / span
        body, middle = plane.body, np.abs(offset).max() < CLOSE
        if plane.open:
            body = body.scaled(factor, offset)
        elif isinstance(body, Filter) and middle and (factor > 0).all() and (body.cap is None or np.ptp(factor) == 0):
            body = body.scaled(factor)
        elif not middle or np.abs(factor - 1).max() > CLOSE or isinstance(body, Written):
            body = self.copy(dataclasses.replace(plane, factor=factor, offset=offset))
        made = self.write(body, seen.places, shown=True)
        if seen.factor > 1:
            self._append(DepthToSpace(self._name("pixels"), seen.factor, (made.name,)), (node,))
        return tuple(seen.factor * o + c for o, c in zip(plane.origin, seen.crop))
