"""Quantisation: every stage against its definition, whole networks against the float network, bad input."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from model.base import report
from model.base.errors import UserError
from model.graph.description import list_networks, load_network
from model.graph.formats import MAX_SHIFT
from model.graph.kinds import Conv
from model.graph.network import Network
from model.graph.weights import FloatModel, load_float, load_quant, save_float, weight_path
from model.integer import floating, golden
from model.quantise import __main__ as command_line
from model.quantise import channels as quantise_channels
from model.quantise import convolution, data, linear, search
from model.quantise import layer as quantise_layer

SEEDS = st.integers(0, 2**32 - 1)


def picture(seed, side=70):
    """A smooth random picture with edges, uint8."""
    rng = np.random.default_rng(seed)
    wave = sum(
        rng.normal() * np.sin(np.outer(np.arange(side), rng.normal(0, 0.2)) + rng.normal(0, 0.2) * np.arange(side))
        for _ in range(8)
    )
    return np.clip(128 + 30 * wave + 60 * (wave > 1), 0, 255).astype(np.uint8)


def float_model(network, seed=0):
    """Random weights with what trained ones have: the picture in one strong channel, dead channels, weak ones."""
    rng = np.random.default_rng(seed)
    weights, biases = [], []
    for layer in network.layers:
        weight = rng.normal(0, 0.35 / np.sqrt(layer.taps), layer.weight_shape)
        weight[0] *= 0.05
        weight[0, layer.k // 2, layer.k // 2, 0] = 0.9
        bias = rng.normal(0, 0.02, layer.out_ch)
        if layer.out_ch > 8:
            weight[3:6], bias[3:6] = 0, -0.1
        weights.append(weight.astype(np.float32))
        biases.append(bias.astype(np.float32))
    return FloatModel(network, 3, tuple(weights), tuple(biases))


SMALL = Network(
    "small", (Conv("conv1", 5, 1, 12, "relu"), Conv("conv2", 1, 12, 10, "relu"), Conv("conv3", 3, 10, 1, "none"))
)


@pytest.fixture
def few_crops(monkeypatch):
    monkeypatch.setattr(data, "CROPS", 12)
    monkeypatch.setattr(data, "CROP", 32)


def rms_error(model, quantised, y):
    """Root mean square of golden - float, in grey levels."""
    reference = floating.infer(model, golden.pad(y, model.network.halo))
    return float(np.sqrt(np.mean((golden.infer(quantised, y, 1) - np.clip(reference, 0, 255)) ** 2)))


def problem(rng, taps, filters):
    """Correlated inputs and real filters in integer units."""
    x = rng.normal(size=(200, taps)) @ rng.normal(size=(taps, taps)) + rng.normal(size=(200, 1)) * 5
    return quantise_layer.Inputs(200, x.mean(0), np.cov(x.T)), rng.uniform(-100, 100, (filters, taps))


def squared_error(rounded, filters, inputs):
    """Mean squared output error of rounded filters, in units of the integer accumulator."""
    return np.einsum("nk,kl,nl->n", rounded - filters, inputs.damped, rounded - filters)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS, st.integers(2, 30))
def test_feedback_and_polish_beat_plain_rounding(seed, taps):
    inputs, filters = problem(np.random.default_rng(seed), taps, 8)
    plain = squared_error(np.rint(filters), filters, inputs)
    rounded, error = quantise_layer.round_with_feedback(filters, inputs)
    polished = quantise_layer.polish(rounded, filters, inputs)
    with_feedback, best = (squared_error(w, filters, inputs) for w in (rounded, polished))
    assert error == pytest.approx(with_feedback, rel=1e-9, abs=1e-9)
    assert (best <= with_feedback + 1e-9).all()
    assert best.sum() <= plain.sum() + 1e-9
    for w in (rounded, polished):
        assert np.array_equal(w, np.rint(w)) and w.min() >= -128 and w.max() <= 127
    # no single move by one is left that helps
    for i in range(taps):
        for step in (-1, 1):
            moved = polished.copy()
            moved[:, i] += step
            allowed = np.abs(moved[:, i] + 0.5) <= 127.5
            assert (squared_error(moved, filters, inputs)[allowed] >= best[allowed] * (1 - 1e-6) - 1e-9).all()


def test_feedback_is_the_same_in_blocks(monkeypatch):
    """Against GPTQ's own form: errors passed on by the Cholesky factor of the inverse."""
    inputs, filters = problem(np.random.default_rng(1), 50, 5)
    order = inputs.elimination[0]
    factor = np.linalg.cholesky(np.linalg.inv(inputs.damped[np.ix_(order, order)])).T
    free = filters[:, order].copy()
    for i in range(50):
        value = np.clip(np.rint(free[:, i]), -128, 127)
        free[:, i + 1 :] -= ((free[:, i] - value) / factor[i, i])[:, None] * factor[i, i + 1 :]
        free[:, i] = value
    for block in (7, 64):
        monkeypatch.setattr(linear, "BLOCK", block)
        assert np.array_equal(quantise_layer.round_with_feedback(filters, inputs)[0][:, order], free)


