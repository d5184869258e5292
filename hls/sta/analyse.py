"""Slack of every endpoint, of set-up in both corners, of hold in the slow one, and the paths that decide it.

A path begins at a clock's root, the output of a global buffer, runs along the clock into the launching cell, through
it, and on to the endpoint; the capturing clock runs from the same root. In one corner the launching side takes the
maxima, the capturing one the minima (set-up), or the other way round (hold). What both clocks have in common behind the
root counts as different at first, a little too much, never too little; `hls.sta.common` gives it back where it matters.

The database's set-up and hold times are those of the slow corner: the vendor's figures of it can be put together from
them. So hold has no check in the fast corner, and set-up there is one with times that are too long.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from hls.sta.delays.sdf import FAST_MAX, FAST_MIN, SLOW_MAX, SLOW_MIN
from model.base.errors import UserError

if TYPE_CHECKING:
    from hls.sta.model import Model

# What Vivado takes for a clock of a Zynq's processor: system jitter, ns, and the clock's own as a share of its period.
SYSTEM_JITTER, INPUT_JITTER = 0.071, 0.03
_WHAT = {
    "FDRE": "register",
    "FDSE": "register",
    "FDCE": "register",
    "FDPE": "register",
    "DSP48E1": "DSP",
    "RAMB18E1": "block RAM",
    "RAMB36E1": "block RAM",
    "PS7": "processor",
    "RAMD32": "LUT RAM",
    "RAMS32": "LUT RAM",
    "RAMD64E": "LUT RAM",
    "RAMS64E": "LUT RAM",
    "SRL16E": "shift register",
    "SRLC16E": "shift register",
    "SRLC32E": "shift register",
}


def what(kind: str) -> str:
    """Return a word for a kind of cell."""
    return _WHAT.get(kind, kind)


def uncertainty(period: float) -> float:
    """Return by how much two edges of FCLK0 may come closer than its period, ns.

    Half of the root of the squares of system and input jitter: 0.213 ns at 14 ns, as in Vivado's reports.
    """
    return math.hypot(SYSTEM_JITTER, INPUT_JITTER * period) / 2


def fits(needs: float, jitter: bool = True) -> float:
    """Return the shortest period, ns, for paths that need so long, ns, from one edge to the next.

    Parameters
    ----------
    needs : float
        Positive.
    jitter : bool
        Whether `uncertainty` counts.
    """
    if not jitter:
        return needs
    # period - uncertainty(period) = needs, a quadratic equation of the period.
    a, b = 1 - INPUT_JITTER**2 / 4, needs**2 - SYSTEM_JITTER**2 / 4
    return (needs + math.sqrt(needs**2 - a * b)) / a


@dataclasses.dataclass
class Slacks:
    """One clock's endpoints: checks of the model that it captures, and that a path from it reaches.

    Attributes
    ----------
    root : int
        The clock's node.
    check : numpy.ndarray
        int (endpoints,): numbers of checks.
    times : numpy.ndarray
        float64 (nodes, 4): arrivals from the root, ns.
    period, uncertainty : float
        ns.
    setup, setup_fast, hold : numpy.ndarray
        float64 (endpoints,): slack, ns, in the slow corner or the fast one; hold is NaN without a number.
    launch : numpy.ndarray
        int (endpoints,): node of the output at which the latest path begins.
    launching : set of int
        Clock pins that the clock reaches.
    crossing : int
        Endpoints of another clock that paths from this one reach: not checked.
    paths : dict
        (endpoint, set-up or not) -> edges of the path from the launching clock pin on, where `hls.sta.common` has
        looked.
    """

    root: int
    period: float
    uncertainty: float
    check: np.ndarray
    times: np.ndarray
    setup: np.ndarray
    setup_fast: np.ndarray
    hold: np.ndarray
    launch: np.ndarray
    launching: set[int]
    crossing: int
    paths: dict[tuple[int, bool], list[int]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Hop:
    """A step of a path: `ns` through a cell (its kind and place) or along a wire (`kind` is "wire")."""

    kind: str
    place: str
    ns: float


@dataclasses.dataclass
class Path:
    """A path from a clock's root to an endpoint.

    Attributes
    ----------
    slack, owes, launch_clock, capture_clock : float
        ns; `owes`: set-up time, or hold time as a negative number; when the clock is at both cells.
    hops : list of Hop
        From the launching cell on.
    start, end : str
        Ports.
    """

    slack: float
    owes: float
    launch_clock: float
    capture_clock: float
    hops: list[Hop]
    start: str
    end: str

    @property
    def logic(self) -> float:
        """What cells take, and what the endpoint owes, ns."""
        return sum(hop.ns for hop in self.hops if hop.kind != "wire") + self.owes

    @property
    def wire(self) -> float:
        """What wires take, ns."""
        return sum(hop.ns for hop in self.hops if hop.kind == "wire")

    @property
    def levels(self) -> int:
        """Cells between the two ends; a carry chain counts all of its CARRY4."""
        return sum(hop.kind != "wire" for hop in self.hops) - 1


def slacks(model: Model, period: float, jitter: bool = True) -> list[Slacks]:
    """Return the slack of every endpoint, clock by clock, the one with most endpoints first.

    Parameters
    ----------
    model : Model
    period : float
        Of all clocks, ns.
    jitter : bool
        Whether `uncertainty` counts, in set-up.

    Raises
    ------
    UserError
        If nothing has a clock.
    """
    if not model.clocks:
        raise UserError("the bitstream has no cell with a clock that is known, so there is nothing to time")
    checks = model.checks
    owner = np.full(len(model.ports), -1)
    for root, pins in model.clocks.items():
        owner[pins] = root
    found = []
    unsure = uncertainty(period) if jitter else 0.0
    for root in model.clocks:
        times = model.graph.arrivals(np.array([root]))
        reached = times[checks.pin, SLOW_MAX] > -np.inf
        mine = owner[checks.clock] == root
        first = launches(model, times, model.clocks[root])
        check = np.flatnonzero(reached & mine & (first[checks.pin] >= 0))
        data, clock = times[checks.pin[check]], times[checks.clock[check]]
        setup, hold = checks.setup[check], checks.hold[check]
        found.append(
            Slacks(
                root,
                period,
                unsure,
                check,
                times,
                period - unsure + clock[:, SLOW_MIN] - setup - data[:, SLOW_MAX],
                period - unsure + clock[:, FAST_MIN] - setup - data[:, FAST_MAX],
                data[:, SLOW_MIN] - clock[:, SLOW_MAX] - hold,
                first[checks.pin[check]],
                set(model.clocks[root]),
                int(np.count_nonzero(reached & ~mine & (owner[checks.clock] >= 0))),
            )
        )
    return sorted(found, key=lambda one: -len(one.check))


def launches(model: Model, times: np.ndarray, clock_pins: list[int]) -> np.ndarray:
    """Return for each node the output of a clocked cell at which the latest path to it begins; int (nodes,), else -1.

    Parameters
    ----------
    model : Model
    times : numpy.ndarray
        Arrivals.
    clock_pins : list of int
        Nodes that launch: clock pins.
    """
    graph = model.graph
    first = np.full(len(model.ports), -1)
    clocked = np.zeros(len(model.ports), bool)
    clocked[clock_pins] = True
    for step in graph.steps:
        source, target = graph.source[step], graph.target[step]
        latest = times[source, SLOW_MAX] + graph.ns[step, SLOW_MAX] == times[target, SLOW_MAX]
        source, target = source[latest], target[latest]
        first[target] = np.where(clocked[source], target, first[source])
    return first


def trace(model: Model, found: Slacks, endpoint: int, setup: bool = True) -> Path:
    """Return the path that decides an endpoint's slack in the slow corner.

    Parameters
    ----------
    model : Model
    found : Slacks
    endpoint : int
        Place in `found.check`.
    setup : bool
        Of set-up, or of hold.
    """
    checks, number = model.checks, found.check[endpoint]
    end, clock = int(checks.pin[number]), int(checks.clock[number])
    graph, (column, against) = model.graph, (SLOW_MAX, SLOW_MIN) if setup else (SLOW_MIN, SLOW_MAX)
    edges = found.paths.get((endpoint, setup))
    if edges is None:
        edges = graph.path(end, found.times, column)
        begin = next(k for k in reversed(range(len(edges))) if graph.given[edges[k]][0] in found.launching)
        edges = edges[begin:]
    hops = []
    for edge in edges:
        cell = model.cell(graph.given[edge][1])
        ns = float(graph.given_ns[edge, column])
        hops.append(Hop("wire", cell.site, ns) if model.wire[edge] else Hop(cell.kind, cell.name, ns))
    launch, output = graph.given[edges[0]]
    return Path(
        float((found.setup if setup else found.hold)[endpoint]),
        float(checks.setup[number] if setup else -checks.hold[number]),
        float(found.times[launch, column]),
        float(found.times[clock, against]),
        hops,
        graph.names[output],
        graph.names[end],
    )
