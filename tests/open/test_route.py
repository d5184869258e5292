"""From C++ to Verilog: what is refused and how, RAMs under backpressure, determinism, random kernels."""

import random

import pytest

from hls.open.errors import Refused
from tests.open.tools import need, need_reference

HEAD = "#include <ap_int.h>\n#include <hls_stream.h>\n#include <ap_axi_sdata.h>\n"
STREAMS = "hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out"
RAM = "#include <ram.h>\nusing hls_open::ram;\n"
# One row of delay in a RAM: what is written at x is read a row of 5 later.
DELAY = (
    HEAD
    + RAM
    + """
struct Delay {
    ram<ap_uint<16>, 5> row;
    ap_uint<3> x = 0;
    ap_uint<2> pause = 0;
    void step(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<17>>& out) {
        pause++;
        if (pause != 2) {
            const ap_uint<16> value = in.read();
            const ap_uint<16> above = row.read(x);
            row.write(x, value);
            x = x == 4 ? ap_uint<3>(0) : ap_uint<3>(x + 1);
            out.write(above + value);
        }
    }
};
"""
)


def lowered(body, members="", streams=STREAMS):
    from hls.open.route import lower_source

    source = f"{HEAD}struct K {{ {members}\n  void step({streams}) {{\n{body}\n  }}\n}};\n"
    return lower_source(source, {"k": "K"}, directory=lowered.folder)["k"]


@pytest.fixture(autouse=True)
def folder(tmp_path):
    lowered.folder = tmp_path


@pytest.mark.parametrize(
    "body, members, words",
    [
        (
            "ap_uint<8> x = in.read(), n = 0; while (x != 1) { n++; x = x[0] ? ap_uint<8>(3 * x + 1) : ap_uint<8>(x "
            ">> 1); } out.write(n);",
            "",
            ["loop", "constant bound"],
        ),
        ("out.write(in.read()); out.write(1);", "", ["'out' is written twice"]),
        ("if (!in.empty()) out.write(in.read());", "", ["empty()"]),
        ("out.write(in.read() / ap_uint<3>(n));", "ap_uint<3> n = 3;", ["division", "by a variable", "reciprocal"]),
        ("n = n * 1.5f; out.write(in.read());", "float n = 0;", ["floating point"]),
        ("out.write(*p + in.read());", "ap_uint<8>* p = nullptr;", ["'p' is a pointer"]),
        ("out.write(in.read() + table(3)); ", "ap_uint<8> table(int);", ["not defined"]),
        ("out.write(1);", "", ["never uses its stream 'in'"]),
        (
            "out.write(f(in.read()));",
            "static ap_uint<8> f(ap_uint<8> x) { static ap_uint<8> s; s = s + x; return s; }",
            ["global or static variable"],
        ),
    ],
)
def test_what_is_refused_says_where_and_what_instead(body, members, words):
    import re

    need("ziglang", "llvmlite")
    with pytest.raises(Refused) as refusal:
        lowered(body, members)
    for word in words:
        assert re.search(word.replace("(", r"\(").replace(")", r"\)"), str(refusal.value)), str(refusal.value)


def test_lines_of_the_kernel_are_named():
    need("ziglang", "llvmlite")
    with pytest.raises(Refused, match=r"kernels\.cpp:\d+: a division"):
        lowered("ap_uint<8> x = in.read();\nout.write(x % n);", "ap_uint<3> n = 5;")


def test_state_has_the_names_widths_and_reset_values_of_the_members():
    need("ziglang", "llvmlite")
    step = lowered(
        "s.a[1] = in.read(); flag = !flag; out.write(s.n);",
        "struct S { ap_int<11> n = -5; ap_uint<3> a[2] = {1, 7}; } s; bool flag = true;",
    )
    got = {r.name: (r.width, r.reset) for r in step.registers}
    assert got == {"s_n": (11, 2043), "s_a_0": (3, 1), "s_a_1": (3, 7), "flag": (1, 1)}


def test_streams_carry_structs_without_padding():
    need("ziglang", "llvmlite")
    step = lowered(
        "auto b = in.read(); b.last = b.data == 3; b.keep = -1; out.write(b);",
        "",
        "hls::stream<ap_axiu<64, 0, 0, 0>>& in, hls::stream<ap_axiu<64, 0, 0, 0>>& out",
    )
    assert [p.width for p in step.ports] == [73, 73]


