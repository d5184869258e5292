"""The netlist that is placed: registers behind shift registers, a LUT before write addresses, small things in logic."""

import json

import pytest

from hls.place.netlist import FEW, HOLD, MARK, NARROW, end_in_registers, hold_write_addresses, script
from hls.synth.yosys import run_yosys

LENGTHS = (2, 3, 5, 16, 17, 18)
SHIFTS = """
module shifts (input wire clk, en, input wire [{high}:0] d, output wire [{high}:0] q);
    reg x = 0;
    always @(posedge clk) x <= x ^ d[0];
{lines}
endmodule
"""
SHIFT = """
    reg [{top}:0] s{n} = 0;
    always @(posedge clk) {condition} s{n} <= {{s{n}[{below}:0], x ^ d[{n}]}};
    assign q[{n}] = s{n}[{top}];"""


@pytest.fixture(scope="module")
def shifts(tmp_path_factory):
    """A netlist as Yosys writes it: shift registers of several lengths, half of them with an enable."""
    pytest.importorskip("pyosys", reason="Yosys is not installed (make setup)")
    folder = tmp_path_factory.mktemp("shifts")
    kinds = [(length, condition) for length in LENGTHS for condition in ("", "if (en)")]
    lines = [
        SHIFT.format(n=n, top=length - 1, below=length - 2, condition=condition)
        for n, (length, condition) in enumerate(kinds)
    ]
    (folder / "shifts.v").write_text(SHIFTS.format(high=len(kinds) - 1, lines="".join(lines)))
    commands = ["read_verilog shifts.v", "synth_xilinx -family xc7 -top shifts -noiopad -noclkbuf", "write_json a.json"]
    run_yosys(commands, folder, "Yosys fails")
    whole = json.loads((folder / "a.json").read_text())
    whole["modules"] = {"shifts": whole["modules"]["shifts"]}  # and not the primitives' frames
    (folder / "a.json").write_text(json.dumps(whole))
    return folder


def cells(path):
    return {name: c for m in json.loads(path.read_text())["modules"].values() for name, c in m["cells"].items()}


def length(cell):
    return 1 + sum(int(cell["connections"][f"A{i}"][0]) << i for i in range(4))


def test_shift_registers_end_in_flip_flops_in_the_same_cycles(shifts, tmp_path):
    """Each has one bit less, and a flip-flop of the same clock and enable between it and what it drove."""
    path = tmp_path / "b.json"
    path.write_text((shifts / "a.json").read_text())
    before, count = cells(path), end_in_registers(path)
    behind = cells(path)
    changed = [name for name, cell in before.items() if cell["type"] == "SRL16E"]
    assert count == len(changed) == len(behind) - len(before) >= 8
    assert {length(before[name]) for name in changed} >= {3, 5, 16}
    taken = {bit for cell in before.values() for pins in cell["connections"].values() for bit in pins}
    for name in changed:
        old, new, last = (c["connections"] for c in (before[name], behind[name], behind[f"{name}{MARK}"]))
        assert length(behind[name]) == length(before[name]) - 1
        assert all(new[pin] == old[pin] for pin in ("CLK", "CE", "D"))
        assert last == {"C": old["CLK"], "CE": old["CE"], "D": new["Q"], "Q": old["Q"], "R": ["0"]}
        assert behind[f"{name}{MARK}"]["parameters"] == {"INIT": "0"}
        assert new["Q"][0] not in taken
    assert all(behind[name] == cell for name, cell in before.items() if cell["type"] != "SRL16E")


@pytest.mark.parametrize("change", [{"INIT": "0000000000000001"}, {"IS_CLK_INVERTED": "1"}])
def test_others_stay_as_they_are(shifts, tmp_path, change):
    design = json.loads((shifts / "a.json").read_text())
    for cell in design["modules"]["shifts"]["cells"].values():
        if cell["type"] == "SRL16E":
            cell["parameters"] |= change
    path = tmp_path / "b.json"
    path.write_text(json.dumps(design))
    assert end_in_registers(path) == 0
    assert json.loads(path.read_text()) == design


