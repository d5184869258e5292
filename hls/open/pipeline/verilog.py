"""A scheduled step as SystemVerilog.

One module per step: a wire per operation, a register per stage that a value outlives, the state, and a chain of valid
bits that says which stages hold a step. Values of later stages are named `<value>__<stage>`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological
from hls.open.names import Names, stage_names
from hls.open.pipeline.checks import check_lines, place
from hls.open.pipeline.schedule import schedule
from hls.open.pipeline.timing import Timing

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step
    from hls.open.pipeline.timing import Schedule

GO = "go"  # the port that says there is room behind the stage for all that may be in flight
PARTS = {  # of a port, by its direction
    "in": ("data", "valid", "ready"),
    "out": ("data", "valid", "ready"),
    "read": ("rd_req", "rd_resp"),
    "write": ("wr_data", "wr_valid", "wr_ready"),
}
MIRRORED = ("zext", "sext")  # rather made anew in each stage than carried along


@dataclass
class Stage:
    """A step as Verilog: module text and the number of pipeline stages.

    `timing` is what was asked for; `longest_ps` the longest delay within a stage, in ps of the fabric's model, which is
    above `timing.budget_ps` where feedback or the decision to begin takes longer. `pipeline` and `module` are the names
    of the modules, of the text and of the stage around it (`netlist.py`); `signals` what the pipeline calls its ports:
    (stream or RAM, direction, part) -> name. `products` counts the multiplications, `forward` names the RAMs that give
    a word that is read in the cycle in which it is written as it is written. `plan` and `carried` say what the text
    holds where (`invariants.py`): {(node, stage): register}.
    """

    step: object
    text: str
    depth: int
    timing: Timing
    longest_ps: int
    pipeline: str
    module: str
    signals: dict
    products: int
    forward: set = field(default_factory=set)
    plan: Schedule = None
    carried: dict = field(default_factory=dict)


def generate(step: Step, timing: Timing = Timing(), modules: tuple[str, str] | None = None) -> Stage:
    """Return the `Stage` of a `Step`.

    Parameters
    ----------
    step : Step
    timing : Timing
    modules : tuple of str, optional
        What pipeline and stage are called (`names.stage_names`), where several kernels are used together.

    Raises
    ------
    Refused
        If the step can't run once per cycle (`schedule.py`).
    """
    plan = schedule(step, timing)
    pipeline, module = modules or stage_names([step.name])[step.name]
    writer = _Writer(step, plan)
    text = writer.text(pipeline)
    return Stage(
        step,
        text,
        plan.depth,
        timing,
        plan.longest_ps,
        pipeline,
        module,
        writer.signals,
        writer.products,
        plan.forward,
        plan,
        writer.hardware,
    )


class _Writer:
    def __init__(self, step, plan):
        self.step, self.plan = step, plan
        self.names = {}  # node -> name where it appears
        self.wires, self.clocked = [], []
        self.carried = {}  # (node, stage) -> name
        self.taken = Names()
        parts = [(p.name, p.direction, part) for p in step.ports for part in PARTS[p.direction]]
        parts += [("clk", "", ""), ("rst", "", ""), *((GO, "", part) for part in PARTS["in"])]
        self.signals = {key: self.taken.take("_".join(filter(None, (key[0], key[2])))) for key in parts}
        self.clk, self.rst = self.signals["clk", "", ""], self.signals["rst", "", ""]
        self.start, self.chain = self.taken.take("valid_0"), self.taken.take("valid")
        self.names |= {r.value: self.taken.take(f"s_{r.name}") for r in step.registers}
        self.names |= {p.data: self.signals[p.name, "in", "data"] for p in step.ports if p.direction == "in"}
        self.names |= {p.data: self.signals[p.name, "read", "rd_resp"] for p in step.ports if p.direction == "read"}

    def text(self, module):
        """Return the module."""
        ends = [r.next for r in self.step.registers] + [
            n for p in self.step.ports for n in (p.predicate, p.data, p.address) if n is not None
        ]
        for node in topological(ends):
            self.define(node)
        go_data, go_valid, go_ready = (self.signals[GO, "", part] for part in PARTS["in"])
        clocked = f"@(posedge {self.clk}) begin"
        ports = [
            f"input wire {self.clk}",
            f"input wire {self.rst}",
            f"input wire {go_data}",
            f"input wire {go_valid}",
            f"output wire {go_ready}",
        ]
        body = []
        for p in self.step.ports:
            ports += self._port_declaration(p)
            body += self._port(p)
        for p in self.step.ports:
            if p.direction == "read" and p.independent:
                body += self._promise(p)
        start = " & ".join([go_valid, *(self._start(p) for p in self.step.ports if p.direction == "in")])
        state = self._state()
        chain = [f"wire {self.start} = {start};", f"assign {go_ready} = {self.start};"]
        if self.plan.depth > 1:
            # 0 from the start: before the first reset, nothing may be written to a RAM. What an initial block writes,
            # an always_ff block may not (IEEE 1800, 9.2.2.4).
            chain += [
                f"reg [{self.plan.depth - 1}:1] {self.chain};",
                f"initial {self.chain} = '0;",
                f"always {clocked}",
            ]
            chain += [
                f"    {self.chain}[{k}] <= !{self.rst} && {self.valid(k - 1)};" for k in range(1, self.plan.depth)
            ]
            chain += ["end"]
        registers = [f"always_ff {clocked}", *(f"    {line}" for line in self.clocked), "end"] if self.clocked else []
        self.hardware = dict(self.carried)  # the checks carry values of their own
        lines = [
            *self._declarations(),
            *self.wires,
            *chain,
            *body,
            *registers,
            *state,
        ]
        self.products = sum(node.op == "smul" for node in self.names)
        lines += check_lines(self)
        return (
            f"module {module} (\n    "
            + ",\n    ".join(ports)
            + "\n);\n"
            + "".join(f"    {line}\n" for line in lines)
            + "endmodule\n"
        )

    # -- ports and state

    def _port_declaration(self, p):
        names = [self.signals[p.name, p.direction, part] for part in PARTS[p.direction]]
        if p.direction == "in":
            return [f"input wire {_range(p.width)}{names[0]}", f"input wire {names[1]}", f"output wire {names[2]}"]
        if p.direction == "out":
            return [f"output wire {_range(p.width)}{names[0]}", f"output wire {names[1]}", f"input wire {names[2]}"]
        if p.direction == "read":
            return [f"output wire {_range(p.address.width)}{names[0]}", f"input wire {_range(p.width)}{names[1]}"]
        bits = _range(p.address.width + p.width)
        return [f"output wire {bits}{names[0]}", f"output wire {names[1]}", f"input wire {names[2]}"]

    def _start(self, p):
        predicate, valid = self.at(p.predicate, 0), self.signals[p.name, "in", "valid"]
        if p.predicate.op == "literal":
            return valid if p.predicate.attr else "1'b1"
        return f"({valid} | !{predicate})"

    def _port(self, p):
        names = [self.signals[p.name, p.direction, part] for part in PARTS[p.direction]]
        if p.direction == "in":
            return [f"assign {names[2]} = {self.start} & {self.at(p.predicate, 0)};"]
        if p.direction == "read":
            return [f"assign {names[0]} = {self.at(p.address, self.plan.issue[p.name])};"]
        stage = self.plan.done[p.name, p.direction]
        valid = f"{self.valid(stage)} & {self.at(p.predicate, stage)}"
        data = [self.at(n, stage) for n in (p.address, p.data) if n is not None]
        return [
            f"assign {names[0]} = {data[0] if len(data) == 1 else f'{{{data[0]}, {data[1]}}}'};",
            f"assign {names[1]} = {valid};",
        ]

    def valid(self, stage):
        """Return what is true while a pipeline stage holds a step."""
        return f"{self.chain}[{stage}]" if stage else self.start

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
        req = self.signals[name, "read", "rd_req"]
        wr_data, wr_valid = (self.signals[name, "write", part] for part in ("wr_data", "wr_valid"))
        rd_at, wr_at, wr_was, rd_was = (
            self.taken.take(f"{name}_{part}") for part in ("rd_at", "wr_at", "wr_was", "rd_was")
        )
        late = [f"{wr_was}[{after - k}] && {wr_at}[{after - k}] == {rd_at}[{after}]" for k in range(flight)]
        waits = after - (known - issue)
        return [
            "`ifndef SYNTHESIS",
            f"reg [{bits - 1}:0] {rd_at} [0:{after}];",
            f"reg [{bits - 1}:0] {wr_at} [0:{after}];",
            f"reg {wr_was} [0:{after}];",
            f"reg {rd_was} [0:{waits}];",
            "always @* begin",
            f"    {rd_at}[0] = {req};",
            f"    {wr_at}[0] = {wr_data}[{bits + read.width - 1}:{read.width}];",
            f"    {wr_was}[0] = {wr_valid};",
            f"    {rd_was}[0] = {self.valid(known)} & {self.at(read.predicate, known)};",
            "end",
            f"always @(posedge {self.clk}) begin",
            *(f"    {rd_at}[{k}] <= {rd_at}[{k - 1}];" for k in range(1, after + 1)),
            *(f"    {wr_at}[{k}] <= {wr_at}[{k - 1}];" for k in range(1, after + 1)),
            *(f"    {wr_was}[{k}] <= !{self.rst} && {wr_was}[{k - 1}];" for k in range(1, after + 1)),
            *(f"    {rd_was}[{k}] <= !{self.rst} && {rd_was}[{k - 1}];" for k in range(1, waits + 1)),
            f"    if (!{self.rst} && {rd_was}[{waits}] && ({' || '.join(late)}))",
            f'        $fatal(1, "{_text(f"{place(read.where)}: {name!r}")} is not independent: word %0d is read while '
            f'the write of a step before is under way", {rd_at}[{after}]);',
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
            lines += [f"always_ff @(posedge {self.clk}) begin", f"    if ({self.rst}) begin"]
            lines += [f"        {self.names[r.value]} <= {r.width}'h{r.reset:x};" for r in registers]
            lines += [f"    end else if ({self.valid(stage)}) begin"]
            lines += [f"        {self.names[r.value]} <= {self.at(r.next, stage)};" for r in registers]
            lines += ["    end", "end"]
        return lines

    def _declarations(self):
        lines = [f"reg {_range(r.width)}{self.names[r.value]};" for r in self.step.registers]
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
            before, name = name, self.taken.take(f"{self.names[node]}__{later}")
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
        name = self.names[node] = self.taken.take(f"n{node.id}")
        if node in self.plan.takes:
            a, b = (self.at(x, self.plan.takes[node]) for x in node.args)
            (wa, wb) = (x.width for x in node.args)
            self.wires.append(f"wire {_range(node.width)}{name};")
            self.wires.append(
                f"hls_open_multiply #(.A({wa}), .B({wb}), .P({node.width})) "
                f"{self.taken.take(f'{name}_multiply')} (.clk({self.clk}), .a({a}), .b({b}), .p({name}));"
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
                whole = self.taken.take(f"{name}_of")
                self.wires.append(f"wire {_range(widths[0])}{whole} = {source};")
                source = whole
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
            whole = self.taken.take(f"{name}_whole")
            return [
                f"wire signed {_range(sum(widths))}{whole} = $signed({args[0]}) * $signed({args[1]});",
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
            last, everything = len(args) - 2, self.taken.take(f"{name}_all")
            picked = f"{everything}[{args[0]}*{node.width} +: {node.width}]"
            full = widths[0] < 31 and 1 << widths[0] <= last + 1
            return [
                f"wire {_range(node.width * (last + 1))}{everything} = {{{', '.join(reversed(args[1:]))}}};",
                f"{declared} = {picked};"
                if full
                else f"{declared} = {args[0]} < {widths[0]}'d{last} ? {picked} : {args[-1]};",
            ]
        if op == "reverse":
            whole = self.taken.take(f"{name}_of")
            return [
                f"wire [{widths[0] - 1}:0] {whole} = {args[0]};",
                f"{declared} = {{{', '.join(f'{whole}[{i}]' for i in range(widths[0]))}}};",
            ]
        if op in ("ctz", "clz"):
            bits = range(widths[0]) if op == "ctz" else range(widths[0] - 1, -1, -1)
            whole = self.taken.take(f"{name}_of")
            chain = "".join(f"{whole}[{i}] ? {node.width}'d{k} : " for k, i in enumerate(bits))
            return [
                f"wire [{widths[0] - 1}:0] {whole} = {args[0]};",
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


def _text(text):
    """Text in a format string of Verilog."""
    return text.replace("%", "%%").replace("\\", "\\\\").replace('"', "'")


def _range(width):
    return f"[{width - 1}:0] " if width > 1 else ""
