"""The PYNQ driver on a board in software: the right bits, the right order of operations, and every fault survived.

In the environment of the tests a stand-in for PYNQ is between driver and board; where the real package is installed, it
is that (test_pynq.py runs this file there).
"""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from hls.design.load import load_config
from hls.packets.packets import ERROR_TEXT, ERRORS
from host.board import buffers, overlay
from host.board.driver import Driver
from host.board.overlay import board_name, read_manifest
from model.base.errors import UserError
from model.integer import golden
from model.integer.examples import random_input
from sim.board import handoff
from tests.random_models import random_model, random_rgb_model
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


class Clock:
    """The driver's clock: time passes by looking at it and by sleeping, however busy this machine is."""

    def __init__(self):
        self.now_s = 0.0

    def monotonic(self):
        self.now_s += 1e-4
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("host.board.driver.time", clock)
    return clock


@pytest.fixture
def open_driver(tmp_path, models):
    """Return a function that gives a board in software and a driver on it; afterwards the board's complaints fail the
    test.
    """
    boards, drivers = [], []

    def open_on(fault=None, config=CONFIG, batch_bytes=1000, until_download=True, hardware=None, model=None, **changes):
        model = model or models["srcnn915"]
        boards.append(Pynq(config, model, fault))
        boards[-1].fault_until_download = until_download
        folder = handoff.write_overlay(tmp_path / f"{config.board}-{len(boards)}", config, hardware=hardware, **changes)
        drivers.append(Driver(folder, model, pynq=boards[-1], batch_bytes=batch_bytes))
        return boards[-1], drivers[-1]

    yield open_on
    for driver in drivers:
        driver.close()
    for board in boards:
        assert board.violations == [] and board.live_buffers == 0


def check(driver, model, tiles):
    count = 0
    for tile, result in zip(tiles, driver.infer(iter(tiles)), strict=True):
        np.testing.assert_array_equal(result, golden.infer_valid(model, tile, workers=1))
        count += 1
    assert count == len(tiles)


@pytest.mark.parametrize("name", ["pynq_z2", "kv260"])
def test_bits_order_and_buffers(open_driver, models, name):
    board, driver = open_driver(config=load_config("srcnn915", name))
    assert board.log == ["download", "arm", "send", "done"]  # one transfer identifies and loads
    check(driver, models["srcnn915"], make_tiles(1) * 3)
    transfers, allocations = board.transfers, board.allocations
    assert 3 < transfers < 1 + 3 * len(SHAPES)  # several tiles per transfer, several transfers
    check(driver, models["srcnn915"], make_tiles(2) * 3)
    check(driver, models["srcnn915"], [])
    assert board.loads == 1 and board.log.count("download") == 1
    assert board.allocations == allocations and board.transfers == 2 * transfers - 1
    driver.close()
    assert board.live_buffers == 0


VIDEO = [("abpn8m2", 2, "pynq_z2"), ("abpn8m5", 3, "pynq_z2"), ("abpn18m6", 4, "kv260"), ("colours", 2, "pynq_z2")]


@pytest.mark.parametrize("name, upscale, board", VIDEO)
def test_networks_at_low_resolution(open_driver, monkeypatch, name, upscale, board):
    """Tiles of Y or of colours, answers scale times as large, on an overlay of their own."""
    if name == "colours":  # in no description: its overlay's manifest could not be read back
        model = random_rgb_model(upscale)
        config = load_config(model.network, board, folding={"conv1": (2, 9), "residual": (3, 12)})
        monkeypatch.setattr(overlay, "_described", lambda found: config)
    else:
        model = random_model(name, upscale)
        config = load_config(model.network, board)
    board, driver = open_driver(config=config, model=model, batch_bytes=300 * upscale**2)
    network, rng = model.network, np.random.default_rng(4)
    tiles = [
        random_input(network, rng, height + 2 * network.halo, width + 2 * network.halo) for height, width in SHAPES
    ]
    check(driver, model, tiles * 2)
    assert 2 < board.transfers < 1 + 2 * len(SHAPES)
    assert driver.largest_tile[1] == config.tile_width and 1000 < driver.largest_tile[0] <= config.tile_height
    board.fault = "wrong size"
    with pytest.raises(UserError, match="out of step"):
        list(driver.infer(tiles))
    check(driver, model, tiles)


