"""What is known of the values of a step: between which numbers they lie, and bits that are always 0 or always 1.

Finer than `Graph.bounds`, which the constructors ask: that one is there as soon as a node is, and decides the form in
which the lowering sees sums and products. This is for finished steps (`narrow.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hls.open.dataflow.choice import signed_bits
from hls.open.dataflow.evaluate import signed

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node


class Known(NamedTuple):
    """Of one value: bounds of it as a signed number, and masks of the bits that are always 0 and always 1."""

    low: int
    high: int
    zero: int = 0
    one: int = 0

    @property
    def bits(self) -> int:
        """Bits that the value needs: those above are copies of the highest of them."""
        return signed_bits(self.low, self.high)


def known(order: list[Node], given: dict[Node, Known] | None = None) -> dict[Node, Known]:
    """Return what is known of every node.

    Parameters
    ----------
    order : list of Node
        Arguments before users (`topological`).
    given : dict, optional
        What is known of some of them.
    """
    found = dict(given or {})
    for node in order:
        if node not in found:
            found[node] = known_of(node, [found[a] for a in node.args])
    return found


def known_of(node: Node, args: list[Known]) -> Known:
    """Return what is known of a node, from what is known of its arguments."""
    full = -(1 << (node.width - 1)), (1 << (node.width - 1)) - 1
    ranges = [(a.low, a.high) for a in args]
    low, high = _RANGES[node.op](node, *ranges) if node.op in _RANGES else full
    if low < full[0] or high > full[1]:
        low, high = full
    zero, one = _bits_of(node, [(a.zero, a.one) for a in args])
    if node.op in _DECIDED:
        zero, one = _decided(node.op, *ranges, zero, one)
    more_zero, more_one = _common_bits(low, high, node.width)
    zero, one = zero | more_zero, one | more_one
    top = 1 << (node.width - 1)
    if zero & top:  # as a signed number, all that is not known to be 0 at the most
        low, high = max(low, one), min(high, top - 1 & ~zero)
    elif one & top:
        low, high = max(low, signed(one, node.width)), min(high, signed(~zero, node.width))
    return Known(low, high, zero, one)


_DECIDED = ("eq", "ne", "slt", "sle", "ult", "ule")


def _decided(op, a, b, zero, one):
    """The bit of a comparison, where bounds decide it."""
    if op in ("eq", "ne"):
        return ((0, 1) if op == "ne" else (1, 0)) if a[1] < b[0] or b[1] < a[0] else (zero, one)
    if op[0] == "u" and ((a[0] < 0) != (a[1] < 0) or (b[0] < 0) != (b[1] < 0) or (a[0] < 0) != (b[0] < 0)):
        return zero, one  # unsigned numbers of one sign are in the order of signed ones
    if a[1] < b[0] or (op[1:] == "le" and a[1] <= b[0]):
        return 0, 1
    if b[1] < a[0] or (op[1:] == "lt" and b[1] <= a[0]):
        return 1, 0
    return zero, one


def _common_bits(low, high, width):
    """The bits above those in which low and high differ, of both the same."""
    mask = (1 << width) - 1
    if (low < 0) != (high < 0):
        return 0, 0
    low, high = low & mask, high & mask
    same = mask & ~((1 << (low ^ high).bit_length()) - 1)
    return same & ~low, same & low


def _bits_of(node, args):
    mask = (1 << node.width) - 1
    op = node.op
    if op == "literal":
        return mask & ~node.attr, node.attr
    if op in _BITWISE:
        return _BITWISE[op](*args)
    if op in ("select", "index"):
        zero = one = mask
        for z, o in args[1:]:
            zero, one = zero & z, one & o
        return zero, one
    if op in ("add", "sub"):
        return _sum(args[0], args[1] if op == "add" else args[1][::-1], op == "sub", mask)
    if op == "slice":
        return tuple(m >> node.attr & mask for m in args[0])
    if op == "concat":
        zero = one = 0
        for a, (z, o) in zip(node.args, args):
            zero, one = zero << a.width | z, one << a.width | o
        return zero, one
    if op in ("zext", "sext"):
        (zero, one), inner = args[0], node.args[0].width
        above = mask & ~((1 << inner) - 1)
        top = 1 << (inner - 1)
        return zero | (above if op == "zext" or zero & top else 0), one | (above if op == "sext" and one & top else 0)
    if op == "smul":  # zeros at the end add up
        zeros = sum(_ones_from_0(zero & ((1 << a.width) - 1)) for a, (zero, _) in zip(node.args, args))
        return mask & ((1 << zeros) - 1), 0
    if op in ("eq", "ne"):
        (za, oa), (zb, ob) = args
        differ = za & ob | oa & zb
        return ((0, 1) if op == "ne" else (1, 0)) if differ else (0, 0)
    return 0, 0


def _ones_from_0(mask):
    """How many ones a mask has at its low end."""
    return (~mask & mask + 1).bit_length() - 1


def _sum(a, b, carry, mask):
    """Of a + b + carry: a bit is known where both bits are and the carry into it is."""
    (za, oa), (zb, ob) = a, b
    least, most = oa + ob + carry, (mask & ~za) + (mask & ~zb) + carry
    no_carry, has_carry = ~(most ^ za ^ zb), least ^ oa ^ ob
    known = (za | oa) & (zb | ob) & (no_carry | has_carry) & mask
    return known & ~most, known & least


_BITWISE = {
    "and": lambda a, b: (a[0] | b[0], a[1] & b[1]),
    "or": lambda a, b: (a[0] & b[0], a[1] | b[1]),
    "xor": lambda a, b: (a[0] & b[0] | a[1] & b[1], a[0] & b[1] | a[1] & b[0]),
    "not": lambda a: (a[1], a[0]),
}


# -- ranges


def _product(x, a, b):
    ends = [p * q for p in a for q in b]
    return min(ends), max(ends)


def _hull(x, _, *values):
    return min(low for low, _ in values), max(high for _, high in values)


def _and(x, a, b):
    """No larger than an argument that is not negative; otherwise as many bits as the wider one."""
    tops = [high for low, high in (a, b) if low >= 0]
    low, high = _bits(x, a, b)
    return (0, min(tops)) if tops else (low, high)


def _bits(x, *args):
    """What can be written with the bits of the widest argument, without a sign if none has one."""
    bits = signed_bits(min(low for low, _ in args), max(high for _, high in args)) - 1
    return (0 if min(low for low, _ in args) >= 0 else -(1 << bits)), (1 << bits) - 1


def _slice(x, a):
    (low, high), whole = a, x.args[0].width
    if x.attr + x.width == whole:  # of the highest bits
        return low >> x.attr, high >> x.attr
    if low >= 0:
        return low >> x.attr, high >> x.attr
    return (low, high) if x.attr == 0 else (-(1 << whole), 1 << whole)


def _concat(x, first, *rest):
    below = x.width - x.args[0].width
    if len(rest) == 1 and x.args[1].op == "literal":
        return (first[0] << below) + x.args[1].attr, (first[1] << below) + x.args[1].attr
    return first[0] << below, (first[1] << below) + (1 << below) - 1


# Operation -> bounds of its result, from those of its arguments; what is beyond its width is no bound.
_RANGES = {
    "literal": lambda x: (signed(x.attr, x.width),) * 2,
    "zext": lambda x, a: a if a[0] >= 0 else (0, (1 << x.args[0].width) - 1),
    "sext": lambda x, a: a,
    "add": lambda x, a, b: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda x, a, b: (a[0] - b[1], a[1] - b[0]),
    "smul": _product,
    "select": _hull,
    "index": _hull,
    "not": lambda x, a: (~a[1], ~a[0]),
    "and": _and,
    "or": _bits,
    "xor": _bits,
    "slice": _slice,
    "concat": _concat,
    "shr": lambda x, a, n: (0, a[1]) if a[0] >= 0 else (-(1 << x.width), 0),
    "sra": lambda x, a, n: (min(a[0], 0), max(a[1], -1)),
    "ctz": lambda x, a: (0, x.args[0].width),
    "clz": lambda x, a: (0, x.args[0].width),
}
