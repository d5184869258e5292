"""An ONNX or Keras file as a network of the project: a description and float weights."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import numpy as np

from model.base.errors import UserError
from model.convert.builder import Builder
from model.convert.opened import Opened, open_network
from model.convert.operators import translate
from model.convert.planes import STEEP
from model.graph.kinds import Conv
from model.graph.network import INPUT, UPSCALES, Network, require_picture
from model.graph.weights import FloatModel

SMALL_SLOPE = 0.05  # negative slopes of less lie near the hardware's least


@dataclasses.dataclass(frozen=True)
class Imported:
    """What became of a file.

    Attributes
    ----------
    opened : Opened
    model : FloatModel
    origin : tuple of int
        Where the first pixel of what the file gives lies, in pixels of the result of the same picture here.
    black, white : float
        What the file calls black and white.
    nodes : dict of str to tuple of str
        The ONNX nodes that each layer stands for.
    notes : tuple of str
        What is so here and not in the file.
    """

    opened: Opened
    model: FloatModel
    origin: tuple
    black: float
    white: float
    nodes: dict[str, tuple]
    notes: tuple


def import_network(
    path: str | pathlib.Path,
    name: str | None = None,
    upscale: int | None = None,
    black: float = 0.0,
    white: float = 1.0,
) -> Imported:
    """Read an ONNX or Keras file.

    Parameters
    ----------
    path : path-like
    name : str, optional
        Of the network; from the file's name by default.
    upscale : int, optional
        The factor of a network that takes Y upscaled already; any other says it itself.
    black, white : float
        What the network calls black and white, at its input and its output.

    Returns
    -------
    Imported

    Raises
    ------
    UserError
        What is wrong with the file, or which node has no form here, and what to write instead.
    """
    path = pathlib.Path(path)
    if not white > black:
        raise UserError(f"white = {white:g} is not above black = {black:g}; name what the network calls both")
    opened = open_network(path)
    try:
        builder, origin, network = _translated(opened, name, upscale, black, white)
    except UserError:
        if not opened.loosened:
            raise
        opened = open_network(path, loosen=False)
        builder, origin, network = _translated(opened, name, upscale, black, white)
    kept = [builder.parameters[layer.name] for layer in network.convs]
    weights = tuple(_widened(weight, layer.k) for (weight, _, _), layer in zip(kept, network.convs))
    command = f"python -m hls.bring {path.name}"
    model = FloatModel(
        network,
        network.upscale or upscale,
        tuple(weight.astype(np.float32) for weight in weights),
        tuple(bias.astype(np.float32) for _, bias, _ in kept),
        {"command": command, "file": path.name, "black": black, "white": white},
        tuple(slope if slope is None else slope.astype(np.float32) for _, _, slope in kept),
    )
    notes = (*dict.fromkeys(builder.notes), *_slope_notes(model))
    nodes = {layer.name: builder.nodes[layer.name] for layer in network.layers}
    return Imported(opened, model, origin, black, white, nodes, notes)


def _translated(opened, name, upscale, black, white):
    builder = Builder(opened.channels, black, white)
    try:
        origin = translate(opened, builder)
        return builder, origin, _network(builder, name or network_name(opened.path), upscale)
    except UserError as error:
        raise UserError(f"{opened.path}: {error}") from error


def network_name(path: pathlib.Path) -> str:
    """Return a name for a network: the file's, of letters, digits and underscores."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", path.stem).strip("_")[:40]
    return name if re.match("[A-Za-z]", name) else f"net_{name}"[:40]


def _network(builder, name, upscale):
    """Return the network of a builder's layers, without those that nobody reads."""
    layers, needed = [], {builder.layers[-1].name} if builder.layers else set()
    for layer in reversed(builder.layers):
        if layer.name in needed:
            layers.insert(0, layer)
            needed |= set(layer.inputs)
    if INPUT not in needed:
        raise UserError("what it gives does not depend on the picture; export again")
    scale = builder.known[layers[-1].name].scale
    colour = builder.known[INPUT].channels == 3
    if scale == 1 and colour:
        raise UserError(
            "it gives as many pixels as it takes, in colour; a network of what is upscaled already takes Y alone, one "
            "for colours makes its factor itself"
        )
    if scale == 1 and upscale is None:
        raise UserError(
            "it gives as many pixels as it takes, so the picture is upscaled in front of it; name the factor "
            "(--upscale 3, UPSCALE=3)"
        )
    if scale > 1 and (scale not in UPSCALES or upscale not in (None, scale)):
        wanted = f"not x{upscale}" if scale in UPSCALES else f"here it is one of {', '.join(map(str, UPSCALES))}"
        raise UserError(f"its factor is {scale}, {wanted}; choose another network or factor")
    kind = "rgb" if colour else "y" if scale > 1 else "upscaled"
    network = _even(name, layers, kind, scale if scale > 1 else None)
    require_picture(network)
    return network


def _even(name, layers, kind, upscale):
    """Return the network; a filter behind depth-to-space gets as many zeros around it as make the halo a whole number
    of input pixels.
    """
    try:
        return Network(name, tuple(layers), kind, upscale)
    except UserError as error:
        if "no whole number of input pixels" not in str(error):
            raise
        first = error
    for more in range(2, 2 * (upscale or 1) + 1, 2):
        for i, layer in reversed(list(enumerate(layers))):
            if isinstance(layer, Conv):
                wider = [*layers[:i], dataclasses.replace(layer, k=layer.k + more), *layers[i + 1 :]]
                try:
                    return Network(name, tuple(wider), kind, upscale)
                except UserError:
                    continue
    raise first


def _widened(weight, k):
    margin = (k - weight.shape[1]) // 2
    return np.pad(weight, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


def _slope_notes(model):
    """Say where slopes of PReLUs are far from what hardware has."""
    far = []
    for layer, slope in zip(model.network.convs, model.slopes):
        if slope is not None and ((slope < -SMALL_SLOPE) | (slope > STEEP)).any():
            far.append(f"{layer.name} {slope.min():.2g} to {slope.max():.2g}")
    if far:
        yield (
            f"slopes of PReLUs lie below 0 or above 1 ({', '.join(far)}), the hardware's are 1, 1/2, 1/4 .. 1/128: the "
            f"nearest is taken; train with slopes of 0 to 1, or ReLU, if the integers get too far from the floats"
        )
