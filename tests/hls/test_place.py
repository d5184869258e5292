"""Bitstreams with open tools: what is said where a tool, its data or a design will not do; clock, tie-offs, headers."""

import json
import re
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls.design.load import load_config
from hls.place import bits, clock, fit, tieoffs, tools
from hls.place.designs import design_files
from hls.place.handoff import handoff
from hls.place.route import PASSES, STUCK, Watch, place_and_route, read_log
from model.base.errors import UserError

PART = "xc7z020clg400-1"
HELP = " ".join(tools.NEEDED)
# A nextpnr-xilinx that packs, and routes as its first argument says; what it writes is what the real one writes.
NEXTPNR = """\
#!{python}
import json, pathlib, sys, time
arguments = sys.argv[1:]
if "--help" in arguments:
    print({help!r})
    sys.exit()
def value(name):
    return pathlib.Path(arguments[arguments.index(name) + 1])
netlist = json.loads(value("--json").read_text())
if "--pack-only" in arguments:
    for module in netlist["modules"].values():
        for cell in module["cells"].values():
            cell["type"] += "_DSP48E1"
            cell["attributes"] = {attributes!r}
    value("--write").write_text(json.dumps(netlist))
    sys.exit()
with value("--log").open("w") as log:
    for number, left in enumerate({left!r}, 1):
        log.write(f"Info:     iter={{number}} wires=1000 overused={{left}} overuse={{left}} archfail=NA\\n")
        log.flush()
        time.sleep({pause!r})
    log.write("Info: Max frequency for clock 'clk': 200.00 MHz (PASS at 100.00 MHz)\\n")
    log.write("Info: Max frequency for clock 'clk': 123.45 MHz (PASS at 100.00 MHz)\\n")
value("--fasm").write_text("# nothing\\n")
"""


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs tools of one's own, and nothing else is found."""

    def make(help=HELP, attributes=(), left=(5, 2, 0), pause=0.0, part=PART, chipdb=PART, leave_out=()):
        home = tmp_path / "oxc7"
        text = NEXTPNR.format(
            python=sys.executable, help=help, attributes=dict(attributes), left=list(left), pause=pause
        )
        for name in (*tools.PROGRAMS, tools.CHECK):
            if name not in leave_out:
                program(home / "bin" / name, text if name == "nextpnr-xilinx" else "#!/bin/sh\n")
        (home / "share" / "chipdb").mkdir(parents=True)
        (home / "share" / "chipdb" / f"{chipdb}.bin").write_bytes(b"chip")
        folder = home / "share" / "prjxray-db" / "zynq7" / part
        folder.mkdir(parents=True)
        (folder / "part.yaml").write_text("")
        monkeypatch.setenv("OXC7", str(home))
        return home

    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OXC7", "OPENXC7_HOME", "CHIPDB", "PRJXRAY_DB_DIR", "XRAY_DATABASE_DIR", "APIO_HOME"):
        monkeypatch.delenv(name, raising=False)
    return make


def test_tools_are_found_by_a_variable_and_on_the_path(install, monkeypatch):
    home = install()
    found = tools.find_tools(PART)
    assert (found.nextpnr, found.both_dsps) == (str(home / "bin" / "nextpnr-xilinx"), True)
    assert found.database == home / "share" / "prjxray-db" / "zynq7"
    monkeypatch.delenv("OXC7")
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("CHIPDB", str(home / "share" / "chipdb"))
    monkeypatch.setenv("PRJXRAY_DB_DIR", str(home / "share" / "prjxray-db"))
    assert tools.find_tools(PART) == found


def test_tools_where_apio_installs_them(install, tmp_path, monkeypatch):
    home = install()
    monkeypatch.delenv("OXC7")
    place = tmp_path / ".apio" / "packages" / "openxc7"
    place.parent.mkdir(parents=True)
    home.rename(place)
    assert tools.find_tools(PART).nextpnr == str(place / "bin" / "nextpnr-xilinx")


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"leave_out": ["fasm2frames"]}, "fasm2frames was not found; install openXC7"),
        ({"leave_out": tools.PROGRAMS}, "nextpnr-xilinx and fasm2frames and xc7frames2bit were not found"),
        ({"chipdb": "xc7a35tcsg324-1"}, f"nextpnr-xilinx's database of {PART} was not found"),
        ({"part": "xc7z010clg400-1"}, f"has no part {PART}"),
        ({"help": "--chipdb --xdc"}, "is of a version that does not fit: it knows no --fasm"),
    ],
)
def test_what_is_missing_is_said(install, changes, says):
    install(**changes)
    with pytest.raises(UserError, match=says):
        tools.find_tools(PART)


