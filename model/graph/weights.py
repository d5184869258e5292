"""Weight files: float weights as trained, integer weights as the hardware holds them.

Both are `.npz` archives in `model/weights/`, with weights in the project's order O, Kh, Kw, I:
`<network>_x<upscale>.npz` (float32) and `<network>_x<upscale>_int8.npz`. Weights trained for another
degradation than the standard one carry its name: `<network>_x<upscale>_<degradation>.npz`.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.base.paths import WEIGHTS, atomic_write
from model.graph.formats import ACT_BITS, BIAS_BITS, MAX_SHIFT, WEIGHT_BITS
from model.graph.kinds import Conv
from model.graph.network import Network, list_networks, load_network

if TYPE_CHECKING:
    import os

DEGRADATIONS = ("standard", "opencv")


@dataclasses.dataclass(frozen=True)
class FloatModel:
    """Trained weights.

    Attributes
    ----------
    network : Network
    upscale : int
        2, 3 or 4.
    weights, biases : tuple of ndarray
        float32, shapes (O, Kh, Kw, I) and (O,); input and output pixels are in [0, 1].
    meta : dict
        Provenance: command, data, seed, results. JSON-serialisable.
    """

    network: Network
    upscale: int
    weights: tuple
    biases: tuple
    meta: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        _check_shapes(self.network, self.weights, self.biases)
        for layer, weight, bias in zip(self.network.layers, self.weights, self.biases):
            if weight.dtype.kind != "f" or bias.dtype.kind != "f":
                raise UserError(
                    f"the weights of layer {layer.name} are {weight.dtype}, not floats; take a file written by this "
                    f"project"
                )
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise UserError(
                    f"the weights of layer {layer.name} hold NaN or infinity; train again from the last good checkpoint"
                )


@dataclasses.dataclass(frozen=True)
class QuantLayer:
    """Integer parameters of one layer: weight int8 (O, Kh, Kw, I), bias int32 (O,), shift uint8 (O,)."""

    weight: np.ndarray
    bias: np.ndarray
    shift: np.ndarray

    @property
    def worst_accumulator(self) -> int:
        """Bound on |accumulator| and on every partial sum, in any order, for any uint8 input, rounding term
        included.
        """
        limit = 2**ACT_BITS - 1
        weight = self.weight.astype(np.int64).reshape(len(self.weight), -1)
        half = (1 << self.shift.astype(np.int64)) >> 1
        one_sided = np.maximum(np.maximum(weight, 0).sum(1), -np.minimum(weight, 0).sum(1))
        return int((one_sided * limit + np.abs(self.bias.astype(np.int64)) + half).max())


@dataclasses.dataclass(frozen=True)
class QuantModel:
    """A network in integers; see `model.integer.golden` for what is computed with it."""

    network: Network
    upscale: int
    layers: tuple
    meta: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        _check_shapes(self.network, [q.weight for q in self.layers], [q.bias for q in self.layers])
        for layer, q in zip(self.network.layers, self.layers):
            if q.weight.dtype != np.int8 or q.bias.dtype != np.int32 or q.shift.dtype != np.uint8:
                raise UserError(
                    f"layer {layer.name} has to be int8 weights, int32 biases, uint8 shifts; quantise again"
                )
            if q.shift.shape != (layer.out_ch,) or q.shift.max() > MAX_SHIFT:
                raise UserError(
                    f"layer {layer.name} needs {layer.out_ch} shifts of at most {MAX_SHIFT}; quantise again"
                )
            if np.abs(q.bias.astype(np.int64)).max() >= 2 ** (BIAS_BITS - 1):
                raise UserError(f"layer {layer.name} has a bias outside {BIAS_BITS} bits; quantise again")
            if q.worst_accumulator >= 2 ** (layer.acc_bits - 1):
                raise UserError(
                    f"layer {layer.name} could overflow its {layer.acc_bits} bit accumulator; quantise again"
                )


def weight_path(
    network: str | os.PathLike, upscale: int, degradation: str = "standard", quantised: bool = False
) -> pathlib.Path:
    """Return where the committed weights of a network lie."""
    suffix = "" if degradation == "standard" else f"_{degradation}"
    return WEIGHTS / f"{pathlib.Path(network).stem}_x{upscale}{suffix}{'_int8' if quantised else ''}.npz"


def save_float(model: FloatModel, path: str | os.PathLike) -> None:
    """Write a `FloatModel`; the file appears only when it is complete."""
    arrays = {}
    for layer, weight, bias in zip(model.network.layers, model.weights, model.biases):
        arrays[f"{layer.name}_weight"] = np.asarray(weight, np.float32)
        arrays[f"{layer.name}_bias"] = np.asarray(bias, np.float32)
    _save(path, model, arrays, "float")


def save_quant(model: QuantModel, path: str | os.PathLike) -> None:
    """Write a `QuantModel`; the file appears only when it is complete."""
    arrays = {}
    for layer, q in zip(model.network.layers, model.layers):
        arrays[f"{layer.name}_weight"] = q.weight
        arrays[f"{layer.name}_bias"] = q.bias
        arrays[f"{layer.name}_shift"] = q.shift
    _save(path, model, arrays, "int8")


def load_float(path: str | os.PathLike, network: str | None = None) -> FloatModel:
    """Read a `FloatModel`.

    Parameters
    ----------
    path : path-like
    network : str, optional
        Name (or .toml file) of the network the caller needs; weights of another one are refused.

    Raises
    ------
    UserError
        Missing or damaged file, weights of another network, NaN weights.
    """
    described, header, arrays = _load(path, network, "float")
    return FloatModel(
        described,
        header["upscale"],
        tuple(arrays[f"{layer.name}_weight"] for layer in described.layers),
        tuple(arrays[f"{layer.name}_bias"] for layer in described.layers),
        header["meta"],
    )


def load_quant(path: str | os.PathLike, network: str | None = None) -> QuantModel:
    """Read a `QuantModel`; parameters and errors as for `load_float`."""
    described, header, arrays = _load(path, network, "int8")
    layers = tuple(
        QuantLayer(arrays[f"{layer.name}_weight"], arrays[f"{layer.name}_bias"], arrays[f"{layer.name}_shift"])
        for layer in described.layers
    )
    return QuantModel(described, header["upscale"], layers, header["meta"])


def widen(model: FloatModel, network: Network) -> FloatModel:
    """Return weights of `network` that compute what those of a network with smaller filters compute.

    Every filter sits in the middle of a larger one of zeros, so that a training of 9-5-5 may start from 9-1-5.

    Parameters
    ----------
    model : FloatModel
    network : Network
        As many layers, the same channels and ReLUs, no filter smaller than the model's.

    Returns
    -------
    FloatModel

    Raises
    ------
    UserError
        If the networks differ in more than filter sizes.
    """
    small = model.network.layers
    alike = len(small) == len(network.layers) and all(
        (a.in_ch, a.out_ch, a.relu) == (b.in_ch, b.out_ch, b.relu) and a.k <= b.k for a, b in zip(small, network.layers)
    )
    if not alike:
        raise UserError(
            f"weights of {model.network.name} can't start a training of {network.name}: "
            "choose weights of a network with the same channels and no larger filters"
        )
    margins = [(new.k - old.k) // 2 for old, new in zip(small, network.layers)]
    weights = tuple(np.pad(weight, ((0, 0), (m, m), (m, m), (0, 0))) for weight, m in zip(model.weights, margins))
    return FloatModel(network, model.upscale, weights, model.biases, model.meta)


def _save(path, model, arrays, kind):
    header = {
        "kind": kind,
        "network": model.network.name,
        "upscale": model.upscale,
        "layers": [dataclasses.asdict(layer) for layer in model.network.layers],
        "weight_bits": WEIGHT_BITS,
        "act_bits": ACT_BITS,
        "meta": model.meta,
    }
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, header=np.array(json.dumps(header, sort_keys=True)), **arrays)


def _load(path, network, kind):
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"there is no weight file {path}; make it with `make train` and `make quantise`")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop("header")))
        header = {name: header[name] for name in ("kind", "network", "upscale", "meta")} | {
            "layers": header.get("layers")
        }
        header["layers"] = tuple(
            Conv(**layer | {"inputs": tuple(layer.get("inputs", ()))}) for layer in header["layers"] or ()
        )
    except Exception as error:  # a damaged archive makes numpy and zipfile raise a dozen kinds
        raise UserError(f"{path} is not a readable weight file; take a file written by this project") from error
    if header["kind"] != kind:
        raise UserError(
            f"{path} holds {header['kind']} weights where {kind} weights are needed; choose the other file of the pair"
        )
    wanted = load_network(network) if network is not None else None
    if wanted is not None and header["network"] != wanted.name:
        raise UserError(
            f"{path} holds weights of {header['network']}, not of {network}; choose the weights of {network}"
        )
    if network is None and header["network"] not in list_networks() and header["layers"]:  # of a description elsewhere
        described = Network(header["network"], header["layers"])
    else:
        described = wanted or load_network(header["network"])
    parts = ("weight", "bias", "shift") if kind == "int8" else ("weight", "bias")
    needed = [f"{layer.name}_{part}" for layer in described.layers for part in parts]
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise UserError(f"{path} lacks {missing[0]}; it was written for another description of {header['network']}")
    return described, header, arrays


def _check_shapes(network, weights, biases):
    if not len(weights) == len(biases) == len(network.layers):
        raise UserError(
            f"{network.name} has {len(network.layers)} layers, the weights have {len(weights)}; choose weights of "
            f"this network"
        )
    for layer, weight, bias in zip(network.layers, weights, biases):
        if weight.shape != layer.weight_shape or bias.shape != (layer.out_ch,):
            raise UserError(
                f"layer {layer.name} of {network.name} needs weights of shape {layer.weight_shape}, "
                f"not {weight.shape}; choose weights of this network"
            )
