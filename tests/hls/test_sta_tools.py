"""Static timing of the packed overlays, where Project X-Ray's database with its delays is found."""

import json

import pytest
from click.testing import CliRunner

from bitstreams.open import timing
from hls.design.boards import read_board
from hls.place.tools import find_chipdb, find_database
from hls.readback.netlist import Cell
from hls.sta import run
from hls.sta.delays.blocks import BlockTimes
from hls.sta.delays.sdf import SLOW_MAX, SLOW_MIN, SdfFiles
from hls.sta.delays.slices import SliceTimes
from model.base.errors import UserError

PART = read_board("pynq_z2")["part"]


@pytest.fixture(scope="module")
def timings():
    """The folder of delays, or why the test is skipped."""
    try:
        find_chipdb(PART)
        return run.find_timings(find_database(PART))
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("design", ["register", "loop"])
def test_the_report_of_a_packed_overlay(timings, design, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "BUILD", tmp_path)
    monkeypatch.setattr("model.base.report.BUILD", tmp_path)
    monkeypatch.setattr(timing, "OVERLAYS", tmp_path)  # the packed one, whatever was built
    with timing.find_design("pynq_z2", design) as manifest:
        said, asked = manifest["routed"]["fmax_mhz"], manifest["fclk0_mhz"]
    result = CliRunner().invoke(timing.main, ["--design", design, "--compare"])
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "reports" / f"timing_open_{design}.json").read_text())
    clock, *others = [row for row in rows if row["what"] == "clock"]
    assert not others and clock["crossing"] == 0 and clock["hold_unknown"] == 0
    # As nextpnr-xilinx counts, the same netlist and routes come to what it said: to a rounding of 0.01 ns per wire.
    assert clock["stock_mhz"] == pytest.approx(said, rel=0.005)
    # All that it leaves out makes it slower; the clock that was chosen leaves room for that.
    assert asked < clock["fits_mhz"] < said < clock["fits_mhz_fast"] and clock["slack_ns"] > 0
    assert clock["hold_missed"] == 0
    groups = {(row["from"], row["to"]): row for row in rows if row["what"] == "group"}
    assert sum(row["endpoints"] for row in groups.values()) == clock["endpoints"]
    assert min(row["slack_ns"] for row in groups.values()) == clock["slack_ns"]
    assert ("register", "LUT RAM") in groups and ("processor", "register") in groups
    assert (("block RAM", "register") in groups) == (design == "loop")
    # Nothing is left out but what the docs name.
    unknown = {row["kind"].split(":")[0] for row in rows if row["what"] == "unknown"}
    assert unknown <= {"pin of PS7", "PS7", "OBUF", "BUF", "INV"}
    path = next(row for row in rows if row["what"] == "path")
    period = 1000 / asked
    without = period - clock["uncertainty_ns"] + path["skew_ns"] - path["logic_ns"] - path["wire_ns"]
    shared = path["slack_ns"] - without
    assert -0.002 < shared < 0.4  # what both clocks have in common is given back
    for suffix, begins in ((".txt", design), (".svg", "<?xml")):
        assert (tmp_path / "reports" / f"timing_open_{design}{suffix}").read_text().startswith(begins)


def test_delays_are_those_the_vendor_prints(timings):
    """Reports of Vivado for 7-series devices of the slowest grade have these numbers, some of several parts here."""
    files = SdfFiles(timings)
    times = SliceTimes(files)

    def inside(site, source, target, column=SLOW_MAX):
        return times.inside(site, source, target)[column]

    def arc(site, kind, source, target, bel=""):
        return times._delay(site, kind, bel, source, target)[SLOW_MAX]

    def setup(source, pin, bel="AFF"):
        return inside("SLICEL", source, bel) + times._check("SLICEL", "REG_INIT_FF", "", "SETUP", pin) - clock

    def carry(site, lut, source, target):
        return inside(site, lut, "CARRY4") + arc(site, "CARRY4", source, target)

    clock = inside("SLICEL", "CLK", "AFF", SLOW_MIN)
    ports = dict.fromkeys(["DIBDI[2]", "ENARDEN", "DOADO[0]", "CLKARDCLK", "CLKBWRCLK"], "n")
    ram = BlockTimes(files).cell(Cell("R", "RAMB18E1", "R", "R", {"WRITE_MODE_B": "READ_FIRST"}, ports))
    owed = {owed.pin: owed.setup for owed in ram.owed}
    printed = {
        0.456: inside("SLICEL", "CLK", "AFF") + arc("SLICEL", "REG_INIT_FF", "CLK", "Q"),
        0.518: inside("SLICEM", "CLK", "AFF") + arc("SLICEM", "REG_INIT_FF", "CLK", "Q"),
        0.067: setup("AX", "DIN"),
        -0.031: setup("C6LUT", "DIN", "CFF"),  # printed as + 0.031, which is added to what is required
        0.205: setup("CE", "CE"),
        0.124: arc("SLICEL", "LUT6", "A1", "O6", "A6LUT"),
        0.114: arc("SLICEL", "CARRY4", "CIN", "CO3"),
        0.117: arc("SLICEM", "CARRY4", "CIN", "CO3"),
        0.313: arc("SLICEL", "CARRY4", "CIN", "O3"),
        0.580: arc("SLICEL", "CARRY4", "CYINIT", "CO3"),
        0.239: arc("SLICEM", "CARRY4", "CIN", "O2"),
        0.513: carry("SLICEM", "A6LUT", "S0", "CO3"),
        0.398: carry("SLICEL", "C6LUT", "S2", "CO3"),
        0.101: files["CLK_BUFG_BOT_R"][0].delays[0].ns[SLOW_MAX],
        0.241: owed["DIBDI[2]"],
        0.443: owed["ENARDEN"],
    }
    assert list(printed.values()) == pytest.approx(list(printed))


@pytest.mark.parametrize(("modes", "mode", "ns"), [("WR", "TDP", (0.737, 0.241)), ("RW", "SDP", (0.737, 0.737))])
def test_each_port_of_a_ram_has_its_own_mode(timings, modes, mode, ns):
    full = {"W": "WRITE_FIRST", "R": "READ_FIRST"}
    settings = {"WRITE_MODE_A": full[modes[0]], "WRITE_MODE_B": full[modes[1]], "RAM_MODE": mode}
    ports = dict.fromkeys(["DIADI[2]", "DIBDI[2]", "CLKARDCLK", "CLKBWRCLK"], "n")
    timing = BlockTimes(SdfFiles(timings)).cell(Cell("R", "RAMB18E1", "R", "R", settings, ports))
    assert [owed.setup for owed in timing.owed] == list(ns)
    assert [owed.clock for owed in timing.owed] == ["CLKBWRCLK" if mode == "SDP" else "CLKARDCLK", "CLKBWRCLK"]


def test_a_database_without_delays_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.delenv("PRJXRAY_TIMINGS", raising=False)
    with pytest.raises(UserError, match=r"delays of cells were not found .*slicel.sdf is missing.*PRJXRAY_TIMINGS"):
        run.find_timings(tmp_path)


def test_a_missing_overlay_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "OVERLAYS", tmp_path)
    result = CliRunner().invoke(timing.main, ["--board", "kv260", "--design", "loop"])
    assert result.exit_code == 2 and "there is no overlay of loop for kv260" in result.output
