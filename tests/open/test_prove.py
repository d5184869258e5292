"""Proofs: a few of each kind, and that what is wrong is found; all of them: `make prove`."""

import pytest

from tests.open.tools import need


@pytest.fixture(scope="module", autouse=True)
def provers():
    need("pyosys", "z3")


@pytest.fixture
def fifo():
    from hls.open.prove.system import read_system
    from hls.open.prove.templates import fifo

    return read_system(fifo(4, 3, 2))


def test_a_fifo_is_proved_with_its_invariants_and_not_without(fifo):
    from hls.open.prove.engine import OPEN, PROVED, prove

    done = prove(fifo, 1)
    assert (done.verdict, done.k) == (PROVED, 1)
    bare = prove(fifo, 3, only={"in_order"})
    assert (bare.verdict, bare.failed) == (OPEN, ["in_order"])


def test_a_word_passes_in_the_trace(fifo):
    from hls.open.prove.engine import reach

    found = reach(fifo, "passes", 10, show=("rst", "in_valid", "in_data", "mark", "out_valid", "out_ready", "out_data"))
    rows = {row[0]: [int(x, 16) for x in row[1:]] for row in found.trace}
    (put, *_) = [c for c, (valid, mark) in enumerate(zip(rows["in_valid"], rows["mark"])) if valid and mark and c]
    assert rows["rst"][0] == 1 and rows["out_valid"][-1] == rows["out_ready"][-1] == 1
    assert rows["out_data"][-1] == rows["in_data"][put] != 0


def test_a_claim_that_is_wrong_is_false_and_not_just_open(fifo):
    import z3

    from hls.open.prove.engine import FALSE, prove

    fifo.claims["never_full"] = z3.ULT(fifo.wires["words"], z3.BitVecVal(3, fifo.wires["words"].size()))
    fifo.claims["never_full"] = z3.Or(z3.Not(fifo.wires["started"]), fifo.claims["never_full"])
    done = prove(fifo, 6, show=("words",))
    assert done.verdict == FALSE and done.failed == ["never_full"]
    assert done.trace[0][-1] == "3"


def test_claims_that_take_long_together_are_asked_for_in_parts(fifo, monkeypatch):
    import z3

    from hls.open.prove import engine

    asked, check = [], engine._check

    def impatient(solver, *assumed):
        """Have no answer to a question about several claims."""
        claim = solver.assertions()[-1]
        if solver.num_scopes() == 0 and z3.is_not(claim):
            asked.append(len(claim.children()[0].children()) if z3.is_and(claim.children()[0]) else 1)
            if asked[-1] > 1:
                raise engine.GaveUp("too long")
        return check(solver, *assumed)

    monkeypatch.setattr(engine, "_check", impatient)
    assert engine.prove(fifo).verdict == engine.PROVED
    assert asked[0] == len(fifo.claims) and asked.count(1) == len(fifo.claims)
    fifo.claims["empty"] = z3.Or(z3.Not(fifo.wires["started"]), fifo.wires["words"] == 0)
    assert engine.prove(fifo, 1).verdict == engine.OPEN


def test_what_can_never_happen_is_not_reached(fifo):
    import z3

    from hls.open.prove.engine import OPEN, reach

    fifo.covers["over"] = z3.And(fifo.wires["started"], fifo.wires["words"] == 4)
    assert reach(fifo, "over", 8).verdict == OPEN


@pytest.mark.parametrize("forward", [0, 1])
@pytest.mark.parametrize("shallow", [64, 2])
def test_a_ram_is_proved_in_both_forms(forward, shallow):
    from hls.open.prove.campaign import Task, run
    from hls.open.prove.templates import ram

    row = run(Task("ram", lambda: ram(4, 5, 3, shallow, forward)))
    assert row["verdict"] == "proved" and row["covers"][0][2] is not None


