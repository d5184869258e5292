"""Bitwise operations, selections and array reads, simplified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import signed
from hls.open.dataflow.wiring import Wiring, is_wiring, is_zero

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node


def signed_bits(low: int, high: int) -> int:
    """Bits of the shortest two's complement number that holds all of low .. high."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


class Logic(Wiring):
    """Constructors of logic."""

    def not_(self, x: Node) -> Node:
        if x.op == "not":
            return x.args[0]
        if x.op in ("eq", "ne"):
            return self._make({"eq": "ne", "ne": "eq"}[x.op], 1, x.args)
        return self._make("not", x.width, (x,))

    def and_(self, a: Node, b: Node) -> Node:
        if b.op == "literal":
            a, b = b, a
        if a.op == "literal":
            if b.width == 1:
                return b if a.attr else a
            masked = self._mask(b, a.attr)
            if masked is not None:
                return masked
        if a is b:
            return a
        if self._opposite(a, b):
            return self.literal(0, a.width)
        if a.width == 1 and (a.op == "and" and b in a.args or b.op == "and" and a in b.args):
            return a if a.op == "and" and b in a.args else b
        return self._commutative("and", a, b)

    def or_(self, a: Node, b: Node) -> Node:
        if b.op == "literal":
            a, b = b, a
        if a.op == "literal" and a.attr in (0, (1 << a.width) - 1):
            return b if a.attr == 0 else a
        if a is b:
            return a
        if self._opposite(a, b):
            return self.literal(-1, a.width)
        if a.width == 1 and a.op == b.op == "and":  # (p and c) or (p and not c)
            for p, c in (a.args, a.args[::-1]):
                for q, d in (b.args, b.args[::-1]):
                    if p is q and self._opposite(c, d):
                        return p
        merged = self._disjoint(a, b) if a.width > 1 else None
        return merged if merged is not None else self._commutative("or", a, b)

    def xor_(self, a: Node, b: Node) -> Node:
        if b.op == "literal":
            a, b = b, a
        if a.op == "literal" and a.attr in (0, (1 << a.width) - 1):
            return b if a.attr == 0 else self.not_(b)
        return self.literal(0, a.width) if a is b else self._commutative("xor", a, b)

    def _commutative(self, op, a, b):
        return self._make(op, a.width, (a, b) if a.id <= b.id else (b, a))

    def _opposite(self, a, b):
        return (
            (a.op == "not" and a.args[0] is b)
            or (b.op == "not" and b.args[0] is a)
            or ({a.op, b.op} == {"eq", "ne"} and a.args == b.args)
        )

    def _mask(self, x, mask):
        """x & mask as wiring, if the mask has few runs of ones."""
        runs, low = [], 0
        while low < x.width:
            bit, high = mask >> low & 1, low
            while high < x.width and mask >> high & 1 == bit:
                high += 1
            runs.append((bit, low, high - low))
            low = high
        if len(runs) > 5:
            return None
        return self.concat(*(self.slice(x, low, n) if bit else self.literal(0, n) for bit, low, n in reversed(runs)))

    def _disjoint(self, a, b):
        """a | b as wiring, if everywhere at least one of them is known to be zero."""
        if not (is_wiring(a) and is_wiring(b)):
            return None
        parts, low = [], 0
        bounds = sorted(set(_bounds(a)) | set(_bounds(b)))
        for low, high in zip(bounds, bounds[1:]):
            p, q = self.slice(a, low, high - low), self.slice(b, low, high - low)
            if not (is_zero(p) or is_zero(q)):
                return None
            parts.append(q if is_zero(p) else p)
        return self.concat(*reversed(parts))

    def select(self, c: Node, a: Node, b: Node) -> Node:
        """a if c else b."""
        if c.op == "literal":
            return a if c.attr else b
        if a is b:
            return a
        if c.op == "not":
            return self.select(c.args[0], b, a)
        if c.op == "ne" and c.width == 1:
            return self.select(self._make("eq", 1, c.args), b, a)
        if a.width == 1:
            if a.op == "literal":
                return self.or_(c, b) if a.attr else self.and_(self.not_(c), b)
            if b.op == "literal":
                return self.or_(self.not_(c), a) if b.attr else self.and_(c, a)
        if a.op == "select" and a.args[0] is c:
            a = a.args[1]
        if b.op == "select" and b.args[0] is c:
            b = b.args[2]
        for op in ("zext", "sext"):  # extensions go behind the select
            narrow = [x.args[0].width if x.op == op else _literal_width(x, op) for x in (a, b)]
            if op in (a.op, b.op) and None not in narrow and max(narrow) < a.width:
                w = max(narrow)
                return getattr(self, op)(self.select(c, self.slice(a, 0, w), self.slice(b, 0, w)), a.width)
        return a if a is b else self._make("select", a.width, (c, a, b))

    def index(self, i: Node, values: list[Node]) -> Node:
        """values[i]; the last one if i is too large."""
        bits = max(1, (len(values) - 1).bit_length())
        if i.op == "literal":
            return values[min(i.attr, len(values) - 1)]
        if all(v is values[0] for v in values):
            return values[0]
        if i.width > bits and i.op == "zext" and i.args[0].width >= bits:
            i = i.args[0]
        return self._make("index", values[0].width, (i, *values))


def _bounds(x):
    """Bit positions at which a piece of wiring begins or ends."""
    if x.op == "zext":
        return [*_bounds(x.args[0]), x.width]
    if x.op != "concat":
        return [0, x.width]
    result, low = [0], 0
    for part in reversed(x.args):
        result += [low + p for p in _bounds(part)]
        low += part.width
    return result


def _literal_width(x, op):
    """Bits that a literal needs to be written as an extension, None if x is none."""
    if x.op != "literal":
        return None
    return max(1, x.attr.bit_length()) if op == "zext" else signed_bits(*(signed(x.attr, x.width),) * 2)
