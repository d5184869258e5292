"""Float weights -> integer weights, from a calibration set: numpy only, the same result on every run.

An activation of real value v (pixels in [0, 1]) is stored as v / step, with one real step per channel that is folded
into the weights on both sides (ReLU allows it: relu(s v) = s relu(v)); the last layer's step is 1/255. So a layer's
filter in stored units is W * step_in / step_out, and its integer filter that times 2^shift. Layer by layer:

1. decide what its channels hold (`model.quantise.channels`: strong ones are split over unused places);
2. run the integer layers so far on calibration crops, beside the float network, and find by least squares the real
   filters that best make the float outputs from the integer inputs: errors so far are undone as far as filters can;
3. per channel, try steps and shifts: activation rounding against weight rounding, least sum wins;
4. round with error feedback, polish (`model.quantise.layer`); the bias takes up the mean error last.
"""

from __future__ import annotations

import hashlib
import pathlib

import numpy as np
from threadpoolctl import threadpool_limits

from model.base.errors import UserError
from model.base.paths import dataset_files
from model.data.datasets import degrade, picture_files, read_picture, split
from model.graph.formats import ACT_BITS, BIAS_BITS, MAX_SHIFT, WEIGHT_BITS
from model.graph.weights import FloatModel, QuantLayer, QuantModel
from model.integer import golden
from model.integer.floating import float_layers
from model.quantise.channels import noise_gains, plan_parts, whole_channels
from model.quantise.data import covariance, cut_crops, gather_fits
from model.quantise.layer import WEIGHT_MAX, WEIGHT_MIN, error, polish, round_with_feedback

ACT_MAX = 2**ACT_BITS - 1
CALIBRATION_SET = "T91"
PLAN_STRIDE = 4  # every 4th crop is enough to see which channels can be spared
# Tried steps, relative to the one that just holds the largest activation. Smaller ones, which clip, have a lower mean
# error per channel, but clipped values are large errors in neighbouring pixels at once: the output gets worse.
STEP_FACTORS = np.geomspace(1.0, 1.9, 48)
WEIGHT_CLIPPING = 1.2  # a filter may be tried whose largest weight is this much too large


@threadpool_limits.wrap(
    limits=1, user_api="blas"
)  # thousands of small products: threads would only wait for each other
def quantise(float_model: FloatModel, pictures: list[np.ndarray], seed: int = 0) -> tuple[QuantModel, list[dict]]:
    """Quantise a trained network.

    Parameters
    ----------
    float_model : FloatModel
    pictures : list of ndarray of uint8, shape (H, W)
        Calibration: network inputs, that is Y of pictures degraded and upscaled. Never test pictures.
    seed : int
        Of the choice of crops.

    Returns
    -------
    model : QuantModel
    rows : list of dict
        Per layer: formats, ranges, steps, saturation counts, worst accumulator, errors.

    Raises
    ------
    UserError
        No pictures; a layer before the last without ReLU.
    """
    network = float_model.network
    if not pictures:
        raise UserError("quantisation needs at least one calibration picture; name a data set that has some")
    for layer in network.layers[:-1]:
        if not layer.relu:
            raise UserError(
                f"layer {layer.name} has no ReLU, but activations are stored unsigned; only the last layer may go "
                f"without"
            )
    crops = cut_crops(pictures, network.halo, seed)
    outputs = float_layers(float_model, crops)
    gains = noise_gains(float_model, outputs)
    stored = crops[..., None]  # what the integer network has computed so far
    inputs, step_in = np.zeros(1, int), np.full(1, 1 / ACT_MAX)  # which float channels, in which steps
    layers, rows = [], []
    for index, layer in enumerate(network.layers):
        last = index == len(network.layers) - 1
        weight, z = float_model.weights[index], outputs[index]
        parts = whole_channels(layer)
        if not last:
            following = network.layers[index + 1]
            spread = covariance(np.maximum(z[::PLAN_STRIDE], 0), following.k)
            parts = plan_parts(z.max((0, 1, 2)), gains[index], spread, float_model.weights[index + 1], gains[index + 1])
        source, low, cap = (np.array(column) for column in zip(*parts))
        target = z[..., source] - low.astype(np.float32)
        q, step = _quantise_layer(layer, weight[source][..., inputs] * step_in, stored, target, cap, last)
        stored = np.stack([golden.layer_output(q, x) for x in stored])
        rows.append(_report_row(layer, q, parts, stored, np.clip(target, 0, 1 if last else cap), step))
        layers.append(q)
        inputs, step_in = source, step
    return QuantModel(network, float_model.upscale, tuple(layers)), rows


