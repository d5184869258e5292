"""cocotb tests of `dma_top`: transfers that end well. Faults and resets are in dma_faults.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cocotb
from cocotb.triggers import Combine, with_timeout
from cocotb.utils import get_sim_time

from sim.benches.dma_bench import (
    ADDRESS,
    ADDRESS_HIGH,
    COMPLETE,
    CONTROL,
    HALTED,
    IDLE,
    LENGTH,
    LIMIT,
    PERIOD_NS,
    RECEIVE,
    RUN,
    SEND,
    STATUS,
    Bench,
)

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

BURST_BYTES = 128
PAGE = 4096


@cocotb.test()
async def every_length(dut: HierarchyObject) -> None:
    """Every number of bytes around one burst and two, at addresses all over a page, both ways at once."""
    bench = Bench(dut, lazy=0.3)
    await bench.reset()
    await bench.run()
    lengths = [n for middle in (BURST_BYTES, 2 * BURST_BYTES) for n in range(middle - 9, middle + 10)]
    lengths = [*range(1, 25), *lengths]
    for number, count in enumerate(lengths):
        place = 8 * bench.rng.randrange(PAGE)
        data = bench.bytes(count)
        await Combine(
            cocotb.start_soon(bench.send(0x8000 + place % 0x6000, data)),
            cocotb.start_soon(bench.receive(0x10000 + place % 0x6000, bench.bytes(count), count + number % 3 * 5)),
        )
    assert bench.rules.quiet()


@cocotb.test()
async def page_borders(dut: HierarchyObject) -> None:
    """Transfers around a 4 KiB border: no burst crosses it, and none is shorter than it has to be."""
    bench = Bench(dut, lazy=0.2)
    await bench.reset()
    await bench.run()
    for before in (1, 2, 15, 16, 17):  # beats in front of the border
        for behind in (0, 1, 16):
            count = 8 * (before + behind) - bench.rng.randrange(8)
            bench.rules.bursts.clear()
            await bench.send(PAGE - 8 * before, bench.bytes(count))
            await bench.receive(3 * PAGE - 8 * before, bench.bytes(count))
            want = [b for part in (before, behind) for b in [16] * (part // 16) + [part % 16] * (part % 16 > 0)]
            for kind in ("read", "write"):
                assert [beats for k, _, beats in bench.rules.bursts if k == kind] == want, (kind, before, behind)
    assert bench.rules.quiet()


@cocotb.test()
async def back_to_back(dut: HierarchyObject) -> None:
    """Many transfers one behind the other, under heavy backpressure; the next packet already waits in the stream."""
    bench = Bench(dut, lazy=0.7)
    await bench.reset()
    await bench.run()
    for _ in range(12):
        sizes = [bench.rng.randrange(1, 1500) for _ in range(2)]
        sent, received = (bench.bytes(size) for size in sizes)
        where = [8 * bench.rng.randrange(512) for _ in range(2)]
        await Combine(
            cocotb.start_soon(bench.send(0x4000 + where[0], sent)),
            cocotb.start_soon(bench.receive(0xC000 + where[1], received)),
        )
        bench.pause(bench.rng.choice((0, 0.3, 0.8)))
    assert bench.rules.quiet() and bench.rules.most_open > 1


@cocotb.test()
async def full_rate(dut: HierarchyObject) -> None:
    """A long transfer each way, at once, takes little more than a cycle per beat; several reads are open at a time."""
    bench = Bench(dut)
    await bench.reset()
    await bench.run()
    count = 8 * 2048
    for task, name in ((bench.send, "mm2s"), (bench.receive, "s2mm")):
        begun = get_sim_time("ns")
        await task(0x8000, bench.bytes(count))
        cycles = (get_sim_time("ns") - begun) / PERIOD_NS
        dut._log.info(f"{name}: {count // 8} beats in {cycles:.0f} cycles, registers included")
        assert cycles < 1.15 * count / 8, f"{name}: {cycles:.0f} cycles for {count // 8} beats"
    assert bench.rules.most_open == 4


@cocotb.test()
async def registers(dut: HierarchyObject) -> None:
    """The registers of PG021's direct register mode: what they hold, keep, ignore, and how interrupts come and go."""
    bench = Bench(dut)
    await bench.reset()
    for channel in (SEND, RECEIVE):
        assert await bench.read(channel + CONTROL) == 0x10002 and await bench.read(channel + STATUS) == HALTED
        await bench.write(channel + LENGTH, 64)  # halted: without effect
        await bench.write(channel + ADDRESS, 0x12345678)
        await bench.write(channel + ADDRESS_HIGH, 0x9)
        assert await bench.read(channel + ADDRESS) == 0x12345678 and await bench.read(channel + ADDRESS_HIGH) == 0
        assert await bench.read(channel + 0x20) == 0 and await bench.read(channel + STATUS) == HALTED
    assert await bench.read(0x80) == 0
    await bench.write(0x80, 0x4)  # no register
    await bench.run()
    await bench.write(SEND + LENGTH, 0)  # of no bytes: without effect
    assert await bench.read(SEND + STATUS) == 0 and bench.rules.quiet()
    await bench.send(0x100, b"x")
    for channel, line in ((SEND, dut.mm2s_introut), (RECEIVE, dut.s2mm_introut)):
        await bench.write(channel + CONTROL, RUN | COMPLETE)  # its interrupt is let through
        await bench.write(channel + STATUS, COMPLETE)
        assert not await bench.read(channel + STATUS) & COMPLETE and not int(line.value)
        await (bench.send if channel == SEND else bench.receive)(0x200, bench.bytes(40))
        assert await bench.read(channel + STATUS) == IDLE | COMPLETE and int(line.value)
        await bench.write(channel + STATUS, COMPLETE)
        assert await bench.read(channel + STATUS) == IDLE
        await bench.cycles(5)
        assert not int(line.value)
    assert not int(dut.mm2s_introut.value)
    # Stopped while it is at work, a channel halts when it is done.
    bench.sink.pause = True
    await bench.begin(SEND, 0x800, 800)
    await bench.begin(SEND, 0x900, 8)  # at work: without effect
    await bench.write(SEND + CONTROL, 0)
    await bench.cycles(500)
    assert await bench.read(SEND + STATUS) & 0xFFF == 0
    bench.sink.pause = False
    frame = await with_timeout(bench.sink.recv(), LIMIT * PERIOD_NS, "ns")
    assert len(frame.tdata) == 800 and await bench.until(SEND, HALTED) & 0xFFF == HALTED
    await bench.write(SEND + CONTROL, RUN)
    await bench.send(0x800, bench.bytes(16))
    await bench.write(SEND + CONTROL, 0)
    assert await bench.read(SEND + STATUS) & 0xFFF == HALTED


@cocotb.test()
async def wide_addresses(dut: HierarchyObject) -> None:
    """Addresses of 40 bits: the upper register counts, and a transfer may cross a multiple of 4 GiB."""
    bench = Bench(dut, lazy=0.2)
    await bench.reset()
    await bench.run()
    assert len(dut.m_axi_araddr) == 40
    for high in (0, 1, 0x95, 0xFF):
        bench.rules.bursts.clear()
        await bench.write(SEND + ADDRESS_HIGH, 0xFFFFFFFF)
        assert await bench.read(SEND + ADDRESS_HIGH) == 0xFF
        await bench.send((high << 32) + 0x2040, bench.bytes(300))
        await bench.receive((high << 32) + 0x6040, bench.bytes(300))
        assert {address >> 32 for _, address, _ in bench.rules.bursts} == {high}
    bench.rules.bursts.clear()
    await bench.send((0x42 << 32) - 64, bench.bytes(128))
    assert [address for _, address, _ in bench.rules.bursts] == [(0x42 << 32) - 64, 0x42 << 32]
