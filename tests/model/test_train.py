"""The training command on a tiny network and made-up pictures: exact resume, refusals, divergence."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from model.base.paths import ROOT
from model.graph.description import list_networks

pytest.importorskip("tensorflow", reason="training needs tensorflow")

TINY = """name = "tiny"
[[layers]]
name = "conv1"
k = 5
out_ch = 4
relu = true
[[layers]]
name = "conv2"
k = 3
out_ch = 1
relu = false
"""


# Every kind of layer, and a network at low resolution.
LOW = """name = "{name}"
input = "{kind}"
[[layers]]
name = "conv1"
k = 3
out_ch = 4
activation = "prelu"
[[layers]]
name = "mid1"
k = 3
out_ch = 4
activation = "clip"
cap = 1.0
[[layers]]
name = "back"
k = 1
out_ch = 4
activation = "none"
[[layers]]
name = "sum"
kind = "add"
inputs = ["back", "conv1"]
[[layers]]
name = "residual"
k = 1
out_ch = "{out_ch}"
activation = "none"
[[layers]]
name = "anchor"
kind = "add"
inputs = ["residual", "input"]
[[layers]]
name = "pixels"
kind = "depth_to_space"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    (folder / "tiny.toml").write_text(TINY)
    (folder / "low.toml").write_text(LOW.format(name="low", kind="y", out_ch="upscale^2"))
    (folder / "colour.toml").write_text(LOW.format(name="colour", kind="rgb", out_ch="3*upscale^2"))
    (folder / "pictures").mkdir()
    print("picture seed 7")
    rng = np.random.default_rng(7)
    for i in range(4):
        noise = cv2.GaussianBlur(rng.integers(0, 256, (48, 56, 3), np.uint8), (0, 0), 1.5)
        cv2.imwrite(str(folder / "pictures" / f"{i}.png"), noise)
    return folder


def command(place, *options, steps=300):
    return [
        sys.executable,
        "-m",
        "model.train",
        "--network",
        str(place / "tiny.toml"),
        "--data",
        str(place / "pictures"),
        "--batch",
        "4",
        "--size",
        "12",
        "--steps",
        str(steps),
        "--validate-every",
        "20",
        "--seed",
        "3",
        *map(str, options),
    ]


def environment(place):
    return os.environ | {
        "SRCNN_BUILD": str(place / "build"),
        "SRCNN_DATA": str(place / "nothing"),
        "CUDA_VISIBLE_DEVICES": "",
    }


def run(place, *options, **arguments):
    return run_command(place, command(place, *options, **arguments))


