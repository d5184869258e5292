"""Slices, concatenations and extensions: wires, which simplify until they are as direct as in the C++."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate

from hls.open.dataflow.nodes import Node, Nodes
from hls.open.dataflow.rules import rule


def is_wiring(x: Node) -> bool:
    return x.op in ("literal", "zext", "sext", "concat", "slice")


def is_zero(x: Node) -> bool:
    return x.op == "literal" and x.attr == 0


class Wiring(Nodes):
    """Constructors of wires."""

    def slice(self, x: Node, start: int, width: int) -> Node:
        """Bits start .. start + width - 1."""
        return self.simpler("slice", x, start, width) or self._make("slice", width, (x,), start)

    def concat(self, *parts: Node) -> Node:
        """The first part in the highest bits."""
        merged = []
        for part in parts:
            pieces = part.args if part.op == "concat" else (part,)
            joined = self.simpler("join", merged[-1], pieces[0]) if merged else None
            if joined is not None:  # what comes behind it did not join its neighbour before, and does not now
                merged[-1:] = joined.args if joined.op == "concat" else (joined,)
                pieces = pieces[1:]
            merged.extend(pieces)
        if len(merged) == 1:
            return merged[0]
        return self.simpler("concat", *merged) or self._make("concat", sum(p.width for p in merged), merged)

    def ends(self, x: Node) -> list[int]:
        """The bits at which the parts of a concatenation end, from the lowest part."""
        if x not in self._ends:
            self._ends[x] = list(accumulate(part.width for part in reversed(x.args)))
        return self._ends[x]

    def zext(self, x: Node, width: int) -> Node:
        if width <= x.width:
            return self.slice(x, 0, width)
        return self.simpler("zext", x, width) or self._make("zext", width, (x,))

    def sext(self, x: Node, width: int) -> Node:
        if width <= x.width:
            return self.slice(x, 0, width)
        return self.simpler("sext", x, width) or self._make("sext", width, (x,))


# -- slices


@rule("slice", lambda s: [(s.x(), 0, s.width)])
def all_of_it(g, x, start, width) -> Node | None:
    return x if start == 0 and width == x.width else None


def _pieces_of(make):
    """Shapes: every piece of a node."""

    def shapes(s):
        for node in make(s):
            for start, width in s.pieces(node.width):
                yield node, start, width

    return shapes


@rule("slice", _pieces_of(lambda s: [s.graph.slice(s.x("x", s.width + 2), k, s.width) for k in (0, 1, 2)]))
def slice_of_slice(g, x, start, width) -> Node | None:
    return g.slice(x.args[0], x.attr + start, width) if x.op == "slice" else None


@rule("slice", _pieces_of(lambda s: [s.graph.zext(s.x(), s.width + more) for more in (1, 3)]))
def slice_of_zext(g, x, start, width) -> Node | None:
    if x.op != "zext":
        return None
    inner = x.args[0]
    if start >= inner.width:
        return g.literal(0, width)
    return g.zext(g.slice(inner, start, min(width, inner.width - start)), width)


@rule("slice", _pieces_of(lambda s: [s.graph.sext(s.x(), s.width + more) for more in (1, 3)]))
def slice_of_sext(g, x, start, width) -> Node | None:
    if x.op != "sext":
        return None
    inner = x.args[0]
    start = min(start, inner.width - 1)  # above are copies of the highest bit
    return g.sext(g.slice(inner, start, min(width, inner.width - start)), width)


def _concats(s):
    yield s.graph.concat(s.x("a"), s.x("b", 2), s.x("c", 1))
    yield s.graph.concat(s.x("a", 1), s.graph.literal(1, 2), s.x("b"))


@rule("slice", _pieces_of(_concats))
def slice_of_concat(g, x, start, width) -> Node | None:
    if x.op != "concat":
        return None
    ends = g.ends(x)
    parts, low, high = [], start, start + width
    for i in range(bisect_right(ends, low), bisect_left(ends, high) + 1):
        part = x.args[-1 - i]
        begin = ends[i] - part.width
        first, last = max(low, begin), min(high, ends[i])
        parts.append(g.slice(part, first - begin, last - first))
    return g.concat(*reversed(parts))


# -- concatenations: two neighbours, then all


def _neighbours(first, second):
    return lambda s: [(a, b) for a in first(s) for b in second(s)]


@rule("join", _neighbours(lambda s: s.literals(2), lambda s: s.literals()))
def literals_join(g, high, low) -> Node | None:
    if high.op == low.op == "literal":
        return g.literal(high.attr << low.width | low.attr, high.width + low.width)
    return None


@rule("join", lambda s: [(s.graph.literal(0, 2), s.graph.zext(s.x(), s.width + 1))])
def zero_joins_zext(g, high, low) -> Node | None:
    return g.zext(low.args[0], high.width + low.width) if is_zero(high) and low.op == "zext" else None


def _neighbouring_slices(s):
    x = s.x("x", s.width + 2)
    for cut in range(1, s.width + 2):
        for low in range(min(cut, 3)):
            for high in {cut + 1, s.width + 2}:
                yield s.graph.slice(x, cut, high - cut), s.graph.slice(x, low, cut - low)


@rule("join", _neighbouring_slices)
def slices_join(g, high, low) -> Node | None:
    source, start = (low.args[0], low.attr) if low.op == "slice" else (low, 0)
    if high.op == "slice" and high.args[0] is source and high.attr == start + low.width:
        return g.slice(source, start, high.width + low.width)
    return None


@rule(
    "join",
    lambda s: [(s.graph.select(s.bit(), s.x("a"), s.x("b")), s.graph.select(s.bit(), s.x("d", 2), s.x("e", 2)))],
)
def selects_join(g, high, low) -> Node | None:
    if high.op == low.op == "select" and high.args[0] is low.args[0]:
        return g.select(high.args[0], g.concat(high.args[1], low.args[1]), g.concat(high.args[2], low.args[2]))
    return None


@rule("concat", lambda s: [(s.graph.literal(0, n), s.x()) for n in (1, 2)])
def zero_on_top(g, *parts) -> Node | None:
    return g.zext(g.concat(*parts[1:]), sum(p.width for p in parts)) if is_zero(parts[0]) else None


# -- extensions


@rule("zext", lambda s: [(s.graph.zext(s.x(), s.width + 1), s.width + 3)])
def zext_of_zext(g, x, width) -> Node | None:
    return g.zext(x.args[0], width) if x.op == "zext" else None


@rule("sext", lambda s: [(s.graph.sext(s.x(), s.width + 1), s.width + 3)])
def sext_of_sext(g, x, width) -> Node | None:
    return g.sext(x.args[0], width) if x.op == "sext" else None


@rule("sext", lambda s: [(s.graph.zext(s.x(), s.width + 1), s.width + 3)])
def sext_of_zext(g, x, width) -> Node | None:
    return g.zext(x.args[0], width) if x.op == "zext" else None
