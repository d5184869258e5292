"""One convolution in integers: steps and shifts tried per channel, weights rounded for each, the least error wins."""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
from typing import TYPE_CHECKING

import numpy as np

from model.graph.formats import BIAS_BITS, MAX_SHIFT, MAX_SLOPE
from model.graph.weights import QuantLayer
from model.integer.exact import largest, total
from model.quantise.data import OUTSIDE_WEIGHT, gather_fits
from model.quantise.layer import WEIGHT_MAX, polish, round_with_feedback
from model.quantise.storage import ACT_MAX

if TYPE_CHECKING:
    from model.graph.kinds import Conv

# Tried steps, relative to the one that just holds the largest activation: from 1 to 1.9, each by the same factor more.
# Smaller ones, which clip, have a lower mean error per channel, but clipped values are large errors in neighbouring
# pixels at once: the output gets worse.
_STEP_RATIO = 1.0137501411299834  # 47th root of 1.9
STEP_FACTORS = np.array(list(itertools.accumulate([1.0] + [_STEP_RATIO] * 47, operator.mul)))
WEIGHT_CLIPPING = 1.2  # a filter may be tried whose largest weight is this much too large
_SAMPLED = 7  # every 7th value says how well a step stores them


@dataclasses.dataclass
class Goal:
    """What a convolution should give, and how that is stored.

    Attributes
    ----------
    target : ndarray of float32, shape (N, H, W, O)
        Before the activation.
    cap : ndarray, shape (O,)
        Values from here on saturate.
    step : ndarray, shape (O,)
        NaN where it is to be chosen.
    zero : ndarray of int, shape (O,)
        What 0 is stored as, where the step is given.
    low, high : ndarray, shape (O,)
        What has to be stored, where the step is to be chosen.
    slope : ndarray of int, shape (O,), or None
        A PReLU's: it multiplies by 2^-slope below 0.
    """

    target: np.ndarray
    cap: np.ndarray
    step: np.ndarray
    zero: np.ndarray
    low: np.ndarray
    high: np.ndarray
    slope: np.ndarray | None = None

    def usual_storage(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the steps and zero points that are given, or else just hold the range."""
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        free = np.isnan(self.step)
        step = np.where(free, span / ACT_MAX, self.step)
        return step, np.where(free, np.rint(-self.low / step), self.zero).astype(int)

    def values(self, layer: Conv, channel: int) -> np.ndarray:
        """Return what a channel should hold behind the activation, float32, flat."""
        z = self.target[..., channel].ravel()
        if layer.activation == "none":
            return z
        if self.slope is not None:
            return np.where(z > 0, z, z * np.float32(0.5 ** int(self.slope[channel])))
        return np.clip(z, 0, self.cap[channel])


def snap_slopes(slopes: np.ndarray) -> np.ndarray:
    """Return, per slope of a PReLU, the k of the nearest 2^-k that hardware has."""
    return np.argmin(np.abs(np.ldexp(1.0, -np.arange(MAX_SLOPE + 1)) - slopes[:, None].astype(np.float64)), axis=1)


def quantise_convolution(layer: Conv, weight: np.ndarray, stored: np.ndarray, goal: Goal) -> tuple:
    """Find the integers of a layer.

    Parameters
    ----------
    layer : Conv
    weight : ndarray, shape (O, k, k, I)
        Makes about the goal from what is stored.
    stored : ndarray of uint8, shape (N, H, W, I)
    goal : Goal

    Returns
    -------
    q : QuantLayer
    step : ndarray of float64, shape (O,)
    zero : ndarray of int, shape (O,)
    """
    original = weight.reshape(layer.out_ch, -1).astype(np.float64)
    integer = np.zeros(original.shape)
    bias, shift = np.zeros(layer.out_ch), np.zeros(layer.out_ch, np.int64)
    steps, zeros = goal.usual_storage()
    for fit in gather_fits(layer, stored, goal.target, goal.cap, _outside_weights(layer, goal)):
        tried = []  # (channel, its filter, candidate, what storing with its step costs, share of errors that counts)
        for channel, filter_ in zip(fit.channels, fit.solve(original[fit.channels])):
            values = goal.values(layer, channel)
            if layer.relu and not values.any():
                continue  # dead: zero weights and bias store 0 for ever
            share = _share(layer, goal, values, channel)
            storing = {}
            for step, s, zero in _candidates(filter_, goal, channel):
                if step not in storing:
                    storing[step] = _storing_error(values, step, zero) if np.isnan(goal.step[channel]) else 0.0
                tried.append((channel, filter_, (step, s, zero), storing[step], share))
        if not tried:
            continue
        channels, filters, candidates, storing, shares = (list(column) for column in zip(*tried))
        units = np.array([math.ldexp(step, -s) for step, s, _ in candidates])  # real value of one accumulator unit
        scaled = np.array(filters) / units[:, None]
        rounded, error = round_with_feedback(scaled, fit.inputs)
        cost = error * units**2 * np.array(shares) + np.array(storing)
        rows = np.array(channels)
        best = np.array([np.flatnonzero(rows == c)[np.argmin(cost[rows == c])] for c in dict.fromkeys(channels)])
        chosen = rows[best]
        integer[chosen] = polish(rounded[best], scaled[best], fit.inputs)
        place = np.searchsorted(fit.channels, chosen)
        full = np.zeros((len(fit.channels), original.shape[1]))
        full[place] = integer[chosen] * units[best, None]
        bias[chosen] = fit.bias(full)[place] / units[best]
        steps[chosen], shift[chosen], zeros[chosen] = np.array([candidates[b] for b in best]).T
    limit = 2 ** (BIAS_BITS - 1) - 1
    q = QuantLayer(
        integer.reshape(layer.weight_shape).astype(np.int8),
        np.clip(np.rint(bias), -limit, limit).astype(np.int32),
        shift.astype(np.uint8),
        *(() if goal.slope is None else (goal.slope.astype(np.uint8), zeros.astype(np.uint8))),
    )
    return q, steps, zeros


def _outside_weights(layer, goal):
    """How much errors count where a channel's activation passes less than all of them, (O,)."""
    if layer.activation == "none":
        return np.ones(layer.out_ch)
    if goal.slope is None:
        return np.full(layer.out_ch, OUTSIDE_WEIGHT)
    return np.maximum(np.ldexp(1.0, -2 * goal.slope), OUTSIDE_WEIGHT)


def _share(layer, goal, values, channel):
    """Return the mean squared slope of the activation: what passes of the squared errors before it."""
    if layer.activation == "none":
        return 1.0
    positive = np.count_nonzero(values > 0) / len(values)
    return positive if goal.slope is None else positive + (1 - positive) * math.ldexp(1, -2 * int(goal.slope[channel]))


def _candidates(filter_, goal, channel):
    """Return (step, shift, zero point) triples to try."""
    low, high, given = goal.low[channel], goal.high[channel], goal.step[channel]
    steps = (high - low) / ACT_MAX * STEP_FACTORS if np.isnan(given) else [given]
    most = MAX_SHIFT - (0 if goal.slope is None else int(goal.slope[channel]))
    biggest = max(largest(filter_), 1e-30)
    triples = []
    for step in steps:
        zero = int(goal.zero[channel]) if not np.isnan(given) else int(np.rint(-low / step))
        fits = min(max(math.frexp(WEIGHT_MAX * step / biggest)[1] - 1, 0), most)
        triples.append((step, fits, zero))
        if fits < most and math.ldexp(biggest / step, fits + 1) <= WEIGHT_MAX * WEIGHT_CLIPPING:
            triples.append((step, fits + 1, zero))
    return triples


def _storing_error(values, step, zero):
    """Mean squared error of storing values with this step and zero point: rounding and clipping."""
    sample = values[::_SAMPLED].astype(np.float64)
    stored = np.clip(np.rint(sample / step) + zero, 0, ACT_MAX)
    return float(total(((stored - zero) * step - sample) ** 2)) / len(sample)
