"""The Vitis HLS build against a stand-in for the tools that knows their options and runs the real testbench."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from hls.csim import build as kernels_build
from hls.csim.ap_types import ap_types_dir
from hls.csim.vectors import write_vectors
from hls.design.boards import list_boards
from hls.design.load import load_config
from hls.generate.cpp import write_sources
from hls.vendor import vitis
from model.base.errors import UserError
from model.base.paths import ROOT
from model.graph.description import list_networks

CONFIG = load_config("srcnn915")


def install_tool(folder, name, script, monkeypatch):
    """Put a program that runs tests/stand_ins/<script> first on PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' '{ROOT / 'tests' / 'stand_ins' / script}' '{name}' \"$@\"\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins on PATH and a build folder of their own; returns how to make them fail."""
    pytest.importorskip("ziglang", reason="the native testbench needs the package ziglang (make setup)")
    monkeypatch.setenv("FAKE_TESTBENCH", str(kernels_build.testbench(CONFIG, "native")))
    for name in vitis_programs():
        install_tool(tmp_path / "bin", name, "vitis/fake_vitis.py", monkeypatch)
    monkeypatch.setattr(vitis, "BUILD", tmp_path / "build")
    return lambda **faults: monkeypatch.setenv("FAKE_VITIS", json.dumps(faults))


def vitis_programs():
    return sorted({step[0] for step in vitis.STEPS.values()})


