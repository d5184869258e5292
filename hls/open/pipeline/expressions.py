"""Operations as Verilog: what a wire is assigned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node

MIRRORED = ("zext", "sext")  # rather made anew in each stage than carried along
_BINARY = {
    "add": "+",
    "sub": "-",
    "and": "&",
    "or": "|",
    "xor": "^",
    "shl": "<<",
    "shr": ">>",
    "eq": "==",
    "ne": "!=",
    "ult": "<",
    "ule": "<=",
}


def vector(width: int) -> str:
    """Return how a wire of some bits is declared, between `wire` and its name."""
    return f"[{width - 1}:0] " if width > 1 else ""


def extension(node: Node, inner: str) -> str:
    """Return an extension of a text, by zeros or by its sign."""
    more, width = node.width - node.args[0].width, node.args[0].width
    if node.op == "zext":
        return f"{{{more}'h0, {inner}}}"
    return f"{{{{{more}{{{inner if width == 1 else f'{inner}[{width - 1}]'}}}}}, {inner}}}"


def expression(node: Node, name: str, args: Sequence[str], take: Callable[[str], str]) -> list[str]:
    """Return the lines that declare a wire and give it an operation's value.

    Parameters
    ----------
    node : Node
        Any operation but a product in a DSP.
    name : str
        Of the wire.
    args : sequence of str
        Texts of the arguments.
    take : callable
        Makes a name one that nothing else has.

    Raises
    ------
    ValueError
        If there is no such operation.
    """
    op, declared = node.op, f"wire {vector(node.width)}{name}"
    widths = [a.width for a in node.args]
    if op == "slice":
        high = node.attr + node.width - 1
        source = args[0]
        first = []
        if not source.replace("_", "").isalnum():  # an extension written out
            whole = take(f"{name}_of")
            first, source = [f"wire {vector(widths[0])}{whole} = {source};"], whole
        return [
            *first,
            f"{declared} = {source}[{high}:{node.attr}];" if node.width > 1 else f"{declared} = {source}[{node.attr}];",
        ]
    if op in MIRRORED:
        return [f"{declared} = {extension(node, args[0])};"]
    if op in _BINARY:
        return [f"{declared} = {args[0]} {_BINARY[op]} {args[1]};"]
    if op in ("slt", "sle"):
        return [f"{declared} = $signed({args[0]}) {'<' if op == 'slt' else '<='} $signed({args[1]});"]
    if op == "smul":
        whole = take(f"{name}_whole")
        return [
            f"wire signed {vector(sum(widths))}{whole} = $signed({args[0]}) * $signed({args[1]});",
            f"{declared} = {whole}[{node.width - 1}:0];",
        ]
    if op == "sra":
        return [f"{declared} = $signed({args[0]}) >>> {args[1]};"]
    if op == "not":
        return [f"{declared} = ~{args[0]};"]
    if op == "concat":
        return [f"{declared} = {{{', '.join(args)}}};"]
    if op == "select":
        return [f"{declared} = {args[0]} ? {args[1]} : {args[2]};"]
    if op == "index":
        last, everything = len(args) - 2, take(f"{name}_all")
        picked = f"{everything}[{args[0]}*{node.width} +: {node.width}]"
        full = widths[0] < 31 and 1 << widths[0] <= last + 1
        return [
            f"wire {vector(node.width * (last + 1))}{everything} = {{{', '.join(reversed(args[1:]))}}};",
            f"{declared} = {picked};"
            if full
            else f"{declared} = {args[0]} < {widths[0]}'d{last} ? {picked} : {args[-1]};",
        ]
    if op == "reverse":
        whole = take(f"{name}_of")
        return [
            f"wire [{widths[0] - 1}:0] {whole} = {args[0]};",
            f"{declared} = {{{', '.join(f'{whole}[{i}]' for i in range(widths[0]))}}};",
        ]
    if op in ("ctz", "clz"):
        bits = range(widths[0]) if op == "ctz" else range(widths[0] - 1, -1, -1)
        whole = take(f"{name}_of")
        chain = "".join(f"{whole}[{i}] ? {node.width}'d{k} : " for k, i in enumerate(bits))
        return [
            f"wire [{widths[0] - 1}:0] {whole} = {args[0]};",
            f"{declared} = {chain}{node.width}'d{widths[0]};",
        ]
    raise ValueError(f"no Verilog for operation {op}")
