"""The fine-tuning command on a tiny network and made-up pictures: better than quantised alone, exact resume,
refusals.
"""

import dataclasses
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from model.base.paths import ROOT
from model.graph.weights import load_float, load_quant, save_float
from model.quantise import search
from tests.model.test_train import arrays, environment, place, run_command  # noqa: F401  (place is a fixture)
from tests.model.test_train import run as train

pytest.importorskip("tensorflow", reason="fine-tuning needs tensorflow")


@pytest.fixture(scope="module")
def trained(place):  # noqa: F811
    """Float weights of the tiny network."""
    done = train(place, "--run", "float", "--out", place / "float.npz", steps=200)
    assert done.returncode == 0, done.stderr
    return place


def command(place, *options, steps=120):  # noqa: F811
    return [
        sys.executable,
        "-m",
        "model.train.finetune",
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
        "--lr",
        "0.3",
        "--ema",
        "0.9",
        "--weights",
        str(place / "float.npz"),
        *map(str, options),
    ]


def run(place, *options, **arguments):  # noqa: F811
    return run_command(place, command(place, *options, **arguments))


@pytest.fixture(scope="module")
def finished(trained):
    done = run(trained, "--run", "whole_int8", "--out", trained / "whole_int8.npz")
    assert done.returncode == 0, done.stderr
    return done


def test_never_worse_than_quantised_alone_and_says_so(trained, finished):
    model = load_quant(trained / "whole_int8.npz")
    tuned = model.meta["fine_tuning"]
    assert tuned["validation_psnr"] > tuned["validation_psnr_before"]  # 5 x 5 x 4 weights of made-up pictures have room
    assert f"{tuned['validation_psnr_before']:.3f} before" in finished.stdout and "120/120" in finished.stderr
    assert tuned["steps"] == 120 and [row["step"] for row in tuned["history"]] == list(range(20, 121, 20))
    assert model.meta["calibration_set"] == str(trained / "pictures") and model.meta["command"].startswith(
        "python -m model.train.finetune"
    )


def test_what_is_exported_is_what_was_validated(trained, finished):
    """The file's integers, run by the golden model on the held-out pictures, give the recorded PSNR."""
    from model.integer import golden
    from model.train.loop import prepare_data

    model = load_quant(trained / "whole_int8.npz")
    tuned = model.meta["fine_tuning"]
    validation = prepare_data(tuned["config"] | {"network": str(trained / "tiny.toml")})[1]
    values = []
    for low, high in validation.pictures():
        error = golden.infer(model, low)[3:-3, 3:-3].astype(float) - high[3:-3, 3:-3]
        values.append(10 * np.log10(255**2 / np.mean(error**2)))
    assert round(float(np.mean(values)), 4) == tuned["validation_psnr"]


def test_killed_and_resumed_gives_the_same_bits(trained, finished):
    options = ("--run", "killed_int8", "--out", trained / "killed_int8.npz")
    checkpoint = trained / "build/train/killed_int8/checkpoint.npz"
    with open(trained / "log", "w") as log:
        process = subprocess.Popen(
            command(trained, *options), cwd=ROOT, env=environment(trained), stdout=log, stderr=log
        )
        deadline = time.monotonic() + 120
        while not checkpoint.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    resumed = run(trained, *options)
    assert resumed.returncode == 0, resumed.stderr
    assert "from step 0 " not in resumed.stdout and "from step" in resumed.stdout
    whole, killed = (load_quant(trained / f"{name}_int8.npz") for name in ("whole", "killed"))
    for q, p in zip(whole.layers, killed.layers):
        assert all(np.array_equal(getattr(q, part), getattr(p, part)) for part in ("weight", "bias", "shift"))
    last, other = (arrays(trained / f"build/train/{name}_int8/checkpoint.npz")[0] for name in ("whole", "killed"))
    assert all(np.array_equal(last[name], other[name]) for name in last)


