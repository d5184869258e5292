"""Packed bitstreams without a board: decoded from Project X-Ray's database, simulated in the place of their designs.

Needs the database, which is looked for as the product looks for it, else in `shared/openxc7` beside the checkout.
"""

import os
import subprocess

import pytest

from hls.open.verilator import run_bench
from hls.place.tools import find_chipdb, find_database
from hls.readback import faults, rules
from hls.readback.cells.builder import Builder
from hls.readback.decode import block, decode
from hls.readback.features import match
from hls.readback.routing import Routes
from hls.readback.verilog import FILES
from model.base.cache import built, digest
from model.base.errors import UserError
from model.base.paths import BUILD, ROOT
from sim.bitcheck import check, simulate

PART = "xc7z020clg400-1"
PACKED = ROOT.parent / "shared" / "openxc7" / "unpack.sh"


@pytest.fixture(scope="module")
def database():
    """The database, or why the test is skipped."""
    before = os.environ.get("OXC7")
    try:
        find_database(PART), find_chipdb(PART)
    except UserError as error:
        if not PACKED.is_file():
            pytest.skip(str(error))

        def unpack(folder):
            subprocess.run(["sh", str(PACKED), str(folder)], check=True, capture_output=True)

        os.environ["OXC7"] = str(built(BUILD / f"openxc7-{digest('', [PACKED])}", unpack))
    yield check.open_database(PART)
    os.environ.pop("OXC7", None) if before is None else os.environ.update(OXC7=before)


@pytest.fixture(scope="module")
def blink(database):
    overlay = check.read_overlay("pynq_z2", "blink")
    return overlay, check.read_bit(overlay.bit, database, "blink.bit")


def test_the_loop_writes_back_what_it_reads(database):
    """All of `loop`: LUTs, registers, carries, LUT RAMs, block RAMs, the processor's two ports."""
    overlay = check.read_overlay("pynq_z2", "loop")
    decoded = check.read_bit(overlay.bit, database, "loop.bit")
    row = check.prove(overlay, decoded, 1)
    assert (
        row["cycles"] > 2000 and row["unknown_bits"] == 0 and row["cells_RAMB18E1"] == 2 and row["cells_RAMD32"] > 1000
    )
    planted = faults.plant("ram", decoded.frames, database, decoded.netlist)
    with pytest.raises(UserError, match="RAMB18E1 does not begin with zeros"):
        rules.check(decode(planted.frames, database))


@pytest.mark.parametrize(
    "kind, caught, says",
    [
        ("route", "decoding", "unknown bit"),
        ("removed", "decoding", "no driver"),
        ("two drivers", "decoding", "two drivers"),
        ("lut", "simulation", "the LEDs show"),
        ("pin", "simulation", "the LEDs show"),
    ],
)
def test_planted_faults_are_caught(database, blink, kind, caught, says):
    row = check.plant(kind, *blink, database, 1)
    assert row["caught"] == caught and says in row["says"], row


def test_an_open_pin_is_1(database, blink):
    """As it is in the device: what a multiplexer gives that selects nothing."""
    planted = faults.plant("pin", blink[1].frames, database, blink[1].netlist)
    netlist = decode(planted.frames, database)
    (pad,) = [cell for cell in netlist.cells.values() if cell.kind == "BUF" and cell.pins["I"] == "VCC"]
    assert pad.name in planted.says


def test_a_bitstream_of_another_design_is_told(database, blink):
    with pytest.raises(UserError, match="drives the pins"):
        netlist = decode(blink[1].frames, database)
        netlist.ports.popitem()
        simulate.sources(netlist, "blink", "pynq_z2")


TWO = """
module bench (input wire clk, input wire rst);
    reg [29:0] a = 0; reg [17:0] b = 0; wire [47:0] p, q;
    always @(posedge clk) begin a <= {a, 1'b1} ^ $urandom; b <= $urandom; if (p != q) $fatal(1, "they differ"); end
    READBACK
endmodule
"""


def test_a_dsp_mode_that_was_changed_computes_something_else(database):
    """One of the accelerator's DSPs, by its settings alone, beside itself with one bit changed."""
    overlay = check.read_overlay("pynq_z2", "srcnn915")
    frames = check.read_frames(overlay.bit, check.frame_addresses(database.part_file), "srcnn.bit")
    tile = next(
        t
        for t in database.tiles.values()
        if t.kind == "DSP_R" and frames.bits[frames.row[t.windows["CLB_IO_CLK"].base] + 26].any()
    )

    def parameters(frames):
        found = match(frames, database, ("DSP_R",))
        builder = Builder(database, found, Routes(database, found), block)
        site = next(s for s in database.sites(tile.name) if s.kind == "DSP48E1")
        return block(builder, site).parameters()

    ((row, column, _),) = faults.feature_bits(frames, database, tile.name, "DSP48.DSP_0.ZMREG[0]")
    right = parameters(frames)
    frames.bits[row, column] ^= True
    wrong = parameters(frames)
    assert {name for name in right if right[name] != wrong[name]} == {"MREG"}
    assert right["MREG"] == 1 and right["BREG"] == 2 and right["PREG"] == 1  # as the compiler's multipliers are

    def instance(values, name, out):
        given = ", ".join(f".{key}({values[key]})" for key in ("AREG", "BREG", "MREG", "PREG", "ADREG", "CREG", "DREG"))
        given += ", .OPMODEREG(0), .INMODEREG(0), .ALUMODEREG(0), .CARRYINSELREG(0), .CARRYINREG(0)"
        enables = ", ".join(
            f".CE{x}(1'b1)"
            for x in ("A1", "A2", "AD", "ALUMODE", "B1", "B2", "C", "CARRYIN", "CTRL", "D", "INMODE", "M", "P")
        )
        resets = ", ".join(
            f".RST{x}(1'b0)" for x in ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")
        )
        zero = ("CARRYIN", "CARRYINSEL", "INMODE", "ALUMODE", "C", "D", "PCIN", "ACIN", "BCIN")
        rest = ", ".join([".OPMODE(7'b101)", *(f".{x}('0)" for x in zero)])
        return f"readback_dsp48e1 #({given}) {name} (.CLK(clk), .A(a), .B(b), .P({out}), {rest}, {enables}, {resets});"

    for other, differs in ((right, False), (wrong, True)):
        folder = BUILD / "sim" / f"bitcheck-dsp-{digest(str(other))}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "bench.sv"
        path.write_text(TWO.replace("READBACK", instance(right, "one", "p") + "\n" + instance(other, "two", "q")))
        if differs:
            with pytest.raises(Exception, match="they differ"):
                run_bench([FILES[0], path], "bench", folder / "build", 100)
        else:
            run_bench([FILES[0], path], "bench", folder / "build", 100)
