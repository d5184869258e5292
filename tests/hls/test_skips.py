"""FIFOs in front of additions: as deep as derived nothing waits, at the least nothing hangs, and a word less hangs."""

import dataclasses

import numpy as np
import pytest

from hls.csim.accelerator import CsimTop
from hls.design import skips
from hls.design.boards import read_board
from hls.design.config import make_config
from hls.design.dataflow import layer_processes
from hls.packets.packets import parse_answers, tile_packet
from hls.packets.parameters import load_packet
from model.base.errors import UserError
from model.graph.description import load_network
from model.graph.kinds import Add, Conv
from model.graph.network import Network
from model.integer import golden
from model.integer.examples import random_input, random_model

VIDEO = load_network("abpn8m2", 2)
FOLDING = {"conv1": (2, 25), "mid1": (2, 72), "mid2": (2, 72), "residual": (2, 36)}
# A skip of four channels, around layers of other speeds.
WIDE = Network(
    "wide",
    (
        Conv("head", 3, 1, 4, "relu"),
        Conv("middle", 3, 4, 4, "relu"),
        Conv("residual", 5, 4, 8, "none"),
        Add("sum", ("residual", "head")),
    ),
)
WIDE_FOLDING = {"head": (4, 9), "middle": (2, 9), "residual": (8, 50)}


def config_of(network, folding, width=12, height=5):
    return make_config(network, read_board("pynq_z2") | {"tile_width": width, "tile_height": height}, folding)


def with_depth(config, stream, depth):
    """The configuration with another depth of a FIFO."""
    streams = [dataclasses.replace(s, depth=depth) if s.name == stream else s for s in config.dataflow.streams]
    changed = dataclasses.replace(config, board=f"depth{depth}")  # or it would count as the same
    changed.__dict__["dataflow"] = dataclasses.replace(config.dataflow, streams=tuple(streams))
    return changed


def skip_of(config):
    """The stream of the only skip."""
    (joined,) = (j for j in config.dataflow.joined if hasattr(j.process, "skip_words"))
    return joined.streams[2]


def waiting(config):
    """Words that wait in front of the only addition, as derived."""
    processes = {stage.layer.name: layer_processes(stage) for stage in config.stages}
    reader = next(layer for layer in config.network.layers if isinstance(layer, Add))
    return skips.crowds(config.network, config.max_width, processes)[reader.name, reader.inputs[1]]


@pytest.mark.parametrize("width", [20, 40, 960])
def test_a_skip_over_a_halo_waits_for_as_many_rows_and_positions(width):
    """And, at the end of a row, for what the layers between fetch of the next."""
    config = config_of(VIDEO, FOLDING, width)
    row, crop = config.max_width, config.network.halo
    assert crop * row + crop <= waiting(config) <= crop * row + 4 * crop


@pytest.mark.parametrize("network, folding", [(VIDEO, FOLDING), (WIDE, WIDE_FOLDING)], ids=["video", "wide"])
def test_a_word_less_than_the_least_hangs(network, folding):
    """Clock by clock, at the widest tile, several in a row; a narrower tile does with the FIFO that is too small."""
    pytest.importorskip("ziglang", reason="the native build of the kernels needs the package ziglang (make setup)")
    config = config_of(network, folding)
    stream = skip_of(config)
    least = waiting(config)
    given = next(s.depth for s in config.dataflow.streams if s.name == stream)
    assert given > least
    rng = np.random.default_rng(1)
    model = random_model(network, rng)
    widest, narrow = (random_input(network, rng, config.max_height, config.max_width - less) for less in (0, 1))

    def answers(depth, tile):
        top = CsimTop(with_depth(config, stream, depth))
        packets = [load_packet(config, model), *[tile_packet(config, tile, tag) for tag in range(3)]]
        return parse_answers(top.transfer(np.concatenate(packets), clocked=True), network.out_ch)[1:]

    for depth, tile in ((given, widest), (least, widest), (least - 1, narrow)):
        for answer in answers(depth, tile):
            assert np.array_equal(answer.pixels, golden.infer_valid(model, tile))
    with pytest.raises(UserError, match="did not end with TLAST"):
        answers(least - 1, widest)
