"""What operations cost on an FPGA's fabric: the delays that decide where a pipeline is cut.

All delays are in picoseconds and include the net into the operation at the usual fan-out. They are rounded from the
vendors' data sheets (DS187 for xc7z020-1, DS987 for XCK26-2LV: LUT, carry, block RAM and register delays) plus a net of
ordinary length, and are meant for cutting pipelines, not for signing off a clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hls.open.errors import Refused

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node

FREE = {
    "literal",
    "input",
    "slice",
    "zext",
    "sext",
    "concat",
    "reverse",
    "not",
}  # wires; an inverter moves into the next LUT
LUT_INPUTS = 6
SHALLOW_RAM = 64  # words: up to here a RAM is made of LUTs, with a register behind (rtl/hls_open_ram.sv)


@dataclass(frozen=True)
class Fabric:
    """Delays of one FPGA family at one speed grade, in ps.

    Attributes
    ----------
    level : int
        A LUT and the net into it.
    chain, carry : int
        Onto a carry chain and off it, beyond a level; along it, per bit.
    register : int
        Clock to output, set-up and skew: what every stage pays.
    ram : int
        Clock to data of a block RAM without its output register, beyond `register`.
    share : float
        Part of the clock period that may be planned; the rest is for nets longer than usual.
    """

    level: int
    chain: int
    carry: int
    register: int
    ram: int
    share: float = 0.7

    def budget(self, clock_mhz: float) -> int:
        """Delay that fits into a stage, in ps.

        Raises
        ------
        Refused
            If a register and one LUT take longer than the period.
        """
        least = self.register + self.level
        if 1e6 / clock_mhz < least:
            raise Refused(
                f"no pipeline runs at {clock_mhz:g} MHz on this FPGA: a register, one LUT and the net between take "
                f"{least:,} ps, which is {int(1e6 / least)} MHz"
            )
        return int(1e6 / clock_mhz * self.share) - self.register

    def period(self, budget_ps: int) -> int:
        """Clock period, in ps, of which this budget is planned."""
        return round((budget_ps + self.register) / self.share)

    def clock(self, delay_ps: int) -> float:
        """Clock in MHz whose period a delay between two registers takes."""
        return 1e6 / (delay_ps + self.register)

    def delay(self, node: Node) -> int:
        """Delay of one operation, in ps."""
        if node.op in FREE:
            return 0
        return int(self._levels(node) * self.level + self._carry(node))

    def fan_out(self, loads: int) -> int:
        """What a net to this many loads takes longer than the usual one, in ps."""
        return int(self.level * 0.2 * max(0.0, math.log2(max(loads, 1) / 16)))

    def equal(self, bits: int) -> int:
        """Whether two values of so many bits are equal, in ps."""
        return int(self.level * max(0.35, math.log(2 * bits, LUT_INPUTS)))

    def _carry(self, node):
        if node.op in ("add", "sub", "ult", "ule", "slt", "sle"):
            return self.chain + self.carry * node.args[0].width
        if node.op == "smul":  # outside a DSP's registers: a multiplier between two registers
            return 4 * self.level
        return 0

    def _levels(self, node):
        width = node.args[0].width
        if node.op in ("and", "or", "xor"):
            return 0.35  # about three of them share a LUT
        if node.op == "select":
            return 0.5  # a LUT takes two
        if node.op in ("eq", "ne"):
            inputs = width * (1 if any(a.op == "literal" for a in node.args) else 2)
            return max(0.35, math.log(max(inputs, 2), LUT_INPUTS))
        if node.op in ("shl", "shr", "sra"):
            return max(1, min(node.args[1].width, width.bit_length()) / 2)  # four positions a LUT
        if node.op == "index":
            return max(1, math.log(len(node.args) - 1, 4))
        if node.op in ("ctz", "clz"):
            return 1 + math.log2(width) / 2
        return 1


# Half of the period is for nets on 7-series: with 0.7 two additions shared a stage, and took 8.0 ns routed by
# nextpnr-xilinx (third layer of 9-1-5, alone on the device).
SERIES7_1 = Fabric(level=720, chain=700, carry=28, register=600, ram=1900, share=0.5)
ULTRASCALE_PLUS_2 = Fabric(level=370, chain=250, carry=12, register=250, ram=700)
# Beginning of a part's name -> its fabric.
FABRICS = {"xc7z": SERIES7_1, "xck26": ULTRASCALE_PLUS_2}


def fabric_of(part: str) -> Fabric:
    """Return the `Fabric` of a part, by the beginning of its name.

    Raises
    ------
    Refused
        If the family is unknown.
    """
    for start, fabric in FABRICS.items():
        if part.startswith(start):
            return fabric
    raise Refused(
        f"the delays of {part} are not known, only those of {', '.join(f'{start}...' for start in FABRICS)}; add its "
        f"family to hls/open/pipeline/fabric.py"
    )
