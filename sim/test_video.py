"""Networks for video in Verilog against the golden model: kernels alone, all packets, a whole frame; and a graph with
all the rest: RGB, PReLU, an addition within, additions of several channels, a layer behind depth-to-space.
"""

import json

import numpy as np
import pytest

from hls.design.cycles import tile_cycles
from hls.design.load import load_config
from hls.packets.packets import answer_words, parse_answers, tile_packet
from hls.packets.parameters import load_packet
from model.base.paths import ROOT
from model.integer import golden
from model.integer.examples import random_input, random_model
from sim.run import frame
from sim.run.harness import build_harness, rows_of, simulate

VIDEO = {"network": "abpn8m2", "board": "pynq_z2", "upscale": 2}
MOST = 4.15  # cycles of a 960x540 frame per input pixel, edges included
DESCRIPTIONS = ROOT / "tests" / "descriptions"
GRAPH = {
    "network": str(DESCRIPTIONS / "all_kinds.toml"),
    "board": str(DESCRIPTIONS / "small_board.toml"),
    "upscale": 3,
}


def run_bench(options, chosen, top, bench, test, **environment):
    if options["rtl"] != "open":
        pytest.skip("networks for video are not exported by Vitis HLS")
    from sim.run import runner

    config = load_config(*chosen.values())
    runner.run(config, options | chosen, runner.open_sources(config), top, bench, test, False, environment)


def run_kernel(options, chosen, kernel, test):
    from hls.generate.verilog import build_rtl

    streams = build_rtl(load_config(*chosen.values())).stages[kernel]["streams"]
    environment = {"SIM_KERNEL": kernel, "SIM_STREAMS": json.dumps(streams)}
    run_bench(options, chosen, f"{kernel}_stage", "sim.benches.kernel_bench", test, **environment)


@pytest.mark.parametrize("test", ["words_in_words_out", "reset_in_the_middle"])
@pytest.mark.parametrize("kernel", ["input_fork", "residual", "anchor", "pixels", "packer"])
def test_kernel(options, kernel, test):
    run_kernel(options, VIDEO, kernel, test)


@pytest.mark.parametrize(
    "test", ["every_packet_and_every_error", "tiles_of_odd_sizes", "reset_in_the_middle", "cycles_of_queued_tiles"]
)
def test_top(options, test):
    run_bench(options, VIDEO, "srcnn_top", "sim.benches.top_bench", test)


@pytest.mark.parametrize("test", ["every_packet_and_every_error", "tiles_of_odd_sizes"])
def test_top_of_the_graph(options, test):
    run_bench(options, GRAPH, "srcnn_top", "sim.benches.top_bench", test)


def test_whole_frame(options):
    """All bits of a 960x540 frame at 1920x1080, in the cycles that 60 frames a second allow."""
    if options["rtl"] != "open":
        pytest.skip("the compiled bench knows the names of the open route's top")
    from sim.run import runner

    config = load_config(*VIDEO.values())
    rng, network, height, width = np.random.default_rng(options["seed"]), config.network, 540, 960
    model, picture = random_model(network, rng), random_input(network, rng, height, width)
    tile = golden.pad(picture, network.halo)
    words = 2 + answer_words(config, *tile.shape)
    beats = np.concatenate([rows_of(load_packet(config, model)), rows_of(tile_packet(config, tile))])
    run = simulate(
        build_harness(config, runner.open_sources(config)), beats, words, frame.patience(config), options["seed"]
    )
    frame.check_beats(run, words)
    (answer,) = parse_answers(run.data[2:])
    assert answer.pixels.shape == (1080, 1920) and np.array_equal(answer.pixels, golden.infer(model, picture))
    cycles = int(run.cycle[-1] - run.cycle[1])
    assert cycles <= MOST * height * width
    modelled = tile_cycles(config, height, width)
    assert modelled <= cycles <= 1.01 * modelled
