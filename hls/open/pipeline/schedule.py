"""Which pipeline stage each operation of a step belongs to.

A step enters stage 0 and moves on by one stage per cycle without ever waiting; the next step is right behind it.
A register of the state is read and written in one stage, so that every step finds what the step before it left there:
what feeds state back shares a stage. Everything else goes where it is ready first and is then moved towards its users
as long as that saves pipeline registers.

Rules beyond the delay of a stage (`fabric.py`):

- whether a stream is read is decided in stage 0, together with whether the step begins;
- no other state lives in stage 0, whose enable comes late, and nothing is written there: later stages have their
  enable from a register;
- a RAM's data comes RAM_LATENCY stages after its address, and what a step writes lands in the stage of its read: the
  next step finds it. What is made of what was read there comes a stage later, and all of it shares that stage, like
  feedback of the state; then the next step reads while it is written, and the RAM forwards (`Schedule.forward`);
- a RAM that is promised to be independent is written up to RAM_LAG stages after its read: its kernel may read an
  address again RAM_LAG + 1 steps after it wrote it;
- a product outside a feedback takes MULTIPLY_STAGES stages: the registers of a DSP in front of, inside and behind its
  multiplier.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.pipeline.sinking import Planner
from hls.open.pipeline.timing import Schedule, Timing, lag

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step

RELAX = (1, 1.5, 2.2, 3.3, 5)  # times the delay that fits into a stage


def schedule(step: Step, timing: Timing = Timing()) -> Schedule:
    """Return the `Schedule` of a `Step`.

    Raises
    ------
    Refused
        If RAM data decides the next step, or a RAM is written long after it was read.
    """
    served = _served(step.wide, timing) if step.wide else {}
    # Most stages from the read to the write of a RAM that isn't written with what was read there: none, if that goes.
    choices = (0, 1) if any(p.direction == "write" and not p.independent for p in step.ports) else (0,)
    for factor in RELAX:  # what is written to a RAM may take its time from what was read there
        for apart in choices:
            relaxed = replace(timing, budget_ps=int(timing.budget_ps * factor))
            plan, late = _plan(step, relaxed, timing.period_ps, apart, served)
            if not late:
                return plan
    port = step.port(late[0], "write")
    raise Refused(
        f"RAM '{port.name}' is written more than {lag(port)} cycles after it is read: what is written may depend on "
        f"what was read by little logic only, without another RAM or a product between",
        port.where,
    )


def _served(wide, timing):
    """Stream that is written -> the stage in which the step as it was written, not yet narrowed, serves it.

    A kernel's cycles are what its C++ and the clock make of it. What is found out of its values makes operations
    smaller and moves no output.
    """
    try:
        done = schedule(wide, timing).done
    except Refused:  # it doesn't fit as it was written
        return {}
    return {name: stage for (name, direction), stage in done.items() if direction == "out"}


def _plan(step, timing, period_ps, apart, served):
    """Return the schedule for this budget, and the names of the RAMs that would be written too late in it.

    `served`: output stream -> the earliest stage in which it may be written.
    """
    least = {}
    for _ in range(len(step.ports) + 2):
        planner = Planner(step, timing, period_ps, least, apart)
        plan = planner.plan(served)
        late = {
            p.name: plan.done[p.name, "write"] - planner.most(p)
            for p in step.ports
            if p.direction == "write"
            and p.name in plan.issue
            and plan.done[p.name, "write"] > plan.issue[p.name] + planner.most(p)
        }
        if not late:
            return planner.sink(plan), []
        least |= late
    return None, list(late)
