"""The way that launching and capturing clock have in common, taken off the slacks that matter.

`hls.sta.analyse` lets the launching clock come late and the capturing one early, as if they shared nothing behind the
clock's root. On the part of the way that both take there is one signal, neither late nor early: what its maxima and
minima differ by is given back. Which part that is depends on the launching cell, and the path that looks worst without
it need not be the worst with it; so all launching cells of an endpoint whose path could be are compared.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from hls.sta.delays.sdf import SLOW_MAX, SLOW_MIN

if TYPE_CHECKING:
    from hls.readback.netlist import Pin, Sink
    from hls.sta.analyse import Slacks
    from hls.sta.delays.tiles import TileTypes
    from hls.sta.model import Model

MOST = 3000  # endpoints that are looked at again, of one kind; beyond that the pessimistic figure stays


class Shared:
    """What pairs of clock pins share.

    Parameters
    ----------
    model : Model
    types : TileTypes
    found : Slacks
    """

    def __init__(self, model: Model, types: TileTypes, found: Slacks) -> None:
        self._model, self._types, self._found = model, types, found
        self._ways: dict[int, list[int]] = {}
        self._sinks: dict[Pin, Sink] = {}
        self._nets: set[str] = set()
        self._known: dict[tuple[int, int], float] = {}

    def _way(self, pin):
        if pin not in self._ways:
            self._ways[pin] = self._model.graph.path(pin, self._found.times, SLOW_MAX)
        return self._ways[pin]

    def _sink(self, edge):
        """The route of a wire of the clock."""
        source, target = (self._model.ports[node] for node in self._model.graph.given[edge])
        name = self._model.netlist.cells[source.cell].pins[source.port]
        if name not in self._nets:
            self._nets.add(name)
            self._sinks |= {sink.pin: sink for sink in self._model.netlist.nets[name].sinks}
        return self._sinks[target]

    def credit(self, launch: int, capture: int) -> float:
        """Return by how much maxima and minima of the slow corner differ on the way to both of two clock pins, ns."""
        key = min(launch, capture), max(launch, capture)
        if key not in self._known:
            self._known[key] = self._credit(*key)
        return self._known[key]

    def _credit(self, one, other):
        total, graph = 0.0, self._model.graph
        for a, b in zip(self._way(one), self._way(other)):
            if a == b:
                total += graph.given_ns[a, SLOW_MAX] - graph.given_ns[a, SLOW_MIN]
                continue
            if graph.given[a][0] == graph.given[b][0] and self._model.wire[a] and self._model.wire[b]:
                for left, right in zip(self._sink(a).path, self._sink(b).path):
                    if left != right:
                        break
                    timing = self._types.of_tile(left.tile).pips.get((left.source, left.target))
                    if timing is not None and timing.ns is not None:
                        total += timing.ns[SLOW_MAX] - timing.ns[SLOW_MIN]
            break
        return total


def exact(model: Model, found: Slacks, shared: Shared, endpoint: int, setup: bool = True) -> tuple[float, list[int]]:
    """Return an endpoint's slack with what both clocks share taken off, and the path that decides it.

    Parameters
    ----------
    model : Model
    found : Slacks
    shared : Shared
    endpoint : int
        Place in `found.check`.
    setup : bool
        Of set-up, or of hold; in the slow corner.

    Returns
    -------
    slack : float
        ns.
    edges : list of int
        From the launching clock pin on, by their numbers in what the graph was made of.
    """
    graph, times = model.graph, found.times
    column, sign = (SLOW_MAX, -1.0) if setup else (SLOW_MIN, 1.0)
    end = int(model.checks.pin[found.check[endpoint]])
    capture = int(model.checks.clock[found.check[endpoint]])
    plain = float((found.setup if setup else found.hold)[endpoint])
    base = plain - sign * times[end, column]  # slack = base + sign * (arrival at any node of the path + the rest of it)
    launching = found.launching
    rest, chosen, queue = {end: 0.0}, {}, [(-int(graph.level[end]), end)]
    best, begin = np.inf, None
    while queue:
        _, node = heapq.heappop(queue)
        for edge in range(graph.first[node], graph.first[node] + graph.indegree[node]):
            source, behind = int(graph.source[edge]), rest[node] + graph.ns[edge, column]
            slack = base + sign * (times[source, column] + behind)
            if not slack < best:  # also where no path leads
                continue
            if source in launching:
                slack += shared.credit(source, capture)
                if slack < best:
                    best, begin = slack, (edge, node)
            elif source not in rest or sign * behind < sign * rest[source]:
                if source not in rest:
                    heapq.heappush(queue, (-int(graph.level[source]), source))
                rest[source], chosen[source] = behind, (edge, node)
    edges = []
    while begin is not None:
        edge, node = begin
        edges.append(int(graph.edge[edge]))
        begin = chosen.get(node)
    return float(best), edges


def refine(model: Model, found: Slacks, shared: Shared, endpoints: np.ndarray, setup: bool = True) -> None:
    """Make the least slack of some endpoints exact, in place: in `found.setup` or `found.hold`, and `found.paths`.

    Parameters
    ----------
    model : Model
    found : Slacks
    shared : Shared
    endpoints : numpy.ndarray
        int: places in `found.check`. The least slack of them, and every negative one of hold, is exact afterwards.
    setup : bool
    """
    slack = found.setup if setup else found.hold
    order = endpoints[np.argsort(slack[endpoints], kind="stable")]
    best = np.inf
    for endpoint in order[:MOST].tolist():
        if np.isnan(slack[endpoint]) or slack[endpoint] >= (best if setup else max(best, 0.0)):
            break
        slack[endpoint], edges = exact(model, found, shared, endpoint, setup)
        found.paths[endpoint, setup] = edges
        best = min(best, slack[endpoint])
