"""A stand-in for the `pynq` package on whatever has an AXI DMA's registers: buffers behind a cache, a DMA's channels.

Strict as PYNQ and the processor are: data reaches the DMA only after a flush and the host only after an invalidate, a
freed buffer is gone, a channel takes a transfer only when it runs and is idle, and waits without end.

    tests/stand_ins/pynq/fake_pynq.py    on a board in software
    sim/board/board.py                   on `srcnn_top` in simulation
    tests/stand_ins/pynq/real_pynq.py    the package itself instead of this, on the board in software

What a board has is `DmaBoard`.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Protocol
from xml.etree import ElementTree

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

SEND, RECEIVE = 0x00, 0x30  # where a channel's registers begin
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET = 0x1, 0x4  # of the control register
HALTED, IDLE, INTERNAL_ERROR, ERRORS = 0x1, 0x2, 0x10, 0x70  # of the status register
STALE = 0x5A  # in a fresh cache
MOST_LOOKS = 10_000  # at a channel's state, where PYNQ waits for ever


class DmaBoard(Protocol):
    """A board as far as its DMA and its memory are used here; `memory` is what is allocated: {address: bytes}."""

    memory: dict[int, np.ndarray]

    def read(self, offset: int) -> int:
        """Read a register of the DMA."""

    def write(self, offset: int, value: int) -> None:
        """Write a register of the DMA."""

    def take_memory(self, nbytes: int) -> int:
        """Return the address of fresh contiguous memory."""

    def give_back(self, address: int) -> None:
        """Take memory back."""

    def flushed(self, address: int) -> None:
        """Hear that the cache's lines of this memory were written back."""


class Buffer(np.ndarray):
    """What the host sees, its cache; the board's memory is what the DMA sees."""

    def __array_finalize__(self, parent: np.ndarray | None) -> None:
        if isinstance(parent, Buffer):
            self.board, self.address, self.start = parent.board, parent.address, parent.start

    @property
    def _offset(self):
        return self.__array_interface__["data"][0] - self.start

    @property
    def physical_address(self) -> int:
        return self.address + self._offset

    def _place(self):
        assert self.address in self.board.memory, "a freed buffer was used: a segmentation fault on the board"
        return self.board.memory[self.address][self._offset :][: self.nbytes].view(self.dtype)

    def flush(self) -> None:
        self._place()[:] = np.asarray(self)
        self.board.flushed(self.address)

    def invalidate(self) -> None:
        np.asarray(self)[:] = self._place()

    def freebuffer(self) -> None:
        self._place()
        self.board.give_back(self.address)


def allocate(
    board: DmaBoard,
    shape: int | tuple[int, ...],
    dtype: DTypeLike = "u4",
    target: object = None,
    cacheable: int = 0,
) -> Buffer:
    """Stand in for `pynq.allocate`."""
    nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    address = board.take_memory(nbytes)
    memory = board.memory[address].view(dtype).reshape(shape)
    buffer = (np.full(nbytes, STALE, np.uint8).view(dtype).reshape(shape) if cacheable else memory).view(Buffer)
    buffer.board, buffer.address, buffer.start = board, address, buffer.__array_interface__["data"][0]
    return buffer


class Channel:
    """One direction of the DMA."""

    def __init__(self, board: DmaBoard, base: int, most_bytes: int) -> None:
        self.board, self.base, self.most_bytes, self.active, self.transferred = board, base, most_bytes, None, 0
        self.start()

    def _status(self, bits):
        return self.board.read(self.base + STATUS) & bits

    @property
    def running(self) -> bool:
        return not self._status(HALTED)

    @property
    def idle(self) -> bool:
        return bool(self._status(IDLE))

    @property
    def error(self) -> bool:
        return bool(self._status(ERRORS))

    def start(self) -> None:
        self.board.write(self.base + CONTROL, RUN)
        self._wait_for("running")
        self.fresh = True  # no transfer yet: not idle either

    def transfer(self, array: Buffer, start: int = 0, nbytes: int = 0) -> None:
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

    def wait(self) -> None:
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

    def __init__(self, board: DmaBoard, parameters: dict[str, str]) -> None:
        self.board, self.description = board, {"parameters": parameters}
        self.buffer_max_size = (1 << int(parameters["c_sg_length_width"])) - 1
        self.sendchannel = Channel(board, SEND, self.buffer_max_size) if parameters["c_include_mm2s"] == "1" else None
        self.recvchannel = (
            Channel(board, RECEIVE, self.buffer_max_size) if parameters["c_include_s2mm"] == "1" else None
        )

    def read(self, offset: int = 0) -> int:
        return self.board.read(offset)

    def write(self, offset: int, value: int) -> None:
        self.board.write(offset, value)


def find_dmas(board: DmaBoard, bitfile: str | pathlib.Path) -> dict[str, Dma]:
    """Return the DMAs of an overlay by name."""
    modules = ElementTree.parse(pathlib.Path(bitfile).with_suffix(".hwh")).iter("MODULE")
    return {
        module.get("INSTANCE"): Dma(board, {p.get("NAME"): p.get("VALUE") for p in module.iter("PARAMETER")})
        for module in modules
        if module.get("MODTYPE") == "axi_dma"
    }
