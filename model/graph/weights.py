"""Weight files: float weights as trained, integer weights as the hardware holds them.

Both are `.npz` archives in `model/weights/`, with weights in the project's order O, Kh, Kw, I:
`<network>_x<upscale>.npz` (float32) and `<network>_x<upscale>_int8.npz`. Weights trained for another
degradation than the standard one carry its name: `<network>_x<upscale>_<degradation>.npz`; those trained with other
pictures than T91 say with which: `<network>_x<upscale>_t91bsds399.npz`.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from typing import TYPE_CHECKING

import numpy as np

from model.base.errors import UserError
from model.base.paths import WEIGHTS, atomic_write
from model.graph.description import list_networks, load_network
from model.graph.formats import ACT_BITS, BIAS_BITS, MAX_SHIFT, MAX_SLOPE, WEIGHT_BITS
from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import Network

if TYPE_CHECKING:
    import os

DEGRADATIONS = ("standard", "opencv", "photo")
T91, BOTH = "T91", "T91+BSDS399"
TRAINED_ON = (T91, BOTH)  # the pictures that committed weights are trained on, as `--data` has them
USUAL_DATA = {"standard": T91, "opencv": T91, "photo": BOTH}  # where nothing is said


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
        One of each per `network.convs`.
    meta : dict
        Provenance: command, data, seed, results. JSON-serialisable.
    slopes : tuple of ndarray or None
        float32 (O,) of every PReLU, None of the other convolutions.
    """

    network: Network
    upscale: int
    weights: tuple
    biases: tuple
    meta: dict = dataclasses.field(default_factory=dict)
    slopes: tuple = ()

    def __post_init__(self):
        _check_shapes(self.network, self.weights, self.biases)
        _check_upscale(self)
        if not self.slopes:
            object.__setattr__(self, "slopes", (None,) * len(self.weights))
        for layer, weight, bias, slope in zip(self.network.convs, self.weights, self.biases, self.slopes, strict=True):
            if (layer.activation == "prelu") != (slope is not None) or (
                slope is not None and (slope.shape != bias.shape or not np.isfinite(slope).all())
            ):
                raise UserError(f"layer {layer.name} needs a finite slope per channel if it is a PReLU, or else none")
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
    """Integer parameters of one layer: weight int8 (O, Kh, Kw, I), bias int32 (O,), shift uint8 (O,).

    A PReLU also has, per channel, `slope` (further right shift of negative sums) and `zero` (what 0 is stored as), both
    uint8 (O,); None of other layers.
    """

    weight: np.ndarray
    bias: np.ndarray
    shift: np.ndarray
    slope: np.ndarray | None = None
    zero: np.ndarray | None = None

    @property
    def worst_accumulator(self) -> int:
        """Bound on |accumulator| and on every partial sum, in any order, for any uint8 input, rounding term
        included.
        """
        limit = 2**ACT_BITS - 1
        weight = self.weight.astype(np.int64).reshape(len(self.weight), -1)
        slope = 0 if self.slope is None else self.slope.astype(np.int64)
        half = (1 << self.shift.astype(np.int64) + slope) >> 1
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
        _check_upscale(self)
        for layer, q in zip(self.network.convs, self.layers):
            if q.weight.dtype != np.int8 or q.bias.dtype != np.int32 or q.shift.dtype != np.uint8:
                raise UserError(
                    f"layer {layer.name} has to be int8 weights, int32 biases, uint8 shifts; quantise again"
                )
            if q.shift.shape != (layer.out_ch,) or q.shift.max() > MAX_SHIFT:
                raise UserError(
                    f"layer {layer.name} needs {layer.out_ch} shifts of at most {MAX_SHIFT}; quantise again"
                )
            _check_prelu(layer, q)
            if np.abs(q.bias.astype(np.int64)).max() >= 2 ** (BIAS_BITS - 1):
                raise UserError(f"layer {layer.name} has a bias outside {BIAS_BITS} bits; quantise again")
            if q.worst_accumulator >= 2 ** (layer.acc_bits - 1):
                raise UserError(
                    f"layer {layer.name} could overflow its {layer.acc_bits} bit accumulator; quantise again"
                )


