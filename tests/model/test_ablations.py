"""The ablations: what is committed is what is shown, runs are what they say, an interrupted command goes on."""

import subprocess

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from model.base.errors import UserError
from model.graph.weights import FloatModel, save_float
from model.quality import charts, pages
from model.train import ablation_results, ablations, float_training, recipes
from model.train.__main__ import _parse_rescales
from model.train.__main__ import main as train
from tests.random_models import random_float_model

STORED = ablation_results.load()


def test_committed_page_and_figure_are_of_the_committed_rows():
    text = ablation_results.PAGE.read_text()
    assert text == pages.replace_region(text, "ablations", ablation_results.summary(STORED)), (
        "run `make ablations ARGS=--update-docs`"
    )
    assert charts.digest(STORED) in (charts.IMAGES / ablation_results.FIGURE).read_text(), (
        "run `make ablations ARGS=--update-docs`"
    )


def test_committed_rows_are_of_the_runs_as_they_are_now():
    assert STORED["base"] == ablations.BASE
    shown = list(dict.fromkeys((row["run"], row["topic"], row["label"]) for row in STORED["rows"]))
    done = [run for run in ablations.RUNS if f"{run.topic}: {run.label}" not in STORED["missing"]]
    assert shown == [(run.name, run.topic, run.label) for run in done] and len(done) + len(STORED["missing"]) == len(
        ablations.RUNS
    )
    for run in done:
        ways = {"product", "as trained"} if run.config["padding"] == "same" else {"product"}
        assert {row["inference"] for row in STORED["rows"] if row["run"] == run.name} == ways
    assert all(STORED["curves"][run.name][-1][0] == run.config["steps"] for run in done)


@pytest.mark.parametrize("run", ablations.RUNS, ids=lambda run: run.name)
def test_the_training_command_takes_every_option(run):
    module, *arguments = run.command
    parsed = train.make_context("train", arguments).params
    parsed["rescales"] = _parse_rescales(parsed["rescales"])
    for name, value in run.config.items():
        assert type(value)(parsed[name]) == value, name
    assert parsed["run_name"] == run.folder and parsed["out"] == str(run.weights)
    assert module == "model.train" and parsed["plain"] == run.plain
    assert set(ablations.BASE) >= set(parsed) - {"epochs", "data", "init", "run_name", "restart", "out", "plain"}, (
        "an option without a value in BASE"
    )


def test_base_is_the_recipe_but_for_its_length():
    defaults = {option.name: option.default for option in train.params} | recipes.load_recipe("train", "srcnn915", 3)
    for name in ("lr", "lr_end", "cycles", "size", "padding", "patches", "metric", "augment", "degradation"):
        assert ablations.BASE[name] == defaults[name], name
    assert ablations.BASE["rescales"] == recipes.load_recipe("train", "srcnn915", 3)["rescales"]


def test_every_run_differs_in_one_thing_and_has_a_folder_of_its_own():
    for run in ablations.RUNS:
        assert len(run.changes) + run.plain == (run.name != "base"), run.name
        assert all(ablations.BASE[name] != value for name, value in run.changes.items())
    assert len({run.folder for run in ablations.RUNS}) == len(ablations.RUNS)
    assert ablations.Run("base", "", "", {"lr": 1.0}).folder != ablations.RUNS[0].folder


# chance


def rows_of(base, others=()):
    rows = [{"run": f"s{i}", "topic": "base", "set5": value, "set14": value} for i, value in enumerate(base)]
    return rows + [
        {"run": f"o{i}", "topic": "other", "set5": value, "set14": base[0]} for i, value in enumerate(others)
    ]


def test_chance_is_student_s():
    mean, deviation, limit = ablation_results.chance(rows_of([31.0, 32.0, 33.0]), "set5")
    assert (mean, deviation) == (32.0, 1.0) and limit == pytest.approx(4.3027 * (4 / 3) ** 0.5, rel=1e-4)
    assert ablation_results.chance(rows_of([31.0]), "set5") == (31.0, np.inf, np.inf)
    assert ablation_results.compared(rows_of([31.0], [99.0]))[-1]["counts"] == "not known"
    with pytest.raises(UserError, match="base, which is not trained"):
        ablation_results.chance([], "set5")


