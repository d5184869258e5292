"""The one description of a network, read from `model/networks/<name>.toml`.

Everything else derives from it: Keras layers, golden model, C++ headers, packet sizes, reports.
"""

import dataclasses
import pathlib

from model.base.errors import UserError
from model.base.paths import NETWORKS
from model.base.toml import check_name, load_toml
from model.graph.kinds import Layer

DEFAULT_NETWORK = "srcnn915"
UPSCALES = (2, 3, 4)


@dataclasses.dataclass(frozen=True)
class Network:
    """A chain of valid convolutions from one channel (Y) to one channel (Y)."""

    name: str
    layers: tuple

    @property
    def halo(self):
        """Pixels of context on each side: sum((k - 1) / 2); 6 for 9-1-5."""
        return sum(layer.k - 1 for layer in self.layers) // 2

    @property
    def macs_per_pixel(self):
        """8,032 for 9-1-5."""
        return sum(layer.macs_per_pixel for layer in self.layers)


def list_networks():
    """Return the names of the described networks, sorted."""
    return sorted(path.stem for path in NETWORKS.glob("*.toml"))


def load_network(name=DEFAULT_NETWORK):
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
        If there is no such description or it breaks a rule: odd k, at least one layer, last layer one channel.
    """
    if not str(name).endswith(".toml") and name not in list_networks():
        raise UserError(f"there is no network {name!r}; known: {', '.join(list_networks())}")
    path = pathlib.Path(name) if str(name).endswith(".toml") else NETWORKS / f"{name}.toml"
    description = load_toml(path, "srcnn915.toml")
    try:
        layers, in_ch = [], 1
        for entry in description["layers"]:
            layers.append(Layer(entry["name"], entry["k"], in_ch, entry["out_ch"], entry["relu"]))
            in_ch = entry["out_ch"]
        network = Network(description["name"], tuple(layers))
    except KeyError as error:
        raise UserError(f"{path} lacks the key {error}; compare it with srcnn915.toml") from error
    except (TypeError, AttributeError) as error:
        raise UserError(f"{path} has no list of [[layers]]; compare it with srcnn915.toml") from error
    _check(network, path)
    return network


def _check(network, path):
    check_name(network.name, "a network")
    for layer in network.layers:
        check_name(layer.name, "a layer")
    if len({layer.name for layer in network.layers}) != len(network.layers):
        raise UserError(f"{path}: two layers have the same name; give each its own")
    for layer in network.layers:
        if not (type(layer.k) is int and type(layer.out_ch) is int and isinstance(layer.relu, bool)):
            raise UserError(f"{path}: layer {layer.name} needs a whole number for k and for out_ch, and true or false for relu")
        if layer.k < 1 or layer.k % 2 == 0 or layer.out_ch < 1:
            raise UserError(f"{path}: layer {layer.name} has k = {layer.k}, out_ch = {layer.out_ch}; k has to be odd, both positive")
    if not network.layers or network.layers[-1].out_ch != 1:
        raise UserError(f"{path}: the last layer has to have out_ch = 1 (the Y channel)")
