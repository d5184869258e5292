"""Sums become balanced trees, and accumulators stay one adder.

`acc += a * b + c * d` feeds back through one addition as written, but LLVM may turn it into `(acc + a * b) + c * d`,
whose feedback is twice as long and sets the period of the whole pipeline; and a loop over products is a chain of
additions, as deep as the loop is long. Here every sum is taken apart: what feeds back is added last, everything else
first, in a balanced tree (what is ready first is added first) of additions that are no wider than their sums can be.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological
from hls.open.dataflow.loops import loops
from hls.open.dataflow.rules import rule

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.dataflow.step import Step


def balance_sums(step: Step) -> None:
    """Regroup the additions of a step, in place."""
    outputs = step.outputs()
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
            total = step.graph.simpler(
                "regroup",
                [new[x] for x in leaves],
                {new[x] for x in leaves if x in inside},
                {new[x]: levels[x] for x in leaves},
            )
        if total is None:
            args = tuple(new[a] for a in node.args)
            total = node if args == node.args else step.graph.again(node, args)
        new[node] = total
    step.replace(new)


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


def _sums(s):
    """Shapes: leaves of a sum, those in a feedback, and when each is ready."""
    g, wide = s.graph, s.width + 3
    a, b, c = g.sext(s.x("a"), wide), g.zext(s.x("b"), wide), s.x("c", wide)
    d, e = g.select(s.bit(), a, b), g.sext(s.x("e", s.width + 1), wide)
    for literal in s.literals(wide):
        for leaves in ([a, b, literal], [c, a, literal], [literal, c, a, b, d], [a, b, literal, literal]):
            for inside in ({leaves[0]}, {c}, set()):
                yield leaves, inside & set(leaves), {x: i % 3 for i, x in enumerate(leaves)}
    yield [a, b, c, d, e], {c}, dict.fromkeys((a, b, c, d, e), 0)
    yield [a, a, e, e, a, b], set(), {a: 1, e: 2, b: 0}


@rule("regroup", _sums)
def regroup(g, leaves, inside, levels) -> Node | None:
    """The sum of some leaves as a balanced tree, those of a feedback behind it; None if there is nothing to gain."""
    loop = [x for x in leaves if x in inside]
    constants = [x for x in leaves if x.op == "literal" and x not in inside]
    other = [(levels[x], x.id, x) for x in leaves if x not in inside and x.op != "literal"]
    if len(other) + len(constants) < 2 or len(leaves) < 3:
        return None
    heapq.heapify(other)
    while len(other) > 1:  # what is ready first, then neighbours
        (first, _, a), (second, _, b) = heapq.heappop(other), heapq.heappop(other)
        total = g.sum(a, b)
        heapq.heappush(other, (max(first, second) + 1, total.id, total))
    total = other[0][2] if other else None
    for x in [*constants, *loop]:
        total = x if total is None else g.add(x, total)
    return total
