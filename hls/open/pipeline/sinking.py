"""Later stages for what is placed, where that saves pipeline registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.pipeline.placing import Placing

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.pipeline.timing import Schedule


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


class Planner(Placing):
    """Places a step, then moves values towards their users."""

    def sink(self, plan: Schedule) -> Schedule:
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

    def taken(self, user: Node | tuple[str, str], plan: Schedule) -> int:
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
        if self.heavy(node) and latest > plan.stage[node]:
            latest -= 1  # a register in front of what it drives
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
