"""Cells that are a site of their own: DSP, block RAM, processor, buffers of clocks.

A type of DSP_L.sdf names the settings for which its numbers hold ("DSP48E1_AREG_0_A_INPUT_DIRECT_MREG_1_..."); all that
fit a cell count, and of two numbers of one arc the worse. BRAM_L.sdf has most numbers for the upper RAMB18 of a pair
alone; they stand for the lower one too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hls.sta.delays.cell import Arc, CellTiming, Owed, split_port, widest

if TYPE_CHECKING:
    from hls.readback.netlist import Cell
    from hls.sta.delays.sdf import SdfCell, SdfFiles

_REGISTERS = "ACASC AD ALUMODE A BCASC B CARRYIN CARRYINSEL C D INMODE M OPMODE P".split()
_CONDITION = re.compile(
    rf"((?:{'|'.join(sorted(_REGISTERS, key=len, reverse=True))})REG)_(\d)"
    r"|(A_INPUT|B_INPUT)_(DIRECT|CASCADE)|(USE_DPORT)_(TRUE|FALSE)|(USE_MULT)_(DYNAMIC|MULTIPLY|NONE)"
    r"|(USE_PATTERN_DETECT)_(NO_PATDET|PATDET)"
)
# What a parameter is if the bitstream does not say: the primitive's default, or the setting with more delay.
_DEFAULTS = {f"{name}REG": 1 for name in _REGISTERS} | {
    "A_INPUT": "DIRECT",
    "B_INPUT": "DIRECT",
    "USE_DPORT": "FALSE",
    "USE_MULT": "MULTIPLY",
    "USE_PATTERN_DETECT": "NO_PATDET",
}
_RAM_PINS = {
    "ADDRARDADDR": "ADDRAU",
    "ADDRBWRADDR": "ADDRBU",
    "WEA": "WEAU",
    "WEBWE": "WEBU",
    "RSTRAMARSTRAM": "RSTRAMAU",
    "RSTREGARSTREG": "RSTREGAU",
    "REGCEAREGCE": "REGCEAL",
}
_RAM_PINS |= {name: f"{name}U" for name in ("ENARDEN", "ENBWREN", "RSTRAMB", "RSTREGB", "REGCEB", "DOADO", "DOBDO")}
_RAM_PINS |= {name: f"{name}U" for name in ("DIADI", "DIBDI", "DIPADIP", "DIPBDIP", "DOPADOP", "DOPBDOP")}


class BlockTimes:
    """Delays of DSPs, block RAMs, the processor and clock buffers.

    Parameters
    ----------
    files : SdfFiles
    """

    def __init__(self, files: SdfFiles) -> None:
        self._files = files
        self._rules: list[tuple[dict[str, int | str], SdfCell]] | None = None

    def cell(self, cell: Cell) -> CellTiming:
        """Return what a cell takes; all of it is unknown if its kind is."""
        if cell.kind == "DSP48E1":
            return self._dsp(cell)
        if cell.kind in ("RAMB18E1", "RAMB36E1"):
            return self._ram(cell)
        if cell.kind == "PS7":
            return _plain(cell, self._files["PSS2"])
        if cell.kind in ("BUFGCTRL", "BUFG", "BUFHCE", "BUFH"):
            return self._buffer(cell)
        timing = CellTiming()
        timing.unknown += [f"{cell.kind}: {split_port(port)[0]}" for port in cell.pins]
        return timing

    def _dsp(self, cell):
        if self._rules is None:
            self._rules = [(conditions(found.kind), found) for found in self._files["DSP_L"]]
        settings = _DEFAULTS | {name: value for name, value in cell.parameters.items() if name in _DEFAULTS}
        fit = [found for wanted, found in self._rules if all(settings[name] == want for name, want in wanted.items())]
        return _plain(cell, fit)

    def _ram(self, cell):
        timing, fit = CellTiming(), ram_cells(cell)
        index = {}
        for found in self._files["BRAM_L"]:
            for delay in found.delays if found.kind in fit else ():
                index[delay.target] = (delay.source, delay)
            for check in found.checks if found.kind in fit else ():
                if check.pin.startswith(fit[found.kind]):
                    index.setdefault(check.pin, (check.clock, {}))[1][check.kind] = check.ns
        for port in cell.pins:
            name, _ = split_port(port)
            pin = ram_pin(name)
            if pin is None:
                continue
            source, numbers = index.get(pin, (None, None))
            if source is None:
                timing.unknown.append(f"{cell.kind}: {name}")
                continue
            clock = "CLKARDCLK" if "ARD" in source else "CLKBWRCLK"
            if clock not in cell.pins:
                timing.unknown.append(f"{cell.kind}: {name}, whose clock is not connected")
            elif isinstance(numbers, dict):
                timing.owed.append(Owed(port, clock, numbers["SETUP"], numbers["HOLD"]))
            else:
                timing.arcs.append(Arc(clock, port, numbers.ns))
        return timing

    def _buffer(self, cell):
        timing = CellTiming()
        name = "CLK_BUFG_BOT_R" if cell.kind.startswith("BUFG") else "CLK_HROW_BOT_R"
        (delay,) = [d for found in self._files[name] for d in found.delays if (d.source, d.target) == ("I", "O")]
        for port in cell.pins:
            if port in ("I", "I0", "I1") and "O" in cell.pins:
                timing.arcs.append(Arc(port, "O", delay.ns))
            elif port != "O":
                timing.unknown.append(f"{cell.kind}: {split_port(port)[0]}")
        return timing


def conditions(kind: str) -> dict[str, int | str]:
    """Return the settings for which numbers of a type of DSP hold: {"AREG": 1, "A_INPUT": "DIRECT", ...}.

    One of the database's types has a register twice, "DREG_1_ADREG_0_DREG_0_...": the first is meant.
    """
    found: dict[str, int | str] = {}
    for match in _CONDITION.finditer(kind):
        name, value = (text for text in match.groups() if text is not None)
        found.setdefault(name, int(value) if value.isdigit() else value)
    return found


def ram_cells(cell: Cell) -> dict[str, tuple[str, ...]]:
    """Return the types of the database's block RAM whose numbers hold for a cell: type -> how the inputs' names begin
    for which they do. What is written through a port depends on that port's mode; all of a simple dual port RAM on B's.
    """
    mode = str(cell.parameters.get("RAM_MODE", "TDP"))
    short = {"WRITE_FIRST": "WF", "READ_FIRST": "RF", "NO_CHANGE": "NC"}
    names = ("", "_ISFIFO_FALSE", "_DOA_REG_L_1", "_DOA_REG_U_1", "_DOB_REG_U_1")
    fit: dict[str, tuple[str, ...]] = {f"RAMBFIFO36E1{name}": ("",) for name in names}
    for port in "AB":
        set_by = "B" if mode == "SDP" else port
        write = short.get(str(cell.parameters.get(f"WRITE_MODE_{set_by}", "WRITE_FIRST")), "WF")
        kind = f"RAMBFIFO36E1RAM_MODE_RAMB18{mode}_U_WRITE_MODE_U_{write}_EN_ECC_READ_FALSE_EN_ECC_WRITE_FALSE"
        fit[kind] = (*fit.get(kind, ()), f"DI{port}", f"DIP{port}")
        kept = int(cell.parameters.get(f"DO{port}_REG", 0))
        fit[f"RAMBFIFO36E1RAM_MODE_U_RAMB18{mode}_U_DO{port}_REG_U_{kept}_EN_ECC_READ_FALSE"] = ()
    return fit


def ram_pin(name: str) -> str | None:
    """Return the database's name of a block RAM's port, None of those that have no time: clocks and cascades."""
    return None if name.startswith(("CLK", "REGCLK", "CASCADE")) else _RAM_PINS.get(name, name)


def _plain(cell, cells):
    """Arcs and checks by the ports' names; of several numbers of one arc the worse."""
    delays, checks = {}, {}
    for found in cells:
        for delay in found.delays:
            delays.setdefault((delay.source, delay.target), []).append(delay.ns)
        for check in found.checks:
            setups, holds = checks.setdefault((check.pin, check.clock), ([], []))
            (setups if check.kind in ("SETUP", "RECOVERY") else holds).append(check.ns)
    ports = {}
    for port in cell.pins:
        ports.setdefault(split_port(port)[0], []).append(port)
        if split_port(port)[0] != port:
            ports.setdefault(port, [port])
    timing, seen = CellTiming(), set()
    for (source, target), ns in delays.items():
        for start in ports.get(source, ()):
            for end in ports.get(target, ()):
                timing.arcs.append(Arc(start, end, widest(ns)))
                seen |= {start, end}
    for (pin, clock), (setups, holds) in checks.items():
        for port in ports.get(pin, ()):
            for edge in ports.get(clock, ()):
                timing.owed.append(Owed(port, edge, max(setups), max(holds) if holds else None))
                seen |= {port, edge}
    timing.unknown += [f"{cell.kind}: {port.partition('[')[0]}" for port in cell.pins if port not in seen]
    return timing
