"""Sums, products and shifts, simplified: shifts by constants are wires, products no wider than their operands."""

from __future__ import annotations

from collections.abc import Iterator

from hls.open.dataflow.choice import Choice, signed_bits
from hls.open.dataflow.logic import same
from hls.open.dataflow.nodes import Node
from hls.open.dataflow.rules import Shapes, rule
from hls.open.dataflow.wiring import is_zero

ADDERS = 2  # in place of a multiplier: a DSP and the way to it and back, against a LUT per bit and adder


class Arithmetic(Choice):
    """Constructors of arithmetic."""

    def add(self, a: Node, b: Node) -> Node:
        if b.op == "literal":
            a, b = b, a
        return self.simpler("add", a, b) or self._commutative("add", a, b)

    def sub(self, a: Node, b: Node) -> Node:
        return self.simpler("sub", a, b) or self._make("sub", a.width, (a, b))

    def mul(self, a: Node, b: Node) -> Node:
        """Product modulo 2^width, multiplied with no more bits than the operands have."""
        return self.simpler("mul", a, b)  # the last of its rules always has an answer

    def shl(self, x: Node, n: Node) -> Node:
        return self.simpler("shl", x, n) or self._make("shl", x.width, (x, n))

    def shr(self, x: Node, n: Node) -> Node:
        return self.simpler("shr", x, n) or self._make("shr", x.width, (x, n))

    def sra(self, x: Node, n: Node) -> Node:
        return self.simpler("sra", x, n) or self._make("sra", x.width, (x, n))

    def unary(self, op: str, x: Node, width: int | None = None) -> Node:
        """op: ctz, clz, reverse."""
        return self._make(op, width or x.width, (x,))

    def sum(self, a: Node, b: Node) -> Node:
        """a + b, added with no more bits than the sum can have."""
        return self.simpler("sum", a, b) or self.add(a, b)

    def total(self, a: Node, b: Node) -> Node:
        """a + b as of `sum`, above the bits that one of them leaves as they are."""
        return self.simpler("total", a, b) or self.sum(a, b)

    def difference(self, a: Node, b: Node) -> Node:
        """a - b, as of `total`."""
        return self.simpler("difference", a, b) or self.sub(a, b)

    def scale(self, a: Node, b: Node) -> Node:
        """Product as of `mul`, by shifts and at most ADDERS sums where one factor is a literal that has few digits.

        That is for what no longer looks at the form of a product: a sum hides its factor.
        """
        return self.simpler("scale", a, b) or self.mul(a, b)


# -- sums


def _zeros(s):
    zero = s.graph.literal(0, s.width)
    return [(s.x(), zero), (zero, s.x())]


@rule("add", _zeros)
def add_zero(g, a, b) -> Node | None:
    return b if is_zero(a) else None


@rule("sub", lambda s: [(s.x(), literal) for literal in s.literals()])
def sub_literal(g, a, b) -> Node | None:
    return g.add(a, g.literal(-b.attr, b.width)) if b.op == "literal" else None


@rule("sub", same)
def sub_of_one(g, a, b) -> Node | None:
    return g.literal(0, a.width) if a is b else None


def narrow_pairs(s: Shapes) -> Iterator[tuple]:
    """Pairs of values that need fewer bits than they have."""
    g, wide = s.graph, s.width + 3
    some = [g.sext(s.x("a"), wide), g.zext(s.x("b"), wide), g.sext(s.x("d", s.width + 1), wide)]
    some.append(g.select(s.bit(), g.zext(s.x("b"), wide), g.literal(-2, wide)))
    for a in some:
        yield from ((a, b) for b in some)
        for literal in s.literals(wide):
            yield a, literal
            yield literal, a


@rule("sum", narrow_pairs)
def sum_narrow(g, a, b) -> Node | None:
    (al, ah), (bl, bh) = g.bounds(a), g.bounds(b)
    width = signed_bits(al + bl, ah + bh)
    return g.sext(g.add(g.slice(a, 0, width), g.slice(b, 0, width)), a.width) if width < a.width else None


@rule("difference", narrow_pairs)
def difference_narrow(g, a, b) -> Node | None:
    (al, ah), (bl, bh) = g.bounds(a), g.bounds(b)
    width = signed_bits(al - bh, ah - bl)
    return g.sext(g.difference(g.slice(a, 0, width), g.slice(b, 0, width)), a.width) if width < a.width else None


def _scaled_second(s):
    for zeros in {1, 2, s.width}:
        b = s.graph.concat(s.x("b"), s.graph.literal(0, zeros))
        yield s.x("a", b.width), b
        yield s.graph.sext(s.x("a", 1), b.width), b


