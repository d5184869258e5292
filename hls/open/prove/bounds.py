"""What `Graph.bounds` claims of a value, proved: low <= value <= high, for arguments within any bounds of their own."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from itertools import product

import z3

from hls.open.dataflow.evaluate import run, signed
from hls.open.dataflow.graph import Graph
from hls.open.dataflow.nodes import Node
from hls.open.prove.meaning import counterexample, translate
from hls.open.prove.rules import ABOVE, TRIES, WIDTHS, Row, Unproved, describe

EXHAUSTIVE = 2  # bits: up to here every pair of bounds of every argument is tried
SAMPLES = 12  # combinations of bounds above


def _operations(g: Graph, width: int) -> dict[str, tuple]:
    """Operations, as (widths of its arguments, how it is made)."""
    return {
        "zext": ((width,), lambda a: g._make("zext", width + 2, (a,))),
        "sext": ((width,), lambda a: g._make("sext", width + 2, (a,))),
        "add": ((width, width), lambda a, b: g._make("add", width, (a, b))),
        "sub": ((width, width), lambda a, b: g._make("sub", width, (a, b))),
        "select": ((1, width, width), lambda c, a, b: g._make("select", width, (c, a, b))),
        "smul": ((width, width), lambda a, b: g._make("smul", 2 * width, (a, b))),
        "smul, cut": ((width, width), lambda a, b: g._make("smul", width, (a, b))),
        "and": ((width, width), lambda a, b: g._make("and", width, (a, b))),
        "slice": ((width + 2,), lambda a: g._make("slice", width, (a,), 1)),
    }


def _bounds(width, rng, exhaustive) -> Iterator[tuple[int, int]]:
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    if exhaustive:
        return [(a, b) for a in range(low, high + 1) for b in range(a, high + 1)]
    ends = [sorted((rng.randint(low, high), rng.randint(low, high))) for _ in range(3)]
    return [(low, high), *map(tuple, ends)]


def _arguments(g, widths, rng, width) -> Iterator[list[Node]]:
    """Inputs that are given bounds, in many combinations."""
    choices = [_bounds(w, rng, width <= EXHAUSTIVE) for w in widths]
    every = list(product(*choices))
    for k, bounds in enumerate(every if width <= EXHAUSTIVE else rng.sample(every, min(SAMPLES, len(every)))):
        nodes = []
        for i, (w, limits) in enumerate(zip(widths, bounds)):
            node = g.input(f"x{i}_{k}", w)
            node.range = limits
            nodes.append(node)
        yield nodes


def prove_bounds(widths: Iterable[int] = WIDTHS, above: Iterable[int] = ABOVE) -> list[Row]:
    """Prove the bounds of every operation for some widths, and try them with random numbers for those above.

    Raises
    ------
    Unproved
        With the bounds and the values that are outside of them.
    """
    rows = []
    for name in _operations(Graph(), 1):
        start, proved, tried, rng = time.monotonic(), 0, 0, random.Random(name)
        for width in [*widths, *above]:
            g = Graph()
            sizes, make = _operations(g, width)[name]
            for nodes in _arguments(g, sizes, rng, width):
                result = make(*nodes)
                low, high = g.bounds(result)
                if width in above:
                    found, tried = _outside(result, low, high, nodes, rng), tried + TRIES
                else:
                    found, proved = counterexample(_claim(result, low, high, nodes)), proved + 1
                if found is not None:
                    limits = {n.attr: n.range for n in nodes}
                    raise Unproved(f"bounds: {describe(result)} is not in {low}..{high} for {found} within {limits}")
        rows.append(Row("bounds", name, tuple(widths), proved, tried, time.monotonic() - start))
    return rows


def _claim(result, low, high, nodes):
    value, *arguments = translate([result, *nodes])
    within = [z3.And(x >= n.range[0], x <= n.range[1]) for x, n in zip(arguments, nodes)]
    return z3.And(*within, z3.Or(value < low, value > high))


def _outside(result, low, high, nodes, rng):
    for _ in range(TRIES):
        values = {n.attr: rng.choice([*n.range, rng.randint(*n.range)]) for n in nodes}
        if not low <= signed(run([result], values)[0], result.width) <= high:
            return values
    return None
