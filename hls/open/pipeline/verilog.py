"""A scheduled step as SystemVerilog.

One module per step: a wire per operation, a register per stage that a value outlives, the state, and a chain of valid
bits that says which stages hold a step. Values of later stages are named `<value>__<stage>`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological
from hls.open.pipeline.checks import check_lines, place
from hls.open.pipeline.schedule import Timing, schedule

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step
    from hls.open.pipeline.schedule import Schedule

GO = "go"  # the port that says there is room behind the stage for all that may be in flight
MIRRORED = ("zext", "sext")  # rather made anew in each stage than carried along


@dataclass
class Stage:
    """A step as Verilog: module text and the number of pipeline stages.

    `timing` is what was asked for; `longest_ps` the longest delay within a stage, in ps of the fabric's model, which is
    above `timing.budget_ps` where feedback or the decision to begin takes longer. `forward` names the RAMs that give a
    word that is read in the cycle in which it is written as it is written. `plan` and `carried` say what the text holds
    where (`invariants.py`): {(node, stage): register}.
    """

    step: object
    text: str
    depth: int
    timing: Timing
    longest_ps: int
    forward: set = field(default_factory=set)
    plan: Schedule = None
    carried: dict = field(default_factory=dict)


def generate(step: Step, timing: Timing = Timing()) -> Stage:
    """Return the `Stage` of a `Step`.

    Raises
    ------
    Refused
        If the step can't run once per cycle (`schedule.py`).
    """
    plan = schedule(step, timing)
    writer = _Writer(step, plan)
    text = writer.text()
    return Stage(step, text, plan.depth, timing, plan.longest_ps, plan.forward, plan, writer.hardware)


class _Writer:
    def __init__(self, step, plan):
        self.step, self.plan = step, plan
        self.names = {}  # node -> name where it appears
        self.wires, self.clocked = [], []
        self.carried = {}  # (node, stage) -> name
        self.names |= {r.value: f"s_{r.name}" for r in step.registers}
        self.names |= {p.data: f"{p.name}_data" for p in step.ports if p.direction == "in"}
        self.names |= {p.data: f"{p.name}_rd_resp" for p in step.ports if p.direction == "read"}

    def text(self):
        """Return the module."""
        ends = [r.next for r in self.step.registers] + [
            n for p in self.step.ports for n in (p.predicate, p.data, p.address) if n is not None
        ]
        for node in topological(ends):
            self.define(node)
        ports = [
            "input wire clk",
            "input wire rst",
            f"input wire {GO}_data",
            f"input wire {GO}_valid",
            f"output wire {GO}_ready",
        ]
        body = []
        for p in self.step.ports:
            ports += self._port_declaration(p)
            body += self._port(p)
        for p in self.step.ports:
            if p.direction == "read" and p.independent:
                body += self._promise(p)
        start = " & ".join([f"{GO}_valid", *(self._start(p) for p in self.step.ports if p.direction == "in")])
        state = self._state()
        chain = [f"wire valid_0 = {start};", f"assign {GO}_ready = valid_0;"]
        if self.plan.depth > 1:
            # 0 from the start: before the first reset, nothing may be written to a RAM. What an initial block writes,
            # an always_ff block may not (IEEE 1800, 9.2.2.4).
            chain += [f"reg [{self.plan.depth - 1}:1] valid;", "initial valid = '0;", "always @(posedge clk) begin"]
            chain += [f"    valid[{k}] <= !rst && {_valid(k - 1)};" for k in range(1, self.plan.depth)] + ["end"]
        registers = (
            ["always_ff @(posedge clk) begin", *(f"    {line}" for line in self.clocked), "end"] if self.clocked else []
        )
        self.hardware = dict(self.carried)  # the checks carry values of their own
        lines = [
            *self._declarations(),
            *self.wires,
            *chain,
            *body,
            *registers,
            *state,
            *check_lines(self, valid=_valid),
        ]
        return (
            f"module {self.step.name} (\n    "
            + ",\n    ".join(ports)
            + "\n);\n"
            + "".join(f"    {line}\n" for line in lines)
            + "endmodule\n"
        )

    # -- ports and state

    def _port_declaration(self, p):
        if p.direction == "in":
            return [
                f"input wire {_range(p.width)}{p.name}_data",
                f"input wire {p.name}_valid",
                f"output wire {p.name}_ready",
            ]
        if p.direction == "out":
            return [
                f"output wire {_range(p.width)}{p.name}_data",
                f"output wire {p.name}_valid",
                f"input wire {p.name}_ready",
            ]
        if p.direction == "read":
            return [
                f"output wire {_range(p.address.width)}{p.name}_rd_req",
                f"input wire {_range(p.width)}{p.name}_rd_resp",
            ]
        return [
            f"output wire {_range(p.address.width + p.width)}{p.name}_wr_data",
            f"output wire {p.name}_wr_valid",
            f"input wire {p.name}_wr_ready",
        ]

    def _start(self, p):
        predicate = self.at(p.predicate, 0)
        if p.predicate.op == "literal":
            return f"{p.name}_valid" if p.predicate.attr else "1'b1"
        return f"({p.name}_valid | !{predicate})"

    def _port(self, p):
        if p.direction == "in":
            return [f"assign {p.name}_ready = valid_0 & {self.at(p.predicate, 0)};"]
        if p.direction == "read":
            return [f"assign {p.name}_rd_req = {self.at(p.address, self.plan.issue[p.name])};"]
        stage = self.plan.done[p.name, p.direction]
        valid = f"{_valid(stage)} & {self.at(p.predicate, stage)}"
        if p.direction == "out":
            return [f"assign {p.name}_data = {self.at(p.data, stage)};", f"assign {p.name}_valid = {valid};"]
        return [
            f"assign {p.name}_wr_data = {{{self.at(p.address, stage)}, {self.at(p.data, stage)}}};",
            f"assign {p.name}_wr_valid = {valid};",
        ]

    def _promise(self, read):
        """Hold the kernel to `independent()`: no word is read while a write of an earlier step to it is under way.

        A write that lands in the cycle of the read or later, by a step that read in an earlier cycle, is too late. The
        read is judged once its predicate and all these writes are known.
        """
        write = self.step.port(read.name, "write")
        issue = self.plan.issue[read.name]
        flight = 0 if write is None else self.plan.done[read.name, "write"] - issue
        if flight <= 0:
            return []
        known = issue if read.predicate.op == "literal" else self.plan.stage[read.predicate]  # nothing is carried there
        after = max(known - issue, flight - 1)  # cycles from the read to the judgement
        name, bits = read.name, read.address.width
        late = [
            f"{name}_wr_was[{after - k}] && {name}_wr_at[{after - k}] == {name}_rd_at[{after}]" for k in range(flight)
        ]
        waits = after - (known - issue)
        return [
            "`ifndef SYNTHESIS",
            f"reg [{bits - 1}:0] {name}_rd_at [0:{after}];",
            f"reg [{bits - 1}:0] {name}_wr_at [0:{after}];",
            f"reg {name}_wr_was [0:{after}];",
            f"reg {name}_rd_was [0:{waits}];",
            "always @* begin",
            f"    {name}_rd_at[0] = {name}_rd_req;",
            f"    {name}_wr_at[0] = {name}_wr_data[{bits + read.width - 1}:{read.width}];",
            f"    {name}_wr_was[0] = {name}_wr_valid;",
            f"    {name}_rd_was[0] = {_valid(known)} & {self.at(read.predicate, known)};",
            "end",
            "always @(posedge clk) begin",
            *(f"    {name}_rd_at[{k}] <= {name}_rd_at[{k - 1}];" for k in range(1, after + 1)),
            *(f"    {name}_wr_at[{k}] <= {name}_wr_at[{k - 1}];" for k in range(1, after + 1)),
            *(f"    {name}_wr_was[{k}] <= !rst && {name}_wr_was[{k - 1}];" for k in range(1, after + 1)),
            *(f"    {name}_rd_was[{k}] <= !rst && {name}_rd_was[{k - 1}];" for k in range(1, waits + 1)),
            f"    if (!rst && {name}_rd_was[{waits}] && ({' || '.join(late)}))",
            f"        $fatal(1, \"{place(read.where)}: '{name}' is not independent: word %0d is read while the "
            f'write of a step before is under way", {name}_rd_at[{after}]);',
            "end",
            "`endif",
        ]

    def _state(self):
        """State registers by stage: kept while their stage holds no step."""
        lines = []
        by_stage = {}
        for r in self.step.registers:
            by_stage.setdefault(self.plan.stage[r.value], []).append(r)
        for stage, registers in sorted(by_stage.items()):
            lines += ["always_ff @(posedge clk) begin", "    if (rst) begin"]
            lines += [f"        s_{r.name} <= {r.width}'h{r.reset:x};" for r in registers]
            lines += [f"    end else if ({_valid(stage)}) begin"]
            lines += [f"        s_{r.name} <= {self.at(r.next, stage)};" for r in registers]
            lines += ["    end", "end"]
        return lines

    def _declarations(self):
        lines = [f"reg {_range(r.width)}s_{r.name};" for r in self.step.registers]
        return lines + [f"reg {_range(node.width)}{name};" for (node, _), name in self.carried.items()]

    # -- values

    def at(self, node, stage):
        """Return the name (or text) of a node's value in a stage, carrying it there."""
        if node.op == "literal":
            return f"{node.width}'h{node.attr:x}"
        first = self.plan.stage[node]
        if stage == first:
            return self.names[node]
        if node.op in MIRRORED:
            return self._extension(node, self.at(node.args[0], stage))
        have = stage
        while have > first and (node, have) not in self.carried:
            have -= 1
        name = self.names[node] if have == first else self.carried[node, have]
        for later in range(have + 1, stage + 1):
            before, name = name, f"{self.names[node]}__{later}"
            self.carried[node, later] = name
            self.clocked.append(f"{name} <= {before};")
        return name

    def _extension(self, node, inner):
        more, width = node.width - node.args[0].width, node.args[0].width
        if node.op == "zext":
            return f"{{{more}'h0, {inner}}}"
        return f"{{{{{more}{{{inner if width == 1 else f'{inner}[{width - 1}]'}}}}}, {inner}}}"

    def define(self, node):
        if node in self.names or node.op in ("literal", "input"):
            return
        name = self.names[node] = f"n{node.id}"
        if node in self.plan.takes:
            a, b = (self.at(x, self.plan.takes[node]) for x in node.args)
            (wa, wb) = (x.width for x in node.args)
            self.wires.append(f"wire {_range(node.width)}{name};")
            self.wires.append(
                f"hls_open_multiply #(.A({wa}), .B({wb}), .P({node.width})) {name}_multiply "
                f"(.clk(clk), .a({a}), .b({b}), .p({name}));"
            )
            return
        args = [self.at(a, self.plan.stage[node]) for a in node.args]
        self.wires += self._expression(node, name, args)

    def _expression(self, node, name, args):
        op, declared = node.op, f"wire {_range(node.width)}{name}"
        widths = [a.width for a in node.args]
        if op == "slice":
            high = node.attr + node.width - 1
            source = args[0]
            if not source.replace("_", "").isalnum():  # an extension written out
                self.wires.append(f"wire {_range(widths[0])}{name}_of = {source};")
                source = f"{name}_of"
            return [
                f"{declared} = {source}[{high}:{node.attr}];"
                if node.width > 1
                else f"{declared} = {source}[{node.attr}];"
            ]
        if op in MIRRORED:
            return [f"{declared} = {self._extension(node, args[0])};"]
        if op in _BINARY:
            return [f"{declared} = {args[0]} {_BINARY[op]} {args[1]};"]
        if op in ("slt", "sle"):
            return [f"{declared} = $signed({args[0]}) {'<' if op == 'slt' else '<='} $signed({args[1]});"]
        if op == "smul":
            return [
                f"wire signed {_range(sum(widths))}{name}_whole = $signed({args[0]}) * $signed({args[1]});",
                f"{declared} = {name}_whole[{node.width - 1}:0];",
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
            last = len(args) - 2
            picked = f"{name}_all[{args[0]}*{node.width} +: {node.width}]"
            full = widths[0] < 31 and 1 << widths[0] <= last + 1
            return [
                f"wire {_range(node.width * (last + 1))}{name}_all = {{{', '.join(reversed(args[1:]))}}};",
                f"{declared} = {picked};"
                if full
                else f"{declared} = {args[0]} < {widths[0]}'d{last} ? {picked} : {args[-1]};",
            ]
        if op == "reverse":
            return [
                f"wire [{widths[0] - 1}:0] {name}_of = {args[0]};",
                f"{declared} = {{{', '.join(f'{name}_of[{i}]' for i in range(widths[0]))}}};",
            ]
        if op in ("ctz", "clz"):
            bits = range(widths[0]) if op == "ctz" else range(widths[0] - 1, -1, -1)
            chain = "".join(f"{name}_of[{i}] ? {node.width}'d{k} : " for k, i in enumerate(bits))
            return [
                f"wire [{widths[0] - 1}:0] {name}_of = {args[0]};",
                f"{declared} = {chain}{node.width}'d{widths[0]};",
            ]
        raise ValueError(f"no Verilog for operation {op}")


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


def _valid(stage):
    return f"valid[{stage}]" if stage else "valid_0"


def _range(width):
    return f"[{width - 1}:0] " if width > 1 else ""
