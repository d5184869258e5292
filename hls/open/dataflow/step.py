"""A lowered kernel: its dataflow graph, the registers it keeps, the ports it serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hls.open.dataflow.evaluate import topological
from hls.open.dataflow.graph import Graph
from hls.open.dataflow.nodes import Node


@dataclass
class Port:
    """A stream or RAM port of a step: one operation per step, done if `predicate`.

    direction: "in", "out" (streams), "read", "write" (RAMs). `data` is what comes in (an input node) or goes out.
    `independent`: the kernel promises that no step reads a word of this RAM soon after it was written (lib/ram.h).
    """

    name: str
    direction: str
    width: int
    predicate: Node = None
    data: Node = None
    address: Node = None
    depth: int = 0
    independent: bool = False
    where: str = ""  # file:line of an access


@dataclass
class Register:
    """A scalar of the state: its input node, its value after the step and after reset."""

    name: str
    width: int
    value: Node
    next: Node = None
    reset: int = 0


@dataclass(frozen=True)
class Check:
    """What has to hold in a step: where `predicate` is true, so is `ok`; otherwise the simulation stops with `text`.

    Checks are no part of the hardware.
    """

    predicate: Node
    ok: Node
    where: str  # file:line
    text: str


@dataclass
class Step:
    """One kernel: everything a step reads, computes, keeps and sends."""

    name: str
    graph: Graph
    registers: list = field(default_factory=list)
    ports: list = field(default_factory=list)
    checks: list = field(default_factory=list)
    streams: tuple = ()  # names of the parameters of `step`, in order
    wide: Step | None = None  # the step before it was narrowed
    words: dict = field(default_factory=dict)  # stream -> read.layout.Layout of what it carries
    memories: dict = field(default_factory=dict)  # RAM -> read.layout.Ram

    def port(self, name: str, direction: str) -> Port:
        return next((p for p in self.ports if (p.name, p.direction) == (name, direction)), None)

    def outputs(self) -> list[Node]:
        """What all of a step's hardware is computed for: next values of registers, and what ports are given."""
        return [r.next for r in self.registers] + [
            n for p in self.ports for n in (p.predicate, p.data, p.address) if n is not None
        ]

    def replace(self, new: dict[Node, Node], whole: Callable[[Node], bool] = lambda node: True) -> None:
        """Put other nodes in the place of the outputs, and of what the checks look at.

        Parameters
        ----------
        new : dict
            At least for all nodes that the outputs depend on.
        whole : callable
            True for a node whose successor has all of its bits. Checks keep, or make again, those that have not: no
            hardware is made for them.
        """
        exact = {}
        for node in topological([n for c in self.checks for n in (c.predicate, c.ok)]):
            if node in new and whole(node):
                exact[node] = new[node]
            else:
                args = tuple(exact[a] for a in node.args)
                exact[node] = node if args == node.args else self.graph.again(node, args)
        self.checks = [replace(c, predicate=exact[c.predicate], ok=exact[c.ok]) for c in self.checks]
        for r in self.registers:
            r.next = new[r.next]
        for p in self.ports:
            p.predicate, p.data = new[p.predicate], new[p.data]
            p.address = new[p.address] if p.address is not None else None
