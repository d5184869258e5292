"""A placed netlist as the arrays that `cpp/anneal.cpp` works on.

Cells and nets come from a packed netlist of nextpnr-xilinx, places from one that it has placed. Cells without a place
of their own (constants) and nets of theirs, and clocks, are left out of wires and delays: they have wires of their own.
"""

from __future__ import annotations

import ctypes

import numpy as np

from hls.place.anneal.device import SUBS, Device
from hls.place.anneal.timing import timing_of

LUT, FLIP_FLOP, CHAIN, BLOCK = range(4)
CONSTANT, UNDRIVEN = -1, -2  # drivers of nets that are no cell of the placement
KINDS = {"SLICE_LUTX": LUT, "SLICE_FFX": FLIP_FLOP, "CARRY4": CHAIN}
CLOCK_DRIVERS = ("BUFGCTRL",)
CONSTANTS = ("PSEUDO_GND", "PSEUDO_VCC")
MOST_PINS = 400  # of a net whose wire counts; larger ones are everywhere whatever one does

SAME_LANE, SAME_SITE = 0.02, 0.55  # ns, of wires that do not leave a lane, or a slice


_SCALARS = "sites slices columns rows delay_rows cells nets pins atoms chains blocks memories epoch size".split()
_ARRAYS = (
    ("x y slice_x slice_y", np.int16),
    ("grid above below beside", np.int32),
    ("memory needs_memory", np.uint8),
    ("occupant block_at", np.int32),
    ("kind rigid", np.uint8),
    ("site sub mate", np.int32),
    ("inputs outputs ram srl only_carry carry_outs latch", np.uint8),
    ("input output data_in wclk write_msb data clock control carry_in", np.int32),
    ("atom chain_begin chain_cell chain_of block block_class class_begin memory_cell", np.int32),
    ("cell_begin cell_pin net_begin pin_cell pin_net driver users", np.int32),
    ("net_weight", np.float32),
    ("timed carry_lane direct", np.uint8),
    ("box new_box", np.int16),
    ("whole", np.uint8),
    ("net_epoch net_list pin_epoch pin_list", np.int32),
    ("delays", np.float32),
)
_REST = (
    ("delay new_delay weight", np.float32),
    ("order arc_begin arc_pin", np.int32),
    ("arc_delay launch setup arrival tail", np.float32),
)


def _fields(groups):
    return [(name, dtype) for names, dtype in groups for name in names.split()]


class Arrays(ctypes.Structure):
    """`Problem` of `cpp/anneal.hpp`."""

    _fields_ = (
        [(name, ctypes.c_int32) for name in _SCALARS]
        + [(name, ctypes.c_void_p) for name, _ in _fields(_ARRAYS)]
        + [("same_lane", ctypes.c_float), ("same_site", ctypes.c_float)]
        + [(name, ctypes.c_void_p) for name, _ in _fields(_REST)]
    )


