"""Selections, array reads and comparisons, simplified."""

from __future__ import annotations

from hls.open.dataflow.evaluate import signed
from hls.open.dataflow.logic import Logic
from hls.open.dataflow.nodes import Node
from hls.open.dataflow.rules import rule


def signed_bits(low: int, high: int) -> int:
    """Bits of the shortest two's complement number that holds all of low .. high."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1


class Choice(Logic):
    """Constructors of what chooses and what decides."""

    def select(self, c: Node, a: Node, b: Node) -> Node:
        """a if c else b."""
        return self.simpler("select", c, a, b) or self._make("select", a.width, (c, a, b))

    def index(self, i: Node, values: list[Node]) -> Node:
        """values[i]; the last one if i is too large."""
        return self.simpler("index", i, values) or self._make("index", values[0].width, (i, *values))

    def compare(self, op: str, a: Node, b: Node) -> Node:
        """op: eq, ne, ult, ule, slt, sle."""
        if op in ("eq", "ne") and a.op == "literal":
            a, b = b, a
        return self.simpler("compare", op, a, b) or self._make(op, 1, (a, b))


# -- select


@rule("select", lambda s: [(c, s.x("a"), s.x("b")) for c in s.literals(1)])
def select_literal(g, c, a, b) -> Node | None:
    return (a if c.attr else b) if c.op == "literal" else None


@rule("select", lambda s: [(s.bit(), s.x("a"), s.x("a"))])
def select_one(g, c, a, b) -> Node | None:
    return a if a is b else None


@rule("select", lambda s: [(s.graph.not_(s.bit()), s.x("a"), s.x("b"))])
def select_not(g, c, a, b) -> Node | None:
    return g.select(c.args[0], b, a) if c.op == "not" else None


@rule("select", lambda s: [(s.graph.compare("ne", s.x("p"), s.x("q")), s.x("a"), s.x("b"))])
def select_unequal(g, c, a, b) -> Node | None:
    return g.select(g._make("eq", 1, c.args), b, a) if c.op == "ne" else None


@rule("select", lambda s: [(s.bit(), literal, s.bit("b")) for literal in s.literals(1)])
def select_literal_bit(g, c, a, b) -> Node | None:
    if a.width == 1 and a.op == "literal":
        return g.or_(c, b) if a.attr else g.and_(g.not_(c), b)
    return None


@rule("select", lambda s: [(s.bit(), s.bit("a"), literal) for literal in s.literals(1)])
def select_bit_literal(g, c, a, b) -> Node | None:
    if b.width == 1 and b.op == "literal":
        return g.or_(g.not_(c), a) if b.attr else g.and_(c, a)
    return None


def _nested(s):
    inner = s.graph.select(s.bit(), s.x("a"), s.x("b"))
    yield s.bit(), inner, s.x("d")
    yield s.bit(), s.x("d"), inner
    yield s.bit(), inner, s.graph.select(s.bit(), s.x("d"), s.x("e"))


@rule("select", _nested)
def select_nested(g, c, a, b) -> Node | None:
    """What a selection by the same condition would not choose."""
    inner_a = a.args[1] if a.op == "select" and a.args[0] is c else a
    inner_b = b.args[2] if b.op == "select" and b.args[0] is c else b
    return None if inner_a is a and inner_b is b else g.select(c, inner_a, inner_b)


def _with_common_parts(s):
    """A word of which a part is replaced, and the word; two words that share a part."""
    g, whole = s.graph, s.x("x", s.width + 3)
    high, low = g.slice(whole, s.width + 1, 2), g.slice(whole, 0, 1)
    replaced = g.concat(high, s.x("y"), low)
    yield s.bit(), replaced, whole
    yield s.bit(), whole, replaced
    yield s.bit(), g.concat(s.x("a"), s.x("d", 2), low), g.concat(s.x("b"), s.x("d", 2), s.x("e", 1))


@rule("select", _with_common_parts)
def select_differing(g, c, a, b) -> Node | None:
    """Only of the parts in which two words differ."""
    if "concat" not in (a.op, b.op):
        return None
    cuts = sorted({0, a.width, *(end for x in (a, b) if x.op == "concat" for end in g.ends(x))})
    runs = []  # from the lowest bit: (whether both are one, start)
    for low, high in zip(cuts, cuts[1:]):
        one = g.slice(a, low, high - low) is g.slice(b, low, high - low)
        if not runs or runs[-1][0] != one:
            runs.append((one, low))
    if not any(one for one, _ in runs):
        return None
    parts, high = [], a.width
    for one, low in reversed(runs):
        p, q = g.slice(a, low, high - low), g.slice(b, low, high - low)
        parts.append(p if one else g.select(c, p, q))
        high = low
    return g.concat(*parts)


def _literal_width(x, op):
    """Bits that a literal needs to be written as an extension, None if x is none."""
    if x.op != "literal":
        return None
    return max(1, x.attr.bit_length()) if op == "zext" else signed_bits(*(signed(x.attr, x.width),) * 2)


def _extended(op):
    def shapes(s):
        extend = getattr(s.graph, op)
        yield s.bit(), extend(s.x("a"), s.width + 2), extend(s.x("b"), s.width + 2)
        yield s.bit(), extend(s.x("a"), s.width + 2), extend(s.x("b", s.width + 1), s.width + 2)
        for literal in s.literals(s.width + 2):
            yield s.bit(), extend(s.x("a"), s.width + 2), literal
            yield s.bit(), literal, extend(s.x("a"), s.width + 2)

    return shapes


def _select_narrow(g, op, c, a, b):
    """Extensions go behind the select."""
    if op not in (a.op, b.op):
        return None
    narrow = [x.args[0].width if x.op == op else _literal_width(x, op) for x in (a, b)]
    if None in narrow or max(narrow) >= a.width:
        return None
    return getattr(g, op)(g.select(c, g.slice(a, 0, max(narrow)), g.slice(b, 0, max(narrow))), a.width)


@rule("select", _extended("zext"))
def select_of_zext(g, c, a, b) -> Node | None:
    return _select_narrow(g, "zext", c, a, b)


@rule("select", _extended("sext"))
def select_of_sext(g, c, a, b) -> Node | None:
    return _select_narrow(g, "sext", c, a, b)


# -- index


def _values(s, count):
    return [s.x(name) for name in "abcdefghi"[:count]]


@rule("index", lambda s: [(i, _values(s, count)) for count in (2, 3, 5) for i in s.literals(3)])
def index_literal(g, i, values) -> Node | None:
    return values[min(i.attr, len(values) - 1)] if i.op == "literal" else None


@rule("index", lambda s: [(s.x("i", 3), [s.x("a")] * count) for count in (1, 3)])
def index_of_one(g, i, values) -> Node | None:
    return values[0] if all(v is values[0] for v in values) else None


@rule("index", lambda s: [(s.graph.zext(s.x("i", n), n + 3), _values(s, c)) for n, c in ((1, 2), (2, 3), (3, 5))])
def index_narrow(g, i, values) -> Node | None:
    bits = max(1, (len(values) - 1).bit_length())
    if i.width > bits and i.op == "zext" and i.args[0].width >= bits:
        return g.index(i.args[0], values)
    return None


# -- comparisons


COMPARISONS = ("eq", "ne", "ult", "ule", "slt", "sle")


@rule("compare", lambda s: [(op, s.x(), s.x()) for op in COMPARISONS])
def compare_one(g, op, a, b) -> Node | None:
    return g.literal(op in ("eq", "ule", "sle"), 1) if a is b else None


@rule("compare", lambda s: [(op, s.bit(), literal) for op in ("eq", "ne") for literal in s.literals(1)])
def bit_equals_literal(g, op, a, b) -> Node | None:
    if op in ("eq", "ne") and a.width == 1 and b.op == "literal":
        return a if b.attr == (op == "eq") else g.not_(a)
    return None


def _extension_and_literal(s):
    for extend in (s.graph.zext, s.graph.sext):
        for literal in s.literals(s.width + 2):
            for op in ("eq", "ne"):
                yield op, extend(s.x(), s.width + 2), literal


@rule("compare", _extension_and_literal)
def extension_equals_literal(g, op, a, b) -> Node | None:
    if op not in ("eq", "ne") or b.op != "literal" or a.op not in ("zext", "sext"):
        return None
    short = g.slice(b, 0, a.args[0].width)
    same = getattr(g, a.op)(short, a.width) is b
    return g.compare(op, a.args[0], short) if same else g.literal(op == "ne", 1)


def _unsigned(s):
    a, wide = s.graph.zext(s.x("a"), s.width + 2), s.width + 2
    for op in COMPARISONS[2:]:
        yield op, a, s.graph.zext(s.x("b"), wide)
        yield op, s.graph.zext(s.x("b", s.width + 1), wide), a
        for literal in s.literals(wide):
            yield op, a, literal
            yield op, literal, a


@rule("compare", _unsigned)
def unsigned_compare(g, op, a, b) -> Node | None:
    """Of numbers that are extended by zeros, fewer bits decide, and without a sign."""
    if op in ("eq", "ne") or not (a.op == b.op == "zext" or {a.op, b.op} == {"zext", "literal"}):
        return None
    width = max(x.args[0].width if x.op == "zext" else x.attr.bit_length() for x in (a, b))
    negative = any(x.op == "literal" and x.attr >> (x.width - 1) for x in (a, b))
    if width >= a.width or (op[0] == "s" and negative):
        return None
    return g.compare("u" + op[1:], g.slice(a, 0, max(width, 1)), g.slice(b, 0, max(width, 1)))
