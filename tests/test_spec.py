"""The cycle model against the kernels, run clock by clock with the hardware's FIFO depths."""

import numpy as np
import pytest

from hls.config import load_config
from hls.csim import CsimTop
from hls.spec import spec_rows, steady_cycles_per_pixel, tile_cycles
from hls.vectors import random_model, random_picture
from host.packets import load_packet, parse_answers, tile_packet
from model import golden

SEED = 30


@pytest.mark.parametrize("network, board, height, width", [
    ("srcnn915", "pynq_z2", 40, 56),
    ("srcnn915", "pynq_z2", 9, 100),
    ("srcnn915", "kv260", 48, 48),
    ("srcnn935", "pynq_z2", 20, 24),
    ("srcnn955", "kv260", 12, 20),
])
def test_tiles_take_the_cycles_of_the_model(network, board, height, width):
    """A queued tile takes what the model says, within 2 %, and the bits stay right."""
    pytest.importorskip("ziglang", reason="the native build of the kernels needs the package ziglang (make setup)")
    config = load_config(network, board)
    rng = np.random.default_rng(SEED)
    top, model = CsimTop(config), random_model(config.network, rng)
    halo = config.network.halo
    tile = random_picture(rng, height + 2 * halo, width + 2 * halo)
    top.transfer(load_packet(config, model))
    words = tile_packet(config, tile)
    cycles = []
    for count in (1, 3):
        answers = parse_answers(top.transfer(np.concatenate([words] * count), clocked=True))
        assert all(np.array_equal(a.pixels, golden.infer_valid(model, tile)) for a in answers) and len(answers) == count
        cycles.append(top.cycles)
    per_tile = (cycles[1] - cycles[0]) / 2
    expected = tile_cycles(config, height, width)
    assert expected <= per_tile <= 1.02 * expected, f"{per_tile} cycles, model {expected}, seed {SEED}"
    assert cycles[0] <= 1.02 * expected + 1500  # the pipeline fills and drains once


def test_small_tiles_queued_up_never_lock_the_fifos():
    """Many 1x1 tiles put more commands in flight than any FIFO holds."""
    pytest.importorskip("ziglang", reason="the native build of the kernels needs the package ziglang (make setup)")
    config = load_config("srcnn915")
    rng = np.random.default_rng(SEED)
    top, model = CsimTop(config), random_model(config.network, rng)
    tiles = [random_picture(rng, 13 + i % 3, 13 + i % 2) for i in range(60)]
    words = [load_packet(config, model)] + [tile_packet(config, tile, i) for i, tile in enumerate(tiles)]
    answers = parse_answers(top.transfer(np.concatenate(words), clocked=True))
    assert [a.tag for a in answers[1:]] == list(range(60))
    for answer, tile in zip(answers[1:], tiles):
        assert np.array_equal(answer.pixels, golden.infer_valid(model, tile))


def test_rows_of_the_report():
    config = load_config("srcnn915")
    (row,) = spec_rows([config])
    assert row["cycles_per_pixel"] == steady_cycles_per_pixel(config) == max(s.fold for s in config.stages)
    assert row["mpixel_per_s"] == pytest.approx(config.clock_mhz / row["cycles_per_pixel"])
    assert 0 < row["products_per_dsp_cycle"] <= 1
    # a frame costs at least its own pixels, at most 10 % more where the tile is as wide as the frame
    assert 1 <= row["mpixel_per_s"] * 1e6 / (1080 * 1920) / row["fps_1080p"] < 1.1
