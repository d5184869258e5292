"""Whether a stage can meet the clock that was asked for.

The pipeliner plans with a share of the period and lets feedback and the decisions that begin a step take longer, since
they can't be cut. In the model a chain of selections has more levels than synthesis makes of it: a packet parser of
12.5 ns by the model for a Zynq was 8.3 ns placed and routed on an ECP5. So a path is hopeless only if it is `PESSIMISM`
periods long, or if one operation, of which nothing can be saved, is longer than the period.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological
from hls.open.dataflow.passes.feedback import longest_feedback
from hls.open.errors import Refused

if TYPE_CHECKING:
    from hls.open.pipeline.verilog import Stage

PESSIMISM = 2.5


def check_clock(stage: Stage) -> str:
    """Return a sentence if a stage is beyond its clock by the model, an empty text if all is well.

    Raises
    ------
    Refused
        If no pipeline can meet the clock.
    """
    step, fabric = stage.step, stage.timing.fabric
    period = fabric.period(stage.timing.budget_ps)
    asked = f"{1e6 / period:.0f} MHz"
    ends = [r.next for r in step.registers] + [
        n for p in step.ports for n in (p.predicate, p.data, p.address) if n is not None
    ]
    slowest = max((n for n in topological(ends) if n.op != "smul"), key=fabric.delay, default=None)
    alone = fabric.register + (fabric.delay(slowest) if slowest else 0)
    whole = fabric.register + stage.longest_ps
    if alone > period:
        width = max(slowest.width, *(a.width for a in slowest.args))
        raise Refused(
            f"'{step.name}' can't run at {asked}: its '{slowest.op}' of {width} bits and a register take "
            f"{alone:,} ps, which is {_mhz(alone)}; narrow it, do it in parts over several steps, or ask for less"
        )
    if whole <= period:
        return ""
    paths = longest_feedback(step, fabric.delay, 1)
    path = f", {paths[0]}" if paths and fabric.register + paths[0].delay_ps > period else ""
    reached = f"the longest path of '{step.name}' takes {whole:,} ps{path}"
    if whole > PESSIMISM * period:
        raise Refused(
            f"{reached}, which is {_mhz(whole)} where {asked} is asked for: it feeds back or decides whether a "
            "step begins, so no pipeline makes it shorter; compute it a step earlier, or ask for less"
        )
    return f"{reached}: {_mhz(whole)} by the model, before synthesis makes fewer levels of it"


def _mhz(period_ps):
    return f"{int(1e6 / period_ps)} MHz"
