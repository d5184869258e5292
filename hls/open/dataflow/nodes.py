"""Nodes of the dataflow form, and what all of its constructors share."""

from __future__ import annotations

from hls.open.dataflow.evaluate import evaluate
from hls.open.dataflow.rules import RULES


class Node:
    """An operation with a result of `width` bits. `attr`: literal value, slice start, or input name."""

    __slots__ = ("op", "width", "args", "attr", "id", "range")

    def __init__(self, op: str, width: int, args: tuple[Node, ...], attr: int | str | None, number: int) -> None:
        self.op, self.width, self.args, self.attr, self.id = op, width, args, attr, number
        self.range = None

    def __repr__(self):
        detail = "" if self.attr is None else f"[{self.attr}]"
        return f"{self.op}{detail}.{self.id}:{self.width}"


class Nodes:
    """Factory of unique nodes: leaves, and operations on literals done at once."""

    def __init__(self) -> None:
        self._nodes = {}
        self._ends = {}  # concat -> where its parts end, once it was asked for

    def _make(self, op, width, args=(), attr=None):
        key = (op, width, tuple(a.id for a in args), attr)
        node = self._nodes.get(key)
        if node is None:
            if args and all(a.op == "literal" for a in args):
                return self.literal(evaluate(op, width, [a.attr for a in args], [a.width for a in args], attr), width)
            node = self._nodes[key] = Node(op, width, tuple(args), attr, len(self._nodes))
        return node

    def __len__(self) -> int:
        """Number of nodes made so far."""
        return len(self._nodes)

    def simpler(self, op: str, *args: Node | int | str | list) -> Node | None:
        """The answer of the first rule of a constructor that has one, or None."""
        for rule in RULES.get(op, ()):
            node = rule.apply(self, *args)
            if node is not None:
                rule.fired += 1
                return node
        return None

    # -- leaves

    def literal(self, value: int, width: int) -> Node:
        return self._make("literal", width, (), value & ((1 << width) - 1))

    def input(self, name: str, width: int) -> Node:
        return self._make("input", width, (), name)

    @property
    def true(self) -> Node:
        return self.literal(1, 1)

    @property
    def false(self) -> Node:
        return self.literal(0, 1)
