"""A design under proof: a wrapper in SystemVerilog with what is assumed, what is claimed and what has to be reachable.

The wrapper is the only place of assertions; the shipped RTL has none. It looks into the design by wires of its own that
nothing drives, until `yosys.py` connects them to those inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hls.open.pipeline.claims import Claim, bits, inside

TOP = "proof"  # the wrapper's module


@dataclass
class Bench:
    """What one proof is about.

    Attributes
    ----------
    module : str
        The module under proof.
    parameters : str
        As a report prints them.
    sources : list of str
        Verilog texts of the design.
    inputs : dict of {str: int}
        Ports of the wrapper with their widths: free in every cycle. `clk` and `rst` are there anyway.
    looks : dict of {str: str}
        Path of a wire inside the design -> its range (`"[3:0] "` or `""`).
    body : list of str
        Instances and reference logic.
    assumptions, invariants, properties : list of Claim
        The invariants look into the design, and are proved together with the properties they help to prove.
    cover : list of Claim
        Each has to be reachable.
    show : tuple of str
        Wires of the wrapper that a trace shows.
    """

    module: str
    parameters: str
    sources: list
    inputs: dict
    looks: dict = field(default_factory=dict)
    body: list = field(default_factory=list)
    assumptions: list = field(default_factory=list)
    invariants: list = field(default_factory=list)
    properties: list = field(default_factory=list)
    cover: list = field(default_factory=list)
    show: tuple = ()

    def text(self) -> str:
        """Return the wrapper."""
        ports = ["input wire clk", "input wire rst"] + [
            f"input wire {bits(width)}{name}" for name, width in self.inputs.items()
        ]
        lines = [f"wire {span}{inside(path)};" for path, span in self.looks.items()]
        lines += self.body
        for kind, claims in (
            ("assume", self.assumptions),
            ("assert", [*self.invariants, *self.properties]),
            ("cover", self.cover),
        ):
            lines += [f"always @* {c.name}: {kind} ({c.expression});  // {c.says}" for c in claims]
        return (
            "`default_nettype none\n"
            f"module {TOP} (\n    " + ",\n    ".join(ports) + "\n);\n" + "".join(f"    {line}\n" for line in lines)
        ) + "endmodule\n`default_nettype wire\n"


# Reset: the one assumption on the environment that all clocked designs share. Until the first reset nothing is claimed.
STARTED = "reg started = 1'b0; always @(posedge clk) started <= 1'b1;"
RESET_FIRST = Claim("reset_first", "started || rst", "reset in the first cycle; later at any time, or never")
