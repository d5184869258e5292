"""The open route on the product's own kernels: reproducible, clean, memories in RAMs, changes seen."""

import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("llvmlite", reason="the open route needs the package llvmlite (make setup)")

from hls.csim.build import KERNELS
from hls.design.load import load_config
from hls.generate.cpp import write_sources
from hls.generate.verilog import build_rtl
from hls.open.route import read_top
from hls.open.verilator import lint
from model.base.paths import ROOT

CONFIG = load_config("srcnn915")


@pytest.fixture(scope="module")
def rtl():
    return build_rtl(CONFIG)


def test_two_builds_are_byte_equal(rtl, tmp_path):
    """A second build, in another folder and another process, gives the same files."""
    script = (
        "from hls.design.load import load_config; from hls.generate.verilog import build_rtl; "
        "print(build_rtl(load_config('srcnn915')).folder)"
    )
    environment = dict(os.environ, SRCNN_BUILD=str(tmp_path), PYTHONHASHSEED="7")
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    again = build_folder(result.stdout)
    assert again != rtl.folder
    names = sorted(p.name for p in rtl.folder.iterdir())
    assert names == sorted(p.name for p in again.iterdir())
    for name in names:
        assert (rtl.folder / name).read_bytes() == (again / name).read_bytes(), name


def build_folder(output):
    from pathlib import Path

    return Path(output.strip().splitlines()[-1])


def test_an_up_to_date_build_is_found_again(rtl):
    stamp = (rtl.folder / "rtl.json").stat().st_mtime_ns
    assert build_rtl(CONFIG).folder == rtl.folder
    assert (rtl.folder / "rtl.json").stat().st_mtime_ns == stamp


def test_verilator_lint_is_clean(rtl):
    assert lint(rtl.files, "srcnn_top") == ""


def test_line_buffers_and_weights_are_rams(rtl):
    """Every ram of the kernels is a RAM instance of the right size; registers hold windows and sums only."""
    stages = rtl.stages
    assert stages["conv1"]["rams"]["source_lines_rows"] == [CONFIG.max_width, 8 * 8]
    for stage in CONFIG.stages:
        rams = stages[stage.layer.name]["rams"]
        pieces = -(-8 * stage.simd // 64)  # as they come; the unread end of the last is for synthesis to drop
        assert {name for name in rams if name.startswith("params_weights")} == {
            f"params_weights_{pe}_{i}" for pe in range(stage.pe) for i in range(pieces)
        }
        assert all(rams[name] == [stage.fold, 64] for name in rams if name.startswith("params_weights"))
    assert stages["conv3_sum"]["rams"]["partials"] == [CONFIG.max_width - 8, 4 * CONFIG.network.layers[2].acc_bits]
    for name, stage in stages.items():
        text = (rtl.folder / f"{name}_stage.sv").read_text()
        found = re.findall(r"hls_open_ram #\(\.WIDTH\((\d+)\), \.DEPTH\((\d+)\)", text)
        assert len(found) >= len(stage["rams"])
        assert stage["state_bits"] < 3000, f"{name} keeps {stage['state_bits']} bits in registers"


@pytest.mark.parametrize("network", ["srcnn915", "srcnn955"])
def test_the_generated_top_joins_what_the_netlist_joins(network, tmp_path):
    """Vitis HLS reads the dataflow from the C++, the open route from the list of processes: both say the same."""
    config = load_config(network)
    folder = write_sources(config, tmp_path)
    source = f'#include "{folder / "srcnn_top.cpp"}"'
    top = read_top(source, "top", "srcnn_top", (KERNELS, folder), tmp_path / "ir")
    flow = config.dataflow
    assert top.ports == ("in", "out")
    assert [(process.name, process.type.replace("srcnn::", ""), process.streams) for process in top.processes] == [
        (f"{joined.process.name}_process", joined.process.kernel, joined.streams) for joined in flow.joined
    ]
    assert top.depths == {stream.name: stream.depth for stream in flow.streams}
