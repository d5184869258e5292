"""Small devices and packed netlists with a legal placement, and what has to hold of any placement, checked anew."""

from __future__ import annotations

import collections
import json

import numpy as np

CLOCK, LOW = 2, 3  # nets: of the clock, and constant 0
LANES = "ABCD"


def write_device(path, columns=6, rows=8):
    """A grid as Project X-Ray's: per column of tiles a slice that can be RAM and one that can't, then DSPs and RAMs."""
    tiles = {}
    for row in range(rows):
        y = 2 * rows - row - (row >= rows // 2)  # one row of tiles in the middle holds no slices
        for column in range(columns):
            sites = {f"SLICE_X{2 * column}Y{row}": "SLICEM", f"SLICE_X{2 * column + 1}Y{row}": "SLICEL"}
            tiles[f"CLBLM_X{column}Y{row}"] = {"grid_x": 3 * column + 2, "grid_y": y, "sites": sites}
        tiles[f"DSP_Y{row}"] = {"grid_x": 9, "grid_y": y, "sites": {f"DSP48_X0Y{row}": "DSP48E1"}}
        tiles[f"BRAM_Y{row}"] = {
            "grid_x": 12,
            "grid_y": y,
            "sites": {f"RAMB36_X0Y{row}": "RAMBFIFO36E1", f"RAMB18_X0Y{row}": "FIFO18E1"},
        }
    tiles["IOB"] = {"grid_x": 0, "grid_y": rows, "sites": {"IOB_X0Y0": "IOB33M", "BUFGCTRL_X0Y0": "BUFGCTRL"}}
    path.write_text(json.dumps(tiles))
    return path


class Design:
    """Cells as nextpnr-xilinx packs them, and where they are."""

    def __init__(self, seed, columns=6, rows=8):
        self.rng = np.random.default_rng(seed)
        self.cells, self.places = {}, {}
        self._net, self._outs, self._ins = 10, [], []
        self.free = collections.deque((x, y) for y in range(rows) for x in range(2 * columns))
        self.rows = rows
        self.add("gnd", "PSEUDO_GND", {"Y": LOW}, "", "Y")
        self.add("clock", "BUFGCTRL", {"O": CLOCK}, "BUFGCTRL_X0Y0/BUFGCTRL", "O")
        self.controls = [(self.net(), self.net()) for _ in range(3)]
        for number, pair in enumerate(self.controls):
            self.add(f"pin{number}", "IOB33_INBUF", dict(zip(("A", "B"), pair)), "IOB_X0Y0/IOB33", "AB")

    def net(self):
        self._net += 1
        return self._net

    def add(self, name, kind, pins, place, outs, **attributes):
        """A cell; nets of its outputs may be wired to the inputs of others by `wire`."""
        self.cells[name] = {
            "type": kind,
            "parameters": {},
            "attributes": attributes,
            "port_directions": {
                pin: "output" if pin in outs or pin.rstrip("0123456789") in outs else "input" for pin in pins
            },
            "connections": {pin: [net] for pin, net in pins.items()},
        }
        if place:
            self.places[name] = place
        if kind not in ("PSEUDO_GND", "BUFGCTRL", "IOB33_INBUF"):
            for pin, net in pins.items():
                if net is None:
                    self._ins.append((name, pin, len(self.cells)))
                elif self.cells[name]["port_directions"][pin] == "output":
                    self._outs.append(
                        (net, len(self.cells), kind == "SLICE_FFX" or "_" in kind and kind != "SLICE_LUTX")
                    )
        return name

    def wire(self):
        """Give every open input a net: of a register, or of a cell that was there before, so that there is no ring."""
        for name, pin, order in self._ins:
            known = [net for net, made, register in self._outs if register or made < order]
            self.cells[name]["connections"][pin] = [int(self.rng.choice([*known, LOW]))]

    def flip_flop(self, name, place, control, data=None, **attributes):
        enable, reset = self.controls[control]
        pins = {"CK": CLOCK, "CE": enable, "SR": reset, "D": data, "Q": self.net()}
        return self.add(name, "SLICE_FFX", pins, place, "Q", **attributes)

    def take(self, height=1, memory=False):
        """The next slice with so many above it, all free."""
        for x, y in self.free:
            column = [(x, y + i) for i in range(height)]
            half = self.rows // 2
            whole = all(at in self.free for at in column) and (y < half) == (y + height - 1 < half)
            if whole and not (memory and x % 2):
                for at in column:
                    self.free.remove(at)
                return x, y
        raise AssertionError("the device is full")

    def logic(self, count):
        """Slices of LUTs, with flip-flops of theirs, and flip-flops alone."""
        for _ in range(count):
            x, y = self.take()
            control = int(self.rng.integers(3))
            for lane in LANES:
                name, out, where = f"l{x}.{y}{lane}", self.net(), f"SLICE_X{x}Y{y}/{lane}"
                what = self.rng.integers(6)
                pins = {f"A{i + 1}": None for i in range(int(self.rng.integers(1, 7)))} | {"O6": out}
                if what == 0:
                    self.flip_flop(name, f"{where}{self.rng.choice(['FF', '5FF'])}", control)
                elif what == 1:
                    self.add(name, "SLICE_LUTX", pins, f"{where}6LUT", "O", CONSTR_CHILDREN=f"{name}f")
                    self.flip_flop(f"{name}f", f"{where}FF", control, out, CONSTR_PARENT=name, CONSTR_Z="10")
                elif what == 4:
                    pins.pop("A6", None)
                    self.add(name, "SLICE_LUTX", pins, f"{where}5LUT", "O", CONSTR_CHILDREN=f"{name}f")
                    self._outs = [
                        entry for entry in self._outs if entry[0] != out
                    ]  # one output of a lane that is no 6LUT's: the flip-flop's
                    self.flip_flop(f"{name}f", f"{where}5FF", control, out, CONSTR_PARENT=name, CONSTR_Z="10")
                elif what == 2:
                    self.add(name, "SLICE_LUTX", pins, f"{where}6LUT", "O")
                elif what == 3:
                    self.add(name, "SLICE_LUTX", {"A1": None, "O6": out}, f"{where}5LUT", "O")
                    self.flip_flop(f"{name}f", f"{where}FF", control)

    def chain(self, height):
        x, y = self.take(height)
        carry = None
        names = [f"c{x}.{y + i}" for i in range(height)]
        for i, name in enumerate(names):
            pins = (
                {f"S{k}": self.net() for k in range(4)} | {f"O{k}": self.net() for k in range(4)} | {"CO3": self.net()}
            )
            pins |= {"CIN": carry} if i else {"CYINIT": LOW}
            lead = {"CONSTR_PARENT": names[0]} if i else {}
            lead |= {"CONSTR_ABS_Z": "1", "CONSTR_Z": format(x % 2 * 64 + 15, "032b")}
            luts = [f"{name}{lane}" for lane in LANES]
            if not i:
                lead["CONSTR_CHILDREN"] = ";".join(names[1:] + [f"{n}{lane}" for n in names for lane in LANES])
            for k, lut in enumerate(luts):
                place = f"SLICE_X{x}Y{y + i}/{LANES[k]}6LUT"
                inner = {"A1": None, "A2": None, "O6": pins[f"S{k}"]}
                z = format(x % 2 * 64 + 16 * k, "032b")
                self.add(lut, "SLICE_LUTX", inner, place, "O", CONSTR_PARENT=names[0], CONSTR_ABS_Z="1", CONSTR_Z=z)
            self.add(name, "CARRY4", pins, f"SLICE_X{x}Y{y + i}/CARRY4", ("O", "CO"), **lead)
            carry = pins["CO3"]

    def memory(self):
        x, y = self.take(memory=True)
        head = f"r{x}.{y}D"
        for lane in LANES:
            name, where = f"r{x}.{y}{lane}", f"SLICE_X{x}Y{y}/{lane}6LUT"
            lead = (
                {"CONSTR_PARENT": head}
                if name != head
                else {"CONSTR_CHILDREN": ";".join(f"r{x}.{y}{k}" for k in "ABC")}
            )
            pins = {"A1": None, "A2": None, "WA1": None, "WE": None, "CLK": CLOCK, "O6": self.net()}
            pins |= {"DI2": None} if lane in "AD" else {}  # the bypasses of B and C are for high bits of the address
            self.add(name, "SLICE_LUTX", pins, where, "O", X_LUT_AS_DRAM="1", **lead)

    def shift(self):
        x, y = self.take(memory=True)
        out, name = self.net(), f"s{x}.{y}"
        pins = {"A1": LOW, "DI2": None, "CLK": CLOCK, "O6": out}
        lead = {"X_LUT_AS_SRL": "1", "CONSTR_CHILDREN": f"{name}f"}
        self.add(name, "SLICE_LUTX", pins, f"SLICE_X{x}Y{y}/B6LUT", "O", **lead)
        self.flip_flop(f"{name}f", f"SLICE_X{x}Y{y}/BFF", 0, out, CONSTR_PARENT=name)

    def block(self, kind, site, number):
        pins = {f"{'A' if 'DSP' in kind else 'DI'}{i}": None for i in range(3)} | {"P0": self.net()}
        name = f"{site}{number}"
        self.add(name, f"{kind}_{kind}", pins, f"{site}_X0Y{number}/{kind}", "P")


def design(seed):
    """A netlist of everything, on half of the device's slices."""
    made = Design(seed)
    for height in (1, 2, 3, 2):
        made.chain(height)
    for _ in range(3):
        made.memory()
        made.shift()
    made.logic(22)
    for number in range(3):
        made.block("DSP48E1", "DSP48", number)
        made.block("RAMB36E1", "RAMB36", number)
    for number in (5, 6, 7):
        made.block("RAMB18E1", "RAMB18", number)
    made.wire()
    return made


def complaints(cells, before, after):
    """What is wrong with a placement, from the names of places alone."""
    wrong = []
    if set(after) != set(before):
        wrong.append("not the same cells")
    where = collections.Counter(place for name, place in after.items() if "IOB" not in place)
    wrong += [f"{place} twice" for place, count in where.items() if count > 1]
    rams = {place.split("/")[0].replace("RAMB18", "RAMB36") for place in after.values() if place.startswith("RAMB18")}
    wrong += [f"{place} has halves in use" for place in after.values() if place.split("/")[0] in rams]
    slices = collections.defaultdict(dict)
    for name, place in after.items():
        site, _, tail = place.partition("/")
        if site.startswith("SLICE"):
            slices[site][tail] = name
        elif cells[name]["type"].split("_")[0] not in tail and "IOB" not in tail and "BUFG" not in tail:
            wrong.append(f"{name} at {place}")
    drivers = {
        n[0]: (k, p)
        for k, c in cells.items()
        for p, n in c["connections"].items()
        if c["port_directions"][p] == "output"
    }
    readers = collections.Counter(
        n[0] for c in cells.values() for p, n in c["connections"].items() if c["port_directions"][p] == "input"
    )
    for site, held in slices.items():
        wrong += [f"{site}: {text}" for text in _of_slice(site, held, cells, drivers, readers)]
    for name, cell in cells.items():  # what was packed together stays so
        parent = cell["attributes"].get("CONSTR_PARENT")
        if parent:
            (x0, y0, lane0), (x1, y1, lane1) = _apart(before, parent, name), _apart(after, parent, name)
            if (x0, y0) != (x1, y1) or (lane0 != lane1 and lane0 is not None and "FF" not in before[name]):
                wrong.append(f"{name} has left {parent}")
            if cell["type"] == "SLICE_FFX" and after[name].split("/")[1][0] != after[parent].split("/")[1][0]:
                wrong.append(f"{name} is in another lane than {parent}")
            if cell["type"] == "SLICE_FFX" and ("5FF" in after[name]) != ("5LUT" in after[parent]):
                wrong.append(f"{name} is not the flip-flop of {parent}'s output")
    return wrong


def _apart(places, one, two):
    (a, p), (b, q) = (places[name].split("/") for name in (one, two))
    (ax, ay), (bx, by) = (map(int, site[len("SLICE_X") :].split("Y")) for site in (a, b))
    return bx - ax, by - ay, LANES.index(q[0]) if q != "CARRY4" else None


def _of_slice(site, held, cells, drivers, readers):
    memory = int(site[len("SLICE_X") :].split("Y")[0]) % 2 == 0
    controls = set()
    ram = "X_LUT_AS_DRAM" in cells[held["D6LUT"]]["attributes"] if "D6LUT" in held else False
    for lane in LANES:
        six, five, one, two = (held.get(lane + slot) for slot in ("6LUT", "5LUT", "FF", "5FF"))
        carry = held.get("CARRY4")
        net = lambda name, pin: cells[name]["connections"].get(pin, [None])[0]  # noqa: E731
        luts = [name for name in (six, five) if name]
        for name in luts:
            special = {"X_LUT_AS_DRAM", "X_LUT_AS_SRL"} & cells[name]["attributes"].keys()
            if special and not memory:
                yield f"{name} is a RAM where none can be"
        inputs = {net(name, f"A{i}") for name in luts for i in range(1, 7)} - {None}
        if len(luts) == 2 and len(inputs) > 5:
            yield f"{lane}: {len(inputs)} inputs of two LUTs"
        if five and sum(f"A{i}" in cells[five]["connections"] for i in range(1, 7)) > 5:
            yield f"{lane}: a LUT of six inputs where five are"
        bypass = {net(six, "DI2")} if six else set()
        if carry and lane == "A":
            bypass.add(net(carry, "CYINIT"))
        for name, direct in ((one, luts), (two, [five])):
            if name:
                controls.add(tuple(net(name, pin) for pin in ("CK", "CE", "SR")))
                if net(name, "D") in drivers and drivers[net(name, "D")][0] not in direct:
                    bypass.add(net(name, "D"))
        if ram and lane in "BC" and bypass - {None}:
            yield f"{lane}: a bypass that is for the RAM's address"
        if len(bypass - {None}) > 1:
            yield f"{lane}: {len(bypass - {None})} nets through one bypass"
        outs = two is not None
        if five:
            out = net(five, "O6")
            inside = sum(net(name, "D") == out for name in (one, two) if name)
            outs += readers[out] > 1 or not inside
        if carry:
            outs += net(carry, f"O{LANES.index(lane)}") is not None
        if outs > 1:
            yield f"{lane}: {outs} outputs through one multiplexer"
    if len(controls) > 1:
        yield f"{len(controls)} sets of clock, enable and reset"
