"""Quantisation of graphs: residuals, additions, depth-to-space, PReLU, clip, inputs at low resolution."""

import cv2
import numpy as np
import pytest

from model.base.errors import UserError
from model.base.paths import WEIGHTS, dataset_files
from model.data.datasets import degrade, read_picture, split
from model.graph.family import Member, family_network
from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import Network
from model.graph.weights import FloatModel, load_float
from model.integer import floating, golden
from model.quality import protocols
from model.quantise import channels, data, search
from model.quantise.convolution import snap_slopes
from model.quantise.storage import Storage, ties
from tests.model.test_quantise import SMALL, picture


@pytest.fixture(autouse=True)
def few_crops(monkeypatch):
    monkeypatch.setattr(data, "CROPS", 12)
    monkeypatch.setattr(data, "CROP", 32)


def conv(name, k, in_ch, out_ch, activation="relu", source=(), cap=None):
    return Conv(name, k, in_ch, out_ch, activation, source, cap)


BLOCK = Network(  # a residual block, PReLUs, a clip, an anchor of two pixels a side
    "block",
    (
        conv("first", 3, 1, 6, "prelu"),
        conv("inner", 3, 6, 5, "clip", cap=0.5),
        conv("back", 1, 5, 6, "none"),
        Add("sum", ("back", "first")),
        conv("residual", 3, 6, 4, "none"),
        Add("anchor", ("residual", "input")),
        DepthToSpace("pixels", 2),
    ),
    "y",
    2,
)
COLOUR = Network(
    "colour",
    (
        conv("first", 3, 3, 8),
        conv("residual", 3, 8, 12, "none"),
        Add("anchor", ("residual", "input")),
        DepthToSpace("pixels", 2),
    ),
    "rgb",
    2,
)
PLAIN = Network(  # no addition: the last convolution makes the pixels, after a depth-to-space in the middle
    "plain",
    (
        conv("first", 3, 1, 8),
        DepthToSpace("larger", 2),
        conv("middle", 3, 2, 6, "prelu"),
        conv("last", 3, 6, 1, "none"),
    ),
    "y",
    2,
)
RECTIFIED = ("again",)  # additions that are ReLUs: of a tensor stored from 0 on, and more layers behind
INNER = Network(  # a residual block between ReLUs
    "inner",
    (
        conv("first", 3, 1, 5),
        conv("back", 3, 5, 5, "none"),
        Add("again", ("back", "first")),
        conv("last", 3, 5, 1, "none"),
    ),
)
GRAPHS = {"family": family_network(Member(6, 1), 3), "block": BLOCK, "colour": COLOUR, "plain": PLAIN, "inner": INNER}


