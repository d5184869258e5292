"""Slices, concatenations and extensions: wires, which simplify until they are as direct as in the C++."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate

from hls.open.dataflow.nodes import Node, Nodes


def is_wiring(x: Node) -> bool:
    return x.op in ("literal", "zext", "sext", "concat", "slice")


def is_zero(x: Node) -> bool:
    return x.op == "literal" and x.attr == 0


class Wiring(Nodes):
    """Constructors of wires."""

    def slice(self, x: Node, start: int, width: int) -> Node:
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
            return self._cut_concat(x, start, width)
        direct = self._through(x, start, width)
        return direct if direct is not None else self._make("slice", width, (x,), start)

    def _cut_concat(self, x, start, width):
        ends = self._ends.get(x)  # of the parts, counted from the highest bit
        if ends is None:
            ends = self._ends[x] = list(accumulate(part.width for part in x.args))
        high, low = x.width - start - width, x.width - start  # likewise
        first, last = bisect_right(ends, high), bisect_left(ends, low)
        parts = []
        for i in range(first, last + 1):
            part = x.args[i]
            top, bottom = max(high, ends[i] - part.width), min(low, ends[i])
            parts.append(self.slice(part, ends[i] - bottom, bottom - top))
        return self.concat(*parts)

    def _through(self, x, start, width):
        """The slice of an operation without the operation, if its slices of wiring make it vanish, or None.

        Looks at one operation only. A slice that moves further in would leave a second, narrower copy of what it
        passes, a copy for every place of a slice; what nobody needs the bits of is made narrower by `narrow.py`.
        """
        if x.op not in ("select", "and", "or", "xor") or self._cutting or not any(is_wiring(a) for a in x.args):
            return None
        before, self._cutting = len(self._nodes), True
        if x.op == "select":
            c, a, b = x.args
            cut = self.select(c, self.slice(a, start, width), self.slice(b, start, width))
        else:
            cut = getattr(self, x.op + "_")(*(self.slice(a, start, width) for a in x.args))
        self._cutting = False
        return cut if is_wiring(cut) or cut.id < before else None

    def concat(self, *parts: Node) -> Node:
        """The first part in the highest bits."""
        merged = []
        for part in parts:
            pieces = part.args if part.op == "concat" else (part,)
            joined = self._join(merged[-1], pieces[0]) if merged else None
            if joined is not None:  # what comes behind it did not join its neighbour before, and does not now
                merged[-1:] = joined.args if joined.op == "concat" else (joined,)
                pieces = pieces[1:]
            merged.extend(pieces)
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
            return self.select(
                high.args[0], self.concat(high.args[1], low.args[1]), self.concat(high.args[2], low.args[2])
            )
        return None

    def zext(self, x: Node, width: int) -> Node:
        if width == x.width:
            return x
        if width < x.width:
            return self.slice(x, 0, width)
        if x.op == "zext":
            return self.zext(x.args[0], width)
        return self._make("zext", width, (x,))

    def sext(self, x: Node, width: int) -> Node:
        if width == x.width:
            return x
        if width < x.width:
            return self.slice(x, 0, width)
        if x.op == "sext":
            return self.sext(x.args[0], width)
        if x.op == "zext":
            return self.zext(x.args[0], width)
        return self._make("sext", width, (x,))