def run_command(place, argv):
    """Run a training's command line in the environment of a place."""
    return subprocess.run(
        argv,
        cwd=ROOT,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def finished(place):
    done = run(place, "--run", "whole", "--out", place / "whole.npz")
    assert done.returncode == 0, done.stderr
    return done


def arrays(path):
    with np.load(path) as archive:
        header = json.loads(str(archive["header"]))
        return {name: archive[name] for name in archive.files if name != "header"}, header[
            "meta"
        ] if "meta" in header else header


def test_seed_provenance_and_history(place, finished):
    assert "seed 3" in finished.stdout and "validation" in finished.stdout
    assert "step/s" in finished.stderr and "300/300" in finished.stderr  # rate and end of the progress bar
    _, meta = arrays(place / "whole.npz")
    assert (
        meta["command"].startswith("python -m model.train --network")
        and "whole" not in meta["command"]
        and meta["seed"] == 3
        and meta["steps"] == 300
    )
    history = json.loads((place / "build/train/whole/history.json").read_text())["history"]
    assert [row["step"] for row in history] == list(range(20, 301, 20))
    assert history[-1]["psnr"] > history[0]["psnr"] and meta["validation_psnr"] == round(
        max(r["psnr"] for r in history), 4
    )
    assert [row["psnr"] for row in meta["history"]] == [
        round(row["psnr"], 4) for row in history
    ]  # the weight file draws its own curve
    assert cv2.imread(str(place / "build/train/whole/history.png")) is not None
    assert "4 pictures are few" in finished.stderr
    card = (place / "whole.md").read_text()
    assert "`whole.npz`" in card and "Not measured." in card and str(place) not in card
    assert f"--weights {place / 'whole.npz'} -o {place / 'whole_int8.npz'}" in finished.stdout


def test_killed_and_resumed_gives_the_same_bits(place, finished):
    options = ("--run", "killed", "--out", place / "killed.npz")
    checkpoint = place / "build/train/killed/checkpoint.npz"
    with open(place / "log", "w") as log:
        process = subprocess.Popen(command(place, *options), cwd=ROOT, env=environment(place), stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (place / "killed.npz").exists()
    resumed = run(place, *options)
    assert resumed.returncode == 0, resumed.stderr
    assert "from step 0 " not in resumed.stdout and "from step" in resumed.stdout
    whole, killed = arrays(place / "whole.npz")[0], arrays(place / "killed.npz")[0]
    assert whole.keys() == killed.keys() and all(np.array_equal(whole[name], killed[name]) for name in whole)
    last, other = (arrays(place / f"build/train/{name}/checkpoint.npz")[0] for name in ("whole", "killed"))
    assert all(np.array_equal(last[name], other[name]) for name in last)  # optimizer state and moving average, too


@pytest.mark.parametrize("name", ["low", "colour"])
def test_networks_at_low_resolution_learn(place, name):
    """Every kind of layer, expanded and with absolute errors; what is exported is what was validated."""
    from model.graph.weights import load_float
    from model.imaging.color import rgb_to_y
    from model.train.keras_model import infer_float
    from model.train.loop import prepare_data

    options = (
        "--network",
        place / f"{name}.toml",
        "--upscale",
        "2",
        "--expand",
        "16",
        "--metric",
        "l1",
        "--ema",
        "0.9",
    )
    done = run(place, *options, "--run", name, "--out", place / f"{name}.npz", steps=120)
    assert done.returncode == 0, done.stderr
    model = load_float(place / f"{name}.npz")
    assert model.network.label == f"{name}_x2" and model.slopes[0].shape == (4,) and model.slopes[1] is None
    assert model.meta["history"][0]["psnr"] < model.meta["validation_psnr"]
    validation = prepare_data(model.meta["config"] | {"network": str(place / f"{name}.toml")})[1]
    values = {"network": [], "repeated": []}
    for low, high in validation.pictures():
        outs = {"network": infer_float(model, low), "repeated": low.repeat(2, 0).repeat(2, 1)}
        for way, out in outs.items():
            out = np.clip(np.round(out), 0, 255).astype(np.uint8)
            error = [(rgb_to_y(x) if x.ndim == 3 else x)[2:-2, 2:-2].astype(float) for x in (out, high)]
            values[way].append(10 * np.log10(255**2 / np.mean((error[0] - error[1]) ** 2)))
    assert abs(np.mean(values["network"]) - model.meta["validation_psnr"]) < 1e-3
    assert np.mean(values["network"]) > np.mean(values["repeated"]) + 0.5


def test_pictures_weigh_where_the_metric_asks_for_it(place, finished):
    """Batches carry the weights, and the loss is theirs: the mean of weight times squared error."""
    from model.graph.weights import load_float
    from model.train.float_training import FloatTraining
    from model.train.loop import prepare_data

    config = load_float(place / "whole.npz").meta["config"] | {"network": str(place / "tiny.toml")}
    assert len(prepare_data(config)[0](0)) == 2
    config["metric"] = "picture"
    data = prepare_data(config)
    low, high, weight = data[0](0)
    assert len(set(weight)) > 1
    training = FloatTraining(config, place / "weighed", data)
    error = np.mean((np.asarray(training.model(low)) - high) ** 2, axis=(1, 2, 3))
    assert float(training.model.train_on_batch(low, high, weight)) == pytest.approx(np.mean(weight * error), rel=1e-4)


def test_interrupted_in_the_background_it_stops(place):
    """A script starts background commands with SIGINT ignored; the training hears it all the same."""
    options = ("--run", "interrupted", "--out", place / "interrupted.npz")
    checkpoint = place / "build/train/interrupted/checkpoint.npz"
    with subprocess.Popen(
        command(place, *options, steps=1_000_000),
        cwd=ROOT,
        env=environment(place),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    ) as process:
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=120)[1]
    assert process.returncode == 130 and "Traceback" not in err
    assert re.search(r"stopped at step \d+; the same command goes on from the last checkpoint\n$", err)
    assert checkpoint.exists() and not (place / "interrupted.npz").exists()


def test_another_configuration_is_refused(place, finished):
    before = (place / "build/train/whole/checkpoint.npz").read_bytes()
    refused = run(place, "--run", "whole", "--lr", "0.5", "--out", place / "other.npz")
    assert refused.returncode == 2 and "started with lr = 0.003, not 0.5" in refused.stderr
    assert "Traceback" not in refused.stderr and not (place / "other.npz").exists()
    assert (place / "build/train/whole/checkpoint.npz").read_bytes() == before


def test_rates_rise_and_fall_in_every_cycle():
    from model.train.loop import WARMUP_STEPS, learning_rate

    rate = learning_rate({"steps": 3000, "cycles": 3, "lr": 1e-2, "lr_end": 1e-4})
    rates = np.array([float(rate(step)) for step in range(0, 3000, 10)]).reshape(3, 100)
    top = WARMUP_STEPS // 10
    np.testing.assert_allclose(rates[:, [0, top, -1]], [[0, 1e-2 / 2**cycle, 1e-4] for cycle in range(3)], atol=5e-6)
    assert (np.diff(rates[:, : top + 1]) > 0).all() and (np.diff(rates[:, top:]) < 0).all()


@pytest.mark.parametrize("every, kept", [(20, "came before the first checkpoint"), (1, "last good checkpoint is kept")])
def test_divergence_stops_and_keeps_the_last_good_checkpoint(place, every, kept):
    stopped = run(
        place, "--run", f"wild{every}", "--lr", "1e25", "--validate-every", every, "--out", place / "wild.npz"
    )
    assert stopped.returncode == 2, stopped.stderr
    message = stopped.stderr.strip().splitlines()[-1]
    assert re.match(r"error: training diverged at step \d+: ", message) and kept in message
    assert "Traceback" not in stopped.stderr and not (place / "wild.npz").exists()
    checkpoint = place / f"build/train/wild{every}/checkpoint.npz"
    assert checkpoint.exists() == ("kept" in kept)
    assert not checkpoint.exists() or all(np.isfinite(value).all() for value in arrays(checkpoint)[0].values())


def test_a_network_with_larger_filters_starts_where_the_small_one_ended(place, finished):
    (place / "wide.toml").write_text(TINY.replace('"tiny"', '"wide"').replace("k = 3", "k = 7"))
    options = (
        "--network",
        place / "wide.toml",
        "--lr",
        "1e-7",
        "--init",
        place / "whole.npz",
        "--size",
        "16",
        "--run",
        "wide",
        "--out",
        place / "wide.npz",
    )
    done = run(place, *options, steps=1)
    assert done.returncode == 0, done.stderr
    whole, wide = arrays(place / "whole.npz")[0], arrays(place / "wide.npz")[0]
    np.testing.assert_allclose(wide["conv2_weight"][:, 2:5, 2:5], whole["conv2_weight"], atol=1e-5)
    outside = wide["conv2_weight"].copy()
    outside[:, 2:5, 2:5] = 0
    assert np.abs(outside).max() < 1e-5 < np.abs(wide["conv2_weight"]).max()
    moved = arrays(place / "build/train/wide/checkpoint.npz")[1]["config"]
    assert moved["init_sha256"] == hashlib.sha256((place / "whole.npz").read_bytes()).hexdigest()
    narrow = run(place, "--init", place / "wide.npz", "--run", "narrow", "--out", place / "narrow.npz", steps=1)
    assert narrow.returncode == 2 and "no larger filters" in narrow.stderr and not (place / "narrow.npz").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (("--size", "6"), "at least 7"),
        (("--steps", "3", "--epochs", "2"), "one of them"),
        (("--rescales", "1,2"), "(0, 1]"),
        (("--out", "."), "ends in .npz"),
        (("--init", "absent.npz"), "no weight file"),
        (("--network", "srcnn999"), list_networks()[0]),
        (("--data", "absent"), "folder of pictures"),
    ],
)
def test_bad_options(place, options, message):
    """Refused before the first step, with nothing written."""
    from click.testing import CliRunner

    from model.train.__main__ import main

    result = CliRunner().invoke(main, command(place, *options)[3:] if "--epochs" not in options else list(options))
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.output
