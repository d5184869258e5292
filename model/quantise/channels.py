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

from model.graph.kinds import Add, Conv
from model.integer.exact import matmul, total
from model.quantise import linear

if TYPE_CHECKING:
    from model.graph.weights import FloatModel

ACT_MAX = 255
MOST_PRUNED = 4  # channels of a layer that may give way
MOST_PARTS = 8  # of one channel
SMOOTHNESS = 2  # rounding noise is white; what a lost channel leaves behind is smooth and adds up in the layers behind
LEAST_GAIN = 1e-4  # grey levels squared: smaller gains are not worth a place
_RIDGE, _LEAST_RIDGE = 1e-6, 1e-14  # of the mean variance, and at least, with pixels in [0, 1]


class Part(typing.NamedTuple):
    """What an integer channel holds: clip(z - low, 0, cap) of the float network's channel `source`."""

    source: int
    low: float
    cap: float


def whole_channels(layer: Conv) -> list[Part]:
    """Return one `Part` per channel: nothing split, nothing dropped."""
    cap = np.inf if layer.cap is None else layer.cap
    return [Part(channel, 0.0, cap) for channel in range(layer.out_ch)]


def noise_gains(model: FloatModel, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return, per convolution and channel, the output's squared error per squared error of the channel.

    Summed over what one position of the channel reaches, per output pixel; for white noise, with each activation
    replaced by its mean slope.

    Parameters
    ----------
    model : FloatModel
    values : dict of str to ndarray
        From `model.integer.floating.float_tensors`, on calibration crops.

    Returns
    -------
    dict of str to ndarray of float64, shape (O,)
    """
    network = model.network
    weights, slopes = (
        {layer.name: given for layer, given in zip(network.convs, part)} for part in (model.weights, model.slopes)
    )
    # Per tensor and channel, the output's response to an impulse: output pixels, as many as any impulse in it reaches.
    responses = {
        name: np.zeros((t.channels, _reach(network, t), _reach(network, t), network.out_ch))
        for name, t in network.tensors.items()
    }
    last = responses[network.layers[-1].name]
    last[range(network.out_ch), 0, 0, range(network.out_ch)] = 1
    gains = {}
    for layer in reversed(network.layers):
        response = responses[layer.name]
        side, pixels = response.shape[1], network.scale // network.tensors[layer.name].scale
        before = responses[layer.inputs[-1]]
        if isinstance(layer, Conv):
            passed, squared = _mean_slopes(layer, values[layer.name], slopes[layer.name])
            gains[layer.name] = total((response**2).reshape(len(response), -1).T) * squared / pixels**2
            flat = (response * passed[:, None, None, None]).reshape(layer.out_ch, -1)
            for i in range(layer.k):
                for j in range(layer.k):
                    tap = matmul(weights[layer.name][:, i, j].T.astype(np.float64), flat)
                    down, right = (pixels * (layer.k - 1 - index) for index in (i, j))
                    before[:, down : down + side, right : right + side] += tap.reshape(-1, *response.shape[1:])
        elif isinstance(layer, Add):
            responses[layer.inputs[0]] += response
            crop = (before.shape[1] - side) // 2
            for channel, part in enumerate(response):
                before[channel % len(before), crop : crop + side, crop : crop + side] += part
        else:
            for channel in range(len(before)):
                place, source = divmod(channel, len(response))
                down, right = (pixels * index for index in divmod(place, layer.factor))
                before[channel, down : down + side, right : right + side] += response[source]
    return gains


def _reach(network, tensor):
    """Side of the square of output pixels that one position of a tensor can change."""
    pixels = network.scale // tensor.scale
    return network.output.shrink - tensor.shrink * pixels + pixels


def _mean_slopes(layer, z, slope):
    """Mean derivative of a layer's activation, (O,), and the share of its values that are rounded at all."""
    if layer.activation == "none":
        return np.ones(layer.out_ch), np.ones(layer.out_ch)
    active = np.count_nonzero((z > 0) & (z < (np.inf if layer.cap is None else layer.cap)), axis=(0, 1, 2))
    active = active / (z.size // layer.out_ch)
    if layer.activation == "prelu":
        return active + (1 - active) * slope, np.ones(layer.out_ch)
    return active, active


def losses_without_channel(covariance: np.ndarray, filters: np.ndarray, next_gain: np.ndarray) -> np.ndarray:
    """Return the output error left when a channel is missing and the next layer's other weights are fitted anew.

    Parameters
    ----------
    covariance : ndarray, shape (K, K)
        Of the next layer's windows in the float network.
    filters : ndarray, shape (P, k, k, O)
        The next layer's weights.
    next_gain : ndarray, shape (P,)

    Returns
    -------
    ndarray of float64, shape (O,)
    """
    channels, size = filters.shape[3], len(covariance)
    flat = filters.reshape(len(filters), size).astype(np.float64)
    ridge = _RIDGE * total(np.diag(covariance)) / size + _LEAST_RIDGE
    # inverse' inverse is the inverse of the covariance
    inverse = linear.invert_lower(linear.cholesky(covariance + ridge * np.eye(size)))
    loss = np.empty(channels)
    for channel in range(channels):
        taps = np.arange(channel, size, channels)  # the input channel is the fastest axis of a filter
        alone = inverse[:, taps]
        lower = linear.cholesky(matmul(np.ascontiguousarray(alone.T), alone))
        loss[channel] = total(next_gain * total(linear.substitute(lower, flat[:, taps].T) ** 2))
    return loss


def plan_parts(largest: np.ndarray, gain: np.ndarray, loss: np.ndarray) -> list[Part]:
    """Decide what the integer channels of a hidden layer hold.

    Parameters
    ----------
    largest : ndarray, shape (O,)
        Largest activation of each channel on the calibration crops.
    gain : ndarray, shape (O,)
        See `noise_gains`.
    loss : ndarray, shape (O,)
        See `losses_without_channel`; the sum of those of all readers.

    Returns
    -------
    list of Part
        O of them.
    """
    channels = len(largest)
    largest = np.maximum(largest, 0).astype(np.float64)
    noise = (largest / ACT_MAX) ** 2 / 12 * gain  # output error when each is rounded to 8 bits
    dead = largest == 0
    dispensable = [int(channel) for channel in np.argsort(loss, kind="stable") if not dead[channel]][:MOST_PRUNED]
    places = [(0.0, int(channel)) for channel in np.flatnonzero(dead)] + [
        (loss[channel], channel) for channel in dispensable
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
