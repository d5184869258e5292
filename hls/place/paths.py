"""Which nets are the longest: paths between registers, from the delays that nextpnr-xilinx writes (SDF).

The tool's log shows one path, the longest. What there is to mend are kinds of nets; so here every register's, RAM's and
DSP's worst path is looked at, and paths from and to what is called alike, digits left out, are one kind.
"""

from __future__ import annotations

import collections
import json
import pathlib
import re
from dataclasses import dataclass

_WIRE = re.compile(r"\(INTERCONNECT (\S+)/(\S+) (\S+)/(\S+) \((\d+):")
_CELL = re.compile(r"\(INSTANCE (\S*)\)")
_ARC = re.compile(r"\(IOPATH (\S+) (\S+) \((\d+):")
_SETUP = re.compile(r"\(SETUPHOLD \(posedge (\S+)\) \(posedge (\S+)\) \((-?\d+):")
_INDICES = re.compile(r"\[[^\]]*\]|\d+")


@dataclass(frozen=True)
class Path:
    """The worst path into one input of a register, RAM or DSP.

    Attributes
    ----------
    delay_ps : int
        From clock to clock: clock to output, cells, nets, set-up.
    start, end : str
        What drives and what takes, by the names of the Verilog as far as they are left.
    net_ps, net, loads : int, str, int
        The longest net on it, what drives that net, and how many inputs it drives.
    cells : int
        Cells between start and end; a carry chain of n cells counts n.
    """

    delay_ps: int
    start: str
    end: str
    net_ps: int
    net: str
    loads: int
    cells: int


def register_names(netlist: pathlib.Path) -> dict[str, str]:
    """Return {cell: name of what it drives} of a netlist of Yosys, for the cells whose own names say nothing."""
    (module,) = (m for m in json.loads(netlist.read_text())["modules"].values() if m["attributes"].get("top"))
    wires = {}
    for name, net in module["netnames"].items():
        for i, bit in enumerate(net["bits"]):
            if isinstance(bit, int) and (bit not in wires or wires[bit].startswith("$")):
                wires[bit] = f"{name}[{i}]" if len(net["bits"]) > 1 else name
    names = {}
    for name, cell in module["cells"].items():
        out = next((bits for pin, bits in cell["connections"].items() if pin in ("Q", "O")), None)
        if name.startswith("$") and out and out[0] in wires:
            names[name] = wires[out[0]]
    return names


def read_paths(sdf: pathlib.Path, names: dict[str, str]) -> list[Path]:
    """Return the worst path of every clocked input, the longest first.

    Parameters
    ----------
    sdf : pathlib.Path
        As nextpnr writes it.
    names : dict
        Cell -> a better name (`register_names`).
    """
    wires, arcs = collections.defaultdict(list), collections.defaultdict(list)
    clocks, launches, setups = set(), {}, {}
    cell = ""
    with open(sdf) as lines:
        for line in lines:
            if found := _WIRE.search(line):
                source, out, sink, pin, delay = found.groups()
                wires[source, out].append(((sink, pin), int(delay)))
            elif found := _CELL.search(line):
                cell = found[1]
            elif found := _ARC.search(line):
                pin, out, delay = found.groups()
                arcs[cell, pin].append(((cell, out), int(delay)))
            elif found := _SETUP.search(line):
                setups[cell, found[1]] = int(found[3])
                clocks.add((cell, found[2]))
    for clock in clocks:
        for out, delay in arcs.pop(clock, ()):
            launches[out] = max(delay, launches.get(out, 0))
    paths, best = [], {}
    for pin in _topological(launches, wires, arcs):
        if pin in launches and pin not in best:
            best[pin] = launches[pin], pin, 0, pin, -1  # arrival, start, longest net, its driver, cells
        if pin not in best:
            continue
        arrival, start, longest, driver, cells = best[pin]
        for after, delay in wires.get(pin, ()):
            _better(best, after, (arrival + delay, start, *max((longest, driver), (delay, pin)), cells + 1))
        for after, delay in arcs.get(pin, ()):
            _better(best, after, (arrival + delay, start, longest, driver, cells))

    def called(pin):
        cell = pin[0].replace("\\", "")
        return names.get(cell, cell) + ("" if pin[1] in ("Q", "O", "O5", "O6", "D") else f".{pin[1]}")

    for pin, setup in setups.items():
        if pin in best:
            arrival, start, longest, driver, cells = best[pin]
            loads = len(wires[driver])
            paths.append(Path(arrival + setup, called(start), called(pin), longest, called(driver), loads, cells))
    return sorted(paths, key=lambda path: -path.delay_ps)


def _better(best, pin, found):
    if pin not in best or best[pin][0] < found[0]:
        best[pin] = found


def _topological(launches, wires, arcs):
    """Pins behind clocked outputs, each behind those in front of it; what is in a loop is left out."""
    waits, stack, seen = collections.Counter(), list(launches), set(launches)
    while stack:
        pin = stack.pop()
        for after, _ in (*wires.get(pin, ()), *arcs.get(pin, ())):
            waits[after] += 1
            if after not in seen:
                seen.add(after)
                stack.append(after)
    ready = [pin for pin in launches if not waits[pin]]
    while ready:
        pin = ready.pop()
        yield pin
        for after, _ in (*wires.get(pin, ()), *arcs.get(pin, ())):
            waits[after] -= 1
            if not waits[after]:
                ready.append(after)


def kinds(paths: list[Path], period_ps: float) -> list[dict]:
    """Return a row per kind of path that is longer than a period, the longest first.

    Parameters
    ----------
    paths : list of Path
        The longest first.
    period_ps : float
    """
    found = {}
    for path in paths:
        if path.delay_ps <= period_ps:
            break
        kind = kind_of(path.start), kind_of(path.end)
        if kind not in found:
            found[kind] = {
                "ns": path.delay_ps / 1000,
                "paths": 0,
                "from": path.start,
                "to": path.end,
                "cells": path.cells,
                "net_ns": path.net_ps / 1000,
                "net": path.net,
                "loads": path.loads,
            }
        found[kind]["paths"] += 1
    return list(found.values())


def kind_of(name: str) -> str:
    """Return a name without what tells one bit or one element from another."""
    return _INDICES.sub("#", name)
