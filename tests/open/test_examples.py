"""The examples: golden function = g++ with AMD's types = Verilog at full rate and under random gaps; synthesised."""

import json
import random

import pytest

from hls.synth.examples import COMMITTED, FOLDER, KERNELS, TOPS, all_files, build_examples, example_rows
from tests.open import goldens
from tests.open.running import TRAFFIC, run_cpp, run_verilog, write_words
from tests.open.tools import need, need_reference

KERNEL_EXAMPLES, EXAMPLES = goldens.EXAMPLES, goldens.EXAMPLES + goldens.TOPS
RUNS = {example.name: example.golden(example, random.Random(example.name)) for example in EXAMPLES}
each = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@pytest.fixture(scope="module")
def by_cpp(tmp_path_factory):
    types, folder = need_reference(), tmp_path_factory.mktemp("cpp")
    write_words(RUNS, folder)
    headers = [FOLDER / f"{example.name}.hpp" for example in KERNEL_EXAMPLES]
    return run_cpp(KERNEL_EXAMPLES, RUNS, headers, types, folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return {example: Example}."""
    need("ziglang", "llvmlite")
    return build_examples(tmp_path_factory.mktemp("rtl"))


@pytest.fixture(scope="module")
def by_verilog(built, tmp_path_factory):
    need("verilator")
    folder = tmp_path_factory.mktemp("simulated")
    write_words(RUNS, folder)
    modules = {name: example.module for name, example in built.items()}
    return run_verilog(EXAMPLES, RUNS, modules, all_files(built), folder)


def test_all_examples_are_tried():
    assert {f"{name}.hpp" for name in KERNELS | TOPS} == {path.name for path in FOLDER.iterdir()}
    assert {example.name: example.kernel for example in EXAMPLES} == KERNELS | TOPS
    for name, cpp in (KERNELS | TOPS).items():
        verb = "top" if name in TOPS else "check"
        assert f"hls-open {verb} {name}.hpp {name}={cpp}\n" in (FOLDER / f"{name}.hpp").read_text()


@pytest.mark.parametrize("example", KERNEL_EXAMPLES, ids=lambda example: example.name)
def test_cpp_computes_what_the_golden_function_does(example, by_cpp):
    for stream, words in RUNS[example.name].outputs.items():
        assert by_cpp[example.name, stream] == words


@each
@pytest.mark.parametrize("traffic", TRAFFIC)
def test_verilog_computes_what_the_golden_function_does(example, traffic, by_verilog):
    for stream, words in RUNS[example.name].outputs.items():
        assert by_verilog[example.name, traffic, stream] == words


@each
def test_its_verilog_has_no_findings(example, built):
    need("verilator")
    from hls.open.verilator import lint

    assert lint(built[example.name].files, built[example.name].module) == ""


def test_a_top_is_checked_against_its_cpp(tmp_path):
    """All processes together by g++: feedback can't be run by calling one after the other."""
    need("ziglang", "llvmlite", "verilator")
    need_reference()
    from click.testing import CliRunner

    from hls.open.__main__ import main

    command = ["top", FOLDER / "echo.hpp", "echo=examples::echo", "-o", tmp_path / "echo", "--no-resources"]
    done = CliRunner().invoke(main, list(map(str, [*command, "--steps", 200, "--resets", 2])))
    assert done.exit_code == 0, done.output
    assert "echo: g++ with AMD's types = Verilog, 5 processes" in done.output


@pytest.mark.slow
def test_the_table_of_resources_is_true(built, tmp_path):
    """One run of Yosys for all: stages, multipliers and RAMs are those of the page, the rest nearly."""
    need("pyosys")
    committed = {row["example"]: row for row in json.loads(COMMITTED.read_text())}
    again = "make examples ARGS=--update-docs, then make pages"
    assert list(committed) == list(built), again
    for row in example_rows(built, tmp_path):
        known = committed[row["example"]]
        for what in ("processes", "pipeline_stages", "state_bits", "dsp", "bram36"):
            assert row[what] == known[what], f"{row['example']}, {what}: {again}"
        for what in ("lut", "ff"):
            assert abs(row[what] - known[what]) <= 0.1 * known[what], f"{row['example']}, {what}: {again}"
