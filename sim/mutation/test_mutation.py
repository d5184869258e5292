"""The mutations: that the table fits the sources, and a few of them (all: `make mutation`)."""

import dataclasses
import re

import pytest

from sim.mutation import __main__ as command_line
from sim.mutation import judge


@pytest.fixture(scope="module")
def table():
    return {entry.name: entry for entry in judge.load_mutations()}


def test_table(table):
    """Every text occurs once (load_mutations sees to it), there are enough, and some go through the Verilog."""
    assert len(table) >= 30 and sum(entry.rtl for entry in table.values()) >= 5
    assert {
        "half-missing",
        "no-255",
        "accumulator-kept",
        "tlast-missing",
        "never-fires",
        "golden-value",
    } <= table.keys()
    for entry in table.values():  # a mistake has to be one that compiles: it uses no name that its file lacks
        if entry.file.endswith((".hpp", ".cpp")):
            names = [
                set(re.findall(r"[A-Za-z_]\w*", text)) for text in (entry.new, (judge.ROOT / entry.file).read_text())
            ]
            assert names[0] <= names[1], f"{entry.name}: {names[0] - names[1]}"
    kernels = {path.name for path in (judge.ROOT / "hls" / "kernels").iterdir()}
    plain = {
        "ram.hpp",
        "types.hpp",
        "answer_command.hpp",
        "conv_shape.hpp",
        "dataflow.hpp",
    }  # no decisions of their own
    assert kernels - plain == {entry.file.split("/")[-1] for entry in table.values() if "kernels" in entry.file}


def test_mistakes_are_noticed_and_harmless_changes_are_not(table):
    harmless = judge.Mutation(
        "harmless", "a comment", "hls/kernels/requantise.hpp", "// Accumulator -> output", "// Accumulator to output"
    )
    names = ["shift-one-more", "chain-order", "error-code-dropped"]
    rows = judge.run_mutations([*(table[name] for name in names), harmless], jobs=2, checks=("csim",))
    assert [row["name"] for row in rows] == [*names, "harmless"]
    assert [row["caught_by"] for row in rows] == ["csim"] * 3 + [judge.HOLE]
    assert "expected" in rows[0]["how"] and "actual" in rows[0]["how"]


def test_a_run_that_was_stopped_goes_on(table, tmp_path, monkeypatch):
    """What was noticed is not judged again, what was not is; other sources begin anew."""
    names, judged = ["half-missing", "no-zero", "no-255"], []

    def verdict(entry, source, limits):
        judged.append(entry.name)
        if entry.name == "no-255" and len(judged) == 3:
            raise KeyboardInterrupt
        return {"name": entry.name, "caught_by": judge.HOLE if entry.name == "no-zero" else "csim"}

    monkeypatch.setattr(judge, "BUILD", tmp_path)
    monkeypatch.setattr(judge, "calibrate", lambda source, checks: dict.fromkeys(checks, 1.0))
    monkeypatch.setattr(judge, "judge", verdict)
    chosen = [table[name] for name in names]
    with pytest.raises(KeyboardInterrupt):
        judge.run_mutations(chosen, checks=("csim",))
    rows = judge.run_mutations(chosen, checks=("csim",))
    assert [row["name"] for row in rows] == names and judged == [*names, "no-zero", "no-255"]
    monkeypatch.setattr(judge, "digest", lambda *content: "other sources")
    judge.run_mutations(chosen[:1], checks=("csim",))
    assert judged[-1] == "half-missing"


def test_a_hole_fails_the_command(monkeypatch, capsys):
    def unnoticed(mutations, jobs, progress):
        rows = [
            {
                "name": entry.name,
                "what": "",
                "file": "",
                "caught_by": judge.HOLE,
                "how": "",
                "rtl": None,
                "seconds": 0.0,
            }
            for entry in mutations
        ]
        progress(rows[0])
        return rows

    monkeypatch.setattr(command_line, "run_mutations", unnoticed)
    with pytest.raises(SystemExit) as failed:
        command_line.main(["--only", "half-missing"], standalone_mode=False)
    assert failed.value.code == 1
    assert "unnoticed: half-missing" in capsys.readouterr().err


def test_what_does_not_compile_is_no_verdict(table, tmp_path):
    broken = dataclasses.replace(table["half-missing"], new="rounded = acc + nothing")
    source = tmp_path / "source"
    source.mkdir()
    judge.copy_project(judge.ROOT, source)
    with pytest.raises(judge.Unusable, match="half-missing: csim gave no verdict"):
        judge.judge(broken, source, {"csim": 600})


@pytest.mark.parametrize(
    "change, words",
    [
        ({"old": "no such text"}, "occurs 0 times"),
        ({"old": "const"}, "times in"),
        ({"file": "hls/missing.hpp"}, "occurs 0 times"),
    ],
)
def test_stale_mutations_are_errors(table, change, words):
    with pytest.raises(judge.Unusable, match=words):
        judge.mutated(dataclasses.replace(table["half-missing"], **change), judge.ROOT)
