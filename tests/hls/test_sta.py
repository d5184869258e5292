"""Static timing: the delay database, wires by hand, a small netlist by hand."""

import json
from typing import NamedTuple

import numpy as np
import pytest

from hls.readback.netlist import Cell, Net, Netlist, Pin, Pip, Sink, Site, Wire
from hls.sta.analyse import fits, slacks, trace, uncertainty
from hls.sta.common import Shared, refine
from hls.sta.delays.blocks import BlockTimes, conditions
from hls.sta.delays.cell import split_port
from hls.sta.delays.sdf import SLOW_MAX, SdfFiles, read_sdf
from hls.sta.delays.slices import SliceTimes
from hls.sta.delays.tiles import TileTypes, tile_type
from hls.sta.model import Builder, Delays, build
from hls.sta.report import area_rows, clock_row, gap_rows, group_rows, path_rows, slowest, text
from hls.sta.stock import Stock
from hls.sta.wirecheck import compare, ours, theirs
from hls.sta.wires import Routes
from model.base.errors import UserError

SLICE = """(DELAYFILE (SDFVERSION "3.0") (TIMESCALE 1ns)
 (CELL (CELLTYPE "REG_INIT_FF") (INSTANCE SLICEL)
  (DELAY (ABSOLUTE (IOPATH CLK Q (0.1::0.2)(0.3::0.4))))
  (TIMINGCHECK (HOLD DIN (posedge CLK) (0.15::0.25)) (SETUP DIN (posedge CLK) (-0.07::-0.05))))
 (CELL (CELLTYPE "LUT6") (INSTANCE SLICEL/A6LUT)
  (DELAY (ABSOLUTE (IOPATH A1 O6 (0.01::0.02)(0.03::0.04)) (IOPATH A2 O6 (0.05::0.06)(0.07::0.08)))))
 (CELL (CELLTYPE "ROUTING_BEL") (INSTANCE SLICEL/AFF)
  (DELAY (ABSOLUTE (INTERCONNECT clk aff (0.02::0.03)(0.09::0.11)) (INTERCONNECT a6lut aff (0.03::0.04)(0.05::0.1)))))
 (CELL (CELLTYPE "ROUTING_BEL") (INSTANCE SLICEL/AQ)
  (DELAY (ABSOLUTE (INTERCONNECT aff aq (0.0::0.0)(0.0::0.0))))))"""
BUFFER = """(DELAYFILE (SDFVERSION "3.0") (TIMESCALE 1ps)
 (CELL (CELLTYPE "BUFGCTRL") (INSTANCE BUFGCTRL) (DELAY (ABSOLUTE (IOPATH I O (20::30)(90::100))))))"""
EMPTY = '(DELAYFILE (SDFVERSION "3.0") (TIMESCALE 1ns))'


def pip(source, target, ns, ohm, ff, passes=0):
    timing = {"delay": ns and [str(each) for each in ns], "in_cap": str(ff), "res": str(ohm)}
    return {
        "src_wire": source,
        "dst_wire": target,
        "is_pass_transistor": passes,
        "is_directional": "1",
        "src_to_dst": timing,
    }


def tile(wires, pips, sites=()):
    return {
        "wires": {name: rc and {"res": str(rc[0]), "cap": str(rc[1])} for name, rc in wires.items()},
        "pips": {f"{one['src_wire']}.{one['dst_wire']}": one for one in pips},
        "sites": [{"site_pins": pins} for pins in sites],
    }


class Place(NamedTuple):
    """A tile, as far as this needs one."""

    kind: str
    sites: dict[str, str]


class Made:
    """A database in which every wire is a node of its own, but for those of `joined`."""

    def __init__(self, tiles, sites=(), joined=()):
        self.tiles, self._sites, self._joined = tiles, sites, joined

    def node(self, tile, wire):
        return next((group for group in self._joined if (tile, wire) in group), ((tile, wire),))

    def wires(self, node):
        return [(self.tiles[tile], name) for tile, name in node]

    def sites(self, tile):
        return [site for site in self._sites if site.tile == tile]


