"""This processor's vectors give the golden model's bits: any graph, any weights, up to the bound of 32 bits, with every
kind of instructions that the processor has.
"""

import pathlib
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.cpu import build, plan, session
from host.cpu.session import CpuSession
from host.picture import backends
from host.picture.backends import CpuBackend, GoldenBackend, open_backend
from model.base import native
from model.base.errors import UserError
from model.graph.description import list_networks, load_network
from model.graph.formats import BIAS_BITS, MAX_SHIFT
from model.graph.kinds import Add, Conv
from model.graph.network import Network
from model.graph.weights import QuantLayer, QuantModel
from model.integer import blocks, examples, floating, golden
from tests import oracle
from tests.chains import chains, graphs
from tests.random_models import random_float_model, random_model, random_rgb_model

try:
    build.library()
except UserError as error:
    pytest.skip(str(error), allow_module_level=True)

SEEDS = st.integers(0, 2**32 - 1)
# Kinds of instructions, for what the compiler calls the processor and what /proc/cpuinfo must have.
PROCESSORS = {
    "": ("x86-64", set()),
    "AVX2": ("x86-64-v3", {"avx2", "bmi2", "fma"}),
    "AVX-VNNI": ("alderlake", {"avx_vnni", "vaes", "gfni"}),
    "AVX-512 VNNI": ("icelake-client", {"avx512_vnni", "avx512vl", "avx512_vbmi2", "vaes", "gfni"}),
}


def flags():
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def libraries():
    """Return the compiled libraries that run here, by their instructions; this processor's own among them."""
    found = {session.vectors(): build.library()}
    for name, (processor, needs) in PROCESSORS.items():
        if "sse2" in flags() and needs <= flags():
            found.setdefault(name, build.library((f"-march={processor}",)))
            assert session.vectors(found[name]) == name
    return found


LIBRARIES = libraries()


def check(model, rng, height, width, names=tuple(LIBRARIES), workers=2):
    """Compare a picture's every bit with the golden model."""
    x = examples.random_input(model.network, rng, height + 2 * model.network.halo, width + 2 * model.network.halo)
    expected = golden.infer_valid(model, x, 1)
    for name in names:
        np.testing.assert_array_equal(CpuSession(model, LIBRARIES[name]).infer_valid(x, workers), expected, name)


def test_this_processor_is_among_them():
    assert session.vectors() in PROCESSORS and session.vectors() in LIBRARIES
    print("compared:", ", ".join(name or "none" for name in LIBRARIES))


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("name", list_networks())
def test_networks(name, extreme):
    for upscale in (2, 3, 4) if "srcnn" not in name else (3,):
        rng = np.random.default_rng(upscale)
        check(examples.random_model(load_network(name, upscale), rng, extreme), rng, 19, 37)


def test_every_kind_and_colours():
    rng = np.random.default_rng(4)
    network = load_network("tests/descriptions/all_kinds.toml", 3)
    check(examples.random_model(network, rng), rng, 9, 14)
    check(examples.random_model(network, rng, extreme=True), rng, 6, 5)
    check(random_rgb_model(), rng, 150, 31)


