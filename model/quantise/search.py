"""Float weights -> integer weights, from a calibration set: numpy only, the same result on every run and processor.

An activation of real value v (pixels in [0, 1]) is stored as v / step, with one real step per channel that is folded
into the weights on both sides (ReLU allows it: relu(s v) = s relu(v)); what ties steps together is in
`model.quantise.storage`. So a layer's filter in stored units is W * step_in / step_out, and its integer filter that
times 2^shift. Layer by layer:

1. decide what its channels hold (`model.quantise.channels`: strong ones are split over unused places);
2. run the integer layers so far on calibration crops, beside the float network, and find by least squares the real
   filters that best make the float outputs from the integer inputs: errors so far are undone as far as filters can. A
   residual has to undo those of the tensor that it is added to as well;
3. per channel, try steps and shifts: activation rounding against weight rounding, least sum wins
   (`model.quantise.convolution`);
4. round with error feedback, polish (`model.quantise.layer`); the bias takes up the mean error last, and with it what
   the inputs' zero points add, by the rounded weights.
"""

from __future__ import annotations

import hashlib
import pathlib
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from model.base.errors import UserError
from model.data.datasets import degrade, read_picture, split_sets, training_sets
from model.graph.formats import ACT_BITS, BIAS_BITS, WEIGHT_BITS
from model.graph.kinds import Add, Conv
from model.graph.network import INPUT
from model.graph.weights import FloatModel, QuantModel
from model.integer import golden
from model.integer.exact import total
from model.integer.floating import activate, add, float_tensors
from model.quantise.channels import SMOOTHNESS, losses_without_channel, noise_gains, plan_parts, whole_channels
from model.quantise.convolution import Goal, quantise_convolution, snap_slopes
from model.quantise.data import covariance, cut_crops
from model.quantise.layer import WEIGHT_MAX, WEIGHT_MIN
from model.quantise.storage import ACT_MAX, Storage, addition_of, movable

if TYPE_CHECKING:
    from model.graph.network import Network

CALIBRATION_SET = "T91"
PLAN_STRIDE = 4  # every 4th crop is enough to see which channels can be spared


@threadpool_limits.wrap(
    limits=1, user_api="blas"
)  # thousands of small products: threads would only wait for each other
def quantise(float_model: FloatModel, pictures: list[np.ndarray], seed: int = 0) -> tuple[QuantModel, list[dict]]:
    """Quantise a trained network.

    Parameters
    ----------
    float_model : FloatModel
    pictures : list of ndarray of uint8, shape (H, W), or (H, W, 3) for an RGB network
        Calibration: network inputs, that is pictures degraded as the network takes them. Never test pictures.
    seed : int
        Of the choice of crops.

    Returns
    -------
    model : QuantModel
    rows : list of dict
        Per convolution: formats, ranges, steps, saturation counts, worst accumulator, errors.

    Raises
    ------
    UserError
        No pictures; a convolution without activation whose output is neither added nor shown; a clip that is tied to
        another step.
    """
    if not pictures:
        raise UserError("quantisation needs at least one calibration picture; name a data set that has some")
    _check_activations(float_model.network)
    return _Walk(float_model, cut_crops(pictures, float_model.network.halo, seed)).run()


class _Walk:
    """One way through a network, layer by layer: what is stored so far, in which channels and steps."""

    def __init__(self, model, crops):
        self.model, self.network = model, model.network
        self.values = float_tensors(model, crops)
        self.gains = noise_gains(model, self.values)
        self.storage = Storage(model, self.values)
        self.stored = {INPUT: crops.reshape(*crops.shape[:3], -1)}  # what the integer network has computed
        self.source = {name: np.arange(t.channels) for name, t in self.network.tensors.items()}  # the float channel
        self.parameters = dict(
            zip((layer.name for layer in self.network.convs), zip(model.weights, model.biases, model.slopes))
        )

    def run(self):
        layers, rows = [], []
        for layer in self.network.layers:
            given = [self.stored[name] for name in layer.inputs]
            if isinstance(layer, Conv):
                q, row = self.convolution(layer)
                layers.append(q)
                rows.append(row)
            elif isinstance(layer, Add):
                self.stored[layer.name] = np.stack([golden.add(*pair) for pair in zip(*given)])
            else:
                self.stored[layer.name] = np.stack([golden.depth_to_space(x, layer.factor) for x in given[0]])
        return QuantModel(self.network, self.model.upscale, tuple(layers)), rows

    def convolution(self, layer):
        """Return a layer's integers and its row of the report; what it stores is in `stored` then."""
        before, name = layer.inputs[0], layer.name
        weight, _, slope = self.parameters[name]
        parts = self.parts(layer)
        source, low, cap = (np.array(column) for column in zip(*parts))
        self.source[name] = source
        goal = self.goal(layer, source, low, cap, slope)
        step_in = self.storage.fixed_steps(before)
        weight = weight[source][..., self.source[before]] * step_in
        q, step, zero = quantise_convolution(layer, weight, self.stored[before], goal)
        self.storage.decide(name, step, zero)
        self.stored[name] = np.stack([golden.layer_output(q, x, layer.signed) for x in self.stored[before]])
        return q, _report_row(layer, q, parts, self.stored[name], goal, step, zero)

    def parts(self, layer):
        """Decide what the channels of a layer hold."""
        if layer.activation != "relu" or not movable(self.network, layer):
            return whole_channels(layer)
        act = activate(layer, self.values[layer.name][::PLAN_STRIDE])
        loss = np.zeros(layer.out_ch)
        for reader in self.network.readers(layer.name):
            behind = any(isinstance(other, Conv) for other in self.network.readers(reader.name))
            weight = self.gains[reader.name] * (SMOOTHNESS if behind else 1)
            loss += losses_without_channel(covariance(act, reader.k), self.parameters[reader.name][0], weight)
        return plan_parts(self.values[layer.name].max((0, 1, 2)), self.gains[layer.name], loss)

    def goal(self, layer, source, low, cap, slope):
        """Return what the layer's channels, as planned, should give, and how that may be stored."""
        name, storage = layer.name, self.storage
        target = self.values[name][..., source] - low.astype(np.float32)
        step, zero = storage.fixed_steps(name), storage.zero[storage.tie[name]]
        least, most = storage.ranges(name)
        if layer.signed:
            target = target + self.shortfall(layer)
        elif movable(self.network, layer) and slope is None:
            step = np.where(np.isinf(cap), step, cap / ACT_MAX)
            least, most = np.zeros(layer.out_ch), np.maximum(target.max((0, 1, 2)), 0)
        if slope is not None:
            slope = snap_slopes(slope)
        goal = Goal(target, cap, step, zero, least, most, slope)
        if layer.signed:  # nothing to choose: it is not this layer that rounds to the step
            goal.step, goal.zero = goal.usual_storage()
        return goal

    def shortfall(self, layer):
        """Return what the tensor that a residual is added to lacks in integers, as the residual sees it."""
        earlier = addition_of(self.network, layer).inputs[1]
        if earlier not in self.stored:
            return np.float32(0)
        act = self.values[earlier]
        for conv in self.network.convs:
            if conv.name == earlier:
                act = activate(conv, act, self.parameters[earlier][2])
        lacking = (act - self.storage.real(earlier, self.stored[earlier])).astype(np.float32)
        nothing = np.zeros((len(lacking), *self.values[layer.name].shape[1:]), np.float32)
        return np.stack([add(*pair) for pair in zip(nothing, lacking)])


