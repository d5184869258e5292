"""What stops a simulation: the checks of a step (`dataflow/step.py`) as SystemVerilog.

No hardware is made of them and none depends on them: they come last, when all of the module is written, and values that
nothing else needs, with their registers, are inside of the guard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological

if TYPE_CHECKING:
    from hls.open.pipeline.verilog import _Writer


def check_lines(writer: _Writer) -> list[str]:
    """Return the lines of a step's checks.

    Parameters
    ----------
    writer : _Writer
        Has written everything else. A value that only checks need appears in the latest stage of what it is made of.
    """
    checks = writer.step.checks
    if not checks:
        return []
    hardware, stage = set(writer.carried), dict(writer.plan.stage)
    writer.plan.stage = stage
    writer.wires, writer.clocked, stops = [], [], []
    for node in topological([n for c in checks for n in (c.predicate, c.ok)]):
        if node not in stage:
            stage[node] = max((stage[a] for a in node.args), default=0)
        writer.define(node)
    for c in checks:
        at = max(stage[c.predicate], stage[c.ok])
        wrong = f"!{writer.rst} & {writer.valid(at)} & {writer.at(c.predicate, at)} & !{writer.at(c.ok, at)}"
        stops.append(
            f"always @(posedge {writer.clk}) if ({wrong}) $fatal(1, {_quoted(f'{place(c.where)}: {c.text}')});"
        )
    new = {key: name for key, name in writer.carried.items() if key not in hardware}
    registers = [f"reg [{node.width - 1}:0] {name};" for (node, _), name in new.items()]
    clocked = (
        [f"always @(posedge {writer.clk}) begin", *(f"    {line}" for line in writer.clocked), "end"] if new else []
    )
    return ["`ifndef SYNTHESIS", *registers, *writer.wires, *clocked, *stops, "`endif"]


def place(where: str) -> str:
    """Return `file:line` without the file's folder, which may be that of the build."""
    return where.rpartition("/")[2]


def _quoted(text):
    """A text for $fatal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