def float_graph(network, seed=0):
    """Random weights that look at the picture: one tap passes it on, the rest are weak and of both signs."""
    rng = np.random.default_rng(seed)
    weights, biases, slopes = [], [], []
    for layer in network.convs:
        weight = rng.normal(0, 0.4 / np.sqrt(layer.taps), layer.weight_shape)
        if layer.signed:
            weight *= 0.5
        else:
            for channel in range(layer.out_ch):
                weight[channel, layer.k // 2, layer.k // 2, channel % layer.in_ch] += 0.6
        weights.append(weight.astype(np.float32))
        biases.append(rng.normal(0, 0.05, layer.out_ch).astype(np.float32))
        slopes.append(
            (0.5 ** rng.integers(0, 5, layer.out_ch)).astype(np.float32) if layer.activation == "prelu" else None
        )
        if layer.activation == "prelu":  # much below zero
            biases[-1] -= np.float32(0.3)
    return FloatModel(network, network.upscale or 3, tuple(weights), tuple(biases), {}, tuple(slopes))


def pictures(network, seeds):
    planes = [[picture(3 * seed + i, 60) for i in range(network.in_ch)] for seed in seeds]
    return [np.dstack(three) if len(three) > 1 else three[0] for three in planes]


def rms_error(model, quantised, x):
    """Root mean square of golden - float, in grey levels."""
    reference = floating.infer(model, golden.pad(x, model.network.halo))
    return float(np.sqrt(np.mean((golden.infer(quantised, x, 1) - np.clip(reference, 0, 255)) ** 2)))


@pytest.mark.parametrize("name", GRAPHS)
def test_integers_follow_the_float_network(name):
    network = GRAPHS[name]
    model = float_graph(network)
    quantised, rows = search.quantise(model, pictures(network, range(6)))
    (x,) = pictures(network, [99])
    assert np.ptp(golden.infer(quantised, x, 1).astype(int)) > 100
    assert rms_error(model, quantised, x) < 0.75  # rounding the output alone makes 0.29
    assert [row["layer"] for row in rows] == [layer.name for layer in network.convs]
    assert all(row["rms_error"] < 0.005 for row in rows)


def reference_tensors(model, x):
    """Every float tensor behind its activation, by plain sums."""
    known = {"input": x.reshape(*x.shape[:2], -1) / 255}
    parameters = dict(zip((c.name for c in model.network.convs), zip(model.weights, model.biases, model.slopes)))
    for layer in model.network.layers:
        given = [known[name] for name in layer.inputs]
        if isinstance(layer, Conv):
            weight, bias, slope = parameters[layer.name]
            height, width = (side - layer.k + 1 for side in given[0].shape[:2])
            z = np.zeros((height, width, layer.out_ch)) + bias
            for i in range(layer.k):
                for j in range(layer.k):
                    z += np.einsum("hwi,oi->hwo", given[0][i : i + height, j : j + width], weight[:, i, j])
            low = {"none": z, "prelu": z * (0 if slope is None else slope)}.get(layer.activation, 0 * z)
            known[layer.name] = np.minimum(np.where(z > 0, z, low), layer.cap or np.inf)
        elif isinstance(layer, Add):
            crop = (given[1].shape[0] - given[0].shape[0]) // 2
            inside = given[1][crop : given[1].shape[0] - crop, crop : given[1].shape[1] - crop]
            total = given[0] + np.tile(inside, given[0].shape[2] // inside.shape[2])
            known[layer.name] = np.maximum(total, 0) if layer.name in RECTIFIED else total
        else:
            known[layer.name] = golden.depth_to_space(given[0], layer.factor)
    return known


@pytest.mark.parametrize("name", GRAPHS)
def test_the_float_network_equals_plain_sums(name):
    network = GRAPHS[name]
    model = float_graph(network, 1)
    (x,) = pictures(network, [5])
    x = golden.pad(x, network.halo)
    expected = reference_tensors(model, x)
    for tensor, values in floating.float_tensors(model, x[None]).items():
        layer = {c.name: c for c in network.convs}.get(tensor)
        if layer is not None:
            slope = dict(zip((c.name for c in network.convs), model.slopes))[tensor]
            values = floating.activate(layer, values, slope)
        assert values.dtype == np.float32 and values[0] == pytest.approx(expected[tensor], abs=5e-6), tensor
    assert BLOCK.keeps_sign("sum") and not BLOCK.keeps_sign("anchor")


def linear_output(model, tensor, channel, side):
    """The output that an impulse in the middle of a tensor makes, all activations passing everything."""
    network, known = model.network, {}
    weights = dict(zip((layer.name for layer in network.convs), model.weights))
    for name, t in network.tensors.items():
        known[name] = np.zeros((*[side * t.scale - t.shrink] * 2, t.channels))
    middle = len(known[tensor]) // 2
    known[tensor][middle, middle, channel] = 1
    reached = {tensor}
    for layer in network.layers:
        if layer.name == tensor or not reached & set(layer.inputs):
            continue
        given = [known[name] for name in layer.inputs]
        if isinstance(layer, Conv):
            flat = floating.windows(given[0], layer.k) @ weights[layer.name].reshape(layer.out_ch, -1).T
            known[layer.name] = flat.reshape(known[layer.name].shape)
        elif isinstance(layer, Add):
            known[layer.name] = floating.add(*given)
        else:
            known[layer.name] = golden.depth_to_space(given[0], layer.factor)
        reached.add(layer.name)
    return known[network.layers[-1].name]


@pytest.mark.parametrize("network", [SMALL, *GRAPHS.values()], ids=lambda network: network.name)
def test_noise_gains_are_those_of_a_linear_network(network):
    """With every activation passing everything, the gain is the energy of the response to an impulse."""
    model = float_graph(network)
    gains = channels.noise_gains(
        model, {name: np.full((1, 2, 2, t.channels), 0.25) for name, t in network.tensors.items()}
    )
    for layer in network.convs:
        pixels = network.scale // network.tensors[layer.name].scale
        for channel in range(layer.out_ch):
            energy = (linear_output(model, layer.name, channel, 30) ** 2).sum() / pixels**2
            assert gains[layer.name][channel] == pytest.approx(energy, rel=1e-4), (layer.name, channel)


def test_what_is_stored_alike():
    tie = ties(BLOCK)
    assert tie["first"].tolist() == tie["sum"].tolist() == tie["back"].tolist()
    assert set(tie["anchor"]) == set(tie["residual"]) == set(tie["pixels"]) == set(tie["input"])
    assert len(set(tie["inner"])) == 5 and not set(tie["inner"]) & set(tie["first"])
    # channel (i * s + j) * C + c of a depth-to-space is channel c
    plain = ties(PLAIN)
    assert plain["first"].tolist() == plain["larger"].tolist() * 4


def test_steps_and_zero_points_of_tied_tensors():
    model = float_graph(BLOCK)
    quantised, _ = search.quantise(model, pictures(BLOCK, range(4)))
    layers = dict(zip((layer.name for layer in BLOCK.convs), quantised.layers))
    x = golden.pad(pictures(BLOCK, [7])[0], BLOCK.halo)
    stored, exact = golden.tensors(quantised, x), reference_tensors(model, x)
    zero = layers["first"].zero.astype(int)
    assert zero.min() > 0  # all of them see values below zero
    assert np.array_equal(0.5 ** layers["first"].slope.astype(int), model.slopes[0])
    for channel in range(6):  # the step shows in a fit of real against stored values: the same before and after
        slopes = []
        for name in ("first", "sum"):
            real, whole = exact[name][..., channel].ravel(), stored[name][..., channel].ravel() - zero[channel]
            slopes.append(real @ whole / (whole @ whole))
        assert slopes[0] == pytest.approx(slopes[1], rel=0.02)
    clipped = floating.float_tensors(model, x[None])["inner"][0] > 0.52
    assert clipped.any() and (stored["inner"][clipped] == 255).all()
    assert stored["sum"].max() <= 255 and stored["back"].min() < 0


def test_slopes_are_powers_of_two():
    assert snap_slopes(np.array([1.5, 1.0, 0.8, 0.7, 0.25, 0.2, 0.004, 0.0, -1.0])).tolist() == [
        0,
        0,
        0,
        1,
        2,
        2,
        7,
        7,
        7,
    ]


def test_a_slope_that_is_no_power_of_two_is_made_up_for_by_the_next_layer():
    model = float_graph(BLOCK)
    slopes = tuple(None if s is None else np.full_like(s, 0.3) for s in model.slopes)
    model = FloatModel(BLOCK, 2, model.weights, model.biases, {}, slopes)
    quantised, _ = search.quantise(model, pictures(BLOCK, range(6)))
    assert (quantised.layers[0].slope == 2).all()
    assert rms_error(model, quantised, pictures(BLOCK, [99])[0]) < 3


@pytest.mark.parametrize("activation", ["relu", "prelu"])
def test_a_residual_may_stand_before_what_it_is_added_to(activation):
    layers = (
        conv("first", 3, 1, 4),
        conv("back", 3, 4, 6, "none", ("first",)),
        conv("side", 1, 4, 6, activation, ("first",)),
        Add("sum", ("back", "side")),
        conv("last", 1, 6, 1, "none", ("sum",)),
    )
    network = Network("swapped", layers)
    model = float_graph(network)
    quantised, rows = search.quantise(model, pictures(network, range(6)))
    assert rms_error(model, quantised, pictures(network, [99])[0]) < 0.75
    assert all(row["rms_error"] < 0.02 for row in rows)


def test_a_dead_channel_that_something_is_added_to():
    """Its step has to hold the sum."""
    model = float_graph(INNER)
    model.weights[0][1], model.biases[0][1] = 0, -1
    model.biases[1][1] = 2
    quantised, _ = search.quantise(model, pictures(INNER, range(6)))
    assert rms_error(model, quantised, pictures(INNER, [99])[0]) < 0.75


def test_refusals():
    def quantise(*layers, upscale=2):
        network = Network("bad", layers, "y", upscale)
        search.quantise(float_graph(network), pictures(network, [0]))

    with pytest.raises(UserError, match="hidden has no ReLU"):
        quantise(conv("hidden", 3, 1, 4, "none"), conv("last", 1, 4, 4, "none"), DepthToSpace("pixels", 2))
    with pytest.raises(UserError, match=r"shown clips at 0.5, .* saturates at 1"):
        quantise(conv("shown", 3, 1, 4, "clip", cap=0.5), DepthToSpace("pixels", 2))


def test_ranges_hold_what_additions_make():
    model = float_graph(BLOCK)
    x = np.stack([golden.pad(p, BLOCK.halo) for p in pictures(BLOCK, range(2))])
    values = floating.float_tensors(model, x)
    low, high = Storage(model, values).ranges("first")
    assert (low <= values["sum"].min((0, 1, 2))).all() and (high >= values["sum"].max((0, 1, 2))).all()


@pytest.mark.parametrize("kind, shape", [("upscaled", (60, 48)), ("y", (20, 16)), ("rgb", (20, 16, 3))])
def test_calibration_pictures_are_what_a_network_takes(kind, shape, tmp_path):
    rng = np.random.default_rng(0)
    for name, sides in {"a.png": (62, 50, 3), "b.png": (62, 50), "tiny.png": (2, 90, 3)}.items():
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, sides).astype(np.uint8))
    for i in range(9):  # so that none of those above is held out
        cv2.imwrite(str(tmp_path / f"c{i}.png"), rng.integers(0, 256, (62, 50, 3)).astype(np.uint8))
    found, files = search.calibration_pictures(3, data=str(tmp_path), kind=kind)
    assert "tiny.png" not in {path.name for path in files} and len(files) == len(found) == 10
    assert {picture.shape for picture in found} == {shape}
    assert np.array_equal(found[0], degrade(read_picture(files[0]), 3, kind=kind)[0])


def committed():
    """Float weights at low resolution, and 9-1-5's."""
    for path in sorted(WEIGHTS.glob("*.npz")):
        if not path.stem.endswith("_int8") and path.stem.startswith(("srcnn915_x3", "abpn")):
            yield pytest.param(path, id=path.stem)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("path", list(committed()))
def test_quantisation_alone_costs_at_most_0_05_db(path, monkeypatch):
    monkeypatch.undo()  # all crops
    model = load_float(path)
    degradation = "opencv" if path.stem.endswith("opencv") else "standard"
    kind = model.network.input
    quantised, _ = search.quantise(model, search.calibration_pictures(model.upscale, degradation, kind=kind)[0])
    lost = []
    for file in split(dataset_files("T91"))[1]:
        case = protocols.prepare(read_picture(file), model.upscale, degradation)
        x = case.input(kind)
        exact = floating.infer(model, golden.pad(x, model.network.halo))
        lost.append(
            protocols.measure(case, exact)["psnr"] - protocols.measure(case, golden.infer(quantised, x))["psnr"]
        )
    assert np.mean(lost) < 0.05
