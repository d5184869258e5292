"""cocotb tests of `dma_top`: errors of the memory, packets that are not as announced, resets at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cocotb
from cocotbext.axi import AxiResp, AxiStreamFrame

from sim.benches.dma_bench import (
    COMPLETE,
    CONTROL,
    DECODE,
    FAILED,
    FILLED,
    HALTED,
    IDLE,
    INTERNAL,
    LENGTH,
    MEMORY,
    RECEIVE,
    RESET,
    RUN,
    SEND,
    SLAVE,
    STATUS,
    Bench,
)

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

ERRORS = {AxiResp.SLVERR: SLAVE, AxiResp.DECERR: DECODE}


async def works(bench: Bench) -> None:
    """Reset, show that both directions work, and leave them idle without an interrupt."""
    await bench.soft_reset()
    bench.sink.clear()
    bench.source.clear()
    await bench.run()
    await bench.send(0x2000, bench.bytes(bench.rng.randrange(1, 300)))
    await bench.receive(0x6000, bench.bytes(bench.rng.randrange(1, 300)))
    assert bench.rules.quiet()
    for channel in (SEND, RECEIVE):
        await bench.write(channel + STATUS, COMPLETE)


async def stays_halted(bench: Bench, channel: int, status: int) -> None:
    """A channel with an error does nothing until it is reset."""
    assert await bench.read(channel + STATUS) == status and not await bench.read(channel + CONTROL) & RUN
    await bench.write(channel + CONTROL, RUN)
    await bench.begin(channel, 0x2000, 64)
    await bench.cycles(100)
    assert await bench.read(channel + STATUS) == status and bench.rules.quiet()
    await bench.write(channel + STATUS, FAILED)
    assert await bench.read(channel + STATUS) == status & ~FAILED


@cocotb.test()
async def memory_errors(dut: HierarchyObject) -> None:
    """An error answer, at any beat, halts its channel with the error's bit, once all bursts have ended."""
    bench = Bench(dut, lazy=0.4)
    await bench.reset()
    await bench.run()
    for resp, bit in ERRORS.items():
        for beat in (0, 15, 16, 40, 99):
            base, data = 0x3000, bench.bytes(800)
            bench.memory.bad = lambda address, at=base + 8 * beat, resp=resp: resp if address == at else AxiResp.OKAY
            bench.memory.write(base, data)
            bench.rules.sent.clear()
            await bench.begin(SEND, base, len(data))
            assert await bench.until(SEND, HALTED) == HALTED | FAILED | bit, (resp, beat)
            assert bench.sink.empty(), "a packet went out whole in spite of an error"
            assert not await bench.read(RECEIVE + STATUS) & HALTED
            await stays_halted(bench, SEND, HALTED | FAILED | bit)
            await bench.cycles(200)
            sent = b"".join(word.to_bytes(8, "little") for word in bench.rules.sent)
            assert sent == data[: 8 * beat], f"{len(sent)} bytes went out, the error lay behind {8 * beat}"
            # The other channel, whose error PG021 calls an internal one, too.
            base = 0x9000
            bench.memory.bad = lambda address, at=base + 8 * beat, resp=resp: (
                resp if address // 8 * 8 == at else AxiResp.OKAY
            )
            await bench.begin(RECEIVE, base, len(data))
            await bench.source.send(AxiStreamFrame(data))
            assert await bench.until(RECEIVE, HALTED) == HALTED | FAILED | INTERNAL | bit, (resp, beat)
            await stays_halted(bench, RECEIVE, HALTED | FAILED | INTERNAL | bit)
            bench.memory.bad = lambda address: AxiResp.OKAY
            await works(bench)


@cocotb.test()
async def unaligned_addresses(dut: HierarchyObject) -> None:
    """An address that is no multiple of 8 is an error, and no memory is touched."""
    bench = Bench(dut)
    await bench.reset()
    await bench.run()
    for low in range(1, 8):
        bench.rules.bursts.clear()
        for channel in (SEND, RECEIVE):
            await bench.begin(channel, 0x1000 + low, 64)
            assert await bench.until(channel, HALTED) == HALTED | FAILED | INTERNAL
        assert not bench.rules.bursts
        await works(bench)


