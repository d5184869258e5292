"""Testbench of `dma_top`: memory by cocotbext-axi with latency, backpressure and errors; registers over AXI-Lite.

Started by `pytest sim/test_dma.py`, which passes the seed through the environment: SIM_SEED.
"""

from __future__ import annotations

import itertools
import mmap
import os
import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import (
    AxiBus,
    AxiLiteBus,
    AxiLiteMaster,
    AxiRam,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from sim.benches.axi_rules import AxiRules

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

PERIOD_NS = 10
SEED = int(os.environ["SIM_SEED"])
MEMORY = 1 << 17
FILLED = 0xA5  # what memory holds before anything is written
LIMIT = 20_000  # cycles that anything may take
SEND, RECEIVE = 0x00, 0x30
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET = 0x1, 0x4
HALTED, IDLE, COMPLETE, FAILED = 0x1, 0x2, 0x1000, 0x4000
INTERNAL, SLAVE, DECODE = 0x10, 0x20, 0x40


class Memory:
    """A RAM on both halves of an AXI port, with answers that are errors where `bad` says so.

    Attributes
    ----------
    bad : callable
        Address of a beat -> `AxiResp`.
    """

    def __init__(self, dut: HierarchyObject, size: int = MEMORY) -> None:
        self.size = size
        self.bad: Callable[[int], AxiResp] = lambda address: AxiResp.OKAY
        bus = AxiBus.from_prefix(dut, "m_axi")
        self.ram = AxiRam(bus, dut.aclk, dut.aresetn, reset_active_level=False, mem=mmap.mmap(-1, size))
        reader, writer = self.ram.read_if, self.ram.write_if
        for part in (reader, writer):
            part.log.setLevel("ERROR")
        reader.ar_channel.queue_occupancy_limit = 8
        self.channels = {
            "ar": reader.ar_channel,
            "r": reader.r_channel,
            "aw": writer.aw_channel,
            "w": writer.w_channel,
            "b": writer.b_channel,
        }
        self._answers(reader, "_read", reader.r_channel, "rresp")
        self._answers(writer, "_write", writer.b_channel, "bresp")
        self.fill()

    def _answers(self, half, access, channel, resp):
        """Let a half answer with the error of the worst of its beats."""
        inner, send, worst = getattr(half, access), channel.send, [AxiResp.OKAY]

        async def watched(address, *rest):
            worst[0] = max(worst[0], self.bad(address))
            return await inner(address, *rest)

        async def answered(transaction):
            setattr(transaction, resp, worst[0])
            worst[0] = AxiResp.OKAY
            await send(transaction)

        setattr(half, access, watched)
        channel.send = answered

    def fill(self) -> None:
        """Forget what was written."""
        self.write(0, bytes([FILLED]) * self.size)

    def write(self, address: int, data: bytes) -> None:
        """Put bytes, without the port; memory repeats itself, as on the port."""
        at = address % self.size
        self.ram.write(at, data[: self.size - at])
        self.ram.write(0, data[self.size - at :])

    def read(self, address: int, count: int) -> bytes:
        """Get bytes, without the port."""
        return bytes(self.ram.read(address % self.size, count))


class Bench:
    """The DMA between a memory, a processor and two streams.

    Parameters
    ----------
    dut : cocotb handle
    lazy : float
        Share of cycles in which a channel or stream pauses; each has its own, up to this.
    """

    def __init__(self, dut: HierarchyObject, lazy: float = 0.0) -> None:
        self.dut, self.rng = dut, random.Random(SEED)
        dut.aresetn.value = 0
        self.lite = AxiLiteMaster(
            AxiLiteBus.from_prefix(dut, "s_axi_lite"), dut.aclk, dut.aresetn, reset_active_level=False
        )
        self.memory = Memory(dut)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_mm2s"), dut.aclk, dut.axis_resetn, False)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_s2mm"), dut.aclk, dut.axis_resetn, False)
        for log in (self.lite.read_if.log, self.lite.write_if.log, self.sink.log, self.source.log):
            log.setLevel("WARNING")
        self.rules = AxiRules(dut)
        self.pause(lazy)
        cocotb.start_soon(Clock(dut.aclk, PERIOD_NS, "ns").start())

    def pause(self, lazy: float) -> None:
        """Let every channel and stream pause in some share of the cycles, up to `lazy`."""
        for channel in (*self.memory.channels.values(), self.sink, self.source):
            channel.set_pause_generator(self._pauses(self.rng.uniform(0, lazy)) if lazy else None)
            channel.pause = False

    def _pauses(self, share) -> Iterator[bool]:
        rng = random.Random(self.rng.random())
        return (rng.random() < share for _ in itertools.count())

    async def cycles(self, count: int) -> None:
        """Let some cycles pass."""
        await ClockCycles(self.dut.aclk, count)

    async def reset(self) -> None:
        """Reset everything."""
        self.dut.aresetn.value = 0
        await self.cycles(5)
        self.dut.aresetn.value = 1
        await self.cycles(20)

    async def write(self, register: int, value: int) -> None:
        """Write a register."""
        await with_timeout(self.lite.write(register, value.to_bytes(4, "little")), LIMIT * PERIOD_NS, "ns")

    async def read(self, register: int) -> int:
        """Read a register."""
        answer = await with_timeout(self.lite.read(register, 4), LIMIT * PERIOD_NS, "ns")
        return int.from_bytes(answer.data, "little")

    async def run(self) -> None:
        """Let both channels run."""
        for channel in (SEND, RECEIVE):
            await self.write(channel + CONTROL, RUN)
            assert await self.read(channel + STATUS) == 0

    async def begin(self, channel: int, address: int, count: int) -> None:
        """Begin a transfer, with the accesses of a driver."""
        await self.write(channel + ADDRESS, address & 0xFFFFFFFF)
        await self.write(channel + ADDRESS_HIGH, address >> 32)
        await self.write(channel + LENGTH, count)

    async def until(self, channel: int, bits: int, limit: int = LIMIT) -> int:
        """Return the status once one of `bits` is set in it; fails after `limit` cycles."""
        for _ in range(limit // 10):
            status = await self.read(channel + STATUS)
            if status & bits:
                return status
            await self.cycles(1)
        raise AssertionError(f"status {status:#x} after {limit} cycles, waiting for {bits:#x}")

    async def soft_reset(self, limit: int = LIMIT) -> None:
        """Reset by the control register, and wait until it is done."""
        await self.write(SEND + CONTROL, RESET)
        for _ in range(limit // 10):
            if not await self.read(SEND + CONTROL) & RESET:
                break
        else:
            raise AssertionError(f"the reset is not done after {limit} cycles")
        assert self.rules.quiet(), "a reset is said to be done while a burst is open"
        assert [await self.read(c + STATUS) for c in (SEND, RECEIVE)] == [HALTED, HALTED]

    async def send(self, address: int, data: bytes) -> None:
        """Send from memory, and compare what comes out of the stream."""
        self.memory.write(address, data)
        await self.begin(SEND, address, len(data))
        frame = await with_timeout(self.sink.recv(compact=False), LIMIT * PERIOD_NS, "ns")
        want = [int(i < len(data)) for i in range(len(frame.tdata))]
        assert len(frame.tdata) == -(-len(data) // 8) * 8 and list(frame.tkeep) == want, (address, len(data))
        assert bytes(frame.tdata[: len(data)]) == data, (address, len(data))
        assert await self.until(SEND, IDLE | HALTED) & 0xFFF == IDLE

    async def receive(self, address: int, data: bytes, room: int | None = None) -> None:
        """Send a packet into the stream, and compare what comes into memory, and what is around it."""
        room = room or len(data)
        around = 64
        low = max(address - around, 0)
        self.memory.write(low, bytes([FILLED]) * (address - low + room + around))
        await self.begin(RECEIVE, address, room)
        await self.source.send(AxiStreamFrame(data))
        assert await self.until(RECEIVE, IDLE | HALTED) & 0xFFF == IDLE
        assert await self.read(RECEIVE + LENGTH) == len(data)
        want = bytes([FILLED]) * (address - low) + data + bytes([FILLED]) * (room - len(data) + around)
        assert self.memory.read(low, len(want)) == want, (address, len(data))

    def bytes(self, count: int) -> bytes:
        """Return random bytes."""
        return self.rng.randbytes(count)
