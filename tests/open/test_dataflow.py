"""The dataflow form: every simplification keeps the value."""

import random

import pytest

from hls.open.dataflow.evaluate import evaluate, run, signed, topological
from hls.open.dataflow.graph import Graph

COMPARISONS = ["eq", "ne", "ult", "ule", "slt", "sle"]


class Mirror:
    """Builds a random expression twice: in a graph, and as its plain value."""

    def __init__(self, seed):
        self.rng, self.graph = random.Random(seed), Graph()
        self.inputs = {f"x{i}": (self.rng.getrandbits(w), w) for i, w in enumerate([1, 4, 8, 8, 13, 32])}
        self.pool = [(self.graph.input(n, w), v) for n, (v, w) in self.inputs.items()]
        self.pool += [
            (self.graph.literal(v, w), v & (1 << w) - 1)
            for v, w in [(0, 8), (1, 8), (255, 8), (0xF0, 8), (0, 1), (-1, 13)]
        ]

    def pick(self, width=None):
        node, value = self.rng.choice(self.pool)
        if width and node.width != width:
            return self.resize(node, value, width)
        return node, value

    def resize(self, node, value, width):
        if width <= node.width:
            start = self.rng.randint(0, node.width - width)
            return self.graph.slice(node, start, width), value >> start & (1 << width) - 1
        if self.rng.random() < 0.5:
            return self.graph.zext(node, width), value
        return self.graph.sext(node, width), signed(value, node.width) & (1 << width) - 1

    def grow(self):
        g, rng = self.graph, self.rng
        a, x = self.pick()
        b, y = self.pick(a.width)
        c, z = self.pick(1)
        kind = rng.choice(["binary", "shift", "compare", "concat", "select", "not", "index", "resize", "mask"])
        if kind == "binary":
            op = rng.choice(["add", "sub", "mul", "and", "or", "xor"])
            method = getattr(g, op + "_" if op in ("and", "or", "xor") else op)
            name = {"mul": "smul"}.get(op, op)
            result = method(a, b), evaluate(name, a.width, [x, y], [a.width, b.width])
        elif kind == "shift":
            op, method = rng.choice([("shl", g.shl), ("shr", g.shr), ("sra", g.sra)])
            n = rng.randint(0, a.width)
            b, y = (g.literal(n, 8), n) if rng.random() < 0.7 else self.pick(4)
            result = method(a, b), evaluate(op, a.width, [x, y], [a.width, b.width])
        elif kind == "compare":
            op = rng.choice(COMPARISONS)
            result = g.compare(op, a, b), evaluate(op, 1, [x, y], [a.width, b.width])
        elif kind == "concat":
            b, y = self.pick()
            result = g.concat(a, b), x << b.width | y
        elif kind == "select":
            result = g.select(c, a, b), x if z else y
        elif kind == "not":
            result = g.not_(a), ~x & (1 << a.width) - 1
        elif kind == "index":
            items = [self.pick(a.width) for _ in range(rng.randint(2, 5))]
            i, n = self.pick(3)
            result = g.index(i, [v for v, _ in items]), items[min(n, len(items) - 1)][1]
        elif kind == "mask":
            mask = rng.getrandbits(a.width)
            result = g.and_(a, g.literal(mask, a.width)), x & mask
        else:
            result = self.resize(a, x, rng.randint(1, 48))
        if result[0].width <= 80:
            self.pool.append(result)


@pytest.mark.parametrize("seed", range(40))
def test_simplified_graphs_keep_their_values(seed):
    mirror = Mirror(seed)
    for _ in range(150):
        mirror.grow()
    values = run([node for node, _ in mirror.pool], {n: v for n, (v, _) in mirror.inputs.items()})
    for (node, expected), value in zip(mirror.pool, values):
        assert value == expected, f"{node} is {value:x} instead of {expected:x}"
        low, high = mirror.graph.bounds(node)
        assert low <= signed(expected, node.width) <= high, f"{node} is outside of its bounds"


def test_bytes_and_masks_disappear():
    """A field taken from a word and put back somewhere else is wiring, not logic."""
    g = Graph()
    word = g.input("word", 64)
    field = g.and_(g.shr(word, g.literal(8, 64)), g.literal(0xFF, 64))
    moved = g.or_(g.shl(field, g.literal(16, 64)), g.and_(word, g.literal(0xFF, 64)))
    assert {n.op for n in topological([moved])} <= {"input", "slice", "concat", "zext", "literal"}


def test_products_are_as_narrow_as_their_operands():
    """LLVM multiplies (a << 16) * b and shifts back; what remains is a product of 8 by 9 bits."""
    g = Graph()
    a, b = g.sext(g.input("a", 8), 32), g.zext(g.input("b", 8), 32)
    product = g.sra(g.mul(g.shl(b, g.literal(16, 32)), a), g.literal(16, 32))
    multiplier = next(n for n in topological([product]) if n.op == "smul")
    assert sorted(x.width for x in multiplier.args) == [8, 9]


def test_diamond_needs_no_predicate():
    g = Graph()
    p, c = g.input("p", 1), g.input("c", 1)
    assert g.or_(g.and_(p, c), g.and_(p, g.not_(c))) is p
