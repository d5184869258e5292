"""Arrival times over a graph without loops: nodes are ports, edges are delays through cells and wires.

All nodes of a level are done at once, in numpy. Every edge has the four delays of `hls.sta.delays.sdf.CORNERS`; the
smallest times are kept in the columns of minima, the largest in those of maxima.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hls.sta.delays.sdf import SLOW_MAX
from model.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

MINIMA, MAXIMA = [0, 2], [1, 3]


class Graph:
    """A graph of delays.

    Parameters
    ----------
    names : sequence of str
        One per node, for people.
    source, target : numpy.ndarray
        int (edges,): nodes.
    ns : numpy.ndarray
        float64 (edges, 4).

    Raises
    ------
    UserError
        If there is a loop; it is named.

    Attributes
    ----------
    given : list of (int, int)
        Source and target of the edges, in the order in which they were given; `given_ns` are their delays.
    source, target, ns : numpy.ndarray
        The edges, sorted by the level of their targets.
    edge : numpy.ndarray
        int (edges,): where each sorted edge stood in what was given.
    steps : list of numpy.ndarray
        Numbers of sorted edges, level by level.
    level : numpy.ndarray
        int (nodes,): edges of the longest way to a node.
    first, indegree : numpy.ndarray
        int (nodes,): the edges into a node lie side by side among the sorted ones, so many from there on.
    """

    def __init__(self, names: Sequence[str], source: np.ndarray, target: np.ndarray, ns: np.ndarray) -> None:
        self.names = names
        self.level = _levels(names, source, target)
        order = np.lexsort((target, self.level[target])) if len(target) else np.zeros(0, int)
        self.edge = order
        self.given, self.given_ns = list(zip(source.tolist(), target.tolist())), ns
        self.source, self.target, self.ns = source[order], target[order], ns[order]
        levels = self.level[self.target]
        bounds = np.flatnonzero(np.diff(levels)) + 1
        self.steps = np.split(np.arange(len(order)), bounds) if len(order) else []
        self.indegree = np.bincount(self.target, minlength=len(names))
        self.first = np.zeros(len(names), int)
        starts = np.flatnonzero(np.diff(self.target, prepend=-1)) if len(order) else np.zeros(0, int)
        self.first[self.target[starts]] = starts

    def arrivals(self, starts: np.ndarray) -> np.ndarray:
        """Return when a change at the start nodes at time 0 is everywhere, at the earliest and at the latest.

        Parameters
        ----------
        starts : numpy.ndarray
            int: nodes.

        Returns
        -------
        numpy.ndarray
            float64 (nodes, 4), ns; infinite (minima) and minus infinite (maxima) where no path leads.
        """
        times = np.empty((len(self.names), 4))
        times[:, MINIMA], times[:, MAXIMA] = np.inf, -np.inf
        times[starts] = 0.0
        for step in self.steps:
            new = times[self.source[step]] + self.ns[step]
            for column in MINIMA:
                np.minimum.at(times[:, column], self.target[step], new[:, column])
            for column in MAXIMA:
                np.maximum.at(times[:, column], self.target[step], new[:, column])
        return times

    def required(self, ends: np.ndarray, ns: np.ndarray, column: int = SLOW_MAX) -> np.ndarray:
        """Return by when a change has to be at each node for all end nodes to see it in time.

        Parameters
        ----------
        ends : numpy.ndarray
            int: nodes.
        ns : numpy.ndarray
            float64, one per end: by when it has to be there.
        column : int
            Of `hls.sta.delays.sdf.CORNERS`: maxima only.

        Returns
        -------
        numpy.ndarray
            float64 (nodes,), ns; infinite where no path leads to an end.
        """
        times = np.full(len(self.names), np.inf)
        np.minimum.at(times, ends, ns)
        for step in reversed(self.steps):
            np.minimum.at(times, self.source[step], times[self.target[step]] - self.ns[step, column])
        return times

    def path(self, end: int, times: np.ndarray, column: int) -> list[int]:
        """Return the path that decides when a change is at a node.

        Parameters
        ----------
        end : int
            A node that is reached.
        times : numpy.ndarray
            As `arrivals` returned it.
        column : int
            Of `hls.sta.delays.sdf.CORNERS`.

        Returns
        -------
        list of int
            Edges, from the start on, by their numbers in what the graph was made of.
        """
        found: list[int] = []
        while True:
            edges = self.first[end] + np.arange(self.indegree[end])
            new = times[self.source[edges], column] + self.ns[edges, column]
            fits = np.flatnonzero(new == times[end, column])
            if not np.isfinite(times[end, column]) or not len(fits):
                return [int(self.edge[edge]) for edge in reversed(found)]
            found.append(int(edges[fits[0]]))
            end = int(self.source[found[-1]])


def _levels(names, source, target):
    """The longest way to each node, in edges; int (nodes,)."""
    count = len(names)
    waiting = np.bincount(target, minlength=count)
    order = np.argsort(source, kind="stable")
    sorted_target = target[order]
    first = np.searchsorted(source[order], np.arange(count + 1))
    level = np.full(count, -1)
    front, depth = np.flatnonzero(waiting == 0), 0
    while len(front):
        level[front] = depth
        lengths = first[front + 1] - first[front]
        # The positions first[f], ..., first[f + 1] - 1 of all nodes of the front, one after the other.
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        reached = sorted_target[np.repeat(first[front], lengths) + offsets]
        np.subtract.at(waiting, reached, 1)
        front, depth = np.unique(reached[waiting[reached] == 0]), depth + 1
    if (level < 0).any():
        loop = _loop(source, target, level < 0)
        shown = " -> ".join(names[node] for node in loop[:8]) + (" -> ..." if len(loop) > 8 else "")
        raise UserError(
            f"the bitstream has a combinational loop of {len(loop)} ports ({shown}), so that no path through it has an "
            f"end; put a register into it"
        )
    return level


def _loop(source, target, inside):
    """Nodes of a loop, one after the other: every node in question has a predecessor that is one."""
    keep = inside[source] & inside[target]
    before = dict(zip(target[keep].tolist(), source[keep].tolist()))
    node, seen = next(iter(before)), {}
    while node not in seen:
        seen[node] = len(seen)
        node = before[node]
    order = sorted(seen, key=seen.get)
    return order[seen[node] :][::-1]
