"""From a decoded bitstream to a graph of delays: one node per port that a net joins, edges through cells and wires.

A wire's edge has all that lies between two ports: out of the driver's site, along switches and metal, into the reader's
site. Times count from the outputs of the global clock buffers, which launching and capturing clock share.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from typing import TYPE_CHECKING

import numpy as np

from hls.readback.netlist import CONSTANTS, Pin, Wire
from hls.sta.delays import slices
from hls.sta.delays.blocks import BlockTimes
from hls.sta.delays.cell import CellTiming, split_port
from hls.sta.delays.slices import SliceTimes
from hls.sta.delays.tiles import PinTiming, TileTypes
from hls.sta.graph import Graph
from hls.sta.wires import Routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hls.readback.database import Database
    from hls.readback.netlist import Cell, Netlist
    from hls.sta.delays.sdf import SdfFiles

NO_PIN = PinTiming(np.zeros(4), 0.0, 0.0)
THROUGH = ("BUFHCE", "BUFH")  # buffers between a global clock and its readers
CLOCKS = ("C", "G")  # ports of registers and latches; all others end in CLK
PADS = ("OBUF", "OBUFT", "IBUF", "BUF", "INV")  # pins of the package, and what lies beside them
_FALLING = re.compile(r"IS_(C|G|CLK|CLKARDCLK|CLKBWRCLK)_INVERTED$")


@dataclasses.dataclass
class Checks:
    """What endpoints owe their clocks, as arrays.

    Attributes
    ----------
    pin, clock : numpy.ndarray
        int: nodes.
    setup, hold : numpy.ndarray
        float64, ns; hold is NaN where the database has none.
    """

    pin: np.ndarray
    clock: np.ndarray
    setup: np.ndarray
    hold: np.ndarray


@dataclasses.dataclass
class Model:
    """A netlist with its delays.

    Attributes
    ----------
    netlist : Netlist
    ports : list of Pin
        One per node.
    graph : Graph
    wire : numpy.ndarray
        bool (edges,), in the order the graph was given: a wire, not a cell.
    checks : Checks
    clocks : dict
        Node of a clock's root -> nodes of the clock pins that it reaches.
    unknown, borrowed : collections.Counter
        Kind of arc -> how many have no number, or another's.
    sites : dict
        Site -> (its tile, its kind).
    """

    netlist: Netlist
    ports: list[Pin]
    graph: Graph
    wire: np.ndarray
    checks: Checks
    clocks: dict[int, list[int]]
    unknown: collections.Counter
    borrowed: collections.Counter
    sites: dict[str, tuple[str, str]]

    def cell(self, node: int) -> Cell:
        """Return the cell of a node's port."""
        return self.netlist.cells[self.ports[node].cell]


class Delays:
    """The database's delays.

    Parameters
    ----------
    types : TileTypes
    files : SdfFiles
    """

    def __init__(self, types: TileTypes, files: SdfFiles) -> None:
        self.types = types
        self.slices, self.blocks = SliceTimes(files), BlockTimes(files)


