"""What a schedule is asked for, and what it says: clock and fabric, stages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.pipeline.fabric import SERIES7_1, Fabric, fabric_of

if TYPE_CHECKING:
    from hls.open.dataflow.step import Port

RAM_LATENCY = 1
RAM_LAG = 2
MULTIPLY_STAGES = 3
# A net to many inputs is long, and a router that knows of no clock makes it longer. What drives more than FAN_OUT bits
# comes from a register, and that has copies, one for each FAN_OUT; so have enable and reset of a stage's state beyond
# WIDE bits.
FAN_OUT = 64
WIDE = 128
# An operand of this many products goes to DSPs far apart: it comes through one register more, which has copies, one for
# so many products.
SHARED = 4


@dataclass(frozen=True)
class Timing:
    """What decides the pipeline; `budget_ps` is the delay that fits into a stage (`Fabric.budget`)."""

    fabric: Fabric = SERIES7_1
    budget_ps: int = SERIES7_1.budget(150)

    @property
    def period_ps(self) -> int:
        """Logic that a whole clock period takes, of which `budget_ps` is the share that is planned."""
        return int((self.budget_ps + self.fabric.register) / self.fabric.share) - self.fabric.register

    @staticmethod
    def at(part: str, clock_mhz: float) -> Timing:
        """Return the `Timing` of a part at a clock.

        Raises
        ------
        Refused
            If the part is unknown, or no logic at all fits between two registers at that clock.
        """
        fabric = fabric_of(part)
        if not 0 < clock_mhz < 1e6:
            raise Refused(f"a clock of {clock_mhz:g} MHz: it has to be above 0, for example 150")
        return Timing(fabric, fabric.budget(clock_mhz))


@dataclass
class Schedule:
    """Stages of a step.

    Attributes
    ----------
    stage : dict of {Node: int}
        Where a node's value is first there.
    takes : dict of {Node: int}
        Where a product takes its arguments; a node with latency.
    issue : dict of {str: int}
        Where the address of a RAM goes out.
    done : dict of {(str, str): int}
        Where a port (name, direction) is served.
    forward : set of str
        RAMs that have to give a word that is read in the cycle in which it is written as it is written.
    depth : int
        Number of stages.
    longest_ps : int
        The longest delay within a stage, from registers to the end of an operation; what begins a step (valid and
        room of the streams, and what they enable in stage 0) comes on top.
    """

    stage: dict
    takes: dict
    issue: dict
    done: dict
    forward: set = field(default_factory=set)
    depth: int = 0
    longest_ps: int = 0


def lag(port: Port) -> int:
    """How many stages after its read a RAM may be written."""
    return RAM_LAG if port.independent else 1