def test_the_larger_answer_limits_a_transfer(open_driver):
    """The length register counts what comes back as well: scale * scale bytes for one."""
    model = random_model("abpn8m2", 2)
    config = load_config(model.network, "pynq_z2")
    _, driver = open_driver(config=config, model=model, hardware={"c_sg_length_width": 16}, batch_bytes=1 << 20)
    rows, columns = driver.largest_tile
    assert columns == config.tile_width and (rows + 1) * columns * 4 > 65535 - 16 - 8 >= rows * columns * 4
    halo = config.network.halo
    fits, over = (np.zeros((height + 2 * halo, columns + 2 * halo), np.uint8) for height in (rows, rows + 1))
    check(driver, model, [fits])
    with pytest.raises(UserError, match=r"takes 69136 bytes, one DMA transfer at most 65528; choose a smaller --tile"):
        list(driver.infer([over]))


def test_one_transfer_for_all_that_fits(open_driver, models):
    board, driver = open_driver(batch_bytes=1 << 20)
    check(driver, models["srcnn915"], make_tiles(3))
    assert board.transfers == 2


def test_packing_overlaps_with_computing(open_driver, models):
    board, driver = open_driver(batch_bytes=1)  # one tile per transfer

    def tiles():
        for tile in make_tiles(4):
            board.log.append("pull")
            yield tile

    start = len(board.log)
    for _ in driver.infer(tiles()):
        board.log.append("take")
    # while transfer n runs, tile n + 1 is pulled and packed; while n + 1 runs, result n is taken
    middle = ["done", "arm", "send", "take", "pull"]
    assert board.log[start:] == [
        "pull",
        "pull",
        "arm",
        "send",
        "pull",
        *(middle * 3),
        *(middle[:4] * 2),
        "done",
        "take",
    ]