@rule("total", _scaled_second, lambda s: [(b, a) for a, b in _scaled_second(s)])
def total_above(g, a, b) -> Node | None:
    """What is added to zeros at the end stays as it is."""
    a, b = (a, b) if _trailing_zeros(b) else (b, a)
    k = _trailing_zeros(b)
    rest = a.width - k
    return g.concat(g.total(g.slice(a, k, rest), g.slice(b, k, rest)), g.slice(a, 0, k)) if k else None


@rule("difference", _scaled_second)
def difference_above(g, a, b) -> Node | None:
    k = _trailing_zeros(b)
    rest = a.width - k
    return g.concat(g.difference(g.slice(a, k, rest), g.slice(b, k, rest)), g.slice(a, 0, k)) if k else None


# -- products


@rule("mul", _zeros)
def mul_zero(g, a, b) -> Node | None:
    return g.literal(0, a.width) if is_zero(a) or is_zero(b) else None


def _trailing_zeros(x):
    while x.op in ("zext", "sext"):
        x = x.args[0]
    return x.args[-1].width if x.op == "concat" and is_zero(x.args[-1]) else 0


def _scaled(s):
    g = s.graph
    for zeros in {1, 2, max(1, s.width - 1)}:
        x = g.concat(s.x("a"), g.literal(0, zeros))
        yield x, s.x("b", x.width)
        yield s.x("b", x.width), x
        yield g.sext(x, x.width + 2), g.zext(s.x("b"), x.width + 2)


@rule("mul", _scaled)
def mul_scaled(g, a, b) -> Node | None:
    """LLVM scales operands up to cut the result again."""
    for x, y in ((a, b), (b, a)):
        zeros = _trailing_zeros(x)
        if zeros:
            rest = a.width - zeros
            return g.concat(g.mul(g.slice(x, zeros, rest), g.slice(y, 0, rest)), g.literal(0, zeros))
    return None


@rule("mul", narrow_pairs, lambda s: [(s.x("a"), s.x("b"))])
def mul_narrow(g, a, b) -> Node | None:
    width = a.width
    na, nb = (signed_bits(*g.bounds(x)) for x in (a, b))
    a, b = g.slice(a, 0, na), g.slice(b, 0, nb)
    if a.id > b.id:
        a, b = b, a
    return g.sext(g._make("smul", min(width, na + nb), (a, b)), width)


def digits(number: int) -> list[tuple[int, int]]:
    """A number as the fewest powers of two to add and subtract: (shift, 1 or -1), the canonical signed digits."""
    found, shift = [], 0
    while number:
        if number & 1:
            digit = 2 - (number & 3)  # 1, or -1 where two ones begin
            found.append((shift, digit))
            number -= digit
        number >>= 1
        shift += 1
    return found


def _by_constants(s):
    wide = s.width + 4
    for literal in s.literals(wide):
        yield s.graph.sext(s.x(), wide), literal
        yield literal, s.graph.zext(s.x(), wide)
        yield s.x("y", wide), literal


@rule("scale", _by_constants)
def scale_by_digits(g, a, b) -> Node | None:
    """Shifts and sums for a product, where ADDERS of them do: cheaper than a DSP, and without its registers."""
    if a.op == "literal":
        a, b = b, a
    if a.op == "literal" or b.op != "literal":
        return None
    terms = digits(g.bounds(b)[0])
    plus, minus = ([shift for shift, digit in terms if digit == sign] for sign in (1, -1))
    if len(plus or [0]) + len(minus) - 1 > ADDERS:
        return None

    def shifted(k):
        return g.shl(a, g.literal(k, a.width.bit_length() + 1))

    total = shifted(plus[0]) if plus else g.literal(0, a.width)
    for k in plus[1:]:
        total = g.total(total, shifted(k))
    for k in minus:
        total = g.difference(total, shifted(k))
    return total


# -- shifts


def _by_literals(s):
    for n in s.literals(s.width.bit_length() + 1):
        yield s.x(), n


@rule("shl", _by_literals)
def shl_literal(g, x, n) -> Node | None:
    if n.op != "literal":
        return None
    k = min(n.attr, x.width)
    if k in (0, x.width):
        return g.literal(0, k) if k else x
    return g.concat(g.slice(x, 0, x.width - k), g.literal(0, k))


@rule("shr", _by_literals)
def shr_literal(g, x, n) -> Node | None:
    if n.op != "literal":
        return None
    k = min(n.attr, x.width)
    return g.literal(0, k) if k == x.width else g.zext(g.slice(x, k, x.width - k), x.width)


@rule("sra", _by_literals)
def sra_literal(g, x, n) -> Node | None:
    if n.op != "literal":
        return None
    k = min(n.attr, x.width - 1)
    return g.sext(g.slice(x, k, x.width - k), x.width)
