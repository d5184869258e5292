"""How deep the FIFOs in front of an addition have to be, derived from the order in which words pass.

An addition waits with an earlier tensor until the residual of the same place comes, which needs more of the input: the
halo between. All that comes of the earlier tensor before is in its FIFO meanwhile. If that doesn't fit, the fork in
front stops, the input that the residual waits for never passes, and everything stands still.

A word of any tensor leaves when a certain word of a source in front has passed (`arrivals`): every process says which
word of its input has to be there (`Process.needs`). So those that wait are counted: words of the earlier tensor that
have passed no later than what the residual of the same place needs. For one skip over a halo of c this is about c rows
and c positions of the widest tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.graph.kinds import Add, Conv
from model.graph.network import INPUT, Network

if TYPE_CHECKING:
    from hls.design.process import Process

AHEAD = 2  # positions of the earlier tensor that an addition has looked ahead, at most, when it takes a residual
SLACK = 16  # further positions per layer: what its pipeline and its FIFO hold, so that nobody waits for nothing
ROWS = 3  # of the output, in the tile that is looked at: all further rows are like the second


def crowds(network: Network, width: int, processes: dict[str, tuple[Process, ...]]) -> dict[tuple[str, str], int]:
    """Return {(addition, tensor): words that wait in front of it}, at the widest tile: with a word less it locks up.

    Parameters
    ----------
    network : Network
    width : int
        Pixels of the widest tile, halo included.
    processes : dict
        Convolution -> its processes.
    """
    found = {}
    for layer in network.layers:
        if isinstance(layer, Add):
            residual, earlier = layer.inputs
            found[layer.name, earlier] = max(1, _waiting(network, width, processes, layer))
            found[layer.name, residual] = max(1, _residuals(network, width, processes, layer))
    return found


def pauses(network: Network, processes: dict[str, tuple[Process, ...]]) -> dict[str, int]:
    """Return {addition: cycles from row to row in which it takes no residual}: it drops what the earlier tensor has
    outside the crop, a word per cycle.

    All processes may be as busy as the slowest one, which never waits as long as the FIFO in front of an addition holds
    what comes meanwhile. If it doesn't, everybody in front stops, and starts again a pipeline's length late, each.
    """
    found = {}
    for layer in network.layers:
        if isinstance(layer, Add):
            residual, earlier = (network.tensors[name] for name in layer.inputs)
            found[layer.name] = (residual.shrink - earlier.shrink) * _words(network, processes, layer.inputs[1])
    return found


def _waiting(network, width, processes, layer):
    """Words of the earlier tensor that have come, and are not taken, when the first word of the residual does."""
    residual, earlier = layer.inputs
    known = arrivals(network, width, processes, earlier)
    if residual in known:  # all that it is made of passes the earlier tensor
        late, words = known[residual], known[earlier].shape[2]
        came = late[:, :, 0] + 1
    else:
        known, soon = arrivals(network, width, processes, INPUT), _soonest(network, width, processes)
        late, words = known[residual], soon[earlier].shape[2]
        came = np.searchsorted(soon[earlier].ravel(), late[:, :, 0].ravel(), side="right").reshape(late.shape[:2])
    taken = (_inside(_places(known[earlier]), late) + 1) * words + 1  # its own position, and a word of the next one
    return int((came - taken).max())


def _residuals(network, width, processes, layer):
    """Words of the residual that have come when the addition can take the first of them."""
    late, soon = arrivals(network, width, processes, INPUT), _soonest(network, width, processes)
    residual, earlier = soon[layer.inputs[0]], _later(late[layer.inputs[1]], AHEAD)
    needed = _inside(earlier, residual)[:, :, -1]
    came = np.searchsorted(residual.ravel(), needed.ravel(), side="right")
    return int((came - _places(residual).ravel() * residual.shape[2]).max())


def arrivals(
    network: Network, width: int, processes: dict[str, tuple[Process, ...]], source: str, wait: bool = True
) -> dict[str, np.ndarray]:
    """Return, per tensor, the number of the source's word with which each of its words leaves: (H, W, words).

    Parameters
    ----------
    network, width, processes
        As for `crowds`.
    source : str
        A tensor. What is not made of it alone is left out.
    wait : bool
        If false, nobody looks ahead: the soonest that a word can leave.
    """
    tensor = network.tensors[source]
    rows, columns = (side * tensor.scale - tensor.shrink for side in (2 * network.halo + ROWS, width))
    words = _words(network, processes, source)
    known = {source: np.arange(rows * columns * words).reshape(rows, columns, words)}
    for layer in network.layers:
        if not all(name in known for name in layer.inputs):
            continue
        given = [known[name] for name in layer.inputs]
        if isinstance(layer, Conv):
            (made,) = given
            for process in processes[layer.name]:
                made = _needed(made, process.needs if wait else [(0, made.shape[2] - 1)] * process.out_words)
            made = made[layer.k - 1 :, layer.k - 1 :]
        elif isinstance(layer, Add):
            residual, earlier = given
            made = np.maximum(residual, _inside(_later(earlier, AHEAD if wait else 0), residual)[:, :, -1:])
        else:
            made = _shuffled(*given, layer.factor)
        known[layer.name] = np.maximum.accumulate(made.ravel()).reshape(made.shape)
    return known


def _words(network, processes, tensor):
    """Words of a position of a tensor."""
    if tensor in processes:
        return processes[tensor][-1].out_words
    layer = next((layer for layer in network.layers if layer.name == tensor), None)
    return _words(network, processes, layer.inputs[0]) if isinstance(layer, Add) else 1


def _soonest(network, width, processes):
    return arrivals(network, width, processes, INPUT, wait=False)


def _needed(x, needs):
    """For each word of the output the word of `x` that it needs: `needs` says how many positions later, and which."""
    return np.stack([_later(x, later)[:, :, word] for later, word in needs], axis=2)


def _later(x, positions):
    """For each position what comes so many later; at the end what comes last."""
    flat = x.reshape(-1, x.shape[2])
    at = np.arange(len(flat)) + positions
    return np.where((at < len(flat))[:, None], flat[np.minimum(at, len(flat) - 1)], flat[-1, -1]).reshape(x.shape)


def _places(x):
    return np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2])


def _inside(earlier, residual):
    crop = (earlier.shape[0] - residual.shape[0]) // 2
    return earlier[crop : crop + residual.shape[0], crop : crop + residual.shape[1]]


def _shuffled(x, factor):
    """Depth-to-space: the pixels of a row of positions leave while the next row comes, factor^2 with each position."""
    following = np.concatenate([x[1:, :, -1], np.full((1, x.shape[1]), x[-1, -1, -1])])
    rows = [np.repeat(row, factor**2).reshape(factor, -1) for row in following]
    return np.concatenate(rows)[:, :, None]