FAULTS = {
    "no answer": "did not finish in time.*send channel idle .*receive channel busy .*its answer or the TLAST at its "
    "end is missing; run again",
    "stuck": "did not finish in time.*send channel busy .*receive channel busy .*the kernel takes no more words; run "
    "again",
    "DMA error": "reported an error.*receive channel internal error .status 0x000000[0-9a-f]+",
    "address error": "reported an error.*send channel decode error",
    "no TLAST": "(reported an error|failed).*receive channel internal error.*the answer is longer than expected, or "
    "its TLAST is missing",
    "short answer": "cut short",
    "one tile less": "answered [0-9]+ bytes where [0-9]+ were expected",
    "error answer": re.escape(f"reported an error: {ERROR_TEXT[ERRORS['too_large']]}"),
    "cut short": re.escape(f"reported an error: {ERROR_TEXT[ERRORS['truncated']]}"),
    "garbage": "no answer header",
    "wrong tag": "out of step",
    "wrong size": "out of step",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_and_survived(open_driver, models, fault):
    board, driver = open_driver()
    check(driver, models["srcnn915"], make_tiles(5))
    board.fault = fault
    with pytest.raises(UserError, match=FAULTS[fault]) as caught:
        list(driver.infer(make_tiles(6)))
    assert "\n" not in str(caught.value)
    board.log.clear()
    check(driver, models["srcnn915"], make_tiles(7))
    assert board.log[:2] == ["reset", "download"] and board.loads == 2


def test_a_process_that_slept_past_the_deadline(open_driver, models, clock):
    """The DMA has long finished: that is no time-out."""
    board, driver = open_driver(batch_bytes=1)
    results = driver.infer(iter(make_tiles(5)))
    next(results)
    clock.sleep(1000)
    assert len(list(results)) == len(SHAPES) - 1
    assert board.log.count("download") == 1


def test_a_lasting_fault_stays_an_error_and_close_stops_the_dma(open_driver):
    board, driver = open_driver()
    board.fault, board.fault_until_download = "no answer", False
    for seed in (8, 9):
        with pytest.raises(UserError, match="did not finish in time"):
            list(driver.infer(make_tiles(seed)))
    board.log.clear()
    driver.close()
    assert board.log == ["reset"] and board.live_buffers == 0  # never free what a DMA still writes to


def test_a_dma_that_cannot_be_reset_keeps_its_memory(tmp_path, models, monkeypatch):
    monkeypatch.setattr("host.board.driver._abandoned", [])
    board = Pynq(CONFIG, models["srcnn915"])
    driver = Driver(write_overlay(tmp_path / "pynq_z2"), models["srcnn915"], pynq=board)
    board.fault = "stuck"
    with pytest.raises(UserError, match="did not finish"):
        list(driver.infer(make_tiles(10)))
    board.fault = "stuck reset"
    with pytest.raises(UserError, match="cannot be reset .*power the board off"):
        list(driver.infer(make_tiles(10)))
    alive = board.live_buffers
    driver.close()
    assert board.live_buffers == alive > 0 and board.violations == []
    board.fault = None
    board.write(0, 4)  # the test's end


def test_a_channel_that_does_not_start_again(open_driver):
    board, driver = open_driver()
    board.fault = "stuck"
    with pytest.raises(UserError, match="did not finish"):
        list(driver.infer(make_tiles(10)))
    board.fault, board.fault_until_download = "stuck start", False
    with pytest.raises(
        UserError, match="could not be loaded anew .*the send channel does not start.*power the board off"
    ):
        list(driver.infer(make_tiles(10)))


def test_caller_who_stops_listening(open_driver, models):
    board, driver = open_driver(batch_bytes=1)
    results = driver.infer(make_tiles(11))
    next(results)
    results.close()  # a transfer is under way
    check(driver, models["srcnn915"], make_tiles(12))
    assert board.log.count("reset") == 1


def test_interrupted(open_driver, models):
    board, driver = open_driver(batch_bytes=1)

    def tiles():
        yield from make_tiles(11)[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(driver.infer(tiles()))
    check(driver, models["srcnn915"], make_tiles(12))
    assert board.log.count("reset") == 1


def test_two_pictures_at_once(open_driver, models):
    """The later one counts, whether the earlier was forgotten or goes on."""
    board, driver = open_driver(batch_bytes=1)
    results = driver.infer(make_tiles(11))
    next(results)
    check(driver, models["srcnn915"], make_tiles(12))
    with pytest.raises(UserError, match="another picture was begun on this board, .*one after the other"):
        next(results)
    check(driver, models["srcnn915"], make_tiles(13))
    assert board.log.count("reset") == 1


def test_closed_in_the_middle(open_driver):
    board, driver = open_driver(batch_bytes=1)
    results = driver.infer(make_tiles(11))
    next(results)
    driver.close()
    with pytest.raises(UserError, match="or the driver closed, before this one was done"):
        next(results)


def test_a_closed_driver(open_driver):
    board, driver = open_driver()
    driver.close()
    driver.close()
    with pytest.raises(UserError, match="driver is closed; open it again"):
        list(driver.infer(make_tiles(12)))


def test_one_driver_at_a_time(tmp_path, models):
    folder, board = write_overlay(tmp_path / "pynq_z2"), Pynq(CONFIG, models["srcnn915"])
    driver = Driver(folder, models["srcnn915"], pynq=board)
    with pytest.raises(UserError, match="used by another program or notebook; wait for it"):
        Driver(folder, models["srcnn915"], pynq=board)
    check(driver, models["srcnn915"], make_tiles(13))  # undisturbed
    driver.close()
    Driver(folder, models["srcnn915"], pynq=board).close()


def test_wrong_hardware_is_refused_and_nothing_leaks(open_driver):
    with pytest.raises(
        UserError, match=f"config id {CONFIG.config_id ^ 1:#010x}, its manifest says {CONFIG.config_id:#010x}"
    ):
        open_driver("wrong config", until_download=False)


def test_out_of_contiguous_memory(open_driver, models):
    board, driver = open_driver()
    board.fault, board.fault_until_download = "out of memory", False
    with pytest.raises(UserError, match="no contiguous memory for buffers of [0-9]+ bytes.*smaller --tile"):
        list(driver.infer(make_tiles(13, [(100, 300)])))
    board.fault = None
    check(driver, models["srcnn915"], make_tiles(14))


def test_out_of_memory_while_a_transfer_runs(open_driver, models):
    board, driver = open_driver(batch_bytes=1)
    tiles = make_tiles(13, [(100, 200), (100, 300)])

    def starve():
        yield tiles[0]
        board.fault, board.fault_until_download = "out of memory", False
        yield tiles[1]

    with pytest.raises(UserError, match="no contiguous memory"):
        list(driver.infer(starve()))
    board.fault = None
    check(driver, models["srcnn915"], make_tiles(14))


def test_memory_that_the_dma_does_not_reach(open_driver):
    with pytest.raises(UserError, match="ends at address 0x1[0-9a-f]+, the DMA reaches 32 bits"):
        open_driver("out of reach", until_download=False)


def test_small_buffers_are_not_small(open_driver):
    board, driver = open_driver()
    assert all(len(memory) >= buffers.LEAST_BYTES for memory in board.memory.values())


def test_tiles_that_do_not_fit(open_driver, models):
    board, driver = open_driver()
    assert driver.largest_tile == (CONFIG.tile_height, CONFIG.tile_width)
    rows, columns = driver.largest_tile
    with pytest.raises(UserError, match="wider than the line buffers"):
        list(driver.infer([np.zeros((20, columns + 2 * HALO + 1), np.uint8)]))
    with pytest.raises(UserError, match="over the limit"):
        list(driver.infer([np.zeros((rows + 2 * HALO + 1, 20), np.uint8)]))
    board, driver = open_driver(hardware={"c_sg_length_width": 16})
    with pytest.raises(UserError, match="one DMA transfer at most 65528; choose a smaller --tile"):
        list(driver.infer([np.zeros((256, 256), np.uint8)]))
    check(driver, models["srcnn915"], make_tiles(15))


@pytest.mark.parametrize(
    "hardware, changes, says",
    [
        (
            {"c_sg_length_width": 14},
            {},
            "transfers 16383 bytes at most, too few for a tile; build the overlay with the widest length register",
        ),  # Vivado's default
        ({"c_include_sg": 1}, {}, "has no DMA axi_dma_0 for this driver .*without scatter-gather"),
        ({"c_include_mm2s": 0}, {}, "has no DMA axi_dma_0 for this driver .*has to send and to receive"),
        ({}, {"dma": "axi_dma_7"}, "has no DMA axi_dma_7 for this driver"),
    ],
)
def test_overlays_with_another_dma(open_driver, hardware, changes, says):
    with pytest.raises(UserError, match=says):
        open_driver(hardware=hardware, **changes)


class NoRoot(Pynq):
    def Overlay(self, bitfile):
        raise OSError("Root permissions required.")


class NewNumpy(Pynq):
    def allocate(self, *arguments, **keywords):
        raise AttributeError("attribute 'device' of 'numpy.ndarray' objects is not writable")


@pytest.mark.parametrize(
    "kind, says",
    [
        (NoRoot, "cannot be loaded .*Root permissions.*run as root"),
        (NewNumpy, "PYNQ cannot make buffers .*not writable.*with numpy [0-9.]+; it needs numpy below 2"),
    ],
)
def test_pynq_that_fails(tmp_path, models, kind, says):
    with pytest.raises(UserError, match=says):
        Driver(write_overlay(tmp_path / "pynq_z2"), models["srcnn915"], pynq=kind(CONFIG, models["srcnn915"]))


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"network": None}, "no manifest of an overlay"),
        ({"config_id": "0x00000001"}, "has config id 0x00000001, this checkout's"),
        ({"config_id": "hello"}, "no manifest"),
        ({"config_id": 5}, "no manifest"),
        ({"files": {}}, "has to name one .bit and its .hwh"),
        ({"files": {"srcnn.bit": "0" * 64, "srcnn.hwh": "0" * 64}}, "is not the file that the manifest describes"),
        ({"files": {"a.bit": "0" * 64, "a.hwh": "0" * 64}}, "cannot be read"),
        ({"network": "srcnn000"}, "no network"),
    ],
)
def test_manifests(tmp_path, changes, says):
    with pytest.raises(UserError, match=says):
        read_manifest(write_overlay(tmp_path / "pynq_z2", **changes))


