"""The route's own form of a step: a graph of integer operations without control flow or memory.

Nodes are immutable and unique (equal operations are one node). Every constructor simplifies what the detour over
bytes and memory brings in: extensions that are cut again, words assembled from slices, masks and shifts by
constants, products wider than their operands. What is left is for XLS to optimise.
"""

from hls.open.evaluate import evaluate, signed


class Node:
    """An operation with a result of `width` bits. `attr`: literal value, slice start, or input name."""

    __slots__ = ("op", "width", "args", "attr", "id", "range")

    def __init__(self, op, width, args, attr, number):
        self.op, self.width, self.args, self.attr, self.id = op, width, args, attr, number
        self.range = None

    def __repr__(self):
        detail = "" if self.attr is None else f"[{self.attr}]"
        return f"{self.op}{detail}.{self.id}:{self.width}"


class Graph:
    """Factory of nodes; each method returns a simplified node of the width it names."""

    def __init__(self):
        self._nodes = {}

    def _make(self, op, width, args=(), attr=None):
        key = (op, width, tuple(a.id for a in args), attr)
        node = self._nodes.get(key)
        if node is None:
            if args and all(a.op == "literal" for a in args):
                return self.literal(evaluate(op, width, [a.attr for a in args], [a.width for a in args], attr), width)
            node = self._nodes[key] = Node(op, width, tuple(args), attr, len(self._nodes))
        return node

    # -- leaves

    def literal(self, value, width):
        return self._make("literal", width, (), value & ((1 << width) - 1))

    def input(self, name, width):
        return self._make("input", width, (), name)

    @property
    def true(self):
        return self.literal(1, 1)

    @property
    def false(self):
        return self.literal(0, 1)

    # -- wiring

    def slice(self, x, start, width):
        """Bits start .. start + width - 1."""
        if start == 0 and width == x.width:
            return x
        if x.op == "slice":
            return self.slice(x.args[0], x.attr + start, width)
        if x.op == "zext":
            inner = x.args[0]
            if start >= inner.width:
                return self.literal(0, width)
            if start + width <= inner.width:
                return self.slice(inner, start, width)
            return self.zext(self.slice(inner, start, inner.width - start), width)
        if x.op == "sext":
            inner = x.args[0]
            if start + width <= inner.width:
                return self.slice(inner, start, width)
            if start < inner.width:
                return self.sext(self.slice(inner, start, inner.width - start), width)
            return self.sext(self.slice(inner, inner.width - 1, 1), width)
        if x.op == "concat":
            parts, low = [], x.width
            for part in x.args:                                # highest first
                low -= part.width
                first, last = max(start, low), min(start + width, low + part.width)
                if first < last:
                    parts.append(self.slice(part, first - low, last - first))
            return self.concat(*parts)
        if x.op == "select" and (_wiring(x.args[1]) or _wiring(x.args[2])):
            c, a, b = x.args
            return self.select(c, self.slice(a, start, width), self.slice(b, start, width))
        if x.op in ("and", "or", "xor", "not") and any(_wiring(a) for a in x.args):
            cut = [self.slice(a, start, width) for a in x.args]
            return self.not_(cut[0]) if x.op == "not" else getattr(self, x.op + "_")(*cut)
        if start == 0 and x.op in ("add", "sub") and any(_wiring(a) for a in x.args):
            return getattr(self, x.op)(*(self.slice(a, 0, width) for a in x.args))
        return self._make("slice", width, (x,), start)

    def concat(self, *parts):
        """The first part in the highest bits."""
        flat = []
        for part in parts:
            flat.extend(part.args if part.op == "concat" else (part,))
        merged = []
        for part in flat:
            if merged:
                joined = self._join(merged[-1], part)
                if joined is not None:
                    merged[-1] = joined
                    continue
            merged.append(part)
        if len(merged) == 1:
            return merged[0]
        if merged[0].op == "literal" and merged[0].attr == 0:
            return self.zext(self.concat(*merged[1:]), sum(p.width for p in merged))
        return self._make("concat", sum(p.width for p in merged), merged)

    def _join(self, high, low):
        """One node for two neighbours of a concatenation, or None."""
        if high.op == low.op == "literal":
            return self.literal(high.attr << low.width | low.attr, high.width + low.width)
        if low.op in ("zext", "sext") and high.op == "literal" and high.attr == 0 and low.op == "zext":
            return self.zext(low.args[0], high.width + low.width)
        source, start = (low.args[0], low.attr) if low.op == "slice" else (low, 0)
        if high.op == "slice" and high.args[0] is source and high.attr == start + low.width:
            return self.slice(source, start, high.width + low.width)
        if high.op == low.op == "select" and high.args[0] is low.args[0]:
            return self.select(high.args[0], self.concat(high.args[1], low.args[1]), self.concat(high.args[2], low.args[2]))
        return None

    def zext(self, x, width):
        if width == x.width:
            return x
        if width < x.width:
            return self.slice(x, 0, width)
        if x.op == "zext":
            return self.zext(x.args[0], width)
        return self._make("zext", width, (x,))

    def sext(self, x, width):
        if width == x.width:
            return x
        if width < x.width:
            return self.slice(x, 0, width)
        if x.op == "sext":
            return self.sext(x.args[0], width)
        if x.op == "zext":
            return self.zext(x.args[0], width)
        return self._make("sext", width, (x,))

    # -- logic

    def not_(self, x):
        if x.op == "not":
            return x.args[0]
        if x.op in ("eq", "ne"):
            return self._make({"eq": "ne", "ne": "eq"}[x.op], 1, x.args)
        return self._make("not", x.width, (x,))

    def and_(self, a, b):
        if b.op == "literal":
            a, b = b, a
        if a.op == "literal":
            if b.width == 1:
                return b if a.attr else a
            masked = self._mask(b, a.attr)
            if masked is not None:
                return masked
        if a is b:
            return a
        if self._opposite(a, b):
            return self.literal(0, a.width)
        if a.width == 1 and (a.op == "and" and b in a.args or b.op == "and" and a in b.args):
            return a if a.op == "and" and b in a.args else b
        return self._commutative("and", a, b)

    def or_(self, a, b):
        if b.op == "literal":
            a, b = b, a
        if a.op == "literal" and a.attr in (0, (1 << a.width) - 1):
            return b if a.attr == 0 else a
        if a is b:
            return a
        if self._opposite(a, b):
            return self.literal(-1, a.width)
        if a.width == 1 and a.op == b.op == "and":          # (p and c) or (p and not c)
            for p, c in (a.args, a.args[::-1]):
                for q, d in (b.args, b.args[::-1]):
                    if p is q and self._opposite(c, d):
                        return p
        merged = self._disjoint(a, b) if a.width > 1 else None
        return merged if merged is not None else self._commutative("or", a, b)

    def xor_(self, a, b):
        if b.op == "literal":
            a, b = b, a
        if a.op == "literal" and a.attr in (0, (1 << a.width) - 1):
            return b if a.attr == 0 else self.not_(b)
        return self.literal(0, a.width) if a is b else self._commutative("xor", a, b)

    def _commutative(self, op, a, b):
        return self._make(op, a.width, (a, b) if a.id <= b.id else (b, a))

    def _opposite(self, a, b):
        return (a.op == "not" and a.args[0] is b) or (b.op == "not" and b.args[0] is a) or \
            ({a.op, b.op} == {"eq", "ne"} and a.args == b.args)

    def _mask(self, x, mask):
        """x & mask as wiring, if the mask has few runs of ones."""
        runs, low = [], 0
        while low < x.width:
            bit, high = mask >> low & 1, low
            while high < x.width and mask >> high & 1 == bit:
                high += 1
            runs.append((bit, low, high - low))
            low = high
        if len(runs) > 5:
            return None
        return self.concat(*(self.slice(x, low, n) if bit else self.literal(0, n) for bit, low, n in reversed(runs)))

    def _disjoint(self, a, b):
        """a | b as wiring, if everywhere at least one of them is known to be zero."""
        if not (_wiring(a) and _wiring(b)):
            return None
        parts, low = [], 0
        bounds = sorted(set(_bounds(a)) | set(_bounds(b)))
        for low, high in zip(bounds, bounds[1:]):
            p, q = self.slice(a, low, high - low), self.slice(b, low, high - low)
            if not (_zero(p) or _zero(q)):
                return None
            parts.append(q if _zero(p) else p)
        return self.concat(*reversed(parts))

    def select(self, c, a, b):
        """a if c else b."""
        if c.op == "literal":
            return a if c.attr else b
        if a is b:
            return a
        if c.op == "not":
            return self.select(c.args[0], b, a)
        if c.op == "ne" and c.width == 1:
            return self.select(self._make("eq", 1, c.args), b, a)
        if a.width == 1:
            if a.op == "literal":
                return self.or_(c, b) if a.attr else self.and_(self.not_(c), b)
            if b.op == "literal":
                return self.or_(self.not_(c), a) if b.attr else self.and_(c, a)
        if a.op == "select" and a.args[0] is c:
            a = a.args[1]
        if b.op == "select" and b.args[0] is c:
            b = b.args[2]
        for op in ("zext", "sext"):                          # extensions go behind the select
            narrow = [x.args[0].width if x.op == op else _literal_width(x, op) for x in (a, b)]
            if op in (a.op, b.op) and None not in narrow and max(narrow) < a.width:
                w = max(narrow)
                return getattr(self, op)(self.select(c, self.slice(a, 0, w), self.slice(b, 0, w)), a.width)
        return a if a is b else self._make("select", a.width, (c, a, b))

    def index(self, i, values):
        """values[i]; the last one if i is too large."""
        bits = max(1, (len(values) - 1).bit_length())
        if i.op == "literal":
            return values[min(i.attr, len(values) - 1)]
        if all(v is values[0] for v in values):
            return values[0]
        if i.width > bits and i.op == "zext" and i.args[0].width >= bits:
            i = i.args[0]
        return self._make("index", values[0].width, (i, *values))

    # -- arithmetic

    def add(self, a, b):
        if b.op == "literal":
            a, b = b, a
        if a.op == "literal" and a.attr == 0:
            return b
        return self._commutative("add", a, b)

    def add_as_is(self, a, b):
        """a + b that nobody may regroup (`accumulate.py`)."""
        return self._commutative("add_as_is", a, b)

    def again(self, node, args):
        """The same operation on other arguments."""
        return self._make(node.op, node.width, args, node.attr)

    def sub(self, a, b):
        if b.op == "literal":
            return a if b.attr == 0 else self.add(a, self.literal(-b.attr, b.width))
        return self.literal(0, a.width) if a is b else self._make("sub", a.width, (a, b))

    def mul(self, a, b):
        """Product modulo 2^width, multiplied with no more bits than the operands have."""
        width = a.width
        if _zero(a) or _zero(b):
            return self.literal(0, width)
        for x, y in ((a, b), (b, a)):
            zeros = _trailing_zeros(x)
            if zeros:                                        # LLVM scales operands up to cut the result again
                rest = width - zeros
                return self.concat(self.mul(self.slice(x, zeros, rest), self.slice(y, 0, rest)), self.literal(0, zeros))
        na, nb = (_signed_bits(*self.bounds(x)) for x in (a, b))
        a, b = self.slice(a, 0, na), self.slice(b, 0, nb)
        if a.id > b.id:
            a, b = b, a
        return self.sext(self._make("smul", min(width, na + nb), (a, b)), width)

    def shl(self, x, n):
        if n.op == "literal":
            k = min(n.attr, x.width)
            return self.literal(0, x.width) if k == x.width else \
                self.concat(self.slice(x, 0, x.width - k), self.literal(0, k)) if k else x
        return self._make("shl", x.width, (x, n))

    def shr(self, x, n):
        if n.op == "literal":
            k = min(n.attr, x.width)
            return self.literal(0, x.width) if k == x.width else self.zext(self.slice(x, k, x.width - k), x.width)
        return self._make("shr", x.width, (x, n))

    def sra(self, x, n):
        if n.op == "literal":
            k = min(n.attr, x.width - 1)
            return self.sext(self.slice(x, k, x.width - k), x.width)
        return self._make("sra", x.width, (x, n))

    def compare(self, op, a, b):
        """op: eq, ne, ult, ule, slt, sle."""
        if a is b:
            return self.literal(op in ("eq", "ule", "sle"), 1)
        if op in ("eq", "ne"):
            if a.op == "literal":
                a, b = b, a
            if a.width == 1 and b.op == "literal":
                return a if b.attr == (op == "eq") else self.not_(a)
            if b.op == "literal" and a.op in ("zext", "sext"):
                inner = a.args[0]
                short = self.slice(b, 0, inner.width)
                back = getattr(self, a.op)(short, a.width)
                return self.compare(op, inner, short) if back is b else self.literal(op == "ne", 1)
        elif a.op == b.op == "zext" or {a.op, b.op} == {"zext", "literal"}:
            width = max(x.args[0].width if x.op == "zext" else x.attr.bit_length() for x in (a, b))
            if width < a.width and (op[0] == "u" or not any(x.op == "literal" and x.attr >> (x.width - 1) for x in (a, b))):
                return self.compare("u" + op[1:], self.slice(a, 0, max(width, 1)), self.slice(b, 0, max(width, 1)))
        return self._make(op, 1, (a, b))

    def unary(self, op, x, width=None):
        """op: ctz, clz, reverse, popcount, xor_reduce."""
        return self._make(op, width or x.width, (x,))

    # -- what is known of a value

    def bounds(self, x):
        """Smallest and largest value of x as a signed number."""
        if x.range is None:
            full = (-(1 << (x.width - 1)), (1 << (x.width - 1)) - 1)
            result = full
            if x.op == "literal":
                result = (signed(x.attr, x.width),) * 2
            elif x.op == "zext":
                result = (0, (1 << x.args[0].width) - 1)
            elif x.op == "sext":
                result = self.bounds(x.args[0])
            elif x.op in ("add", "add_as_is", "sub", "smul", "select"):
                (al, ah), (bl, bh) = (self.bounds(a) for a in x.args[-2:])
                result = {"add": (al + bl, ah + bh), "add_as_is": (al + bl, ah + bh), "sub": (al - bh, ah - bl), "select": (min(al, bl), max(ah, bh)),
                          "smul": (min(al * bl, al * bh, ah * bl, ah * bh), max(al * bl, al * bh, ah * bl, ah * bh))}[x.op]
            if result[0] < full[0] or result[1] > full[1]:
                result = full
            x.range = result
        return x.range


def _wiring(x):
    return x.op in ("literal", "zext", "sext", "concat", "slice")


def _zero(x):
    return x.op == "literal" and x.attr == 0


def _bounds(x):
    """Bit positions at which a piece of wiring begins or ends."""
    if x.op == "zext":
        return [*_bounds(x.args[0]), x.width]
    if x.op != "concat":
        return [0, x.width]
    result, low = [0], 0
    for part in reversed(x.args):
        result += [low + p for p in _bounds(part)]
        low += part.width
    return result


def _trailing_zeros(x):
    if x.op in ("zext", "sext"):
        return _trailing_zeros(x.args[0])
    if x.op == "concat" and _zero(x.args[-1]):
        return x.args[-1].width
    return 0


def _literal_width(x, op):
    """Bits that a literal needs to be written as an extension, None if x is none."""
    if x.op != "literal":
        return None
    return max(1, x.attr.bit_length()) if op == "zext" else _signed_bits(*(signed(x.attr, x.width),) * 2)


def _signed_bits(low, high):
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length() if high > 0 else 0) + 1
