"""`python -m hls.open.prove.passes.rules`: every rewriting rule of the dataflow form, proved.

For each rule (`dataflow/rules.py`) the constructor is called on the rule's shapes, that is on inputs of any value. What
comes out is translated to z3 and compared with the plain operation, translated by the same meaning; z3 shows that no
values of the inputs tell them apart. That the rule had an answer is counted: a shape that doesn't reach its rule, or a
rule without a shape that does, is an error. Above WIDTHS, random numbers take z3's place.

What is taken for granted: z3, and that `meaning.py` says the same as `evaluate.py` (`tests/open/test_rules.py`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass

import click

import hls.open.dataflow.passes.sums  # noqa: F401  (registers its rule)
from hls.open.dataflow.evaluate import run, topological
from hls.open.dataflow.graph import Graph
from hls.open.dataflow.nodes import Node
from hls.open.dataflow.rules import RULES, Rule, Shapes
from hls.open.prove.passes.meaning import difference

WIDTHS = range(1, 9)  # proved
ABOVE = (9, 13, 17, 32, 33, 64)  # tried with random numbers
TRIES = 20  # per shape


class Unproved(Exception):
    """A rule changes a value, or none of its shapes makes it fire."""


@dataclass
class Row:
    """What was proved of one rule: on how many shapes of which widths, and in which time."""

    op: str
    rule: str
    widths: tuple
    proved: int
    tried: int
    seconds: float


def plain(op: str, width: int, args: Iterable[Node], attr: int | None = None) -> Node:
    """The operation itself, made by no constructor."""
    return Node(op, width, tuple(args), attr, -1)


def _plain_extension(op):
    return lambda x, width: plain(op, width, (x,)) if width > x.width else plain("slice", width, (x,), 0)


def _plain_sum(leaves, *_):
    total = leaves[0]
    for x in leaves[1:]:
        total = plain("add", x.width, (total, x))
    return total


def _plain_two(op):
    return lambda a, b: plain(op, a.width, (a, b))


# Operation of a rule -> (constructor, what it means). Both take the arguments that the rule's shapes give.
CONSTRUCTORS = {
    "slice": (Graph.slice, lambda x, start, width: plain("slice", width, (x,), start)),
    "join": (Graph.concat, lambda *parts: plain("concat", sum(p.width for p in parts), parts)),
    "concat": (Graph.concat, lambda *parts: plain("concat", sum(p.width for p in parts), parts)),
    "zext": (Graph.zext, _plain_extension("zext")),
    "sext": (Graph.sext, _plain_extension("sext")),
    "not": (Graph.not_, lambda x: plain("not", x.width, (x,))),
    "and": (Graph.and_, _plain_two("and")),
    "or": (Graph.or_, _plain_two("or")),
    "xor": (Graph.xor_, _plain_two("xor")),
    "select": (Graph.select, lambda c, a, b: plain("select", a.width, (c, a, b))),
    "index": (Graph.index, lambda i, values: plain("index", values[0].width, (i, *values))),
    "compare": (Graph.compare, lambda op, a, b: plain(op, 1, (a, b))),
    "add": (Graph.add, _plain_two("add")),
    "sub": (Graph.sub, _plain_two("sub")),
    "mul": (Graph.mul, _plain_two("smul")),
    "shl": (Graph.shl, _plain_two("shl")),
    "shr": (Graph.shr, _plain_two("shr")),
    "sra": (Graph.sra, _plain_two("sra")),
    "sum": (Graph.sum, _plain_two("add")),
    "total": (Graph.total, _plain_two("add")),
    "difference": (Graph.difference, _plain_two("sub")),
    "scale": (Graph.scale, _plain_two("smul")),
    "regroup": (lambda g, *args: g.simpler("regroup", *args), _plain_sum),
}


def prove_rule(rule: Rule, widths: Iterable[int] = WIDTHS, above: Iterable[int] = ABOVE) -> Row:
    """Prove one rule for some widths, and try it with random numbers for those above.

    Raises
    ------
    Unproved
        With the arguments and the values that show the difference, or the shape that never reaches the rule.
    """
    start, proved, tried, reached = time.monotonic(), 0, 0, {}
    construct, means = CONSTRUCTORS[rule.op]
    rng = random.Random(f"{rule.op} {rule.name}")
    for width in [*widths, *above]:
        for number, shape in enumerate(rule.shapes):
            shapes = Shapes(Graph(), width)
            for args in shape(shapes):
                fired = rule.fired
                result = construct(shapes.graph, *args)
                if rule.fired == fired:
                    continue
                reached.setdefault(number, set()).add(width)
                expected = means(*args)
                if width in above:
                    found, tried = _tried(result, expected, rng), tried + TRIES
                else:
                    found, proved = difference([result], [expected]), proved + 1
                if found is not None:
                    raise Unproved(
                        f"{rule.op}, {rule.name}: {describe(result)} is not {describe(expected)} for {found}"
                    )
    for number in range(len(rule.shapes)):
        if number not in reached:
            raise Unproved(f"{rule.op}, {rule.name}: shape {number} never makes the rule fire")
    at = sorted(set().union(*reached.values()) & set(widths))
    return Row(rule.op, rule.name, tuple(at), proved, tried, time.monotonic() - start)


def _tried(result, expected, rng):
    """Values for which two nodes differ, among random ones and those at the ends; None if none was found."""
    inputs = {n.attr: n.width for n in topological([result, expected]) if n.op == "input"}
    for k in range(TRIES):
        values = {
            n: rng.choice([0, (1 << w) - 1, 1 << w - 1, 1]) if k % 4 == 0 else rng.getrandbits(w)
            for n, w in inputs.items()
        }
        a, b = run([result, expected], values)
        if a != b:
            return values
    return None


def describe(node: Node) -> str:
    """A small graph as text."""
    if node.op == "literal":
        return f"{node.width}'d{node.attr}"
    if node.op == "input":
        return node.attr
    inner = [describe(a) for a in node.args] + ([str(node.attr)] if node.attr is not None else [])
    return f"{node.op}{node.width}({', '.join(inner)})"


def prove_rules(widths: Iterable[int] = WIDTHS, above: Iterable[int] = ABOVE) -> list[Row]:
    """Prove all rules; see `prove_rule`."""
    return [prove_rule(rule, widths, above) for rules in RULES.values() for rule in rules]


@click.command()
@click.option("--widths", default=WIDTHS[-1], show_default=True, help="Largest width that is proved.")
def main(widths: int) -> None:
    """Prove the rewriting rules of the dataflow form and print a table of them."""
    click.echo(f"{'operation':10} {'rule':26} {'widths':>8} {'proved':>8} {'random':>8} {'s':>7}")
    for rules in RULES.values():
        for rule in rules:
            row = prove_rule(rule, range(1, widths + 1))
            at = f"{row.widths[0]}..{row.widths[-1]}" if row.widths else "-"
            click.echo(f"{row.op:10} {row.rule:26} {at:>8} {row.proved:8} {row.tried:8} {row.seconds:7.1f}")


if __name__ == "__main__":
    main()
