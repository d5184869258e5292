"""A netlist to Verilog that a simulator is fast with: LUTs as expressions, registers and RAMs by what they share.

The module has the package's pins as ports ("R14") and holds the processor as `processor.ps7`, as the designs of
`hls/place/rtl` do, so that the model of a bench reaches its ports. Clock buffers are wires.
"""

from __future__ import annotations

import pathlib
import re
from typing import TYPE_CHECKING

from hls.readback.lutlogic import expression
from hls.readback.netlist import Cell, Netlist

if TYPE_CHECKING:
    from collections.abc import Iterator

RTL = pathlib.Path(__file__).resolve().parent / "rtl"
FILES = (RTL / "readback_dsp48e1.sv", RTL / "readback_ramb18e1.sv")
GATES = {"BUFGCTRL": "I0", "BUFHCE": "I", "BUF": "I", "IBUF": "I"}  # wires in a simulation: port that goes through
REGISTERS = {"FDRE": ("R", 0), "FDSE": ("S", 1), "FDCE": ("CLR", 0), "FDPE": ("PRE", 1)}
MODES = {"WRITE_FIRST": 0, "READ_FIRST": 1, "NO_CHANGE": 2}


def write(netlist: Netlist, name: str) -> str:
    """Return the Verilog of a netlist.

    Parameters
    ----------
    netlist : Netlist
    name : str
        Of the module.
    """
    return "\n".join(_Writer(netlist).lines(name)) + "\n"


