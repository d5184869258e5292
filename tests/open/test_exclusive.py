"""Conditions that can't hold together are found, and only such."""

import random

from hls.open.dataflow.evaluate import run
from hls.open.dataflow.graph import Graph
from hls.open.lower.exclusive import exclusive


def test_what_is_found():
    g = Graph()
    x, wide = g.input("x", 8), g.input("w", 64)
    v = [g.slice(x, i, 1) for i in range(8)]

    def equals(node, value):
        return g.compare("eq", node, g.literal(value, node.width))

    assert exclusive(equals(wide, 3), equals(wide, 4))
    assert not exclusive(equals(wide, 3), equals(x, 4))
    assert exclusive(g.and_(v[0], v[1]), g.and_(v[2], g.not_(v[1])))
    assert exclusive(g.and_(v[7], g.not_(g.or_(v[0], g.or_(v[1], v[2])))), v[2])
    assert exclusive(equals(wide, 3), g.compare("ult", g.literal(7, 64), wide))
    assert exclusive(g.compare("ult", x, g.literal(7, 8)), g.compare("ult", g.literal(7, 8), x))
    assert not exclusive(g.compare("ult", x, g.literal(8, 8)), g.compare("ult", g.literal(6, 8), x))


def test_never_without_reason():
    """Random conditions over five bits: what is called exclusive is, for all values."""
    rng = random.Random(5)
    found = 0
    for _ in range(300):
        g = Graph()
        nodes = [g.slice(g.input("x", 5), i, 1) for i in range(5)] + [g.slice(g.input("x", 5), 1, 3), g.input("x", 5)]
        for _ in range(14):
            a, b = rng.choice(nodes), rng.choice(nodes)
            kind = rng.randrange(5)
            if kind == 0:
                nodes.append(g.not_(a))
            elif kind == 1 and a.width > 1:
                op = rng.choice(["eq", "ne", "ult"])
                nodes.append(g.compare(op, a, g.literal(rng.getrandbits(a.width), a.width)))
            elif a.width == b.width:
                nodes.append(rng.choice([g.and_, g.or_, g.xor_])(a, b))
        conditions = [n for n in nodes if n.width == 1]
        for _ in range(10):
            p, q = rng.choice(conditions), rng.choice(conditions)
            if exclusive(p, q):
                found += 1
                assert not any(run([p], {"x": x}) == run([q], {"x": x}) == [1] for x in range(32))
    assert found > 100