@pytest.fixture
def folder(tmp_path):
    """A database: tile types T and CLB, timings of slices and clock buffers."""
    ns = (0.01, 0.02, 0.03, 0.05)
    routing = tile(
        {"W0": (100, 10), "W1": (50, 4), "W2": (0, 8), "W3": None, "W4": (20, 2)},
        [
            pip("W0", "W1", ns, 1000, 5),  # isolates
            pip("W0", "W2", None, 200, 0, passes=1),
            pip("W2", "W3", ns, 500, 3),
            pip("W2", "W4", None, 0, 0),  # no number
        ],
    )
    (tmp_path / "tile_type_T.json").write_text(json.dumps(routing))
    out = {"wire": "Q", "res": "2000", "delay": ["0", "0", "0", "0"]}
    into = {"wire": "A2", "cap": "7", "delay": ["0.1", "0.2", "0.3", "0.5"]}
    clock = {"wire": "CLK", "cap": "0", "delay": ["0", "0", "0", "0"]}
    clb = tile({"Q": (0, 10), "A2": None, "CLK": None}, [pip("Q", "A2", ns, 1000, 5)], [])
    clb["sites"] = [{"site_pins": {"AQ": out, "A2": into, "CLK": clock}}]
    (tmp_path / "tile_type_CLB.json").write_text(json.dumps(clb))
    drives = {"wire": "O", "res": "0", "delay": ["0", "0", "0", "0"]}
    buffer = tile({"O": None, "CLK": None}, [pip("O", "CLK", (0.1, 0.2, 0.5, 0.6), 0, 0)], [{"O": drives}])
    (tmp_path / "tile_type_BUF.json").write_text(json.dumps(buffer))
    (tmp_path / "timings").mkdir()
    for name in ("slicem", "DSP_L", "BRAM_L", "PSS2", "CLK_HROW_BOT_R"):
        (tmp_path / "timings" / f"{name}.sdf").write_text(EMPTY)
    (tmp_path / "timings" / "slicel.sdf").write_text(SLICE)
    (tmp_path / "timings" / "CLK_BUFG_BOT_R.sdf").write_text(BUFFER)
    return tmp_path


def test_reads_delays_and_checks(folder):
    register, lut, *_ = read_sdf(folder / "timings" / "slicel.sdf")
    assert register.delays[0][:2] == ("CLK", "Q") and register.delays[0].ns.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert {(check.kind, check.pin, check.ns) for check in register.checks} == {
        ("HOLD", "DIN", 0.25),
        ("SETUP", "DIN", -0.05),
    }
    assert lut.instance == "SLICEL/A6LUT"
    (buffer,) = read_sdf(folder / "timings" / "CLK_BUFG_BOT_R.sdf")
    assert buffer.delays[0].ns.tolist() == pytest.approx([0.02, 0.03, 0.09, 0.1])  # from ps


@pytest.mark.parametrize(
    "content",
    ["", "(DELAYFILE", "(DELAYFILE))", "(OTHER)", SLICE.replace("0.4)", "four)"), SLICE.replace("pos", "neg")],
)
def test_refuses_what_is_no_sdf(tmp_path, content):
    (tmp_path / "broken.sdf").write_text(content)
    with pytest.raises(UserError, match=r"broken.sdf is no SDF file .*prjxray-db"):
        read_sdf(tmp_path / "broken.sdf")


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot read .*DSP_L.sdf.*whole copy"):
        SdfFiles(tmp_path)["DSP_L"]
    with pytest.raises(UserError, match="no readable tile_type_INT_L.json"):
        TileTypes(tmp_path)("INT_L")


def test_settings_of_a_dsp_from_the_type_of_its_numbers():
    assert conditions("DSP48E1_ADREG_0_AREG_0_A_INPUT_DIRECT_MREG_1_USE_DPORT_TRUE_USE_MULT_MULTIPLY") == {
        "ADREG": 0,
        "AREG": 0,
        "A_INPUT": "DIRECT",
        "MREG": 1,
        "USE_DPORT": "TRUE",
        "USE_MULT": "MULTIPLY",
    }
    assert conditions("DSP48E1_PREG_1_USE_PATTERN_DETECT_NO_PATDET") == {"PREG": 1, "USE_PATTERN_DETECT": "NO_PATDET"}
    assert conditions("DSP48E1DREG_1_ADREG_0_DREG_0") == {"DREG": 1, "ADREG": 0}  # one of theirs has it twice


