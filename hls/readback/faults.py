"""Faults planted in a bitstream's frames: a check that does not notice them proves nothing."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING

from model.base.errors import UserError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from hls.readback.bitfile import Frames
    from hls.readback.database import Database, Feature
    from hls.readback.netlist import Cell, Netlist, Pip, Sink

Bit = tuple[int, int, bool]  # row and column of Frames.bits, and what it becomes


@dataclasses.dataclass(frozen=True)
class Planted:
    """A fault.

    Attributes
    ----------
    frames : Frames
        With the fault.
    says : str
        What was changed.
    """

    frames: Frames
    says: str


def plant(kind: str, frames: Frames, database: Database, netlist: Netlist) -> Planted:
    """Return a bitstream with a fault, always the same one.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    frames : Frames
    database : Database
    netlist : Netlist
        As it was decoded without the fault.

    Raises
    ------
    UserError
        If there is no such kind, or the design has nothing to break in this way.
    """
    if kind not in KINDS:
        raise UserError(f"there is no planted fault {kind!r}; choose one of {', '.join(KINDS)}")
    found = KINDS[kind](frames, database, netlist)
    if found is None:
        raise UserError(f"the design has nothing for the planted fault {kind!r}; plant it in another one")
    bits, says = found
    return _changed(frames, bits, says)


def _changed(frames, bits, says):
    changed = frames.bits.copy()
    for row, column, value in bits:
        changed[row, column] = value
    return Planted(dataclasses.replace(frames, bits=changed), says)


def feature_bits(frames: Frames, database: Database, tile: str, name: str, bus: str = "CLB_IO_CLK") -> list[Bit]:
    """Return the bits of a feature of a tile, as they are where it is on."""
    window = database.tiles[tile].windows[bus]
    for feature in database.features(window.kind, bus):
        if feature.name == name:
            return _bits(frames, window, feature)
    raise KeyError(f"{tile} has no feature {name}")


def _bits(frames, window, feature: Feature):
    def place(bit, value):
        frame, at = bit
        return frames.row[window.base] + frame, 32 * (window.offset - window.skip) + at, value

    return [place(bit, True) for bit in feature.ones] + [place(bit, False) for bit in feature.zeros]


def _nearest(netlist: Netlist) -> Iterable[Cell]:
    """Cells from the pads and the processor's data back, the nearest first: what is wrong there shows in an answer."""
    queue = collections.deque(cell for cell in netlist.cells.values() if cell.kind in ("OBUF", "PS7"))
    seen = {cell.name for cell in queue}
    while queue:
        cell = queue.popleft()
        yield cell
        for port in sorted(port for port in cell.pins if cell.kind != "PS7" or "DATA" in port):
            driver = netlist.nets[cell.pins[port]].driver
            if driver and driver.cell not in seen:
                seen.add(driver.cell)
                queue.append(netlist.cells[driver.cell])


def _sink(netlist, cell, port) -> Sink:
    net = netlist.nets[cell.pins[port]]
    return next(sink for sink in net.sinks if sink.pin == (cell.name, port))


def _tile(netlist, database, cell):
    return next(tile for tile in database.tiles.values() if cell.site in tile.sites)


def _routes(netlist) -> Iterable[tuple[Cell, tuple[Pip, ...]]]:
    """Routes to inputs of LUTs and pads, the nearest to the pads first; pips with bits only, more than two."""
    for cell in _nearest(netlist):
        for port in sorted(port for port in cell.pins if port[0] == "I") if cell.kind in ("LUT6_2", "BUF") else ():
            sink = _sink(netlist, cell, port)
            if sink.source_pin and len(pips := [pip for pip in sink.path if pip.bits]) > 2:
                yield cell, pips


def flipped_table(frames: Frames, database: Database, netlist: Netlist, rng: random.Random) -> Planted:
    """Return a bitstream with one bit flipped of a LUT's table: any LUT, any bit that its constant inputs leave."""
    tables = [cell for cell in netlist.cells.values() if cell.kind == "LUT6_2" and _signals(cell)]
    cell = rng.choice(sorted(tables, key=lambda cell: cell.name))
    index = _open_index(cell) | sum(1 << k for k in _signals(cell) if rng.random() < 0.5)
    return _changed(frames, *_flip(frames, database, netlist, cell, index))