class Builder:
    """Makes a `Model`; see `build`."""

    routes = Routes

    def __init__(self, netlist: Netlist, database: Database, delays: Delays) -> None:
        self.netlist, self.database, self.delays = netlist, database, delays
        self.sites = {site: (name, kind) for name, tile in database.tiles.items() for site, kind in tile.sites.items()}
        self.unknown: collections.Counter = collections.Counter()
        self.borrowed: collections.Counter = collections.Counter()
        self.number: dict[Pin, int] = {}
        self.ports: list[Pin] = []
        self.edges: list[tuple[int, int, bool, np.ndarray]] = []
        self.owed: list[tuple[int, int, float, float]] = []
        self.clocked: set[int] = set()  # clock pins of cells that a clock makes do something

    def node(self, pin: Pin) -> int:
        """Return the node of a port."""
        if pin not in self.number:
            self.number[pin] = len(self.ports)
            self.ports.append(pin)
        return self.number[pin]

    def nets(self, progress: Callable[[Iterable], Iterable]) -> None:
        """Add the edges of all nets but the constants."""
        routes = self.routes(self.delays.types, self.database)
        rows = []
        for net in progress(list(self.netlist.nets.values())):
            if self._constant(net):
                continue
            leaves, routed = self._split(net)
            for sink in leaves:
                self.edges.append((self.node(net.driver), self.node(sink.pin), True, self._inside(net, sink)))
            for source_pin, sinks in routed.items():
                rows += self._routed(routes, net, source_pin, sinks)
        delays = routes.delays()
        for source, target, end, ns in rows:
            self.edges.append((source, target, True, delays[end] + ns))
        self.unknown.update(routes.unknown)

    def _constant(self, net):
        """A constant, or a LUT without inputs, which is one."""
        if net.name in CONSTANTS or net.driver is None:
            return True
        driver = self.netlist.cells[net.driver.cell]
        return driver.kind in slices.LUTS and all(port in ("O", "O5", "O6") for port in driver.pins)

    def _split(self, net):
        """Sinks in the driver's site, and the others by the pin through which the signal leaves."""
        leaves, routed = [], {}
        for sink in net.sinks:
            if sink.source_pin is None:
                leaves.append(sink)
            else:
                routed.setdefault(sink.source_pin, []).append(sink)
        return leaves, routed

    def _routed(self, routes, net, source_pin, sinks):
        driver = self.netlist.cells[net.driver.cell]
        wire, pin = self._pin(driver.site, source_pin)
        leaving = pin.ns + self._leave(driver, net.driver.port, source_pin)
        entering, loads = [], []
        for sink in sinks:
            reader = self.netlist.cells[sink.pin.cell]
            _, into = self._pin(reader.site, sink.site_pin)
            loads.append(into.ff)
            entering.append(into.ns + self._enter(reader, sink.pin.port, sink.site_pin))
        part = dataclasses.replace(net, sinks=sinks)
        ends = routes.add(part, wire, pin.ohm, loads)
        start = self.node(net.driver)
        return [(start, self.node(sink.pin), end, leaving + ns) for sink, end, ns in zip(sinks, ends, entering)]

    def _pin(self, site, name):
        """The wire of a pin of a site, and what the database says of it."""
        tile, _ = self.sites[site]
        wire = next(found.pins[name] for found in self.database.sites(tile) if found.name == site)
        timing = self.delays.types(self.database.tiles[tile].kind).pins.get((name, wire))
        if timing is None or timing.ns is None:
            self.unknown[f"pin of {self.sites[site][1]}"] += 1
            timing = NO_PIN if timing is None else timing._replace(ns=np.zeros(4))
        return Wire(tile, wire), timing

    def _leave(self, cell, port, pin):
        kind = self.sites[cell.site][1]
        return self._through(kind, _output(cell, port), pin) if kind.startswith("SLICE") else np.zeros(4)

    def _enter(self, cell, port, pin):
        kind = self.sites[cell.site][1]
        if not kind.startswith("SLICE"):
            return np.zeros(4)
        if cell.kind in slices.REGISTERS or cell.kind in slices.LATCHES:
            return self._through(kind, pin, cell.bel)
        if cell.kind == "CARRY4" and port not in ("CI", "CYINIT"):  # these arcs begin at the pin
            return self._through(kind, pin, "CARRY4")
        if port == "CLK":
            return self._through(kind, "CLK", "CLKINV")
        if port in ("WE", "CE") and pin == "CE":
            return self._through(kind, "CE", "LUT")
        if port in ("I", "D") and cell.kind in slices.RAMS + slices.SHIFTERS:
            return self._through(kind, pin, cell.bel)
        return np.zeros(4)  # LUTs, selections of multiplexers, CI: the pin's own delay is all

    def _inside(self, net, sink):
        """A net that stays in the slice."""
        driver, reader = (self.netlist.cells[pin.cell] for pin in (net.driver, sink.pin))
        kind = self.sites[driver.site][1]
        if not kind.startswith("SLICE"):
            return np.zeros(4)
        source = _output(driver, net.driver.port)
        if reader.kind in slices.MUXES and driver.kind in slices.MUXES:
            return np.zeros(4)  # F7 to F8: one number, that of the F8
        return self._through(kind, source, reader.bel)

    def _through(self, kind, source, target):
        ns = self.delays.slices.inside(kind, source, target)
        if ns is None:
            self.unknown[f"inside a {kind}: {source} to {target}"] += 1
            return np.zeros(4)
        return ns

    def cells(self, progress: Callable[[Iterable], Iterable]) -> None:
        """Add the arcs and checks of all cells."""
        for cell in progress(list(self.netlist.cells.values())):
            if cell.kind in PADS:
                self.unknown[f"{cell.kind}: to and from the package's pins"] += 1
                continue
            alive = {port: net for port, net in cell.pins.items() if not self._constant(self.netlist.nets[net])}
            live = dataclasses.replace(cell, pins=alive) if cell.kind not in slices.LUTS else cell
            timing = self._timing(live)
            for arc in timing.arcs:
                if arc.source in alive and arc.target in alive:
                    self.edges.append((self._port(cell, arc.source), self._port(cell, arc.target), False, arc.ns))
                    if arc.source in CLOCKS or arc.source.endswith("CLK"):
                        self.clocked.add(self._port(cell, arc.source))
            for owed in timing.owed:
                hold = np.nan if owed.hold is None else owed.hold
                self.owed.append((self._port(cell, owed.pin), self._port(cell, owed.clock), owed.setup, hold))
                self.clocked.add(self._port(cell, owed.clock))
            self.unknown.update(timing.unknown)
            self.borrowed.update(timing.borrowed)

    def _timing(self, cell):
        if any(value and _FALLING.match(name) for name, value in cell.parameters.items()):
            return CellTiming(unknown=[f"{cell.kind} on the falling edge of its clock"])
        if cell.kind in slices.KINDS:
            return self.delays.slices.cell(cell, self.sites[cell.site][1])
        return self.delays.blocks.cell(cell)

    def _port(self, cell, port):
        return self.node(Pin(cell.name, port))

    def clocks(self) -> dict[int, list[int]]:
        """Return the roots of the clocks, and which clock pins each reaches."""
        found: dict[int, list[int]] = {}
        for clock in sorted(self.clocked):
            pin = self.ports[clock]
            root = self._root(self.netlist.nets[self.netlist.cells[pin.cell].pins[pin.port]])
            if root is not None:
                found.setdefault(self.node(root), []).append(clock)
        return found

    def _root(self, net):
        while net.driver is not None:
            cell = self.netlist.cells[net.driver.cell]
            above = cell.pins.get("I")
            if cell.kind not in THROUGH or above is None:
                return net.driver
            net = self.netlist.nets[above]
        return None


