"""A driver on a board in software, and a clock that does not depend on how busy this machine is."""

import pytest

from host.board.driver import Driver
from sim.board import handoff
from tests.boards.drivers import CONFIG, Pynq


class Clock:
    """The driver's clock: time passes by looking at it and by sleeping, however busy this machine is."""

    def __init__(self):
        self.now_s = 0.0

    def monotonic(self):
        self.now_s += 1e-4
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


@pytest.fixture
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
