"""Cells of a slice, and the wires and multiplexers inside it.

The database's slicel.sdf and slicem.sdf have the cells' arcs, and as "routing BELs" the way from a cell's output or a
pin of the slice to a cell's input or a pin: `a6lut aff`, `ax aff`, `clk aff`, `a6lut amux`. Together they are what the
vendor's reports show as one number: 0.340 ns of a register and 0.116 ns of its clock's way are 0.456 ns from C to Q.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hls.sta.delays.cell import Arc, CellTiming, Owed, split_port

if TYPE_CHECKING:
    from hls.readback.netlist import Cell
    from hls.sta.delays.sdf import SdfFiles

ZERO = np.zeros(4)
REGISTERS = {"FDRE": "R", "FDSE": "S", "FDCE": "CLR", "FDPE": "PRE"}
LATCHES = {"LDCE": "CLR", "LDPE": "PRE"}
LUTS = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2")
RAMS = ("RAMD32", "RAMS32", "RAMD64E", "RAMS64E")
SHIFTERS = ("SRL16E", "SRLC16E", "SRLC32E")
MUXES = ("MUXF7", "MUXF8")
KINDS = (*REGISTERS, *LATCHES, *LUTS, *RAMS, *SHIFTERS, *MUXES, "CARRY4")


class SliceTimes:
    """Delays inside the two kinds of slices.

    Parameters
    ----------
    files : SdfFiles
    """

    def __init__(self, files: SdfFiles) -> None:
        self._cells = {"SLICEL": files.index("slicel"), "SLICEM": files.index("slicem")}

    def _delay(self, site, kind, bel, source, target):
        cell = self._cells[site].get((kind, f"{site}/{bel}" if bel else site))
        return next((d.ns for d in cell.delays if (d.source, d.target) == (source, target)), None) if cell else None

    def _check(self, site, kind, bel, which, pin):
        cell = self._cells[site].get((kind, f"{site}/{bel}" if bel else site))
        return next((c.ns for c in cell.checks if (c.kind, c.pin) == (which, pin)), None) if cell else None

    def inside(self, site: str, source: str, target: str) -> np.ndarray | None:
        """Return the delay between two things in a slice.

        Parameters
        ----------
        site : str
            "SLICEL" or "SLICEM".
        source, target : str
            A BEL with its output as in the database's names ("A6LUT", "CARRY4_O0"), or a pin of the slice ("AX").

        Returns
        -------
        numpy.ndarray or None
            float64 (4,), None if the database has none.
        """
        return self._delay(site, "ROUTING_BEL", target, source, target)

    def cell(self, cell: Cell, site: str) -> CellTiming:
        """Return what a cell of a slice takes.

        Parameters
        ----------
        cell : Cell
        site : str
            "SLICEL" or "SLICEM".
        """
        if cell.kind in REGISTERS or cell.kind in LATCHES:
            return self._register(cell, site)
        if cell.kind == "CARRY4":
            return self._carry(cell, site)
        if cell.kind in MUXES:
            return self._mux(cell, site)
        return self._memory(cell, site) if cell.kind in RAMS + SHIFTERS else self._lut(cell, site)

    def _register(self, cell, site):
        timing = CellTiming()
        latch = cell.kind in LATCHES
        clock = "G" if latch else "C"
        block = "FF_INIT" if "5" in cell.bel else "REG_INIT_LAT" if latch else "REG_INIT_FF"
        _arc(timing, cell, self._delay(site, block, "", "CLK", "Q"), clock, "Q")
        if latch:
            _arc(timing, cell, self._delay(site, block, "", "D", "Q"), "D", "Q")
        for port, pin in (("D", "DIN"), ("CE", "CE")):
            if port in cell.pins and not (latch and port == "CE"):
                setup, hold = (self._check(site, block, "", which, pin) for which in ("SETUP", "HOLD"))
                _owe(timing, cell, port, clock, setup, hold)
        control = (REGISTERS | LATCHES)[cell.kind]
        if control in cell.pins:
            kind = f"{block}_{'QH' if control in ('S', 'PRE') else 'QL'}"
            setup, hold = (self._check(site, kind, "", which, "SR") for which in ("RECOVERY", "REMOVAL"))
            _owe(timing, cell, control, clock, setup, hold)
            if control in ("CLR", "PRE"):
                _arc(timing, cell, self._delay(site, kind, "", "SR", "Q"), control, "Q")
            elif setup is not None:
                timing.borrowed.append("synchronous set or reset of a register: the asynchronous one's recovery time")
        return timing

    def _lut(self, cell, site):
        timing = CellTiming()
        outputs = [port for port in ("O6", "O5", "O") if port in cell.pins]
        for output in outputs:
            small = output == "O5" or "5" in cell.bel
            bel, block = f"{cell.bel[0]}{'5' if small else '6'}LUT", "LUT5" if small else "LUT6"
            for port in cell.pins:
                name, number = split_port(port)
                if name not in ("A", "I") or number is None:
                    continue
                physical = number if name == "A" else number + 1
                if not _depends(cell, small, physical):
                    continue
                ns = self._delay(site, block, bel, f"A{physical}", "O5" if small else "O6")
                if ns is None:  # slicem.sdf has its LUTs as memories
                    ns = self._delay(site, f"LUT_OR_MEM{5 if small else 6}LRAM", bel, f"A{physical}", _out(small))
                _arc(timing, cell, ns, port, output)
        return timing

    def _mux(self, cell, site):
        timing = CellTiming()
        for port, pin in (("I0", "0"), ("I1", "1"), ("S", "S0")):
            if port in cell.pins and "O" in cell.pins:
                _arc(timing, cell, self._delay(site, "SELMUX2_1", cell.bel, pin, "OUT"), port, "O")
        return timing

    def _carry(self, cell, site):
        timing = CellTiming()
        for source in cell.pins:
            name, number = split_port(source)
            if name not in ("CI", "CYINIT", "DI", "S"):
                continue
            block, pin = "CARRY4", {"CI": "CIN", "CYINIT": "CYINIT"}.get(name, f"{name}{number}")
            if name == "DI":  # its numbers depend on where it comes from: a pin of the slice, or the LUT's O5
                block += f"_{'ABCD'[number]}X" if cell.site_pins.get(source) else "_O5"
            first = number or 0
            for target in cell.pins:
                output, bit = split_port(target)
                # DI decides nothing but carries: not the sum of its own bit.
                if output not in ("O", "CO") or bit < first or (name == "DI" and output == "O" and bit == first):
                    continue
                ns = self._delay(site, block, "", pin, f"{output}{bit}")
                if ns is None and block == "CARRY4_O5":
                    ns = self._delay(site, f"CARRY4_{'ABCD'[number]}X", "", pin, f"{output}{bit}")
                _arc(timing, cell, ns, source, target)
        return timing

    def _memory(self, cell, site):
        timing = CellTiming()
        small = "5" in cell.bel
        shifts = cell.kind in SHIFTERS
        block = f"LUT_OR_MEM{5 if small else 6}{'SHFREG' if shifts else 'LRAM'}"
        read = f"LUT_OR_MEM{5 if small else 6}LRAM"
        clock = "CLK"
        for output in ("O", "Q", "Q31", "O5", "O6", "MC31"):
            if output not in cell.pins:
                continue
            pin = "MC31" if output in ("Q31", "MC31") else _out(small)
            _arc(timing, cell, self._delay(site, block, cell.bel, "CLK", pin), clock, output)
            for port in cell.pins:
                name, number = split_port(port)
                if name not in ("RADR", "ADR", "A") or pin == "MC31" or number is None:
                    continue
                ns = self._delay(site, read, cell.bel, f"A{_physical(cell, port, number)}", pin)
                _arc(timing, cell, ns, port, output)
                if shifts and ns is not None:
                    timing.borrowed.append(f"{cell.kind}: address to output: a LUT RAM's")
        for port in cell.pins:
            name, number = split_port(port)
            bel = ""
            if port in ("I", "D"):
                bel = cell.bel
                pin = "DI2" if not small and (cell.site_pins.get(port) or "").endswith("X") else "DI1"
            elif port in ("WE", "CE"):
                pin = "WE"
            elif number is not None and not shifts and name in ("WADR", "ADR"):
                pin = f"WA{_physical(cell, port, number)}"
            else:
                continue
            _owe(timing, cell, port, clock, *(self._check(site, block, bel, which, pin) for which in ("SETUP", "HOLD")))
        return timing


def _out(small):
    return "O5" if small else "O6"


def _physical(cell, port, number):
    """The number of a LUT's address pin, 1 to 6."""
    pin = cell.site_pins.get(port)
    return int(pin[-1]) if pin and pin[-1].isdigit() else number + 1


def _depends(cell, small, physical):
    """Whether a LUT's output changes with an input, by its table; with A6 constant the upper half is that of O6."""
    table = cell.parameters.get("INIT")
    if not isinstance(table, int) or cell.kind not in ("LUT6", "LUT6_2"):
        return True
    if small:
        width, table = 32, table & 0xFFFFFFFF
    elif "VCC" in (cell.pins.get("A6"), cell.pins.get("I5")):
        width, table = 32, table >> 32
    else:
        width = 64
    step = 1 << (physical - 1)
    if step >= width:
        return False
    return any((table >> i ^ table >> (i | step)) & 1 for i in range(width) if not i & step)


def _arc(timing, cell, ns, source, target):
    if source not in cell.pins or target not in cell.pins:
        return
    if ns is None:
        timing.unknown.append(f"{cell.kind}: {split_port(source)[0]} to {target.partition('[')[0]}")
    else:
        timing.arcs.append(Arc(source, target, ns))


def _owe(timing, cell, pin, clock, setup, hold):
    if clock not in cell.pins:
        return
    if setup is None:
        timing.unknown.append(f"{cell.kind}: set-up of {split_port(pin)[0]}")
    else:
        timing.owed.append(Owed(pin, clock, setup, hold))