def weight_path(
    network: str | os.PathLike, upscale: int, degradation: str = "standard", quantised: bool = False, data: str = ""
) -> pathlib.Path:
    """Return where the committed weights of a network lie.

    Parameters
    ----------
    network : path-like
    upscale : int
    degradation : str
    quantised : bool
    data : str
        What they are trained on: T91, T91+BSDS399; what is usual for the degradation unless it is said.

    Returns
    -------
    pathlib.Path
    """
    suffix = "" if degradation == "standard" else f"_{degradation}"
    suffix += "" if data in ("", USUAL_DATA[degradation]) else f"_{data_suffix(data)}"
    return WEIGHTS / f"{pathlib.Path(network).stem}_x{upscale}{suffix}{'_int8' if quantised else ''}.npz"


def data_suffix(data: str) -> str:
    """Return what names of weight files say of training pictures: t91bsds399 for T91+BSDS399, a folder's last part."""
    return "".join(re.sub("[^a-z0-9]", "", pathlib.Path(part).name.lower()) for part in data.split("+"))


def save_float(model: FloatModel, path: str | os.PathLike) -> None:
    """Write a `FloatModel`; the file appears only when it is complete."""
    arrays = {}
    for layer, weight, bias, slope in zip(model.network.convs, model.weights, model.biases, model.slopes):
        arrays[f"{layer.name}_weight"] = np.asarray(weight, np.float32)
        arrays[f"{layer.name}_bias"] = np.asarray(bias, np.float32)
        if slope is not None:
            arrays[f"{layer.name}_slope"] = np.asarray(slope, np.float32)
    _save(path, model, arrays, "float")


def save_quant(model: QuantModel, path: str | os.PathLike) -> None:
    """Write a `QuantModel`; the file appears only when it is complete."""
    arrays = {}
    for layer, q in zip(model.network.convs, model.layers):
        for part in _parts(layer, "int8"):
            arrays[f"{layer.name}_{part}"] = getattr(q, part)
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
        tuple(arrays[f"{layer.name}_weight"] for layer in described.convs),
        tuple(arrays[f"{layer.name}_bias"] for layer in described.convs),
        header["meta"],
        tuple(arrays.get(f"{layer.name}_slope") for layer in described.convs),
    )


