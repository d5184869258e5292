"""What operands stand for: nodes, addresses, constant tables, streams."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.lower.memory import Address, Memory
from hls.open.lower.offsets import Choice, Linear, apply, of_node
from hls.open.read.layout import Cell, Layout
from hls.open.read.llvm_tokens import split, value_of
from hls.open.read.names import plain_name

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.lower.lower import Lowering

MAX_TABLE = 1 << 16  # bits of a constant table: larger ones belong in a ram


class Stream:
    """The value of a stream parameter: it can only be handed to an access."""

    def __init__(self, name: str, layout: Layout) -> None:
        self.name, self.layout = name, layout


class Operands:
    """Reads operands for a `Lowering`; `values` holds what has been computed."""

    def __init__(self, lowering: Lowering) -> None:
        self.low, self.graph, self.memory = lowering, lowering.graph, lowering.memory
        self.tables = {}
        self.defined = {}  # value -> (the instruction that gives it, its block)
        self.linears = {}  # value -> what it is as a sum
        self.values = {lowering.function.parameters[0][1]: Address(lowering.this, lowering.base)}
        for value, (name, layout) in lowering.streams.items():
            self.values[value] = Stream(name, layout)

    def operand(self, text: str, kind: str) -> Node | Address | Choice | Stream:
        """Return the node, address or aggregate that an operand stands for."""
        if text in self.values:
            return self.values[text]
        if kind == "ptr":
            return self._pointer(text)
        if self.low.types.body(kind)[0] in "{[":
            return self._aggregate(text, self.low.types.body(kind))
        width = int(kind[1:]) if re.fullmatch(r"i\d+", kind) else None
        if width is None:
            raise Refused(f"a value of type {kind} in a step: only integers (vectors and floats have no place here)")
        if text in ("undef", "poison"):
            return self.graph.literal(0, width)
        if text in ("true", "false"):
            return self.graph.literal(text == "true", 1)
        if re.fullmatch(r"-?\d+", text):
            return self.graph.literal(int(text), width)
        raise Refused(f"the constant {text[:60]} in a step: addresses can't be computed with")

    def _aggregate(self, text, kind):
        """The members of a constant struct or array; None for what may be anything."""
        count = self.low.types.array(kind)[0] if kind[0] == "[" else len(self.low.types.members(kind)[0])
        if text in ("undef", "poison"):
            return [None] * count
        if text != "zeroinitializer":
            return [self.operand(value, inner) for inner, value in map(value_of, split(text[1:-1]))]
        kinds = [self.low.types.array(kind)[1]] * count if kind[0] == "[" else split(kind[1:-1])
        return [self.operand("0" if re.fullmatch(r"i\d+", self.low.types.body(k)) else text, k) for k in kinds]

    def _pointer(self, text):
        if text.startswith("@"):
            return Address(self._table(text[1:].strip('"')), 0)
        expression = re.fullmatch(r"getelementptr(?: inbounds| nuw| nusw)* ?\((.*)\)", text)
        if expression:
            parts = split(expression.group(1))
            return self._offset(self._pointer(value_of(parts[1])[1]), parts[0], [value_of(p)[1] for p in parts[2:]])
        if text not in ("null", "undef", "poison", "zeroinitializer"):
            raise Refused(f"the address {text[:60]} can't be followed: use members and indices")
        return Address(Memory("nowhere", 0, [], []), 0)  # only on paths that are not taken

    def _table(self, name):
        if name not in self.tables:
            if name not in self.low.module.globals:
                raise Refused(f"a function pointer to '{plain_name(name)}': choose with an if or switch what is called")
            kind, text, constant = self.low.module.globals[name]
            if not constant:
                raise Refused(
                    f"'{plain_name(name)}' is a global or static variable: a kernel's state lives in its members"
                )
            if self.low.types.size(kind) * 8 > MAX_TABLE:
                raise Refused(f"the constant table '{name}' has more than {MAX_TABLE} bits: keep it in a ram<T, DEPTH>")
            places = sorted(self.low.types.constants(kind, text).items())
            cells = [Cell(offset, size, 8 * size) for offset, (size, _) in places]
            nodes = [self.graph.literal(value, 8 * size) for _, (size, value) in places]
            self.tables[name] = self._know(Memory("@" + name, self.low.types.size(kind), cells, nodes, constant=True))
        return self.tables[name]

    def _know(self, memory):
        self.low.memories.append(memory)
        self.memory.know(self.low.memories)
        return memory

    def _offset(self, base, element, indices):
        """The address behind a `getelementptr`."""
        if isinstance(base, Stream):
            raise Refused("an array of streams: name each stream")
        offset, kind, types = Linear(0), element, self.low.types
        for level, text in enumerate(indices):
            body = types.body(kind)
            if level and body[0] in "{<":
                place, kind = types.members(body)[0][int(text)]
                offset = apply(lambda x, more=place: x.plus(Linear(more)), offset)
                continue
            if level:
                kind = types.array(body)[1]
            stride = types.size(kind)
            offset = apply(lambda x, i, n=stride: x.plus(i.times(n)), offset, self.linear(text))
        return apply(lambda place, more: place.plus(more), base, offset)

    def linear(self, text: str, kind: str = "i64") -> Linear | Choice:
        """Return an operand as a sum of indices, as far as it is one; never wrong, but for an index out of bounds."""
        if re.fullmatch(r"-?\d+", text):
            return Linear(int(text))
        if text not in self.linears:
            known = self._linear_of(self.defined[text]) if text in self.defined else None
            self.linears[text] = of_node(self.graph, self.operand(text, kind)) if known is None else known
        return self.linears[text]
