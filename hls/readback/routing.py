"""Pips to routes: from any wire back to what drives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hls.readback.netlist import Fault, Pip, Site

if TYPE_CHECKING:
    from hls.readback.database import Database
    from hls.readback.features import Features

IGNORED = ("RAMBFIFO36E1",)  # its two halves stand for it (hls/readback/cells/blocks.py)
TIEOFF = {"HARD0": 0, "HARD1": 1}
REBUF = "CLK_BUFG_REBUF"  # carries global clocks on, up or down: settings of its own in place of pips' bits


class Origin(NamedTuple):
    """Where a signal comes from: a pin of a site, or a constant."""

    site: Site | None
    pin: str | None
    constant: int | None


class Routes:
    """The routes of a bitstream.

    Attributes
    ----------
    drivers : dict
        Node -> the pips with bits that drive it.
    """

    def __init__(self, database: Database, features: Features) -> None:
        self._database, self._features = database, features
        self.drivers: dict[int, list[Pip]] = {}
        self._source: dict[Pip, int] = {}
        for pip in features.pips:
            target = database.node(pip.tile, pip.target)
            self._source[pip] = database.node(pip.tile, pip.source)
            self.drivers.setdefault(target, []).append(pip)
        self._steps: dict[int, tuple[Pip, int] | Origin | None] = {}
        self.walked: set[Pip] = set()  # pips of the routes that were asked for

    def conflicts(self) -> list[Fault]:
        """Return the nodes that pips drive from more than one side."""
        faults = []
        for pips in self.drivers.values():
            if len({self._source[pip] for pip in pips}) > 1:
                names = " and ".join(sorted(f"{pip.tile}/{pip.source}" for pip in pips))
                where = f"{pips[0].tile}/{pips[0].target}"
                faults.append(Fault("two drivers", where, f"{where} is driven twice: by {names}"))
        return faults

    def back(self, node: int) -> tuple[Origin | None, list[Pip]]:
        """Return what drives a node, and the pips on the way, the driver's first; None if nothing does."""
        path, seen = [], set()
        while True:
            if node in seen:
                return None, path[::-1]
            seen.add(node)
            if node not in self._steps:
                self._steps[node] = self._step(node, frozenset())
            step = self._steps[node]
            if step is None or isinstance(step, Origin):
                self.walked.update(path)
                return step, path[::-1]
            pip, node = step
            path.append(pip)

    def _step(self, node, above):
        """One step back; where several ways are open, the one that ends at a driver."""
        if node in self.drivers:
            pip = self.drivers[node][0]
            return pip, self._source[pip]
        always, default = [], []
        for tile, wire in self._database.wires(node):
            for index, pin, drives in self._database.site_pin(tile.kind).get(wire, ()):
                if drives:
                    site = self._database.sites(tile.name)[index]
                    if site.kind == "TIEOFF":
                        return Origin(None, None, TIEOFF[pin])
                    if site.kind not in IGNORED:
                        return Origin(site, pin, None)
            kind = self._database.tile_type(tile.kind)
            always += [(tile, wire, source) for source in kind.always.get(wire, ())]
            default += [(tile, wire, source) for source in kind.default.get(wire, ())]
            if tile.kind == REBUF:
                always += [(tile, wire, source) for source in self._carried(tile, kind, wire)]
        for tile, wire, source in always + default:
            before = self._database.node(tile.name, source)
            if before != node and before not in above and self._ends(before, above | {node}):
                return Pip(tile.name, source, wire, False), before
        return None

    def _ends(self, node, above):
        """Whether a way back from a node ends at a driver; a long way with bits is taken to."""
        if node in self.drivers:
            return True
        if node in self._steps:
            return self._steps[node] is not None
        return self._step(node, above) is not None

    def _carried(self, tile, kind, wire):
        """Sources of a global clock's wire in a tile that carries it on, if its settings say so."""
        settings = self._features.settings.get(tile.name, ())
        clock = wire.rpartition("GCLK")[2].partition("_")[0]
        if not any(f"GCLK{clock}_ENABLE_{way}" in settings for way in ("ABOVE", "BELOW")):
            return []
        return [source for target, source in kind.pips if target == wire]
