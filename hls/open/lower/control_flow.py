"""When a block runs: predicates of an acyclic control-flow graph, as dataflow nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hls.open.errors import Refused

if TYPE_CHECKING:
    from hls.open.dataflow.graph import Graph
    from hls.open.dataflow.nodes import Node
    from hls.open.lower.memory import Address
    from hls.open.lower.operands import Choice
    from hls.open.read.llvm_text import Block


class ControlFlow:
    """Order, dominators and predicates of a function's blocks.

    Parameters
    ----------
    blocks : list of llvm_text.Block
        The entry first.
    graph : Graph
    condition : callable
        (block, index of its successor) -> node that is true if control goes there. Asked for only after the
        block itself has been lowered.
    where : callable
        block -> `file:line`, for messages.
    """

    def __init__(self, blocks: list[Block], graph: Graph, condition: Callable, where: Callable) -> None:
        self.graph, self._condition = graph, condition
        self.by_name = {block.name: block for block in blocks}
        self.entry = blocks[0].name
        self.order = self._topological(where)
        self.position = {name: i for i, name in enumerate(self.order)}
        self.edges = {name: [] for name in self.order}  # block -> [(predecessor, successor index)]
        for name in self.order:
            for i, target in enumerate(self.by_name[name].successors):
                self.edges[target].append((name, i))
        self.dominator = self._dominators()
        self.predicate = {self.entry: graph.true}
        self.after = self._post_dominators()
        self._reach = {}
        self._own = {}
        self._after = {}

    def _topological(self, where):
        order, state = [], {}
        stack = [(self.entry, False)]
        while stack:
            name, done = stack.pop()
            if done:
                state[name] = 2
                order.append(name)
                continue
            if state.get(name):
                continue
            state[name] = 1
            stack.append((name, True))
            for target in self.by_name[name].successors:
                if target not in self.by_name:
                    raise Refused(f"a jump to '{target}', which is not in step", where(self.by_name[name]))
                if state.get(target) == 1:
                    raise Refused(
                        "a loop is left that can't be unrolled: give it a constant bound, "
                        "or make one iteration one step",
                        where(self.by_name[target]),
                    )
                if not state.get(target):
                    stack.append((target, False))
        return order[::-1]

    def _dominators(self):
        dominator = {self.entry: None}
        for name in self.order[1:]:
            common = None
            for predecessor, _ in self.edges[name]:
                common = predecessor if common is None else self._meet(common, predecessor, dominator)
            dominator[name] = common
        return dominator

    def _meet(self, a, b, dominator):
        while a != b:
            if self.position[a] < self.position[b]:
                b = dominator[b]
            else:
                a = dominator[a]
        return a

    def reaches(self, a: str, b: str) -> bool:
        """Whether there is a path from block a to block b (a block reaches itself)."""
        if a not in self._after:
            seen, stack = {a}, [a]
            while stack:
                for target in self.by_name[stack.pop()].successors:
                    if target not in seen:
                        seen.add(target)
                        stack.append(target)
            self._after[a] = seen
        return b in self._after[a]

    def dominates(self, a: str, b: str) -> bool:
        """Whether every path to block b leads through block a (a block dominates itself)."""
        while b is not None and b != a:
            b = self.dominator[b]
        return b == a

    def _post_dominators(self):
        """Block -> the first block that every path from it to a return leads through; None behind the returns.

        Blocks that end in `unreachable` alone are no paths.
        """
        after = {}
        for name in reversed(self.order):
            block, common = self.by_name[name], False
            if not block.successors:
                if block.instructions[-1].op != "unreachable":
                    after[name] = None
                continue
            for target in block.successors:
                if target in after:
                    common = target if common is False else self._meet_after(common, target, after)
            if common is not False:
                after[name] = common
        return after

    def _meet_after(self, a, b, after):
        while a != b:
            if b is None or (a is not None and self.position[a] < self.position[b]):
                a = after[a]
            else:
                b = after[b]
        return a

    def _always_passes(self, a, b):
        """Whether every path from a leads through b."""
        if a not in self.after:
            return True
        while a is not None and self.position[a] < self.position[b]:
            a = self.after[a]
        return a == b

    def relative(self, top: str, name: str) -> Node:
        """Predicate of a block, given that its dominator `top` runs."""
        chain = [name]  # what dominates it, up to the first that is known
        while chain[-1] != top and (top, chain[-1]) not in self._reach:
            chain.append(self.dominator[chain[-1]])
        node = self._reach.get((top, chain.pop()), self.graph.true)
        for at in reversed(chain):
            node = self._reach[top, at] = self.graph.and_(node, self._from_dominator(at))
        return node

    def _from_dominator(self, name):
        """Predicate of a block, given that the block that dominates it runs."""
        if name not in self._own:
            if self._always_passes(self.dominator[name], name):
                node = self.graph.true
            else:
                node = self.graph.false
                for condition in self.incoming(name):
                    node = self.graph.or_(node, condition)
            self._own[name] = node
        return self._own[name]

    def incoming(self, name: str) -> list[Node]:
        """Conditions of a block's incoming edges, given that its dominator runs; one per entry of `edges`."""
        top = self.dominator[name]
        return [
            self.graph.and_(self.relative(top, p), self._condition(self.by_name[p], i)) for p, i in self.edges[name]
        ]

    def enter(self, name: str) -> Node:
        """Compute the predicate of a block whose predecessors have all been lowered."""
        if name != self.entry:
            top = self.dominator[name]
            self.predicate[name] = self.graph.and_(self.predicate[top], self.relative(top, name))
        return self.predicate[name]

    def merge(self, name: str, values: list[Node | Address | Choice], choose: Callable) -> Node | Choice:
        """Choose among the values that a block's incoming edges bring.

        `choose(condition, a, b)` builds a selection; the last edge needs no condition.
        """
        result = values[-1]
        conditions = self.incoming(name)
        for condition, value in list(zip(conditions, values))[-2::-1]:
            if value is not result:
                result = choose(condition, value, result)
        return result
