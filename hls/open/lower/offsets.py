"""Offsets of addresses as sums: a constant, and indices times strides.

An index that comes through `read/bounds.py` knows its array: `count` elements, all of which it may mean and nothing
else. Other parts of an offset (pointers that were arrays once, arithmetic that isn't a sum) know the bounds of their
value only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hls.open.dataflow.graph import Graph
    from hls.open.dataflow.nodes import Node

MOST_CHOICES = 32  # of offsets that depend on control flow; beyond, only the value's bounds are kept


@dataclass(frozen=True)
class Term:
    """A part of an offset: node * stride, where the node, as a signed number, is in low .. high.

    Attributes
    ----------
    count : int
        Elements of the array that the node indexes; 0 if no array is known.
    ok : Node, optional
        True if the index is inside of the array; None if it always is.
    """

    node: Node
    stride: int
    low: int
    high: int
    count: int = 0
    ok: Node | None = None

    @property
    def ends(self) -> tuple[int, int]:
        """Smallest and largest value of the term."""
        ends = (self.low * self.stride, max(self.low, self.high) * self.stride)
        return min(ends), max(ends)


@dataclass(frozen=True)
class Linear:
    """An integer: `constant` and the sum of `terms`."""

    constant: int
    terms: tuple = ()

    @property
    def ends(self) -> tuple[int, int]:
        """Smallest and largest value."""
        ends = [t.ends for t in self.terms]
        return self.constant + sum(low for low, _ in ends), self.constant + sum(high for _, high in ends)

    @property
    def bounded(self) -> bool:
        """True if an array bounds a part of it."""
        return any(t.count for t in self.terms)

    def plus(self, other: Linear) -> Linear:
        return Linear(self.constant + other.constant, self.terms + other.terms)

    def times(self, factor: int) -> Linear:
        return Linear(self.constant * factor, tuple(replace(t, stride=t.stride * factor) for t in self.terms))


class Choice:
    """An offset or a pointer that depends on control flow: `a` if `condition`, else `b`."""

    def __init__(self, condition: Node, a: object, b: object) -> None:
        self.condition, self.a, self.b = condition, a, b


def apply(change: Callable, *values: object) -> object:
    """`change(values...)`, for every combination of what the values may be."""
    for i, value in enumerate(values):
        if isinstance(value, Choice):
            sides = ([*values[:i], side, *values[i + 1 :]] for side in (value.a, value.b))
            return Choice(value.condition, *(apply(change, *side) for side in sides))
    return change(*values)


def alternatives(value: object) -> list[object]:
    """What a value may be."""
    return alternatives(value.a) + alternatives(value.b) if isinstance(value, Choice) else [value]


def peel(graph: Graph, node: Node) -> tuple[Node, int, int]:
    """Return (inner, scale, constant): as signed numbers, node is inner * scale + constant."""
    low, high = -(1 << (node.width - 1)), (1 << (node.width - 1)) - 1
    if node.op in ("add", "sub", "smul") and any(a.op == "literal" for a in node.args):
        at = 0 if node.args[0].op == "literal" else 1
        literal, rest = graph.bounds(node.args[at])[0], node.args[1 - at]
        factor = literal if node.op == "smul" else -1 if node.op == "sub" and at == 0 else 1
        add = 0 if node.op == "smul" else literal
        ends = [end * factor + add for end in graph.bounds(rest)]
        if factor and low <= min(ends) and max(ends) <= high and not (node.op == "sub" and at):
            inner, scale, constant = peel(graph, rest)
            return inner, scale * factor, constant * factor + add
    elif node.op == "sext" or (node.op == "zext" and graph.bounds(node.args[0])[0] >= 0):
        return peel(graph, node.args[0])
    elif node.op == "concat" and node.args[-1].op == "literal" and node.args[-1].attr == 0:
        inner, scale, constant = peel(graph, graph.concat(*node.args[:-1]))
        return inner, scale << node.args[-1].width, constant << node.args[-1].width
    elif node.op == "zext" and node.args[0].op == "concat":
        parts = node.args[0].args
        if parts[-1].op == "literal" and parts[-1].attr == 0:
            above = graph.concat(*parts[:-1])
            return graph.zext(above, above.width + 1), 1 << parts[-1].width, 0
    return node, 1, 0


def of_node(graph: Graph, node: Node) -> Linear:
    """The value of a node as a signed number, whatever it is made of."""
    inner, scale, constant = peel(graph, node)
    low, high = graph.bounds(inner)
    return Linear(constant + scale * low) if low == high else Linear(constant, (Term(inner, scale, low, high),))


def within(graph: Graph, node: Node, count: int) -> Linear:
    """The value of a node as an index of an array of `count` elements.

    If no value of the node is inside, the term has none: low is above high.
    """
    inner, scale, constant = peel(graph, node)
    low, high = graph.bounds(inner)
    ends = sorted((low * scale + constant, high * scale + constant))
    if ends[0] == ends[1] and 0 <= ends[0] < count:
        return Linear(ends[0])
    ok = None
    if ends[0] < 0 or ends[1] >= count:
        ok = graph.compare("ult", node, graph.literal(count, node.width))
        first, last = sorted((-constant, count - 1 - constant), key=lambda x: x * scale)
        low, high = max(low, -(-first // scale)), min(high, last // scale)
    return Linear(constant, (Term(inner, scale, low, high, count, ok),))


def choose(graph: Graph, condition: Node, a: Linear | Choice, b: Linear | Choice) -> Linear | Choice:
    """`a` if `condition`, else `b`: of indices of arrays alike, the chosen index."""
    if condition.op == "literal":
        return a if condition.attr else b
    if a is b or (isinstance(a, Linear) and a == b):
        return a
    if isinstance(a, Linear) and isinstance(b, Linear) and a.constant == b.constant and len(a.terms) == len(b.terms):
        if all(s.count and (s.stride, s.count) == (t.stride, t.count) for s, t in zip(a.terms, b.terms)):
            return Linear(a.constant, tuple(_chosen(graph, condition, s, t) for s, t in zip(a.terms, b.terms)))
    return Choice(condition, a, b)


def _chosen(graph, condition, s, t):
    width = max(s.node.width, t.node.width)
    node = graph.select(condition, graph.sext(s.node, width), graph.sext(t.node, width))
    ok = None
    if s.ok is not t.ok:
        ok = graph.select(condition, *(graph.true if x.ok is None else x.ok for x in (s, t)))
    low, high = min(s.low, t.low), max(s.high, t.high)
    return Term(node, s.stride, low, high, s.count, s.ok if s.ok is t.ok else ok)
