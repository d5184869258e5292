"""Operations no wider than what is known of their values and what is needed of their results.

Two walks over a finished step: forwards, which bits of each value are known (`known.py`, and its bounds); backwards,
which bits anything depends on. Then every operation is made again, on the bits that are both needed and unknown. What
remains of a value above and below are literals or copies of its sign. State, ports and what they carry keep their
widths.

Here, where all that asks for the form of a sum or a product is done, products with few digits become shifts and sums
(`Graph.scale`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological
from hls.open.dataflow.passes.known import Known, known

if TYPE_CHECKING:
    from hls.open.dataflow.graph import Graph
    from hls.open.dataflow.nodes import Node
    from hls.open.dataflow.step import Step

BITWISE = ("and", "or", "xor", "not", "select", "index")
COMPARE = ("eq", "ne", "ult", "ule", "slt", "sle")


def narrow(step: Step) -> None:
    """Narrow the operations of a step, in place; `step.wide` keeps it as it was."""
    copies = {"registers": [replace(r) for r in step.registers], "ports": [replace(p) for p in step.ports]}
    step.wide = replace(step, **copies)
    outputs = step.outputs()
    order = topological(outputs)
    facts = known(order)
    need = demanded(order, outputs, facts)
    new = narrowed(step.graph, order, need, facts)
    step.replace(new, lambda node: not node.args or need[node] == (1 << node.width) - 1)


def demanded(order: list[Node], outputs: list[Node], facts: dict[Node, Known]) -> dict[Node, int]:
    """Return the bits of each node that a bit of the outputs depends on, as a mask.

    Parameters
    ----------
    order : list of Node
        Arguments before users.
    outputs : list of Node
        All of whose bits are needed.
    facts : dict
        Of `known`.
    """
    need = dict.fromkeys(order, 0)
    for node in outputs:
        need[node] = (1 << node.width) - 1
    for node in reversed(order):
        if need[node]:
            for a, mask in zip(node.args, _of_arguments(node, need[node], facts)):
                need[a] |= mask
    return need


def _of_arguments(node, mask, facts):
    """Which bits of its arguments some bits of a node depend on."""
    op, args = node.op, node.args
    every = [(1 << a.width) - 1 for a in args]
    if op == "slice":
        return [mask << node.attr]
    if op in ("zext", "sext"):
        inner = args[0].width
        sign = op == "sext" and mask >> inner
        return [mask & every[0] | (1 << (inner - 1) if sign else 0)]
    if op == "concat":
        result = []
        for a, whole in zip(reversed(args), reversed(every)):
            result.append(mask & whole)
            mask >>= a.width
        return result[::-1]
    if op in ("and", "or"):  # where one argument decides, the other one doesn't matter
        decides = [facts[a].zero if op == "and" else facts[a].one for a in args]
        return [mask & ~decides[1], mask & ~(decides[0] & ~decides[1])]
    if op in ("xor", "not"):
        return [mask] * len(args)
    if op in ("select", "index"):
        return [every[0], *[mask] * (len(args) - 1)]
    up_to = (1 << mask.bit_length()) - 1
    if op in ("add", "sub", "smul"):
        return [up_to & whole for whole in every]
    if op == "shl":
        return [up_to, every[1]]
    if op in ("shr", "sra"):
        return [every[0] & ~((mask & -mask) - 1), every[1]]
    return every


def narrowed(graph: Graph, order: list[Node], need: dict[Node, int], facts: dict[Node, Known]) -> dict[Node, Node]:
    """Return a node of the same width for each: the same in the bits that are needed."""
    new = {}
    for node in order:
        zero, one = facts[node][2:]
        live = need[node] & ~(zero | one)
        if not node.args:
            new[node] = node
        elif not live:
            new[node] = graph.literal(one & need[node], node.width)
        else:
            new[node] = _again(graph, node, [new[a] for a in node.args], live, one & need[node], facts)
    return new


def _again(g, node, args, live, ones, facts):
    """One operation on the bits that live, which are neither known nor useless; `ones` are known to be 1."""
    op, width = node.op, node.width
    if op in BITWISE:
        return _bitwise(g, node, args, live, ones, facts[node].bits)
    if op in COMPARE:
        return _compare(g, node.op, args, *(facts[a] for a in node.args))
    if op in ("add", "sub", "smul", "shl"):
        bits, top = facts[node].bits, live.bit_length()
        if op == "shl":
            core = g.shl(g.slice(args[0], 0, top), args[1])
        elif op == "smul":
            core = g.scale(*(_resized(g, a, min(top, bits)) for a in args))
        else:
            core = _sum(g, node, [g.slice(a, 0, min(top, bits)) for a in args], facts)
        return g.sext(core, width) if core.width < top else g.concat(*_literal(g, ones, top, width), core)
    if op in ("shr", "sra"):
        bits = facts[node.args[0]].bits
        if op == "shr" and facts[node.args[0]].low >= 0 and 1 < bits < width:
            return g.zext(g.shr(g.slice(args[0], 0, bits - 1), args[1]), width)
        if op == "sra" and bits < width and live & -live < 1 << bits:
            return g.sext(g.sra(g.slice(args[0], 0, bits), args[1]), width)
    if op == "slice":
        return g.slice(args[0], node.attr, width)
    if op == "concat":
        return g.concat(*args)
    return g.again(node, tuple(args))


def _literal(g, ones, low, high):
    """What is known of the bits low .. high - 1, as a list that is empty if there are none."""
    return [g.literal(ones >> low, high - low)] if high > low else []


def _resized(g, x, width):
    return g.sext(x, width) if width > x.width else g.slice(x, 0, width)


def _bitwise(g, node, args, live, ones, bits):
    low, high = (live & -live).bit_length() - 1, live.bit_length()
    copies = bits < high and live >> (bits - 1) & 1  # what is above bit `bits - 1` is a copy of it
    if copies:
        high = bits
    first = 1 if node.op in ("select", "index") else 0
    cut = [g.slice(a, low, high - low) for a in args[first:]]
    if node.op == "index":
        core = g.index(args[0], cut)
    elif node.op == "select":
        core = g.select(args[0], *cut)
    else:
        core = getattr(g, node.op + "_")(*cut)
    core = g.concat(core, *_literal(g, ones & (1 << low) - 1, 0, low))
    return g.sext(core, node.width) if copies else g.concat(*_literal(g, ones, high, node.width), core)


def _compare(g, op, args, a, b):
    bits = max(a.bits, b.bits)
    if min(a.low, b.low) >= 0 and bits > 1:
        bits, op = bits - 1, op.replace("s", "u")
    return g.compare(op, *(g.slice(x, 0, min(bits, x.width)) for x in args))


def _sum(g, node, args, facts):
    """A sum or a difference above the bits at the end that one side leaves as they are."""
    (a, b), width = args, args[0].width
    zeros = [_zeros(facts[x].zero) for x in node.args]
    if node.op == "add" and zeros[0] > zeros[1]:
        a, b, zeros = b, a, zeros[::-1]
    combine = g.total if node.op == "add" else g.difference
    k = min(zeros[1], width - 1)
    if not k:
        return combine(a, b)
    return g.concat(combine(g.slice(a, k, width - k), g.slice(b, k, width - k)), g.slice(a, 0, k))


def _zeros(mask):
    """How many bits at the end are known to be 0."""
    return (~mask & mask + 1).bit_length() - 1
