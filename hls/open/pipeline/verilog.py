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
from hls.open.pipeline.expressions import MIRRORED, expression, extension, vector
from hls.open.pipeline.schedule import schedule
from hls.open.pipeline.timing import FAN_OUT, SHARED, WIDE, Timing

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


@dataclass
class Stage:
    """A step as Verilog: module text and the number of pipeline stages.

    `timing` is what was asked for; `longest_ps` the longest delay within a stage, in ps of the fabric's model, which is
    above `timing.budget_ps` where feedback or the decision to begin takes longer. `pipeline` and `module` are the names
    of the modules, of the text and of the stage around it (`netlist.py`); `signals` what the pipeline calls its ports:
    (stream or RAM, direction, part) -> name. `products` counts the multiplications, `forward` names the RAMs that give
    a word that is read in the cycle in which it is written as it is written. `plan` and `carried` say what the text
    holds where (`invariants.py`): {(node, stage): register}, with a number behind the stage for a copy; `enables` has
    the {reset, enable} of each part of wide state, and its stage.
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
    enables: dict = field(default_factory=dict)


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
    counted = _Writer(step, plan)
    counted.text(pipeline)
    writer = _Writer(step, plan, counted.loads)
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
        writer.enables,
    )


class _Writer:
    """Writes a module.

    Parameters
    ----------
    step : Step
    plan : Schedule
    loads : dict, optional
        (condition, stage) -> bits that its register drives there, as a writer before has counted them (`loads`): what
        drives many has copies.
    """

    def __init__(self, step, plan, loads=None):
        self.step, self.plan = step, plan
        self.loads, self.many = {}, loads or {}
        self.copies = {}  # (node, stage, number) -> name
        self.enables = {}  # {reset, enable} of a part of the state -> its stage
        self.nexts = {}
        self.names = {}  # node -> name where it appears
        self.wires, self.clocked, self.instances = [], [], []
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
        self.hardware = self.carried | self.copies  # the checks carry values of their own
        self.many = {}
        lines = [
            *self._declarations(),
            *self.wires,
            *chain,
            *self.instances,
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
            return [f"input wire {vector(p.width)}{names[0]}", f"input wire {names[1]}", f"output wire {names[2]}"]
        if p.direction == "out":
            return [f"output wire {vector(p.width)}{names[0]}", f"output wire {names[1]}", f"input wire {names[2]}"]
        if p.direction == "read":
            return [f"output wire {vector(p.address.width)}{names[0]}", f"input wire {vector(p.width)}{names[1]}"]
        bits = vector(p.address.width + p.width)
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
            reset, enable = self.rst, self.valid(stage)
            wide = stage > 1 and sum(r.width for r in registers) > WIDE
            for number, group in enumerate(_groups(registers) if wide else [[(r, 0, r.width) for r in registers]]):
                if wide:
                    # A step that comes after a reset is here two cycles later at the soonest, so the state's own reset
                    # may come a cycle late.
                    reset, enable = (self.taken.take(f"{part}_{stage}_{number}") for part in ("reset", "enable"))
                    both = self.taken.take(f"both_{stage}_{number}")
                    self._register(both, f"{{{self.rst}, !{self.rst} & {self.valid(stage - 1)}}}", 2)
                    self.wires.append(f"wire {reset} = {both}[1], {enable} = {both}[0];")
                    self.enables[both] = stage
                lines += [f"always_ff @(posedge {self.clk}) begin", f"    if ({reset}) begin"]
                lines += [f"        {self._part(r, at, width)} <= {_reset(r, at, width)};" for r, at, width in group]
                lines += [f"    end else if ({enable}) begin"]
                lines += [
                    f"        {self._part(r, at, width)} <= {self._next(r, stage, at, width)};"
                    for r, at, width in group
                ]
                lines += ["    end", "end"]
        return lines

    def _part(self, register, at, width):
        name = self.names[register.value]
        return name if width == register.width else f"{name}[{at + width - 1}:{at}]"

    def _next(self, register, stage, at, width):
        text = self.at(register.next, stage)
        if width == register.width:
            return text
        if register.value not in self.nexts:
            whole = self.nexts[register.value] = self.taken.take(f"next_{register.name}")
            self.wires.append(f"wire {vector(register.width)}{whole} = {text};")
        return f"{self.nexts[register.value]}[{at + width - 1}:{at}]"

    def _declarations(self):
        lines = [f"reg {vector(r.width)}{self.names[r.value]};" for r in self.step.registers]
        return lines + [f"reg {vector(node.width)}{name};" for (node, _), name in self.carried.items()]

    # -- values

    def at(self, node, stage, loads=1):
        """Return the name (or text) of a node's value in a stage, carrying it there; `loads` inputs will take it."""
        if node.op == "literal":
            return f"{node.width}'h{node.attr:x}"
        first = self.plan.stage[node]
        if stage == first:
            return self.names[node]
        if node.op in MIRRORED:
            return extension(node, self.at(node.args[0], stage, loads))
        have = stage
        while have > first and (node, have) not in self.carried:
            have -= 1
        name = self.names[node] if have == first else self.carried[node, have]
        for later in range(have + 1, stage + 1):
            before, name = name, self.taken.take(f"{self.names[node]}__{later}")
            self.carried[node, later] = name
            self.clocked.append(f"{name} <= {before};")
        if node.width > 1 or stage == first:
            return name
        driven = self.loads[node, stage] = self.loads.get((node, stage), 0) + loads
        # The first share has a copy, too: synthesis would give its loads to one of the others.
        return self._copy(node, stage, (driven - 1) // FAN_OUT) if self.many.get((node, stage), 0) > FAN_OUT else name

    def _operand(self, node, stage):
        """Return what a multiplier takes: of what many of them take, its share of the copies."""
        if node.op in MIRRORED:
            return extension(node, self._operand(node.args[0], stage))
        text, key = self.at(node, stage), (node, stage, "products")
        taken = self.loads[key] = self.loads.get(key, 0) + 1
        carried = (node, stage) in self.carried
        return self._copy(node, stage, (taken - 1) // SHARED) if carried and self.many.get(key, 0) > SHARED else text

    def _copy(self, node, stage, number):
        """Return another register of a value that is carried into a stage."""
        if (node, stage, number) not in self.copies:
            source = self.at(node, stage - 1)
            name = self.copies[node, stage, number] = self.taken.take(f"{self.names[node]}__{stage}_copy_{number}")
            self._register(name, source, node.width)
        return self.copies[node, stage, number]

    def _register(self, name, source, width):
        """A register that synthesis does not merge with its like."""
        self.wires.append(f"wire {vector(width)}{name};")
        self.instances.append(
            f"hls_open_copy #(.WIDTH({width})) {self.taken.take(f'{name}_register')} "
            f"(.clk({self.clk}), .d({source}), .q({name}));"
        )

    def define(self, node):
        if node in self.names or node.op in ("literal", "input"):
            return
        name = self.names[node] = self.taken.take(f"n{node.id}")
        if node in self.plan.takes:
            a, b = (self._operand(x, self.plan.takes[node]) for x in node.args)
            (wa, wb) = (x.width for x in node.args)
            self.wires.append(f"wire {vector(node.width)}{name};")
            self.wires.append(
                f"hls_open_multiply #(.A({wa}), .B({wb}), .P({node.width})) "
                f"{self.taken.take(f'{name}_multiply')} (.clk({self.clk}), .a({a}), .b({b}), .p({name}));"
            )
            return
        args = [
            self.at(a, self.plan.stage[node], node.width if node.op == "select" and i == 0 else 1)
            for i, a in enumerate(node.args)
        ]
        self.wires += expression(node, name, args, self.taken.take)


def _groups(registers):
    """Return parts (register, lowest bit, bits) in groups of no more than `FAN_OUT` bits."""
    groups, left = [], 0
    for r in registers:
        at = 0
        while at < r.width:
            width = min(r.width - at, FAN_OUT)
            if width > left:
                groups.append([])
                left = FAN_OUT
            groups[-1].append((r, at, width))
            at, left = at + width, left - width
    return groups


def _reset(register, at, width):
    return f"{width}'h{register.reset >> at & ((1 << width) - 1):x}"


def _text(text):
    """Text in a format string of Verilog."""
    return text.replace("%", "%%").replace("\\", "\\\\").replace('"', "'")
