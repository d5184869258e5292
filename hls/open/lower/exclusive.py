"""Whether two conditions can hold in the same step: a proof that they can't, or no answer.

Both are supposed to hold and what follows is written down: parts of a conjunction hold, those of a negated disjunction
don't, `x == 3` gives x a value. If something would have two values, or one of the conditions turns out false, they are
exclusive. Where that doesn't settle it and few bits decide, all their values are tried.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import evaluate, topological

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node

MAX_BITS = 10  # of values that are all tried
TRANSPARENT = {"and", "or", "xor", "not", "eq", "ne", "ult", "ule", "slt", "sle", "select", "zext", "sext", "concat"}


def exclusive(p: Node, q: Node) -> bool:
    """True if it is proven that p and q, of one bit each, are never both 1."""
    known = {}
    return not (_suppose(p, 1, known) and _suppose(q, 1, known) and _consistent((p, q), known)) or _tried(p, q)


def _suppose(node, value, known):
    """Note that a node has this value, and what follows from it; False if that contradicts what is known."""
    stack = [(node, value)]
    while stack:
        node, value = stack.pop()
        if node.op == "literal" and node.attr != value or known.get(node, value) != value:
            return False
        if node in known:
            continue
        known[node] = value
        if node.width == 1 and node.op == "not":
            stack.append((node.args[0], 1 - value))
        elif node.width == 1 and node.op == ("and" if value else "or"):
            stack += [(a, value) for a in node.args]
        elif node.op == ("eq" if value else "ne") and node.args[1].op == "literal":
            stack.append((node.args[0], node.args[1].attr))
    return True


def _consistent(nodes, known):
    """Compute what can be computed from what is known; False if a node would have another value."""
    values = dict(known)
    for node in topological(list(nodes)):
        value = _value(node, values)
        if value is not None:
            if values.get(node, value) != value:
                return False
            values[node] = value
    return True


def _value(node, values):
    if node.op in ("literal", "input"):
        return node.attr if node.op == "literal" else values.get(node)
    args = [values.get(a) for a in node.args]
    if None not in args:
        return evaluate(node.op, node.width, args, [a.width for a in node.args], node.attr)
    if node.width == 1 and node.op in ("and", "or"):
        decides = int(node.op == "or")
        return decides if decides in args else None
    if node.op == "select" and args[0] is not None:
        return args[1] if args[0] else args[2]
    return None


def _tried(p, q):
    """True if no values of the bits that decide make both hold; False as well if they are too many."""
    order, leaves, stack, seen = [], [], [p, q], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op in TRANSPARENT:
            stack += node.args
        elif node.op != "literal":
            leaves.append(node)
    if sum(leaf.width for leaf in leaves) > MAX_BITS:
        return False
    order = [n for n in topological([p, q]) if n in seen and n not in leaves]
    for given in itertools.product(*(range(1 << leaf.width) for leaf in leaves)):
        values = dict(zip(leaves, given))
        for node in order:
            args = [values[a] for a in node.args]
            values[node] = (
                node.attr
                if node.op == "literal"
                else evaluate(node.op, node.width, args, [a.width for a in node.args], node.attr)
            )
        if values[p] and values[q]:
            return False
    return True
