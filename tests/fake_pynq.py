"""A stand-in for the `pynq` package on a board in software: buffers behind a cache, and a DMA's two channels.

Strict as PYNQ and the processor are: data reaches the DMA only after a flush and the host only after an invalidate, a
freed buffer is gone, a channel takes a transfer only when it runs and is idle, and waits without end. The same tests run
on the real package (real_pynq.py); this one needs none.
"""

import pathlib
from xml.etree import ElementTree

import numpy as np

from soft_board import ADDRESS, ADDRESS_HIGH, CONTROL, HALTED, IDLE, LENGTH, RECEIVE, RUN, SEND, STATUS, SoftBoard

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
        return self.board.memory[self.address][self._offset:][:self.nbytes].view(self.dtype)

    def flush(self):
        self._place()[:] = np.asarray(self)
        self.board.flushed(self.address)

    def invalidate(self):
        np.asarray(self)[:] = self._place()

    def freebuffer(self):
        self._place()
        self.board.give_back(self.address)


class Channel:
    """One direction of the DMA."""

    def __init__(self, board, base, most_bytes):
        self.board, self.base, self.most_bytes, self.active, self.transferred = board, base, most_bytes, None, 0
        self.fresh = True  # not a transfer yet: not idle either
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
        return bool(self._status(0x70))

    def start(self):
        self.board.write(self.base + CONTROL, RUN)
        self._wait_for("running")
        self.fresh = True

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
    def __init__(self, board, parameters):
        self.board, self.description = board, {"parameters": parameters}
        self.buffer_max_size = (1 << int(parameters["c_sg_length_width"])) - 1
        self.sendchannel = Channel(board, SEND, self.buffer_max_size) if parameters["c_include_mm2s"] == "1" else None
        self.recvchannel = Channel(board, RECEIVE, self.buffer_max_size) if parameters["c_include_s2mm"] == "1" else None

    def read(self, offset=0):
        return self.board.read(offset)

    def write(self, offset, value):
        self.board.write(offset, value)


class FakePynq(SoftBoard):
    """The `pynq` package: `Overlay(bitfile)` and `allocate(...)`; also the overlay itself, and the board below."""

    def Overlay(self, bitfile_name):
        self.download()
        for module in ElementTree.parse(pathlib.Path(bitfile_name).with_suffix(".hwh")).iter("MODULE"):
            if module.get("MODTYPE") == "axi_dma":
                setattr(self, module.get("INSTANCE"), Dma(self, {p.get("NAME"): p.get("VALUE") for p in module.iter("PARAMETER")}))
        return self

    def allocate(self, shape, dtype="u4", target=None, cacheable=0):
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = self.take_memory(nbytes)
        buffer = np.full(shape, 0xDEADBEEF, dtype).view(Buffer)
        buffer.board, buffer.address, buffer.start = self, address, buffer.__array_interface__["data"][0]
        return buffer
