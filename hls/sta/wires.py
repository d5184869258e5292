"""Delays of routed nets: what switches take by themselves, and the resistances and capacitances between them (Elmore).

Project X-Ray's model: a net is a tree. An output pin of a site, or a switch that isolates (buffered), drives the node
behind it through its resistance; a node is the wires of all tiles that are one piece of metal, their resistances and
capacitances added. A node of capacitance C in front of which R stands takes R (C + what hangs behind it); its own
resistance sees half of C (pi model). A switch that isolates loads the node in front of it with its input's capacitance,
one that does not with all that is behind it, a pin of a site with the pin's capacitance. The database has one value of
each resistance and capacitance, not one per corner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from hls.sta.delays.tiles import NO_WIRE, OHM_FF, TileTypes, tile_type

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from hls.readback.database import Tile
    from hls.readback.netlist import Net, Wire


class Nodes(Protocol):
    """Which wires are one piece of metal: `hls.readback.database.Database`."""

    def node(self, tile: str, wire: str) -> Hashable:
        """Return what stands for the node of a wire."""

    def wires(self, node: Hashable) -> Iterable[tuple[Tile, str]]:
        """Return the wires of a node: tiles with their kind, and names."""


class Routes:
    """The trees of many nets, as arrays; `add` them, then ask for the delays.

    Parameters
    ----------
    types : TileTypes
    nodes : Nodes

    Attributes
    ----------
    unknown : dict
        Kind of switch without a number -> how many are used.
    """

    def __init__(self, types: TileTypes, nodes: Nodes) -> None:
        self._types, self._nodes = types, nodes
        self._metal: dict[Hashable, tuple[float, float]] = {}
        self.unknown: dict[str, int] = {}
        # One entry per node of a tree, parents in front of their children.
        self._parent: list[int] = []
        self._ohm: list[float] = []  # of the switch or pin that drives it
        self._isolated: list[bool] = []
        self._wire: list[tuple[float, float]] = []  # ohm, ff
        self._load: list[float] = []  # ff of pins and of switches that isolate
        self._ns: list[np.ndarray] = []

    def add(self, net: Net, root: Wire, ohm: float, loads: Sequence[float]) -> list[int]:
        """Take in a net.

        Parameters
        ----------
        net : Net
        root : Wire
            Any wire of the node that the driver's pin is on.
        ohm : float
            Of the driver's pin.
        loads : sequence of float
            Capacitance of the pin of each sink, fF.

        Returns
        -------
        list of int
            Per sink the index of its node, for `delays`.
        """
        start = self._node(-1, ohm, True, root.tile, root.name, np.zeros(4))
        behind: dict[tuple, int] = {}
        ends = []
        for sink, load in zip(net.sinks, loads, strict=True):
            here = start
            for pip in sink.path:
                if pip not in behind:
                    behind[pip] = self._switch(here, pip)
                here = behind[pip]
            self._load[here] += load
            ends.append(here)
        return ends

    def _switch(self, here, pip):
        kind = tile_type(pip.tile)
        timing = self._types(kind).pips.get((pip.source, pip.target))
        if timing is None or timing.ns is None:
            what = f"switch of {kind}: {pip.source.rstrip('0123456789')} to {pip.target.rstrip('0123456789')}"
            self.unknown[what] = self.unknown.get(what, 0) + 1
            return self._node(here, 0.0, False, pip.tile, pip.target, np.zeros(4))
        if not timing.passes:
            self._load[here] += timing.ff
        return self._node(here, timing.ohm, not timing.passes, pip.tile, pip.target, timing.ns)

    def _node(self, parent, ohm, isolated, tile, wire, ns):
        self._parent.append(parent)
        self._ohm.append(ohm)
        self._isolated.append(isolated)
        self._wire.append(self._of_node(tile, wire))
        self._load.append(0.0)
        self._ns.append(ns)
        return len(self._parent) - 1

    def _of_node(self, tile, wire):
        """Resistance and capacitance of all metal of a node."""
        node = self._nodes.node(tile, wire)
        if node not in self._metal:
            wires = [self._types(tile.kind).wires.get(name, NO_WIRE) for tile, name in self._nodes.wires(node)]
            self._metal[node] = sum(wire.ohm for wire in wires), sum(wire.ff for wire in wires)
        return self._metal[node]

    def delays(self) -> np.ndarray:
        """Return what lies between a net's driver and each node of its tree, ns.

        Returns
        -------
        numpy.ndarray
            float64 (nodes, 4), in the order of `CORNERS`; without the delays of the driver's and the sinks' own pins.
        """
        count = len(self._parent)
        if not count:
            return np.zeros((0, 4))
        parent = np.array(self._parent)
        ohm, isolated = np.array(self._ohm), np.array(self._isolated)
        wire = np.array(self._wire)
        levels = _levels(parent)
        # What hangs behind a node's own metal, from the leaves up.
        behind = np.array(self._load)
        for level in levels[:0:-1]:
            passing = level[~isolated[level]]
            np.add.at(behind, parent[passing], behind[passing] + wire[passing, 1])
        rc = OHM_FF * (ohm * (behind + wire[:, 1]) + wire[:, 0] * (behind + wire[:, 1] / 2))
        total = np.array(self._ns) + rc[:, None]
        for level in levels[1:]:
            total[level] += total[parent[level]]
        return total


def _levels(parent):
    """Indices by their distance from the root; int arrays."""
    depth = np.zeros(len(parent), int)
    for index, above in enumerate(parent.tolist()):
        if above >= 0:
            depth[index] = depth[above] + 1
    order = np.argsort(depth, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(depth[order])) + 1)