def test_the_whole_flow(tools):
    """All steps run in order on the real testbench; the second call finds the build."""
    assert vitis.exported_verilog(CONFIG) == []
    built = vitis.build_hls(CONFIG)
    assert vitis.exported_verilog(CONFIG) == [built.ip / "hdl/verilog/srcnn_top.v"], (
        "where `pytest sim --rtl vitis` finds it"
    )
    assert (built.ip / "component.xml").is_file() and built.version == "2024.1"
    assert (
        built.rows[0]["dsp"] == 192
        and built.rows[0]["worst_ii"] == 1
        and built.rows[0]["dsp_budget"] == CONFIG.budget["dsp"]
    )
    logs = {step: (built.folder / f"{step}.log").read_text() for step in vitis.STEPS}
    assert len(re.findall("^pass", logs["csim"], re.MULTILINE)) > 6
    assert re.fullmatch(r"pass srcnn_top +\d+ values\n", logs["cosim"]), "the co-simulation's transfers alone, and some"
    stamp = (built.folder / "hls.json").stat().st_mtime_ns
    assert vitis.build_hls(CONFIG) == built
    assert (built.folder / "hls.json").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "faults, words",
    [
        (
            {"csim_fails": True},
            r"csim of srcnn915-pynq_z2 failed: ERROR: .* C TB simulation failed; the log is .*csim\.log",
        ),
        ({"cosim": "Fail"}, r"co-simulation of the Verilog did not pass"),
        ({"ii": 2}, r"pipelined conv1/free_run at II=2"),
        ({"ii": ""}, r"pipelined conv1/free_run at II=none"),
        ({"loop": "VITIS_LOOP_5_1"}, r"pipelined no loop free_run at II=none"),
        ({"dsp": 221}, r"does not fit the device .*221 DSP of 220"),
        ({"ip": {"name": "other"}}, r"exported no IP xilinx.com:hls:srcnn_top:1.0"),
        ({"version": "2022.1"}, r"this is Vitis 2022.1, which has no configuration-file flow"),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_no_build(tools, faults, words):
    vitis.vitis_version.cache_clear()
    tools(**faults)
    with pytest.raises(UserError, match=words):
        vitis.build_hls(CONFIG, cosim="cosim" in faults)
    vitis.vitis_version.cache_clear()
    assert not list(vitis.BUILD.rglob("hls.json"))


def test_a_build_after_a_failed_one_starts_from_nothing(tools):
    tools(dsp=221)
    with pytest.raises(UserError, match="does not fit"):
        vitis.build_hls(CONFIG, cosim=False)
    tools()
    assert vitis.build_hls(CONFIG, cosim=False).rows


def test_another_version_of_vitis_builds_anew(tools):
    vitis.vitis_version.cache_clear()
    assert vitis.build_hls(CONFIG, cosim=False).version == "2024.1"
    tools(version="2024.2", dsp=190)
    vitis.vitis_version.cache_clear()
    built = vitis.build_hls(CONFIG, cosim=False)
    assert built.version == "2024.2" and built.rows[0]["dsp"] == 190
    vitis.vitis_version.cache_clear()


def test_the_stand_in_refuses_unknown_options(tools, tmp_path):
    """It would find a typing error in the configuration."""
    config = tmp_path / "hls_config.cfg"
    text = vitis.config_text(CONFIG, tmp_path)
    for before, after in (
        ("syn.top=", "syn.tops="),
        ("trace_level=none", "trace_level=some"),
        ("testbench.cpp", "test_bench.cpp"),
        ("-I", "-I/none"),
    ):
        config.write_text(text.replace(before, after, 1))
        end = subprocess.run(
            [tmp_path / "bin" / "v++", "-c", "--mode", "hls", "--config", config, "--work_dir", tmp_path / "work"],
            capture_output=True,
            text=True,
        )
        assert end.returncode == 1 and "ERROR" in end.stdout


@pytest.mark.parametrize("network", list_networks("upscaled"))
@pytest.mark.parametrize("board", list_boards())
def test_the_configuration_is_the_boards(network, board, tmp_path):
    config = load_config(network, board)
    lines = vitis.config_text(config, tmp_path).splitlines()
    assert f"part={config.part}" in lines and f"clock={config.clock_mhz:g}MHz" in lines
    assert lines.index("[hls]") > lines.index(f"part={config.part}")


def test_the_testbench_compiles_with_the_configurations_flags(tmp_path):
    """AMD's headers, the flags of tb.cflags, C++14."""
    write_sources(CONFIG, tmp_path)
    flags = re.search("^tb.cflags=(.*)$", vitis.config_text(CONFIG, tmp_path), re.MULTILINE)[1].split()
    # Vitis brings ap_axi_sdata.h; AMD's open headers lack it
    command = [
        "g++",
        "-fsyntax-only",
        "-w",
        *flags,
        "-isystem",
        str(ap_types_dir()),
        "-I",
        str(kernels_build.CSIM / "include"),
    ]
    subprocess.run([*command, str(kernels_build.CSIM / "testbench.cpp")], check=True)


def test_the_testbench_fails_on_a_wrong_beat_of_a_short_transfer(tmp_path):
    """The co-simulation compares: a changed expectation ends it with an error."""
    pytest.importorskip("ziglang")
    import numpy as np

    folder = write_vectors(CONFIG, tmp_path, 1, short=True)
    program = str(kernels_build.testbench(CONFIG, "native"))
    assert subprocess.run([program, str(folder), "top"], capture_output=True).returncode == 0
    beats = np.fromfile(folder / "top_expected.bin", np.int64)
    beats[-5] ^= 1
    beats.tofile(folder / "top_expected.bin")
    end = subprocess.run([program, str(folder), "top"], capture_output=True, text=True)
    assert end.returncode == 1 and "FAIL srcnn_top at" in end.stdout
    assert subprocess.run([program, str(folder), "bottom"], capture_output=True).returncode == 2


def test_without_vitis_one_sentence_says_what_is_missing(tmp_path):
    environment = dict(os.environ, PATH=str(tmp_path))
    end = subprocess.run(
        [sys.executable, "-m", "hls.vendor.vitis"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert end.returncode == 2 and end.stdout == ""
    assert end.stderr == (
        "error: v++ and vitis-run were not found; install AMD Vitis 2023.2 or newer and source its settings64.sh, "
        "then run it again\n"
    )


def test_paths_that_the_tools_would_split_are_refused(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(vitis, "BUILD", pathlib.Path(tmp_path / "a folder"))
    with pytest.raises(UserError, match="take no blanks"):
        vitis.build_hls(CONFIG)
