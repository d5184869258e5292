"""Division by a constant: the product with its reciprocal, exact for every value that the dividend can have.

For a divisor d, a shift p, m = ceil(2^p / d) and e = m * d - 2^p,

    floor(x / d) = floor(m * x / 2^p)    for all 0 <= x <= largest,

if e * n < 2^p, where n is the largest number up to `largest` with n mod d = d - 1: m * x / 2^p is x / d plus
e * x / (d * 2^p), and from residue r to the next whole quotient there is room for less than (d - r) / d. If the room is
enough at n it is enough elsewhere: beyond n there are at most d - 1 numbers, r is at most d - 2, and
e * (d - 1) <= e * n < 2^p. For negative x and e > 0 the same condition makes floor(m * x / 2^p) + 1 the quotient
rounded towards zero.

T. Granlund, P. L. Montgomery, Division by Invariant Integers using Multiplication, PLDI 1994; H. S. Warren, Hacker's
Delight, 2nd ed., chapter 10. Here any width is as good as another, so the smallest p is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.errors import Refused

if TYPE_CHECKING:
    from hls.open.dataflow.graph import Graph
    from hls.open.dataflow.nodes import Node

# A DSP of all families multiplies 25 x 18 signed bits or more: what is wider is cut into unsigned digits of a bit less.
DIGITS = (24, 17)


def reciprocal(divisor: int, largest: int) -> tuple[int, int]:
    """Return (m, p) with x // divisor == m * x >> p for all 0 <= x <= largest.

    Parameters
    ----------
    divisor : int
        At least 1.
    largest : int
        At least divisor - 1.
    """
    n = largest - (largest + 1) % divisor
    for p in range(2 * largest.bit_length() + 2):
        m = -(-(1 << p) // divisor)
        if (m * divisor - (1 << p)) * n < 1 << p:
            return m, p
    raise AssertionError(f"there is always a reciprocal of {divisor}: a shift by the bits of both suffices")


class Divider:
    """Divisions and remainders in a graph.

    Parameters
    ----------
    graph : Graph
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def divide(self, op: str, a: Node, b: Node) -> Node:
        """op: udiv, urem, sdiv, srem, with LLVM's meaning, which is C's."""
        g = self.graph
        if b.op in ("zext", "sext") and b.args[0].op == "select":  # LLVM makes one division of two: x / (c ? 3 : 5)
            c, x, y = b.args[0].args
            b = g._make("select", b.width, (c, *(getattr(g, b.op)(v, b.width) for v in (x, y))))
        if b.op == "select":
            return g.select(b.args[0], *(self.divide(op, a, v) for v in b.args[1:]))
        if b.op != "literal":
            raise Refused(
                "a division or remainder by a variable: divide over several steps, one bit of the quotient each, or "
                "multiply by a reciprocal from a constant table; a constant divisor is no problem"
            )
        if b.attr == 0:
            raise Refused("a division or remainder by zero")
        if op[0] == "u":
            return self._unsigned(op, a, b.attr)
        return self._signed(op, a, b.attr - (b.attr >> (b.width - 1) << b.width))

    def _unsigned(self, op, x, divisor):
        g, width = self.graph, x.width
        low, high = g.bounds(g.zext(x, width + 1))
        largest = high if low >= 0 else (1 << width) - 1
        quotient = self._quotient(g.slice(x, 0, max(1, largest.bit_length())), divisor, largest)
        if op == "udiv":
            return g.zext(quotient, width)
        if divisor == 1:
            return g.literal(0, width)
        bits = min(width, (divisor - 1).bit_length())
        return g.zext(self._rest(x, quotient, divisor, bits), width)

    def _quotient(self, x, divisor, largest):
        """x // divisor of an unsigned x, as wide as it can be."""
        g = self.graph
        if largest < divisor:  # a divisor with more bits than x has, too
            return g.literal(0, 1)
        zeros = (divisor & -divisor).bit_length() - 1
        x, divisor, largest = g.shr(x, g.literal(zeros, x.width)), divisor >> zeros, largest >> zeros
        if divisor == 1:
            return x
        if largest < 2 * divisor:
            return g.compare("ule", g.literal(divisor, x.width), x)
        m, p = reciprocal(divisor, largest)
        bits = largest.bit_length()
        product = self._product(g.zext(g.slice(x, 0, bits), bits + 1), m)
        return g.slice(product, p, (largest // divisor).bit_length())

    def _signed(self, op, x, divisor):
        g, width = self.graph, x.width
        size = abs(divisor)
        low, high = g.bounds(x)
        if low >= 0 and size <= high:
            quotient = g.zext(self._quotient(g.slice(x, 0, high.bit_length()), size, high), width)
        else:
            quotient = self._towards_zero(x, size, max(high, -low))
        if op == "srem":
            if size == 1:
                return g.literal(0, width)
            bits = min(width, (size - 1).bit_length() + 1)
            return g.sext(self._rest(x, quotient, size, bits), width)
        return g.sub(g.literal(0, width), quotient) if divisor < 0 else quotient

    def _towards_zero(self, x, size, largest):
        g, width = self.graph, x.width
        negative = g.slice(x, width - 1, 1)
        if size & (size - 1) == 0:
            k = g.literal(size.bit_length() - 1, width)
            return g.sra(g.add(x, g.and_(g.sext(negative, width), g.literal(size - 1, width))), k)
        if largest < size:
            return g.literal(0, width)
        m, p = reciprocal(size, largest)
        product = self._product(g.slice(x, 0, min(width, largest.bit_length() + 1)), m)
        bits = min(width, (largest // size).bit_length() + 1)
        floor = g.slice(g.sext(product, max(product.width, p + bits)), p, bits)
        return g.sext(g.add(floor, g.zext(negative, bits)), width)

    def _rest(self, x, quotient, divisor, bits):
        """x - quotient * divisor in as many bits as it can have."""
        g = self.graph
        back = g.mul(g.slice(g.zext(quotient, max(bits, quotient.width)), 0, bits), g.literal(divisor, bits))
        return g.sub(g.slice(x, 0, bits), back)

    def _product(self, x, m):
        """Signed x times unsigned m, in full; wide ones digit by digit, each product as wide as a DSP's."""
        g, count = self.graph, m.bit_length()
        if x.width <= DIGITS[0] + 1 and count <= DIGITS[1]:
            width = x.width + count
            return g.mul(g.sext(x, width), g.literal(m, width))
        if count > DIGITS[1]:
            low = -(-count // DIGITS[1] // 2) * DIGITS[1]
            return self._joined(self._product(x, m & ((1 << low) - 1)), self._product(x, m >> low), low)
        low = -(-(x.width - 1) // DIGITS[0] // 2) * DIGITS[0]
        below, above = g.zext(g.slice(x, 0, low), low + 1), g.slice(x, low, x.width - low)
        return self._joined(self._product(below, m), self._product(above, m), low)

    def _joined(self, below, above, shift):
        """below + (above << shift) of signed numbers, added where they overlap only."""
        g = self.graph
        below = g.sext(below, max(below.width, shift + 1))
        width = max(below.width - shift, above.width) + 1
        total = g.add(g.sext(g.slice(below, shift, below.width - shift), width), g.sext(above, width))
        return g.concat(total, g.slice(below, 0, shift))
