"""cocotb tests of the designs that are placed for a board, from the processor's ports.

Started by `pytest sim/test_zynq.py`, which passes through the environment: SIM_SEED, SIM_NETWORK, SIM_BOARD,
SIM_UPSCALE, and, for more than a smoke test, SIM_TILES.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import AxiBurstType, AxiBus, AxiMaster

from hls.packets import packets
from hls.packets.parameters import load_packet
from sim.benches.axi_rules import AxiRules
from sim.benches.dma_bench import ADDRESS, CONTROL, HALTED, IDLE, LENGTH, MEMORY, RECEIVE, RUN, SEND, STATUS, Memory

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

PERIOD_NS = 10
BASE = 0x40400000
IDENTITY = 0x4E435253
LIMIT = 400_000  # cycles
LED, SCRATCH, WRITES, WHO = 0, 4, 8, 12


class Bench:
    """A design under its processor, with some bytes of memory."""

    def __init__(self, dut: HierarchyObject, memory_bytes: int = MEMORY) -> None:
        self.dut, self.rng = dut, random.Random(int(os.environ["SIM_SEED"]))
        dut.aresetn.value = 0
        self.port = AxiMaster(
            AxiBus.from_prefix(dut, "gp0"), dut.aclk, dut.aresetn, reset_active_level=False, max_burst_len=16
        )
        self.memory = Memory(dut, memory_bytes)
        for part in (self.port.read_if, self.port.write_if):
            part.log.setLevel("WARNING")
        cocotb.start_soon(Clock(dut.aclk, PERIOD_NS, "ns").start())

    def lazy(self, share: float) -> None:
        """Let the processor's channels, and memory's, pause in some share of the cycles."""
        reader, writer = self.port.read_if, self.port.write_if
        channels = [reader.ar_channel, reader.r_channel, writer.aw_channel, writer.w_channel, writer.b_channel]
        for channel in [*channels, *self.memory.channels.values()]:
            rng = random.Random(self.rng.random())
            channel.set_pause_generator(iter(lambda rng=rng: rng.random() < share, None))

    async def reset(self) -> None:
        """Reset everything."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 10)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 20)

    async def write(self, offset: int, value: int) -> None:
        """Write a register."""
        await self.put(offset, value.to_bytes(4, "little"))

    async def put(self, offset: int, data: bytes, **kind: object) -> None:
        """Write bytes, as one burst or more."""
        await with_timeout(self.port.write(BASE + offset, data, **kind), LIMIT * PERIOD_NS, "ns")

    async def read(self, offset: int) -> int:
        """Read a register."""
        return int.from_bytes(await self.get(offset, 4), "little")

    async def get(self, offset: int, count: int, **kind: object) -> bytes:
        """Read bytes, as one burst or more."""
        answer = await with_timeout(self.port.read(BASE + offset, count, **kind), LIMIT * PERIOD_NS, "ns")
        return bytes(answer.data)

    async def start(self) -> None:
        """Let both channels of the DMA run."""
        for channel in (SEND, RECEIVE):
            await self.write(channel + CONTROL, RUN)
            assert await self.read(channel + STATUS) & HALTED == 0

    async def transfer(self, data: bytes, source: int, target: int, room: int) -> bytes:
        """Send bytes from one place of memory and return those that came to another."""
        self.memory.write(source, data)
        await self.write(RECEIVE + ADDRESS, target)
        await self.write(RECEIVE + LENGTH, room)
        await self.write(SEND + ADDRESS, source)
        await self.write(SEND + LENGTH, len(data))
        for channel in (SEND, RECEIVE):
            for _ in range(LIMIT // 40):
                status = await self.read(channel + STATUS)
                if status & (IDLE | HALTED):
                    break
            assert status & 0xFFF == IDLE, f"channel {channel:#x} ended with status {status:#x}"
        return self.memory.read(target, await self.read(RECEIVE + LENGTH))


@cocotb.test()
async def registers(dut: HierarchyObject) -> None:
    """Reads, writes, strobes and bursts of every kind reach the registers, in the middle of pauses; the LEDs follow."""
    bench = Bench(dut)
    await bench.reset()
    assert await bench.read(WHO) == IDENTITY
    for lazy in (0.0, 0.4):
        bench.lazy(lazy)
        for _ in range(20):
            count = await bench.read(WRITES)
            pattern, scratch = bench.rng.randrange(16), bench.rng.randrange(1 << 32)
            await bench.write(LED, pattern)
            await bench.write(SCRATCH, scratch)
            assert (await bench.read(LED), await bench.read(SCRATCH)) == (pattern, scratch)
            await ClockCycles(dut.aclk, 5)
            assert int(dut.led.value) == pattern
            at = bench.rng.randrange(4)  # one byte of the scratch register
            await bench.put(SCRATCH + at, bytes([at + 1]))
            want = bytearray(scratch.to_bytes(4, "little"))
            want[at] = at + 1
            assert await bench.get(SCRATCH, 4) == bytes(want)
            assert await bench.read(WRITES) == count + 3
    # Bursts: four registers in one; twice as many, around the corner; one register sixteen times.
    four = await bench.get(LED, 16)
    assert four[12:] == IDENTITY.to_bytes(4, "little") and four[4:8] == bytes(want)
    assert await bench.get(0x100 + LED, 16) == four, "the upper bits of an address say nothing"
    turned = await bench.get(8, 16, burst=AxiBurstType.WRAP)
    assert turned == four[8:] + four[:8]
    assert await bench.get(WHO, 64, burst=AxiBurstType.FIXED) == four[12:] * 16
    count = await bench.read(WRITES)
    await bench.put(SCRATCH, bytes(range(64)), burst=AxiBurstType.FIXED)
    assert await bench.get(SCRATCH, 8) == bytes(range(60, 64)) + (count + 16).to_bytes(4, "little")


@cocotb.test()
async def loop(dut: HierarchyObject) -> None:
    """What the DMA reads it writes back, to the byte; a soft reset in between changes nothing."""
    bench, rules = Bench(dut), AxiRules(dut)
    bench.lazy(0.1)
    await bench.reset()
    await bench.start()
    for turn, count in enumerate((8, 1, 127, 128, 129, 4096, 5000)):
        data = bench.rng.randbytes(count)
        target = 0x10000 + 8 * bench.rng.randrange(512)
        before = bench.memory.read(target + count, 16)  # of whole beats: the DMA writes the last one's strobes only
        assert await bench.transfer(data, 8 * bench.rng.randrange(512), target, count) == data
        assert bench.memory.read(target + count, 16) == before, "bytes behind the buffer were written"
        if turn == 3:
            await bench.write(SEND + CONTROL, 4)
            while await bench.read(SEND + CONTROL) & 4:
                pass
            await bench.start()
    assert rules.quiet()


@cocotb.test()
async def srcnn(dut: HierarchyObject) -> None:
    """Identify, parameters and two tiles in one transfer: the answers are the golden model's. A packet for another
    configuration is answered with an error and nothing behind it; what was loaded before it stays. SIM_TILES: so many
    more tiles, one at a time, in the middle of pauses.
    """
    from hls.design.load import load_config
    from model.integer.examples import random_input, random_model
    from model.integer.golden import infer_valid

    config = load_config(os.environ["SIM_NETWORK"], os.environ["SIM_BOARD"], int(os.environ["SIM_UPSCALE"]))
    bench, rules = Bench(dut), AxiRules(dut)
    await bench.reset()
    await bench.start()
    network = config.network
    rng = np.random.default_rng(int(os.environ["SIM_SEED"]))
    weights = random_model(network, rng, upscale=int(os.environ["SIM_UPSCALE"]))
    tiles = [random_input(network, rng, n, n + 3) for n in (2 * network.halo + 2, 2 * network.halo + 5)]
    sent = [packets.identify_packet(tag=1), load_packet(config, weights, 2)]
    sent += [packets.tile_packet(config, tile, tag) for tag, tile in enumerate(tiles, 3)]
    expected = 4 + 2 + sum(packets.answer_words(config, *tile.shape[:2]) for tile in tiles)
    back = await bench.transfer(np.concatenate(sent).tobytes(), 0, 0x18000, 8 * expected)
    answers = packets.parse_answers(np.frombuffer(back, np.uint64), network.out_ch)
    assert [a.command for a in answers] == ["identify", "load", "tile", "tile"], answers
    assert [a.tag for a in answers] == [1, 2, 3, 4] and {a.config_id for a in answers} == {config.config_id}
    for answer, tile in zip(answers[2:], tiles):
        np.testing.assert_array_equal(np.squeeze(answer.pixels), np.squeeze(infer_valid(weights, tile)))
    wrong = packets.tile_packet(config, tiles[1], 6)
    wrong[0] ^= np.uint64(1 << 32)  # the config id's lowest bit
    for sent, commands in (
        ([packets.identify_packet(tag=5), wrong, packets.identify_packet(tag=7)], ["identify", "error"]),
        ([packets.tile_packet(config, tiles[0], 8)], ["tile"]),
    ):
        back = await bench.transfer(np.concatenate(sent).tobytes(), 0, 0x18000, 8 * expected)
        answers = packets.parse_answers(np.frombuffer(back, np.uint64), network.out_ch)
        assert [a.command for a in answers] == commands, answers
    assert answers[0].tag == 8
    np.testing.assert_array_equal(np.squeeze(answers[0].pixels), np.squeeze(infer_valid(weights, tiles[0])))
    bench.lazy(0.1)
    for turn in range(int(os.environ.get("SIM_TILES", "0"))):  # of any size, with other parameters every other time
        sent = []
        if turn % 2 == 0:
            weights = random_model(network, rng, extreme=turn % 8 == 6, upscale=int(os.environ["SIM_UPSCALE"]))
            sent.append(load_packet(config, weights, 2))
        size = [int(rng.integers(2 * network.halo + 1, 49)) for _ in range(2)]
        tile = random_input(
            network, rng, *(min(n, most) for n, most in zip(size, (config.max_height, config.max_width)))
        )
        sent.append(packets.tile_packet(config, tile, turn))
        room = 8 * (2 + packets.answer_words(config, *tile.shape[:2]))
        back = await bench.transfer(np.concatenate(sent).tobytes(), 0, 0x18000, room)
        answer = packets.parse_answers(np.frombuffer(back, np.uint64), network.out_ch)[-1]
        np.testing.assert_array_equal(np.squeeze(answer.pixels), np.squeeze(infer_valid(weights, tile)))
    assert rules.quiet()
