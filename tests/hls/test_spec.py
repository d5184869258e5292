"""The cycle model against the kernels, run clock by clock with the hardware's FIFO depths."""

import numpy as np
import pytest

from hls.csim.accelerator import CsimTop
from hls.design.boards import list_boards, read_board
from hls.design.cycles import frame_rate, limit_cycles_per_pixel, steady_cycles_per_pixel, tile_cycles
from hls.design.load import list_configs, load_config
from hls.packets.packets import parse_answers, tile_packet
from hls.packets.parameters import load_packet
from hls.report.spec import WIDTHS, halo_rows, spec_rows
from host.measure.bench import Contender, bench, modelled
from model.graph.description import load_network
from model.integer import golden
from model.integer.examples import random_model, random_picture

SEED = 30


@pytest.mark.parametrize(
    "network, board, height, width",
    [
        ("srcnn915", "pynq_z2", 40, 56),
        ("srcnn915", "pynq_z2", 9, 100),
        ("srcnn915", "kv260", 48, 48),
        ("srcnn935", "pynq_z2", 20, 24),
        ("srcnn955", "kv260", 12, 20),
    ],
)
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
    assert row["cycles_per_pixel"] == steady_cycles_per_pixel(config) == max(s.fold for s in config.stages) == 20
    assert row["mpixel_per_s"] == pytest.approx(7.5) and row["upscale"] is None
    assert row["dsp"] == 212 and row["products_per_dsp_cycle"] == pytest.approx(8032 / (20 * 212))
    assert row["efficiency"] == pytest.approx(8032 / 2 / 220 / 20)
    assert row["cycles_per_pixel_128x128"] * 128**2 == pytest.approx(tile_cycles(config, 128, 128))
    assert 20 < row["cycles_per_pixel_128x128"] <= 22
    # a frame costs at least its own pixels, at most 10 % more where the tile is as wide as the frame
    assert 1 <= row["mpixel_per_s"] * 1e6 / (1080 * 1920) / row["fps_1080p"] < 1.1


def test_rows_of_a_network_at_low_resolution():
    """Cycles and the limit are those of a pixel of its input, rates those of the result."""
    config = load_config("abpn8m2", "pynq_z2", 2)
    (row,) = spec_rows([config])
    assert (row["network"], row["upscale"], row["cycles_per_pixel"]) == ("abpn8m2", 2, 4)
    assert row["mpixel_per_s"] == pytest.approx(4 * config.clock_mhz / 4)
    assert row["products_per_dsp_cycle"] == pytest.approx(1640 / (4 * row["dsp"]))
    assert row["efficiency"] == pytest.approx(1640 / 2 / 220 / 4)
    cycles = tile_cycles(config, 540, 960)
    assert row["fps_1080p"] == pytest.approx(config.clock_mhz * 1e6 / cycles)
    strips = {shares["tile_width"]: shares for shares in halo_rows([config])}
    assert strips[960]["strip_1080"] == pytest.approx(cycles / (540 * 960 * 4) - 1)
    assert strips[960]["input_pixels"] == pytest.approx(550 * 970 / (540 * 960) - 1)


def test_every_folding_of_a_board_is_a_row():
    for board in list_boards():
        folded = read_board(board)["folding"]
        configs = list_configs(board)
        assert sorted(config.network.label for config in configs) == sorted(folded) and len(folded) >= 4
        assert [row["upscale"] for row in spec_rows(configs)] == [config.network.upscale for config in configs]


def test_limit_without_packing_is_one_product_per_dsp():
    folding = {"conv1": (8, 17), "conv2": (4, 13), "conv3": (5, 4)}
    assert limit_cycles_per_pixel(load_config("srcnn915", folding=folding, pack=False)) == pytest.approx(8032 / 220)


def test_halo_overhead_shrinks_with_the_width_and_ends_at_the_line_buffer():
    config = load_config("srcnn955")
    rows = halo_rows([config])
    assert [row["tile_width"] for row in rows] == [*WIDTHS[:-1], config.tile_width]
    for column in ("square", "strip_1080", "input_pixels"):
        shares = [row[column] for row in rows]
        assert all(0 < narrow for narrow in shares) and shares == sorted(shares, reverse=True)
    row = next(row for row in rows if row["tile_width"] == 128)
    assert row["square"] == pytest.approx(
        tile_cycles(config, 128, 128) / (128**2 * steady_cycles_per_pixel(config)) - 1
    )
    assert row["input_pixels"] == pytest.approx((1080 + 16) * (128 + 16) / (1080 * 128) - 1)


def test_frames_wider_than_the_line_buffer_are_cut_into_strips():
    config = load_config("srcnn915", tile_width=960)
    assert frame_rate(config, 1080, 1920) == pytest.approx(
        config.clock_mhz * 1e6 / (2 * tile_cycles(config, 1080, 960))
    )


def test_bench_shows_the_boards_beside_the_measured_and_says_that_they_are_modelled():
    rows = modelled(load_network("srcnn915"), 512)
    assert [row["kind"] for row in rows] == ["modelled"] * len(list_boards()) and all(row["runs"] == 0 for row in rows)
    row = next(row for row in rows if "pynq_z2" in row["what"])
    assert row["mpixel_per_s"] == pytest.approx(150 * 512**2 / tile_cycles(load_config("srcnn915"), 512, 512))
    (video,) = modelled(load_network("abpn8m2", 2), 512)  # of the one board that folds it
    cycles = tile_cycles(load_config("abpn8m2", "pynq_z2", 2), 256, 256)
    assert "pynq_z2" in video["what"] and video["mpixel_per_s"] == pytest.approx(150 * 512**2 / cycles)
    assert modelled(load_network("abpn8m2", 4), 512) == []
    measured = bench([Contender("sum", lambda y: y.sum())], np.ones((8, 8), np.uint8), 2)
    assert set(measured[0]) == set(row) and measured[0]["kind"] == "measured"