@cocotb.test()
async def wrong_packets(dut: HierarchyObject) -> None:
    """Longer than its room: what fits is written, then an error. A hole in TKEEP: an error. Shorter: counted."""
    bench = Bench(dut, lazy=0.3)
    await bench.reset()
    await bench.run()
    for room in (1, 7, 8, 9, 127, 128, 129, 500):
        for more in (1, 8, 300):
            bench.memory.fill()
            data = bench.bytes(room + more)
            await bench.begin(RECEIVE, 0x5F80, room)
            await bench.source.send(AxiStreamFrame(data))
            assert await bench.until(RECEIVE, HALTED) == HALTED | FAILED | INTERNAL, (room, more)
            want = bytes([FILLED]) * 0x5F80 + data[:room]
            assert bench.memory.read(0, MEMORY) == want + bytes([FILLED]) * (MEMORY - len(want)), (room, more)
            await works(bench)
    for bad in (3, 11, 21):  # a byte that isn't there, before the end
        await bench.begin(RECEIVE, 0x5000, 64)
        await bench.source.send(AxiStreamFrame(bench.bytes(24), tkeep=[int(i != bad) for i in range(24)]))
        assert await bench.until(RECEIVE, HALTED) == HALTED | FAILED | INTERNAL, bad
        await works(bench)
    await bench.receive(0x5000, bench.bytes(100), 3000)


@cocotb.test()
async def packet_without_end(dut: HierarchyObject) -> None:
    """A sender that stops in mid-packet: the channel waits, the other one works on, and a reset ends it."""
    bench = Bench(dut)
    await bench.reset()
    await bench.run()
    for count in (1, 8, 100, 300):
        bench.memory.fill()
        data = bytes(number % 100 for number in range(8 * count + 800))
        await bench.begin(RECEIVE, 0x5F80, 4000)
        await bench.source.send(AxiStreamFrame(data))
        await bench.cycles(count)
        bench.source.pause = True
        await bench.cycles(2000)
        assert await bench.read(RECEIVE + STATUS) == 0 and bench.rules.quiet()
        there = bench.memory.read(0x5F80, 4000).rstrip(bytes([FILLED]))
        assert len(there) % 128 == 0 and data.startswith(there), "whole bursts, in their order"
        assert len(there) >= 8 * count - 512, "what came and makes a burst is written"
        await bench.send(0x2000, bench.bytes(77))
        await bench.soft_reset()
        bench.source.pause = False
        await works(bench)


@cocotb.test()
async def reset_at_any_time(dut: HierarchyObject) -> None:
    """A reset in mid-transfer ends open bursts first, leaves other memory alone, and all works again behind it."""
    bench = Bench(dut)
    await bench.reset()
    await bench.run()
    opened = 0
    for number in range(40):
        bench.pause((0, 0.5, 0.9)[number % 3])
        bench.sink.pause = number % 4 == 1  # a kernel that takes nothing
        if bench.sink.pause:
            bench.sink.set_pause_generator(None)
        data, stays = bench.bytes(2000), bench.bytes(256)
        for place in (0x4000 - 256, 0x8000 - 256, 0x8000 + 2000):
            bench.memory.write(place, stays)
        bench.memory.write(0x4000, data)
        await bench.begin(SEND, 0x4000, len(data))
        await bench.begin(RECEIVE, 0x8000, len(data))
        await bench.source.send(AxiStreamFrame(data))
        await bench.cycles(bench.rng.randrange(1, 400))
        opened += not bench.rules.quiet()
        await bench.soft_reset()
        assert all(bench.memory.read(place, 256) == stays for place in (0x4000 - 256, 0x8000 - 256, 0x8000 + 2000))
        bench.sink.pause = False
        bench.pause(0.3)
        await works(bench)
    assert opened > 15, f"only {opened} resets found a burst open"


@cocotb.test()
async def reset_waits_for_memory(dut: HierarchyObject) -> None:
    """A memory that answers late delays the reset, for as long as it takes; registers can be read meanwhile."""
    bench = Bench(dut)
    await bench.reset()
    await bench.run()
    for late in ("r", "b", "aw", "w", "ar"):
        channel = bench.memory.channels[late]
        channel.pause = True
        await bench.begin(SEND, 0x4000, 1000)
        await bench.begin(RECEIVE, 0x8000, 1000)
        await bench.source.send(AxiStreamFrame(bench.bytes(1000)))
        await bench.cycles(300)
        assert not bench.rules.quiet()
        await bench.write(RECEIVE + CONTROL, RESET)
        await bench.cycles(2000)
        assert await bench.read(SEND + CONTROL) & RESET and await bench.read(RECEIVE + CONTROL) & RESET, late
        channel.pause = False
        await works(bench)


@cocotb.test()
async def idle_and_halted(dut: HierarchyObject) -> None:
    """Reset of what does nothing, and of what is done; bits of an earlier transfer are gone behind it."""
    bench = Bench(dut)
    await bench.reset()
    for _ in range(3):
        await bench.soft_reset()
    await bench.run()
    await bench.send(0x100, bench.bytes(40))
    assert await bench.read(SEND + STATUS) == IDLE | COMPLETE
    await bench.soft_reset()
    assert await bench.read(SEND + LENGTH) == 0
    await works(bench)
    await bench.reset()  # of everything
    await bench.run()
    await bench.receive(0x100, bench.bytes(40))
