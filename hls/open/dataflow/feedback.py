"""The longest feedback of a step: what has to fit into one clock cycle, whatever the pipeline.

Registers that depend on one another are read and written in the same stage, so the longest path between them sets
the period for all. Costs are in LUT levels, roughly: enough to name the path that is worth shortening in the C++.
"""

from dataclasses import dataclass

from hls.open.dataflow.evaluate import topological
from hls.open.dataflow.loops import loops

FREE = {"literal", "input", "slice", "zext", "sext", "concat", "not"}


def cost(node):
    """Levels of logic of one operation in six-input LUTs with carry chains."""
    if node.op in FREE:
        return 0
    if node.op in ("add", "sub", "ult", "ule", "slt", "sle"):
        return 1.2 + node.args[0].width / 32
    if node.op in ("eq", "ne"):
        return 1 + node.args[0].width / 24
    if node.op in ("smul", "shl", "shr", "sra", "index"):
        return 4
    return 0.6


@dataclass
class Path:
    """A path from one register to the next value of another."""

    levels: float
    start: str
    end: str
    operations: list

    def __str__(self):
        return f"{self.start} -> {' -> '.join(self.operations) or 'wire'} -> {self.end} ({self.levels:.1f} levels)"


def longest_feedback(step, count=3):
    """Return the longest paths that feed state back, one per register at their end, longest first."""
    paths = []
    for group in loops(step):
        inside = {r.value: r.name for r in group}
        best = {}
        for node in topological([r.next for r in group]):
            if node in inside:
                best[node] = (0, None)
                continue
            options = [(best[a][0] + cost(node), a) for a in node.args if a in best]
            if options:
                best[node] = max(options, key=lambda o: o[0])
        for r in group:
            if r.next in best:
                operations, at = [], r.next
                while best[at][1] is not None:
                    if at.op not in FREE:
                        operations.insert(0, f"{at.op}{at.args[0].width if at.width == 1 else at.width}")
                    at = best[at][1]
                paths.append(Path(best[r.next][0], inside[at], r.name, operations))
    return sorted(paths, key=lambda p: -p.levels)[:count]
