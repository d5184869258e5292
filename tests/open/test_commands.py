"""The command line: what it builds, that it writes nothing half, and one sentence for every mistake."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hls.open.__main__ import main
from hls.open.errors import Refused
from hls.open.output import LIST, whole_folder
from tests.open.tools import need

FIR = """
#include <ap_int.h>
#include <hls_stream.h>
namespace dsp {
template <int N> struct fir_stage {
    ap_int<16> x[N] = {};
    ap_uint<4> count = 0;
    void step(hls::stream<ap_int<16>>& in, hls::stream<ap_int<52>>& out) {
        ap_int<52> sum = 0;
        for (int i = N - 1; i > 0; i--) x[i] = x[i - 1];
        x[0] = in.read();
        for (int i = 0; i < N; i++) sum += x[i] * ap_int<12>(37 * i - 100) * x[i];
        if (++count != 3) out.write(sum);
    }
};
}
"""


def run(*arguments):
    """Run the command in this process; return (exit code, what it printed)."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def fir(tmp_path):
    need("ziglang", "llvmlite")
    path = tmp_path / "fir.hpp"
    path.write_text(FIR)
    return path


def test_build_writes_verilog_and_says_what_it_consists_of(fir, tmp_path):
    from hls.open.resources import available

    code, said = run(
        "build", fir, "fir=dsp::fir_stage<5>", "-o", tmp_path / "out", "--json", tmp_path / "r.json", "--feedback"
    )
    assert code == 0, said
    files = (tmp_path / "out" / "files.f").read_text().split()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted([*files, "files.f", LIST])
    kernel = json.loads((tmp_path / "r.json").read_text())["kernels"]["fir"]
    assert kernel["streams"] == {"in": {"direction": "in", "bits": 16}, "out": {"direction": "out", "bits": 52}}
    assert (kernel["state_bits"], kernel["module"]) == (5 * 16 + 4, "fir_stage")
    assert "module fir_stage (" in (tmp_path / "out" / "fir_stage.sv").read_text()
    assert f"{kernel['pipeline_stages']} pipeline stages" in said and "count -> " in said
    if available():
        assert kernel["resources"]["dsp"] >= 1 and f"{kernel['resources']['ff']} FF" in said
    else:
        assert "pip install pyosys" in said


def test_build_again_replaces_its_own_files_and_no_others(fir, tmp_path):
    out = tmp_path / "out"
    assert run("build", fir, "fir=dsp::fir_stage<2>", "-o", out, "--no-resources")[0] == 0
    (out / "mine.txt").write_text("mine")
    assert run("build", fir, "second=dsp::fir_stage<2>", "-o", out, "--no-resources")[0] == 0
    names = {p.name for p in out.iterdir()}
    assert {"mine.txt", "second.sv", "second_stage.sv"} <= names and "fir.sv" not in names
    (out / "third.sv").write_text("mine")
    code, said = run("build", fir, "third=dsp::fir_stage<2>", "-o", out, "--no-resources")
    assert code == 2 and "third.sv' is not of an earlier run" in said
    assert (out / "third.sv").read_text() == "mine" and (out / "second.sv").is_file()