def _output(cell, port):
    """The database's name of a BEL's output inside a slice."""
    name, number = split_port(port)
    if cell.kind == "CARRY4":
        return f"CARRY4_{name}{number}"
    if cell.bel.endswith("LUT"):
        small = port == "O5" or "5" in cell.bel
        return f"{cell.bel[0]}{'5' if small else '6'}LUT"
    return cell.bel


def build(
    netlist: Netlist,
    database: Database,
    delays: Delays,
    progress: Callable[[Iterable, str], Iterable] = lambda items, what: items,
    builder: type[Builder] = Builder,
) -> Model:
    """Return a netlist with its delays.

    Parameters
    ----------
    netlist : Netlist
    database : Database
        The part: sites, pins, nodes.
    delays : Delays
    progress : callable
        Given what is gone through and a word for it, returns it with a bar.
    builder : type
        `Builder`, or `hls.sta.stock.Stock`.

    Raises
    ------
    UserError
        If there is a combinational loop.
    """
    made = builder(netlist, database, delays)
    made.nets(lambda items: progress(items, "nets"))
    made.cells(lambda items: progress(items, "cells"))
    clocks = made.clocks()
    names = [f"{pin.cell}.{pin.port}" for pin in made.ports]
    source, target, wire, ns = zip(*made.edges) if made.edges else ((), (), (), ())
    graph = Graph(names, np.array(source, int), np.array(target, int), np.array(ns, float).reshape(-1, 4))
    pin, clock, setup, hold = zip(*made.owed) if made.owed else ((), (), (), ())
    checks = Checks(np.array(pin, int), np.array(clock, int), np.array(setup, float), np.array(hold, float))
    wire = np.array(wire, bool)
    return Model(netlist, made.ports, graph, wire, checks, clocks, made.unknown, made.borrowed, made.sites)
