"""How deep the FIFOs in front of an addition have to be, derived from the order in which positions pass.

An addition waits with an earlier tensor until the residual of the same place comes, which needs more of the input:
the halo between. All positions of the earlier tensor that come before are in its FIFO meanwhile. If they don't fit, the
fork in front stops, the input that the residual waits for never passes, and everything stands still.

A position of any tensor can leave as soon as a certain pixel of the input has passed (`arrivals`). So the positions
that wait are counted: those of the earlier tensor whose pixel has passed no later than that of the residual. For one
skip over a halo of c this is c rows and c positions of the widest tile.
"""

from __future__ import annotations

import numpy as np

from model.graph.kinds import Add, Conv
from model.graph.network import INPUT, Network

HELD = 1  # words that the addition itself has taken meanwhile, beyond the position that it waits with
SLACK = 16  # further positions per layer: what its pipeline and its FIFO hold, so that nobody waits for nothing
ROWS = 3  # of the output, in the tile that is looked at: all further rows are like the second


def crowds(network: Network, width: int) -> dict[tuple[str, str], int]:
    """Return {(addition, tensor): positions that wait in front of it}, at the widest tile.

    Parameters
    ----------
    network : Network
    width : int
        Pixels of the widest tile, halo included.
    """
    additions = [layer for layer in network.layers if isinstance(layer, Add)]
    if not additions:
        return {}
    known, found = arrivals(network, 2 * network.halo + ROWS, width), {}
    for layer in additions:
        residual, earlier = (known[name] for name in layer.inputs)
        crop = (earlier.shape[0] - residual.shape[0]) // 2
        place = np.arange(earlier.size).reshape(earlier.shape)
        inside = place[crop : crop + residual.shape[0], crop : crop + residual.shape[1]].ravel()
        came = np.searchsorted(earlier.ravel(), residual.ravel(), side="right") - 1  # the last one by then
        found[layer.name, layer.inputs[1]] = max(0, int((came - inside).max()))
        # the addition looks a position ahead before it takes a residual
        ahead = earlier.ravel()[np.minimum(inside + 2, earlier.size - 1)]
        came = np.searchsorted(residual.ravel(), ahead, side="right")
        found[layer.name, layer.inputs[0]] = max(0, int((came - np.arange(residual.size)).max()))
    return found


def least(positions: int, words: int) -> int:
    """Return the words without which a FIFO of so many waiting positions, of `words` words each, locks up."""
    return max(1, positions * words - HELD)


def depth(positions: int, words: int, layers: int) -> int:
    """Return the words that it is given."""
    return least(positions, words) + SLACK * layers * words


def arrivals(network: Network, height: int, width: int) -> dict[str, np.ndarray]:
    """Return, per tensor, the number of the input pixel (row by row) with which each position can leave: (H, W)."""
    known = {INPUT: np.arange(height * width).reshape(height, width)}
    for layer in network.layers:
        given = [known[name] for name in layer.inputs]
        if isinstance(layer, Conv):
            (x,) = given
            made = x[layer.k - 1 :, layer.k - 1 :]
        elif isinstance(layer, Add):
            residual, earlier = given
            crop = (earlier.shape[0] - residual.shape[0]) // 2
            inside = earlier[crop : crop + residual.shape[0], crop : crop + residual.shape[1]]
            made = np.maximum(residual, inside)
        else:
            made = _shuffled(*given, layer.factor)
        known[layer.name] = np.maximum.accumulate(made.ravel()).reshape(made.shape)
    return known


def _shuffled(x, factor):
    """Depth-to-space: the pixels of a row of positions leave while the next row comes, factor^2 with each position."""
    following = np.concatenate([x[1:], np.full((1, x.shape[1]), x[-1, -1])])
    rows = [np.repeat(row, factor**2).reshape(factor, -1) for row in following]
    return np.concatenate(rows)