def flipped_route(frames: Frames, database: Database, netlist: Netlist, rng: random.Random) -> Planted:
    """Return a bitstream with one bit flipped of a route: any input, any multiplexer on its way, any bit of its
    choice, set or not.
    """
    sinks = [sink for net in netlist.nets.values() for sink in net.sinks if any(pip.bits for pip in sink.path)]
    sink = rng.choice(sorted(sinks, key=lambda sink: sink.pin))
    pip = rng.choice([pip for pip in sink.path if pip.bits])
    row, column, value = rng.choice(feature_bits(frames, database, pip.tile, f"{pip.target}.{pip.source}"))
    says = f"a bit of {pip.tile}/{pip.target} on the way to {sink.pin.cell}.{sink.pin.port}"
    return _changed(frames, [(row, column, not value)], says)


def _signals(cell):
    """Inputs of a LUT that are neither open nor constant."""
    return [k for k in range(6) if cell.pins.get(f"I{k}", "VCC") not in ("GND", "VCC")]


def _open_index(cell):
    """The entry that is read while all signals are 0; what is open is 1, as it is in the device."""
    return sum(1 << k for k in range(6) if cell.pins.get(f"I{k}", "VCC") == "VCC")


def _flip(frames, database, netlist, cell, index):
    tile = _tile(netlist, database, cell)
    column = int(cell.site.partition("_X")[2].partition("Y")[0]) % 2
    name = f"{tile.sites[cell.site]}_X{column}.{cell.bel[0]}LUT.INIT[{index:02d}]"
    ((row, at, _),) = feature_bits(frames, database, tile.name, name)
    return [(row, at, not frames.bits[row, at])], f"bit {index} of the table of {cell.name}"


def _lut(frames, database, netlist):
    for cell in _nearest(netlist):
        if cell.kind == "LUT6_2" and "O6" in cell.pins and _signals(cell):
            return _flip(frames, database, netlist, cell, _open_index(cell))
    return None


def _route(frames, database, netlist):
    for _, pips in _routes(netlist):
        pip = pips[len(pips) // 2]
        for row, column, value in feature_bits(frames, database, pip.tile, f"{pip.target}.{pip.source}"):
            if value:
                return [(row, column, False)], f"one bit of the route over {pip.tile}/{pip.target}"
    return None


def _cut(frames, database, pip):
    bits = feature_bits(frames, database, pip.tile, f"{pip.target}.{pip.source}")
    return [(row, column, False) for row, column, _ in bits]


def _removed(frames, database, netlist):
    for cell, pips in _routes(netlist):
        pip = pips[len(pips) // 2]
        return _cut(frames, database, pip), f"the route to {cell.name} is cut at {pip.tile}/{pip.target}"
    return None


def _pin(frames, database, netlist):
    for cell, pips in _routes(netlist):
        says = f"the route to {cell.name} is cut at its end, {pips[-1].tile}/{pips[-1].target}, which then is 1"
        return _cut(frames, database, pips[-1]), says
    return None


def _two_drivers(frames, database, netlist):
    """A second pip onto the same wire, where their bits let both be on."""
    for _, pips in _routes(netlist):
        for pip in pips:
            window = database.tiles[pip.tile].windows["CLB_IO_CLK"]
            mine = feature_bits(frames, database, pip.tile, f"{pip.target}.{pip.source}")
            zeros = {bit[:2] for bit in mine if not bit[2]}
            for feature in database.features(window.kind, "CLB_IO_CLK"):
                target, _, source = feature.name.partition(".")
                if target != pip.target or source == pip.source or feature.zeros:
                    continue
                bits = _bits(frames, window, feature)
                if not zeros & {bit[:2] for bit in bits}:
                    return bits, f"{pip.tile}/{pip.target} is driven by {pip.source} and by {source}"
    return None


def _dsp(frames, database, netlist):
    return _setting(frames, database, netlist, "DSP48E1", "DSP48.DSP_{}.ZMREG[0]", "MREG of {} is another")


def _ram(frames, database, netlist):
    says = "bit 5 of the start value of {}"
    return _setting(frames, database, netlist, "RAMB18E1", "RAMB18_Y{}.INIT_00[005]", says, "BLOCK_RAM")


def _setting(frames, database, netlist, kind, feature, says, bus="CLB_IO_CLK"):
    """The one bit of a feature of the nearest cell of a kind; two of these share a tile, the lower is number 0."""
    for cell in _nearest(netlist):
        if cell.kind == kind:
            tile, half = _tile(netlist, database, cell), int(cell.site.rpartition("Y")[2]) % 2
            ((row, column, _),) = feature_bits(frames, database, tile.name, feature.format(half), bus)
            return [(row, column, not frames.bits[row, column])], says.format(cell.name)
    return None


KINDS: dict[str, Callable] = {
    "lut": _lut,
    "route": _route,
    "removed": _removed,
    "pin": _pin,
    "two drivers": _two_drivers,
    "dsp": _dsp,
    "ram": _ram,
}