@settings(max_examples=60, deadline=None)
@given(st.one_of(chains(), graphs()), SEEDS, st.booleans(), st.integers(1, 40), st.integers(1, 40))
def test_any_graph(config, seed, extreme, height, width):
    rng = np.random.default_rng(seed)
    check(examples.random_model(config.network, rng, extreme), rng, height, width)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([1, 3, 5, 9]),
    st.sampled_from([1, 2, 3, 8, 15, 32]),
    st.sampled_from([1, 2, 5, 8, 9, 16, 17, 33, 70]),
    st.booleans(),
    st.booleans(),
    SEEDS,
)
def test_a_layer_equals_nested_loops(k, in_ch, out_ch, prelu, behind, seed):
    """All shifts, the largest biases and slopes; with a layer behind it, or none."""
    rng = np.random.default_rng(seed)
    head = Conv("head", 1, 1, in_ch, "relu")
    layer = Conv("layer", k, in_ch, out_ch, "prelu" if prelu else "relu")
    tail = (Conv("tail", 1, out_ch, 1, "none"),) * behind
    bias = rng.integers(-99, 99, in_ch).astype(np.int32)
    layers = [QuantLayer(np.ones(head.weight_shape, np.int8), bias, np.zeros(in_ch, np.uint8))]
    for conv in (layer, *tail):
        shift = rng.integers(0, MAX_SHIFT + 1, conv.out_ch)
        limit = 2 ** (BIAS_BITS - 1) - 1
        bias = rng.integers(-limit, limit + 1, conv.out_ch) >> rng.integers(0, BIAS_BITS, conv.out_ch)
        pair = {}
        if conv.activation == "prelu":
            pair = {
                "slope": np.minimum(rng.integers(0, 8, conv.out_ch), MAX_SHIFT - shift).astype(np.uint8),
                "zero": rng.integers(0, 256, conv.out_ch).astype(np.uint8),
            }
        weight = rng.integers(-128, 128, conv.weight_shape) >> rng.integers(0, 7)
        layers.append(QuantLayer(weight.astype(np.int8), bias.astype(np.int32), shift.astype(np.uint8), **pair))
    network = Network("random", (head, layer, *tail))
    model = QuantModel(network, 3, tuple(layers))
    x = rng.integers(0, 256, (k + 4, k + 3)).astype(np.uint8)
    values = [[[int(v)] for v in row] for row in x]
    for q in layers:
        given_ = [q.weight.tolist(), q.bias.tolist(), q.shift.tolist()]
        if q.slope is None:
            values = oracle.layer(values, *given_)
        else:
            values = oracle.prelu_layer(values, *given_, q.slope.tolist(), q.zero.tolist())
    expected = np.array(values, np.uint8)
    expected = expected[:, :, 0] if network.out_ch == 1 else expected
    for name, library in LIBRARIES.items():
        np.testing.assert_array_equal(CpuSession(model, library).infer_valid(x), expected, name)


@pytest.mark.parametrize(
    ("earlier", "copies"), [(1, 4), (2, 1), (5, 1), (8, 1), (9, 1), (17, 1), (3, 4), (2, 9), (4, 2)]
)
def test_additions(earlier, copies):
    """In the convolution or behind it, of any number of channels, cropped by a filter's halo."""
    layers = (
        Conv("head", 1, 1, earlier, "relu"),
        Conv("middle", 5, earlier, 3, "relu"),
        Conv("residual", 3, 3, earlier * copies, "none"),
        Add("sum", ("residual", "head")),
    )
    rng = np.random.default_rng(earlier)
    check(examples.random_model(Network("sums", layers), rng), rng, 23, 41)


