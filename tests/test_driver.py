"""The PYNQ driver against a software board: the right bits, the right order of operations, and every fault survived."""

import hashlib
import json
import re

import numpy as np
import pytest

from fake_pynq import FakePynq
from hls.config import load_config
from host.driver import Driver
from host.overlay import board_name, read_manifest
from host.packets import ERROR_TEXT, ERRORS
from model import golden
from model.errors import UserError

CONFIG = load_config("srcnn915", "pynq_z2")
HALO = CONFIG.network.halo
SHAPES = [(5, 9), (1, 1), (12, 3), (4, 16), (7, 7), (2, 30)]  # of the outputs


def make_tiles(seed, shapes=SHAPES):
    print("seed", seed)
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (height + 2 * HALO, width + 2 * HALO)).astype(np.uint8) for height, width in shapes]


def write_overlay(folder, **changes):
    """Write an overlay folder whose manifest is right but for `changes`."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name in ("srcnn.bit", "srcnn.hwh"):
        (folder / name).write_text(name)
        files[name] = hashlib.sha256(name.encode()).hexdigest()
    manifest = {"network": "srcnn915", "board": "pynq_z2", "config_id": f"{CONFIG.config_id:#010x}", "files": files}
    manifest.update(changes)
    (folder / "manifest.json").write_text(json.dumps({key: value for key, value in manifest.items() if value is not None}))
    return folder


@pytest.fixture
def overlay(tmp_path):
    return write_overlay(tmp_path / "pynq_z2")


@pytest.fixture
def open_driver(overlay, models):
    """Return a function that gives a software board and a driver on it; afterwards the board's complaints fail the test."""
    boards, drivers = [], []

    def open_on(fault=None, batch_bytes=1000, **options):
        boards.append(FakePynq(CONFIG, models["srcnn915"], fault))
        drivers.append(Driver(overlay, models["srcnn915"], pynq=boards[-1], batch_bytes=batch_bytes, patience_s=0.2, **options))
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


def test_bits_order_and_buffers(open_driver, models):
    board, driver = open_driver()
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
    assert board.log[start:] == ["pull", "pull", "arm", "send", "pull", *(middle * 3), *(middle[:4] * 2), "done", "take"]