def test_filters_beyond_int8_are_clipped():
    inputs, filters = problem(np.random.default_rng(5), 9, 4)
    filters[:, 2] = 150
    rounded = quantise_layer.polish(quantise_layer.round_with_feedback(filters, inputs)[0], filters, inputs)
    assert rounded.max() <= 127
    clipped = squared_error(np.clip(np.rint(filters), -128, 127), filters, inputs)
    assert squared_error(rounded, filters, inputs).sum() < clipped.sum()


def test_least_squares_finds_the_filter_behind_the_samples():
    rng = np.random.default_rng(2)
    layer = Conv("conv", 3, 2, 1, "relu")
    stored = rng.integers(0, 256, (4, 20, 20, 2)).astype(np.uint8)
    true, bias = rng.normal(0, 0.01, 18), 0.7
    target = np.stack([(floating.windows(x, 3) @ true + bias).reshape(18, 18, 1) for x in stored]).astype(np.float32)
    for cap in (np.inf, 1.0):
        (fit,) = data.gather_fits(layer, stored, target, np.array([cap]), np.array([data.OUTSIDE_WEIGHT]))
        inside = ((target > 0) & (target < cap)).sum()
        assert fit.inputs.samples == pytest.approx(inside + data.OUTSIDE_WEIGHT * (target.size - inside), rel=1e-6)
        found = fit.solve(np.zeros((1, 18)))
        assert found[0] == pytest.approx(true, abs=5e-5)
        assert fit.bias(true[None])[0] == pytest.approx(bias, abs=1e-4)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(SEEDS)
def test_parts_of_a_channel_add_up_to_it(seed):
    rng = np.random.default_rng(seed)
    channels = 6
    largest = rng.uniform(0.1, 2, channels) * (rng.random(channels) > 0.3)
    plan = quantise_channels.plan_parts(largest, rng.uniform(0, 5, channels), rng.uniform(0, 1e-5, channels))
    assert len(plan) == channels
    z = rng.uniform(-1, 1, 50)[:, None] * largest
    for channel in {part.source for part in plan}:
        total = sum(np.clip(z[:, channel] - part.low, 0, part.cap) for part in plan if part.source == channel)
        assert total == pytest.approx(np.maximum(z[:, channel], 0), abs=1e-12)


def test_a_strong_channel_takes_the_place_of_a_dead_one():
    plan = quantise_channels.plan_parts(np.array([1.0, 0.0, 0.5]), np.array([1.0, 1.0, 0.001]), np.ones(3))
    assert [part.source for part in plan] == [0, 0, 2]
    assert [part.cap for part in plan[:2]] == [0.5, np.inf] and [part.low for part in plan[:2]] == [0, 0.5]


def test_the_loss_without_a_channel_is_what_least_squares_leaves():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4000, 18)) @ rng.normal(size=(18, 18)) + rng.normal(size=(4000, 1)) * 3
    x -= x.mean(0)
    filters, gain = rng.normal(size=(2, 3, 3, 2)), np.array([2.0, 0.5])
    found = quantise_channels.losses_without_channel(x.T @ x / 4000, filters, gain)
    for channel in range(2):
        kept = [tap for tap in range(18) if tap % 2 != channel]
        wanted = x @ filters.reshape(2, 18).T
        left = wanted - x[:, kept] @ np.linalg.lstsq(x[:, kept], wanted, rcond=None)[0]
        assert found[channel] == pytest.approx((gain * (left**2).mean(0)).sum(), rel=1e-3)


def test_quantised_network_follows_the_float_one(few_crops):
    model = float_model(SMALL)
    quantised, rows = search.quantise(model, [picture(seed) for seed in range(6)])
    assert rms_error(model, quantised, picture(99)) < 0.4  # rounding the output alone makes 0.29
    assert rows[0]["split"] >= 3, "the dead channels' places were not used"
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "conv3"]
    for row in rows:
        assert row["shift_max"] <= MAX_SHIFT and row["worst_accumulator"] <= row["acc_limit"]


def test_splitting_pays(few_crops, monkeypatch):
    model, pictures = float_model(SMALL), [picture(seed) for seed in range(6)]
    split = rms_error(model, search.quantise(model, pictures)[0], picture(99))
    monkeypatch.setattr(search, "plan_parts", lambda *_: quantise_channels.whole_channels(SMALL.layers[0])[: len(_[0])])
    assert split < rms_error(model, search.quantise(model, pictures)[0], picture(99))


def test_the_same_weights_on_every_run(few_crops):
    pictures = [picture(seed) for seed in range(3)]
    first, second = (search.quantise(float_model(SMALL), pictures)[0] for _ in range(2))
    for a, b in zip(first.layers, second.layers):
        assert (
            np.array_equal(a.weight, b.weight) and np.array_equal(a.bias, b.bias) and np.array_equal(a.shift, b.shift)
        )


