"""`pytest sim --rtl vitis` on a stand-in for what Vitis HLS exports: the open route's Verilog in its place, under its
names.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from hls.design.load import load_config
from hls.generate.verilog import build_rtl
from hls.vendor import vitis
from model.base.paths import ROOT

HERE = pathlib.Path(__file__).resolve().parent
LAYERS = (("conv1", 5, 4, "true"), ("conv2", 1, 4, "true"), ("conv3", 5, 1, "false"))  # the hardware wants a halo of 4
FOLDING = """
[folding.tiny]
conv1 = { pe = 2, simd = 5 }
conv2 = { pe = 2, simd = 4 }
conv3 = { pe = 5, simd = 4 }
"""
# The ports of an AXI4-Stream kernel as Vitis HLS names them, around the open route's top.
VITIS_PORTS = """\
module srcnn_top (
    input wire ap_clk, input wire ap_rst_n,
    input wire [63:0] in_r_TDATA, input wire [7:0] in_r_TKEEP, input wire [7:0] in_r_TSTRB, input wire in_r_TLAST, input wire in_r_TVALID, output wire in_r_TREADY,
    output wire [63:0] out_r_TDATA, output wire [7:0] out_r_TKEEP, output wire [7:0] out_r_TSTRB, output wire out_r_TLAST, output wire out_r_TVALID, input wire out_r_TREADY
);
    assign out_r_TSTRB = out_r_TKEEP;
    open_top dut (
        .clk(ap_clk), .rst(!ap_rst_n),
        .s_axis_tdata(in_r_TDATA), .s_axis_tkeep(in_r_TKEEP), .s_axis_tlast(in_r_TLAST), .s_axis_tvalid(in_r_TVALID), .s_axis_tready(in_r_TREADY),
        .m_axis_tdata(out_r_TDATA), .m_axis_tkeep(out_r_TKEEP), .m_axis_tlast(out_r_TLAST), .m_axis_tvalid(out_r_TVALID), .m_axis_tready(out_r_TREADY)
    );
endmodule
"""


@pytest.fixture
def tiny(tmp_path):
    """Descriptions of a small network and of a board for it."""
    network, board = tmp_path / "tiny.toml", tmp_path / "board.toml"
    network.write_text(
        'name = "tiny"\n'
        + "".join(
            f'[[layers]]\nname = "{name}"\nk = {k}\nout_ch = {out_ch}\nrelu = {relu}\n'
            for name, k, out_ch, relu in LAYERS
        )
    )
    text = (vitis.ROOT / "hls" / "boards" / "pynq_z2.toml").read_text()
    board.write_text(re.sub(r"\[folding\..*", "", text, flags=re.S) + FOLDING)
    return str(network), str(board)


def export(config):
    """Put the open route's Verilog where Vitis HLS leaves a finished build of this configuration."""
    ip = vitis.build_folder(config) / "work/hls/impl/ip"
    (ip / "hdl/verilog").mkdir(parents=True)
    (ip / "component.xml").write_text("<component/>")
    for file in build_rtl(config).files:
        (ip / "hdl/verilog" / f"{file.stem}.v").write_text(
            re.sub(r"\bmodule srcnn_top\b", "module open_top", file.read_text())
        )
    (ip / "hdl/verilog/ports.v").write_text(VITIS_PORTS)
    (vitis.build_folder(config) / "hls.json").write_text(
        json.dumps(
            {"version": "2024.1", "cosim": False, "ip": str(ip.relative_to(vitis.build_folder(config))), "rows": []}
        )
    )


def run_pytest(build, tiny):
    """Run a bench of the top with --rtl vitis in a build folder; return exit code and output."""
    network, board = tiny
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rs",
        "-p",
        "no:cacheprovider",
        "--color=no",
        str(HERE / "test_srcnn_top.py"),
        "-k",
        "tiles_of_odd_sizes",
        "--rtl",
        "vitis",
        "--network",
        network,
        "--board",
        board,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | {
        "SRCNN_BUILD": str(build)
    }
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return ended.returncode, ended.stdout + ended.stderr


def test_what_vitis_exported_is_simulated(tiny, tmp_path, monkeypatch):
    config, build = load_config(*tiny), tmp_path / "build"
    code, output = run_pytest(build, tiny)
    assert code == 0 and "1 skipped" in output and f"Vitis HLS has not exported {config.name} as it is now" in output, (
        output
    )
    monkeypatch.setattr(vitis, "BUILD", build)
    export(config)
    code, output = run_pytest(build, tiny)
    assert code == 0 and "1 passed" in output, output  # by Vitis' names, which the open route's own top doesn't have
