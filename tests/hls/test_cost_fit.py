"""The command that holds the cost model against Yosys' figures."""

import json

import pytest
from click.testing import CliRunner

from hls.design import cost
from hls.report import cost_fit


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(cost_fit, "BUILD", tmp_path)
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(cost_fit.main, arguments)
    return result.exit_code, result.output


def test_the_coefficients_are_those_that_fit_the_figures():
    pytest.importorskip("scipy", reason="the fit needs scipy (make setup)")
    code, output = run("fit")
    assert code == 0
    fitted = {name: json.loads(values) for name, values in (line.split(" = ") for line in output.splitlines())}
    for name, now in (("LUT", cost.LUT), ("FF", cost.FF)):
        assert set(fitted[name]) == set(now) and fitted[name] == pytest.approx(now, abs=0.002), name


def test_every_figure_is_compared_with_the_model():
    code, output = run("check")
    rows = [line.split() for line in output.splitlines()[2:]]
    assert code == 0 and len([row for row in rows if "total" not in row]) == len(cost_fit.recorded())


def test_a_report_is_recorded_in_place_of_the_one_before(build, tmp_path, monkeypatch):
    code, output = run("record")
    assert code == 2 and "run `make synth BOARD=pynq_z2 NETWORK=srcnn915` first" in output
    before = cost_fit.recorded()
    monkeypatch.setattr(cost_fit, "FIGURES", tmp_path / "figures.json")
    others = [figure for figure in before if (figure["board"], figure["network"]) != ("pynq_z2", "srcnn915")]
    (tmp_path / "figures.json").write_text(json.dumps(before))
    row = {"network": "srcnn915", "upscale": None, **dict.fromkeys(cost_fit.RESOURCES, 7)}
    (build / "reports").mkdir()
    (build / "reports" / "synth_pynq_z2.json").write_text(
        json.dumps([row | {"stage": stage} for stage in ("parser", "conv1", "total")])
    )
    code, output = run("record")
    assert code == 0 and f"figures.json holds {len(others) + 2} figures" in output
    kept = cost_fit.recorded()
    assert kept[:-2] == others and [(figure["stage"], figure["lut"]) for figure in kept[-2:]] == [
        ("parser", 7),
        ("conv1", 7),
    ]
