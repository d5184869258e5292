"""What is claimed of values, proved for arguments of which anything may be known: bounds (`Graph.bounds`), and bounds
and bits (`dataflow/passes/known.py`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from itertools import product

import z3

from hls.open.dataflow.evaluate import run, signed
from hls.open.dataflow.graph import Graph
from hls.open.dataflow.nodes import Node
from hls.open.dataflow.passes.known import Known, known_of
from hls.open.prove.passes.meaning import counterexample, translate
from hls.open.prove.passes.rules import ABOVE, TRIES, WIDTHS, Row, Unproved, describe

EXHAUSTIVE = 2  # bits: up to here every pair of bounds of every argument is tried
SAMPLES = 12  # combinations of bounds above


def _operations(width: int) -> dict[str, tuple]:
    """Every operation: name -> (widths of its arguments, operation, width, attribute)."""
    two = [width, width]
    found = {
        "zext": ([width], "zext", width + 2, None),
        "sext": ([width], "sext", width + 2, None),
        "slice": ([width + 2], "slice", width, 1),
        "slice, low": ([width + 2], "slice", width, 0),
        "slice, high": ([width + 2], "slice", width, 2),
        "concat": ([width, 1], "concat", width + 1, None),
        "select": ([1, *two], "select", width, None),
        "index": ([1, *two], "index", width, None),
        "smul": (two, "smul", 2 * width, None),
        "smul, cut": (two, "smul", width, None),
        "not": ([width], "not", width, None),
        "reverse": ([width], "reverse", width, None),
    }
    found |= {op: (two, op, width, None) for op in ("add", "sub", "and", "or", "xor")}
    found |= {op: (two, op, 1, None) for op in ("eq", "ne", "ult", "ule", "slt", "sle")}
    found |= {op: ([width, 2], op, width, None) for op in ("shl", "shr", "sra")}
    return found | {op: ([width], op, width.bit_length() + 1, None) for op in ("ctz", "clz")}


def _facts(width, rng, masks) -> Iterator[Known]:
    """What may be given of an argument: bounds, and bits that are known."""
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    if width <= EXHAUSTIVE and not masks:
        return [Known(a, b) for a in range(low, high + 1) for b in range(a, high + 1)]
    found = [Known(low, high), Known(0, high), Known(low, -1)]
    for _ in range(4):
        zero = rng.getrandbits(width) & rng.getrandbits(width) if masks else 0
        one = rng.getrandbits(width) & rng.getrandbits(width) & ~zero if masks else 0
        ends = sorted((rng.randint(low, high), rng.randint(low, high)))
        found += [Known(*ends, zero, one), Known(low, high, zero, one)]
    return found


def _arguments(g, widths, rng, width, masks) -> Iterator[list[tuple[Node, Known]]]:
    """Inputs with something given of each, in many combinations."""
    every = list(product(*(_facts(w, rng, masks) for w in widths)))
    some = every if width <= EXHAUSTIVE and not masks else rng.sample(every, min(SAMPLES, len(every)))
    for k, facts in enumerate(some):
        yield [(g.input(f"x{i}_{k}", w), fact) for i, (w, fact) in enumerate(zip(widths, facts))]


def _bounds_of(g, node, given):
    """What a constructor is told of a node."""
    for x, fact in given.items():
        x.range = fact[:2]
    return Known(*g.bounds(g._make(node.op, node.width, node.args, node.attr)))


def _known_of(g, node, given):
    """What a pass is told of it."""
    return known_of(node, list(given.values()))


def prove_bounds(widths: Iterable[int] = WIDTHS, above: Iterable[int] = ABOVE) -> list[Row]:
    """Prove what constructors and passes are told of every operation's result for some widths, and try it above.

    Raises
    ------
    Unproved
        With what was given of the arguments, and the values that are outside of what is claimed of the result.
    """
    rows = []
    for title, claims in (("bounds", _bounds_of), ("known", _known_of)):
        for name in _operations(1):
            start, proved, tried, rng = time.monotonic(), 0, 0, random.Random(f"{title} {name}")
            for width in [*widths, *above]:
                g = Graph()
                sizes, op, out, attr = _operations(width)[name]
                for given in map(dict, _arguments(g, sizes, rng, width, title == "known")):
                    node = Node(op, out, tuple(given), attr, -1)
                    claim = claims(g, node, given)
                    if width in above:
                        found, tried = _outside(node, claim, given, rng), tried + TRIES
                    else:
                        found, proved = counterexample(_wrong(node, claim, given)), proved + 1
                    if found is not None:
                        facts = {x.attr: fact for x, fact in given.items()}
                        raise Unproved(f"{title}: {describe(node)} is not in {claim} for {found}, given {facts}")
            rows.append(Row(title, name, tuple(widths), proved, tried, time.monotonic() - start))
    return rows


def _holds(value, fact):
    """A fact as a z3 expression."""
    return z3.And(value >= fact.low, value <= fact.high, value & fact.zero == 0, value & fact.one == fact.one)


def _wrong(node, claim, given):
    value, *arguments = translate([node, *given])
    return z3.And(*(_holds(x, fact) for x, fact in zip(arguments, given.values())), z3.Not(_holds(value, claim)))


def _fits(value, width, fact):
    return fact.low <= signed(value, width) <= fact.high and not value & fact.zero and not fact.one & ~value


def _outside(node, claim, given, rng):
    for _ in range(TRIES):
        values = {}
        for x, fact in given.items():
            value = rng.choice([fact.low, fact.high, rng.randint(fact.low, fact.high)]) & ((1 << x.width) - 1)
            values[x.attr] = (value | fact.one) & ~fact.zero
        if all(_fits(values[x.attr], x.width, fact) for x, fact in given.items()):
            if not _fits(run([node], values)[0], node.width, claim):
                return values
    return None