@pytest.mark.parametrize("name", ["some", "histogram"])
def test_a_stage_is_proved(name):
    from hls.open.prove.campaign import Task, run, small_stages
    from hls.open.prove.stage import stage_bench

    need("ziglang", "llvmlite")
    row = run(Task(name, lambda: stage_bench(small_stages()[name])))
    assert row["verdict"] == "proved" and row["assumptions"] == [
        "reset in the first cycle; later at any time, or never"
    ]
    assert {"out_in_order", "out_stable", "out_no_overflow", "out_arrives"} <= {n for n, _ in row["properties"]}


@pytest.mark.parametrize("name", ["count-put-and-take", "room-off-by-one", "step-survives-reset", "stale-word"])
def test_a_planted_fault_is_found(name):
    from hls.open.prove.engine import PROVED
    from hls.open.prove.faults import FAULTS, catch

    need("ziglang", "llvmlite")
    (fault,) = [fault for fault in FAULTS if fault.name == name]
    row = catch(fault)
    assert row["proof"] != PROVED and row["broken"] == fault.breaks and row["cycles"] > 0


def test_every_fault_applies_once():
    from hls.open.prove.faults import FAULTS, plant

    need("ziglang", "llvmlite")
    for fault in FAULTS:
        assert plant(fault) != fault.text()


def test_a_wire_that_is_not_there_is_no_free_value():
    from hls.open.errors import Refused
    from hls.open.prove.system import read_system
    from hls.open.prove.templates import fifo

    bench = fifo(4, 3, 2)
    bench.looks["dut.counter"] = "[1:0] "
    with pytest.raises(Refused, match="dut.counter"):
        read_system(bench)


def test_a_large_ram_in_a_stage_is_refused(tmp_path):
    from hls.open.errors import Refused
    from hls.open.pipeline.verilog import generate
    from hls.open.prove.stage import stage_bench
    from hls.open.route import lower_source

    need("ziglang", "llvmlite")
    source = """#include <ap_int.h>
#include <hls_stream.h>
#include <ram.h>
struct K { hls_open::ram<ap_uint<8>, 512> table; ap_uint<9> at = 0;
    void step(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<8>>& out) {
        at++;
        out.write(table.read(at));
        table.write(at, in.read());
    } };
"""
    stage = generate(lower_source(source, {"k": "K"}, directory=tmp_path)["k"])
    with pytest.raises(Refused, match="RAM 'table' has 512 words"):
        stage_bench(stage)


def test_a_missing_prover_is_one_sentence(monkeypatch):
    import importlib.util

    from click.testing import CliRunner

    from hls.open.prove.__main__ import main

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "z3" else found(name, *rest))
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2 and "proofs need z3-solver; run `make setup`" in result.output


def test_a_fault_that_no_proof_finds_fails_the_command(monkeypatch):
    import dataclasses

    from click.testing import CliRunner

    from hls.open.prove import __main__ as command
    from hls.open.prove.faults import FAULTS

    harmless = dataclasses.replace(FAULTS[0], name="harmless", pattern="count != 0", put="count > 0")
    monkeypatch.setattr(command, "FAULTS", [harmless])
    result = CliRunner().invoke(command.main, ["--only", "harmless"])
    assert result.exit_code == 1 and "NOT FOUND" in result.output


def test_the_command_writes_its_report(tmp_path):
    import json

    from click.testing import CliRunner

    from hls.open.prove.__main__ import main

    report = tmp_path / "prove.json"
    result = CliRunner().invoke(main, ["--only", "multiply", "--report", str(report)])
    assert result.exit_code == 0, result.output
    rows = json.loads(report.read_text())["proofs"]
    assert len(rows) == 5 and all(row["verdict"] == "proved" for row in rows)
    result = CliRunner().invoke(main, ["--only", "no such thing"])
    assert result.exit_code == 2 and "no proof and no fault has 'no such thing' in its name" in result.output


def test_registers_that_nothing_writes_keep_what_they_hold():
    from hls.open.prove.engine import PROVED, prove
    from hls.open.prove.system import read_system
    from hls.open.prove.templates import fifo

    bench = fifo(4, 3, 2)
    bench.body = [
        line.replace("in_valid(in_valid)", "in_valid(1'b0)").replace("put = in_valid", "put = 1'b0")
        for line in bench.body
    ]
    assert prove(read_system(bench), 1).verdict == PROVED
