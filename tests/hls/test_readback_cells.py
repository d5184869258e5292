"""The Verilog of a netlist that was read back: each kind of cell against Yosys' model of the primitive, bit for bit, on
random inputs.
"""

import json
import random

import pytest

from hls.readback.cells.slices import depends
from hls.readback.lutlogic import expression
from hls.readback.netlist import Net
from tests.hls.readback_designs import Design, reference, same

RANDOM = random.Random(5)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """Verilator's own objects, for all benches."""
    return tmp_path_factory.mktemp("runtime")


def test_combinational_cells(tmp_path, runtime):
    """Tables of every kind, a chain of carries, wide multiplexers."""
    design, lines, at, out = Design(), [], 0, 0
    tables = [RANDOM.getrandbits(64) for _ in range(24)] + [
        0x6996966996696996,
        0x8000000080000000,
        0xFFFE,
        0xAAAAAAAAAAAAAAAA,
    ]
    for n, table in enumerate(tables):
        if n % 3 == 0:  # of three inputs only, as most are
            table = sum((table >> (k & 7) & 1) << k for k in range(64))
        design.add("LUT6_2", [f"I{k}" for k in range(6)], ["O6", "O5"], {"INIT": table}, f"LUT{n}")
        ports = ", ".join(f".I{k}(in[{at + k}])" for k in range(6))
        lines.append(f"LUT6_2 #(.INIT(64'h{table:x})) lut{n} ({ports}, .O6(out[{out}]), .O5(out[{out + 1}]));")
        at, out = at + 6, out + 2
    design.add("CARRY4", ["CI", "CYINIT", *(f"{p}[{k}]" for p in ("S", "DI") for k in range(4))],
               [f"{p}[{k}]" for p in ("O", "CO") for k in range(4)], {}, "CARRY")  # fmt: skip
    lines.append(f"CARRY4 carry (.CI(in[{at}]), .CYINIT(in[{at + 1}]), .S(in[{at + 5}:{at + 2}]), "
                 f".DI(in[{at + 9}:{at + 6}]), .O(out[{out + 3}:{out}]), .CO(out[{out + 7}:{out + 4}]));")  # fmt: skip
    at, out = at + 10, out + 8
    for kind in ("MUXF7", "MUXF8"):
        design.add(kind, ["I0", "I1", "S"], ["O"], {}, kind)
        lines.append(f"{kind} m{kind} (.I0(in[{at}]), .I1(in[{at + 1}]), .S(in[{at + 2}]), .O(out[{out}]));")
        at, out = at + 3, out + 1
    same(
        design, reference("\n".join(lines), at, out), "none", ["LUT6_2", "CARRY4", "MUXF7", "MUXF8"], tmp_path, runtime
    )


def test_registers_and_lut_memories(tmp_path, runtime):
    design, lines, at, out = Design(), [], 0, 0
    kinds = {"FDRE": "R", "FDSE": "S", "FDCE": "CLR", "FDPE": "PRE"}
    for n, (kind, port) in enumerate(kinds.items()):
        for start in (0, 1):
            design.add(kind, ["C", "D", "CE", port], ["Q"], {"INIT": start, "IS_C_INVERTED": 0}, f"{kind}{start}")
            lines.append(f"{kind} #(.INIT(1'b{start})) r{n}_{start} (.C(clk), .D(in[{at + 1}]), .CE(in[{at + 2}]), "
                         f".{port}(in[{at + 3}]), .Q(out[{out}]));")  # fmt: skip
            at, out = at + 4, out + 1
    for kind, other, bits in (("RAMD32", "RAM32X1D", 5), ("RAMD64E", "RAM64X1D", 6)):
        table = RANDOM.getrandbits(1 << bits)
        ports = [*(f"RADR{k}" for k in range(bits)), *(f"WADR{k}" for k in range(bits)), "I", "WE", "CLK"]
        design.add(kind, ports, ["O"], {"INIT": table, "HIGH_MASK": 0, "HIGH_VALUE": 0, "IS_CLK_INVERTED": 0}, kind)
        joins = [f".DPRA{k}(in[{at + k}]), .A{k}(in[{at + bits + k}])" for k in range(bits)]
        lines.append(f"{other} #(.INIT({1 << bits}'h{table:x})) r{kind} ({', '.join(joins)}, .D(in[{at + 2 * bits}]), "
                     f".WE(in[{at + 2 * bits + 1}]), .WCLK(clk), .DPO(out[{out}]), .SPO());")  # fmt: skip
        at, out = at + 2 * bits + 3, out + 1
    for kind, bits in (("SRL16E", 4), ("SRLC32E", 5)):
        start = RANDOM.getrandbits(1 << bits)
        outputs = ["Q", "Q31"] if bits == 5 else ["Q"]
        design.add(
            kind,
            [*(f"A{k}" for k in range(bits)), "D", "CE", "CLK"],
            outputs,
            {"INIT": start, "IS_CLK_INVERTED": 0},
            kind,
        )
        address = f".A(in[{at + 4}:{at}])" if bits == 5 else ", ".join(f".A{k}(in[{at + k}])" for k in range(4))
        last = f", .Q31(out[{out + 1}])" if bits == 5 else ""
        lines.append(f"{kind} #(.INIT({1 << bits}'h{start:x})) s{kind} ({address}, .D(in[{at + bits}]), "
                     f".CE(in[{at + bits + 1}]), .CLK(clk), .Q(out[{out}]){last});")  # fmt: skip
        at, out = at + bits + 3, out + len(outputs)
    for clock in ("C", "CLK"):  # both are the clock
        design.inputs = [(cell, "clock" if port == clock else port) for cell, port in design.inputs]
    names = [*kinds, "RAM32X1D", "RAM64X1D", "SRL16E", "SRLC32E"]
    same(design, reference("\n".join(lines), at, out), "clock", names, tmp_path, runtime)