def test_accumulators_feed_back_through_one_addition():
    """LLVM likes to add products to the accumulator one by one: twice the feedback, half the clock."""
    need("ziglang", "llvmlite")
    from hls.open.dataflow.passes.feedback import longest_feedback
    from hls.open.pipeline.fabric import SERIES7_1
    from hls.open.pipeline.verilog import generate

    step = lowered(
        "ap_uint<32> w = in.read(); ap_int<24> dot = 0;\n"
        "for (int i = 0; i < 4; i++) { ap_int<8> k = w.range(8 * i + 7, 8 * i); dot += k * x[i]; x[i] = w.range(7 - "
        "i, 0); }\n"
        "first = !first; acc = (first ? ap_int<24>(0) : acc) + dot; out.write(acc);",
        "bool first = true; ap_uint<8> x[4] = {1, 2, 3, 4}; ap_int<24> acc = 0;",
        "hls::stream<ap_uint<32>>& in, hls::stream<ap_int<24>>& out",
    )
    path = next(p for p in longest_feedback(step, SERIES7_1.delay, 9) if p.end == "acc")
    assert [o for o in path.operations if o.startswith("add")] == ["add24"]
    text = generate(step).text
    assert text.count("hls_open_multiply #(") == 4


def test_two_sums_of_the_same_terms_of_which_one_feeds_back():
    """Each is regrouped by its own feedback; once, one replaced the other for ever."""
    need("ziglang", "llvmlite")
    step = lowered(
        "ap_uint<8> v = in.read(); if (v[0]) { acc = acc + b + c; } "
        "else { out.write(c + b + acc); b = v; c = v >> 1; }",
        "ap_uint<8> acc = 0, b = 1, c = 2;",
    )
    from hls.open.dataflow.passes.feedback import longest_feedback
    from hls.open.pipeline.fabric import SERIES7_1

    path = next(p for p in longest_feedback(step, SERIES7_1.delay, 9) if p.end == "acc")
    assert sum(o.startswith("add") for o in path.operations) == 1


def test_an_extension_of_an_extension_is_one():
    """`{...}[15]` is no Verilog: what is written out in braces can't be indexed."""
    from hls.open.dataflow.graph import Graph

    graph = Graph()
    x = graph.input("x", 8)
    wide = graph.sext(graph.add(x, x), 16)
    again = graph.again(wide, (graph.sext(graph.slice(x, 0, 4), 8),))
    assert (again.op, again.args[0].op) == ("sext", "slice")


def test_two_builds_are_equal(tmp_path):
    need("ziglang", "llvmlite")
    from hls.open.route import build

    texts = []
    for name in ("first", "second"):
        built = build(DELAY, {"delay": "Delay"}, directory=tmp_path / name)["delay"]
        texts.append([f.read_text() for f in built.files])
    assert texts[0] == texts[1]


BENCH = """
module bench_{name} (input wire clk, input wire rst);
    reg [31:0] random = 32'd9;
    always_ff @(posedge clk) random <= {{random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]}};
    reg [15:0] values [0:{last}];
    initial $readmemh("values.hex", values);
    integer at = 0;
    reg offer = 0, take = 0;
    wire ready, valid;
    wire [16:0] data;
    delay_stage dut (.clk(clk), .rst(rst), .in_data(values[at]), .in_valid(offer), .in_ready(ready),
                     .out_data(data), .out_valid(valid), .out_ready(take));
    always_ff @(posedge clk) if (!rst) begin
        if (offer && ready) at <= at + 1;
        offer <= (offer && !ready) || (({offer}) && at + ((offer && ready) ? 1 : 0) <= {last});
        take <= {take};
        if (valid && take) $display("{name} %h", data);
    end
endmodule
"""
# name -> when the source offers a word, when the sink takes one
TRAFFIC = {
    "full": ("1'b1", "1'b1"),
    "gaps": ("random[3]", "1'b1"),
    "stalls": ("1'b1", "random[7] & random[12]"),
    "both": ("random[3] | random[5]", "random[7]"),
}


def run_traffic(built, values, folder):
    """Send values through a stage under every kind of traffic; return {traffic: values that came out}."""
    from hls.open.verilator import run_bench

    (folder / "values.hex").write_text("\n".join(f"{v:x}" for v in values))
    bench = folder / "bench.sv"
    bench.write_text(
        "".join(BENCH.format(name=n, last=len(values) - 1, offer=o, take=t) for n, (o, t) in TRAFFIC.items())
        + "module bench (input wire clk, input wire rst);\n"
        + "".join(f"    bench_{n} {n}_i (.clk(clk), .rst(rst));\n" for n in TRAFFIC)
        + "endmodule\n"
    )
    printed = run_bench([*built.files, bench], "bench", folder, 4000)
    return {
        name: [int(line.split()[1], 16) for line in printed.splitlines() if line.startswith(name + " ")]
        for name in TRAFFIC
    }


def test_ram_under_backpressure(tmp_path):
    """A RAM read in flight must survive any stall: a pipeline that stops after its first stage loses it."""
    need("ziglang", "llvmlite", "verilator")
    from hls.open.route import build
    from hls.open.verilator import lint

    built = build(DELAY, {"delay": "Delay"}, directory=tmp_path)["delay"]
    assert lint(built.files, "delay_stage") == ""
    rng = random.Random(3)
    values = [rng.getrandbits(16) for _ in range(300)]
    printed = run_traffic(built, values, tmp_path)
    expected = [v + (values[i - 5] if i >= 5 else 0) for i, v in enumerate(values)]
    assert printed == dict.fromkeys(TRAFFIC, expected)


