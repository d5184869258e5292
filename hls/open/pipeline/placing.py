"""The earliest stage of each operation of a step, by the rules of `schedule.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological
from hls.open.dataflow.loops import components
from hls.open.errors import Refused
from hls.open.pipeline.fabric import FREE, SHALLOW_RAM
from hls.open.pipeline.timing import FAN_OUT, MULTIPLY_STAGES, RAM_LAG, RAM_LATENCY, SHARED, WIDE, Schedule

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.dataflow.step import Port

# Of logic between a FIFO's registers and its data: a net to many LUT RAMs, one of them, and a net from there. An
# addition does not share a stage with that.
FIFO_LEVELS = 3.5


def source(node: Node) -> Node:
    """Return what a value is an extension of."""
    return source(node.args[0]) if node.op in ("zext", "sext") else node


class Placing:
    """Puts every operation of a step where it is ready first."""

    def __init__(self, step, timing, period_ps, least, apart):
        self.step, self.timing, self.period_ps, self.least, self.apart = step, timing, period_ps, least, apart
        self.fabric, self.limit = timing.fabric, timing.budget_ps
        self.registers = {r.value: r for r in step.registers}
        self.reads = {p.data: p for p in step.ports if p.direction == "read"}
        self.inputs = {p.data for p in step.ports if p.direction == "in"}
        self.written = {p.name: p for p in step.ports if p.direction == "write"}
        ends = [r.next for r in step.registers] + [r.value for r in step.registers]
        ends += [n for p in step.ports for n in (p.predicate, p.data, p.address) if n is not None]
        self.order = topological(ends)
        self.position = {n: i for i, n in enumerate(self.order)}
        self.early = self._early()
        self.groups = components(self.order, self.before)
        self.looped = {n for group in self.groups if self._is_loop(group) for n in group}
        self.loads = self._loads()
        self.shared = {}  # what products take -> how many of them
        for node in self.order:
            if self.sequential(node):
                for a in set(map(source, node.args)):
                    self.shared[a] = self.shared.get(a, 0) + 1
        # Wide state has an enable with copies, which come from a register: not in the first stage behind the decision.
        late = sum(r.width for r in step.registers if r.value not in self.early)
        self.first_state = 2 if late > WIDE else 1

    def before(self, node: Node) -> tuple[Node, ...]:
        """What a node's value is made of, also by way of registers and RAMs."""
        if node in self.registers:
            return (self.registers[node].next,)
        if node in self.reads:
            return (self.reads[node].address, *self._written_back(self.reads[node]))
        return node.args

    def _written_back(self, port):
        """What a word is made of that the next step may read."""
        write = self.written.get(port.name)
        return () if write is None or port.independent else (write.predicate, write.address, write.data)

    def most(self, port: Port) -> int:
        """Most stages from the read to the write of a RAM."""
        if port.independent:
            return RAM_LAG
        return 1 if self.step.port(port.name, "read").data in self.looped else self.apart

    def _forwards(self, port):
        """Whether a RAM may have to forward."""
        return bool(self._written_back(port)) and self.most(port) > 0

    def _compared(self, port, nodes, stage):
        """When the comparison of a RAM's addresses is done, of which these nodes are part."""
        if not self._forwards(port):
            return 0
        return self._start(nodes, stage) + self.fabric.equal(port.address.width)

    def _early(self):
        """What decides whether a step begins: the predicates of streams that are read, and all behind them."""
        early, stack = set(), [p.predicate for p in self.step.ports if p.direction == "in"]
        while stack:
            node = stack.pop()
            if node in early:
                continue
            early.add(node)
            if node in self.reads:
                raise Refused(
                    f"'{self.step.name}' can't run one step per cycle: data of RAM '{self.reads[node].name}' decides "
                    f"whether a stream is read; "
                    "read the RAM in one step and decide in the next",
                    self.reads[node].where,
                )
            stack.extend(self.before(node))
        return early

    def _is_loop(self, group):
        return len(group) > 1 or group[0] in self.before(group[0])

    def _loads(self):
        """Single-bit loads of each node, per bit of it: a condition drives every bit of what it selects."""
        loads = {}
        for node in self.order:
            for i, a in enumerate(node.args):
                loads[a] = loads.get(a, 0) + (node.width if node.op == "select" and i == 0 else 1)
        return loads

    def heavy(self, node: Node) -> bool:
        """Whether a condition drives so much that it has to come from a register, whose copies share the load."""
        return node.width == 1 and node.op not in FREE and self.loads.get(node, 0) > FAN_OUT

    def _waits(self, args, stage):
        """Whether one of some arguments has to go through a register first that would come in this stage."""
        return any(
            self.heavy(a) and self.stage[a] == stage and a not in self.registers and a not in self.reads for a in args
        )

    def out_of(self, node: Node, arrival: int) -> int:
        """When a value arrives at the operations it feeds."""
        return arrival + self.fabric.fan_out(self.loads.get(node, 1))

    def sequential(self, node: Node) -> bool:
        """True for a product that goes through a DSP's registers."""
        return (
            node.op == "smul"
            and node not in self.looped
            and node not in self.early
            and all(a.op != "literal" for a in node.args)
        )

    # -- as soon as possible

    def plan(self, served: dict[str, int]) -> Schedule:
        self.stage, self.arrival, self.takes, self.issue = {}, {}, {}, {}
        for group in self.groups:
            if self._is_loop(group):
                self._place_loop(group)
            else:
                self._place(group[0])
        done = {}
        for p in self.step.ports:
            if p.direction == "in":
                done[p.name, "in"] = 0
            elif p.direction in ("out", "write"):
                done[p.name, p.direction] = max(
                    1,
                    served.get(p.name, 1) if p.direction == "out" else 1,
                    *(self.stage[n] for n in (p.predicate, p.data, p.address) if n is not None),
                )
                if p.direction == "write" and p.name in self.issue:
                    at = max(done[p.name, "write"], self.issue[p.name])
                    if self.step.port(p.name, "read").data not in self.looped:
                        at += self._compared(p, (p.predicate, p.address), at) > self.limit
                    done[p.name, "write"] = at
        return Schedule(self.stage, self.takes, self.issue, done)

    def _start(self, args, stage):
        """When the last of some arguments arrives in a stage."""
        return max(
            (self.out_of(a, self.arrival[a]) for a in args if self.stage[a] == stage and a.op != "literal"), default=0
        )

    def _set(self, node, stage, arrival):
        self.stage[node], self.arrival[node] = stage, arrival

    def _place(self, node):
        late = node not in self.early
        if node.op == "literal":
            self._set(node, 0, 0)
        elif node in self.inputs:
            self._set(node, 0, int(FIFO_LEVELS * self.fabric.level) + self.fabric.fan_out(node.width))
        elif node in self.reads:
            port = self.reads[node]
            self.issue[port.name] = issue = self._issue(port)
            self._set(node, issue + RAM_LATENCY, self._ram_delay(port))
        elif node in self.registers:
            first = max(self.stage[self.registers[node].next], self.first_state)
            self._set(node, first if late else 0, 0)
        elif node.op == "input":
            self._set(node, 0, 0)
        else:
            stage = max(self.stage[a] for a in node.args)
            start = self._start(node.args, stage)
            if self.sequential(node):
                stage += any(self.shared.get(source(a), 0) >= SHARED for a in node.args)
                self.takes[node] = stage
                self._set(node, stage + MULTIPLY_STAGES, 0)
                return
            delay = self.fabric.delay(node)
            if late and (start and start + delay > self.limit or self._waits(node.args, stage)):
                stage, start = stage + 1, 0
            self._set(node, stage, start + delay)

    def _issue(self, port):
        """The first stage in which the address of a RAM may go out."""
        issue = max(self.stage[port.address], self.least.get(port.name, 0))
        arrival = max(self._start([port.address], issue), self._compared(port, [port.address], issue))
        return issue + (arrival > self.limit)

    def _ram_delay(self, port):
        """Clock to data of a RAM; what forwards is a selection behind it, by a register that drives every bit of it."""
        stored = 0 if port.depth <= SHALLOW_RAM else self.fabric.ram
        if not self._forwards(port):
            return stored
        return max(stored, self.fabric.fan_out(port.width)) + self.fabric.level // 2

    def _place_loop(self, group):
        """Place what feeds back through registers or through RAMs: all of it in one stage."""
        inside = set(group)
        reads = [n for n in group if n in self.reads]
        for node in reads:
            if self.reads[node].address in inside:
                raise self._refused_address(self.reads[node], reads)
        values = [n for n in group if n in self.registers]
        written = [n for r in reads for n in self._written_back(self.reads[r])]
        ordered = [n for n in group if n not in self.registers and n not in self.reads]
        ordered.sort(key=self.position.__getitem__)
        if group[0] in self.early:
            self._try_loop(values, reads, ordered, 0)
            return
        outside = [a for n in ordered for a in n.args] + written
        outside = [a for a in outside if a not in inside and a.op != "literal"]
        stage = max((self.stage[a] for a in outside), default=0)
        stage += self._waits(outside, stage)
        stage = max([stage, self.first_state, *(self._issue(self.reads[r]) + RAM_LATENCY for r in reads)])
        limit = min(self.limit, self.period_ps) if reads else self.limit
        delay = self._try_loop(values, reads, ordered, stage)
        if delay > limit:
            delay = self._try_loop(values, reads, ordered, stage + 1)
        if reads and delay > self.period_ps:
            port = self.reads[reads[0]]
            raise Refused(
                f"RAM '{port.name}' is written with what was read there, with {delay} ps of logic between, but what "
                f"the next step may read has to be there within one clock period, {self.period_ps} ps: compute less "
                f"between, ask for a slower clock, or, if no step reads a word that one of the {RAM_LAG} steps before "
                f"it wrote, promise so: {port.name}.independent()",
                port.where,
            )

    def _refused_address(self, port, reads):
        """The refusal of a RAM whose address depends on what was read, there or in another RAM."""
        stack, seen = [port.address], set()
        while stack:
            node = stack.pop()
            if node not in seen and node is not port.data:
                seen.add(node)
                if node in self.registers:
                    stack.append(self.registers[node].next)
                else:
                    stack.extend((self.reads[node].address,) if node in self.reads else node.args)
            elif node is port.data:
                return Refused(
                    f"'{self.step.name}' can't run one step per cycle: data of RAM '{port.name}' decides what the next "
                    f"step does; read it in one step and use it in the next",
                    port.where,
                )
        first = next(self.reads[r] for r in reads if r in seen)
        return Refused(
            f"RAM '{first.name}' is written with what was read there, by way of the address of '{port.name}': two "
            f"reads one after the other take two cycles, and the next step may read that word; read '{first.name}' in "
            f"one step and '{port.name}' in the next, or, if no step reads a word that one of the {RAM_LAG} steps "
            f"before it wrote, promise so: {first.name}.independent()",
            port.where,
        )

    def _try_loop(self, values, reads, ordered, stage):
        """Place a loop in a stage; return its longest delay."""
        for v in values:
            self._set(v, stage, 0)
        for r in reads:
            self.issue[self.reads[r].name] = stage - RAM_LATENCY
            self._set(r, stage, self._ram_delay(self.reads[r]))
        for n in ordered:
            self._set(n, stage, self._start(n.args, stage) + self.fabric.delay(n))
        worst = max((self.arrival[n] for n in [*reads, *ordered]), default=0)
        for port in (self.reads[r] for r in reads):
            write = self.written[port.name]
            worst = max(worst, self._compared(port, (write.predicate, write.address), stage))
        return worst
