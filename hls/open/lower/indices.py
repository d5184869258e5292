"""Arithmetic on offsets that LLVM made of subscripts, taken apart again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hls.open.lower.offsets import MOST_CHOICES, Linear, alternatives, apply, choose
from hls.open.lower.operands import Operands

if TYPE_CHECKING:
    from hls.open.lower.offsets import Choice
    from hls.open.read.llvm_text import Instruction

MOST_DEPTH = 24  # of arithmetic on indices: what is deeper is data


class Indices(Operands):
    """Finds sums of indices behind operands."""

    _depth = 0

    def _linear_of(self, defined: tuple[Instruction, str]) -> Linear | Choice | None:
        """Return the result of an instruction as a sum in which an array bounds a part, or a choice; None otherwise."""
        instruction, block = defined
        method = getattr(self, f"_linear_{instruction.op}", None)
        if method is None or self._depth > MOST_DEPTH:
            return None
        self._depth += 1
        try:
            result = method(instruction, block)
        finally:
            self._depth -= 1
        found = alternatives(result) if result is not None else []
        if not found or len(found) > MOST_CHOICES or not (len(found) > 1 or any(x.bounded for x in found)):
            return None
        width = int(instruction.type[1:])
        fits = all(-(1 << (width - 1)) <= low and high < 1 << (width - 1) for low, high in (x.ends for x in found))
        return result if fits else None

    def _two(self, i, change):
        a, b = (self.linear(text, i.type) for text in i.operands)
        if len(alternatives(a)) * len(alternatives(b)) > MOST_CHOICES:
            return None
        return apply(change, a, b)

    def _linear_add(self, i, _):
        return self._two(i, lambda a, b: a.plus(b))

    def _linear_or(self, i, _):
        return self._linear_add(i, _) if "disjoint" in i.extra["flags"] else None

    def _linear_sub(self, i, _):
        return self._two(i, lambda a, b: a.plus(b.times(-1)))

    def _linear_mul(self, i, _):
        factor = self._constant(i)
        return None if factor is None else apply(lambda a: a.times(factor), self.linear(i.operands[0], i.type))

    def _linear_shl(self, i, _):
        bits = self._constant(i)
        if bits is None or not 0 <= bits < int(i.type[1:]):
            return None
        return apply(lambda a: a.times(1 << bits), self.linear(i.operands[0], i.type))

    def _constant(self, i):
        text = i.operands[1]
        return int(text) if text.lstrip("-").isdigit() else None

    def _linear_sext(self, i, _):
        return self.linear(i.operands[0], i.extra["from"]) if i.extra["from"] != "i1" else None

    _linear_trunc = _linear_sext  # if it fits

    def _linear_zext(self, i, _):
        inner = self._linear_sext(i, _)
        return inner if inner is not None and all(x.ends[0] >= 0 for x in alternatives(inner)) else None

    def _linear_freeze(self, i, _):
        return self.linear(i.operands[0], i.type)

    def _linear_select(self, i, _):
        condition = self.operand(i.operands[0], "i1")
        return choose(self.graph, condition, *(self.linear(text, i.type) for text in i.operands[1:]))

    def _linear_phi(self, i, block):
        by_block = dict(zip(i.extra["from"], i.operands))
        values = [self.linear(by_block[p], i.type) for p, _ in self.low.control.edges[block]]
        return self.low.control.merge(block, values, partial(choose, self.graph))
