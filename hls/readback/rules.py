"""What a decoded bitstream has to keep before it is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.readback.netlist import Fault
from model.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hls.readback.netlist import Cell, Netlist

SHOWN = 5
PCIN = (1, 5)  # OPMODE[6:4] that take PCIN


def check(netlist: Netlist, ecc_wrong: int = 0, empty_rams: bool = True) -> None:
    """Raise unless a bitstream is one of ours could be: all of it known, driven, and modelled.

    Parameters
    ----------
    netlist : Netlist
    ecc_wrong : int
        Frames whose check bits do not fit.
    empty_rams : bool
        RAMs begin with zeros, as those of our compiler do: nothing reads them before it writes, so that a wrong start
        value could not be seen in any answer.

    Raises
    ------
    UserError
        Names the first faults.
    """
    faults = [*netlist.faults, *modes(netlist), *(starts(netlist) if empty_rams else ())]
    if ecc_wrong:
        faults.append(Fault("mode", "frames", f"{ecc_wrong} frames have check bits that do not fit their content"))
    if faults:
        rest = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        said = "; ".join(f"{fault.kind}: {fault.says}" for fault in faults[:SHOWN])
        raise UserError(f"the bitstream is not what was designed: {said}{rest}")


def constant(netlist: Netlist, cell: Cell, port: str) -> int | None:
    """Return the value of a port that a constant drives, be it through a pad's inverter; None if a signal does; 0 if
    nothing does.
    """
    net = cell.pins.get(port)
    if net is None:
        return 0
    driver = netlist.nets[net].driver
    if driver is None:
        return int(net == "VCC")
    before = netlist.cells[driver.cell]
    if before.kind not in ("BUF", "INV"):
        return None
    level = constant(netlist, before, "I")
    return level if level is None else level ^ (before.kind == "INV")


def modes(netlist: Netlist) -> Iterator[Fault]:
    """Yield the DSPs that may take a sum from below where there is none, and clock buffers and pads that are not
    always on.
    """
    for cell in netlist.cells.values():
        if cell.kind == "OBUF" and constant(netlist, cell, "T") != 0:
            yield Fault("mode", f"{cell.name}.T", f"{cell.name} does not always drive its pin")
        if cell.kind == "DSP48E1" and "PCIN[0]" not in cell.pins:
            inverted = cell.parameters["IS_OPMODE_INVERTED"]
            bits = [constant(netlist, cell, f"OPMODE[{k}]") for k in (4, 5, 6)]
            known = [None if bit is None else bit ^ (inverted >> k & 1) for bit, k in zip(bits, (4, 5, 6))]
            for code in PCIN:
                if all(bit is None or bit == code >> n & 1 for n, bit in enumerate(known)):
                    says = f"{cell.name} may take PCIN, and the DSP below is not in use"
                    yield Fault("no driver", f"{cell.name}.PCIN", says)
                    break
        elif cell.kind in ("BUFGCTRL", "BUFHCE"):
            needs = {"BUFGCTRL": {"CE0": 1, "S0": 1}, "BUFHCE": {"CE": 1}}[cell.kind]
            for port, value in needs.items():
                level = constant(netlist, cell, port)
                if level is None or level ^ cell.parameters.get(f"INV_{port}", 0) != value:
                    says = f"{cell.name} is not always on: {port} is {'a signal' if level is None else level}"
                    yield Fault("mode", f"{cell.name}.{port}", says)


def starts(netlist: Netlist) -> Iterator[Fault]:
    """Yield the RAMs and shift registers that do not begin with zeros."""
    for cell in netlist.cells.values():
        if cell.kind in ("RAMB18E1", "RAMD32", "RAMD64E"):
            words = [value for name, value in cell.parameters.items() if name.startswith("INIT") and name[-2] != "_"]
            if any(words):
                yield Fault("mode", cell.name, f"{cell.name} does not begin with zeros")
