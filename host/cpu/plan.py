"""A network as the C++ code takes it (`cpp/network.cpp`): tensors in order, weights in the order of the lanes.

An addition whose residual nobody else reads is done by its convolution, as it stores (`_fused`). How many rows of a
tensor are kept follows from the order in which the code asks for them, which is gone through here (`_kept`).
"""

from __future__ import annotations

import ctypes
import dataclasses
import enum
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.graph.kinds import Add, Conv
from model.graph.network import INPUT

if TYPE_CHECKING:
    from model.graph.network import Network
    from model.graph.weights import QuantLayer, QuantModel

LARGEST_K, MOST_TENSORS = 64, 256  # of cpp/
LARGEST_SUM = 2**31  # sums are 32 bits, signed

_ALONG_LANES, _ALONG_BYTES = 8, 32


class _Kind(enum.IntEnum):
    """What makes a tensor: `kind_t` of cpp/network.cpp."""

    INPUT, CONV, ADD, SHUFFLE = range(4)


class _CConv(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("k", "in_ch", "out_ch", "lanes", "groups", "along", "fours")),
        *((name, ctypes.c_int32) for name in ("residual", "prelu", "anchor")),
        *((name, ctypes.c_void_p) for name in ("weight", "bias", "shift", "slope", "zero")),
    ]


class _CTensor(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in ("kind", "given", "earlier", "crop", "channels", "bytes", "scale")),
        *((name, ctypes.c_int32) for name in ("shrink", "kept", "factor")),
        ("conv", _CConv),
    ]


@dataclasses.dataclass(frozen=True)
class _Step:
    """How a tensor is made: `given` and perhaps `earlier` are numbers of tensors."""

    kind: _Kind
    given: int = -1
    earlier: int = -1
    crop: int = 0
    factor: int = 1
    conv: Conv | None = None


