"""Objects of a step: what lies where, and what loads and stores mean for it.

A kernel's object and every local variable that LLVM could not turn into values is a list of cells. An access has
constant offsets or terms (`offsets.py`): the index of an array, proven to be one, selects among its elements; of any
other address all places in reach are tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.lower.offsets import Choice, Linear, Term

if TYPE_CHECKING:
    from hls.open.dataflow.graph import Graph
    from hls.open.dataflow.nodes import Node
    from hls.open.lower.control_flow import ControlFlow

MAX_ELEMENTS = 1024  # that an access may mean: more registers than that belong in a ram
OTHER = "index an array by its own name (a[i]), of a type just wide enough, or use a ram<T, DEPTH>"


@dataclass
class Memory:
    """One object; `initial` are the nodes of its cells when the step begins.

    `arrays` (layout.Array) give the names that messages use, `rams` (layout.Ram) are places no plain access may touch.
    """

    name: str
    size: int
    cells: list
    initial: list
    arrays: list = field(default_factory=list)
    rams: list = field(default_factory=list)
    constant: bool = False

    def __post_init__(self):
        self.at = {}
        for i, cell in enumerate(self.cells):
            for byte in range(cell.offset, cell.offset + cell.size):
                self.at[byte] = i

    def cells_at(self, start: int, size: int) -> list[int]:
        """Numbers of the cells that some bytes belong to."""
        return sorted({self.at[b] for b in range(start, start + size) if b in self.at})

    def meets(self, start: int, size: int) -> bool:
        """True if bytes hold something, or lie between things that do (LLVM copies padding too)."""
        if start < 0 or start + size > self.size:
            return False
        return bool(self.cells_at(start, size)) or not any(
            r.offset < start + size and start < r.offset + r.size for r in self.rams
        )

    def array(self, offset: int, stride: int, count: int) -> str:
        """What to call the array of `count` elements that an index with this stride is for."""
        names = [a.name for a in self.arrays if (a.stride, a.count) == (abs(stride), count) and a.offset <= offset]
        return f"'{names[-1]}' ({count} elements)" if names else f"an array of {count} elements"


@dataclass(frozen=True)
class Address:
    """A place in an object: offset + sum of terms."""

    memory: Memory
    offset: int
    terms: tuple = ()

    def __hash__(self):
        return hash((id(self.memory), self.offset, self.terms))

    def plus(self, more: Linear | int) -> Address:
        if isinstance(more, int):
            return replace(self, offset=self.offset + more)
        return Address(self.memory, self.offset + more.constant, self.terms + more.terms)


@dataclass(frozen=True)
class Condition:
    """What has to hold where an access is made: `ok`, or `what` goes wrong."""

    ok: Node
    what: str


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

    # -- which places an address can mean

    def resolve(self, address: Address | Choice, size: int, where: str = "") -> tuple[Address | Choice, list]:
        """Return an address whose terms have exactly the values to be tried, and the `Condition`s of its use."""
        if isinstance(address, Choice):
            g, c = self.graph, address.condition
            a, of_a = self.resolve(address.a, size, where)
            b, of_b = self.resolve(address.b, size, where)
            conditions = [Condition(g.or_(g.not_(c), x.ok), x.what) for x in of_a]
            return Choice(c, a, b), conditions + [Condition(g.or_(c, x.ok), x.what) for x in of_b]
        memory = address.memory
        if memory.size == 0:
            return address, [Condition(self.graph.false, "an access through a null or undefined pointer")]
        conditions = [
            Condition(t.ok, f"index into {memory.array(address.offset, t.stride, t.count)} out of bounds")
            for t in address.terms
            if t.ok is not None
        ]
        if any(not t.count for t in address.terms):
            address, more = self._reach(address, size, where)
            return address, conditions + more
        if any(t.low > t.high for t in address.terms):
            return address, conditions
        if math.prod(t.high - t.low + 1 for t in address.terms) > MAX_ELEMENTS:
            raise Refused(f"an index into '{memory.name}' can take more than {MAX_ELEMENTS} values: {OTHER}", where)
        ends = Linear(address.offset, address.terms).ends
        if not any(memory.meets(end, size) for end in ends):
            raise Refused(self._nothing(memory, ends[0], size), where)
        return address, conditions

    def _nothing(self, memory, start, size):
        ram = next((r.name for r in memory.rams if r.offset < start + size and start < r.offset + r.size), None)
        if ram:
            return f"an access to the words of ram '{ram}' that is no read() or write() of it"
        return f"an access outside of '{memory.name}' ({memory.size} bytes), at byte {start}"

    def _reach(self, address, size, where):
        """One term for all of an offset whose parts are no indices of arrays: it tries everything in reach."""
        g, memory = self.graph, address.memory
        step = math.gcd(*(t.stride for t in address.terms)) or 1
        position = g.literal(0, 64)
        for t in address.terms:
            node, factor = g.sext(t.node, 64), t.stride // step
            position = g.add(position, node if factor == 1 else g.mul(node, g.literal(factor, 64)))
        ends = [x // step for x in Linear(0, address.terms).ends]
        first = max(ends[0], -(address.offset // step))
        last = min(ends[1], (memory.size - size - address.offset) // step)
        hits = [p for p in range(first, last + 1) if memory.cells_at(address.offset + p * step, size)]
        if not hits:
            raise Refused(self._nothing(memory, address.offset + ends[0] * step, size), where)
        if len(hits) > MAX_ELEMENTS or hits[-1] - hits[0] >= 4 * MAX_ELEMENTS:
            raise Refused(f"an address in '{memory.name}' can mean more than {MAX_ELEMENTS} places: {OTHER}", where)
        first, last = hits[0], hits[-1]
        conditions = []
        if (first, last) != tuple(ends) or len(hits) <= last - first:
            from_first = g.sub(position, g.literal(first, 64))
            ok = g.compare("ult", from_first, g.literal(last - first + 1, 64))
            for p in sorted(set(range(first, last + 1)) - set(hits)):
                ok = g.and_(ok, g.compare("ne", position, g.literal(p, 64)))
            conditions.append(Condition(ok, f"access out of bounds of '{memory.name}'"))
        return Address(memory, address.offset, (Term(position, step, first, last, last - first + 1),)), conditions

    def _position(self, term):
        """The index of a term, counted from the first value that it may have."""
        bits = max(1, (term.high - term.low).bit_length())
        node = term.node
        if term.low:
            node = self.graph.sub(node, self.graph.literal(term.low, node.width))
        return self.graph.slice(node, 0, bits) if bits < node.width else node

    # -- accesses: addresses are resolved

    def load(self, state: dict[tuple[str, int], Node], address: Address | Choice, size: int) -> Node:
        """Return `size` bytes at an address as a node of 8 * size bits."""
        if isinstance(address, Choice):
            a, b = (self.load(state, x, size) for x in (address.a, address.b))
            return self.graph.select(address.condition, a, b)
        if address.terms:
            *rest, term = address.terms
            rest = replace(address, terms=tuple(rest))
            values = [
                self.load(state, rest.plus(i * term.stride), size) for i in range(term.low, term.high + 1)
            ]  # none: an index that is never inside, which a check reports
            return self.graph.index(self._position(term), values) if values else self.graph.literal(0, 8 * size)
        memory, start = address.memory, address.offset
        if start < 0 or start + size > memory.size:
            return self.graph.literal(0, 8 * size)  # one of the places that a check leaves out
        parts, at = [], start
        while at < start + size:
            i = memory.at.get(at)
            if i is None:
                parts.append(self.graph.literal(0, 8))  # padding
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
        address: Address | Choice,
        node: Node,
        condition: Node | None = None,
    ) -> None:
        """Write a node of whole bytes to an address; `state` is changed in place."""
        g = self.graph
        if isinstance(address, Choice):
            here, other = address.condition, g.not_(address.condition)
            self.store(state, address.a, node, here if condition is None else g.and_(condition, here))
            self.store(state, address.b, node, other if condition is None else g.and_(condition, other))
            return
        if address.terms:
            *rest, term = address.terms
            rest, position = replace(address, terms=tuple(rest)), self._position(term)
            for i in range(term.low, term.high + 1):
                hit = (
                    g.compare("eq", position, g.literal(i - term.low, position.width)) if term.high > term.low else None
                )
                both = condition if hit is None else hit if condition is None else g.and_(condition, hit)
                self.store(state, rest.plus(i * term.stride), node, both)
            return
        memory, start, size = address.memory, address.offset, node.width // 8
        if start < 0 or start + size > memory.size:
            return  # one of the places that a check leaves out
        for i in memory.cells_at(start, size):
            cell = memory.cells[i]
            old = self._extended(state, memory, i)
            low, high = max(start, cell.offset), min(start + size, cell.offset + cell.size)
            parts = [g.slice(node, 8 * (low - start), 8 * (high - low))]
            if low > cell.offset:
                parts.append(g.slice(old, 0, 8 * (low - cell.offset)))
            if high < cell.offset + cell.size:
                parts.insert(0, g.slice(old, 8 * (high - cell.offset), 8 * (cell.offset + cell.size - high)))
            new = g.slice(g.concat(*parts), 0, cell.width)
            if condition is not None:
                new = g.select(condition, new, self.value(state, memory, i))
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
