"""Is a step well formed? Checked for every step between lowering and scheduling."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step

SAME = {"add", "sub", "and", "or", "xor", "not"}  # as wide as all arguments
FIRST = {"shl", "shr", "sra"}  # as wide as the first one
COMPARE = {"eq", "ne", "ult", "ule", "slt", "sle"}


class Malformed(AssertionError):
    """A step breaks the rules of the dataflow form."""


def verify_step(step: Step, leaves: Iterable[str]) -> None:
    """Check widths, that everything has one writer and nothing lacks a value.

    Parameters
    ----------
    step : Step
    leaves : iterable of str
        Names of the scalars of the state: each has to be a register.

    Raises
    ------
    Malformed
    """
    _require(sorted(r.name for r in step.registers) == sorted(leaves), "not every member is one register")
    sources = [r.value for r in step.registers] + [p.data for p in step.ports if p.direction in ("in", "read")]
    _require(len(set(sources)) == len(sources), "two registers or ports have one value")
    _require(len({(p.name, p.direction) for p in step.ports}) == len(step.ports), "a port is served twice")
    for r in step.registers:
        _require(
            r.next is not None and r.next.width == r.value.width == r.width, f"register {r.name}: no or wrong value"
        )
        _require(0 <= r.reset < 1 << r.width, f"register {r.name}: reset value {r.reset}")
    ends = [r.next for r in step.registers]
    for p in step.ports:
        is_ram = p.direction in ("read", "write")
        _require(p.predicate is not None and p.predicate.width == 1, f"port {p.name}: no predicate")
        _require(p.data is not None and p.data.width == p.width, f"port {p.name}: data of another width")
        _require((p.address is not None) == is_ram, f"port {p.name}: an address only for RAMs")
        ends += [p.predicate, p.data] + ([p.address] if is_ram else [])
    for c in step.checks:
        _require(c.predicate.width == c.ok.width == 1, f"check at {c.where}: not one bit")
        ends += [c.predicate, c.ok]
    known = set(sources)
    for node in topological(ends):
        _require(node.op != "input" or node in known, f"{node} comes from nowhere")
        _require(_widths(node), f"{node} of {node.args}: widths")


def _require(holds, what):
    if not holds:
        raise Malformed(what)


def _widths(node):
    widths = [a.width for a in node.args]
    if node.width < 1:
        return False
    if node.op in SAME:
        return all(w == node.width for w in widths)
    if node.op in FIRST:
        return widths[0] == node.width
    if node.op in COMPARE:
        return node.width == 1 and widths[0] == widths[1]
    if node.op == "concat":
        return sum(widths) == node.width
    if node.op == "slice":
        return 0 <= node.attr and node.attr + node.width <= widths[0]
    if node.op in ("zext", "sext"):
        return widths[0] < node.width
    if node.op == "select":
        return widths == [1, node.width, node.width]
    if node.op == "index":
        return len(widths) > 1 and all(w == node.width for w in widths[1:])
    if node.op == "literal":
        return 0 <= node.attr < 1 << node.width
    return True