class Problem:
    """A placement, and all that decides what it is worth.

    Parameters
    ----------
    cells : dict
        Of a packed netlist.
    places : dict
        Name of a cell -> its place, as "SLICE_X2Y38/A6LUT".
    device : Device

    Attributes
    ----------
    arrays : dict of ndarray
        By the names of `cpp/anneal.hpp`.
    names : list of str
        Of the cells, in the order of the arrays.
    """

    def __init__(self, cells: dict[str, dict], places: dict[str, str], device: Device) -> None:
        self.device = device
        self.arrays: dict[str, np.ndarray] = {}
        left_out = {name for name, cell in cells.items() if cell["type"] in CONSTANTS}
        self.names = [name for name in cells if name not in left_out]
        self._cells = [cells[name] for name in self.names]
        self._index = {name: i for i, name in enumerate(self.names)}
        self._nets(cells)
        self._sites(places)
        self._legality()
        self._moves()
        self._timing()
        for name, dtype in _fields(_ARRAYS + _REST):
            self.arrays[name] = np.ascontiguousarray(self.arrays[name], dtype)

    def structure(self) -> Arrays:
        """Return the arrays as C sees them; they have to outlive it."""
        a, device = self.arrays, self.device
        lengths = {"sites": "x", "nets": "driver", "pins": "pin_cell", "atoms": "atom", "blocks": "block"}
        scalars = {name: len(a[array]) for name, array in lengths.items()}
        scalars |= {"slices": device.slices, "columns": device.columns, "rows": device.rows, "cells": len(self.names)}
        scalars |= {"delay_rows": device.delays.shape[1], "memories": len(a["memory_cell"])}
        scalars |= {"chains": len(a["chain_begin"]) - 1, "size": ctypes.sizeof(Arrays)}
        pointers = {name: a[name].ctypes.data for name, _ in _fields(_ARRAYS + _REST)}
        return Arrays(**scalars, **pointers, same_lane=SAME_LANE, same_site=SAME_SITE)

    def places(self) -> dict[str, str]:
        """Return where every cell is now, by its name."""
        site, sub = self.arrays["site"], self.arrays["sub"]
        return {name: self.device.name(int(site[i]), int(sub[i]), self._tails[i]) for i, name in enumerate(self.names)}

    # ---- the netlist ----

    def _nets(self, cells):
        """Number the nets; pins of a net lie side by side, the driver's first."""
        drivers, sinks = {}, {}
        quiet = set()  # clocks and constants
        for name, cell in cells.items():
            outs = cell["port_directions"]
            for port, bits in cell["connections"].items():
                if not bits:
                    continue
                if outs[port] == "output":
                    drivers[bits[0]] = (name, port)
                    if cell["type"] in CONSTANTS + CLOCK_DRIVERS:
                        quiet.add(bits[0])
                elif outs[port] == "input":
                    sinks.setdefault(bits[0], []).append((name, port))
        undriven = [bit for bit in sinks if bit not in drivers]
        quiet.update(undriven)
        bits = [*drivers, *undriven]
        self._net = {bit: i for i, bit in enumerate(bits)}
        begin, pin_cell, pin_net, ports = [0], [], [], []
        for i, bit in enumerate(bits):
            if bit not in quiet:
                for name, port in [drivers[bit], *sinks.get(bit, ())]:
                    pin_cell.append(self._index[name])
                    pin_net.append(i)
                    ports.append(port)
            begin.append(len(pin_cell))
        a = self.arrays
        a["net_begin"], a["pin_cell"], a["pin_net"] = (np.array(x, np.int64) for x in (begin, pin_cell, pin_net))
        self._ports = ports
        driving = [drivers.get(bit, ("", "")) for bit in bits]
        a["driver"] = np.array([self._index.get(name, CONSTANT if name else UNDRIVEN) for name, _ in driving])
        a["users"] = np.array([len(sinks.get(bit, ())) for bit in bits])
        pins = np.diff(a["net_begin"])
        a["timed"] = pins > 1
        a["net_weight"] = np.where((pins > 1) & (pins <= MOST_PINS), crossing(pins), 0)
        order = np.argsort(a["pin_cell"], kind="stable")
        a["cell_pin"] = order
        a["cell_begin"] = np.searchsorted(a["pin_cell"][order], np.arange(len(self.names) + 1))
        a["carry_lane"] = np.array([int(port[-1]) if port[-1:].isdigit() else 255 for _, port in driving])
        a["direct"] = np.array([port == "CIN" for port in ports])
        nets, count = len(bits), len(pin_cell)
        for name in "net_epoch net_list whole".split():
            a[name] = np.zeros(nets)
        for name in "pin_epoch pin_list".split():
            a[name] = np.zeros(count)
        a["box"], a["new_box"] = np.zeros((nets, 8)), np.zeros((nets, 8))
        for name in "delay new_delay weight tail".split():
            a[name] = np.zeros(count)
        a["arrival"] = np.zeros(nets)

    def _bit(self, cell, port):
        """Number of the net at a port, -1 if there is none."""
        bits = cell["connections"].get(port)
        return self._net.get(bits[0], -1) if bits else -1

    # ---- where things are ----

    def _sites(self, places):
        a, device, count = self.arrays, self.device, len(self.names)
        a["kind"] = np.array([KINDS.get(cell["type"], BLOCK) for cell in self._cells])
        a["site"], a["sub"] = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._tails, classes = [""] * count, {}
        for i, name in enumerate(self.names):
            site, _, self._tails[i] = places[name].partition("/")
            a["site"][i], a["sub"][i] = device.site(site), device.sub(self._tails[i])
            if a["kind"][i] == BLOCK and device.block_class(site) is not None:
                classes[i] = device.block_class(site)
        a["x"], a["y"] = device.x, device.y
        a["slice_x"], a["slice_y"], a["grid"], a["above"] = device.slice_x, device.slice_y, device.grid, device.above
        a["below"], a["beside"] = device.below, device.beside
        a["memory"], a["needs_memory"] = device.memory, np.zeros(device.slices)
        a["occupant"], a["block_at"] = np.full(device.slices * SUBS, -1), np.full(len(device.x), -1)
        in_slice = a["kind"] != BLOCK
        a["occupant"][(a["site"] * SUBS + a["sub"])[in_slice]] = np.flatnonzero(in_slice)
        a["block_at"][a["site"][~in_slice]] = np.flatnonzero(~in_slice)
        for i in np.flatnonzero(~in_slice):  # half of a block RAM in use: the whole has no place there
            shared = device.sharing(int(a["site"][i]))
            a["block_at"][shared[a["block_at"][shared] < 0]] = i
        a["delays"] = device.delays
        movable = sorted(i for i in classes if self._free(self._cells[i]))
        a["block"] = np.array(movable)
        a["class_begin"] = device.class_begin
        a["block_class"] = np.zeros(count)
        for i, cls in classes.items():
            a["block_class"][i] = cls
        self._movable = set(movable)

    def _free(self, cell):
        """Whether a block can go anywhere: it has no place given, none within its tile, and none beside another."""
        bound = {"BEL", "CONSTR_PARENT", "CONSTR_CHILDREN", "CONSTR_ABS_Z"} & cell["attributes"].keys()
        return cell["type"] in self.device.movable and not bound

    # ---- what a slice can hold ----

    def _legality(self):
        a, count = self.arrays, len(self.names)
        for name in "inputs outputs ram srl only_carry carry_outs latch".split():
            a[name] = np.zeros(count, np.int64)
        for name in "data_in wclk data clock control carry_in".split():
            a[name] = np.full(count, -1)
        a["input"], a["output"], a["write_msb"] = (
            np.full((count, 6), -1),
            np.full((count, 2), -1),
            np.full((count, 2), -1),
        )
        controls = {}
        for i, cell in enumerate(self._cells):
            kind, attributes = a["kind"][i], cell["attributes"]
            if kind == LUT:
                nets = [net for net in (self._bit(cell, f"A{k}") for k in range(1, 7)) if net >= 0]
                a["inputs"][i], a["input"][i, : len(nets)] = len(nets), nets
                outs = [net for net in (self._bit(cell, "O6"), self._bit(cell, "O5")) if net >= 0]
                a["outputs"][i], a["output"][i, : len(outs)] = len(outs), outs
                a["ram"][i], a["srl"][i] = "X_LUT_AS_DRAM" in attributes, "X_LUT_AS_SRL" in attributes
                a["data_in"][i], a["wclk"][i] = self._bit(cell, "DI2"), self._bit(cell, "CLK")
                a["write_msb"][i] = self._bit(cell, "WA7"), self._bit(cell, "WA8")
                if "CONSTR_PARENT" in attributes and outs and a["users"][outs[0]] == 1:
                    sink = a["pin_cell"][a["net_begin"][outs[0]] + 1] if a["timed"][outs[0]] else -1
                    a["only_carry"][i] = sink >= 0 and a["kind"][sink] == CHAIN
            elif kind == FLIP_FLOP:
                a["data"][i], a["clock"][i] = self._bit(cell, "D"), self._bit(cell, "CK")
                a["latch"][i] = "X_FF_AS_LATCH" in attributes
                key = tuple(self._bit(cell, port) for port in ("CK", "CE", "SR"))
                flags = tuple(sorted((k, v) for k, v in cell["parameters"].items() if k.startswith("IS_")))
                key += (flags, "X_FF_AS_LATCH" in attributes, "X_FFSYNC" in attributes)
                a["control"][i] = controls.setdefault(key, len(controls))
            elif kind == CHAIN:
                a["carry_in"][i] = self._bit(cell, "CYINIT")
                a["carry_outs"][i] = sum((self._bit(cell, f"O{k}") >= 0) << k for k in range(4))

    # ---- what moves as one ----

    def _moves(self):
        a, count = self.arrays, len(self.names)
        rigid, mate = np.ones(count, bool), np.full(count, -1)
        begin, members, of = [0], [], np.full(count, -1)
        memory = []
        for i, cell in enumerate(self._cells):
            kind, attributes = a["kind"][i], cell["attributes"]
            children = [self._index[name] for name in attributes.get("CONSTR_CHILDREN", "").split(";") if name]
            child = "CONSTR_PARENT" in attributes
            if kind == LUT and not child and not a["ram"][i]:
                if not children:
                    rigid[i] = False
                elif len(children) == 1 and a["kind"][children[0]] == FLIP_FLOP and a["sub"][i] % 4 < 2:
                    rigid[i] = rigid[children[0]] = False
                    mate[i], mate[children[0]] = children[0], i
            elif kind == FLIP_FLOP and not child:
                rigid[i] = False
            elif kind == CHAIN and not child:
                chain = [i, *(k for k in children if a["kind"][k] == CHAIN)]
                chain.sort(key=lambda k: int(a["slice_y"][a["site"][k]]))
                of[chain] = len(begin) - 1
                members += chain
                begin.append(len(members))
            if kind == LUT and (a["ram"][i] or a["srl"][i]) and not child:
                memory.append(i)
            if i in self._movable:
                rigid[i] = False
        for i in np.flatnonzero((a["kind"] == CHAIN) & (of < 0)):  # of no head's: a chain of its own that stays in one
            of[i] = len(begin) - 1
            members.append(int(i))
            begin.append(len(members))
        a["rigid"], a["mate"], a["memory_cell"] = rigid, mate, np.array(memory, np.int64)
        a["chain_begin"], a["chain_cell"], a["chain_of"] = np.array(begin), np.array(members, np.int64), of
        head = (a["kind"] == LUT) | ((a["kind"] == FLIP_FLOP) & (mate < 0))
        a["atom"] = np.flatnonzero(~rigid & head)

    # ---- delays ----

    def _timing(self):
        a = self.arrays
        nets, pins = len(a["driver"]), len(a["pin_cell"])
        launch, setup = np.zeros(nets), np.full(pins, -1e9)
        arcs = [[] for _ in range(nets)]  # of a net: the pins of its driver that it follows from, and how late
        for i, cell in enumerate(self._cells):
            mine = a["cell_pin"][a["cell_begin"][i] : a["cell_begin"][i + 1]]
            first = a["net_begin"][a["pin_net"][mine]]
            ins = [(int(pin), self._ports[pin]) for pin, start in zip(mine, first) if pin != start]
            outs = [(int(a["pin_net"][pin]), self._ports[pin]) for pin, start in zip(mine, first) if pin == start]
            through, starts, ends = timing_of(cell, bool(a["ram"][i]), bool(a["srl"][i]))
            for pin, port in ins:
                late = ends(port)
                if late is not None:
                    setup[pin] = late
            for net, out in outs:
                launch[net] = starts(out)
                arcs[net] += [(pin, ns) for pin, port in ins if (ns := through(port, out)) is not None]
        order, state = [], np.zeros(nets, np.int8)
        for root in range(nets):
            stack = [root]
            while stack:
                net = stack[-1]
                if state[net] == 2:
                    stack.pop()
                    continue
                before = [a["pin_net"][pin] for pin, _ in arcs[net] if state[a["pin_net"][pin]] == 0]
                if state[net] == 0 and before:
                    state[net] = 1
                    stack += before
                    continue
                state[net] = 2
                order.append(net)
                stack.pop()
        a["order"] = np.array(order)
        a["arc_begin"] = np.cumsum([0, *map(len, arcs)])
        a["arc_pin"] = np.array([pin for arc in arcs for pin, _ in arc], np.int64)
        a["arc_delay"] = np.array([ns for arc in arcs for _, ns in arc], float)
        a["launch"], a["setup"] = launch, setup


def crossing(pins: np.ndarray) -> np.ndarray:
    """Return by how much the wire of a net is longer than half the perimeter of its box (Cheng, "RISA", 1994)."""
    known = [(1, 1.0), (3, 1.0), (10, 1.4493), (20, 1.8924), (30, 2.2646), (40, 2.5610), (50, 2.7933)]
    count, factor = zip(*known)
    return np.where(pins <= 50, np.interp(pins, count, factor), 2.7933 + 0.02616 * (pins - 50))


def cells_of(design: dict) -> dict[str, dict]:
    """Return the cells of a netlist that nextpnr-xilinx wrote: one flat module."""
    (module,) = design["modules"].values()
    return module["cells"]
