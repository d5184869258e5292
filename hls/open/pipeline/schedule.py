"""Which pipeline stage each operation of a step belongs to.

A step enters stage 0 and moves on by one stage per cycle without ever waiting; the next step is right behind it.
A register of the state is read and written in one stage, so that every step finds what the step before it left there:
what feeds state back shares a stage. Everything else goes where it is ready first and is then moved towards its users
as long as that saves pipeline registers.

Rules beyond the delay of a stage (`fabric.py`):

- whether a stream is read is decided in stage 0, together with whether the step begins;
- no other state lives in stage 0, whose enable comes late, and nothing is written there: later stages have their
  enable from a register;
- a RAM's data comes RAM_LATENCY stages after its address, and what a step writes lands in the stage of its read: the
  next step finds it. What is made of what was read there comes a stage later, and all of it shares that stage, like
  feedback of the state; then the next step reads while it is written, and the RAM forwards (`Schedule.forward`);
- a RAM that is promised to be independent is written up to RAM_LAG stages after its read: its kernel may read an
  address again RAM_LAG + 1 steps after it wrote it;
- a product outside a feedback takes MULTIPLY_STAGES stages: the registers of a DSP in front of, inside and behind its
  multiplier.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological
from hls.open.dataflow.loops import components
from hls.open.errors import Refused
from hls.open.pipeline.fabric import SERIES7_1, SHALLOW_RAM, Fabric, fabric_of

if TYPE_CHECKING:
    from hls.open.dataflow.step import Port, Step

RAM_LATENCY = 1
RAM_LAG = 2
RELAX = (1, 1.5, 2.2, 3.3, 5)  # times the delay that fits into a stage
MULTIPLY_STAGES = 3
FIFO_LEVELS = 1.5  # of logic between a FIFO's registers and its data


@dataclass(frozen=True)
class Timing:
    """What decides the pipeline; `budget_ps` is the delay that fits into a stage (`Fabric.budget`)."""

    fabric: Fabric = SERIES7_1
    budget_ps: int = SERIES7_1.budget(150)

    @property
    def period_ps(self) -> int:
        """Logic that a whole clock period takes, of which `budget_ps` is the share that is planned."""
        return int((self.budget_ps + self.fabric.register) / self.fabric.share) - self.fabric.register

    @staticmethod
    def at(part: str, clock_mhz: float) -> Timing:
        """Return the `Timing` of a part at a clock.

        Raises
        ------
        Refused
            If the part is unknown, or no logic at all fits between two registers at that clock.
        """
        fabric = fabric_of(part)
        if not 0 < clock_mhz < 1e6:
            raise Refused(f"a clock of {clock_mhz:g} MHz: it has to be above 0, for example 150")
        return Timing(fabric, fabric.budget(clock_mhz))


@dataclass
class Schedule:
    """Stages of a step.

    Attributes
    ----------
    stage : dict of {Node: int}
        Where a node's value is first there.
    takes : dict of {Node: int}
        Where a product takes its arguments; a node with latency.
    issue : dict of {str: int}
        Where the address of a RAM goes out.
    done : dict of {(str, str): int}
        Where a port (name, direction) is served.
    forward : set of str
        RAMs that have to give a word that is read in the cycle in which it is written as it is written.
    depth : int
        Number of stages.
    longest_ps : int
        The longest delay within a stage, from registers to the end of an operation; what begins a step (valid and
        room of the streams, and what they enable in stage 0) comes on top.
    """

    stage: dict
    takes: dict
    issue: dict
    done: dict
    forward: set = field(default_factory=set)
    depth: int = 0
    longest_ps: int = 0


def schedule(step: Step, timing: Timing = Timing()) -> Schedule:
    """Return the `Schedule` of a `Step`.

    Raises
    ------
    Refused
        If RAM data decides the next step, or a RAM is written long after it was read.
    """
    served = _served(step.wide, timing) if step.wide else {}
    # Most stages from the read to the write of a RAM that isn't written with what was read there: none, if that goes.
    choices = (0, 1) if any(p.direction == "write" and not p.independent for p in step.ports) else (0,)
    for factor in RELAX:  # what is written to a RAM may take its time from what was read there
        for apart in choices:
            relaxed = replace(timing, budget_ps=int(timing.budget_ps * factor))
            plan, late = _plan(step, relaxed, timing.period_ps, apart, served)
            if not late:
                return plan
    port = step.port(late[0], "write")
    raise Refused(
        f"RAM '{port.name}' is written more than {lag(port)} cycles after it is read: what is written may depend on "
        f"what was read by little logic only, without another RAM or a product between",
        port.where,
    )


def _served(wide, timing):
    """Stream that is written -> the stage in which the step as it was written, not yet narrowed, serves it.

    A kernel's cycles are what its C++ and the clock make of it. What is found out of its values makes operations
    smaller and moves no output.
    """
    try:
        done = schedule(wide, timing).done
    except Refused:  # it doesn't fit as it was written
        return {}
    return {name: stage for (name, direction), stage in done.items() if direction == "out"}


def lag(port: Port) -> int:
    """How many stages after its read a RAM may be written."""
    return RAM_LAG if port.independent else 1


def _plan(step, timing, period_ps, apart, served):
    """Return the schedule for this budget, and the names of the RAMs that would be written too late in it.

    `served`: output stream -> the earliest stage in which it may be written.
    """
    least = {}
    for _ in range(len(step.ports) + 2):
        planner = _Planner(step, timing, period_ps, least, apart)
        plan = planner.plan(served)
        late = {
            p.name: plan.done[p.name, "write"] - planner.most(p)
            for p in step.ports
            if p.direction == "write"
            and p.name in plan.issue
            and plan.done[p.name, "write"] > plan.issue[p.name] + planner.most(p)
        }
        if not late:
            return planner.sink(plan), []
        least |= late
    return None, list(late)


class _Last:
    """Where a value is used last, and where by all but that user. Users only move to later stages."""

    __slots__ = ("user", "stage", "other")

    def __init__(self) -> None:
        self.user, self.stage, self.other = None, -1, -1

    def note(self, user, stage):
        """`user` takes the value in this stage, and in no earlier one any more."""
        if user == self.user:
            self.stage = max(self.stage, stage)
        elif stage > self.stage:
            self.user, self.stage, self.other = user, stage, self.stage
        else:
            self.other = max(self.other, stage)

    def but(self, user):
        """The last use by another user; -1 if there is none."""
        return self.other if user == self.user else self.stage


class _Planner:
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

    def before(self, node):
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

    def most(self, port):
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

    def out_of(self, node, arrival):
        """When a value arrives at the operations it feeds."""
        return arrival + self.fabric.fan_out(self.loads.get(node, 1))

    def sequential(self, node):
        """True for a product that goes through a DSP's registers."""
        return (
            node.op == "smul"
            and node not in self.looped
            and node not in self.early
            and all(a.op != "literal" for a in node.args)
        )

    # -- as soon as possible

    def plan(self, served):
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
            self._set(node, 0, int(FIFO_LEVELS * self.fabric.level))
        elif node in self.reads:
            port = self.reads[node]
            self.issue[port.name] = issue = self._issue(port)
            self._set(node, issue + RAM_LATENCY, self._ram_delay(port))
        elif node in self.registers:
            self._set(node, max(self.stage[self.registers[node].next], 1) if late else 0, 0)
        elif node.op == "input":
            self._set(node, 0, 0)
        else:
            stage = max(self.stage[a] for a in node.args)
            start = self._start(node.args, stage)
            if self.sequential(node):
                self.takes[node] = stage
                self._set(node, stage + MULTIPLY_STAGES, 0)
                return
            delay = self.fabric.delay(node)
            if late and start and start + delay > self.limit:
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
        stage = max((self.stage[a] for a in outside if a not in inside and a.op != "literal"), default=0)
        stage = max([stage, 1, *(self._issue(self.reads[r]) + RAM_LATENCY for r in reads)])
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

    # -- later, where that saves registers

    def sink(self, plan):
        """Move values towards their users; return the plan with its depth and longest path."""
        users = self._users(plan)
        last = {node: _Last() for node in users}
        for node, of in users.items():
            for user in of:
                last[node].note(user, self.taken(user, plan))
        need = {}  # node -> latest moment within its stage, in ps
        fixed = self.early | self.looped | set(self.registers) | self.inputs
        for group in reversed(self.groups):
            if (
                len(group) == 1
                and group[0] not in fixed
                and group[0].op not in ("literal", "input")
                or group[0] in self.reads
                and group[0] not in self.looped
            ):
                self._move(group[0], plan, users, need, last)
            for node in group:
                need[node] = self._needed(node, plan, users, need)
        plan.forward = {
            name
            for name, port in self.written.items()
            if name in plan.issue and not port.independent and plan.done[name, "write"] > plan.issue[name]
        }
        self._measure(plan)
        plan.depth = 1 + max([0, *plan.done.values(), *(plan.stage[r.value] for r in self.step.registers)])
        return plan

    def _users(self, plan):
        """Node -> list of (stage in which it is taken, user or None): functions, since users move."""
        users = {n: [] for n in self.order}
        for n in self.order:
            for a in set(n.args):
                users[a].append(n)
        for r in self.step.registers:
            users[r.next].append(r.value)
        for p in self.step.ports:
            if p.direction == "read":
                users[p.address].append(p.data)
            else:
                for n in (p.predicate, p.data if p.direction != "in" else None, p.address):
                    if n is not None:
                        users[n].append((p.name, p.direction))
        return users

    def taken(self, user, plan):
        """The stage in which a user takes its arguments."""
        if isinstance(user, tuple):
            return plan.done[user]
        if user in self.reads:
            return plan.issue[self.reads[user].name]
        return plan.takes.get(user, plan.stage[user])

    def _needed(self, node, plan, users, need):
        """When a value has to be there, within the stage in which it appears."""
        latest = self.limit
        for user in users[node]:
            if (
                self.taken(user, plan) == plan.stage[node]
                and not isinstance(user, tuple)
                and user not in self.reads
                and user not in self.registers
                and user not in plan.takes
            ):
                latest = min(
                    latest,
                    need.get(user, self.limit) - self.fabric.delay(user) - self.fabric.fan_out(self.loads.get(node, 1)),
                )
        return latest

    def _move(self, node, plan, users, need, last):
        takes = plan.takes.get(node, plan.issue[self.reads[node].name] if node in self.reads else plan.stage[node])
        latency = plan.stage[node] - takes
        latest = min((self.taken(u, plan) for u in users[node]), default=plan.stage[node]) - latency
        port = self.reads.get(node)
        if port is not None and (port.name, "write") in plan.done:
            latest = min(latest, plan.done[port.name, "write"])
        args = dict.fromkeys(a for a in self.before(node) if a.op != "literal")
        # Each argument's width, by the stage from which on it would be carried for this node alone.
        ends = sorted((max(plan.stage[a], last[a].but(node)), a.width) for a in args)

        def saves(stage):
            return node.width * (stage - takes) - sum(width * max(0, stage - end) for end, width in ends)

        best, carried = latest, 0
        for end, width in ends:  # what a stage more saves gets less with every argument that has to be carried
            carried += width
            if carried > node.width:
                best = min(best, end)
                break
        while best > takes and saves(best) >= 0 and not self._fits(node, best, latency, plan, users, need):
            best = best - 1 if best == latest else takes  # only in the stage of its first user it has to hurry
        if best <= takes or saves(best) < 0:
            best = takes
        if best != takes:
            plan.stage[node] = best + latency
            if node in self.reads:
                plan.issue[self.reads[node].name] = best
            elif node in plan.takes:
                plan.takes[node] = best
            for a in args:
                last[a].note(node, best)

    def _fits(self, node, stage, latency, plan, users, need):
        """True if a node's value is there in time when it takes its arguments in this stage."""
        old = plan.stage[node]
        plan.stage[node] = stage + latency
        arrival = self.arrival[node] if latency else self._start(node.args, stage) + self.fabric.delay(node)
        fits = arrival <= self._needed(node, plan, users, need)
        plan.stage[node] = old
        return fits

    def _measure(self, plan):
        """Arrivals of the final plan."""
        for node in self.order:
            stage = plan.stage[node]
            if node.args and node not in plan.takes:
                self.arrival[node] = self._start(node.args, stage) + self.fabric.delay(node)
            elif node in plan.takes:
                self.arrival[node] = 0
        compared = [
            self._compared(port, (port.predicate, port.address), plan.done[name, "write"])
            for name, port in self.written.items()
            if name in plan.forward
        ]
        plan.longest_ps = max([*self.arrival.values(), *compared], default=0)
