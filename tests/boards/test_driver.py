"""The PYNQ driver on a board in software: the right bits, the right order of operations, and every fault survived."""

import re

import numpy as np
import pytest

from hls.design.load import load_config
from hls.packets.packets import ERROR_TEXT, ERRORS
from host.board import buffers, overlay
from host.board.driver import Driver
from model.base.errors import UserError
from model.integer.examples import random_input
from tests.boards.drivers import CONFIG, HALO, SHAPES, Pynq, check, make_tiles, write_overlay
from tests.random_models import random_model, random_rgb_model

pytestmark = pytest.mark.usefixtures("clock")


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
