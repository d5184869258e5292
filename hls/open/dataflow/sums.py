"""Sums become balanced trees, and accumulators stay one adder.

`acc += a * b + c * d` feeds back through one addition as written, but LLVM may turn it into `(acc + a * b) + c * d`,
whose feedback is twice as long and sets the period of the whole pipeline; and a loop over products is a chain of
additions, as deep as the loop is long. Here every sum is taken apart: what feeds back is added last, everything else
first, in a balanced tree (what is ready first is added first) of additions that are no wider than their sums can be.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological
from hls.open.dataflow.loops import loops

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step


def balance_sums(step: Step) -> None:
    """Regroup the additions of a step, in place."""
    outputs = [r.next for r in step.registers] + [
        n for p in step.ports for n in (p.predicate, p.data, p.address) if n is not None
    ]
    order = topological(outputs)
    users = {}
    for node in order:
        for a in node.args:
            users.setdefault(a, []).append(node)
    for node in outputs:
        users.setdefault(node, []).append(None)
    feedback, levels, new = _feedback(step), _levels(order), {}
    for node in order:  # arguments first: what a sum is made of is in its new form already
        total = None
        if node.op == "add" and not _inner(node, users):
            inside, leaves = feedback.get(node, set()), _leaves(node, users)
            total = _regrouped(
                step.graph,
                [new[x] for x in leaves],
                {new[x] for x in leaves if x in inside},
                {new[x]: levels[x] for x in leaves},
            )
        if total is None:
            args = tuple(new[a] for a in node.args)
            total = node if args == node.args else step.graph.again(node, args)
        new[node] = total
    for r in step.registers:
        r.next = new[r.next]
    for p in step.ports:
        p.predicate, p.data = new[p.predicate], new[p.data]
        p.address = new[p.address] if p.address is not None else None
    for node in topological([n for c in step.checks for n in (c.predicate, c.ok)]):
        if node not in new:  # nothing but checks needs it
            args = tuple(new[a] for a in node.args)
            new[node] = node if args == node.args else step.graph.again(node, args)
    step.checks = [replace(c, predicate=new[c.predicate], ok=new[c.ok]) for c in step.checks]


def _inner(node, users):
    """True if an addition is nothing but a part of another one."""
    return (
        len(users[node]) == 1
        and users[node][0] is not None
        and users[node][0].op == "add"
        and users[node][0].width == node.width
    )


def _leaves(root, users):
    leaves, stack = [], list(root.args)
    while stack:
        at = stack.pop()
        if at.op == "add" and _inner(at, users):
            stack.extend(at.args)
        else:
            leaves.append(at)
    return leaves


def _feedback(step):
    """Node -> what of its loop depends on the loop's registers, for the nodes that feed state back."""
    found = {}
    for loop in loops(step):
        found |= dict.fromkeys(loop.inside, set(loop.inside))
    return found


def _levels(order):
    """Additions in a row up to each value; a product takes the stages of about six."""
    levels = {}
    for node in order:
        here = 6 if node.op == "smul" else 1 if node.op in ("add", "sub") else 0
        levels[node] = here + max((levels[a] for a in node.args), default=0)
    return levels


def _regrouped(graph, leaves, inside, levels):
    loop = [x for x in leaves if x in inside]
    constants = [x for x in leaves if x.op == "literal"]
    other = [(levels[x], x.id, x) for x in leaves if x not in inside and x.op != "literal"]
    if len(other) + len(constants) < 2 or len(leaves) < 3:
        return None
    heapq.heapify(other)
    while len(other) > 1:  # what is ready first, then neighbours
        (first, _, a), (second, _, b) = heapq.heappop(other), heapq.heappop(other)
        total = _sum(graph, a, b)
        heapq.heappush(other, (max(first, second) + 1, total.id, total))
    total = other[0][2] if other else None
    for x in [*constants, *loop]:
        total = x if total is None else graph.add(x, total)
    return total


def _sum(graph, a, b):
    """a + b, added with no more bits than the sum can have."""
    (al, ah), (bl, bh) = graph.bounds(a), graph.bounds(b)
    bits = max((-al - bl - 1).bit_length() if al + bl < 0 else 0, (ah + bh).bit_length() if ah + bh > 0 else 0) + 1
    width = min(bits, a.width)
    return graph.sext(graph.add(graph.slice(a, 0, width), graph.slice(b, 0, width)), a.width)
