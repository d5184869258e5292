"""What can be chosen on the page: networks, factors and weights that are there."""

from __future__ import annotations

import functools

from model.graph.description import DEFAULT_NETWORK, list_networks
from model.graph.network import UPSCALES
from model.graph.weights import DEGRADATIONS, weight_path

WEIGHTS = tuple(kind for kind in DEGRADATIONS if kind != "opencv")  # that one is for comparing with the seed


@functools.cache
def choices() -> tuple[tuple[str, int, str], ...]:
    """Return the combinations of network, factor and weights that pictures can be upscaled by, the usual one first.

    Read once: weights that come later need a new server.
    """
    found = [
        (network, upscale, weights)
        for network in list_networks()
        for upscale in UPSCALES
        for weights in WEIGHTS
        if weight_path(network, upscale, weights, quantised=True).is_file()
    ]
    usual = (DEFAULT_NETWORK, 3, "standard")
    return tuple(sorted(found, key=lambda choice: choice != usual))
