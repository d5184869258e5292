"""A network that PyTorch exported, imported, quantised and lowered to Verilog: the golden model's bits."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="import needs the packages onnx and onnxruntime (make setup)")

from hls.design.boards import read_board
from hls.design.config import make_config
from model.base.paths import ROOT
from model.convert.imported import import_network
from model.integer.examples import random_input
from model.quantise.search import quantise
from sim.run import frame
from sim.run.harness import build_harness


def test_imported_network(options):
    """Trained weights, quantised with drawn pictures; tiles of two sizes, gaps and backpressure. Stages of few
    multipliers compile fast.
    """
    if options["rtl"] != "open":
        pytest.skip("this network is not exported by Vitis HLS")
    from sim.run.runner import open_sources

    model = import_network(ROOT / "tests" / "foreign" / "ecbsr_m1c8_old.onnx").model
    network, rng = model.network, np.random.default_rng(3)
    integers, _ = quantise(model, [random_input(network, rng, 64, 80) for _ in range(4)])
    board = read_board("pynq_z2") | {"tile_width": 40, "tile_height": 40}
    config = make_config(network, board, {layer.name: (2, 1) for layer in network.convs})
    program = build_harness(config, open_sources(config), "-O1")
    picture = random_input(network, rng, 13, 17)
    result = frame.run_frame(config, integers, picture, program, (9, 17), options["seed"], 0.3, 0.3, None)
    assert result["tiles"] == 2
