"""Slices, concatenations and extensions: wires, which simplify until they are as direct as in the C++."""

from __future__ import annotations

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
            parts, low = [], x.width
            for part in x.args:  # highest first
                low -= part.width
                first, last = max(start, low), min(start + width, low + part.width)
                if first < last:
                    parts.append(self.slice(part, first - low, last - first))
            return self.concat(*parts)
        if x.op == "select" and (is_wiring(x.args[1]) or is_wiring(x.args[2])):
            c, a, b = x.args
            return self.select(c, self.slice(a, start, width), self.slice(b, start, width))
        if x.op in ("and", "or", "xor", "not") and any(is_wiring(a) for a in x.args):
            cut = [self.slice(a, start, width) for a in x.args]
            return self.not_(cut[0]) if x.op == "not" else getattr(self, x.op + "_")(*cut)
        if start == 0 and x.op in ("add", "sub") and any(is_wiring(a) for a in x.args):
            return getattr(self, x.op)(*(self.slice(a, 0, width) for a in x.args))
        return self._make("slice", width, (x,), start)

    def concat(self, *parts: Node) -> Node:
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