def test_every_kind_of_layer_is_quantised_and_tuned(place):  # noqa: F811
    """A network at low resolution: what is exported is what the golden model was measured with, and no worse."""
    from model.integer import golden
    from model.train.loop import prepare_data

    options = ("--network", place / "low.toml", "--upscale", "2")
    done = train(place, *options, "--ema", "0.9", "--run", "low_float", "--out", place / "low_float.npz", steps=60)
    assert done.returncode == 0, done.stderr
    options += ("--weights", place / "low_float.npz", "--run", "low_int8", "--out", place / "low_int8.npz")
    done = run(place, *options, "--lr", "0.05", "--ema", "0", steps=40)
    assert done.returncode == 0, done.stderr
    model = load_quant(place / "low_int8.npz")
    tuned = model.meta["fine_tuning"]
    assert model.layers[0].slope is not None and model.layers[1].slope is None and model.network.scale == 2
    assert tuned["validation_psnr"] >= tuned["validation_psnr_before"] and tuned["steps"] == 40
    validation = prepare_data(tuned["config"] | {"network": str(place / "low.toml")})[1]
    values = []
    for low, high in validation.pictures():
        error = golden.infer(model, low)[2:-2, 2:-2].astype(float) - high[2:-2, 2:-2]
        values.append(10 * np.log10(255**2 / np.mean(error**2)))
    assert round(float(np.mean(values)), 4) == tuned["validation_psnr"]


def test_divergence_stops_with_the_step(trained):
    """Found at a validation, since saturation keeps the loss finite: the step is named, the checkpoint before it
    kept.
    """
    stopped = run(
        trained, "--run", "wild_int8", "--lr", "1e38", "--validate-every", 1, "--out", trained / "wild_int8.npz"
    )
    assert stopped.returncode == 2 and "training diverged at step" in stopped.stderr, stopped.stderr[-2000:]
    assert "Traceback" not in stopped.stderr and not (trained / "wild_int8.npz").exists()
    checkpoint = trained / "build/train/wild_int8/checkpoint.npz"
    assert not checkpoint.exists() or all(np.isfinite(value).all() for value in arrays(checkpoint)[0].values())


def test_a_device_whose_convolutions_round_is_refused(trained, monkeypatch):
    """TF32 and Winograd are near misses; the golden model is not."""
    from model.train import finetune, keras_integer

    exact = keras_integer.infer_valid
    monkeypatch.setattr(keras_integer, "infer_valid", lambda *arguments: exact(*arguments) ^ np.uint8(1))
    monkeypatch.setenv("SRCNN_DATA", str(trained / "nothing"))
    result = CliRunner().invoke(
        finetune.main, command(trained, "--run", "inexact", "--out", trained / "inexact.npz")[3:]
    )
    assert result.exit_code == 2 and "not exact" in result.stderr and "CUDA_VISIBLE_DEVICES=" in result.stderr
    assert not (trained / "inexact.npz").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (("--size", "6"), "at least 7"),
        (("--out", "."), "ends in .npz"),
        (("--weights", "absent.npz"), "no weight file"),
        (("--upscale", "2"), "trained for x3, not for x2"),
        (("--data", "absent"), "folder of pictures"),
    ],
)
def test_bad_options(trained, options, message):
    from model.train import finetune

    result = CliRunner().invoke(finetune.main, command(trained, *options)[3:])
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.output


def test_without_gain_what_quantisation_gave_is_kept(trained):
    """A rate that moves nothing: step 0 is exported, the very integers of `quantise`; the float weights are only
    read.
    """
    before = (trained / "float.npz").read_bytes()
    done = run(trained, "--run", "still", "--lr", "1e-9", "--lr-end", "1e-9", "--out", trained / "still.npz", steps=20)
    assert done.returncode == 0, done.stderr
    model = load_quant(trained / "still.npz")
    tuned = model.meta["fine_tuning"]
    assert tuned["best_step"] == 0 and tuned["validation_psnr"] == tuned["validation_psnr_before"]
    pictures = search.calibration_pictures(3, "standard", str(trained / "pictures"))[0]
    exact = search.quantise(load_float(trained / "float.npz", str(trained / "tiny.toml")), pictures)[0]
    for q, p in zip(model.layers, exact.layers):
        assert all(np.array_equal(getattr(q, part), getattr(p, part)) for part in ("weight", "bias", "shift"))
    assert (trained / "float.npz").read_bytes() == before


def test_resumption_with_other_float_weights_is_refused(trained, finished):
    other = load_float(trained / "float.npz")
    save_float(dataclasses.replace(other, biases=tuple(bias + 0.01 for bias in other.biases)), trained / "other.npz")
    refused = run(trained, "--run", "whole_int8", "--weights", trained / "other.npz", "--out", trained / "x_int8.npz")
    assert (
        refused.returncode == 2
        and "was started with float_sha256" in refused.stderr
        and not (trained / "x_int8.npz").exists()
    )