DSP_OUT = {"P": 48, "PCOUT": 48, "ACOUT": 30, "BCOUT": 18}
BUSES = {"A": 30, "B": 18, "C": 48, "D": 25, "ALUMODE": 4, "INMODE": 5, "OPMODE": 7, "PCIN": 48, "ACIN": 30, "BCIN": 18}
ENABLES = [
    "CEA1",
    "CEA2",
    "CEAD",
    "CEALUMODE",
    "CEB1",
    "CEB2",
    "CEC",
    "CECARRYIN",
    "CECTRL",
    "CED",
    "CEINMODE",
    "CEM",
    "CEP",
]
RESETS = ["RSTA", "RSTALLCARRYIN", "RSTALUMODE", "RSTB", "RSTC", "RSTCTRL", "RSTD", "RSTINMODE", "RSTM", "RSTP"]
STAGES = [
    "ADREG",
    "ALUMODEREG",
    "CARRYINREG",
    "CARRYINSELREG",
    "CREG",
    "DREG",
    "INMODEREG",
    "MREG",
    "OPMODEREG",
    "PREG",
]


def dsp(opmode, inmode=0, alumode=0, dport=False, cascade=False, **registers):
    """Parameters of a DSP, and the levels of its mode inputs."""
    found = {name: registers.get(name, 1) for name in [*STAGES, "AREG", "BREG", "ACASCREG", "BCASCREG"]}
    found |= {"A_INPUT": "CASCADE" if cascade else "DIRECT", "B_INPUT": "CASCADE" if cascade else "DIRECT"}
    found |= {"USE_DPORT": "TRUE" if dport else "FALSE", "USE_SIMD": "ONE48"}
    found |= {"IS_ALUMODE_INVERTED": 0, "IS_INMODE_INVERTED": 0, "IS_OPMODE_INVERTED": 0, "IS_CARRYIN_INVERTED": 0}
    return found | {"IS_CLK_INVERTED": 0}, {"OPMODE": opmode, "INMODE": inmode, "ALUMODE": alumode}


DSPS = (
    dsp(0b0000101, AREG=0, ACASCREG=0, BREG=2, BCASCREG=2),  # the accelerator's
    dsp(0b0010101, AREG=2, ACASCREG=1, BREG=2, BCASCREG=1, MREG=0, ADREG=0),
    dsp(0b0110101, inmode=0b00100, dport=True, alumode=0b0011),
    dsp(0b0110010, cascade=True),
    dsp(0b0001111, alumode=0b0001, CREG=0, PREG=1),
    dsp(0b1010011, alumode=0b0010, ALUMODEREG=0, OPMODEREG=0),
)


def test_dsps(tmp_path, runtime):
    """Six modes side by side: OPMODE, INMODE, ALUMODE are held, all else moves."""
    design, lines, at, out = Design(), [], 0, 0
    for n, (parameters, levels) in enumerate(DSPS):
        moving = {bus: width for bus, width in BUSES.items() if bus not in levels}
        inputs = [f"{bus}[{k}]" for bus, width in moving.items() for k in range(width)]
        inputs += [*ENABLES, *RESETS, "CARRYIN", "CLK"]
        outputs = [f"{bus}[{k}]" for bus, width in DSP_OUT.items() for k in range(width)]
        design.add("DSP48E1", inputs, outputs, parameters, f"DSP{n}")
        cell = design.netlist.cells[f"DSP{n}"]
        for bus, value in levels.items():
            for k in range(BUSES[bus]):
                level = ("GND", "VCC")[value >> k & 1]
                design.netlist.nets.setdefault(level, Net(level, None))
                cell.pins[f"{bus}[{k}]"] = level
        joins = [f".{bus}({BUSES[bus]}'d{value})" for bus, value in levels.items()]
        for bus, width in moving.items():
            joins.append(f".{bus}(in[{at + width - 1}:{at}])")
            at += width
        joins += [f".{name}(in[{at + k}])" for k, name in enumerate([*ENABLES, *RESETS, "CARRYIN"])]
        at += len(ENABLES) + len(RESETS) + 2
        for bus, width in DSP_OUT.items():
            joins.append(f".{bus}(out[{out + width - 1}:{out}])")
            out += width
        joins += [".CLK(clk)", ".CARRYINSEL(3'd0)", ".CARRYCASCIN(1'b0)", ".MULTSIGNIN(1'b0)"]
        kept = {name: value for name, value in parameters.items() if not name.startswith("IS_")}
        kept["USE_MULT"] = "MULTIPLY" if levels["OPMODE"] & 3 == 1 else "NONE"
        given = ", ".join(f".{name}({json.dumps(value)})" for name, value in kept.items())
        lines.append(f"DSP48E1 #({given}) dsp{n} ({', '.join(joins)});")
    same(design, reference("\n".join(lines), at, out), "CLK", ["DSP48E1"], tmp_path, runtime, biased=RESETS)


def test_a_table_depends_on_the_inputs_that_change_it():
    assert depends(0xAAAAAAAAAAAAAAAA, 6) == [0] and depends(0, 6) == [] and depends(0b1000, 2) == [0, 1]
    for _ in range(50):
        table = RANDOM.getrandbits(64)
        slow = [k for k in range(6) if any((table >> n & 1) != (table >> (n ^ 1 << k) & 1) for n in range(64))]
        assert depends(table, 6) == slow


def test_short_tables_are_written_as_logic():
    assert expression(0b1000, ("a", "b")) == "(a & b)" and expression(0b0110, ("a", "b")) == "(a ^ b)"
    assert expression(0xFFFF, ("a", "b", "c", "d")) == "1'b1" and json.dumps(expression(1, ("a",))) == '"~a"'
