"""What depends on itself: strongly connected groups, and those of a step's registers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.dataflow.step import Register, Step


def components(order: Iterable, before: Callable) -> list[list]:
    """Return strongly connected groups, each after those it depends on (Tarjan's algorithm without recursion).

    networkx has the algorithm, too, but its groups are sets: the schedule places a group's nodes in their order, and
    two builds have to give the same Verilog.

    Parameters
    ----------
    order : iterable
        All nodes, hashable.
    before : callable
        What a node depends on.
    """
    index, low, on, stack, groups = {}, {}, set(), [], []
    for root in order:
        if root in index:
            continue
        work = [(root, iter(before(root)))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on.add(root)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on.add(other)
                    work.append((other, iter(before(other))))
                    break
                if other in on:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group = []
                    while not group or index[group[-1]] != index[node]:
                        group.append(stack.pop())
                        on.discard(group[-1])
                    groups.append(group)
    return groups


@dataclass
class Loop:
    """Registers that depend on one another, and everything on the way from one to the other, arguments first."""

    registers: list[Register]
    inside: list[Node]


def loops(step: Step) -> list[Loop]:
    """Return the feedbacks of a step: its strongly connected groups, registers read as their next values."""
    of = {r.value: r for r in step.registers}
    order = topological([r.next for r in step.registers])
    position = {node: i for i, node in enumerate(order)}

    def before(node):
        return (of[node].next,) if node in of else node.args

    found = []
    for group in components(order, before):
        if len(group) > 1 or group[0] in before(group[0]):
            group.sort(key=position.__getitem__)
            found.append(Loop([of[n] for n in group if n in of], group))
    return found
