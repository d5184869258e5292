"""The DMA: its command, and some of its proofs (all: `make prove`). In simulation: sim/test_dma.py."""

import pytest
from click.testing import CliRunner

from model.base.errors import UserError
from tests.open.tools import need


def test_the_command_builds_what_a_simulator_needs(tmp_path, monkeypatch):
    need("ziglang", "llvmlite", "verilator")
    from hls.dma import build
    from hls.dma.__main__ import main

    monkeypatch.setattr(build, "BUILD", tmp_path)
    ended = CliRunner().invoke(main, ["--address-bits", "40", "--part", "xck26-sfvc784-2LV-c", "--clock", "200"])
    assert ended.exit_code == 0 and "lint clean" in ended.output, ended.output
    (folder,) = (tmp_path / "dma").iterdir()
    files = (folder / "files.f").read_text().split()
    assert files[-1] == "dma_top.sv" and all((folder / name).is_file() for name in files)
    assert "[39:0] m_axi_araddr" in (folder / "dma_top.sv").read_text()


def test_another_width_is_refused():
    from hls.dma.build import build_dma

    with pytest.raises(UserError, match="addresses of 36 bits are not built; the DMA has 32"):
        build_dma(address_bits=36)


@pytest.mark.parametrize("kernel", ["s2mm_pack", "s2mm_write"])
def test_a_kernel_keeps_axis_rules(kernel):
    need("pyosys", "z3", "ziglang", "llvmlite")
    from hls.dma.prove import bench_of, stages
    from hls.open.prove.campaign import Task, run

    row = run(Task(kernel, lambda: bench_of(kernel, stages(only=kernel)[kernel])))
    assert row["verdict"] == "proved", row["failed"]


@pytest.mark.parametrize("name", ["border", "wlast"])
def test_a_planted_fault_breaks_a_rule(name):
    need("pyosys", "z3", "ziglang", "llvmlite")
    from hls.dma.prove import FAULTS
    from hls.open.prove.faults import catch

    (fault,) = (fault for fault in FAULTS if fault.name == name)
    row = catch(fault)
    assert row["broken"] == fault.breaks and row["proof"] != "proved"