class Plan:
    """A network, laid out for a library of so many lanes.

    Parameters
    ----------
    model : QuantModel
    lanes : int
        Most lanes of a vector, 8 or 16.

    Attributes
    ----------
    tensors : ctypes array
    count : int

    Raises
    ------
    UserError
        If sums need more than 32 bits, a filter is larger than 64x64, or layers are more than 255.
    """

    def __init__(self, model: QuantModel, lanes: int) -> None:
        network = model.network
        _check(model)
        names, steps = _steps(network)
        kept = _kept(network, names, steps)
        self.count = len(names)
        self.tensors = (_CTensor * self.count)()
        self._arrays = []  # what the structures point to
        parameters = dict(zip((layer.name for layer in network.convs), model.layers))
        for made, name, step, rows in zip(self.tensors, names, steps, kept):
            tensor = network.tensors[name]
            made.kind, made.given, made.earlier = step.kind, step.given, step.earlier
            made.crop, made.kept, made.factor = step.crop, rows, step.factor
            made.channels, made.bytes = tensor.channels, 2 if tensor.signed else 1
            made.scale, made.shrink = tensor.scale, tensor.shrink
            if step.conv is not None:
                anchor = network.tensors[names[step.earlier]].channels if step.earlier >= 0 else 0
                made.conv = self._conv(step.conv, parameters[step.conv.name], lanes, anchor)

    def _conv(self, layer: Conv, q: QuantLayer, most: int, anchor: int) -> _CConv:
        lanes = min(most, 8 if layer.out_ch <= 8 else 16)
        along = not anchor and _along_pays(layer, lanes)
        row = layer.k * layer.in_ch  # bytes that a window reads of a row
        if along:
            lanes, groups, fours = _ALONG_LANES, 1, -(-row // _ALONG_BYTES)
            weight = np.zeros((layer.out_ch, layer.k, fours * _ALONG_BYTES), np.int8)
            weight[:, :, :row] = q.weight.reshape(layer.out_ch, layer.k, row)
        else:
            groups, fours = -(-layer.out_ch // lanes), -(-row // 4)
            weight = np.zeros((groups * lanes, layer.k, fours * 4), np.int8)
            weight[: layer.out_ch, :, :row] = q.weight.reshape(layer.out_ch, layer.k, row)
            weight = weight.reshape(groups, lanes, layer.k, fours, 4).transpose(0, 2, 3, 1, 4)
        shift = q.shift.astype(np.int64)
        half = 0 if q.slope is not None else (1 << shift) >> 1
        none = np.zeros(layer.out_ch)
        per_lane = [q.bias + half, shift, none if q.slope is None else q.slope, none if q.zero is None else q.zero]
        size = max(groups * lanes, layer.out_ch)
        arrays = [np.ascontiguousarray(weight), *(_padded(values, size) for values in per_lane)]
        self._arrays += arrays
        settings = layer.k, layer.in_ch, layer.out_ch, lanes, groups, along, fours
        kind = layer.signed, q.slope is not None, anchor
        return _CConv(*map(int, settings), *map(int, kind), *(array.ctypes.data for array in arrays))


def _padded(values, size):
    """Return int32 values per lane; lanes without a channel have 0."""
    out = np.zeros(size, np.int32)
    out[: len(values)] = values
    return out


def _along_pays(layer, lanes):
    """Whether vectors along the taps take fewer steps than vectors of channels: of few channels most lanes are idle."""
    row = layer.k * layer.in_ch
    across = layer.k * -(-row // 4) * -(-layer.out_ch // lanes)
    summing = 4  # steps that it takes to add up the lanes
    return layer.out_ch * (layer.k * -(-row // _ALONG_BYTES) + summing) < across


def _check(model):
    network = model.network
    remedy = "use --backend golden, it gives the same bits"
    if len(network.layers) >= MOST_TENSORS:
        raise UserError(f"{network.label} has {len(network.layers)} layers, this takes {MOST_TENSORS - 1}; {remedy}")
    for layer, q in zip(network.convs, model.layers):
        if layer.k > LARGEST_K:
            raise UserError(f"layer {layer.name} has a filter of {layer.k}x{layer.k}, beyond {LARGEST_K}; {remedy}")
        if q.worst_accumulator >= LARGEST_SUM:
            raise UserError(f"layer {layer.name} has sums beyond 2^31, which 32 bits do not hold; {remedy}")


def _fused(network: Network) -> dict[str, Conv]:
    """Return the convolutions that do the addition behind them, by the addition's name: of one channel, repeated, or of
    as many as there are.
    """
    convs, tensors = {layer.name: layer for layer in network.convs}, network.tensors
    fused = {}
    for layer in network.layers:
        if isinstance(layer, Add) and len(network.readers(layer.inputs[0])) == 1:
            made, earlier = (tensors[name].channels for name in layer.inputs)
            if earlier in (1, made):
                fused[layer.name] = convs[layer.inputs[0]]
    return fused


def _steps(network: Network) -> tuple[list[str], list[_Step]]:
    """Return the tensors' names in order, and how each is made."""
    tensors, fused = network.tensors, _fused(network)
    within = {conv.name for conv in fused.values()}
    names, steps = [INPUT], [_Step(_Kind.INPUT)]
    for layer in network.layers:
        if layer.name in within:
            continue
        number = {name: i for i, name in enumerate(names)}
        if isinstance(layer, Conv):
            step = _Step(_Kind.CONV, number[layer.inputs[0]], conv=layer)
        elif isinstance(layer, Add):
            residual, earlier = layer.inputs
            crop = (tensors[residual].shrink - tensors[earlier].shrink) // 2
            conv = fused.get(layer.name)
            kind, source = (_Kind.ADD, residual) if conv is None else (_Kind.CONV, conv.inputs[0])
            step = _Step(kind, number[source], number[earlier], crop, conv=conv)
        else:
            step = _Step(_Kind.SHUFFLE, number[layer.inputs[0]], factor=layer.factor)
        names.append(layer.name)
        steps.append(step)
    return names, steps


def _kept(network: Network, names: list[str], steps: list[_Step]) -> list[int]:
    """Return how many rows of each tensor are kept: the most that are there, from a row that is read on.

    Rows are asked for as `cpp/network.cpp` does it, as many as it takes until everything repeats.
    """
    made, kept = [0] * len(steps), [step.factor for step in steps]

    def ask(index, row):
        while made[index] <= row:
            step = steps[index]
            first = made[index] // step.factor
            last = first + (step.conv.k - 1 if step.conv is not None else 0)
            for source, row_read in ((step.given, last), (step.earlier, first + step.crop)):
                if source >= 0:
                    ask(source, row_read)
            for source, row_read in ((step.given, first), (step.earlier, first + step.crop)):
                if source >= 0:
                    kept[source] = max(kept[source], made[source] - row_read)
            made[index] += step.factor

    scale = network.tensors[names[-1]].scale
    for row in range(scale * (4 * network.halo + 16)):
        ask(len(steps) - 1, row)
    return kept