def test_only_what_is_beyond_chance_counts():
    counts = [row["counts"] for row in ablation_results.compared(rows_of([31.0, 32.0, 33.0], [32.0, 36.9, 37.1, 26.0]))]
    assert counts == ["", "", "", "no", "no", "Set5", "Set5"]


# training


def finished(run):
    run.weights.parent.mkdir(parents=True, exist_ok=True)
    run.weights.touch()


@pytest.fixture
def trainings(monkeypatch, tmp_path):
    """Stands in for trainings: records which are started; its first item is how many succeed before Ctrl-C."""
    monkeypatch.setattr(ablations, "BUILD", tmp_path)
    monkeypatch.setattr(ablations, "RUNS", ablations.RUNS[:4])
    started = [2]

    def measure(runs, progress=None):
        raise UserError(f"would measure {', '.join(run.name for run in runs)}")

    monkeypatch.setattr(ablation_results, "measure", measure)

    def run(command, cwd):
        ours = next(r for r in ablations.RUNS if str(r.weights) in command)
        started.append(ours.name)
        if started[0] == 0:
            return subprocess.CompletedProcess(command, 130)
        started[0] -= 1
        finished(ours)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(ablations.subprocess, "run", run)
    return started


def test_interrupted_command_goes_on_and_reuses(trainings):
    result = CliRunner().invoke(ablations.main)
    assert result.exit_code == 130 and "the same command goes on" in result.output, result.output
    assert trainings[1:] == ["base", "seed2", "seed3"]
    trainings[:] = [9]
    result = CliRunner().invoke(ablations.main)
    assert trainings[1:] == ["seed3", "same"] and "would measure base, seed2, seed3, same" in result.output


def test_a_training_that_fails_does_not_stop_the_others(trainings, monkeypatch):
    stands_in = ablations.subprocess.run
    monkeypatch.setattr(
        ablations.subprocess,
        "run",
        lambda command, cwd: (
            subprocess.CompletedProcess(command, 2)
            if str(ablations.RUNS[1].weights) in command
            else stands_in(command, cwd)
        ),
    )
    monkeypatch.setattr(ablation_results, "measure", lambda runs, progress=None: [])
    monkeypatch.setattr(ablations.Run, "history", lambda run: [])
    for name in ("summary", "compared", "draw"):
        monkeypatch.setattr(ablation_results, name, lambda *arguments: [])
    monkeypatch.setattr(ablations.report, "BUILD", ablations.BUILD)
    trainings[0] = 9
    result = CliRunner().invoke(ablations.main)
    assert trainings[1:] == ["base", "seed3", "same"]
    assert result.exit_code == 2 and "error: the training of seed2 failed, see above" in result.output, result.output


def test_what_is_not_trained_is_said_to_be_missing(trainings, monkeypatch, tmp_path):
    rows = [
        dict.fromkeys(("set5", "set5_border", "set14", "set14_border", "validation"), 31.5)
        | {"run": run.name, "topic": run.topic, "label": run.label, "inference": "product"}
        for run in ablations.RUNS[:2]
    ]
    monkeypatch.setattr(ablation_results, "measure", lambda runs, progress=None: rows)
    monkeypatch.setattr(ablations.Run, "history", lambda run: [[500, 30.0], [1000, 31.0]])
    monkeypatch.setattr(ablations.report, "BUILD", tmp_path)
    monkeypatch.setattr(ablation_results, "update", lambda stored: pytest.fail("not asked for"))
    result = CliRunner().invoke(ablations.main, ["--report-only"])
    assert result.exit_code == 2 and "the base, which is not trained" in result.output, result.output
    for run in ablations.RUNS[:2]:
        finished(run)
    result = CliRunner().invoke(ablations.main, ["--report-only"])
    assert result.exit_code == 0, result.output
    assert "| base | seed 1 |" in result.output and "The base with 2 seeds: Set5 31.500 dB" in result.output
    assert "Not trained yet: base: seed 3; convolutions: same instead of valid." in result.output
    assert (tmp_path / "reports" / "ablations.json").is_file() and (tmp_path / "figures" / "ablations.svg").is_file()
    assert trainings == [2], "nothing is trained"


# networks


