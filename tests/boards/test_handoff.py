"""The handoff file that tests write says what the block design asks of Vivado."""

import re
from xml.etree import ElementTree

import pytest

from hls.design.load import load_config
from model.base.paths import ROOT
from sim.board import handoff

DESIGN = ROOT / "bitstreams" / "block_design.tcl"
BOARDS = ROOT / "bitstreams" / "boards"


@pytest.fixture(params=["pynq_z2", "kv260"])
def board(request):
    """(handoff file's modules by instance, Tcl of the design, Tcl of the board)."""
    if not DESIGN.is_file():
        pytest.skip(f"there is no {DESIGN.relative_to(ROOT)}")
    modules = ElementTree.fromstring(handoff.handoff(load_config("srcnn915", request.param))).iter("MODULE")
    return (
        {module.get("INSTANCE"): module for module in modules},
        DESIGN.read_text(),
        (BOARDS / f"{request.param}.tcl").read_text(),
    )


def said(pattern, text):
    """The one thing that matches."""
    found = set(re.findall(pattern, text))
    assert len(found) == 1, f"{pattern}: {found}"
    return found.pop()


def test_dma(board):
    modules, design, of_board = board
    block = said(rf"(?s)create_cell {handoff.DMA} axi_dma \[list(.*?)\n    \]", design)
    wanted = dict(re.findall(r"CONFIG\.(c_\w+) \{?([^\s{}]+)\}?", block))
    assert wanted.pop("c_addr_width") == "$address_bits"
    wanted["c_addr_width"] = said(r"address_bits (\d+)", of_board)
    parameters = {p.get("NAME"): p.get("VALUE") for p in modules[handoff.DMA].iter("PARAMETER")}
    assert len(wanted) > 10 and {name: parameters.get(name, "0") for name in wanted} == wanted


def test_kernel(board):
    modules, design, _ = board
    assert (
        handoff.KERNEL in modules and design.count(f" {handoff.KERNEL}]") == 2
    )  # Vitis' IP, or the open route's module


def test_processor(board):
    modules, _, of_board = board
    name = said(r"set name (\w+)", of_board)
    registers = [r for r in modules[name].iter("MEMRANGE") if r.get("INSTANCE") == handoff.DMA]
    assert len(registers) == 1 and int(registers[0].get("BASEVALUE"), 16) == int(
        said(r"control_offset (0x[0-9A-F]+)", of_board), 16
    )
    ports = {interface.get("NAME") for interface in modules[name].iter("BUSINTERFACE")}
    assert ports == {said(r"\scontrol \$name/(\w+)", of_board), said(r"\smemory \$name/(\w+)", of_board)}
