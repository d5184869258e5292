"""What each LLVM instruction means in the dataflow form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.lower.divide import Divider
from hls.open.lower.indices import Indices
from hls.open.lower.intrinsics import Intrinsics
from hls.open.lower.memory import Address, Memory
from hls.open.lower.offsets import Choice, alternatives
from hls.open.lower.operands import Stream
from hls.open.read.layout import Cell
from hls.open.read.names import refused_instruction

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.lower.lower import Lowering
    from hls.open.read.llvm_text import Instruction

IGNORED = ("llvm.lifetime", "llvm.dbg", "llvm.assume", "llvm.experimental.noalias", "llvm.invariant", "llvm.donothing")


class Instructions(Indices):
    """Lowers instructions one by one into the graph of a `Lowering`."""

    def __init__(self, lowering: Lowering) -> None:
        super().__init__(lowering)
        self.intrinsics, self.divider = Intrinsics(self), Divider(self.graph)

    # -- dispatch

    def lower(self, instruction: Instruction, block: str, state: dict[tuple[str, int], Node]) -> None:
        """Lower one instruction; memory `state` is changed in place."""
        self.block, self.state, self.at = block, state, instruction
        method = getattr(self, "_" + instruction.op, None)
        try:
            if instruction.op in _BINARY:
                kind = instruction.type
                a, b = (self.operand(o, kind) for o in instruction.operands)
                result = self._binary(instruction.op, a, b)
            elif method:
                result = method(instruction)
            else:
                raise Refused(instruction.extra.get("what", refused_instruction(instruction.op)))
        except Refused as refusal:
            if refusal.where:
                raise
            raise Refused(refusal.what, self.low.where(instruction)) from None
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            what = f"the LLVM instruction '{instruction.op}' is used in a way that is not known here"
            raise Refused(f"{what} ({type(error).__name__}: {error})", self.low.where(instruction)) from error
        if instruction.name:
            self.values[instruction.name] = result
            self.defined[instruction.name] = (instruction, block)

    def branch_conditions(self, last: Instruction) -> list[Node]:
        """Return one condition per successor of a block that ends in `last`."""
        if last.op == "br" and last.operands:
            condition = self.operand(last.operands[0], "i1")
            return [condition, self.graph.not_(condition)]
        if last.op == "br":
            return [self.graph.true]
        if last.op == "switch":
            value = self.operand(last.operands[0], last.type)
            hits = [self.graph.compare("eq", value, self.operand(v, last.type)) for v in last.extra["values"]]
            other = self.graph.true
            for hit in hits:
                other = self.graph.and_(other, self.graph.not_(hit))
            return [other, *hits]
        return []

    # -- arithmetic

    def _binary(self, op, a, b):
        g = self.graph
        if op in ("udiv", "urem", "sdiv", "srem"):
            return self.divider.divide(op, a, b)
        return {
            "add": g.add,
            "sub": g.sub,
            "mul": g.mul,
            "and": g.and_,
            "or": g.or_,
            "xor": g.xor_,
            "shl": g.shl,
            "lshr": g.shr,
            "ashr": g.sra,
        }[op](a, b)

    def _icmp(self, i):
        if i.extra["from"] == "ptr":
            raise Refused("a comparison of addresses: compare indices instead")
        a, b = (self.operand(o, i.extra["from"]) for o in i.operands)
        predicate = i.extra["predicate"]
        if predicate in ("ugt", "uge", "sgt", "sge"):
            a, b, predicate = b, a, predicate[0] + {"gt": "lt", "ge": "le"}[predicate[1:]]
        return self.graph.compare(predicate, a, b)

    def _zext(self, i):
        return self.graph.zext(self.operand(i.operands[0], i.extra["from"]), int(i.type[1:]))

    def _sext(self, i):
        return self.graph.sext(self.operand(i.operands[0], i.extra["from"]), int(i.type[1:]))

    def _trunc(self, i):
        return self.graph.slice(self.operand(i.operands[0], i.extra["from"]), 0, int(i.type[1:]))

    def _freeze(self, i):
        return self.operand(i.operands[0], i.type)

    _bitcast = _freeze

    # -- selection

    def choose(self, condition: Node, a: Node | Address | Choice, b: Node | Address | Choice) -> Node | Choice:
        if condition.op == "literal":
            return a if condition.attr else b
        if isinstance(a, (Address, Choice)) or isinstance(b, (Address, Choice)):
            return a if a == b else Choice(condition, a, b)
        if isinstance(a, list):
            return [y if x is None else x if y is None else self.choose(condition, x, y) for x, y in zip(a, b)]
        if isinstance(a, Stream):
            raise Refused("a stream chosen at run time: read each stream in an if of its own")
        return self.graph.select(condition, a, b)

    def _select(self, i):
        condition = self.operand(i.operands[0], "i1")
        return self.choose(condition, *(self.operand(o, i.type) for o in i.operands[1:]))

    def _phi(self, i):
        by_block = dict(zip(i.extra["from"], i.operands))
        edges = self.low.control.edges[self.block]
        return self.low.control.merge(self.block, [self.operand(by_block[p], i.type) for p, _ in edges], self.choose)

    # -- memory

    def _alloca(self, i):
        types, kind = self.low.types, i.type
        whole = re.fullmatch(r"\[\d+ x i8\]|i\d+", types.body(kind))
        cells = [Cell(0, types.size(kind), 8 * types.size(kind))] if whole else types.cells(kind)
        nodes = [self.graph.literal(0, c.width) for c in cells]
        return Address(self._know(Memory(i.name, types.size(kind), cells, nodes)), 0)

    def _getelementptr(self, i):
        return self._offset(self.operand(i.operands[0], "ptr"), i.extra["element"], i.operands[1:])

    def load(self, address: Address | Choice, size: int) -> Node:
        return self.memory.load(self.state, self._resolved(address, size), size)

    def store(self, address: Address | Choice, node: Node) -> None:
        address = self._resolved(address, node.width // 8)
        constant = next((x.memory.name for x in alternatives(address) if x.memory.constant), None)
        if constant:
            raise Refused(f"'{constant}' is constant and can't be written")
        self.memory.store(self.state, address, node)

    def _resolved(self, address, size):
        """An address in the form that `MemoryAccess` takes; what has to hold of it is noted."""
        where = self.low.where(self.at)
        address, conditions = self.memory.resolve(address, size, where)
        for condition in conditions:
            self.low.check(self.block, condition, where)
        return address

    def _load(self, i):
        if i.type == "ptr":
            raise Refused("a pointer kept in memory: a kernel's data is found by member and index")
        width = int(i.type[1:])
        return self.graph.slice(self.load(self.operand(i.operands[0], "ptr"), -(-width // 8)), 0, width)

    def _store(self, i):
        if i.type == "ptr":
            raise Refused("a pointer kept in memory: a kernel's data is found by member and index")
        node = self.operand(i.operands[0], i.type)
        self.store(self.operand(i.operands[1], "ptr"), self.graph.zext(node, -(-node.width // 8) * 8))

    # -- aggregates, calls, ends

    def _extractvalue(self, i):
        value, kind = self.operand(i.operands[0], i.extra["from"]), i.extra["from"]
        for index in i.extra["index"]:
            kind = self._member(kind, index)
            value = value[index] if value[index] is not None else self.operand("undef", kind)
        return value

    def _insertvalue(self, i):
        return self._inserted(self.operand(i.operands[0], i.type), i.type, i.extra["index"], i.operands[1])

    def _inserted(self, value, kind, path, text):
        inside, value = self._member(kind, path[0]), list(value)
        if len(path) > 1:
            part = value[path[0]] if value[path[0]] is not None else self.operand("undef", inside)
            value[path[0]] = self._inserted(part, inside, path[1:], text)
        else:
            value[path[0]] = self.operand(text, inside)
        return value

    def _member(self, kind, index):
        body = self.low.types.body(kind)
        return self.low.types.array(body)[1] if body[0] == "[" else self.low.types.members(body)[0][index][1]

    def _call(self, i):
        if i.extra["callee"].startswith(IGNORED):
            return None
        return self.intrinsics.call(i)

    def _br(self, i):
        return None

    _switch = _ret = _unreachable = _br


_BINARY = {"add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "shl", "lshr", "ashr", "and", "or", "xor"}