# Each word of a RAM of RAM_LAG + 1 words counts how often it came up: read RAM_LAG + 1 steps after it was written.
COUNTERS = (
    HEAD
    + RAM
    + """
struct Delay {
    ram<ap_uint<16>, 3> counts;
    ap_uint<2> x = 0;
    void step(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<17>>& out) {
        counts.independent();
        const ap_uint<16> sum = counts.read(x) + in.read();
        counts.write(x, sum);
        x = x == 2 ? ap_uint<2>(0) : ap_uint<2>(x + 1);
        out.write(sum);
    }
};
"""
)


def test_a_word_is_read_again_as_soon_as_it_may_be(tmp_path):
    """What a step writes is there RAM_LAG + 1 steps later, at full rate and with gaps, however late it is written."""
    need("ziglang", "llvmlite", "verilator")
    from hls.open.pipeline.schedule import schedule
    from hls.open.pipeline.timing import RAM_LAG, Timing
    from hls.open.route import build

    assert RAM_LAG + 1 == 3
    timing = Timing(budget_ps=2300)
    built = build(COUNTERS, {"delay": "Delay"}, directory=tmp_path, timing=timing)["delay"]
    plan = schedule(built.stage.step, timing)
    assert plan.done["counts", "write"] - plan.issue["counts"] > 0
    rng = random.Random(4)
    values = [rng.getrandbits(16) for _ in range(300)]
    printed = run_traffic(built, values, tmp_path)
    counts, expected = [0] * 3, []
    for i, value in enumerate(values):
        counts[i % 3] = (counts[i % 3] + value) & 0xFFFF
        expected.append(counts[i % 3])
    assert printed == dict.fromkeys(TRAFFIC, expected)


SKIPPED_READ = """struct struct_k1 {
    ap_uint<2> s0 = 1;
    void step(hls::stream<ap_int<10>>& in0, hls::stream<ap_uint<3>>& out0) {
        ap_int<10> x0 = 0;
        if (s0 != 0) x0 = in0.read();
        s0 = ap_uint<2>((s0 + x0) & ap_uint<2>(x0));
        if ((x0 << ap_int<2>(x0)) >= s0) out0.write(x0);
    }
};
"""


def test_a_read_that_does_not_happen_gives_zero(tmp_path):
    """A stream that is not read may hold anything; nothing of it may get into the step."""
    need("ziglang", "llvmlite", "xls", "verilator")
    need_reference()
    from sim.fuzz.compare.interpreted import compare_interpreted, lower, reference
    from sim.fuzz.compare.simulated import compare_simulated
    from sim.fuzz.random_cpp import Var
    from sim.fuzz.random_kernels import RandomKernel

    kernel = RandomKernel("k1", [Var("s0", 2, False)], [Var("in0", 10, True)], [Var("out0", 3, False)], SKIPPED_READ)
    rows = reference([kernel], tmp_path)["k1"]
    step = lower([kernel], tmp_path)[0]
    compare_interpreted(kernel, step, rows)
    assert compare_simulated([(kernel, step, rows)], tmp_path) == 1


MERGED_MEMBERS = """struct struct_k2 {
    ap_int<4> s0 = 0;
    ap_int<4> a0[4] = {-1, 2, 3, 4};
    void step(hls::stream<ap_int<10>>& in0, hls::stream<ap_int<4>>& out0) {
        ap_int<10> x0 = in0.read();
        out0.write((s0 <= a0[ap_uint<2>(s0)]) ? ap_int<4>(a0[3]) : ap_int<4>(s0));
        a0[ap_uint<2>(x0)] = x0 >> 2;
        s0 = x0 >> 5;
    }
};
"""


def test_a_choice_between_an_array_and_another_member(tmp_path):
    """LLVM makes one load at a chosen offset of the two; it is not an index into the array."""
    need("ziglang", "llvmlite", "xls")
    need_reference()
    from sim.fuzz.compare.interpreted import compare_interpreted, lower, reference
    from sim.fuzz.random_cpp import Var
    from sim.fuzz.random_kernels import RandomKernel

    kernel = RandomKernel("k2", [Var("s0", 4, True)], [Var("in0", 10, True)], [Var("out0", 4, True)], MERGED_MEMBERS)
    rows = reference([kernel], tmp_path)["k2"]
    assert len({row[1] for row in rows}) >= 3
    compare_interpreted(kernel, lower([kernel], tmp_path)[0], rows)


@pytest.mark.slow
def test_random_kernels(tmp_path):
    """100 random kernels behave as with g++ and AMD's headers: in XLS's interpreter, one in ten in Verilog."""
    need("ziglang", "llvmlite", "xls", "verilator")
    need_reference()
    from sim.fuzz.run import fuzz

    done = fuzz(100, 20001, tmp_path)
    assert done["interpreted"] == 100 and done["simulated"] >= 9
