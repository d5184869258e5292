"""What passes through a cell, and when: delays of the slow corner, rounded, for deciding what is critical.

The times of the finished design are another matter (`hls/sta`, from its bits).
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Delays in ns of the slow corner, rounded, as Project X-Ray's timings of the XC7Z020-1 have them (hls/sta).
LUT_NS, FROM_FF, INTO_FF, INTO_CONTROL = 0.14, 0.33, 0.05, 0.3
INTO_CARRY, CARRY_ON, OUT_OF_CARRY = 0.45, 0.11, 0.28
FROM_RAM, FROM_SHIFT, INTO_RAM = 1.0, 1.5, 0.5
FROM_DSP, INTO_DSP, INTO_DSP_LATE = 0.45, 0.4, 1.9
FROM_BLOCK_RAM, FROM_BLOCK_RAM_REGISTER, INTO_BLOCK_RAM = 2.1, 0.75, 0.5
FROM_PROCESSOR, INTO_PROCESSOR = 1.4, 1.4


def timing_of(
    cell: dict, ram: bool, srl: bool
) -> tuple[Callable[[str, str], float | None], Callable[[str], float], Callable[[str], float | None]]:
    """Return three functions of a cell, all in ns.

    Parameters
    ----------
    cell : dict
        Of a packed netlist.
    ram, srl : bool
        A LUT that is a RAM, or a shift register.

    Returns
    -------
    through : callable
        (input, output) -> delay, None where nothing passes without a clock.
    starts : callable
        output -> how long after the clock it comes; 0 if it does not come from one.
    ends : callable
        input -> how long before the clock it has to be there; None if it does not end at one.
    """
    kind = cell["type"]

    def never(*_):
        return None

    if kind == "SLICE_LUTX":
        if srl:
            return never, lambda out: FROM_SHIFT, lambda port: INTO_RAM
        if ram:
            reads = re.compile(r"A\d")
            return (
                lambda port, out: LUT_NS if reads.fullmatch(port) else None,
                lambda out: FROM_RAM,
                lambda port: None if reads.fullmatch(port) else INTO_RAM,
            )
        return lambda port, out: LUT_NS, lambda out: 0.0, never
    if kind == "SLICE_FFX":
        return never, lambda out: FROM_FF, lambda port: INTO_FF if port == "D" else INTO_CONTROL
    if kind == "CARRY4":
        return _carry, lambda out: 0.0, never
    if "DSP48E1" in kind:
        late = {
            port: INTO_DSP_LATE if int(str(cell["parameters"].get(f"{port}REG", "1")), 2) == 0 else INTO_DSP
            for port in "AB"
        }
        return never, lambda out: FROM_DSP, lambda port: late.get(port[0], INTO_DSP) if port[1:].isdigit() else INTO_DSP
    if kind.startswith("RAMB"):

        def out_of(out):
            which = "DOA_REG" if out.startswith("DOA") or "AH" in out else "DOB_REG"
            late = int(str(cell["parameters"].get(which, "0")), 2)
            return FROM_BLOCK_RAM_REGISTER if late else FROM_BLOCK_RAM

        return never, out_of, lambda port: INTO_BLOCK_RAM
    if kind == "PS7_PS7":
        return never, lambda out: FROM_PROCESSOR, lambda port: INTO_PROCESSOR
    return never, lambda out: 0.0, never


def _carry(port, out):
    bit = int(out[-1])
    if port == "CIN":
        return CARRY_ON if out == "CO3" else OUT_OF_CARRY
    if port == "CYINIT":
        return INTO_CARRY
    if port[-1].isdigit() and int(port[-1]) <= bit:
        return None if port.startswith("DI") and out == f"O{port[-1]}" else INTO_CARRY
    return None
