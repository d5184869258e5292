"""The C++ kernels as a shared library against the golden model: pictures, tiles, packets, garbage."""

import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hls.csim import build as kernels_build
from hls.csim.accelerator import CsimTop
from hls.csim.vectors import top_beats, write_vectors
from hls.design.load import load_config
from hls.packets.packets import identify_packet, parse_answers, tile_packet
from hls.packets.parameters import load_packet
from model.base.errors import UserError
from model.graph.description import load_network
from model.integer import golden
from model.integer.examples import random_model, random_picture

pytest.importorskip("ziglang", reason="the native build of the kernels needs the package ziglang (make setup)")
SEED = 20


@pytest.fixture(scope="module")
def top():
    return CsimTop(load_config("srcnn915"))


@pytest.mark.parametrize("network, shape", [("srcnn915", (160, 200)), ("srcnn935", (60, 75)), ("srcnn955", (25, 31))])
def test_whole_pictures(network, shape):
    rng = np.random.default_rng(SEED)
    config = load_config(network)
    accelerator = CsimTop(config)
    for extreme in (False, True):
        model = random_model(config.network, rng, extreme)
        x = golden.pad(random_picture(rng, *shape), config.network.halo)
        result = accelerator.infer_valid(model, x)
        assert np.array_equal(result, golden.infer_valid(model, x)), f"seed {SEED}"
        assert len(np.unique(result)) > 1


@pytest.mark.parametrize("types", ["amd", "native"])
def test_testbench_with_both_kinds_of_types(tmp_path, types):
    """What `make csim` runs; AMD's types compile as C++14, as Vitis HLS does."""
    config = load_config("srcnn915")
    result = subprocess.run(
        [str(kernels_build.testbench(config, types)), str(write_vectors(config, tmp_path, SEED))],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.split()[1] for line in result.stdout.splitlines()][-1] == "srcnn_top"


def test_testbench_names_the_first_mismatch(tmp_path):
    config = load_config("srcnn915")
    folder = write_vectors(config, tmp_path, SEED)
    values = np.fromfile(folder / "conv2_expected0.bin", np.int64)
    values[37] ^= 1
    values.tofile(folder / "conv2_expected0.bin")
    result = subprocess.run(
        [str(kernels_build.testbench(config, "native")), str(folder)], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "FAIL conv2 at (0, 1, 5)" in result.stdout and f"expected {values[37]}" in result.stdout


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height=st.integers(1, 20), width=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_tiles_of_any_size(top, height, width, seed):
    rng = np.random.default_rng(seed)
    model = random_model(top.config.network, rng, extreme=seed % 4 == 0)
    tile = random_picture(rng, height + 12, width + 12)
    assert np.array_equal(top.infer_valid(model, tile), golden.infer_valid(model, tile))


def test_widest_tile(top):
    rng = np.random.default_rng(SEED)
    model = random_model(top.config.network, rng)
    tile = random_picture(rng, 15, top.config.max_width)
    assert np.array_equal(top.infer_valid(model, tile), golden.infer_valid(model, tile))


@pytest.mark.parametrize("network, board", [("srcnn915", "pynq_z2"), ("srcnn915", "kv260"), ("srcnn935", "pynq_z2")])
def test_every_packet_and_every_error(network, board):
    config = load_config(network, board)
    beats, expected = (np.array(b, np.uint64) for b in top_beats(config, np.random.default_rng(SEED)))
    data, last = CsimTop(config).beats(beats[:, 0], beats[:, 1], beats[:, 2])
    assert np.array_equal(data, expected[:, 0])
    assert np.array_equal(last, expected[:, 2])


OWN_NETWORK = """
name = "own"
[[layers]]
name = "conv1"
k = 5
out_ch = 6
relu = true
[[layers]]
name = "conv2"
k = 3
out_ch = 4
relu = true
[[layers]]
name = "conv3"
k = 3
out_ch = 1
relu = false
"""


@pytest.mark.parametrize(
    "folding",
    [
        {"conv1": (1, 1), "conv2": (1, 1), "conv3": (1, 1)},
        {"conv1": (6, 25), "conv2": (4, 54), "conv3": (9, 4)},  # one cycle per position
        {"conv1": (2, 5), "conv2": (4, 9), "conv3": (3, 2)},
        {"conv1": (3, 25), "conv2": (2, 54), "conv3": (9, 1)},
    ],
)
def test_own_network_with_any_folding(tmp_path, folding):
    path = tmp_path / "own.toml"
    path.write_text(OWN_NETWORK)
    config = load_config(load_network(str(path)), folding=folding, tile_width=40, tile_height=40)
    assert [stage.scatter for stage in config.stages] == [False, False, True]
    accelerator = CsimTop(config)
    rng = np.random.default_rng(SEED)
    for height, width in ((1, 1), (7, 33), (40, 40)):
        model = random_model(config.network, rng)
        tile = random_picture(rng, height + 2 * config.network.halo, width + 2 * config.network.halo)
        assert np.array_equal(accelerator.infer_valid(model, tile), golden.infer_valid(model, tile)), (
            f"{height}x{width}, seed {SEED}"
        )


@pytest.fixture(scope="module")
def small_top():
    """Tiles of at most 30x20 pixels, so that a header that asks for the largest tile does not take long."""
    return CsimTop(load_config("srcnn915", tile_width=30, tile_height=20))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_garbage_never_hangs_and_is_forgotten(small_top, data):
    """Damaged transfers give one answer transfer each, and the next good one comes out right."""
    config = small_top.config
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="seed"))
    model = random_model(config.network, rng)
    tile = random_picture(rng, 14, 22)
    packets = [load_packet(config, model), tile_packet(config, tile, 1), identify_packet(config.config_id, 2)]
    for _ in range(data.draw(st.integers(1, 3), label="transfers")):
        words = np.concatenate(data.draw(st.lists(st.sampled_from(packets), min_size=1, max_size=3)))
        kind = data.draw(st.sampled_from(["cut", "flip", "insert", "noise"]), label="kind")
        at = data.draw(st.integers(0, len(words) - 1), label="at")
        if kind == "cut":
            words = words[: at + 1]
        elif kind == "flip":
            words[at] ^= np.uint64(1 << data.draw(st.integers(0, 63), label="bit"))
        elif kind == "insert":
            words = np.insert(words, at, np.uint64(data.draw(st.integers(0, 2**64 - 1))))
        else:
            words = rng.integers(0, 2**64, 1 + at % 40, dtype=np.uint64)
        keep = np.where(rng.random(len(words)) < data.draw(st.sampled_from([0, 0.02])), 0x7F, 0xFF)
        _, last = small_top.beats(words, keep=keep)
        assert last.sum() == 1 and last[-1] == 1
    answers = parse_answers(small_top.transfer(np.concatenate(packets)))
    assert [a.command for a in answers] == ["load", "tile", "identify"]
    assert np.array_equal(answers[1].pixels, golden.infer_valid(model, tile))


def test_queue_is_empty_after_a_transfer(top):
    top.transfer(identify_packet())
    data, _ = top.beats(np.empty(0, np.uint64))
    assert len(data) == 0


def test_tile_too_wide_is_refused_before_it_is_sent(top):
    model = random_model(top.config.network, np.random.default_rng(SEED))
    with pytest.raises(UserError, match="use narrower tiles"):
        top.infer_valid(model, np.zeros((20, top.config.max_width + 1), np.uint8))
