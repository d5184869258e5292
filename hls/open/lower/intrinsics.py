"""Calls: accesses to streams and RAMs, copies of memory, and LLVM's integer intrinsics."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.lower.memory import Address, Condition
from hls.open.lower.offsets import Choice, within
from hls.open.lower.operands import Stream
from hls.open.read.bounds import WITHIN
from hls.open.read.names import refused_call

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.lower.instructions import Instructions
    from hls.open.read.llvm_text import Instruction


class Intrinsics:
    """Lowers calls for an `Instructions`."""

    def __init__(self, instructions: Instructions) -> None:
        self.at, self.graph = instructions, instructions.graph

    def call(self, i: Instruction) -> Node | None:
        name = i.extra["callee"]
        if name.startswith(WITHIN):
            return self._within(i, int(name.removeprefix(WITHIN)))
        access = getattr(self, "_" + name, None) if name.startswith("hls_open_") else None
        if access:
            return access(i)
        match = re.fullmatch(r"llvm\.([a-z]+(?:\.[a-z]+)*)\.(?:p0|i\d+)(?:\.(?:p0|i\d+))*", name)
        method = getattr(self, "_" + match.group(1).replace(".", "_"), None) if match else None
        if method is None:
            raise Refused(refused_call(name, self.at.low.module.functions))
        return method(i)

    def _arguments(self, i):
        return [self.at.operand(o, k) for o, k in zip(i.operands, i.extra["types"])]

    # -- streams and RAMs

    def _stream(self, i):
        stream = self.at.operand(i.operands[0], "ptr")
        if self.at.low.joins:
            raise Refused(
                "a top that reads or writes a stream itself: do that in a kernel, and call hls_open::run for it"
            )
        if not isinstance(stream, Stream):
            raise Refused("an access to a stream that is no parameter of step: pass it to step")
        return stream

    def _unpack(self, layout, data, address):
        """Write packed data to memory, each scalar where it lies."""
        low = 0
        for cell in layout.cells:
            part = self.graph.slice(data, low, cell.width)
            extend = self.graph.sext if cell.signed else self.graph.zext
            self.at.store(address.plus(cell.offset), extend(part, 8 * cell.size))
            low += cell.width

    def _pack(self, layout, address):
        parts = [
            self.graph.slice(self.at.load(address.plus(cell.offset), cell.size), 0, cell.width) for cell in layout.cells
        ]
        return self.graph.concat(*reversed(parts))

    def _note(self, i, kind, name, width, **what):
        return self.at.low.access(kind, name, self.at.block, self.at.low.where(i), width, site=i.debug, **what)

    def _hls_open_stream_read(self, i):
        stream = self._stream(i)
        self._unpack(
            stream.layout, self._note(i, "in", stream.name, stream.layout.width), self.at.operand(i.operands[1], "ptr")
        )

    def _hls_open_stream_write(self, i):
        stream = self._stream(i)
        self._note(
            i,
            "out",
            stream.name,
            stream.layout.width,
            data=self._pack(stream.layout, self.at.operand(i.operands[1], "ptr")),
        )

    def _hls_open_stream_empty(self, i, name="empty()"):
        raise Refused(
            f"{name} in a step: a step waits for its inputs and never asks; decide from the state whether to read"
        )

    def _hls_open_stream_read_nb(self, i):
        self._hls_open_stream_empty(i, "read_nb()")

    def _hls_open_stream_size(self, i):
        self._hls_open_stream_empty(i, "size()")

    def _hls_open_stream_full(self, i, name="full()", instead=""):
        raise Refused(f"{name} in a step: there is always room behind a step{instead}")

    def _hls_open_stream_write_nb(self, i):
        self._hls_open_stream_full(i, "write_nb()", "; use write()")

    def _within(self, i, count):
        """An index of an array of `count` elements (`read/bounds.py`)."""
        index = self.at.operand(i.operands[0], "i64")
        self.at.linears[i.name] = within(self.graph, index, count)
        bits = max(1, (count - 1).bit_length())
        return self.graph.zext(self.graph.slice(index, 0, bits), index.width)

    def _part(self, i):
        """A stream or process of a dataflow."""
        if not self.at.low.joins:
            raise Refused("a stream or process that is declared in a step: streams are parameters of step")
        return self.at.low

    def _hls_open_stream(self, i):
        self._part(i).note_stream(i)

    def _hls_open_process(self, i):
        self._part(i).note_process(i)

    def _hls_open_process_stream(self, i):
        self._part(i).note_process_stream(i)

    def _rams(self, i):
        """Return (ram, condition) of all that an access may mean: LLVM makes one of accesses in several ifs."""
        found, stack = [], [(self.at.operand(i.operands[0], "ptr"), None)]
        while stack:
            place, condition = stack.pop()
            if not isinstance(place, Choice):
                found.append((self._ram(place), condition))
                continue
            for side, here in ((place.b, self.graph.not_(place.condition)), (place.a, place.condition)):
                stack.append((side, here if condition is None else self.graph.and_(condition, here)))
        words = [[(c.offset, c.size, c.width, c.signed) for c in ram.word.cells] for ram, _ in found]
        if any(word != words[0] for word in words):
            raise Refused("one access to rams of several types: read or write each in a statement of its own")
        return found

    def _ram(self, place):
        if not isinstance(place, Address) or place.memory is not self.at.low.this:
            raise Refused("a ram that is no member of the kernel: make it one")
        if place.terms:
            raise Refused(
                "an array of rams with a computed index: unroll the loop over it, or compare the index in an if"
            )
        for ram in self.at.low.layout.rams:
            if ram.offset == place.offset:
                return ram
        raise Refused("a ram access whose ram can't be found")

    def _address(self, i, ram, condition):
        bits, address = max(1, (ram.depth - 1).bit_length()), self.at.operand(i.operands[1], i.extra["types"][1])
        inside = self.graph.compare("ult", address, self.graph.literal(ram.depth, address.width))
        if not 0 <= self.graph.bounds(address)[0] <= self.graph.bounds(address)[1] < ram.depth:
            what = f"an address beyond the {ram.depth} words of ram '{ram.name}'"
            if condition is not None:
                inside = self.graph.or_(self.graph.not_(condition), inside)
            self.at.low.check(self.at.block, Condition(inside, what), self.at.low.where(i))
        return self.graph.slice(address, 0, bits)

    def _hls_open_ram_read(self, i):
        data = None
        for ram, condition in self._rams(i):
            word = self._word(i, ram, condition)
            data = word if data is None else self.graph.select(condition, word, data)
        self._unpack(ram.word, data, self.at.operand(i.operands[2], "ptr"))

    def _word(self, i, ram, condition):
        """What is read from a ram."""
        control, address = self.at.low.control, self._address(i, ram, condition)
        before = [a for a in self.at.low.accesses if (a.kind, a.name) == ("write", ram.name)]
        what = {"address": address, "depth": ram.depth, "condition": condition}
        data = self._note(i, "read", ram.name, ram.word.width, **what)
        for write in before:  # of the same step: the RAM has not got it yet
            if control.reaches(write.block, self.at.block):
                hit = self.graph.compare("eq", address, write.address)
                if write.chosen or not control.dominates(write.block, self.at.block):
                    hit = self.graph.and_(write.predicate, hit)
                if ram.name in self.at.low.independent:
                    what = f"'{ram.name}' is not independent: a word is read in the step that wrote it"
                    held = self.graph.not_(hit if condition is None else self.graph.and_(condition, hit))
                    self.at.low.check(self.at.block, Condition(held, what), self.at.low.where(i))
                else:
                    data = self.graph.select(hit, write.data, data)
        return data

    def _hls_open_ram_write(self, i):
        for ram, condition in self._rams(i):
            data = self._pack(ram.word, self.at.operand(i.operands[2], "ptr"))
            what = {"address": self._address(i, ram, condition), "depth": ram.depth, "condition": condition}
            self._note(i, "write", ram.name, ram.word.width, data=data, **what)

    def _hls_open_ram_independent(self, i):
        self.at.low.independent.add(self._ram(self.at.operand(i.operands[0], "ptr")).name)

    # -- copies

    def _memcpy(self, i):
        to, source, size = (self.at.operand(o, k) for o, k in zip(i.operands[:3], i.extra["types"]))
        if size.op != "literal":
            raise Refused("a copy whose size is computed: copy arrays of a constant size")
        self.at.store(to, self.at.load(source, size.attr))

    _memmove = _memcpy

    def _memset(self, i):
        to, byte, size = (self.at.operand(o, k) for o, k in zip(i.operands[:3], i.extra["types"]))
        if size.op != "literal":
            raise Refused("an array cleared over a computed size: use constant bounds")
        self.at.store(to, self.graph.concat(*[byte] * size.attr))

    # -- integers

    def _minmax(self, i, op, larger):
        a, b = self._arguments(i)
        return self.graph.select(self.graph.compare(op, b, a) if larger else self.graph.compare(op, a, b), a, b)

    def _umin(self, i):
        return self._minmax(i, "ult", False)

    def _umax(self, i):
        return self._minmax(i, "ult", True)

    def _smin(self, i):
        return self._minmax(i, "slt", False)

    def _smax(self, i):
        return self._minmax(i, "slt", True)

    def _abs(self, i):
        a = self._arguments(i)[0]
        return self.graph.select(
            self.graph.slice(a, a.width - 1, 1), self.graph.sub(self.graph.literal(0, a.width), a), a
        )

    def _fshl(self, i):
        return self._funnel(i, left=True)

    def _fshr(self, i):
        return self._funnel(i, left=False)

    def _funnel(self, i, left):
        high, low, n = self._arguments(i)
        g, w = self.graph, high.width
        both = g.concat(high, low)
        if n.op == "literal" or w == 1:
            k = n.attr % w if w > 1 else 0
            return g.slice(both, w - k if left else k, w)
        n = self.at.divider.divide("urem", n, g.literal(w, w)) if w & (w - 1) else n
        k = g.zext(g.slice(n, 0, (w - 1).bit_length()), 2 * w)
        return g.slice(g.shl(both, k), w, w) if left else g.slice(g.shr(both, k), 0, w)

    def _bswap(self, i):
        a = self._arguments(i)[0]
        return self.graph.concat(*(self.graph.slice(a, k, 8) for k in range(0, a.width, 8)))

    def _bitreverse(self, i):
        a = self._arguments(i)[0]
        return self.graph.concat(*(self.graph.slice(a, k, 1) for k in range(a.width)))

    def _ctpop(self, i):
        a = self._arguments(i)[0]
        terms = [self.graph.slice(a, k, 1) for k in range(a.width)]
        while len(terms) > 1:  # a tree of ever wider sums
            width = terms[0].width + 1
            pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
            terms = [
                self.graph.add(*(self.graph.zext(t, width) for t in p)) if len(p) == 2 else self.graph.zext(p[0], width)
                for p in pairs
            ]
        return self.graph.zext(terms[0], a.width)

    def _cttz(self, i):
        a = self._arguments(i)[0]
        return self.graph.unary("ctz", a)

    def _ctlz(self, i):
        a = self._arguments(i)[0]
        return self.graph.unary("clz", a)

    def _checked(self, i, op, extend, more):
        """Return (result, whether it doesn't fit), computed with `more` bits than LLVM's type has."""
        a, b = self._arguments(i)
        g, w = self.graph, a.width
        wide = op(extend(a, w + more), extend(b, w + more))
        result = g.slice(wide, 0, w)
        return [result, g.compare("ne", extend(result, w + more), wide)]

    def _uadd_with_overflow(self, i):
        return self._checked(i, self.graph.add, self.graph.zext, 1)

    def _usub_with_overflow(self, i):
        return self._checked(i, self.graph.sub, self.graph.zext, 1)

    def _sadd_with_overflow(self, i):
        return self._checked(i, self.graph.add, self.graph.sext, 1)

    def _ssub_with_overflow(self, i):
        return self._checked(i, self.graph.sub, self.graph.sext, 1)

    def _umul_with_overflow(self, i):
        return self._checked(i, self.graph.mul, self.graph.zext, int(i.extra["types"][0][1:]))

    def _smul_with_overflow(self, i):
        return self._checked(i, self.graph.mul, self.graph.sext, int(i.extra["types"][0][1:]))

    def _usub_sat(self, i):
        result, over = self._usub_with_overflow(i)
        return self.graph.select(over, self.graph.literal(0, result.width), result)

    def _uadd_sat(self, i):
        result, over = self._uadd_with_overflow(i)
        return self.graph.select(over, self.graph.literal(-1, result.width), result)

    def _sadd_sat(self, i):
        result, over = self._sadd_with_overflow(i)
        return self.graph.select(over, self._limit(self.graph.slice(result, result.width - 1, 1), result.width), result)

    def _ssub_sat(self, i):
        result, over = self._ssub_with_overflow(i)
        return self.graph.select(over, self._limit(self.graph.slice(result, result.width - 1, 1), result.width), result)

    def _limit(self, positive, width):
        """The largest signed number, or the smallest; a sum that overflows has the wrong sign."""
        g = self.graph
        return g.concat(g.not_(positive), g.sext(positive, width - 1)) if width > 1 else g.not_(positive)

    def _sshl_sat(self, i):
        x, n = self._arguments(i)
        g, w = self.graph, x.width
        result = g.shl(x, n)
        over = g.compare("ne", g.sra(result, n), x)
        return g.select(over, self._limit(g.not_(g.slice(x, w - 1, 1)), w), result)

    def _ushl_sat(self, i):
        x, n = self._arguments(i)
        g = self.graph
        result = g.shl(x, n)
        return g.select(g.compare("ne", g.shr(result, n), x), g.literal(-1, x.width), result)

    def _three_way(self, i, op):
        a, b = self._arguments(i)
        g, w = self.graph, int(i.type[1:])
        return g.select(
            g.compare(op, a, b), g.literal(-1, w), g.select(g.compare(op, b, a), g.literal(1, w), g.literal(0, w))
        )

    def _ucmp(self, i):
        return self._three_way(i, "ult")

    def _scmp(self, i):
        return self._three_way(i, "slt")