def test_the_bound_of_32_bits():
    """Sums are exact to the last one below 2^31; a network that could go beyond is refused."""
    channels, k = 190, 19
    layers = (Conv("copy", 1, 1, channels, "relu"), Conv("large", k, channels, 2, "relu"))
    copy = QuantLayer(np.ones((channels, 1, 1, 1), np.int8), np.zeros(channels, np.int32), np.zeros(channels, np.uint8))
    taps, rest = k * k * channels, 2**31 - 1 - 2**21  # half of 2^22
    weight = np.where(np.arange(taps) < rest // 255 - 122 * taps, 123, 122).astype(np.int8)
    weight = np.stack([weight, -weight]).reshape(2, k, k, channels)
    bias = rest % 255
    for more, refused in [(0, False), (1, True)]:
        large = QuantLayer(weight, np.array([bias + more, -bias - more], np.int32), np.full(2, 22, np.uint8))
        model = QuantModel(Network("bound", layers), 3, (copy, large))
        assert (model.layers[1].worst_accumulator >= 2**31) == refused
        if refused:
            with pytest.raises(UserError, match=r"layer large has sums beyond 2\^31.*use --backend golden"):
                CpuSession(model)
            continue
        for value in (0, 254, 255):  # the very largest sums
            x = np.full((k + 1, k + 9), value, np.uint8)
            expected = golden.infer_valid(model, x, 1)
            for name, library in LIBRARIES.items():
                np.testing.assert_array_equal(CpuSession(model, library).infer_valid(x), expected, name)


def test_the_zero_of_a_prelu_behind_the_largest_sum():
    """Nothing is shifted away: with its zero the sum leaves 32 bits, the result is white all the same."""
    channels, k = 190, 19
    layers = (Conv("copy", 1, 1, channels, "relu"), Conv("large", k, channels, 1, "prelu"))
    copy = QuantLayer(np.ones((channels, 1, 1, 1), np.int8), np.zeros(channels, np.int32), np.zeros(channels, np.uint8))
    taps, rest = k * k * channels, 2**31 - 1
    weight = np.where(np.arange(taps) < rest // 255 - 122 * taps, 123, 122).astype(np.int8).reshape(1, k, k, channels)
    for sign in (1, -1):
        bias, none = np.array([sign * (rest % 255)], np.int32), np.zeros(1, np.uint8)
        large = QuantLayer(sign * weight, bias, none, none, np.full(1, 100, np.uint8))
        model = QuantModel(Network("bound", layers), 3, (copy, large))
        assert model.layers[1].worst_accumulator == rest
        x = np.full((k + 1, k + 9), 255, np.uint8)
        for name, library in LIBRARIES.items():
            np.testing.assert_array_equal(CpuSession(model, library).infer_valid(x), golden.infer_valid(model, x), name)


def test_what_it_does_not_take():
    layer = Conv("large", plan.LARGEST_K + 1, 1, 1, "none")
    q = QuantLayer(np.ones(layer.weight_shape, np.int8), np.zeros(1, np.int32), np.zeros(1, np.uint8))
    with pytest.raises(UserError, match=r"layer large has a filter of 65x65, beyond 64; use --backend golden"):
        CpuSession(QuantModel(Network("large", (layer,)), 3, (q,)))
    layers = tuple(Conv(f"conv{i}", 1, 1, 1, "relu") for i in range(plan.MOST_TENSORS))
    q = QuantLayer(np.ones((1, 1, 1, 1), np.int8), np.zeros(1, np.int32), np.zeros(1, np.uint8))
    with pytest.raises(UserError, match="deep has 256 layers, this takes 255; use --backend golden"):
        CpuSession(QuantModel(Network("deep", layers), 3, (q,) * len(layers)))
    deep = QuantModel(Network("deep", layers[1:]), 3, (q,) * (len(layers) - 1))
    check(deep, np.random.default_rng(1), 5, 4)


def test_a_small_picture_starts_no_threads(monkeypatch):
    monkeypatch.setattr(blocks.concurrent.futures, "ThreadPoolExecutor", None)
    check(random_model("abpn8m2", 2), np.random.default_rng(9), 64, 64, workers=8)


def test_parts_and_threads_change_nothing(monkeypatch):
    """Narrow and low parts, written beside each other."""
    monkeypatch.setattr(session, "_SCRATCH", 1)
    monkeypatch.setattr(session, "_MIN_COLUMNS", 37)
    monkeypatch.setattr(session, "_MIN_PRODUCTS", 1)
    for model in (random_model("abpn8m5", 3), random_model("abpn8m2", 2), random_model("srcnn915"), random_rgb_model()):
        check(model, np.random.default_rng(7), 130, 240, workers=5)


def test_nothing_beyond_the_result_is_written():
    """A picture that lies within a larger array, its result within another."""
    for name in ("abpn8m5", "abpn12m4", "srcnn915", "tests/descriptions/all_kinds.toml"):
        network = load_network(name, 3)
        model = examples.random_model(network, np.random.default_rng(2))
        rng, halo, scale = np.random.default_rng(3), network.halo, network.scale
        x = examples.random_input(network, rng, 9 + 2 * halo, 13 + 2 * halo)
        pixel = x.shape[2:], () if network.out_ch == 1 else (network.out_ch,)
        for name_, library in LIBRARIES.items():
            around = np.full((9 * scale + 4, 13 * scale + 4, *pixel[1]), 99, np.uint8)
            given = np.full((x.shape[0] + 2, x.shape[1] + 4, *pixel[0]), 7, np.uint8)
            given[1:-1, 2:-2] = x
            CpuSession(model, library)._run(given[1:-1, 2:-2], around[2:-2, 2:-2])
            np.testing.assert_array_equal(around[2:-2, 2:-2], golden.infer_valid(model, x, 1), name_)
            around[2:-2, 2:-2] = 99
            assert (around == 99).all()


def test_a_wrong_compiler_is_found(monkeypatch, models):
    real = CpuSession._run

    def wrong(self, x, out):
        real(self, x, out)
        out ^= np.arange(out.shape[1], dtype=np.uint8) == 3

    monkeypatch.setattr(CpuSession, "_run", wrong)
    with pytest.raises(UserError, match="does not compute srcnn915 exactly; use --backend golden"):
        CpuSession(models["srcnn915"])


def test_bad_input(models):
    with pytest.raises(UserError, match="uint8 pictures of at least 13 pixels a side"):
        CpuSession(models["srcnn915"]).infer_valid(np.zeros((12, 40), np.uint8))


def test_the_backend(monkeypatch, models):
    model = models["srcnn915"]
    backend, why = open_backend("cpu", model)
    assert isinstance(backend, CpuBackend) and why == ""
    tiles = [np.full((14, 15), 77, np.uint8), np.zeros((20, 13), np.uint8)]
    for tile, result in zip(tiles, backend.infer(tiles), strict=True):
        np.testing.assert_array_equal(result, golden.infer_valid(model, tile, 1))
    backend, why = open_backend("auto", model)
    assert "the same bits, fastest here" in why
    assert isinstance(backend, CpuBackend if session.vectors() else GoldenBackend)
    monkeypatch.setattr(backends, "vectors", lambda: "")
    assert isinstance(open_backend("auto", model)[0], GoldenBackend)


def test_without_a_compiler(monkeypatch, models, tmp_path):
    monkeypatch.setattr(session, "library", build.library.__wrapped__)
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    monkeypatch.setattr(native.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"no C\+\+ compiler was found; install one.*use --backend golden"):
        open_backend("cpu", models["srcnn915"])
    assert isinstance(open_backend("auto", models["srcnn915"])[0], GoldenBackend)
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\necho 'error: no such processor' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(native, "compilers", lambda: [[str(broken)], [str(tmp_path)]])
    monkeypatch.setattr(native, "BUILD", tmp_path)
    with pytest.raises(UserError, match=r"does not compile .*: error: no such processor; use --backend golden"):
        open_backend("cpu", models["srcnn915"])
    monkeypatch.setattr(native, "compilers", lambda: [[str(tmp_path)]])
    with pytest.raises(UserError, match=r"cannot be run \(Permission denied\); use --backend golden"):
        open_backend("cpu", models["srcnn915"])


def test_the_next_compiler_is_tried(monkeypatch, tmp_path):
    broken, works = tmp_path / "c++", next(native.compilers())
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(native, "compilers", lambda: [[str(broken)], works])
    assert session.vectors(build.library.__wrapped__())


def test_what_cannot_be_loaded(monkeypatch, models, tmp_path):
    damaged = tmp_path / "libcpu.so"
    damaged.write_bytes(b"no library")
    monkeypatch.setattr(session, "library", lambda: damaged)
    with pytest.raises(UserError, match=r"cannot be loaded \(.*\); name a build folder .*use --backend golden"):
        open_backend("cpu", models["srcnn915"])
    assert isinstance(open_backend("auto", models["srcnn915"])[0], GoldenBackend)


def test_clang_from_pypi(tmp_path, monkeypatch):
    """Where the system has no compiler, zig's is taken, in seconds."""
    pytest.importorskip("ziglang")
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    path = build.library.__wrapped__()
    model, x = random_model("abpn8m2", 2), np.random.default_rng(5).integers(0, 256, (40, 50)).astype(np.uint8)
    np.testing.assert_array_equal(CpuSession(model, path).infer_valid(x), golden.infer_valid(model, x, 1))
    needs = subprocess.run(["readelf", "-d", str(path)], capture_output=True, text=True).stdout
    assert "libstdc++" not in needs


@pytest.mark.parametrize("name", ["srcnn915", "abpn8m5", "tests/descriptions/all_kinds.toml"])
def test_the_float_network_beside_it(name):
    """What it is measured against is the same network, in floats."""
    onnxruntime, _ = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
    from host.measure import float_onnx

    model = random_float_model(load_network(name, 3), 5, spread=0.1)
    rng, halo = np.random.default_rng(8), model.network.halo
    x = examples.random_input(model.network, rng, 9 + 2 * halo, 7 + 2 * halo)
    session = onnxruntime.InferenceSession(float_onnx.float_model(model).SerializeToString())
    planes = x.reshape(*x.shape[:2], -1).transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    (given,) = session.run(None, {float_onnx.INPUT_NAME: planes})
    expected = floating.infer(model, x).reshape(*given.shape[2:], -1)
    np.testing.assert_allclose(given[0].transpose(1, 2, 0) * 255, expected, rtol=1e-4, atol=1e-2)