def _check_activations(network: Network):
    """Raise `UserError` if a convolution's output may be negative but is stored from 0 on."""
    for layer in network.convs:
        if not (layer.relu or layer.signed or network.shows(layer.name)):
            raise UserError(
                f"layer {layer.name} has no ReLU, but activations are stored unsigned; only a layer that is added, or "
                f"the last one, may go without"
            )


def _report_row(layer, q, parts, stored, goal, step, zero):
    whole = [part.source for part in parts if part.cap > 0]
    least, most = (-ACT_MAX - 1, ACT_MAX) if layer.signed else (0, ACT_MAX)
    zero = zero * (not layer.signed)  # the tensor that a residual is added to has it
    value_max, squares = 0.0, 0.0
    for channel in range(layer.out_ch):
        limits = ((end - zero[channel]) * step[channel] for end in (least, most))
        exact = np.clip(goal.values(layer, channel), *limits)
        real = (stored[..., channel].ravel().astype(np.float64) - zero[channel]) * step[channel]
        value_max, squares = max(value_max, float(exact.max())), squares + float(total((real - exact) ** 2))
    return {
        "layer": layer.name,
        "weights": f"int{WEIGHT_BITS}",
        "activations": f"int{ACT_BITS + 1}" if layer.signed else f"uint{ACT_BITS}",
        "bias_bits": BIAS_BITS,
        "shift_min": int(q.shift.min()),
        "shift_max": int(q.shift.max()),
        "weight_min": int(q.weight.min()),
        "weight_max": int(q.weight.max()),
        "weights_at_limit": int(((q.weight == WEIGHT_MIN) | (q.weight == WEIGHT_MAX)).sum()),
        "bias_largest": int(np.abs(q.bias).max()),
        "step_min": float(step.min()),
        "step_max": float(step.max()),
        "value_max": value_max,
        "split": len(whole) - len(set(whole)),
        "dropped": len(parts) - len(set(whole)),
        "unused": int((~q.weight.any((1, 2, 3))).sum()),
        "values": int(stored.size),
        "saturated": int(((stored == most) | ((stored == least) & (least < 0))).sum()),
        "rms_error": float(np.sqrt(squares / stored.size)),
        "worst_accumulator": q.worst_accumulator,
        "acc_limit": 2 ** (layer.acc_bits - 1) - 1,
        "acc_bits": layer.acc_bits,
    }


def calibration_pictures(
    upscale: int, degradation: str = "standard", data: str = "", kind: str = "upscaled"
) -> tuple[list[np.ndarray], list[pathlib.Path]]:
    """Return the network inputs to calibrate with, and their files: the training part of T91 (or of `data`), degraded
    as a network takes it whose `Network.input` is `kind`. Pictures too small for the factor are left out.
    """
    files = split_sets(training_sets(data))[0]
    pictures = {path: read_picture(path) for path in files}
    files = [path for path in files if min(pictures[path].shape[:2]) >= upscale]
    return [degrade(pictures[path], upscale, degradation, kind)[0] for path in files], files


def provenance(config: dict, source: str | pathlib.Path, files: list[pathlib.Path], seed: int) -> dict:
    """Return where integer weights come from: command, calibration files, degradation, digest of the float weights."""
    command = f"python -m model.quantise --network {config['network']} --upscale {config['upscale']}"
    usual = {"degradation": "standard", "data": "", "seed": 0}
    for name, value in (config | {"seed": seed}).items():
        if name in usual and value != usual[name]:
            command += f" --{name} {value}"
    return {
        "command": command,
        "calibration_set": config.get("data") or CALIBRATION_SET,
        "calibration_files": [path.name for path in files],
        "degradation": config["degradation"],
        "seed": seed,
        "float_sha256": hashlib.sha256(pathlib.Path(source).read_bytes()).hexdigest(),
    }
