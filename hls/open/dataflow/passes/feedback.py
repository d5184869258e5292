"""The longest feedback of a step: what has to fit into one clock cycle, whatever the pipeline.

Registers that depend on one another are read and written in the same stage, so the longest path between them sets
the period for all. By the fabric's delays of operations, without what fan-out adds: enough to name the path that is
worth shortening in the C++.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hls.open.dataflow.loops import loops

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step


@dataclass
class Path:
    """A path from one register to the next value of another."""

    delay_ps: int
    start: str
    end: str
    operations: list

    def __str__(self):
        return f"{self.start} -> {' -> '.join(self.operations) or 'wire'} -> {self.end} ({self.delay_ps} ps)"


def longest_feedback(step: Step, delay: Callable, count: int = 3) -> list[Path]:
    """Return the longest paths that feed state back, one per register at their end, longest first.

    Parameters
    ----------
    step : Step
    delay : callable
        Delay of a node in ps, 0 if it is wires alone: `Fabric.delay`.
    count : int
        Of paths.

    Returns
    -------
    list of Path
    """
    paths = []
    for loop in loops(step):
        names = {r.value: r.name for r in loop.registers}
        best = {}
        for node in loop.inside:
            if node in names:
                best[node] = (0, None)
                continue
            best[node] = max(((best[a][0] + delay(node), a) for a in node.args if a in best), key=lambda o: o[0])
        for r in loop.registers:
            operations, at = [], r.next
            while best[at][1] is not None:
                if delay(at):
                    operations.append(f"{at.op}{at.args[0].width if at.width == 1 else at.width}")
                at = best[at][1]
            paths.append(Path(best[r.next][0], names[at], r.name, operations[::-1]))
    return sorted(paths, key=lambda p: -p.delay_ps)[:count]
