"""Cells and nets as they are found: from what leaves the device back to what it depends on."""

from __future__ import annotations

import abc
import collections
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from hls.readback.netlist import Cell, Fault, Net, Netlist, Pin, Sink, Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from hls.readback.database import Database
    from hls.readback.features import Features
    from hls.readback.routing import Routes


SHOWN = 2000  # pips from one look of the bar to the next


class Outside(NamedTuple):
    """A signal that enters a site through a pin of it."""

    pin: str


Signal = Pin | Outside | int  # of a cell in the same site, from outside, or a constant


class Block(abc.ABC):
    """A site, and the settings of it.

    Attributes
    ----------
    settings : set of str
        Names behind the site's own: "AFF.ZINI".
    values : dict
        Likewise: "ALUT.INIT" -> int.
    """

    def __init__(self, builder: Builder, site: Site, prefix: str) -> None:
        self.builder, self.site, self.prefix = builder, site, prefix
        start = prefix + "."
        on = builder.features.settings.get(site.tile, ())
        self.settings = {name[len(start) :] for name in on if name.startswith(start)}
        values = builder.features.values.get(site.tile, {})
        self.values = {name[len(start) :]: value for name, value in values.items() if name.startswith(start)}

    @abc.abstractmethod
    def output(self, pin: str) -> Pin | None:
        """Return the cell's port behind an output pin of the site; the cells that it needs are made."""

    def name(self, bel: str) -> str:
        """Return the name of the cell on a BEL."""
        return f"{self.site.name}/{bel}"

    def chosen(self, mux: str, where: str | None = None) -> str | None:
        """Return the input that a multiplexer inside the site has chosen: "O6" of "AFFMUX.O6"."""
        found = [name[len(mux) + 1 :] for name in self.settings if name.startswith(mux + ".")]
        if len(found) == 1:
            return found[0]
        if where:
            said = " and ".join(sorted(found)) or "nothing"
            self.builder.fault("mode", f"{self.site.name}/{where}", f"{self.site.name}/{mux} selects {said}")
        return None


class Builder:
    """Makes a Netlist.

    Parameters
    ----------
    database : Database
    features : Features
    routes : Routes
    block : callable
        Called with builder and site; returns the site's Block.
    """

    def __init__(self, database: Database, features: Features, routes: Routes, block: Callable) -> None:
        self.database, self.features, self.routes = database, features, routes
        self.netlist = Netlist(database.part)
        self._block, self._blocks = block, {}
        self._waiting: collections.deque = collections.deque()
        self._told: set[Fault] = set()

    def fault(self, kind: str, where: str, says: str) -> None:
        """Note a fault, once."""
        fault = Fault(kind, where, says)
        if fault not in self._told:
            self._told.add(fault)
            self.netlist.faults.append(fault)

    def block(self, site: Site) -> Block:
        """Return the Block of a site, always the same."""
        if site.name not in self._blocks:
            self._blocks[site.name] = self._block(self, site)
        return self._blocks[site.name]

    def cell(self, block: Block, bel: str, kind: str, parameters: dict) -> Cell:
        """Make a cell."""
        name = block.name(bel)
        cell = self.netlist.cells[name] = Cell(name, kind, block.site.name, bel, parameters, {})
        return cell

    def join(self, block: Block, cell: Cell, port: str, signal: Signal | None, needed: bool = True) -> None:
        """Join an input of a cell to a signal.

        Parameters
        ----------
        needed : bool
            What comes in through a pin that nothing drives is a fault.
        """
        if signal is None or port in cell.pins:
            return
        if isinstance(signal, Outside):
            cell.site_pins[port] = signal.pin
            self._waiting.append((block.site, cell, port, signal.pin, needed))
        elif isinstance(signal, int):
            self._attach(self._constant(signal), Sink(Pin(cell.name, port), None, None, ()))
        else:
            self._attach(self._net(signal), Sink(Pin(cell.name, port), None, None, ()))

    def run(self, progress: bool = False) -> Netlist:
        """Follow every input back, until none is left; `progress`: a bar on a terminal, of the pips on the way."""
        total = len(self.features.pips)
        with tqdm(desc="routes", total=total, unit=" pips", disable=not progress, dynamic_ncols=True) as bar:
            while self._waiting:
                self._follow(*self._waiting.popleft())
                if len(self.routes.walked) - bar.n > SHOWN:
                    bar.update(len(self.routes.walked) - bar.n)
        return self.netlist

    def _follow(self, site, cell, port, pin, needed):
        """Join an input to what drives its site's pin."""
        wire = site.pins.get(pin)
        if wire is None:
            self.fault("mode", f"{site.name}/{pin}", f"{site.name} has no wire at its pin {pin}")
            return
        origin, path = self.routes.back(self.database.node(site.tile, wire))
        sink = Pin(cell.name, port)
        if origin is None:
            if needed:
                at = f"{path[0].tile}/{path[0].source}" if path else f"{site.tile}/{wire}"
                self.fault("no driver", f"{site.name}/{pin}", f"{cell.name}.{port} has no driver: {at} is open")
            return
        if origin.constant is not None:
            self._attach(self._constant(origin.constant), Sink(sink, None, pin, tuple(path)))
            return
        driver = self.block(origin.site).output(origin.pin)
        if driver is None:
            says = f"{cell.name}.{port} is driven by {origin.site.name}/{origin.pin}, which gives no signal"
            self.fault("no driver", f"{site.name}/{pin}", says)
            return
        self._attach(self._net(driver), Sink(sink, origin.pin, pin, tuple(path)))

    def _net(self, driver):
        name = f"{driver.cell}.{driver.port}"
        if name not in self.netlist.nets:
            self.netlist.nets[name] = Net(name, driver)
            self.netlist.cells[driver.cell].pins[driver.port] = name
        return self.netlist.nets[name]

    def _constant(self, value):
        return self.netlist.nets.setdefault(("GND", "VCC")[value], Net(("GND", "VCC")[value], None))

    def _attach(self, net, sink):
        net.sinks.append(sink)
        self.netlist.cells[sink.pin.cell].pins[sink.pin.port] = net.name