@pytest.mark.parametrize("name", list_networks("upscaled"))
def test_all_described_networks(name, monkeypatch):
    monkeypatch.setattr(data, "CROPS", 2)
    monkeypatch.setattr(data, "CROP", 40)
    monkeypatch.setattr(quantise_layer, "_POLISH_STEPS", 20)
    monkeypatch.setattr(convolution, "STEP_FACTORS", np.ones(1))
    model = float_model(load_network(name))
    quantised, _ = search.quantise(model, [picture(0), picture(1)])
    assert rms_error(model, quantised, picture(0)) < 3


def test_dead_and_constant_channels(few_crops):
    model = float_model(SMALL)
    weights, biases = list(model.weights), list(model.biases)
    weights[0][7], biases[0][7] = 0, 0.25  # constant, but not dead
    model = FloatModel(SMALL, 3, tuple(weights), tuple(biases))
    quantised, _ = search.quantise(model, [np.full((40, 40), 0, np.uint8), picture(0)])
    assert rms_error(model, quantised, picture(1)) < 2
    search.quantise(model, [np.zeros((20, 20), np.uint8)])  # nothing to learn from, but no crash


def test_bad_input(few_crops):
    model = float_model(SMALL)
    with pytest.raises(UserError, match="at least one calibration picture"):
        search.quantise(model, [])
    linear = Network("linear", (Conv("conv1", 3, 1, 2, "none"), Conv("conv2", 1, 2, 1, "none")))
    with pytest.raises(UserError, match="conv1 has no ReLU"):
        search.quantise(float_model(linear), [picture(0)])


@pytest.fixture
def command(few_crops, monkeypatch, tmp_path):
    monkeypatch.setattr(report, "BUILD", tmp_path)
    monkeypatch.setattr(
        command_line, "calibration_pictures", lambda *_, **__: ([picture(0), picture(1)], [tmp_path / "a.png"])
    )
    return lambda *arguments: CliRunner().invoke(command_line.main, [str(a) for a in arguments])


def test_command_line(command, tmp_path, monkeypatch):
    monkeypatch.setattr(convolution, "STEP_FACTORS", np.ones(1))
    save_float(float_model(load_network("srcnn915")), tmp_path / "f.npz")
    result = command("--weights", tmp_path / "f.npz", "-o", tmp_path / "q.npz")
    assert result.exit_code == 0, result.output
    quantised = load_quant(tmp_path / "q.npz", "srcnn915")
    assert quantised.meta["calibration_files"] == ["a.png"] and len(quantised.meta["float_sha256"]) == 64
    rows = json.loads((tmp_path / "reports" / "quantise_srcnn915_x3.json").read_text())
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "conv3"] and rows[0]["saturated"] >= 0


def test_provenance_gives_the_options_that_matter(tmp_path):
    (tmp_path / "f.npz").write_bytes(b"weights")
    config = {"network": "abpn8m2", "upscale": 2, "degradation": "standard", "data": ""}
    commands = [
        search.provenance(config | more, tmp_path / "f.npz", [], seed)["command"]
        for more, seed in (({}, 0), ({"data": "T91+BSDS399"}, 0), ({"degradation": "opencv"}, 4))
    ]
    plain = "python -m model.quantise --network abpn8m2 --upscale 2"
    assert commands == [plain, f"{plain} --data T91+BSDS399", f"{plain} --degradation opencv --seed 4"]


def test_command_line_refuses(command, tmp_path):
    save_float(float_model(load_network("srcnn915")), tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz") as stored:
        arrays = dict(stored)
    arrays["conv2_bias"][3] = np.nan
    np.savez(tmp_path / "nan.npz", **arrays)
    (tmp_path / "no.npz").write_bytes(b"no archive")
    for arguments, words in [
        (("--weights", tmp_path / "nan.npz"), "NaN"),
        (("--weights", tmp_path / "no.npz"), "not a readable weight file"),
        (("--weights", tmp_path / "absent.npz"), "no weight file"),
        (("--weights", tmp_path / "f.npz", "--network", "srcnn955"), "not of srcnn955"),
        (("--weights", tmp_path / "f.npz", "--upscale", 2), "trained for x3, not for x2"),
    ]:
        result = command(*arguments, "-o", tmp_path / "q.npz")
        assert result.exit_code == 2 and words in result.output and len(result.output.strip().splitlines()) == 1, (
            result.output
        )
    assert not (tmp_path / "q.npz").exists()


@pytest.mark.parametrize("path", sorted(weight_path("x", 3).parent.glob("*_int8.npz")), ids=lambda path: path.stem)
def test_committed_integer_weights_belong_to_the_committed_float_weights(path):
    import hashlib

    quantised = load_quant(path)
    source = path.with_name(path.name.replace("_int8", ""))
    load_float(source, quantised.network.name)
    assert hashlib.sha256(source.read_bytes()).hexdigest() == quantised.meta["float_sha256"], (
        "quantise again: make quantise or make finetune"
    )
