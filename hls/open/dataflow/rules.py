"""Rewriting rules of the dataflow form: each a small function with shapes on which it is proved.

A constructor of the graph (`wiring.py`, `logic.py`, `choice.py`, `arithmetic.py`) asks the rules of its operation, in
order, for something simpler and makes the plain operation if none has an answer. A rule names *shapes*: arguments,
over inputs of any value, that make it fire. `hls/open/prove/passes/rules.py` calls the constructor with them and proves
that what comes out equals the plain operation for all values of the inputs. So there is no rule without shapes, and no
second description of what a rule does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hls.open.dataflow.graph import Graph
    from hls.open.dataflow.nodes import Node


@dataclass
class Rule:
    """One rewriting of an operation.

    Attributes
    ----------
    op : str
        Of the constructor that asks it.
    apply : callable
        (graph, *arguments of the constructor) -> simpler node, or None if the rule has nothing to say.
    shapes : tuple of callable
        `Shapes` -> iterator of arguments, at least one of them for some width, on which the rule fires.
    fired : int
        How often it had an answer.
    """

    op: str
    apply: Callable
    shapes: tuple
    fired: int = 0

    @property
    def name(self) -> str:
        return self.apply.__name__


RULES: dict[str, list[Rule]] = {}  # operation -> its rules, in the order in which they are asked


def rule(op: str, *shapes: Callable[[Shapes], Iterator[tuple]]) -> Callable:
    """Register a function as a rule of the constructor of `op`.

    Raises
    ------
    ValueError
        If it names no shapes: it could not be proved.
    """
    if not shapes:
        raise ValueError(f"a rule of '{op}' without shapes can't be proved: name arguments that make it fire")

    def register(function):
        RULES.setdefault(op, []).append(Rule(op, function, shapes))
        return function

    return register


class Shapes:
    """What shapes are made of: inputs and literals of a graph, for one width.

    Parameters
    ----------
    graph : Graph
    width : int
    """

    FEW = 3  # bits: up to here every literal is tried

    def __init__(self, graph: Graph, width: int) -> None:
        self.graph, self.width = graph, width

    def x(self, name: str = "x", width: int | None = None) -> Node:
        """An input of any value."""
        width = width or self.width
        return self.graph.input(f"{name}{width}", width)

    def bit(self, name: str = "c") -> Node:
        return self.x(name, 1)

    def literals(self, width: int | None = None) -> Iterator[Node]:
        """All literals of few bits, otherwise those where something changes."""
        width = width or self.width
        top = 1 << width
        some = {
            0,
            1,
            2,
            3,
            5,
            6,
            top // 2 - 1,
            top // 2,
            top // 2 + 1,
            top - 3,
            top - 2,
            top - 1,
            top // 3,
            top * 5 // 7,
        }
        for value in range(top) if width <= self.FEW else sorted(v for v in some if 0 <= v < top):
            yield self.graph.literal(value, width)

    def cuts(self) -> Iterator[int]:
        """Places at which `width` bits are cut in two: all, or some of many."""
        every = max(1, self.width // 8)
        yield from range(1, self.width, every)

    def pieces(self, width: int) -> Iterator[tuple[int, int]]:
        """(start, width) of pieces of so many bits: all, or some of many."""
        places = range(width) if width <= 6 else sorted({0, 1, width // 3, width // 2, width - 2, width - 1})
        for start in places:
            for end in [*places, width]:
                if end > start:
                    yield start, end - start
