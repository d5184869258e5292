"""The FIFO in which an earlier tensor waits for its addition, in Verilog: at the derived depth nothing hangs, with a
word less everything stands still. `tests/hls/test_skips.py` has the same of the C++ kernels.
"""

import dataclasses

import numpy as np
import pytest

from hls.design import skips
from hls.design.boards import read_board
from hls.design.config import make_config
from hls.design.cycles import tile_cycles
from hls.design.dataflow import layer_processes
from hls.generate.verilog import build_rtl
from hls.open.pipeline.netlist import DEEP, DEEP_FIFO
from hls.packets.packets import answer_words, parse_answers, tile_packet
from hls.packets.parameters import load_packet
from model.graph.kinds import Add, Conv, DepthToSpace
from model.graph.network import Network
from model.integer import golden
from model.integer.examples import random_input, random_model
from sim.run import frame
from sim.run.harness import build_harness, rows_of, simulate


def anchored(k):
    """A network whose first layer is k wide; every process of it takes two cycles per position."""
    layers = (
        Conv("head", k, 1, 2, "relu"),
        Conv("residual", 3, 2, 4, "none"),
        Add("anchor", ("residual", "input")),
        DepthToSpace("pixels", 2),
    )
    return Network(f"anchored{k}", layers, "y")


def config_of(network, width):
    board = read_board("pynq_z2") | {"tile_width": width, "tile_height": 50}
    return make_config(network, board, {"head": (1, network.layers[0].taps), "residual": (2, 18)})


def skip_of(config):
    """The stream of the skip, and the words that wait in it, as derived."""
    (joined,) = (j for j in config.dataflow.joined if hasattr(j.process, "skip_words"))
    processes = {stage.layer.name: layer_processes(stage) for stage in config.stages}
    return joined.streams[2], skips.crowds(config.network, config.max_width, processes)["anchor", "input"]


def with_depth(config, stream, depth):
    """The configuration with another depth of a FIFO."""
    streams = [dataclasses.replace(s, depth=depth) if s.name == stream else s for s in config.dataflow.streams]
    changed = dataclasses.replace(config, board=f"depth{depth}")  # or it would count as the same
    changed.__dict__["dataflow"] = dataclasses.replace(config.dataflow, streams=tuple(streams))
    return changed


def run(config, tile, model):
    packets = [tile_packet(config, tile, tag) for tag in range(3)]
    expected = 2 + 3 * answer_words(config, *tile.shape)
    rows = np.concatenate([rows_of(load_packet(config, model)), rows_of(np.concatenate(packets))])
    program = build_harness(config, build_rtl(config).files, "-O1")
    return simulate(program, rows, expected, frame.patience(config))


def complete(result, tile, model):
    answers = parse_answers(result.data[2:]) if result.complete else []
    return len(answers) == 3 and all(np.array_equal(a.pixels, golden.infer_valid(model, tile)) for a in answers)


@pytest.fixture(autouse=True)
def open_route(options):
    if options["rtl"] != "open":
        pytest.skip("networks for video are not exported by Vitis HLS")


def test_a_word_less_than_the_least_hangs(options):
    """The derivation counts the words that the kernels hold; of this network the pipelines hold none beyond."""
    network = anchored(3)
    config = config_of(network, 300)
    stream, least = skip_of(config)
    rng = np.random.default_rng(options["seed"])
    model = random_model(network, rng)
    widest, narrow = (random_input(network, rng, 6 + 2 * network.halo, config.max_width - less) for less in (0, 1))
    enough, less = (with_depth(config, stream, depth) for depth in (least, least - 1))
    assert DEEP_FIFO in (build_rtl(less).folder / "input_fork_stage.sv").read_text() and least - 1 > DEEP
    assert complete(run(enough, widest, model), widest, model)
    assert complete(run(less, narrow, model), narrow, model), "a tile that is narrower by one does with a word less"
    hung = run(less, widest, model)
    assert not hung.complete


def test_a_row_takes_what_its_slowest_process_does(options):
    """What an addition drops at the ends of a row delays nobody: the FIFO in front of it holds what comes meanwhile.

    With a FIFO of two positions a row takes 25 cycles more than the model says here; on a KV260 at x2 it took 48.
    """
    network = anchored(9)
    config = config_of(network, 60)
    rng = np.random.default_rng(options["seed"])
    model, halo, columns = random_model(network, rng), network.halo, 40
    spent = []
    for rows in (10, 50):
        result = run(config, random_input(network, rng, rows + 2 * halo, columns + 2 * halo), model)
        starts = result.cycle[1 :: answer_words(config, rows + 2 * halo, columns + 2 * halo)].astype(int)
        spent.append(starts[2] - starts[1])
    measured = (spent[1] - spent[0]) / 40
    modelled = (tile_cycles(config, 50, columns) - tile_cycles(config, 10, columns)) / 40
    assert modelled <= measured <= modelled + 3, f"{measured} cycles from row to row, the model says {modelled}"