FAULTS = {
    "no answer": "did not finish in time.*send channel idle, receive channel busy.*run again",
    "stuck": "did not finish in time.*send channel busy, receive channel busy",
    "DMA error": "reported an error.*receive channel error",
    "short answer": "cut short",
    "one tile less": "answered [0-9]+ bytes where [0-9]+ were expected",
    "error answer": re.escape(f"reported an error: {ERROR_TEXT[ERRORS['too_large']]}"),
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


def test_a_lasting_fault_stays_an_error_and_close_stops_the_dma(open_driver):
    board, driver = open_driver()
    board.fault, board.fault_until_download = "no answer", False
    for seed in (8, 9):
        with pytest.raises(UserError, match="did not finish in time"):
            list(driver.infer(make_tiles(seed)))
    board.log.clear()
    driver.close()
    assert board.log == ["reset"] and board.live_buffers == 0  # never free what a DMA still writes to


def test_a_dma_that_cannot_be_reset(open_driver):
    board, driver = open_driver()
    board.fault = "no answer"
    with pytest.raises(UserError):
        list(driver.infer(make_tiles(10)))
    board.fault = "stuck reset"
    with pytest.raises(UserError, match="cannot be reset .*power the board off"):
        list(driver.infer(make_tiles(10)))


def test_caller_who_stops_listening(open_driver, models):
    board, driver = open_driver(batch_bytes=1)
    results = driver.infer(make_tiles(11))
    next(results)
    results.close()  # a transfer is under way
    check(driver, models["srcnn915"], make_tiles(12))
    assert board.log.count("reset") == 1


def test_wrong_hardware_is_refused_and_nothing_leaks(open_driver, overlay, models):
    board = FakePynq(CONFIG, models["srcnn915"], "wrong config")
    board.fault_until_download = False
    with pytest.raises(UserError, match=f"config id {CONFIG.config_id ^ 1:#010x}, its manifest says {CONFIG.config_id:#010x}"):
        Driver(overlay, models["srcnn915"], pynq=board)
    assert board.live_buffers == 0


def test_out_of_contiguous_memory(open_driver, models):
    board, driver = open_driver()
    board.fault, board.fault_until_download = "out of memory", False
    with pytest.raises(UserError, match="no contiguous memory for buffers of [0-9]+ bytes.*smaller --tile"):
        list(driver.infer(make_tiles(13, [(100, 300)])))
    board.fault = None
    check(driver, models["srcnn915"], make_tiles(14))


def test_tiles_that_do_not_fit(open_driver, overlay, models):
    board, driver = open_driver()
    assert driver.largest_tile == (CONFIG.tile_height, CONFIG.tile_width)
    rows, columns = driver.largest_tile
    with pytest.raises(UserError, match="wider than the line buffers"):
        list(driver.infer([np.zeros((20, columns + 2 * HALO + 1), np.uint8)]))
    with pytest.raises(UserError, match="over the limit"):
        list(driver.infer([np.zeros((rows + 2 * HALO + 1, 20), np.uint8)]))
    board.axi_dma_0.buffer_max_size = (1 << 16) - 1
    driver = Driver(overlay, models["srcnn915"], pynq=board)
    with pytest.raises(UserError, match="one DMA transfer at most 65528; choose a smaller --tile"):
        list(driver.infer([np.zeros((256, 256), np.uint8)]))
    check(driver, models["srcnn915"], make_tiles(15))
    driver.close()


def test_dma_with_a_short_length_register(overlay, models):
    board = FakePynq(CONFIG, models["srcnn915"])
    board.axi_dma_0.buffer_max_size = (1 << 14) - 1  # Vivado's default
    with pytest.raises(UserError, match="transfers 16383 bytes at most, too few for a tile; build the overlay with the widest"):
        Driver(overlay, models["srcnn915"], pynq=board)
    assert board.live_buffers == 0


def test_overlay_that_cannot_be_loaded(overlay, models):
    class NoRoot:
        @staticmethod
        def Overlay(bitfile):
            raise RuntimeError("Root permissions required.")

    with pytest.raises(UserError, match="cannot be loaded .*Root permissions.*run as root"):
        Driver(overlay, models["srcnn915"], pynq=NoRoot)


@pytest.mark.parametrize("changes, says", [
    ({"network": None}, "no manifest of an overlay"),
    ({"config_id": "0x00000001"}, "has config id 0x00000001, this checkout's"),
    ({"config_id": "hello"}, "no manifest"),
    ({"config_id": 5}, "no manifest"),
    ({"files": {}}, "has to name one .bit and its .hwh"),
    ({"files": {"srcnn.bit": "0" * 64, "srcnn.hwh": "0" * 64}}, "is not the file that the manifest describes"),
    ({"files": {"a.bit": "0" * 64, "a.hwh": "0" * 64}}, "cannot be read"),
    ({"network": "srcnn000"}, "no network"),
])
def test_manifests(tmp_path, changes, says):
    with pytest.raises(UserError, match=says):
        read_manifest(write_overlay(tmp_path / "pynq_z2", **changes))


@pytest.mark.parametrize("text, says", [(None, "no overlay for pynq_z2"), ("", "no manifest"), ("[]", "no manifest"), ("{", "no manifest")])
def test_manifest_files(tmp_path, text, says):
    folder = write_overlay(tmp_path / "pynq_z2")
    (folder / "manifest.json").unlink() if text is None else (folder / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=says):
        read_manifest(folder)


@pytest.mark.parametrize("variable, name", [("Pynq-Z2", "pynq_z2"), ("KV260", "kv260"), ("Ultra96", None), ("", None), (None, None)])
def test_board_names_of_pynq_images(monkeypatch, variable, name):
    monkeypatch.delenv("BOARD", raising=False)
    if variable is not None:
        monkeypatch.setenv("BOARD", variable)
    assert board_name() == name
