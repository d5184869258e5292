"""Bitwise operations, simplified: masks and disjoint halves of a word become wires."""

from __future__ import annotations

from collections.abc import Iterator

from hls.open.dataflow.nodes import Node
from hls.open.dataflow.rules import Shapes, rule
from hls.open.dataflow.wiring import Wiring, is_wiring, is_zero


class Logic(Wiring):
    """Constructors of bitwise logic."""

    def not_(self, x: Node) -> Node:
        return self.simpler("not", x) or self._make("not", x.width, (x,))

    def and_(self, a: Node, b: Node) -> Node:
        return self._bitwise("and", a, b)

    def or_(self, a: Node, b: Node) -> Node:
        return self._bitwise("or", a, b)

    def xor_(self, a: Node, b: Node) -> Node:
        return self._bitwise("xor", a, b)

    def _bitwise(self, op, a, b):
        if b.op == "literal":
            a, b = b, a
        return self.simpler(op, a, b) or self._commutative(op, a, b)

    def _commutative(self, op, a, b):
        return self._make(op, a.width, (a, b) if a.id <= b.id else (b, a))


def _opposite(a, b):
    """True if one of two values is known to be the complement of the other."""
    return (
        (a.op == "not" and a.args[0] is b)
        or (b.op == "not" and b.args[0] is a)
        or ({a.op, b.op} == {"eq", "ne"} and a.args == b.args)
    )


def _ones(x):
    return x.op == "literal" and x.attr == (1 << x.width) - 1


# -- shapes


def same(s: Shapes) -> Iterator[tuple]:
    """Two arguments that are one."""
    yield s.x(), s.x()


def _opposites(s):
    g = s.graph
    yield s.x(), g.not_(s.x())
    yield g.not_(s.x()), s.x()
    yield g.compare("eq", s.x("a"), s.x("b")), g.compare("ne", s.x("a"), s.x("b"))


def _with_literals(s):
    for literal in s.literals():
        yield s.x(), literal
        yield literal, s.x()


# -- not


@rule("not", lambda s: [(s.graph.not_(s.x()),)])
def not_not(g, x) -> Node | None:
    return x.args[0] if x.op == "not" else None


@rule("not", lambda s: [(s.graph.compare(op, s.x("a"), s.x("b")),) for op in ("eq", "ne")])
def not_equal(g, x) -> Node | None:
    return g._make({"eq": "ne", "ne": "eq"}[x.op], 1, x.args) if x.op in ("eq", "ne") else None


# -- and


@rule("and", lambda s: [(literal, s.bit()) for literal in s.literals(1)])
def bit_and_literal(g, a, b) -> Node | None:
    return (b if a.attr else a) if a.op == "literal" and b.width == 1 else None


@rule("and", _with_literals)
def mask(g, a, b) -> Node | None:
    """x & mask as wiring, if the mask has few runs of ones."""
    if a.op != "literal":
        return None
    runs, low = [], 0
    while low < b.width:
        bit, high = a.attr >> low & 1, low
        while high < b.width and a.attr >> high & 1 == bit:
            high += 1
        runs.append((bit, low, high - low))
        low = high
    if len(runs) > 5:
        return None
    return g.concat(*(g.slice(b, low, n) if bit else g.literal(0, n) for bit, low, n in reversed(runs)))


@rule("and", same)
def and_of_one(g, a, b) -> Node | None:
    return a if a is b else None


@rule("and", _opposites)
def and_of_opposites(g, a, b) -> Node | None:
    return g.literal(0, a.width) if _opposite(a, b) else None


def _absorbed(s):
    both = s.graph.and_(s.bit("p"), s.bit("q"))
    yield both, s.bit("p")
    yield s.bit("q"), both


@rule("and", _absorbed)
def and_absorbs(g, a, b) -> Node | None:
    """(p and q) and p; of bits, that is of conditions."""
    if a.width != 1:
        return None
    if a.op == "and" and b in a.args:
        return a
    return b if b.op == "and" and a in b.args else None


# -- or


@rule("or", _with_literals)
def or_literal(g, a, b) -> Node | None:
    return b if is_zero(a) else a if _ones(a) else None


@rule("or", same)
def or_of_one(g, a, b) -> Node | None:
    return a if a is b else None


@rule("or", _opposites)
def or_of_opposites(g, a, b) -> Node | None:
    return g.literal(-1, a.width) if _opposite(a, b) else None


def _diamond(s):
    g, p, c = s.graph, s.bit("p"), s.bit("c")
    yield g.and_(p, c), g.and_(p, g.not_(c))
    yield g.and_(g.not_(c), p), g.and_(c, p)


@rule("or", _diamond)
def or_of_branches(g, a, b) -> Node | None:
    """(p and c) or (p and not c): where the branches of an if join."""
    if a.width == 1 and a.op == b.op == "and":
        for p, c in (a.args, a.args[::-1]):
            for q, d in (b.args, b.args[::-1]):
                if p is q and _opposite(c, d):
                    return p
    return None


def _halves(s):
    g = s.graph
    for cut in s.cuts():
        low, high, zero = s.x("low", cut), s.x("high", s.width - cut), g.literal(0, cut)
        yield g.zext(low, s.width), g.concat(high, zero)
        yield g.concat(high, zero, g.literal(0, 2)), g.zext(s.x("l", 2), s.width + 2)
        yield g.concat(high, zero, s.x("l", 2)), g.concat(g.literal(0, s.width - cut), low, g.literal(0, 2))


@rule("or", _halves)
def or_of_halves(g, a, b) -> Node | None:
    """a | b as wiring, if everywhere at least one of them is known to be zero."""
    if a.width == 1 or not (is_wiring(a) and is_wiring(b)):
        return None
    parts, bounds = [], sorted(set(_bounds(a)) | set(_bounds(b)))
    for low, high in zip(bounds, bounds[1:]):
        p, q = g.slice(a, low, high - low), g.slice(b, low, high - low)
        if not (is_zero(p) or is_zero(q)):
            return None
        parts.append(q if is_zero(p) else p)
    return g.concat(*reversed(parts))


def _bounds(x):
    """Bit positions at which a piece of wiring begins or ends."""
    found, stack = {0, x.width}, [(x, 0)]
    while stack:
        node, low = stack.pop()
        if node.op == "zext":
            found.add(low + node.args[0].width)
            stack.append((node.args[0], low))
        elif node.op == "concat":
            for part in reversed(node.args):
                found |= {low, low + part.width}
                stack.append((part, low))
                low += part.width
    return found


# -- xor


@rule("xor", _with_literals)
def xor_literal(g, a, b) -> Node | None:
    return b if is_zero(a) else g.not_(b) if _ones(a) else None


@rule("xor", same)
def xor_of_one(g, a, b) -> Node | None:
    return g.literal(0, a.width) if a is b else None
