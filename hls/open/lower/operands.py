"""What operands stand for: nodes, addresses, constant tables, streams."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.lower.memory import Address, Memory
from hls.open.read.layout import Array, Cell, Layout
from hls.open.read.llvm_tokens import split, value_of

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.lower.lower import Lowering

MAX_TABLE = 1 << 16  # bits of a constant table: larger ones belong in a ram


class Choice:
    """A pointer that depends on control flow: `a` if `condition`, else `b`."""

    def __init__(self, condition: Node, a: Address, b: Address | Choice) -> None:
        self.condition, self.a, self.b = condition, a, b


class Stream:
    """The value of a stream parameter: it can only be handed to an access."""

    def __init__(self, name: str, layout: Layout) -> None:
        self.name, self.layout = name, layout


class Operands:
    """Reads operands for a `Lowering`; `values` holds what has been computed."""

    def __init__(self, lowering: Lowering) -> None:
        self.low, self.graph, self.memory = lowering, lowering.graph, lowering.memory
        self.tables = {}
        self.values = {lowering.function.parameters[0][1]: Address(lowering.this, 0)}
        for value, (name, layout) in lowering.streams.items():
            self.values[value] = Stream(name, layout)

    def operand(self, text: str, kind: str) -> Node | Address | Choice | Stream:
        """Return the node, address or aggregate that an operand stands for."""
        if text in self.values:
            return self.values[text]
        if kind == "ptr":
            return self._pointer(text)
        if kind[0] in "{[":
            return [None] * len(self.low.types.members(kind)[0])
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

    def _pointer(self, text):
        if text.startswith("@"):
            return Address(self._table(text[1:].strip('"')), 0)
        expression = re.fullmatch(r"getelementptr(?: inbounds| nuw| nusw)* ?\((.*)\)", text)
        if expression:
            parts = split(expression.group(1))
            return self._offset(self._pointer(value_of(parts[1])[1]), parts[0], [value_of(p)[1] for p in parts[2:]])
        return Address(Memory("nowhere", 0, [], []), 0)  # null, undef: only on paths that are not taken

    def _table(self, name):
        if name not in self.tables:
            kind, text, constant = self.low.module.globals.get(name, ("i8", "0", False))
            if not constant:
                raise Refused(f"'{name}' is a global or static variable: a kernel's state lives in its members")
            if self.low.types.size(kind) * 8 > MAX_TABLE:
                raise Refused(f"the constant table '{name}' has more than {MAX_TABLE} bits: keep it in a ram<T, DEPTH>")
            places = sorted(self.low.types.constants(kind, text).items())
            cells = [Cell(offset, size, 8 * size) for offset, (size, _) in places]
            nodes = [self.graph.literal(value, 8 * size) for _, (size, value) in places]
            arrays = [Array(*a) for a in self.low.types.arrays(kind)]
            self.tables[name] = self._know(
                Memory("@" + name, self.low.types.size(kind), cells, nodes, arrays, constant=True)
            )
        return self.tables[name]

    def _know(self, memory):
        self.low.memories.append(memory)
        self.memory.know(self.low.memories)
        return memory

    def _offset(self, base, element, indices):
        if isinstance(base, Choice):
            return Choice(
                base.condition, self._offset(base.a, element, indices), self._offset(base.b, element, indices)
            )
        if isinstance(base, Stream):
            raise Refused("an array of streams: name each stream")
        offset, terms, kind, types = 0, [], element, self.low.types
        for level, text in enumerate(indices):
            body = types.body(kind)
            if level and body[0] in "{<":
                place, kind = types.members(body)[0][int(text)]
                offset += place
                continue
            if level:
                kind = types.array(body)[1]
            stride = types.size(kind)
            if re.fullmatch(r"-?\d+", text):
                offset += int(text) * stride
            else:
                terms += self._terms(self.operand(text, "i64"), stride)
        more = sum(n.attr * s for n, s in terms if n.op == "literal")
        return base.plus(offset + more, [t for t in terms if t[0].op != "literal"])

    def _terms(self, node, stride):
        """Split an index into a node with known bounds and a stride: x * 4 + 3 is 4 strides of x."""
        g = self.graph
        if node.op == "add" and any(a.op == "literal" for a in node.args):
            constant, rest = sorted(node.args, key=lambda a: a.op != "literal")
            low, high = g.bounds(rest)
            value = constant.attr - (1 << constant.width) if constant.attr >> (constant.width - 1) else constant.attr
            if low + value >= -(1 << (node.width - 1)) and high + value < 1 << (node.width - 1):
                return (
                    [(constant, stride), *self._terms(rest, stride)]
                    if value >= 0
                    else [(g.literal(-value, node.width), -stride), *self._terms(rest, stride)]
                )
        scaled, zeros = node, 0
        while scaled.op in ("zext", "concat"):
            if scaled.op == "zext":
                scaled = scaled.args[0]
                continue
            if scaled.args[-1].op != "literal" or scaled.args[-1].attr:
                break
            zeros += scaled.args[-1].width
            scaled = g.concat(*scaled.args[:-1])
        if zeros:
            return [(g.zext(scaled, scaled.width + 1), stride << zeros)]
        return [(node, stride)]
