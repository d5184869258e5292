"""Reads descriptions of networks, `model/networks/<name>.toml`.

    name = "abpn8m2"
    input = "y"                  # what the network takes (model.graph.network.INPUTS); "upscaled" unless it says so
    upscale = 3                  # the only factor it is for, where no layer says "upscale^2"

    [[layers]]                   # in topological order; a layer reads the one before it, or what its `input` names
    name = "conv1"               # kind = "convolution" unless it says so
    k = 5
    out_ch = 8                   # a number, "upscale^2" or "3*upscale^2"
    activation = "relu"          # "none", "relu", "prelu", or "clip" with cap = 1.0

    [[layers]]
    name = "anchor"
    kind = "add"
    inputs = ["residual", "input"]

    [[layers]]
    name = "pixels"
    kind = "depth_to_space"      # of `factor`, the upscale unless it says so

A transposed convolution (`kind = "transposed_convolution"`, `k`, `stride`, `padding`) is read as what hardware has: a
convolution and a depth-to-space (`model.graph.rewrite`).
"""

from __future__ import annotations

import pathlib
import re

from model.base.errors import UserError
from model.base.paths import NETWORKS
from model.base.toml import check_name, load_toml
from model.graph.kinds import ACTIVATIONS, Add, Conv, DepthToSpace
from model.graph.network import INPUT, INPUTS, UPSCALES, Network
from model.graph.rewrite import conv_side

DEFAULT_NETWORK = "srcnn915"
KINDS = ("convolution", "transposed_convolution", "add", "depth_to_space")


def list_networks(kind: str | None = None) -> list[str]:
    """Return the names of the described networks, sorted: all, or those whose input is of a kind (`INPUTS`)."""
    names = sorted(path.stem for path in NETWORKS.glob("*.toml"))
    if kind is None:
        return names
    return [name for name in names if load_toml(NETWORKS / f"{name}.toml", name).get("input", "upscaled") == kind]


def load_network(name: str = DEFAULT_NETWORK, upscale: int | None = None) -> Network:
    """Read a network description.

    Parameters
    ----------
    name : str
        File stem in `model/networks`, or a path to a .toml file.
    upscale : int, optional
        The factor; needed where the layers depend on it, of no matter where they don't.

    Returns
    -------
    Network

    Raises
    ------
    UserError
        If there is no such description or it breaks a rule: odd k, at least one layer, tensors that are there, fit and
        are read; if its layers depend on a factor that is not given.
    """
    if not str(name).endswith(".toml") and name not in list_networks():
        raise UserError(f"there is no network {name!r}; known: {', '.join(list_networks())}")
    path = pathlib.Path(name) if str(name).endswith(".toml") else NETWORKS / f"{name}.toml"
    description = load_toml(path, "srcnn915.toml")
    reader = _Reader(path, upscale)
    try:
        for entry in description["layers"]:
            reader.add(entry)
        check_name(description["name"], "a network")
        kind = description.get("input", "upscaled")
        if kind not in INPUTS:
            raise UserError(f"{path} has input = {kind!r}; it is one of {', '.join(INPUTS)}")
        only = description.get("upscale")
        if only is not None and (only not in UPSCALES or upscale not in (None, only)):
            wanted = f"x{upscale} is asked for" if only in UPSCALES else f"it is one of {', '.join(map(str, UPSCALES))}"
            raise UserError(f"{path} is for upscale = {only!r} alone, {wanted}; name that factor, or leave it out")
        return reader.network(description["name"], kind, only)
    except KeyError as error:
        raise UserError(f"{path} lacks the key {error}; compare it with srcnn915.toml") from error
    except (TypeError, AttributeError) as error:
        raise UserError(f"{path} has no list of [[layers]]; compare it with srcnn915.toml") from error


def description_text(network: Network, comments: dict[str, str] | None = None) -> str:
    """Return a network's description, as `load_network` reads it.

    Parameters
    ----------
    network : Network
    comments : dict of str to str, optional
        A line of comment for the network (under its name) and for layers.
    """
    comments = comments or {}
    lines = [f"# {comments[network.name]}"] if network.name in comments else []
    lines += [f'name = "{network.name}"', f'input = "{network.input}"']
    lines += [f"upscale = {network.upscale}"] if network.upscale is not None else []
    for layer in network.layers:
        lines += ["", "[[layers]]", f'name = "{layer.name}"']
        if layer.name in comments:
            lines[-1] += f"  # {comments[layer.name]}"
        if isinstance(layer, Conv):
            lines += [f"k = {layer.k}", f"out_ch = {layer.out_ch}", f'activation = "{layer.activation}"']
            lines += [] if layer.cap is None else [f"cap = {float(layer.cap)!r}"]
        elif isinstance(layer, Add):
            lines.append('kind = "add"')
        else:
            lines += ['kind = "depth_to_space"', f"factor = {layer.factor}"]
        sources = ", ".join(f'"{source}"' for source in layer.inputs)
        lines.append(f"inputs = [{sources}]")
    return "\n".join(lines) + "\n"


def depends_on_upscale(name: str) -> bool:
    """Return whether a described network has to be told its factor."""
    try:
        load_network(name)
    except _NeedsUpscale:
        return True
    return False


