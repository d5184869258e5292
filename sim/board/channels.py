"""A stand-in for the `pynq` package on whatever has an AXI DMA's registers: buffers behind a cache, a DMA's channels.

Strict as PYNQ and the processor are: data reaches the DMA only after a flush and the host only after an invalidate, a
freed buffer is gone, a channel takes a transfer only when it runs and is idle, and waits without end.

    tests/stand_ins/pynq/fake_pynq.py    on a board in software
    sim/board/board.py                   on `srcnn_top` in simulation
    tests/stand_ins/pynq/real_pynq.py    the package itself instead of this, on the board in software

A board has `read(offset)` and `write(offset, value)` for the DMA's registers; `take_memory(nbytes)`, which returns an
address, `give_back(address)`, `memory` (address: array of uint8) and `flushed(address)`.
"""

import pathlib
from xml.etree import ElementTree

import numpy as np

SEND, RECEIVE = 0x00, 0x30  # where a channel's registers begin
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET = 0x1, 0x4  # of the control register
HALTED, IDLE, INTERNAL_ERROR, ERRORS = 0x1, 0x2, 0x10, 0x70  # of the status register
STALE = 0x5A  # in a fresh cache
MOST_LOOKS = 10_000  # at a channel's state, where PYNQ waits for ever


class Buffer(np.ndarray):
    """What the host sees, its cache; the board's memory is what the DMA sees."""

    def __array_finalize__(self, parent):
        if isinstance(parent, Buffer):
            self.board, self.address, self.start = parent.board, parent.address, parent.start

    @property
    def _offset(self):
        return self.__array_interface__["data"][0] - self.start

    @property
    def physical_address(self):
        return self.address + self._offset

    def _place(self):
        assert self.address in self.board.memory, "a freed buffer was used: a segmentation fault on the board"
        return self.board.memory[self.address][self._offset :][: self.nbytes].view(self.dtype)

    def flush(self):
        self._place()[:] = np.asarray(self)
        self.board.flushed(self.address)

    def invalidate(self):
        np.asarray(self)[:] = self._place()

    def freebuffer(self):
        self._place()
        self.board.give_back(self.address)


def allocate(board, shape, dtype="u4", target=None, cacheable=0):
    """Stand in for `pynq.allocate`."""
    nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    address = board.take_memory(nbytes)
    memory = board.memory[address].view(dtype).reshape(shape)
    buffer = (np.full(nbytes, STALE, np.uint8).view(dtype).reshape(shape) if cacheable else memory).view(Buffer)
    buffer.board, buffer.address, buffer.start = board, address, buffer.__array_interface__["data"][0]
    return buffer


class Channel:
    """One direction of the DMA."""

    def __init__(self, board, base, most_bytes):
        self.board, self.base, self.most_bytes, self.active, self.transferred = board, base, most_bytes, None, 0
        self.start()

    def _status(self, bits):
        return self.board.read(self.base + STATUS) & bits

    @property
    def running(self):
        return not self._status(HALTED)

    @property
    def idle(self):
        return bool(self._status(IDLE))

    @property
    def error(self):
        return bool(self._status(ERRORS))

    def start(self):
        self.board.write(self.base + CONTROL, RUN)
        self._wait_for("running")
        self.fresh = True  # no transfer yet: not idle either

    def transfer(self, array, start=0, nbytes=0):
        assert start == 0, "not modelled"
        nbytes = nbytes or array.nbytes
        if not self.running or not (self.idle or self.fresh):
            raise RuntimeError("DMA channel not idle")
        if nbytes > self.most_bytes:
            raise ValueError("Transfer size exceeds the maximum")
        if self.base == SEND:
            array.flush()
        address = array.physical_address
        for offset, value in ((ADDRESS, address & 0xFFFFFFFF), (ADDRESS_HIGH, address >> 32), (LENGTH, nbytes)):
            self.board.write(self.base + offset, value)
        self.active, self.fresh, self.transferred = array, False, 0

    def wait(self):
        if self.error or not self.running:
            raise RuntimeError("DMA error")
        self._wait_for("idle")
        if self.base == RECEIVE:
            self.active.invalidate()
        self.transferred = self.board.read(self.base + LENGTH)

    def _wait_for(self, state):
        for _ in range(MOST_LOOKS):
            if getattr(self, state):
                return
        raise AssertionError(f"this would hang on the board: waiting for a channel that is never {state}")


class Dma:
    """The DMA that a handoff file describes."""

    def __init__(self, board, parameters):
        self.board, self.description = board, {"parameters": parameters}
        self.buffer_max_size = (1 << int(parameters["c_sg_length_width"])) - 1
        self.sendchannel = Channel(board, SEND, self.buffer_max_size) if parameters["c_include_mm2s"] == "1" else None
        self.recvchannel = (
            Channel(board, RECEIVE, self.buffer_max_size) if parameters["c_include_s2mm"] == "1" else None
        )

    def read(self, offset=0):
        return self.board.read(offset)

    def write(self, offset, value):
        self.board.write(offset, value)


def find_dmas(board, bitfile):
    """Return the DMAs of an overlay by name."""
    modules = ElementTree.parse(pathlib.Path(bitfile).with_suffix(".hwh")).iter("MODULE")
    return {
        module.get("INSTANCE"): Dma(board, {p.get("NAME"): p.get("VALUE") for p in module.iter("PARAMETER")})
        for module in modules
        if module.get("MODTYPE") == "axi_dma"
    }
