"""The meaning of every operation of the dataflow form, as Python integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node


def signed(value: int, width: int) -> int:
    """Read the low `width` bits of `value` as a two's complement number."""
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def evaluate(op: str, width: int, values: list[int], widths: list[int], attr: int | None = None) -> int:
    """Return the result of an operation on unsigned argument values, cut to `width` bits."""
    mask = (1 << width) - 1
    a = values[0] if values else 0
    b = values[1] if len(values) > 1 else 0
    if op in _TWO:
        return _TWO[op](a, b) & mask
    wa = widths[0]
    if op == "slice":
        return a >> attr & mask
    if op == "zext":
        return a
    if op == "sext":
        return signed(a, wa) & mask
    if op == "not":
        return ~a & mask
    if op == "concat":
        result = 0
        for value, w in zip(values, widths):
            result = result << w | value
        return result
    if op == "select":
        return values[1] if a else values[2]
    if op == "index":
        return values[1:][min(a, len(values) - 2)]
    if op == "smul":
        return signed(a, wa) * signed(b, widths[1]) & mask
    if op == "sra":
        return signed(a, wa) >> min(b, wa) & mask
    if op in ("slt", "sle"):
        x, y = signed(a, wa), signed(b, wa)
        return int(x < y if op == "slt" else x <= y)
    if op == "ctz":
        return (a & -a).bit_length() - 1 if a else wa
    if op == "clz":
        return wa - a.bit_length()
    if op == "reverse":
        return int(f"{a:0{wa}b}"[::-1], 2)
    raise ValueError(f"no such operation: {op}")


_TWO = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << min(b, 1 << 16),
    "shr": lambda a, b: a >> b,
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "ult": lambda a, b: int(a < b),
    "ule": lambda a, b: int(a <= b),
}


def run(outputs: list[Node], inputs: dict[str, int]) -> list[int]:
    """Evaluate dataflow nodes.

    Parameters
    ----------
    outputs : list of Node
    inputs : dict
        Input name -> unsigned value.

    Returns
    -------
    list of int
    """
    values = {}
    for node in topological(outputs):
        if node.op == "literal":
            values[node] = node.attr
        elif node.op == "input":
            values[node] = inputs[node.attr] & ((1 << node.width) - 1)
        else:
            values[node] = evaluate(
                node.op, node.width, [values[a] for a in node.args], [a.width for a in node.args], node.attr
            )
    return [values[node] for node in outputs]


def topological(outputs: list[Node], before: Callable[[Node], tuple[Node, ...]] | None = None) -> list[Node]:
    """All nodes that the outputs depend on, arguments before users; `before` gives a node's, if not its arguments."""
    order, seen = [], set()
    stack = [(node, False) for node in reversed(outputs)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            more = node.args if before is None else before(node)
            stack.extend((a, False) for a in reversed(more) if a not in seen)
    return order
