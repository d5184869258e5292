"""An AXI DMA in front of `srcnn_top` in simulation: the registers the host sees, and two 64-bit streams.

Every look at a register costs clock cycles, during which the simulation runs. A fault spoils one transfer of tiles:

    stall          the send stops half way, for ever: another master starves the DMA, or a clock is gone
    pause          it stops half way and goes on later: nothing is wrong, it only takes longer
    short          the send ends early, with TLAST: a length register too small, a buffer of the wrong size
    bad header     the first word is not a packet's: the stream is out of step
    wrong config   the packet is for another overlay
    reset          the kernel is reset half way
    DMA reset      the DMA is
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cocotb
import numpy as np
from cocotb.task import resume
from cocotbext.axi import AxiStreamFrame

from hls.packets.packets import COMMANDS
from sim.board.channels import (
    ADDRESS,
    ADDRESS_HIGH,
    CONTROL,
    HALTED,
    IDLE,
    INTERNAL_ERROR,
    LENGTH,
    RECEIVE,
    RESET,
    RUN,
    SEND,
    STATUS,
)

if TYPE_CHECKING:
    from cocotbext.axi import AxiStreamSink, AxiStreamSource

    from sim.board.board import Board

REGISTER_CYCLES = 20  # of a read or write over AXI-Lite
SOON_CYCLES = 100  # until half of a small transfer has gone
PAUSE_CYCLES = 5000
FAULTS = ("stall", "pause", "short", "bad header", "wrong config", "reset", "DMA reset")


class DmaEngine:
    """The DMA.

    Parameters
    ----------
    board : sim.board.board.Board
        Clock, memory, and the kernel's reset.
    source, sink : AxiStreamSource, AxiStreamSink
        Towards the kernel and from it.

    Attributes
    ----------
    sent : list of ndarray of uint64
        The words of each transfer to the kernel.
    fault : str or None
        Of `FAULTS`, for the next transfer of tiles.
    """

    def __init__(self, board: Board, source: AxiStreamSource, sink: AxiStreamSink) -> None:
        self.board, self.source, self.sink = board, source, sink
        self.sent, self.fault, self.registers, self._task, self._begun = [], None, {}, None, False
        self._reset()

    def idle(self) -> bool:
        """Return whether nothing moves and no word is left, without the time of a look at a register."""
        return self._task is None and self.source.idle() and self.sink.empty()

    @resume
    async def read(self, offset: int) -> int:
        """Read a register."""
        await self.board.pass_cycles(REGISTER_CYCLES)
        if offset == SEND + STATUS and self._begun and self.source.idle():
            return self.registers[offset] | IDLE
        return self.registers[offset]

    @resume
    async def write(self, offset: int, value: int) -> None:
        """Write a register."""
        await self.board.pass_cycles(REGISTER_CYCLES)
        channel, register = (RECEIVE, offset - RECEIVE) if offset >= RECEIVE else (SEND, offset)
        assert register in (CONTROL, ADDRESS, ADDRESS_HIGH, LENGTH), f"register {offset:#x} was written"
        if register == CONTROL and value & RESET:
            self._reset()
            return
        self.registers[offset] = value
        if register == CONTROL and value & RUN:
            self.registers[channel + STATUS] &= ~HALTED
        elif register == LENGTH:
            assert not self.registers[channel + STATUS] & HALTED, "a transfer was begun on a halted channel"
            self.registers[channel + STATUS] &= ~IDLE
            if channel == SEND:
                self._send()
            else:
                assert self._task is None, "a receive was armed twice"
                self._task = cocotb.start_soon(self._receive(self._place(RECEIVE)))

    def _reset(self):
        """Stop at once, in the middle of a word's handshake if need be."""
        if self._task is not None:
            self._task.cancel()
        self._task, self._begun = None, False
        self.registers = {
            channel + register: 0
            for channel in (SEND, RECEIVE)
            for register in (CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH)
        }
        self.registers[SEND + STATUS] = self.registers[RECEIVE + STATUS] = HALTED
        for stream in (self.source, self.sink):
            stream.assert_reset()
            stream.clear()
        self.source.pause, self.sink.pause = False, True  # no word is taken before a receive is armed

    def _place(self, channel):
        """The memory that a channel's registers describe, as bytes."""
        address, count = (
            self.registers[channel + ADDRESS] | self.registers[channel + ADDRESS_HIGH] << 32,
            self.registers[channel + LENGTH],
        )
        start = max(start for start in self.board.memory if start <= address)
        assert address + count <= start + len(self.board.memory[start]), "a transfer beyond its buffer"
        return self.board.memory[start][address - start :][:count]

    def _send(self):
        assert self._task is not None, "sent before the receive was armed"
        words = self._place(SEND).view(np.uint64).copy()
        self.sent.append(words)
        fault = None
        if int(words[0]) >> 16 & 0xFF == COMMANDS["tile"]:
            fault, self.fault = self.fault, None
        if fault == "short":
            words = words[: len(words) // 2]
        elif fault == "bad header":
            words = words ^ np.uint64(1)
        elif fault == "wrong config":
            words[0] ^= np.uint64(1 << 40)
        self._begun = True
        self.source.send_nowait(AxiStreamFrame(words.tobytes()))
        if fault in ("stall", "pause", "reset", "DMA reset"):
            cocotb.start_soon(self._disturb(fault))

    async def _disturb(self, fault):
        await self.board.pass_cycles(SOON_CYCLES)
        assert not self.source.idle(), "the transfer is over before it could be disturbed"
        if fault == "reset":
            await self.board.reset_kernel()
        elif fault == "DMA reset":
            self._reset()
        else:
            self.source.pause = True
            if fault == "pause":
                await self.board.pass_cycles(PAUSE_CYCLES)
                self.source.pause = False

    async def _receive(self, memory):
        """Take words up to TLAST; more of them than fit are an error."""
        self.sink.pause = False
        frame = await self.sink.recv(compact=False)
        self.sink.pause = True
        count = min(len(frame.tdata), len(memory))
        memory[:count] = np.frombuffer(bytes(frame.tdata[:count]), np.uint8)
        if len(frame.tdata) > len(memory) or not all(frame.tkeep):
            self.registers[RECEIVE + STATUS] |= INTERNAL_ERROR | HALTED
        else:
            self.registers[RECEIVE + STATUS] |= IDLE
        self.registers[RECEIVE + LENGTH], self._task = count, None
