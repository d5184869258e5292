"""The route's own form of a step: a graph of integer operations without control flow or memory.

Nodes are immutable and unique (equal operations are one node). Every constructor simplifies what the detour over
bytes and memory brings in: extensions that are cut again, words assembled from slices, masks and shifts by
constants, products wider than their operands. Each such rewriting is a rule of its own, proved for all values
(`rules.py`). What is left is for synthesis to optimise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.dataflow.arithmetic import Arithmetic
from hls.open.dataflow.evaluate import signed

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node


class Graph(Arithmetic):
    """Factory of nodes; each method returns a simplified node of the width it names."""

    def again(self, node: Node, args: tuple[Node, ...]) -> Node:
        """The same operation on other arguments."""
        if node.op in ("zext", "sext"):  # an extension of an extension is one extension
            return getattr(self, node.op)(args[0], node.width)
        return self._make(node.op, node.width, args, node.attr)

    # -- what is known of a value

    def _make(self, op, width, args=(), attr=None):
        node = super()._make(op, width, args, attr)
        self.bounds(node)  # at once, while those of its arguments are there: a chain may be long
        return node

    def bounds(self, x: Node) -> tuple[int, int]:
        """Smallest and largest value of x as a signed number."""
        if x.range is None:
            full = (-(1 << (x.width - 1)), (1 << (x.width - 1)) - 1)
            result = full
            if x.op == "literal":
                result = (signed(x.attr, x.width),) * 2
            elif x.op == "zext":
                result = (0, (1 << x.args[0].width) - 1)
            elif x.op == "sext":
                result = self.bounds(x.args[0])
            elif x.op in ("add", "sub", "smul", "select"):
                (al, ah), (bl, bh) = (self.bounds(a) for a in x.args[-2:])
                result = {
                    "add": (al + bl, ah + bh),
                    "sub": (al - bh, ah - bl),
                    "select": (min(al, bl), max(ah, bh)),
                    "smul": (min(al * bl, al * bh, ah * bl, ah * bh), max(al * bl, al * bh, ah * bl, ah * bh)),
                }[x.op]
            if result[0] < full[0] or result[1] > full[1]:
                result = full
            x.range = result
        return x.range