class _Writer:
    def __init__(self, netlist):
        self.netlist = netlist
        self._names = {}
        self._by_kind = {}
        for cell in netlist.cells.values():
            self._by_kind.setdefault(cell.kind, []).append(cell)

    def lines(self, name) -> Iterator[str]:
        ports = [f"output wire {pin}" for pin in sorted(self.netlist.ports)]
        ports += [f"input wire {self._pad(cell)}" for cell in self._kind("IBUF")]
        yield f"module {name} (\n    " + ",\n    ".join(ports) + "\n);"
        yield from self._declarations()
        yield from self._tables()
        yield from self._carries()
        for kind in ("MUXF7", "MUXF8"):
            for cell in self._kind(kind):
                select, one, zero = (self._in(cell, port) for port in ("S", "I1", "I0"))
                yield f"assign {self._out(cell, 'O')} = {select} ? {one} : {zero};"
        yield from self._registers()
        yield from self._latches()
        yield from self._rams()
        yield from self._shifts()
        for cell in self._kind("DSP48E1"):
            yield from self._dsp(cell)
        for cell in self._kind("RAMB18E1"):
            yield from self._block_ram(cell)
        for cell in self._kind("PS7"):
            yield from self._processor(cell)
        for pin, cell in sorted(self.netlist.ports.items()):
            yield f"assign {pin} = {self._in(self.netlist.cells[cell], 'I')};"
        yield "endmodule"

    def _kind(self, kind) -> list[Cell]:
        return self._by_kind.get(kind, [])

    def _pad(self, cell):
        return "pad_" + _plain(cell.site)

    def _wire(self, net) -> str:
        """A net's wire; a buffer's output is its input."""
        if net not in self._names:
            driver = self.netlist.nets[net].driver
            if driver is None:
                self._names[net] = "1'b1" if net == "VCC" else "1'b0"
            else:
                cell = self.netlist.cells[driver.cell]
                if cell.kind == "IBUF":
                    self._names[net] = self._pad(cell)
                elif cell.kind in GATES:
                    self._names[net] = self._in(cell, GATES[cell.kind])
                elif cell.kind == "INV":
                    self._names[net] = "~" + self._in(cell, "I")
                else:
                    self._names[net] = _plain(net)
        return self._names[net]

    def _in(self, cell, port) -> str:
        net = cell.pins.get(port)
        return self._wire(net) if net else "1'b0"

    def _out(self, cell, port) -> str:
        return self._wire(cell.pins[port])

    def _bus(self, cell, port, width) -> str:
        return "{" + ", ".join(self._in(cell, f"{port}[{k}]") for k in reversed(range(width))) + "}"

    def _declarations(self):
        for net in self.netlist.nets.values():
            if net.driver is None:
                continue
            cell = self.netlist.cells[net.driver.cell]
            if cell.kind in GATES or cell.kind == "INV":
                continue
            if cell.kind in REGISTERS or cell.kind in ("LDCE", "LDPE"):
                yield f"reg {self._wire(net.name)} = 1'b{cell.parameters['INIT']};"
            else:
                yield f"wire {self._wire(net.name)};"

    def _tables(self):
        for cell in self._kind("LUT6_2"):
            names = tuple(self._in(cell, f"I{k}") for k in range(6))
            table = cell.parameters["INIT"]
            for port, count in (("O6", 6), ("O5", 5)):
                if port in cell.pins:
                    seen = table if count == 6 else table & (1 << 32) - 1
                    yield f"assign {self._out(cell, port)} = {expression(*_shrink(seen, names[:count]))};"

    def _carries(self):
        for cell in self._kind("CARRY4"):
            carry = f"({self._in(cell, 'CI')} | {self._in(cell, 'CYINIT')})"
            base = _plain(cell.name)
            for k in range(4):
                if f"S[{k}]" not in cell.pins:
                    break
                select = self._in(cell, f"S[{k}]")
                if f"O[{k}]" in cell.pins:
                    yield f"assign {self._out(cell, f'O[{k}]')} = {select} ^ {carry};"
                if f"DI[{k}]" in cell.pins:
                    value = f"{select} ? {carry} : {self._in(cell, f'DI[{k}]')}"
                    if f"CO[{k}]" in cell.pins:
                        carry = self._out(cell, f"CO[{k}]")
                        yield f"assign {carry} = {value};"
                    else:
                        carry = f"{base}_c{k}"
                        yield f"wire {carry} = {value};"

    def _edge(self, cell, port, parameter):
        return f"{'neg' if cell.parameters[parameter] else 'pos'}edge {self._in(cell, port)}"

    def _registers(self):
        groups = {}
        for kind, (port, value) in REGISTERS.items():
            for cell in self._kind(kind):
                if "Q" in cell.pins:
                    key = (
                        self._edge(cell, "C", "IS_C_INVERTED"),
                        kind,
                        self._in(cell, "CE"),
                        self._in(cell, port),
                        value,
                    )
                    groups.setdefault(key, []).append(cell)
        for (edge, kind, enable, reset, value), cells in groups.items():
            loads = _lines(f"{self._out(cell, 'Q')} <= {self._in(cell, 'D')};" for cell in cells)
            if enable != "1'b1":
                loads = f"if ({enable}) {loads}"
            if reset == "1'b0":
                yield f"always @({edge}) {loads}"
                continue
            clears = _lines(f"{self._out(cell, 'Q')} <= 1'b{value};" for cell in cells)
            events = edge if kind in ("FDRE", "FDSE") else f"{edge} or posedge {reset}"
            yield f"always @({events}) if ({reset}) {clears} else {loads}"

    def _latches(self):
        for kind, port, value in (("LDCE", "CLR", 0), ("LDPE", "PRE", 1)):
            for cell in self._kind(kind):
                if "Q" not in cell.pins:
                    continue
                gate = ("!" if cell.parameters["IS_G_INVERTED"] else "") + self._in(cell, "G")
                q = self._out(cell, "Q")
                yield (
                    f"always @* if ({self._in(cell, port)}) {q} = 1'b{value}; "
                    f"else if ({gate} && {self._in(cell, 'GE')}) {q} = {self._in(cell, 'D')};"
                )

    def _rams(self):
        """RAMs that are read and written at the same addresses are one, with wider words."""
        groups = {}
        for kind, bits in (("RAMD32", 5), ("RAMD64E", 6)):
            for cell in self._kind(kind):
                if "O" not in cell.pins:
                    continue
                read = tuple(self._in(cell, f"RADR{k}") for k in range(bits))
                at = tuple(self._in(cell, f"WADR{k}") for k in range(bits))
                enable = self._in(cell, "WE")
                for bit, port in ((0, "WADR6"), (1, "WADR7")):
                    if cell.parameters["HIGH_MASK"] >> bit & 1:
                        sign = "" if cell.parameters["HIGH_VALUE"] >> bit & 1 else "~"
                        enable = f"{enable} & {sign}{self._in(cell, port)}"
                groups.setdefault((self._edge(cell, "CLK", "IS_CLK_INVERTED"), read, at, enable), []).append(cell)
        for (edge, read, at, enable), cells in groups.items():
            name, depth = _plain(cells[0].name) + "_ram", 1 << len(read)
            yield f"reg [{len(cells) - 1}:0] {name} [0:{depth - 1}];"
            starts = [sum((c.parameters["INIT"] >> k & 1) << n for n, c in enumerate(cells)) for k in range(depth)]
            yield "initial " + _lines(f"{name}[{k}] = {len(cells)}'h{value:x};" for k, value in enumerate(starts))
            outputs = ",\n".join(self._out(cell, "O") for cell in reversed(cells))
            inputs = ",\n".join(self._in(cell, "I") for cell in reversed(cells))
            yield f"assign {{{outputs}}} = {name}[{{{', '.join(reversed(read))}}}];"
            yield f"always @({edge}) if ({enable}) {name}[{{{', '.join(reversed(at))}}}] <= {{{inputs}}};"

    def _shifts(self):
        for kind, length in (("SRL16E", 16), ("SRLC32E", 32)):
            for cell in self._kind(kind):
                name = _plain(cell.name) + "_bits"
                at = ", ".join(self._in(cell, f"A{k}") for k in reversed(range(4 if length == 16 else 5)))
                yield f"reg [{length - 1}:0] {name} = {length}'h{cell.parameters['INIT']:x};"
                edge = self._edge(cell, "CLK", "IS_CLK_INVERTED")
                shift = f"{name} <= {{{name}[{length - 2}:0], {self._in(cell, 'D')}}};"
                yield f"always @({edge}) if ({self._in(cell, 'CE')}) {shift}"
                if "Q" in cell.pins:
                    yield f"assign {self._out(cell, 'Q')} = {name}[{{{at}}}];"
                if "Q31" in cell.pins:
                    yield f"assign {self._out(cell, 'Q31')} = {name}[{length - 1}];"

    def _dsp(self, cell):
        values = cell.parameters
        parameters = {name: value for name, value in values.items() if name.endswith("REG")}
        parameters |= {f"{bus}_CASCADE": int(values[f"{bus}_INPUT"] == "CASCADE") for bus in "AB"}
        parameters["USE_DPORT"] = int(values["USE_DPORT"] == "TRUE")
        for name, width in (("ALUMODE", 4), ("INMODE", 5), ("OPMODE", 7), ("CARRYIN", 1)):
            parameters[f"IS_{name}_INVERTED"] = f"{width}'h{values[f'IS_{name}_INVERTED']:x}"
        widths = {"A": 30, "ACIN": 30, "B": 18, "BCIN": 18, "C": 48, "PCIN": 48, "D": 25, "ALUMODE": 4, "INMODE": 5,
                  "OPMODE": 7, "CARRYINSEL": 3}  # fmt: skip
        ports = [f".{port}({self._bus(cell, port, width)})" for port, width in widths.items()]
        single = [
            f"CE{name}"
            for name in ("A1", "A2", "AD", "ALUMODE", "B1", "B2", "C", "CARRYIN", "CTRL", "D", "INMODE", "M", "P")
        ]
        single += [f"RST{name}" for name in ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")]
        ports += [f".{port}({self._in(cell, port)})" for port in (*single, "CARRYIN")]
        clock = ("~" if values["IS_CLK_INVERTED"] else "") + self._in(cell, "CLK")
        ports.append(f".CLK({clock})")
        outputs = {"P": 48, "PCOUT": 48, "ACOUT": 30, "BCOUT": 18}
        yield from self._instance("readback_dsp48e1", cell, parameters, ports, outputs)

    def _block_ram(self, cell):
        values = cell.parameters
        parameters = {name: value for name, value in values.items() if "_WIDTH_" in name or name.startswith("DO")}
        for port in "AB":
            parameters[f"MODE_{port}"] = MODES[values[f"WRITE_MODE_{port}"]]
            parameters[f"REGCE_FIRST_{port}"] = int(values[f"RSTREG_PRIORITY_{port}"] == "REGCE")
            parameters[f"SRVAL_{port}"] = f"18'h{values[f'SRVAL_{port}']:x}"
            parameters[f"INIT_{port}"] = f"18'h{values[f'INIT_{port}']:x}"
        parameters["SDP"] = int(values["RAM_MODE"] == "SDP")
        for name, count in (("INIT", 64), ("INITP", 8)):
            value = sum(values[f"{name}_{k:02X}"] << 256 * k for k in range(count))
            parameters[name] = f"{256 * count}'h{value:x}"
        widths = {"ADDRARDADDR": 14, "ADDRBWRADDR": 14, "DIADI": 16, "DIBDI": 16, "DIPADIP": 2, "DIPBDIP": 2,
                  "WEA": 4, "WEBWE": 8}  # fmt: skip
        ports = [f".{port}({self._bus(cell, port, width)})" for port, width in widths.items()]
        ports += [f".{port}({self._in(cell, port)})" for port in ("REGCEAREGCE", "REGCEB")]
        for name, value in values.items():
            port = name.removeprefix("IS_").removesuffix("_INVERTED")
            if name.startswith("IS_"):
                ports.append(f".{port}({'~' if value else ''}{self._in(cell, port)})")
        outputs = {"DOADO": 16, "DOBDO": 16, "DOPADOP": 2, "DOPBDOP": 2}
        yield from self._instance("readback_ramb18e1", cell, parameters, ports, outputs)

    def _instance(self, module, cell, parameters, ports, outputs):
        base = _plain(cell.name)
        after = []
        for port, width in outputs.items():
            used = [k for k in range(width) if f"{port}[{k}]" in cell.pins]
            if used:
                yield f"wire [{width - 1}:0] {base}_{port}_all;"
                ports = [*ports, f".{port}({base}_{port}_all)"]
                after += [f"assign {self._out(cell, f'{port}[{k}]')} = {base}_{port}_all[{k}];" for k in used]
        given = ", ".join(f".{name}({value})" for name, value in parameters.items())
        yield f"{module} #({given}) {base} (\n" + ",\n".join(ports) + "\n);"
        yield from after

    def _processor(self, cell):
        """All ports that something is joined to, bit by bit; the widths are those of the highest bits in use."""
        ports: dict[str, dict[int | None, str]] = {}
        for port in cell.pins:
            name, _, bit = port.partition("[")
            ports.setdefault(name, {})[int(bit[:-1]) if bit else None] = self._wire(cell.pins[port])
        driven = {
            net.driver.port.partition("[")[0]
            for net in self.netlist.nets.values()
            if net.driver and net.driver.cell == cell.name
        }
        joins, after = [], []
        for name, bits in ports.items():
            if None in bits:
                joins.append(f".{name}({bits[None]})")
            elif name in driven:
                yield f"wire [{max(bits)}:0] ps7_{name};"
                after += [f"assign {wire} = ps7_{name}[{k}];" for k, wire in bits.items()]
                joins.append(f".{name}(ps7_{name})")
            else:
                every = ", ".join(bits.get(k, "1'b0") for k in reversed(range(max(bits) + 1)))
                joins.append(f".{name}({{{every}}})")
        yield "if (1) begin : processor"
        yield "PS7 ps7 (\n" + ",\n".join(joins) + "\n);"
        yield "end"
        yield from after


def _shrink(table, names):
    """The inputs that are joined, and the table over them."""
    kept = [k for k, name in enumerate(names) if name not in ("1'b0", "1'b1")]
    fixed = sum(1 << k for k, name in enumerate(names) if name == "1'b1")
    small = 0
    for index in range(1 << len(kept)):
        full = fixed | sum((index >> n & 1) << k for n, k in enumerate(kept))
        small |= (table >> full & 1) << index
    return small, tuple(names[k] for k in kept)


def _lines(statements):
    """A block, a line for each statement: tools have limits for lines."""
    return "begin\n" + "\n".join(statements) + "\nend"


def _plain(name):
    """An identifier: "SLICE_X1Y2_A6LUT_O6" for "SLICE_X1Y2/A6LUT.O6"."""
    return re.sub(r"\W+", "_", name).rstrip("_")