def test_a_program_that_does_not_pack(install):
    home = install()
    program(home / "bin" / "nextpnr-xilinx", f'#!/bin/sh\ncase "$*" in *--help*) echo "{HELP}" ;; *) exit 1 ;; esac\n')
    with pytest.raises(UserError, match="does not pack a netlist of one DSP"):
        tools.find_tools(PART)


def test_one_dsp_of_a_tile_means_another_folding(install):
    """Released versions fix the place of a DSP in its tile: half of them can be used, and that is said."""
    install(attributes={"CONSTR_ABS_Z": "1"})
    found = tools.find_tools(PART)
    assert not found.both_dsps
    config = load_config("srcnn915", "pynq_z2")
    placed, note = fit.check_fit("srcnn", config, found)
    assert placed.dsp <= 110 < config.dsp and placed.config_id != config.config_id
    assert f"a folding of {placed.dsp} DSPs instead" in note
    assert fit.check_fit("loop", config, found) == (config, "")


def test_a_smaller_folding_is_named():
    config = load_config("srcnn915", "pynq_z2")
    assert "the nearest folding that may is conv1" in fit.smaller("srcnn", config)


@pytest.fixture
def netlist(tmp_path, monkeypatch):
    """A netlist and constraints, and a build folder of one's own."""
    monkeypatch.setattr("hls.synth.yosys.BUILD", tmp_path / "build")
    monkeypatch.setattr("model.base.cache.BUILD", tmp_path / "build")
    (tmp_path / "netlist.json").write_text(json.dumps({"modules": {}}))
    (tmp_path / "pins.xdc").write_text("")
    return tmp_path / "netlist.json", tmp_path / "pins.xdc", "blink"


def test_routed(install, netlist, tmp_path):
    install()
    fasm, routed = place_and_route(tools.find_tools(PART), *netlist)
    assert routed == {
        "fmax_mhz": 123.45,
        "passes": 3,
        "wires": 1000,
        "placed_dsps": 0,
        "chains": 0,
        "second_slice": 0,
    }  # behind the router, not the placer's guess
    assert fasm.read_text() == "# nothing\n"
    fasm.with_name("result.json").touch()
    assert place_and_route(tools.find_tools(PART), *netlist)[0] == fasm  # found again


def test_a_design_that_does_not_route_is_given_up(install, netlist, monkeypatch):
    monkeypatch.setattr("hls.place.route.STUCK", 3)
    monkeypatch.setattr("hls.place.route._POLL_S", 0.05)
    install(left=[9, 4, *[6] * 200], pause=0.02)
    says = r"blink does not route: 6 wires are still used twice after \d+ passes .* 4 at best; take less"
    with pytest.raises(UserError, match=says):
        place_and_route(tools.find_tools(PART), *netlist, remedy=lambda: "take less")


@pytest.mark.parametrize("placed", [False, True])
def test_a_placer_that_does_not_end_is_given_up(install, netlist, monkeypatch, placed):
    """The router may take as long as it wants for a pass."""
    monkeypatch.setattr("hls.place.route.STILL_S", 0.5)
    monkeypatch.setattr("hls.place.route._POLL_S", 0.05)
    home = install(left=[0])
    told = "Info: Running main analytical placer.\n" + "Info: HeAP Placer Time: 1.00s\n" * placed
    text = (home / "bin" / "nextpnr-xilinx").read_text()
    waits = f'with value("--log").open("w") as log:\n    log.write({told!r})\n    log.flush()\n    time.sleep(1.5)\n'
    changed = text.replace('with value("--log").open("w") as log:\n', waits)
    assert changed != text
    program(home / "bin" / "nextpnr-xilinx", changed)
    if placed:
        assert place_and_route(tools.find_tools(PART), *netlist)[1]["fmax_mhz"] == 123.45
    else:
        with pytest.raises(UserError, match="blink does not place: nextpnr's placer .* take less"):
            place_and_route(tools.find_tools(PART), *netlist, remedy=lambda: "take less")


def test_an_interrupted_run_leaves_nothing(install, netlist, tmp_path, monkeypatch):
    """Ctrl-C ends nextpnr, and no folder stays that looks finished."""
    home = install(left=[5] * 50, pause=0.2)

    def interrupt(self, log):
        if log.is_file():
            raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        place_and_route(tools.find_tools(PART), *netlist)
    assert not list((tmp_path / "build" / "synth").glob("*"))
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert str(home / "bin" / "nextpnr-xilinx") not in running


