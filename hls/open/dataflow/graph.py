"""The route's own form of a step: a graph of integer operations without control flow or memory.

Nodes are immutable and unique (equal operations are one node). Every constructor simplifies what the detour over
bytes and memory brings in: extensions that are cut again, words assembled from slices, masks and shifts by
constants, products wider than their operands. What is left is for synthesis to optimise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import signed
from hls.open.dataflow.logic import Logic, signed_bits
from hls.open.dataflow.wiring import is_zero

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node


class Graph(Logic):
    """Factory of nodes; each method returns a simplified node of the width it names."""

    def add(self, a: Node, b: Node) -> Node:
        if b.op == "literal":
            a, b = b, a
        if a.op == "literal" and a.attr == 0:
            return b
        return self._commutative("add", a, b)

    def again(self, node: Node, args: tuple[Node, ...]) -> Node:
        """The same operation on other arguments."""
        if node.op in ("zext", "sext"):  # an extension of an extension is one extension
            return getattr(self, node.op)(args[0], node.width)
        return self._make(node.op, node.width, args, node.attr)

    def sub(self, a: Node, b: Node) -> Node:
        if b.op == "literal":
            return a if b.attr == 0 else self.add(a, self.literal(-b.attr, b.width))
        return self.literal(0, a.width) if a is b else self._make("sub", a.width, (a, b))

    def mul(self, a: Node, b: Node) -> Node:
        """Product modulo 2^width, multiplied with no more bits than the operands have."""
        width = a.width
        if is_zero(a) or is_zero(b):
            return self.literal(0, width)
        for x, y in ((a, b), (b, a)):
            zeros = _trailing_zeros(x)
            if zeros:  # LLVM scales operands up to cut the result again
                rest = width - zeros
                return self.concat(self.mul(self.slice(x, zeros, rest), self.slice(y, 0, rest)), self.literal(0, zeros))
        na, nb = (signed_bits(*self.bounds(x)) for x in (a, b))
        a, b = self.slice(a, 0, na), self.slice(b, 0, nb)
        if a.id > b.id:
            a, b = b, a
        return self.sext(self._make("smul", min(width, na + nb), (a, b)), width)

    def shl(self, x: Node, n: Node) -> Node:
        if n.op == "literal":
            k = min(n.attr, x.width)
            return (
                self.literal(0, x.width)
                if k == x.width
                else self.concat(self.slice(x, 0, x.width - k), self.literal(0, k))
                if k
                else x
            )
        return self._make("shl", x.width, (x, n))

    def shr(self, x: Node, n: Node) -> Node:
        if n.op == "literal":
            k = min(n.attr, x.width)
            return self.literal(0, x.width) if k == x.width else self.zext(self.slice(x, k, x.width - k), x.width)
        return self._make("shr", x.width, (x, n))

    def sra(self, x: Node, n: Node) -> Node:
        if n.op == "literal":
            k = min(n.attr, x.width - 1)
            return self.sext(self.slice(x, k, x.width - k), x.width)
        return self._make("sra", x.width, (x, n))

    def compare(self, op: str, a: Node, b: Node) -> Node:
        """op: eq, ne, ult, ule, slt, sle."""
        if a is b:
            return self.literal(op in ("eq", "ule", "sle"), 1)
        if op in ("eq", "ne"):
            if a.op == "literal":
                a, b = b, a
            if a.width == 1 and b.op == "literal":
                return a if b.attr == (op == "eq") else self.not_(a)
            if b.op == "literal" and a.op in ("zext", "sext"):
                inner = a.args[0]
                short = self.slice(b, 0, inner.width)
                back = getattr(self, a.op)(short, a.width)
                return self.compare(op, inner, short) if back is b else self.literal(op == "ne", 1)
        elif a.op == b.op == "zext" or {a.op, b.op} == {"zext", "literal"}:
            width = max(x.args[0].width if x.op == "zext" else x.attr.bit_length() for x in (a, b))
            if width < a.width and (
                op[0] == "u" or not any(x.op == "literal" and x.attr >> (x.width - 1) for x in (a, b))
            ):
                return self.compare("u" + op[1:], self.slice(a, 0, max(width, 1)), self.slice(b, 0, max(width, 1)))
        return self._make(op, 1, (a, b))

    def unary(self, op: str, x: Node, width: int = None) -> Node:
        """op: ctz, clz, reverse."""
        return self._make(op, width or x.width, (x,))

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


def _trailing_zeros(x):
    if x.op in ("zext", "sext"):
        return _trailing_zeros(x.args[0])
    if x.op == "concat" and is_zero(x.args[-1]):
        return x.args[-1].width
    return 0