def _quantise_layer(layer, weight, stored, target, cap, last):
    """Return the layer's `QuantLayer` and its output steps (O,); `weight` makes real outputs from stored inputs."""
    original = weight.reshape(layer.out_ch, -1).astype(np.float64)
    integer = np.zeros(original.shape)
    bias, shift = np.zeros(layer.out_ch), np.zeros(layer.out_ch, np.int64)
    steps = np.full(layer.out_ch, 1 / ACT_MAX)
    for channel, fit in enumerate(gather_fits(layer, stored, target, cap)):
        values = target[..., channel].ravel() if last else np.clip(target[..., channel].ravel(), 0, cap[channel])
        if not last and values.max() <= 0:
            continue  # dead: zero weights and bias store 0 for ever
        filter_ = fit.solve(original[channel])
        candidates = _candidates(filter_, values, cap[channel], last)
        units = np.array([step * 0.5**s for step, s in candidates])  # real value of one accumulator unit
        scaled = filter_ / units[:, None]
        rounded = round_with_feedback(scaled, fit.inputs)
        total = error(rounded, scaled, fit.inputs) * units**2
        if not last:
            total = total * np.mean(values > 0) + [_storing_error(values, step) for step, _ in candidates]
        best = int(np.argmin(total))
        steps[channel], shift[channel] = candidates[best]
        integer[channel] = polish(rounded[best : best + 1], scaled[best : best + 1], fit.inputs)[0]
        bias[channel] = fit.bias(integer[channel] * units[best]) / units[best]
    limit = 2 ** (BIAS_BITS - 1) - 1
    q = QuantLayer(
        integer.reshape(layer.weight_shape).astype(np.int8),
        np.clip(np.rint(bias), -limit, limit).astype(np.int32),
        shift.astype(np.uint8),
    )
    return q, steps


def _candidates(filter_, values, cap, last):
    """Return (step, shift) pairs to try. Fixed steps: the last layer's, and that of a channel that has to saturate at
    `cap`.
    """
    if last:
        steps = [1 / ACT_MAX]
    else:
        steps = values.max() / ACT_MAX * STEP_FACTORS if np.isinf(cap) else [cap / ACT_MAX]
    largest = max(np.abs(filter_).max(), 1e-30)
    pairs = []
    for step in steps:
        fits = int(np.clip(np.floor(np.log2(WEIGHT_MAX * step / largest)), 0, MAX_SHIFT))
        pairs.append((step, fits))
        if fits < MAX_SHIFT and largest / step * 2.0 ** (fits + 1) <= WEIGHT_MAX * WEIGHT_CLIPPING:
            pairs.append((step, fits + 1))
    return pairs


def _storing_error(values, step):
    """Mean squared error of storing values with this step: rounding and clipping."""
    sample = values[::7]
    return float(np.mean((np.minimum(np.rint(sample / step), ACT_MAX) * step - sample) ** 2))


def _report_row(layer, q, parts, stored, exact, step):
    difference = stored * step - exact
    whole = [part.source for part in parts if part.cap > 0]
    return {
        "layer": layer.name,
        "weights": f"int{WEIGHT_BITS}",
        "activations": f"uint{ACT_BITS}",
        "bias_bits": BIAS_BITS,
        "shift_min": int(q.shift.min()),
        "shift_max": int(q.shift.max()),
        "weight_min": int(q.weight.min()),
        "weight_max": int(q.weight.max()),
        "weights_at_limit": int(((q.weight == WEIGHT_MIN) | (q.weight == WEIGHT_MAX)).sum()),
        "bias_largest": int(np.abs(q.bias).max()),
        "step_min": float(step.min()),
        "step_max": float(step.max()),
        "value_max": float(exact.max()),
        "split": len(whole) - len(set(whole)),
        "dropped": len(parts) - len(set(whole)),
        "unused": int((~q.weight.any((1, 2, 3))).sum()),
        "values": int(stored.size),
        "saturated": int((stored == ACT_MAX).sum()),
        "rms_error": float(np.sqrt(np.mean(difference.astype(np.float64) ** 2))),
        "worst_accumulator": q.worst_accumulator,
        "acc_limit": 2 ** (layer.acc_bits - 1) - 1,
        "acc_bits": layer.acc_bits,
    }


def calibration_pictures(
    upscale: int, degradation: str = "standard", data: str = ""
) -> tuple[list[np.ndarray], list[pathlib.Path]]:
    """Return the network inputs to calibrate with, and their files: the training part of T91 (or of a folder),
    degraded.
    """
    files = split(picture_files(pathlib.Path(data)) if data else dataset_files(CALIBRATION_SET))[0]
    return [degrade(read_picture(path), upscale, degradation)[0] for path in files], files


def provenance(config: dict, source: str | pathlib.Path, files: list[pathlib.Path], seed: int) -> dict:
    """Return where integer weights come from: command, calibration files, degradation, digest of the float weights."""
    command = f"python -m model.quantise --network {config['network']} --upscale {config['upscale']}"
    command += f" --degradation {config['degradation']}" * (config["degradation"] != "standard") + f" --seed {seed}" * (
        seed != 0
    )
    return {
        "command": command,
        "calibration_set": config.get("data") or CALIBRATION_SET,
        "calibration_files": [path.name for path in files],
        "degradation": config["degradation"],
        "seed": seed,
        "float_sha256": hashlib.sha256(pathlib.Path(source).read_bytes()).hexdigest(),
    }