@pytest.mark.parametrize(
    "log, says", [("Info: nothing\n", "no pass of the router"), ("iter=1 wires=2 overused=0\n", "no clock")]
)
def test_a_log_of_another_version(tmp_path, log, says):
    (tmp_path / "log").write_text(log)
    with pytest.raises(UserError, match=says):
        read_log(tmp_path / "log")


def test_watch_reads_what_is_added(tmp_path):
    log, watch = tmp_path / "log", Watch()
    watch.read(log)
    log.write_text("iter=1 wires=10 overused=7 overuse=9\niter=2 wires=10 over")
    watch.read(log)
    assert (watch.passes, watch.left) == (1, 7)
    with log.open("a") as file:
        file.write("used=3 overuse=3\n")
    watch.read(log)
    assert (watch.passes, watch.left, watch.best) == (2, 3, 3)
    watch.passes = 2 + STUCK
    assert watch.stuck()
    watch.left = 0
    assert not watch.stuck() and PASSES > STUCK


# --- clock, bits, tie-offs ---


@given(st.floats(1, 2000), st.none() | st.floats(1, 2000))
def test_the_clock_is_the_fastest_below_the_share(fmax_mhz, timed_mhz):
    """Of our own figure where there is one, whatever nextpnr-xilinx says."""
    chosen = clock.choose(fmax_mhz, timed_mhz)
    most = fmax_mhz * clock.SHARE if timed_mhz is None else timed_mhz * clock.TIMED_SHARE
    most = min(most, clock.HIGHEST_MHZ)
    assert chosen.mhz <= most * (1 + 1e-9) and all(1 <= d <= clock.MOST for d in chosen.dividers)
    rates = [clock.PLL_MHZ / (a * b) for a in range(1, 64) for b in range(1, a + 1)]
    assert chosen.mhz == pytest.approx(max(rate for rate in rates if rate <= most * (1 + 1e-9)))


@pytest.mark.parametrize("fmax_mhz, mhz", [(101, 50), (134, 66.667), (167, 83.333), (300, 100), (0.2, None), (0, None)])
def test_clocks(fmax_mhz, mhz):
    if mhz is None:
        with pytest.raises(UserError):
            clock.choose(fmax_mhz)
    else:
        assert clock.choose(fmax_mhz).mhz == pytest.approx(mhz, rel=1e-3)


def bit_file(data=bytes(12), name=b"x.frames;Generator=y", date=b"2026/01/02"):
    fields = ((b"a", name), (b"b", b"xc7z020clg400-1"), (b"c", date), (b"d", b"01:02:03"))
    content = bits.HEADER
    for tag, text in fields:
        content += tag + (len(text) + 1).to_bytes(2, "big") + text + b"\0"
    return content + b"e" + len(data).to_bytes(4, "big") + data


def test_the_same_configuration_is_the_same_file():
    one, other = (bits.with_header(bit_file(date=date), "loop", PART) for date in (b"2026/01/02", b"2027/03/04"))
    assert one == other and bits.split(one) == bytes(12) and b"loop;" in one and b"7z020clg400" in one


@pytest.mark.parametrize("bit", [b"", b"\0" * 20, bit_file()[:-1], bits.HEADER + b"z", bits.HEADER + b"a\0"])
def test_no_bitstream(bit):
    with pytest.raises(UserError, match="no bitstream"):
        bits.split(bit)


@pytest.fixture
def database(tmp_path):
    """Two pins of a tile's DSP that can be tied, one that cannot be inverted, one that logic alone feeds."""
    sources = {
        "DSP_0_INMODE3": ["DSP_BYP6_2", "DSP_GND_L", "DSP_VCC_L"],
        "DSP_1_OPMODE6": ["DSP_FAN2_4", "DSP_GND_L", "DSP_VCC_L"],
        "DSP_0_D7": ["DSP_BYP1_1", "DSP_GND_L", "DSP_VCC_L"],
        "DSP_0_OPMODE5": ["DSP_IMUX4_1"],
    }
    pips = {f"{s}->{d}": {"src_wire": s, "dst_wire": d} for d, all_of in sources.items() for s in all_of}
    names = "DSP_0.ZIS_INMODE_INVERTED[3]", "DSP_1.ZIS_OPMODE_INVERTED[6]", "DSP_0.ZIS_OPMODE_INVERTED[5]"
    for side in "LR":
        text = json.dumps({"pips": pips}).replace('_L"', f'_{side}"')
        (tmp_path / f"tile_type_DSP_{side}.json").write_text(text)
        lines = [f"DSP_{side}.DSP48.{name} 27_{at}" for at, name in enumerate(names)]
        (tmp_path / f"segbits_dsp_{side.lower()}.db").write_text("\n".join(lines))
    return tmp_path


