"""Objects in memory (the kernel's state, local variables, constant tables) as values of the dataflow graph.

An object is a row of cells, the scalars that lie in it. Control flow and addresses are resolved while lowering:
what is left are nodes per cell, selections where branches join, and multiplexers for computed indices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hls.open.errors import Refused

if TYPE_CHECKING:
    from hls.open.dataflow.graph import Graph
    from hls.open.dataflow.nodes import Node
    from hls.open.lower.control_flow import ControlFlow

MAX_ELEMENTS = 1024  # of an array with computed indices: more registers than that belong in a ram
FEW_ELEMENTS = 64  # values of an index that are all tried where no array is known to bound them


@dataclass
class Memory:
    """One object; `initial` are the nodes of its cells when the step begins."""

    name: str
    size: int
    cells: list
    initial: list
    arrays: list = field(default_factory=list)
    constant: bool = False

    def __post_init__(self):
        self.at = {}
        for i, cell in enumerate(self.cells):
            for byte in range(cell.offset, cell.offset + cell.size):
                self.at[byte] = i


@dataclass(frozen=True)
class Address:
    """A place in an object: offset + sum of index * stride."""

    memory: Memory
    offset: int
    terms: tuple = ()  # ((node, stride), ...)

    def __hash__(self):
        return hash((id(self.memory), self.offset, self.terms))

    def plus(self, offset: int, terms: Iterable[tuple[Node, int]] = ()) -> Address:
        return Address(self.memory, self.offset + offset, self.terms + tuple(terms))


def _is_choice(node):
    """True if a node can only be one of some literals."""
    if node.op == "select":
        return all(_is_choice(choice) for choice in node.args[1:])
    return node.op == "literal" or (node.op in ("zext", "sext", "slice") and _is_choice(node.args[0]))


class MemoryAccess:
    """Loads and stores on a state of memory: a dict (memory name, cell number) -> node.

    Parameters
    ----------
    graph : Graph
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def value(self, state: dict[tuple[str, int], Node], memory: Memory, i: int) -> Node:
        return state.get((memory.name, i), memory.initial[i])

    def _extended(self, state, memory, i):
        cell = memory.cells[i]
        extend = self.graph.sext if cell.signed else self.graph.zext
        return extend(self.value(state, memory, i), 8 * cell.size)

    def load(self, state: dict[tuple[str, int], Node], address: Address, size: int, where: str = "") -> Node:
        """Return `size` bytes at an address as a node of 8 * size bits."""
        if address.terms:
            index, stride = address.terms[-1]
            rest = Address(address.memory, address.offset, address.terms[:-1])
            first, last = self._candidates(address, where)
            values = [self.load(state, rest.plus(i * stride), size, where) for i in range(first, last + 1)]
            return self.graph.index(self._from_zero(index, first, last), values)
        memory, start = address.memory, address.offset
        if start < 0 or start + size > memory.size:
            return self.graph.literal(0, 8 * size)  # out of bounds: on a path that is not taken
        parts, at = [], start
        while at < start + size:
            i = memory.at.get(at)
            if i is None:
                parts.append(self.graph.literal(0, 8))
                at += 1
                continue
            cell = memory.cells[i]
            end = min(cell.offset + cell.size, start + size)
            parts.append(self.graph.slice(self._extended(state, memory, i), 8 * (at - cell.offset), 8 * (end - at)))
            at = end
        return self.graph.concat(*reversed(parts))

    def store(
        self,
        state: dict[tuple[str, int], Node],
        address: Address,
        node: Node,
        where: str = "",
        condition: Node | None = None,
    ) -> None:
        """Write a node of whole bytes to an address; `state` is changed in place."""
        if address.memory.constant:
            raise Refused(f"'{address.memory.name}' is constant and can't be written", where)
        if address.terms:
            index, stride = address.terms[-1]
            rest = Address(address.memory, address.offset, address.terms[:-1])
            first, last = self._candidates(address, where)
            position = self._from_zero(index, first, last)
            for i in range(first, last + 1):
                hit = (
                    self.graph.compare("eq", position, self.graph.literal(i - first, position.width))
                    if last > first
                    else self.graph.true
                )
                both = hit if condition is None else self.graph.and_(condition, hit)
                self.store(state, rest.plus(i * stride), node, where, both)
            return
        memory, start, size = address.memory, address.offset, node.width // 8
        if start < 0 or start + size > memory.size:
            return  # out of bounds: on a path that is not taken
        for i in sorted({memory.at[b] for b in range(start, start + size) if b in memory.at}):
            cell = memory.cells[i]
            old = self._extended(state, memory, i)
            low, high = max(start, cell.offset), min(start + size, cell.offset + cell.size)
            parts = [self.graph.slice(node, 8 * (low - start), 8 * (high - low))]
            if low > cell.offset:
                parts.append(self.graph.slice(old, 0, 8 * (low - cell.offset)))
            if high < cell.offset + cell.size:
                parts.insert(0, self.graph.slice(old, 8 * (high - cell.offset), 8 * (cell.offset + cell.size - high)))
            new = self.graph.slice(self.graph.concat(*parts), 0, cell.width)
            if condition is not None:
                new = self.graph.select(condition, new, self.value(state, memory, i))
            state[memory.name, i] = new

    def merge(
        self, control: ControlFlow, name: str, states: list[dict[tuple[str, int], Node]]
    ) -> dict[tuple[str, int], Node]:
        """Memory where control flow joins."""
        if len(states) == 1:
            return dict(states[0])
        keys = dict.fromkeys(key for state in states for key in state)
        result = {}
        for key in keys:
            values = [state.get(key) or self._initial[key[0]].initial[key[1]] for state in states]
            result[key] = control.merge(name, values, self.graph.select)
        return result

    _initial = {}

    def know(self, memories: list[Memory]) -> None:
        """Name the memories, so that `merge` finds the cells nobody has written yet."""
        self._initial = {memory.name: memory for memory in memories}

    def _from_zero(self, index, first, last):
        bits = max(1, (last - first).bit_length())
        shifted = self.graph.sub(index, self.graph.literal(first, index.width)) if first else index
        return self.graph.slice(shifted, 0, bits) if bits < shifted.width else shifted

    def _candidates(self, address, where):
        """Smallest and largest value of the last index that stays within its array."""
        index, stride = address.terms[-1]
        low, high = self.graph.bounds(index)
        offset = address.offset
        if _is_choice(index):
            return low, high  # LLVM merged accesses to different members: no array bounds these
        inner = [
            a
            for a in address.memory.arrays
            if stride
            and stride % a.stride == 0
            and a.stride <= abs(stride)
            and a.offset <= offset + max(low, -1 << 40) * stride + (high - low) * abs(stride)
            and offset < a.offset + a.stride * a.count + abs(stride) * min(high - low, a.count)
        ]
        inside = [a for a in inner if a.offset <= offset < a.offset + a.stride * a.count]
        # From a start outside, only an index too wide to try all its values is held to belong to the array.
        inner = inside or (inner if high - low >= FEW_ELEMENTS else [])
        if inner:
            array = min(inner, key=lambda a: (a.stride != abs(stride), a.stride * a.count))
            bounds = [
                -((offset - array.offset) // stride),
                (array.offset + array.stride * array.count - 1 - offset) // stride,
            ]
            low, high = max(low, min(bounds)), min(high, max(bounds))
        if high - low >= MAX_ELEMENTS:
            raise Refused(
                f"an index into '{address.memory.name}' can take more than {MAX_ELEMENTS} values: use a "
                "ram<T, DEPTH>, or an index type just wide enough",
                where,
            )
        return low, max(low, high)
