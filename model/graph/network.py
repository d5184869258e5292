"""The one description of a network, read from `model/networks/<name>.toml`.

Everything else derives from it: Keras layers, golden model, C++ headers, packet sizes, reports.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib

from model.base.errors import UserError
from model.base.paths import NETWORKS
from model.base.toml import check_name, load_toml
from model.graph.kinds import Conv, Tensor

DEFAULT_NETWORK = "srcnn915"
UPSCALES = (2, 3, 4)


INPUT = "input"  # the name of the network's input tensor: one channel, Y


@dataclasses.dataclass(frozen=True)
class Network:
    """A graph of layers over named tensors, from the input (one channel, Y) to the last layer's output.

    Attributes
    ----------
    name : str
    layers : tuple of Conv
        In topological order: a layer reads what stands before it.

    Raises
    ------
    UserError
        If a layer reads what is not there yet, or other channels than that has, or if a tensor is read by nobody.
    """

    name: str
    layers: tuple

    def __post_init__(self):
        before, layers = INPUT, []
        for layer in self.layers:
            layers.append(layer if layer.inputs else dataclasses.replace(layer, inputs=(before,)))
            before = layer.name
        object.__setattr__(self, "layers", tuple(layers))
        _check_graph(self)

    @functools.cached_property
    def tensors(self) -> dict[str, Tensor]:
        """What is known of each tensor, by name, in topological order."""
        known = {INPUT: Tensor(1)}
        for layer in self.layers:
            known[layer.name] = layer.output(known[layer.inputs[0]])
        return known

    @property
    def output(self) -> Tensor:
        """The last layer's tensor."""
        return self.tensors[self.layers[-1].name]

    @property
    def out_ch(self) -> int:
        """Channels of the output."""
        return self.output.channels

    @property
    def halo(self) -> int:
        """Pixels of context on each side: sum((k - 1) / 2); 6 for 9-1-5."""
        return self.output.shrink // 2

    @property
    def macs_per_pixel(self) -> int:
        """8,032 for 9-1-5."""
        return sum(layer.macs_per_pixel for layer in self.layers)


def _check_graph(network):
    """Raise `UserError` unless every layer reads one tensor before it, and every tensor but the last is read."""
    channels, read = {INPUT: 1}, set()
    for layer in network.layers:
        if layer.name in channels:
            raise UserError(
                f"two layers of {network.name}, or a layer and the input, have the same name {layer.name!r}; give "
                f"each its own"
            )
        if len(layer.inputs) != 1 or layer.inputs[0] not in channels:
            raise UserError(
                f"layer {layer.name} of {network.name} reads {', '.join(map(repr, layer.inputs))}; it reads one "
                f"tensor that stands before it: "
                f"{', '.join(channels)}"
            )
        if layer.in_ch != channels[layer.inputs[0]]:
            raise UserError(
                f"layer {layer.name} of {network.name} takes {layer.in_ch} channels, {layer.inputs[0]} has "
                f"{channels[layer.inputs[0]]}; make them equal"
            )
        channels[layer.name] = layer.out_ch
        read.add(layer.inputs[0])
    if not network.layers:
        raise UserError(f"{network.name} has no layers; describe at least one")
    unread = [name for name in list(channels)[:-1] if name not in read]
    if unread:
        raise UserError(f"nothing reads {unread[0]} of {network.name}; remove it, or name it as a layer's input")


def require_picture(network: Network) -> None:
    """Raise `UserError` unless a network makes a picture of one channel, as whoever upscales and trains Y needs it."""
    if network.out_ch != 1:
        raise UserError(
            f"{network.name} gives {network.out_ch} channels per pixel, this needs one that gives Y alone; "
            "choose another network, or use the golden model, C simulation and Verilog, which take any"
        )


def list_networks() -> list[str]:
    """Return the names of the described networks, sorted."""
    return sorted(path.stem for path in NETWORKS.glob("*.toml"))


def load_network(name: str = DEFAULT_NETWORK) -> Network:
    """Read a network description.

    Parameters
    ----------
    name : str
        File stem in `model/networks`, or a path to a .toml file.

    Returns
    -------
    Network

    Raises
    ------
    UserError
        If there is no such description or it breaks a rule: odd k, at least one layer, tensors that are there and read.
    """
    if not str(name).endswith(".toml") and name not in list_networks():
        raise UserError(f"there is no network {name!r}; known: {', '.join(list_networks())}")
    path = pathlib.Path(name) if str(name).endswith(".toml") else NETWORKS / f"{name}.toml"
    description = load_toml(path, "srcnn915.toml")
    try:
        layers, channels = [], {INPUT: 1}
        for entry in description["layers"]:
            source = entry.get("input", layers[-1].name if layers else INPUT)
            if not isinstance(source, str):
                raise UserError(
                    f"{path}: layer {entry['name']} has input = {source!r}; it is the name of one tensor, in quotes"
                )
            layer = Conv(entry["name"], entry["k"], channels.get(source, 0), entry["out_ch"], entry["relu"], (source,))
            layers.append(layer)
            channels[layer.name] = layer.out_ch
        _check_layers(layers, path)
        network = Network(description["name"], tuple(layers))
    except KeyError as error:
        raise UserError(f"{path} lacks the key {error}; compare it with srcnn915.toml") from error
    except (TypeError, AttributeError) as error:
        raise UserError(f"{path} has no list of [[layers]]; compare it with srcnn915.toml") from error
    check_name(network.name, "a network")
    return network


def _check_layers(layers, path):
    for layer in layers:
        check_name(layer.name, "a layer")
        if not (type(layer.k) is int and type(layer.out_ch) is int and isinstance(layer.relu, bool)):
            raise UserError(
                f"{path}: layer {layer.name} needs a whole number for k and for out_ch, and true or false for relu"
            )
        if layer.k < 1 or layer.k % 2 == 0 or layer.out_ch < 1:
            raise UserError(
                f"{path}: layer {layer.name} has k = {layer.k}, out_ch = {layer.out_ch}; k has to be odd, both positive"
            )