USED = "DSP_L_X8Y10.DSP48.DSP_0.AREG_0\nDSP_L_X8Y10.DSP48.DSP_1.AREG_0\n"
FED = "INT_L_X8Y12.BYP_ALT6.VCC_WIRE\nINT_L_X8Y14.FAN_ALT2.VCC_WIRE\n"


def test_constants_are_tied_in_the_tile(database):
    text, changed = tieoffs.tie(USED + FED, database)
    assert changed == 2 and set(text.splitlines()) - set((USED + FED).splitlines()) == {
        "DSP_L_X8Y10.DSP_0_INMODE3.DSP_GND_L",
        "DSP_L_X8Y10.DSP48.DSP_0.ZIS_INMODE_INVERTED[3]",
        "DSP_L_X8Y10.DSP_1_OPMODE6.DSP_GND_L",
        "DSP_L_X8Y10.DSP48.DSP_1.ZIS_OPMODE_INVERTED[6]",
    }
    assert tieoffs.tie(text, database) == (text, 0)  # what is tied stays


@pytest.mark.parametrize(
    "more",
    [
        "INT_L_X8Y12.BYP_ALT6.EE2END1\nINT_L_X8Y14.FAN_ALT2.LOGIC_OUTS3\n",  # logic drives them
        FED + "DSP_L_X8Y10.DSP48.DSP_0.ZIS_INMODE_INVERTED[3]\nDSP_L_X8Y10.DSP48.DSP_1.ZIS_OPMODE_INVERTED[6]\n",  # 1
        FED + "DSP_L_X8Y10.DSP_0_INMODE3.DSP_VCC_L\nDSP_L_X8Y10.DSP_1_OPMODE6.DSP_GND_L\n",  # tied
    ],
)
def test_all_else_stays(database, more):
    assert tieoffs.tie(USED + more, database) == (USED + more, 0)


def test_a_database_without_dsps(tmp_path):
    with pytest.raises(UserError, match="does not describe the DSPs"):
        tieoffs.tie(USED, tmp_path)
    assert tieoffs.tie("CLBLL_L_X2Y0.SLICEL_X0.A5FF.ZINI\n", tmp_path)[1] == 0  # no DSP, nothing needed


# --- designs ---


def test_no_such_design():
    with pytest.raises(UserError, match="choose one of blink, register, loop, srcnn"):
        design_files("bling", load_config("srcnn915", "pynq_z2"))


@pytest.mark.parametrize("name", ["blink", "register", "loop"])  # sim/test_zynq.py has srcnn
def test_lint(name, tmp_path):
    """Verilator takes every design, under a PS7 whose pins are those of Yosys' library."""
    from hls.open.verilator import lint
    from sim.benches.zynq import model

    inside = ("dut",) if name in ("blink", "register") else ("dut.design_i",)
    (tmp_path / "bench.sv").write_text(model(name, *inside))
    files = design_files(name, load_config("srcnn915", "pynq_z2")).files
    told = re.findall(r"%(Error|Warning)-?(\w*):", lint([*files, tmp_path / "bench.sv"], "bench"))
    # PS7 has outputs that nobody uses, inputs that nobody drives, and registers have first values.
    harmless = {"PINMISSING", "UNDRIVEN", "UNUSEDSIGNAL", "UNUSEDPARAM", "PINCONNECTEMPTY", "PROCASSINIT", ""}
    assert {kind for _, kind in told} <= harmless, told


def test_the_handoff_names_the_clock_and_the_blocks():
    from xml.etree import ElementTree

    for name, blocks in {"blink": 1, "register": 2, "loop": 2, "srcnn": 3}.items():
        root = ElementTree.fromstring(handoff(name, PART, clock.Clock((8, 2))))
        assert len(list(root.iter("MODULE"))) == blocks
        values = {p.get("NAME"): p.get("VALUE") for p in root.iter("PARAMETER")}
        assert [values[f"PCW_FCLK0_PERIPHERAL_DIVISOR{i}"] for i in (0, 1)] == ["8", "2"]
        assert values["PCW_FPGA_FCLK0_ENABLE"] == "1" and values["PCW_FPGA_FCLK1_ENABLE"] == "0"


def test_two_files_of_one_name(tmp_path):
    from hls.place.designs import once

    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.sv").write_text(folder)
    with pytest.raises(UserError, match="differ"):
        once([tmp_path / "a" / "x.sv", tmp_path / "b" / "x.sv"])
    assert len(once([tmp_path / "a" / "x.sv"] * 2)) == 1