class _NeedsUpscale(UserError):
    """A description whose layers depend on a factor that was not given."""


class _Reader:
    """Turns the entries of a description into layers."""

    def __init__(self, path, upscale):
        self.path, self.upscale, self.layers = path, upscale, []
        self.dependent = False  # some layer depends on the factor

    def add(self, entry):
        name, kind = entry["name"], entry.get("kind", "convolution")
        check_name(name, "a layer")
        if kind not in KINDS:
            raise UserError(f"{self.path}: layer {name} is of kind {kind!r}; known: {', '.join(KINDS)}")
        read = {
            "convolution": self.convolution,
            "transposed_convolution": self.transposed_convolution,
            "add": self.addition,
            "depth_to_space": self.depth_to_space,
        }
        read[kind](entry, name, self.sources(entry, name))

    def network(self, name, kind, only):
        """Return the network of all layers, for one factor `only` or what they depend on; channels of inputs are filled
        in, now that the input's are known.
        """
        known, layers = {INPUT: INPUTS[kind]}, []
        for layer in self.layers:
            channels = [known.get(source, 0) for source in layer.inputs]
            if isinstance(layer, Conv):
                layer = Conv(layer.name, layer.k, channels[0], layer.out_ch, layer.activation, layer.inputs, layer.cap)
                known[layer.name] = layer.out_ch
            elif isinstance(layer, Add):
                known[layer.name] = channels[0]
            else:
                known[layer.name] = channels[0] // layer.factor**2
            layers.append(layer)
        return Network(name, tuple(layers), kind, only or (self.upscale if self.dependent else None))

    def sources(self, entry, name):
        """Return the names of the tensors that a layer reads."""
        before = self.layers[-1].name if self.layers else INPUT
        sources = entry.get("inputs", [entry.get("input", before)])
        if not (isinstance(sources, list) and all(isinstance(source, str) for source in sources)):
            raise UserError(
                f"{self.path}: layer {name} has input = {entry.get('inputs', entry.get('input'))!r}; it is the name of "
                f"one tensor, in quotes, and inputs is a list of two"
            )
        return tuple(sources)

    def convolution(self, entry, name, sources):
        k, out_ch = entry["k"], self.number(entry["out_ch"])
        activation = entry["activation"] if "relu" not in entry else {True: "relu", False: "none"}.get(entry["relu"])
        if not (type(k) is int and type(out_ch) is int and isinstance(activation, str)):
            raise UserError(
                f'{self.path}: layer {name} needs a whole number for k, one (or "upscale^2") for out_ch, and an '
                f"activation"
            )
        if k < 1 or k % 2 == 0 or out_ch < 1:
            raise UserError(f"{self.path}: layer {name} has k = {k}, out_ch = {out_ch}; k has to be odd, both positive")
        cap = entry.get("cap")
        if activation not in ACTIVATIONS or (activation == "clip") != (isinstance(cap, (int, float)) and cap > 0):
            raise UserError(
                f"{self.path}: layer {name} has activation = {activation!r}, cap = {cap!r}; it is one of "
                f"{', '.join(ACTIVATIONS)}, and clip alone has a cap above 0"
            )
        self.layers.append(Conv(name, k, 0, out_ch, activation, sources, cap))

    def transposed_convolution(self, entry, name, sources):
        k, stride = entry["k"], self.factor(entry.get("stride"), name)
        padding = entry.get("padding", k // 2 if type(k) is int else None)
        if not (type(k) is int and type(padding) is int and 0 <= padding < k and k >= stride):
            raise UserError(
                f"{self.path}: layer {name} has k = {k}, padding = {padding}; a transposed convolution of stride "
                f"{stride} has at least that k, and less padding than k"
            )
        out_ch = self.number(entry["out_ch"])
        side = conv_side(k, stride, padding)
        self.convolution(entry | {"k": side, "out_ch": out_ch * stride**2}, name, sources)
        self.layers.append(DepthToSpace(f"{name}_pixels", stride, (name,)))

    def addition(self, _, name, sources):
        self.layers.append(Add(name, sources))

    def depth_to_space(self, entry, name, sources):
        self.layers.append(DepthToSpace(name, self.factor(entry.get("factor"), name), sources))

    def factor(self, number, name):
        """Return a scale factor: what the description says, or the upscale."""
        if number is None:
            return self.needed_upscale()
        if type(number) is not int or number < 2:
            raise UserError(f"{self.path}: layer {name} has a factor of {number!r}; it is a whole number of at least 2")
        return number

    def number(self, value):
        """Return a number of channels."""
        match = isinstance(value, str) and re.fullmatch(r"(?:(\d+) ?\* ?)?upscale\^2", value)
        return int(match[1] or 1) * self.needed_upscale() ** 2 if match else value

    def needed_upscale(self):
        self.dependent = True
        if self.upscale not in UPSCALES:
            raise _NeedsUpscale(
                f"the layers of {self.path.stem} depend on the upscale; name it: "
                f"{', '.join(map(str, UPSCALES))} (--upscale, UPSCALE=)"
            )
        return self.upscale
