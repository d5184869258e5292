"""The same netlist as stock nextpnr-xilinx counts it, to hold the two against each other.

By its source (`getPipDelay`, `getPortClockingInfo`; openXC7's e22bcf69) a switch takes the slow corner's maximum and
its own resistance times its own capacitance, 0.035 ns at least; what a route passes of a site, a pin or a multiplexer,
takes 0.025 ns each; a register 0.1 ns from clock to output and 0.1 ns of set-up. What a wire loads hardly counts, nor
does a clock's way. DSPs, block RAMs, the processor, and what is written into LUT RAMs and shift registers neither begin
nor end a path.
"""

from __future__ import annotations

import numpy as np

from hls.sta.delays import slices
from hls.sta.delays.cell import Arc, CellTiming, Owed
from hls.sta.delays.sdf import SLOW_MAX
from hls.sta.delays.tiles import OHM_FF
from hls.sta.model import NO_PIN, Builder
from hls.sta.wires import Routes

REGISTER_NS = 0.1
SWITCH_NS, IN_SITE_NS = 0.035, 0.025


class StockRoutes(Routes):
    """Switches alone."""

    def _switch(self, here, pip):
        timing = self._types.of_tile(pip.tile).pips.get((pip.source, pip.target))
        ns = 0.0
        if timing is not None and timing.ns is not None:
            ns = timing.ns[SLOW_MAX] + OHM_FF * timing.ohm * timing.ff
        return self._node(here, 0.0, True, pip.tile, pip.target, np.full(4, max(ns, SWITCH_NS)))

    def _of_node(self, tile, wire):
        return 0.0, 0.0


class Stock(Builder):
    """Makes a `Model` of what stock nextpnr-xilinx sees."""

    routes = StockRoutes

    def _pin(self, site, name):
        return super()._pin(site, name)[0], NO_PIN

    def _leave(self, cell, port, pin):
        return np.full(4, (1 + pin.endswith("MUX")) * IN_SITE_NS)

    def _enter(self, cell, port, pin):
        return np.full(4, (1 + (cell.kind not in slices.LUTS)) * IN_SITE_NS)

    def _inside(self, net, sink):
        return np.full(4, IN_SITE_NS)

    def _routed(self, routes, net, source_pin, sinks):
        rows = super()._routed(routes, net, source_pin, sinks)
        if not self.netlist.cells[net.driver.cell].kind.startswith("BUF"):
            return rows
        for source, target, _, _ in rows:  # a clock
            self.edges.append((source, target, True, np.zeros(4)))
        return []

    def _timing(self, cell):
        timing = CellTiming()
        if cell.kind in slices.REGISTERS:
            timing.arcs = [Arc("C", "Q", np.full(4, REGISTER_NS))]
            timing.owed = [Owed(port, "C", REGISTER_NS, 0.0) for port in cell.pins if port not in ("C", "Q")]
        elif cell.kind.startswith("BUF"):
            timing.arcs = [Arc(port, "O", np.zeros(4)) for port in cell.pins if port != "O"]
        elif cell.kind in slices.KINDS and cell.kind not in slices.LATCHES:
            timing.arcs = [arc for arc in super()._timing(cell).arcs if arc.source != "CLK"]
        return timing