@pytest.mark.parametrize(
    "text, says", [(None, "no overlay in .*pynq_z2"), ("", "no manifest"), ("[]", "no manifest"), ("{", "no manifest")]
)
def test_manifest_files(tmp_path, text, says):
    folder = write_overlay(tmp_path / "pynq_z2")
    (folder / "manifest.json").unlink() if text is None else (folder / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=says):
        read_manifest(folder)


@pytest.mark.parametrize(
    "variable, name", [("Pynq-Z2", "pynq_z2"), ("KV260", "kv260"), ("Ultra96", None), ("", None), (None, None)]
)
def test_board_names_of_pynq_images(monkeypatch, variable, name):
    monkeypatch.delenv("BOARD", raising=False)
    if variable is not None:
        monkeypatch.setenv("BOARD", variable)
    assert board_name() == name


@pytest.mark.parametrize("content, name", [("Pynq-Z2\0", "pynq_z2"), ("Unknown\0", None), (None, None)])
def test_board_name_without_the_variable(monkeypatch, tmp_path, content, name):
    """`sudo` drops $BOARD."""
    monkeypatch.delenv("BOARD", raising=False)
    monkeypatch.setattr(overlay, "DEVICE_TREE", tmp_path / "pynq_board")
    if content is not None:
        (tmp_path / "pynq_board").write_text(content)
    assert board_name() == name


def test_too_old_python():
    code = "import sys; sys.version_info = (3, 8, 2); import host"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=overlay.ROOT,
        env={**os.environ, "PYTHONPATH": str(overlay.ROOT)},
        capture_output=True,
        text=True,
    )
    assert (
        ended.returncode == 1
        and ended.stderr
        == "error: Python 3.10 or newer is needed, this is 3.8; use the Python of a PYNQ 3.0 image or newer\n"
    )