MISTAKES = [
    ([], "Usage"),
    (["build"], "Missing argument"),
    (["builds", "FIR"], "No such command 'builds'"),
    (["build", "FIR"], "Missing argument"),
    (["build", "nowhere.hpp", "a=b"], "does not exist"),
    (["build", "FOLDER", "a=b"], "is a directory"),
    (["build", "FIR", "dsp::fir_stage<2>"], "is no kernel: write name=C++"),
    (["build", "FIR", "fir="], "is no kernel"),
    (["build", "FIR", "=fir"], "is no kernel"),
    (["build", "FIR", "2x=dsp::fir_stage<2>"], "'2x' can't name a kernel"),
    (["build", "FIR", "a=dsp::fir_stage<2>", "a=dsp::fir_stage<3>"], "'a' names two kernels"),
    (["build", "FIR", "fir=dsp::nothing"], r"fir=dsp::nothing: no type named 'nothing'"),
    (["build", "FIR", "fir=int"], "fir=int: "),
    (["build", "FIR", "fir=dsp::fir_stage<2>", "--part", "lfe5u-85f"], "delays of lfe5u-85f are not known"),
    (["build", "FIR", "fir=dsp::fir_stage<2>", "--clock", "0"], "it has to be above 0"),
    (["build", "FIR", "fir=dsp::fir_stage<2>", "--clock", "-5"], "it has to be above 0"),
    (["build", "FIR", "fir=dsp::fir_stage<2>", "--clock", "nan"], "it has to be above 0"),
    (["build", "FIR", "fir=dsp::fir_stage<2>", "--clock", "1000"], "no pipeline runs at 1000 MHz"),
    (["build", "FIR", "fir=dsp::fir_stage<2>", "--clock", "fast"], "not a valid float"),
    (["build", "FIR", "fir=dsp::fir_stage<2>", "-o", "FIR"], "is no folder"),
    (["build", "FIR", "fir=dsp::fir_stage<2>", "-o", "FIR/below"], "can't be written"),
    (["build", "FIR", "fir=dsp::fir_stage<2>", "-I", "nowhere"], "does not exist"),
    (
        ["build", "FIR", "fir=dsp::fir_stage<2>", "--no-resources", "--json", "nowhere/r.json"],
        "report 'nowhere/r.json'",
    ),
    (["build", "WRONG", "a=K"], r"wrong.hpp:3: use of undeclared identifier 'y'"),
    (["build", "LOST", "a=K"], r"lost.hpp:2: 'nowhere.h' file not found"),
    (["build", "FLOAT", "a=K"], "floating point"),
]


@pytest.mark.parametrize("arguments, words", MISTAKES, ids=lambda x: " ".join(x)[:60] if isinstance(x, list) else "")
def test_a_mistake_is_one_sentence_and_nothing_is_written(fir, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    files = {
        "FIR": fir,
        "WRONG": "struct K { void step() {\nint x = 1;\nx = y;\n} };",
        "LOST": '\n#include "nowhere.h"\n',
        "FLOAT": FIR.replace("ap_uint<4> count", "float f = 0; ap_uint<4> count") + "using K = dsp::fir_stage<2>;",
    }
    for name, text in list(files.items())[1:]:
        files[name] = tmp_path / f"{name.lower()}.hpp"
        files[name].write_text(text)
    files["FOLDER"] = tmp_path
    before = sorted(tmp_path.rglob("*"))
    filled = [str(files[a]) if a in files else a.replace("FIR/", f"{fir}/") for a in arguments]
    given = filled if "-o" in filled or not arguments[1:] else [*filled, "-o", "out"]
    code, said = run(*given)
    assert code == 2 and words in said, said
    assert "Traceback" not in said and "\x1b" not in said
    if arguments:
        assert len(said.strip().splitlines()) == 1 and said.startswith("error: "), said
    assert sorted(tmp_path.rglob("*")) == before


def test_the_module_is_a_command():
    done = subprocess.run([sys.executable, "-m", "hls.open", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "hls-open [OPTIONS] COMMAND" in done.stdout


def test_a_folder_is_whole_or_untouched(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ValueError), whole_folder(out) as folder:
        (folder / "half").write_text("x")
        raise ValueError
    assert not list(tmp_path.iterdir())
    with whole_folder(out) as folder:
        (folder / "a").write_text("1")
    (out / LIST).write_text('{"files": ["a", "../outside"]}')
    (tmp_path / "outside").write_text("mine")
    with whole_folder(out) as folder:
        (folder / "b").write_text("2")
    assert sorted(p.name for p in out.iterdir()) == ["b", LIST] and (tmp_path / "outside").is_file()
    (out / LIST).write_text("nonsense")
    with pytest.raises(Refused, match="can't be read"), whole_folder(out):
        pass
