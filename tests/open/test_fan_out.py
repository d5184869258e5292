"""What drives much comes from a register with copies; synthesis keeps them."""

import collections
import json
import re

import pytest

from hls.open.pipeline.netlist import join, write_stage
from hls.open.pipeline.timing import FAN_OUT, SHARED, WIDE
from hls.open.pipeline.verilog import generate
from hls.open.resources import apart, available
from hls.open.route import lower_source
from hls.synth.yosys import run_yosys

# One condition selects 288 bits that nothing else holds together; a factor is taken by nine products; and there is
# state of 288 bits whose next value depends on an input.
SOURCE = """
#include <ap_int.h>
#include <hls_stream.h>
struct wide {
    ap_uint<32> held[9];
    void step(hls::stream<ap_uint<33>>& in, hls::stream<ap_uint<32>>& out) {
        const ap_uint<33> word = in.read();
        ap_uint<32> all = 0;
        for (int i = 0; i < 9; i++) {
            held[i] = word[32] ? ap_uint<32>(word.range(31, 0) + i) : ap_uint<32>(held[i] ^ 1);
            all ^= held[i];
        }
        out.write(all);
    }
};
struct shared {
    ap_int<8> factors[9];
    void step(hls::stream<ap_int<8>>& in, hls::stream<ap_uint<144>>& out) {
        const ap_int<8> x = in.read();
        ap_uint<144> products = 0;
        for (int i = 0; i < 9; i++) {
            products.range(16 * i + 15, 16 * i) = factors[i] * x;
        }
        for (int i = 8; i > 0; i--) {
            factors[i] = factors[i - 1];
        }
        factors[0] = x;
        out.write(products);
    }
};
"""


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    steps = lower_source(SOURCE, {"wide": "wide", "shared": "shared"}, directory=tmp_path_factory.mktemp("lowered"))
    return {name: generate(step) for name, step in steps.items()}


def test_no_register_of_a_condition_drives_more_than_its_share(stages):
    """The condition's copies take turns, and state, enable and reset of wide state have theirs."""
    text = stages["wide"].text
    assert sum(r.width for r in stages["wide"].step.registers) > WIDE
    selected = re.findall(r"wire \[(\d+):0\] \w+ = (\w+) \? ", text)
    loads = {}
    for high, condition in selected:
        loads[condition] = loads.get(condition, 0) + int(high) + 1
    assert len(loads) == 5 and max(loads.values()) <= FAN_OUT and sum(loads.values()) == 288
    groups = re.findall(r"if \(reset_2_\d+\) begin(.*?)end else if \(enable_2_\d+\) begin", text, re.DOTALL)
    assert len(groups) == 5 and all(group.count("<=") * 32 <= FAN_OUT for group in groups)


def test_a_factor_of_many_products_has_copies(stages):
    products = re.findall(r"hls_open_multiply .*?\.a\((\w+)\), \.b\((\w+)\)", stages["shared"].text)
    taken = sorted(name for product in products for name in product if name.startswith("in_data"))
    assert len(products) == 9
    assert sorted(map(taken.count, set(taken))) == [1, SHARED, SHARED]


@pytest.mark.skipif(not available(), reason="Yosys is not installed")
def test_wide_state_whose_reset_comes_late_is_proved(stages):
    """The same steps in all cycles, resets at any time: a part of the state that is reset too late would be found."""
    from hls.open.prove.campaign import Task, run
    from hls.open.prove.stage import stage_bench

    row = run(Task("stage wide", lambda: stage_bench(stages["wide"])))
    assert row["verdict"] == "proved", row


@pytest.mark.skipif(not available(), reason="Yosys is not installed")
@pytest.mark.parametrize("name", ["wide", "shared"])
def test_synthesis_keeps_the_copies(stages, name, tmp_path):
    """Counted in the netlist of both families' script, behind everything that merges what is alike."""
    files = write_stage(stages[name], tmp_path)
    widths = re.findall(r"hls_open_copy #\(\.WIDTH\((\d+)\)\)", stages[name].text)
    assert kept(stages[name].module, files, tmp_path) == sum(map(int, widths)) > 0


@pytest.mark.skipif(not available(), reason="Yosys is not installed")
@pytest.mark.parametrize("reset_registers", [False, True])
def test_each_stage_of_a_dataflow_may_have_a_register_for_the_reset(stages, reset_registers, tmp_path):
    instances = [(f"{name}_{n}", name, {"in": f"a{n}", "out": f"b{n}"}) for n, name in enumerate(["shared"] * 3)]
    ports = {f"{end}{n}": way for n in range(3) for end, way in (("a", "in"), ("b", "out"))}
    text = join("three", instances, ports, stages, reset_registers=reset_registers).text
    (tmp_path / "three.sv").write_text(text)
    own = write_stage(stages["shared"], tmp_path)
    alone, joined = tmp_path / "alone", tmp_path / "joined"
    for folder in (alone, joined):
        folder.mkdir()
    more = kept("three", [*own, tmp_path / "three.sv"], joined) - 3 * kept(stages["shared"].module, own, alone)
    assert more == (3 if reset_registers else 0)


@pytest.mark.skipif(not available(), reason="Yosys is not installed")
def test_no_share_gets_another_ones_loads(stages, tmp_path):
    """Synthesis merges a plain register with a kept one that holds the same, and all loads come to that."""
    cells = netlist(stages["wide"].module, write_stage(stages["wide"], tmp_path), tmp_path)
    loads = collections.Counter(
        bit
        for cell in cells.values()
        for pin, bits in cell["connections"].items()
        for bit in bits
        if cell["port_directions"][pin] == "input"
    )
    shares = [loads[cell["connections"]["Q"][0]] for cell in cells.values() if is_kept(cell)]
    assert FAN_OUT / 2 < max(shares) < 1.5 * FAN_OUT


def kept(top, files, folder):
    """How many flip-flops of `top` synthesis may not merge with others."""
    return sum(map(is_kept, netlist(top, files, folder).values()))


def is_kept(cell):
    return cell["type"] == "FDRE" and "keep" in cell["attributes"]


def netlist(top, files, folder):
    """The cells that synthesis makes of `top`."""
    run_yosys(
        [
            "read_verilog -sv " + " ".join(map(str, files)),
            *apart(top),
            f"synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",
            f"select {top}",
            "write_json -selected out.json",
        ],
        folder,
        "Yosys fails",
    )
    return json.loads((folder / "out.json").read_text())["modules"][top]["cells"]
