"""Division by constants: exact for every value, in as few bits as needed."""

import random

import numpy as np
import pytest

from hls.open.dataflow.evaluate import run, signed, topological
from hls.open.dataflow.graph import Graph
from hls.open.errors import Refused
from hls.open.lower.divide import Divider, reciprocal


def expected(op, x, divisor, width):
    """LLVM's result, which is C's."""
    if op[0] == "s":
        x, divisor = signed(x, width), signed(divisor, width)
    quotient = abs(x) // abs(divisor) * (1 if (x < 0) == (divisor < 0) else -1)
    return (quotient if op.endswith("div") else x - quotient * divisor) & ((1 << width) - 1)


@pytest.mark.parametrize("width", range(1, 11))
def test_reciprocals_are_exact_up_to_ten_bits(width):
    """Every divisor and every value; largest values that are no power of two as well."""
    for divisor in range(1, 1 << width):
        for largest in {(1 << width) - 1, max(divisor - 1, 3 * (1 << width) // 4)}:
            m, p = reciprocal(divisor, largest)
            x = np.arange(largest + 1)
            assert (m * x >> p == x // divisor).all(), (divisor, largest)
            negative = -x[1:]
            if divisor & (divisor - 1):
                assert ((m * negative >> p) + 1 == -(x[1:] // divisor)).all(), (divisor, largest)


def test_reciprocals_are_exact_at_the_edges_of_wide_numbers():
    rng = random.Random(1)
    for width in (24, 32, 33, 63, 64, 65, 128, 200):
        largest = (1 << width) - 1
        for divisor in [3, 5, 7, 10, 641, 1000, largest, largest - 1, *(rng.getrandbits(width) | 1 for _ in range(40))]:
            m, p = reciprocal(divisor, largest)
            last = largest - (largest + 1) % divisor
            some = [rng.getrandbits(width) // divisor * divisor + r for r in (-1, 0) for _ in range(20)]
            for x in [0, 1, divisor - 1, divisor, last, last - 1, largest, *some]:
                if 0 <= x <= largest:
                    assert m * x >> p == x // divisor


@pytest.mark.parametrize("op", ["udiv", "urem", "sdiv", "srem"])
def test_every_divisor_and_value_of_up_to_five_bits(op):
    for width in range(1, 6):
        graph = Graph()
        x = graph.input("x", width)
        divisors = [d for d in range(1, 1 << width) if width > 1 or op[0] == "u"]
        nodes = [Divider(graph).divide(op, x, graph.literal(d, width)) for d in divisors]
        for value in range(1 << width):
            got = run(nodes, {"x": value})
            for d, result in zip(divisors, got):
                if not (op[0] == "s" and signed(d, width) == -1 and value == 1 << (width - 1)):  # undefined in C
                    assert result == expected(op, value, d, width), (op, width, value, d)


@pytest.mark.parametrize("op", ["udiv", "urem", "sdiv", "srem"])
def test_values_of_fewer_bits_than_the_divisor(op):
    """LLVM shifts by a power of two itself, but not in `x / (c ? 3 : 65536)`."""
    for inner in range(1, 5):
        graph = Graph()
        x = graph.zext(graph.input("x", inner), 21)
        divisors = [d << k for d in (1, 3, 5, 7) for k in range(18)]
        nodes = [Divider(graph).divide(op, x, graph.literal(d, 21)) for d in divisors]
        for value in range(1 << inner):
            for d, result in zip(divisors, run(nodes, {"x": value})):
                assert result == expected(op, value, d, 21), (op, inner, value, d)


@pytest.mark.parametrize("op", ["udiv", "urem", "sdiv", "srem"])
def test_wide_numbers(op):
    rng = random.Random(op)
    for _ in range(60):
        width = rng.choice([9, 16, 17, 31, 32, 33, 48, 64, 65, 100])
        divisor = rng.choice(
            [3, 7, 10, 100, 255, (1 << width) - 10, rng.getrandbits(width) | 1, rng.getrandbits(8) + 1]
        )
        divisor &= (1 << width) - 1
        graph = Graph()
        node = Divider(graph).divide(op, graph.input("x", width), graph.literal(divisor, width))
        assert node.width == width
        for _ in range(40):
            x = rng.choice([0, (1 << width) - 1, 1 << (width - 1), rng.getrandbits(width), rng.getrandbits(width)])
            x = (x // divisor * divisor + rng.choice([0, -1, 0, 1])) % (1 << width) if rng.random() < 0.5 else x
            if not (op[0] == "s" and divisor == (1 << width) - 1):
                assert run([node], {"x": x}) == [expected(op, x, divisor, width)], (op, width, divisor, x)


def test_products_fit_a_dsp_and_known_bounds_make_them_small():
    graph = Graph()

    def products(x, divisor):
        quotient = Divider(graph).divide("udiv", x, graph.literal(divisor, x.width))
        return [[a.width for a in n.args] for n in topological([quotient]) if n.op == "smul"]

    assert all(min(w) <= 18 and max(w) <= 25 for w in products(graph.input("x", 64), 1000000007))
    byte = graph.zext(graph.input("b", 8), 32)
    assert products(byte, 10) == [] or all(sum(w) <= 17 for w in products(byte, 10))
    assert products(byte, 300) == products(byte, 200) == []
    assert products(graph.input("x", 64), 1 << 40) == []


def test_a_divisor_chosen_among_constants_is_two_divisions():
    graph = Graph()
    c, x = graph.input("c", 1), graph.input("x", 9)
    divisor = graph.zext(graph.select(c, graph.literal(3, 4), graph.literal(5, 4)), 9)
    node = Divider(graph).divide("udiv", x, divisor)
    for value in (0, 14, 15, 511):
        assert run([node], {"c": 1, "x": value}) == [value // 3]
        assert run([node], {"c": 0, "x": value}) == [value // 5]


@pytest.mark.parametrize("divisor, words", [(None, "one bit of the quotient"), (0, "by zero")])
def test_what_is_refused(divisor, words):
    graph = Graph()
    b = graph.input("n", 8) if divisor is None else graph.literal(divisor, 8)
    with pytest.raises(Refused, match=words):
        Divider(graph).divide("sdiv", graph.input("x", 8), b)
