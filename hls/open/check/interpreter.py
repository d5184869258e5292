"""A lowered step run by the plain meaning of its operations (`dataflow/evaluate.py`), with its state and RAMs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hls.open.check.reference import Epoch
from hls.open.dataflow.evaluate import evaluate, topological

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step


class Broken(Exception):
    """A step does what C++ leaves undefined, such as an index out of bounds."""


class Interpreter:
    """Runs a `Step`.

    Parameters
    ----------
    step : Step
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.reads = {p.data: p for p in step.ports if p.direction == "read"}
        ends = [r.next for r in step.registers]
        ends += [n for c in step.checks for n in (c.predicate, c.ok)]
        ends += [n for p in step.ports for n in (p.predicate, p.data, p.address) if n is not None]
        self.place, self.plan, done = {}, [], set()
        for node in self._ordered(ends):
            if node in done:
                continue
            done.add(node)
            self.place[node] = len(self.place)
            port = self.reads.get(node)
            what = port if port is not None else node
            args = [port.address] if port is not None else node.args
            self.plan.append((what, [self.place[a] for a in args], [a.width for a in args]))
        self.state = {r.value: r.reset for r in step.registers}
        self.rams = {p.name: [0] * p.depth for p in step.ports if p.direction in ("read", "write")}

    def _ordered(self, ends):
        """Arguments before users; what a RAM gives after its address."""
        return topological(ends, lambda node: (self.reads[node].address,) if node in self.reads else node.args)

    def run(self, words: dict[str, list[int]], steps: int, progress: Callable[[int], None] | None = None) -> Epoch:
        """Run up to `steps` steps, until one would read a stream whose words are used up.

        Parameters
        ----------
        words : dict
            Input stream -> unsigned words.
        steps : int
        progress : callable, optional
            Called now and then with the number of steps since the last call.

        Raises
        ------
        Broken
            If a check of the step fails.
        """
        ports = [self.step.port(name, "in") or self.step.port(name, "out") for name in self.step.streams]
        at = dict.fromkeys(words, 0)
        epoch, told = Epoch([]), 0
        for number in range(steps):
            values = self._evaluate({name: words[name][i] if i < len(words[name]) else 0 for name, i in at.items()})
            row = []
            for port in ports:
                used = values[self.place[port.predicate]]
                if port.direction == "in":
                    if used and at[port.name] >= len(words[port.name]):
                        epoch.starved = True
                        return epoch
                    row.append(str(used))
                else:
                    row.append(f"{values[self.place[port.data]]:0{(port.width + 3) // 4}x}" if used else "-")
            for port in ports:
                if port.direction == "in":
                    at[port.name] += values[self.place[port.predicate]]
            for check in self.step.checks:
                if values[self.place[check.predicate]] and not values[self.place[check.ok]]:
                    raise Broken(f"step {number}: {check.where}: {check.text}")
            self._commit(values)
            epoch.rows.append(row)
            if progress and (number + 1 - told >= 64 or number + 1 == steps):
                progress(number + 1 - told)
                told = number + 1
        return epoch

    def _evaluate(self, heads):
        values = []
        for what, args, widths in self.plan:
            op = getattr(what, "op", None)
            if op is None:  # a RAM's port
                address, ram = values[args[0]], self.rams[what.name]
                values.append(ram[address] if address < len(ram) else 0)
            elif op == "literal":
                values.append(what.attr)
            elif op == "input":
                values.append(self.state[what] if what in self.state else heads[what.attr.removeprefix("in_")])
            else:
                values.append(evaluate(op, what.width, [values[a] for a in args], widths, what.attr))
        return values

    def _commit(self, values):
        for port in self.step.ports:
            if port.direction == "write" and values[self.place[port.predicate]]:
                address = values[self.place[port.address]]
                if address < port.depth:
                    self.rams[port.name][address] = values[self.place[port.data]]
        self.state = {r.value: values[self.place[r.next]] for r in self.step.registers}
