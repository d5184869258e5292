"""A stand-in for the `pynq` package on a board in software: buffers behind a cache, and a DMA's two channels.

Strict as PYNQ and the processor are: data reaches the DMA only after a flush and the host only after an invalidate, a
freed buffer is gone, a channel takes a transfer only when it runs and is idle, and waits without end. The same tests run
on the real package (real_pynq.py); this one needs none.
"""

import pathlib

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

    def invalidate(self):
        np.asarray(self)[:] = self._place()

    def freebuffer(self):
        self._place()
        self.board.give_back(self.address)


class Channel:
    """One direction of the DMA."""

    def __init__(self, board, base):
        self.board, self.base, self.active, self.transferred = board, base, None, 0
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
        assert start == 0 and nbytes == 0, "not modelled"
        if not self.running or not (self.idle or self.fresh):
            raise RuntimeError("DMA channel not idle")
        if array.nbytes > self.board.axi_dma_0.buffer_max_size:
            raise ValueError("Transfer size exceeds the maximum")
        if self.base == SEND:
            array.flush()
        address = array.physical_address
        for offset, value in ((ADDRESS, address & 0xFFFFFFFF), (ADDRESS_HIGH, address >> 32), (LENGTH, array.nbytes)):
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
    def __init__(self, board):
        self.board, self.buffer_max_size = board, (1 << 26) - 1
        self.description = {"parameters": {"c_include_sg": "0", "c_addr_width": "32"}}
        self.sendchannel, self.recvchannel = Channel(board, SEND), Channel(board, RECEIVE)

    def read(self, offset=0):
        return self.board.read(offset)

    def write(self, offset, value):
        self.board.write(offset, value)


class FakePynq(SoftBoard):
    """The `pynq` package: `Overlay(bitfile)` and `allocate(...)`; also the overlay itself, and the board below."""

    def __init__(self, config, model, fault=None):
        super().__init__(config, model, fault)
        self.axi_dma_0 = Dma(self)

    def Overlay(self, bitfile_name):
        assert pathlib.Path(bitfile_name).is_file()
        self.download()
        for channel in (self.axi_dma_0.sendchannel, self.axi_dma_0.recvchannel):
            channel.start()
        return self

    def allocate(self, shape, dtype="u4", target=None, cacheable=0):
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = self.take_memory(nbytes)
        buffer = np.full(shape, 0xDEADBEEF, dtype).view(Buffer)
        buffer.board, buffer.address, buffer.start = self, address, buffer.__array_interface__["data"][0]
        return buffer