def test_a_dsp_takes_the_worse_of_all_numbers_that_fit(folder):
    (folder / "timings" / "DSP_L.sdf").write_text("""(DELAYFILE (TIMESCALE 1ns)
 (CELL (CELLTYPE "DSP48E1_AREG_1_PREG_0") (INSTANCE D) (DELAY (ABSOLUTE (IOPATH CLK P (0.2::0.5)(1.0::4.0)))))
 (CELL (CELLTYPE "DSP48E1_CREG_1_PREG_0") (INSTANCE D) (DELAY (ABSOLUTE (IOPATH CLK P (0.1::0.9)(0.8::2.0)))))
 (CELL (CELLTYPE "DSP48E1_PREG_1") (INSTANCE D) (DELAY (ABSOLUTE (IOPATH CLK P (0.1::0.2)(0.3::0.4)))))
 (CELL (CELLTYPE "DSP48E1_AREG_1") (INSTANCE D) (TIMINGCHECK (SETUP A (posedge CLK) (0.1::0.3)))))""")
    times = BlockTimes(SdfFiles(folder / "timings"))
    ports = dict.fromkeys(["CLK", "P[3]", "A[0]", "B[0]"], "n")
    timing = times.cell(Cell("x", "DSP48E1", "D", "D", {"AREG": 1, "CREG": 1, "PREG": 0}, ports))
    assert [(arc.source, arc.target, arc.ns.tolist()) for arc in timing.arcs] == [("CLK", "P[3]", [0.1, 0.9, 0.8, 4.0])]
    assert timing.owed == [("A[0]", "CLK", 0.3, None)]
    assert timing.unknown == ["DSP48E1: B"]
    timing = times.cell(Cell("x", "DSP48E1", "D", "D", {"AREG": 0, "PREG": 1}, ports))
    assert timing.arcs[0].ns[SLOW_MAX] == 0.4 and not timing.owed


def test_ports():
    assert split_port("DIADI[17]") == ("DIADI", 17) and split_port("A6") == ("A", 6)
    assert split_port("CLK") == ("CLK", None) and tile_type("INT_L_X12Y3") == "INT_L"


@pytest.mark.parametrize(
    ("table", "pins", "inputs"),
    [
        (0x8888888888888888, "A1 A2 A3", {"A1", "A2"}),  # A3 changes nothing
        (0xAAAAAAAA_CCCCCCCC, "A1 A2 A6", {"A1", "A2", "A6"}),
        (0xFFFFFFFF_00000000, "A1 A6", {"A6"}),
    ],
)
def test_a_lut_has_arcs_from_inputs_that_matter(folder, table, pins, inputs):
    times = SliceTimes(SdfFiles(folder / "timings"))
    ports = dict.fromkeys([*pins.split(), "O6"], "n")
    timing = times.cell(Cell("S/A6LUT", "LUT6_2", "S", "A6LUT", {"INIT": table}, ports), "SLICEL")
    found = {arc.source for arc in timing.arcs}
    assert found == inputs & {"A1", "A2"}  # the made database has numbers of these two
    assert len(timing.unknown) == len(inputs - {"A1", "A2"})


def test_elmore_by_hand(folder):
    """W0 (driven through 2000 ohm) isolates W1, passes on to W2, which isolates W3; a sink of 7 fF at each end."""
    routes = Routes(TileTypes(folder), Made({"T_X0Y0": Place("T", {})}))
    first = Pip("T_X0Y0", "W0", "W1")
    second, third = Pip("T_X0Y0", "W0", "W2"), Pip("T_X0Y0", "W2", "W3")
    sinks = [Sink(Pin(f"c{k}", "D"), "O", "I", path) for k, path in enumerate([(first,), (second,), (second, third)])]
    ends = routes.add(Net("n", Pin("d", "Q"), sinks), Wire("T_X0Y0", "W0"), 2000, [7, 7, 7])
    found = routes.delays()[ends]
    # W0: its own 10 fF, 5 of the first switch, and behind the second W2's 8, 7 of the pin, 3 of the third switch
    hangs = 5 + 8 + 7 + 3
    at_w0 = 2000 * (10 + hangs) + 100 * (10 / 2 + hangs)
    at_w1 = at_w0 + 1000 * (4 + 7) + 50 * (4 / 2 + 7)
    at_w2 = at_w0 + 200 * (8 + 7 + 3)
    at_w3 = at_w2 + 500 * 7
    switch = np.array([0.01, 0.02, 0.03, 0.05])
    for got, rc, switches in zip(found, (at_w1, at_w2, at_w3), (1, 0, 1)):
        assert got == pytest.approx(rc * 1e-6 + switches * switch, rel=1e-12)
    assert not routes.unknown


def test_a_switch_without_a_number_is_counted(folder):
    routes = Routes(TileTypes(folder), Made({"T_X0Y0": Place("T", {})}))
    sink = Sink(Pin("c", "D"), "O", "I", (Pip("T_X0Y0", "W0", "W2"), Pip("T_X0Y0", "W2", "W4")))
    routes.add(Net("n", Pin("d", "Q"), [sink]), Wire("T_X0Y0", "W0"), 0, [0])
    assert routes.unknown == {"switch of T: W to W": 1} and np.isfinite(routes.delays()).all()