def load_quant(path: str | os.PathLike, network: str | None = None) -> QuantModel:
    """Read a `QuantModel`; parameters and errors as for `load_float`."""
    described, header, arrays = _load(path, network, "int8")
    layers = tuple(
        QuantLayer(**{part: arrays[f"{layer.name}_{part}"] for part in _parts(layer, "int8")})
        for layer in described.convs
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
    small = model.network.convs
    alike = (len(small), model.network.upscale) == (len(network.convs), network.upscale) and all(
        (a.in_ch, a.out_ch, a.activation) == (b.in_ch, b.out_ch, b.activation) and a.k <= b.k
        for a, b in zip(small, network.convs)
    )
    if not alike:
        raise UserError(
            f"weights of {model.network.name} can't start a training of {network.name}: "
            "choose weights of a network with the same channels and no larger filters"
        )
    margins = [(new.k - old.k) // 2 for old, new in zip(small, network.convs)]
    weights = tuple(np.pad(weight, ((0, 0), (m, m), (m, m), (0, 0))) for weight, m in zip(model.weights, margins))
    return FloatModel(network, model.upscale, weights, model.biases, model.meta, model.slopes)


def _save(path, model, arrays, kind):
    header = {
        "kind": kind,
        "network": model.network.name,
        "upscale": model.upscale,
        "input": model.network.input,
        "layers": [{"kind": type(layer).__name__} | dataclasses.asdict(layer) for layer in model.network.layers],
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
            "layers": tuple(map(_read_layer, header.get("layers") or ())),
            "input": header.get("input", "upscaled"),
        }
    except Exception as error:  # a damaged archive makes numpy and zipfile raise a dozen kinds
        raise UserError(f"{path} is not a readable weight file; take a file written by this project") from error
    if header["kind"] != kind:
        raise UserError(
            f"{path} holds {header['kind']} weights where {kind} weights are needed; choose the other file of the pair"
        )
    wanted = load_network(network, header["upscale"]) if network is not None else None
    if wanted is not None and header["network"] != wanted.name:
        raise UserError(
            f"{path} holds weights of {header['network']}, not of {network}; choose the weights of {network}"
        )
    if network is None and header["network"] not in list_networks() and header["layers"]:  # of a description elsewhere
        upscale = header["upscale"] if header["input"] != "upscaled" else None
        described = Network(header["network"], header["layers"], header["input"], upscale)
    else:
        described = wanted or load_network(header["network"], header["upscale"])
    needed = [f"{layer.name}_{part}" for layer in described.convs for part in _parts(layer, kind)]
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise UserError(f"{path} lacks {missing[0]}; it was written for another description of {header['network']}")
    return described, header, arrays


def _read_layer(described):
    """Return a layer from its description in a weight file; files of chains say "relu" and name no kind."""
    described = dict(described)
    kind = {kind.__name__: kind for kind in (Conv, Add, DepthToSpace)}[described.pop("kind", "Conv")]
    if "relu" in described:
        described["activation"] = "relu" if described.pop("relu") else "none"
    return kind(**described | {"inputs": tuple(described.get("inputs", ()))})


def quant_parts(layer: Conv) -> tuple[str, ...]:
    """Return the fields of `QuantLayer` that a convolution has."""
    return ("weight", "bias", "shift", "slope", "zero")[: 5 if layer.activation == "prelu" else 3]


def _parts(layer, kind):
    """Return what a weight file holds of a convolution."""
    if kind == "int8":
        return quant_parts(layer)
    return ("weight", "bias", "slope")[: 3 if layer.activation == "prelu" else 2]


def _check_prelu(layer, q):
    """Raise `UserError` unless a PReLU has slopes and zero points in range, and no other layer has any."""
    if layer.activation != "prelu":
        if q.slope is not None or q.zero is not None:
            raise UserError(f"layer {layer.name} is no PReLU but has slopes; quantise again")
        return
    whole = all(
        part is not None and part.dtype == np.uint8 and part.shape == (layer.out_ch,) for part in (q.slope, q.zero)
    )
    if not whole or q.slope.max() > MAX_SLOPE or (q.shift.astype(int) + q.slope).max() > MAX_SHIFT:
        raise UserError(
            f"layer {layer.name} needs {layer.out_ch} slopes of at most {MAX_SLOPE} (with the shift {MAX_SHIFT}) and "
            f"as many zero points, uint8; quantise again"
        )


def _check_upscale(model):
    scale = model.upscale if model.network.input != "upscaled" else model.network.scale
    if model.network.upscale not in (None, model.upscale) or model.network.scale != scale:
        raise UserError(
            f"{model.network.label} does not fit weights for x{model.upscale}; choose the network of that factor"
        )


def _check_shapes(network, weights, biases):
    if not len(weights) == len(biases) == len(network.convs):
        raise UserError(
            f"{network.name} has {len(network.convs)} layers, the weights have {len(weights)}; choose weights of "
            f"this network"
        )
    for layer, weight, bias in zip(network.convs, weights, biases):
        if weight.shape != layer.weight_shape or bias.shape != (layer.out_ch,):
            raise UserError(
                f"layer {layer.name} of {network.name} needs weights of shape {layer.weight_shape}, "
                f"not {weight.shape}; choose weights of this network"
            )
