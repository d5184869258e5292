"""A lowered kernel: its dataflow graph, the registers it keeps, the ports it serves."""

from __future__ import annotations

from dataclasses import dataclass, field

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

    def port(self, name: str, direction: str) -> Port:
        return next((p for p in self.ports if (p.name, p.direction) == (name, direction)), None)
