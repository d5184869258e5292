"""Which channels the integer network has: strong ones split over the places of dead and dispensable ones.

An activation has 8 bits, and rounding it costs most where the picture itself passes: in a trained SRCNN one channel
per layer carries the low frequencies, with weights ten times those of the others, while some channels are dead.
For any threshold T

    relu(z) = min(relu(z), T) + relu(z - T),

and the minimum is what saturation does at 255 steps of T / 255. So a channel may be stored as two, both with the
same weights on either side, each with a step of half the size: the rounding noise falls to a quarter, and the next
layer's largest weight to half. The place is a dead channel's, or that of a channel whose loss (the rest of the next
layer making up for it as well as it can) costs less than the split gains.
"""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from model.graph.kinds import Layer
    from model.graph.weights import FloatModel

ACT_MAX = 255
MOST_PRUNED = 4  # channels of a layer that may give way
MOST_PARTS = 8  # of one channel
SMOOTHNESS = 2  # rounding noise is white; what a lost channel leaves behind is smooth and adds up in the layers behind
LEAST_GAIN = 1e-4  # grey levels squared: smaller gains are not worth a place


class Part(typing.NamedTuple):
    """What an integer channel holds: clip(z - low, 0, cap) of the float network's channel `source`."""

    source: int
    low: float
    cap: float


def whole_channels(layer: Layer) -> list[Part]:
    """Return one `Part` per channel: nothing split, nothing dropped."""
    return [Part(channel, 0.0, np.inf) for channel in range(layer.out_ch)]


def noise_gains(model: FloatModel, acts: list[np.ndarray]) -> list[np.ndarray]:
    """Return, per layer and channel, the output's squared error per squared error of the channel.

    For white noise, with each ReLU replaced by the share of pixels where it is active.

    Parameters
    ----------
    model : FloatModel
    acts : list of ndarray, shape (N, H, W, O)
        The float network's activations of every layer on calibration crops.

    Returns
    -------
    list of ndarray of float64, shape (O,)
    """
    response = np.ones((model.network.layers[-1].out_ch, 1, 1))  # of the output to an impulse in a channel
    gains = [np.ones(len(response))]
    for weight, act in zip(model.weights[:0:-1], acts[-2::-1]):
        _, k, _, in_ch = weight.shape
        side = response.shape[1]
        before = np.zeros((in_ch, side + k - 1, side + k - 1))
        for i in range(k):
            for j in range(k):
                before[:, i : i + side, j : j + side] += np.tensordot(
                    weight[:, i, j].astype(np.float64), response, axes=(0, 0)
                )
        active = np.mean(act > 0, axis=(0, 1, 2))
        response = before * active[:, None, None]
        gains.append((before**2).sum((1, 2)) * active)
    return gains[::-1]


def plan_parts(
    largest: np.ndarray, gain: np.ndarray, covariance: np.ndarray, filters: np.ndarray, next_gain: np.ndarray
) -> list[Part]:
    """Decide what the integer channels of a hidden layer hold.

    Parameters
    ----------
    largest : ndarray, shape (O,)
        Largest activation of each channel on the calibration crops.
    gain : ndarray, shape (O,)
        See `noise_gains`.
    covariance : ndarray, shape (K, K)
        Of the next layer's windows in the float network.
    filters : ndarray, shape (P, k, k, O)
        The next layer's weights.
    next_gain : ndarray, shape (P,)

    Returns
    -------
    list of Part
        O of them.
    """
    channels = len(largest)
    largest = np.maximum(largest, 0).astype(np.float64)
    noise = (largest / ACT_MAX) ** 2 / 12 * gain  # output error when each is rounded to 8 bits
    dead = largest == 0
    cost = _loss_without_channel(covariance, filters, next_gain)
    dispensable = [int(channel) for channel in np.argsort(cost, kind="stable") if not dead[channel]][:MOST_PRUNED]
    places = [(0.0, int(channel)) for channel in np.flatnonzero(dead)] + [
        (cost[channel], channel) for channel in dispensable
    ]
    parts = np.ones(channels, int)
    for price, place in places:
        count = np.maximum(parts, 1)
        benefit = np.where((parts > 0) & (parts < MOST_PARTS), noise * (1 / count**2 - 1 / (count + 1) ** 2), 0)
        benefit[place] = 0  # a dead channel has none, a dispensable one can't take its own place
        best = int(np.argmax(benefit))
        if benefit[best] < max(price, LEAST_GAIN / ACT_MAX**2) or parts[place] > 1:
            break
        parts[best] += 1
        parts[place] = 0
    plan = []
    for channel, count in enumerate(parts):
        width = largest[channel] / max(count, 1)
        plan += [Part(channel, width * i, width if i < count - 1 else np.inf) for i in range(count)]
    return plan


def _loss_without_channel(covariance, filters, next_gain):
    """Output error left when a channel is missing and the next layer's other weights have been fitted anew, (O,)."""
    channels, size = filters.shape[3], len(covariance)
    flat = filters.reshape(len(filters), size).astype(np.float64)
    inverse = np.linalg.inv(covariance + 1e-6 * np.trace(covariance) / size * np.eye(size))
    weight = next_gain * (SMOOTHNESS if len(filters) > 1 else 1)
    loss = np.empty(channels)
    for channel in range(channels):
        taps = np.arange(channel, size, channels)  # the input channel is the fastest axis of a filter
        missing = flat[:, taps]
        loss[channel] = weight @ np.einsum("pi,ij,pj->p", missing, np.linalg.inv(inverse[np.ix_(taps, taps)]), missing)
    return loss
