"""What tests of the driver share: tiles, overlays, the board that the driver is tried on.

In the environment of the tests a stand-in for PYNQ is between driver and board; where the real package is installed, it
is that (test_pynq.py runs the tests there).
"""

import numpy as np

from hls.design.load import load_config
from model.integer import golden
from sim.board import handoff
from tests.stand_ins.pynq import real_pynq
from tests.stand_ins.pynq.fake_pynq import FakePynq

Pynq = real_pynq.RealPynq if real_pynq.INSTALLED else FakePynq
CONFIG = load_config("srcnn915", "pynq_z2")
HALO = CONFIG.network.halo
SHAPES = [(5, 9), (1, 1), (12, 3), (4, 16), (7, 7), (2, 30)]  # of the outputs


def make_tiles(seed, shapes=SHAPES):
    print("seed", seed)
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (height + 2 * HALO, width + 2 * HALO)).astype(np.uint8) for height, width in shapes]


def write_overlay(folder, **changes):
    """Write an overlay folder of `CONFIG` whose manifest is right but for `changes`."""
    return handoff.write_overlay(folder, CONFIG, **changes)


def check(driver, model, tiles):
    count = 0
    for tile, result in zip(tiles, driver.infer(iter(tiles)), strict=True):
        np.testing.assert_array_equal(result, golden.infer_valid(model, tile, workers=1))
        count += 1
    assert count == len(tiles)
