"""How tensors are stored: a step per channel, a zero point where values may be negative, and what ties them together.

An activation of real value v (pixels in [0, 1]) is stored as v / step + zero. Steps are free, one per channel, except
where hardware moves or adds stored values as they are: an addition's two inputs and its output have one step and one
zero point per channel, depth-to-space keeps those of its channels, and the network's input and output have 1/255. A
clip is what saturation does, so that its step is cap / 255.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.graph.formats import ACT_BITS
from model.graph.kinds import Add, Conv
from model.graph.network import INPUT
from model.integer.floating import activate

if TYPE_CHECKING:
    from model.graph.network import Network
    from model.graph.weights import FloatModel

ACT_MAX = 2**ACT_BITS - 1


class Storage:
    """Steps and zero points of all tensors of a network, as far as they are decided.

    Parameters
    ----------
    model : FloatModel
    values : dict of str to ndarray
        From `model.integer.floating.float_tensors`, on calibration crops.

    Attributes
    ----------
    tie : dict of str to ndarray of int
        Per tensor and channel: channels with the same number are stored alike.
    low, high : ndarray of float64
        Per number: the range of what is stored, 0 included.
    step : ndarray of float64
        Per number; NaN where it is free.
    zero : ndarray of int

    Raises
    ------
    UserError
        A clip that is tied to another step than its own.
    """

    def __init__(self, model: FloatModel, values: dict[str, np.ndarray]) -> None:
        network = model.network
        self.tie = ties(network)
        count = 1 + max(int(numbers.max()) for numbers in self.tie.values())
        self.low, self.high = np.zeros(count), np.zeros(count)
        self.step, self.zero = np.full(count, np.nan), np.zeros(count, int)
        layers = {layer.name: layer for layer in network.layers}
        slopes = {layer.name: slope for layer, slope in zip(network.convs, model.slopes)}
        for name in (INPUT, network.layers[-1].name):
            self.step[self.tie[name]] = 1 / ACT_MAX
        for layer in network.convs:
            if layer.cap is not None:
                self._fix_clip(layer)
        for name, tensor in network.tensors.items():
            if tensor.signed:
                continue
            act = values[name]
            if isinstance(layers.get(name), Conv):
                act = activate(layers[name], act, slopes[name])
            np.minimum.at(self.low, self.tie[name], act.min((0, 1, 2)))
            np.maximum.at(self.high, self.tie[name], act.max((0, 1, 2)))

    def _fix_clip(self, layer):
        step = layer.cap / ACT_MAX
        before = self.step[self.tie[layer.name]]
        if not (np.isnan(before) | (np.abs(before - step) < 1e-9 * step)).all():
            raise UserError(
                f"layer {layer.name} clips at {layer.cap:g}, but what it is added to or shown as saturates at "
                f"{before[0] * ACT_MAX:g}; make the cap that, or take relu"
            )
        self.step[self.tie[layer.name]] = step

    def fixed_steps(self, name: str) -> np.ndarray:
        """Return a tensor's steps (C,), NaN where they may still be chosen."""
        return self.step[self.tie[name]]

    def decide(self, name: str, step: np.ndarray, zero: np.ndarray) -> None:
        """Set a tensor's steps and zero points, (C,)."""
        self.step[self.tie[name]], self.zero[self.tie[name]] = step, zero

    def ranges(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the largest value (C,) that a tensor, or one that is stored like it, holds."""
        return self.low[self.tie[name]], self.high[self.tie[name]]

    def real(self, name: str, stored: np.ndarray) -> np.ndarray:
        """Return what stored values stand for, float64."""
        return (stored.astype(np.float64) - self.zero[self.tie[name]]) * self.step[self.tie[name]]


def ties(network: Network) -> dict[str, np.ndarray]:
    """Number the channels of all tensors so that those have the same number that have to be stored alike."""
    tie, count = {}, 0
    for name, tensor in network.tensors.items():
        tie[name] = np.arange(count, count + tensor.channels)
        count += tensor.channels
    parent = np.arange(count)

    def root(number):
        while parent[number] != number:
            number = parent[number]
        return number

    for layer in network.layers:
        mine = tie[layer.name]
        if isinstance(layer, Conv):
            continue
        for source in layer.inputs:
            # depth-to-space: the channel is the fastest index; an addition repeats the earlier tensor
            channels = max(len(mine), len(tie[source]))
            for i in range(channels):
                a, b = root(mine[i % len(mine)]), root(tie[source][i % len(tie[source])])
                parent[max(a, b)] = min(a, b)
    return {name: np.array([root(number) for number in numbers]) for name, numbers in tie.items()}


def movable(network: Network, layer: Conv) -> bool:
    """Return whether a layer's channels may be stored in other places and parts: only convolutions read them."""
    readers = network.readers(layer.name)
    return bool(readers) and all(isinstance(reader, Conv) for reader in readers)


def addition_of(network: Network, layer: Conv) -> Add | None:
    """Return the addition that reads a layer as its residual."""
    return next((r for r in network.readers(layer.name) if isinstance(r, Add) and r.inputs[0] == layer.name), None)