def small():
    """Two registers with a LUT between them, and the clock buffer: two slices and what joins them."""
    near, far, buffer = "CLB_X0Y0", "CLB_X0Y1", "BUF_X0Y0"
    pins = {"AQ": "Q", "A2": "A2", "CLK": "CLK"}
    sites = [
        Site("SLICE_X0Y0", "SLICEL", near, pins, frozenset(["AQ"])),
        Site("SLICE_X0Y1", "SLICEL", far, pins, frozenset(["AQ"])),
        Site("BUFG", "BUFGCTRL", buffer, {"O": "O"}, frozenset(["O"])),
    ]
    tiles = {
        near: Place("CLB", {"SLICE_X0Y0": "SLICEL"}),
        far: Place("CLB", {"SLICE_X0Y1": "SLICEL"}),
        buffer: Place("BUF", {"BUFG": "BUFGCTRL"}),
    }
    joined = [((buffer, "CLK"), (near, "CLK"), (far, "CLK")), ((near, "A2"), (far, "A2"))]
    cells = [
        Cell("BUFG/B", "BUFGCTRL", "BUFG", "B", {}, {"O": "clock"}),
        Cell("SLICE_X0Y0/AFF", "FDRE", "SLICE_X0Y0", "AFF", {}, {"C": "clock", "Q": "q"}),
        Cell("SLICE_X0Y1/A6LUT", "LUT6_2", "SLICE_X0Y1", "A6LUT", {"INIT": 0xCCCC}, {"A2": "q", "O6": "d"}),
        Cell("SLICE_X0Y1/AFF", "FDRE", "SLICE_X0Y1", "AFF", {}, {"C": "clock", "D": "d"}),
    ]
    along = (Pip(buffer, "O", "CLK"),)
    nets = [
        Net("clock", Pin("BUFG/B", "O"), [Sink(Pin(f"SLICE_X0Y{k}/AFF", "C"), "O", "CLK", along) for k in (0, 1)]),
        Net(
            "q",
            Pin("SLICE_X0Y0/AFF", "Q"),
            [Sink(Pin("SLICE_X0Y1/A6LUT", "A2"), "AQ", "A2", (Pip(near, "Q", "A2"),))],
        ),
        Net("d", Pin("SLICE_X0Y1/A6LUT", "O6"), [Sink(Pin("SLICE_X0Y1/AFF", "D"), None, None, ())]),
    ]
    netlist = Netlist("made", {cell.name: cell for cell in cells}, {net.name: net for net in nets})
    return netlist, Made(tiles, sites, joined)


def test_a_path_by_hand(folder):
    netlist, database = small()
    model = build(netlist, database, Delays(TileTypes(folder), SdfFiles(folder / "timings")))
    (found,) = slacks(model, 10.0)
    # Clock: a switch of 0.6 (0.5 at least) and the slice's own 0.11 (0.09). Data: C to Q, 2000 ohm with 10 + 5 fF, the
    # switch, 1000 ohm with the pin's 7 fF, the pin, the LUT, its way to the register.
    rc = 2000 * 15e-6 + 1000 * 7e-6
    latest = 0.6 + 0.11 + 0.4 + rc + 0.05 + 0.5 + 0.08 + 0.1
    earliest = 0.5 + 0.09 + 0.3 + rc + 0.03 + 0.3 + 0.07 + 0.05
    jitter = (0.071**2 + 0.3**2) ** 0.5 / 2
    assert found.setup.tolist() == pytest.approx([10 - jitter + (0.5 + 0.09) - latest + 0.05])
    assert found.hold.tolist() == pytest.approx([earliest - (0.6 + 0.11) - 0.25])
    path = trace(model, found, 0)
    assert path.slack == found.setup[0] and path.launch_clock == pytest.approx(0.71) and path.levels == 1
    assert path.wire == pytest.approx(rc + 0.05 + 0.5 + 0.1) and path.logic == pytest.approx(0.4 + 0.08 - 0.05)
    assert 10 - jitter + path.capture_clock - path.launch_clock - path.wire - path.logic == pytest.approx(path.slack)
    row = clock_row(model, found)
    assert row["fits_mhz"] == pytest.approx(1000 / fits(latest - 0.59 - 0.05), abs=0.01)
    assert row["endpoints"] == 1 and row["hold_missed"] == 0 and row["crossing"] == 0
    (group,) = group_rows(model, found)
    assert (group["from"], group["to"], group["endpoints"]) == ("register", "register", 1)
    areas = area_rows(model, found)
    assert len(areas) == 1 and areas[0]["slack_ns"] == pytest.approx(found.setup[0], abs=0.001)
    said = text("made", [row, group, *areas, *path_rows(slowest(model, found)), *gap_rows(model, [found])])
    assert "meets 100.0 MHz" in said and "SLICE_X0Y1/A6LUT (LUT6_2 0.08)" in said