def small_model(seed=0):
    from model.graph.kinds import Conv
    from model.graph.network import Network

    layers = (Conv("conv1", 5, 1, 4, "relu"), Conv("conv2", 3, 4, 1, "none"))
    return random_float_model(Network("small", layers), seed, spread=0.2)


def padded_by_hand(model, y):
    """Mid-grey around the picture, zeros around the features: plain loops over taps, float64."""
    x, outside = y[:, :, None] / 255.0, 0.5
    for layer, weight, bias in zip(model.network.layers, model.weights, model.biases):
        reach = layer.k // 2
        wide = np.pad(x, ((reach, reach), (reach, reach), (0, 0)), constant_values=outside)
        out = (
            sum(
                wide[i : i + y.shape[0], j : j + y.shape[1]] @ weight[:, i, j].T
                for i in range(layer.k)
                for j in range(layer.k)
            )
            + bias
        )
        x, outside = np.maximum(out, 0) if layer.relu else out, 0.0
    return x[:, :, 0] * 255


def test_same_networks_are_run_as_trained_and_as_the_product_does():
    model = small_model()
    y = np.random.default_rng(1).integers(0, 256, (20, 24)).astype(np.uint8)
    trained, product = ablation_results.AsTrained(model)(y), ablation_results.AsProduct(model)(y)
    assert np.abs(trained - padded_by_hand(model, y)).max() < 1e-2
    halo = model.network.halo
    inside = (slice(halo, -halo),) * 2
    assert np.abs((trained - product)[inside]).max() < 1e-2 < np.abs(trained - product).max()


def test_quality_looks_at_inside_and_border_apart():
    from model.quality.protocols import prepare

    rng = np.random.default_rng(2)
    case = prepare(cv2.GaussianBlur(rng.integers(0, 256, (48, 48)).astype(np.float32), (0, 0), 2).astype(np.uint8), 3)

    def wrong_border(y):
        out = case.truth.astype(np.float32) + 1
        out[:3] += 50  # outside what the protocol compares
        return out

    found = ablation_results.quality(wrong_border, {"Set5": [case]}, halo=6)
    assert found["set5"] == pytest.approx(10 * np.log10(255**2), abs=0.01) and found["set5_border"] < 30


def test_the_plain_training_has_no_whitening(tmp_path, monkeypatch):
    from model.data.datasets import Patches, load_pairs
    from model.train import keras_model

    monkeypatch.setattr("model.data.datasets.BUILD", tmp_path)
    cv2.imwrite(
        str(tmp_path / "p.png"),
        cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, (40, 40, 3), np.uint8), (0, 0), 2),
    )
    pairs = load_pairs([tmp_path / "p.png"], 3)
    whitening = {}
    for name in ("whitened", "plain"):
        config = ablations.BASE | {"init": ""} | ({"plain": True} if name == "plain" else {})
        training = float_training.FloatTraining(config, tmp_path, (Patches(pairs, 33, 6, batch=2), pairs, []))
        layer = next(layer for layer in training.model.layers if hasattr(layer, "whitening"))
        whitening[name] = keras_model.keras.ops.convert_to_numpy(layer.whitening)
    assert np.array_equal(whitening["plain"], np.eye(81)) and not np.allclose(whitening["whitened"], np.eye(81))


def test_rows_are_measured_from_weight_files(tmp_path, monkeypatch):
    from model.graph.description import load_network
    from model.train.keras_trainable import initial_weights

    monkeypatch.setattr(ablations, "BUILD", tmp_path)
    monkeypatch.setattr(ablation_results, "dataset_files", lambda name: [tmp_path / "p.png"])
    cv2.imwrite(
        str(tmp_path / "p.png"),
        cv2.GaussianBlur(np.random.default_rng(4).integers(0, 256, (40, 40, 3), np.uint8), (0, 0), 2),
    )
    run, network = ablations.Run("same", "convolutions", "same", {"padding": "same"}), load_network("srcnn915")
    meta = {"seconds": 5, "best_step": 7, "validation_psnr": 30.0}
    save_float(FloatModel(network, 3, *initial_weights(network, 0)[:2], meta), run.weights)
    rows = ablation_results.measure([run])
    assert [row["inference"] for row in rows] == ["product", "as trained"] and rows[0]["best_step"] == 7
    assert rows[0]["set5"] == rows[0]["set14"] and rows[0]["set5_border"] != rows[1]["set5_border"]