def synthesised(folder, text, top):
    """The cells that the netlist of a module has, by name."""
    pytest.importorskip("pyosys", reason="Yosys is not installed (make setup)")
    (folder / "rtl").mkdir()
    (folder / "rtl" / "t.v").write_text(text)
    commands = [c.replace("synth_xilinx", "synth_xilinx -noiopad -noclkbuf") for c in script(["t.v"], top, "xc7")]
    run_yosys(commands, folder, "Yosys fails")
    return cells(folder / "netlist.json")


def test_enables_of_few_flip_flops_are_logic(tmp_path):
    text = "module t (input wire clk, input wire [2:0] en, rst, input wire [63:0] d, output reg [63:0] q);"
    text += "always @(posedge clk) begin "
    few, many = FEW - 1, 64 - FEW - 2
    for at, width, bit in ((0, few, 0), (few, many, 1)):
        part = f"[{at + width - 1}:{at}]"
        text += f"if (rst[{bit}]) q{part} <= 0; else if (en[{bit}]) q{part} <= d{part}; "
    text += f"q[63:{few + many}] <= d[63:{few + many}]; end endmodule"
    found = [cell for cell in synthesised(tmp_path, text, "t").values() if cell["type"] == "FDRE"]
    enabled = [c for c in found if c["connections"]["CE"] != ["1"]]
    reset = [c for c in found if c["connections"]["R"] != ["0"]]
    assert len(found) == 64 and len(enabled) == many and len(reset) == many


def test_short_carry_chains_are_logic(tmp_path):
    """A sum and a comparison of a few bits have none, of more bits they have."""
    for n, (width, what, has) in enumerate([(NARROW - 1, "+", False), (2, "<", False), (NARROW + 5, "+", True)]):
        text = f"module t (input wire clk, input wire [{width - 1}:0] a, b, output reg [{width}:0] q);"
        text += f"always @(posedge clk) q <= a {what} b; endmodule"
        folder = tmp_path / str(n)
        folder.mkdir()
        assert any(cell["type"] == "CARRY4" for cell in synthesised(folder, text, "t").values()) == has


def test_a_lut_holds_write_addresses(tmp_path):
    """One for each bit of an address, whatever reads with it; nothing else changes, and a second time finds nothing."""
    text = (
        "module t (input wire clk, we, input wire [4:0] other, input wire [15:0] d, output reg [15:0] q, r);"
        "reg [15:0] m [0:31]; reg [4:0] head = 0, tail = 0; always @(posedge clk) begin if (we) m[tail] <= d; "
        "if (we) tail <= tail + 1; head <= other; q <= m[head]; r <= tail; end endmodule"
    )
    before = synthesised(tmp_path, text, "t")
    rams = [name for name, cell in before.items() if cell["type"] == "RAM32M"]
    assert len(rams) > 1, sorted({cell["type"] for cell in before.values()})
    path = tmp_path / "netlist.json"
    assert hold_write_addresses(path) == 5
    behind = cells(path)
    held = {name: behind.pop(name) for name in list(behind) if name.endswith(HOLD)}
    address = before[rams[0]]["connections"]["ADDRD"]
    through = {cell["connections"]["I0"][0]: cell["connections"]["O"][0] for cell in held.values()}
    assert set(through) == set(address) and len(set(through.values()) - set(address)) == 5
    assert {cell["type"] for cell in held.values()} == {"LUT1"}
    assert {cell["parameters"]["INIT"] for cell in held.values()} == {"10"}
    for name, cell in before.items():
        if name in rams:
            cell["connections"]["ADDRD"] = [through[bit] for bit in cell["connections"]["ADDRD"]]
        assert behind[name] == cell
    assert hold_write_addresses(path) == 0