def test_what_both_clocks_share_is_given_back(folder):
    netlist, database = small()
    types = TileTypes(folder)
    model = build(netlist, database, Delays(types, SdfFiles(folder / "timings")))
    (found,) = slacks(model, 10.0)
    setup, hold = found.setup.copy(), found.hold.copy()
    shared = Shared(model, types, found)
    refine(model, found, shared, np.array([0]))
    refine(model, found, shared, np.array([0]), setup=False)
    # Both take the one switch, 0.5 to 0.6 ns; the ways inside the slices are their own.
    assert found.setup - setup == pytest.approx([0.1]) and found.hold - hold == pytest.approx([0.1])
    assert trace(model, found, 0).slack == found.setup[0] and trace(model, found, 0, setup=False).slack == found.hold[0]


def test_a_path_without_a_number_is_said(folder):
    netlist, database = small()
    table = (folder / "timings" / "slicel.sdf").read_text()
    (folder / "timings" / "slicel.sdf").write_text(table.replace("IOPATH A2 O6", "IOPATH A3 O6"))
    model = build(netlist, database, Delays(TileTypes(folder), SdfFiles(folder / "timings")))
    (found,) = slacks(model, 10.0)
    assert not len(found.check)
    assert {row["what"]: row["kind"] for row in gap_rows(model, [found])} == {
        "unknown": "LUT6_2: A to O6",
        "unreached": "FDRE: D",
    }


def test_a_loop_of_luts_is_refused(folder):
    netlist, database = small()
    netlist.cells["SLICE_X0Y1/A6LUT"].pins["A2"] = "d"
    netlist.nets["q"].sinks.clear()
    netlist.nets["d"].sinks.append(Sink(Pin("SLICE_X0Y1/A6LUT", "A2"), None, None, ()))
    with pytest.raises(UserError, match=r"loop of 2 ports .*SLICE_X0Y1/A6LUT.O6"):
        build(netlist, database, Delays(TileTypes(folder), SdfFiles(folder / "timings")))


def test_wires_of_nextpnr_beside_ours(folder):
    netlist, database = small()
    netlist.cells["SLICE_X0Y1/A6LUT"].site_pins["A2"] = "A2"
    delays = Delays(TileTypes(folder), SdfFiles(folder / "timings"))
    both = [ours(build(netlist, database, delays, builder=builder)) for builder in (Stock, Builder)]
    cells = {"$ff": "SLICE_X0Y0/AFF", "lut": "SLICE_X0Y1/A6LUT", "ff2": "SLICE_X0Y1/AFF"}
    placed = {"modules": {"top": {"cells": {k: {"attributes": {"NEXTPNR_BEL": bel}} for k, bel in cells.items()}}}}
    (folder / "placed.json").write_text(json.dumps(placed))
    lines = [
        "(INTERCONNECT \\$ff/Q lut/A2 (133:133:133) (133:133:133))",
        "(INTERCONNECT lut/O6 ff2/D (25:25:25) (25:25:25))",  # inside a slice
        "(INTERCONNECT \\$ff/Q lut/A3 (150:150:150) (150:150:150))",  # an estimate
    ]
    (folder / "delays.sdf").write_text("\n".join(lines))
    their = theirs(folder / "placed.json", folder / "delays.sdf")
    assert their == {(("SLICE_X0Y0", "AFFQ"), ("SLICE_X0Y1", "A2")): 0.133}
    # Counted its way: the switch with its own resistance and capacitance, a pin on either side.
    switch, real = 0.05 + 1000 * 5e-6, 0.05 + 0.5 + 2000 * 15e-6 + 1000 * 7e-6
    assert [list(found.values()) for found in both] == [pytest.approx([switch + 0.05]), pytest.approx([real])]
    (row,) = compare(their, *both)
    assert (row["to"], row["wires"], row["close"]) == ("LUTs", 1, 1.0)
    assert row["furthest_ns"] == pytest.approx(0.133 - switch - 0.05, abs=0.001)
    assert row["more_ns"] == pytest.approx(real - 0.133, abs=0.01)
    with pytest.raises(UserError, match="are not what nextpnr-xilinx writes"):
        theirs(folder / "delays.sdf", folder / "delays.sdf")


def test_jitter():
    assert uncertainty(14) == pytest.approx(0.213, abs=0.0005)  # a report of Vivado's
    for needs in (0.5, 5.0, 17.0):
        assert fits(needs) - uncertainty(fits(needs)) == pytest.approx(needs) and fits(needs, jitter=False) == needs
