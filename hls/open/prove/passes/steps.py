"""Passes over whole steps (`balance_sums`, `narrow`), proved on random ones: before and after are the same.

The steps are small, of values up to 8 bits wide, so that z3 answers for all values of their inputs at once; larger ones
are tried with random numbers. Sums, products, shifts and wires are frequent: they are what the passes look at.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

import click

from hls.open.dataflow.evaluate import run
from hls.open.dataflow.graph import Graph
from hls.open.dataflow.nodes import Node
from hls.open.dataflow.passes.narrow import narrow
from hls.open.dataflow.passes.sums import balance_sums
from hls.open.dataflow.step import Port, Register, Step
from hls.open.prove.passes.meaning import difference
from hls.open.prove.passes.rules import Unproved, describe

WIDEST = 8  # bits of a value that z3 sees
TRIES = 100
PASSES = (balance_sums, narrow)


class RandomStep:
    """A random step; the same for the same seed.

    Parameters
    ----------
    seed : int
    operations : int
    widest : int
        Bits of the widest value.
    """

    def __init__(self, seed: int, operations: int, widest: int) -> None:
        self.rng, self.graph, self.widest = random.Random(seed), Graph(), widest
        g, rng = self.graph, self.rng
        self.step = Step("random", g)
        for i in range(3):
            width = rng.randint(1, widest)
            self.step.registers.append(Register(f"r{i}", width, g.input(f"state_r{i}", width)))
        width = rng.randint(1, widest)
        self.step.ports = [Port("in", "in", width, g.true, g.input("in_in", width))]
        self.pool = [r.value for r in self.step.registers] + [self.step.ports[0].data]
        for _ in range(operations):
            self.pool.append(self._grow())
        for r in self.step.registers:
            r.next = self._resized(self._late(), r.width)
        out = self._late()
        self.step.ports.append(Port("out", "out", out.width, self._resized(self._late(), 1), out))

    def _late(self):
        return self.rng.choice(self.pool[-6:])

    def _any(self, width=None):
        if self.rng.random() < 0.15:
            width = width or self.rng.randint(1, self.widest)
            few = [0, 1, 2, 3, 4, 5, 6, -1, -2, -3, 1 << (width - 1), self.rng.getrandbits(width)]
            return self.graph.literal(self.rng.choice(few), width)
        node = self.rng.choice(self.pool[-8:] if self.rng.random() < 0.7 else self.pool)
        return node if width is None else self._resized(node, width)

    def _resized(self, node, width):
        if width <= node.width:
            return self.graph.slice(node, self.rng.randint(0, node.width - width), width)
        return self.rng.choice([self.graph.zext, self.graph.sext])(node, width)

    def _grow(self):
        g, rng = self.graph, self.rng
        a = self._any()
        kind = rng.choice(
            ["add", "add", "add", "sub", "mul", "and", "or", "xor", "not", "shift", "compare", "select", "select"]
            + ["index", "concat", "resize", "resize", "mask", "unary"]
        )
        if kind in ("add", "sub", "mul"):
            return getattr(g, kind)(a, self._any(a.width))
        if kind in ("and", "or", "xor"):
            return getattr(g, kind + "_")(a, self._any(a.width))
        if kind == "not":
            return g.not_(a)
        if kind == "shift":
            n = self._any(rng.randint(1, 4))
            return getattr(g, rng.choice(["shl", "shr", "sra"]))(a, n)
        if kind == "compare":
            return g.compare(rng.choice(["eq", "ne", "ult", "ule", "slt", "sle"]), a, self._any(a.width))
        if kind == "select":
            return g.select(self._any(1), a, self._any(a.width))
        if kind == "index":
            return g.index(self._any(rng.randint(1, 3)), [self._any(a.width) for _ in range(rng.randint(2, 5))])
        if kind == "concat":
            b = self._any(rng.randint(1, max(1, self.widest // 2)))
            return self._resized(g.concat(*rng.sample([a, b], 2)), min(self.widest, a.width + b.width))
        if kind == "mask":
            return g.and_(a, g.literal(rng.getrandbits(a.width), a.width))
        if kind == "unary":
            return g.unary(rng.choice(["ctz", "clz", "reverse"]), a)
        return self._resized(a, rng.randint(1, self.widest))


def check(apply: Callable, step: Step, prove: bool, rng: random.Random) -> None:
    """Show that a pass keeps what a step computes: for all values, or for random ones.

    Raises
    ------
    Unproved
    """
    before = step.outputs()
    step.registers, step.ports = [replace(r) for r in step.registers], [replace(p) for p in step.ports]
    apply(step)
    after = step.outputs()
    for old, new in zip(before, after, strict=True):
        if old.width != new.width:
            raise Unproved(f"{apply.__name__}: {describe(old)} becomes {describe(new)}, of another width")
    found = difference(before, after) if prove else _tried(before, after, step, rng)
    if found is not None:
        wrong = next((old, new) for old, new in zip(before, after) if len(set(run([old, new], _all(step) | found))) > 1)
        raise Unproved(f"{apply.__name__}: {describe(wrong[1])} is not {describe(wrong[0])} for {found}")


def _all(step):
    return dict.fromkeys(_inputs(step), 0)


def _inputs(step: Step) -> dict[str, Node]:
    nodes = [r.value for r in step.registers] + [p.data for p in step.ports if p.direction == "in"]
    return {n.attr: n for n in nodes}


def _tried(before, after, step, rng):
    for k in range(TRIES):
        few = k % 4 == 0
        values = {
            name: rng.choice([0, 1, (1 << n.width) - 1, 1 << (n.width - 1)]) if few else rng.getrandbits(n.width)
            for name, n in _inputs(step).items()
        }
        if run(before, values) != run(after, values):
            return values
    return None


def prove_steps(seeds: Iterable[int], operations: int = 14, passes: Iterable[Callable] = PASSES) -> int:
    """Prove the passes on small random steps and try them on larger ones, one of each per seed.

    Raises
    ------
    Unproved
    """
    count = 0
    for seed in seeds:
        for apply in passes:
            check(apply, RandomStep(seed, operations, WIDEST).step, True, random.Random(seed))
            check(apply, RandomStep(seed, 8 * operations, 70).step, False, random.Random(seed))
            count += 1
    return count


@click.command()
@click.option("-n", "count", default=1000, show_default=True, help="Random steps per pass.")
@click.option("--seed", default=1, show_default=True, help="Of the first one.")
def main(count: int, seed: int) -> None:
    """Prove the passes of the dataflow form on random steps."""
    click.echo(f"{prove_steps(range(seed, seed + count))} proofs of steps and as many trials of larger ones")


if __name__ == "__main__":
    main()
