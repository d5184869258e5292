"""Testbench of `srcnn_top`: cocotb tests that compare its answers with the golden model, beat for beat.

Started by `pytest sim/` (test_srcnn_top.py), which passes the configuration through the environment:
SIM_NETWORK, SIM_BOARD, SIM_UPSCALE, SIM_SEED.
"""

from __future__ import annotations

import itertools
import os
import random
from typing import TYPE_CHECKING

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from hls.csim.vectors import top_beats
from hls.design.cycles import tile_cycles
from hls.design.load import load_config
from hls.packets.packets import answer_words, parse_answers, tile_packet
from hls.packets.parameters import load_packet
from model.integer import golden
from model.integer.examples import random_input, random_model

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

PERIOD_NS = 10
IDLE_CYCLES = 2000  # after the last answer, nothing more may come
RESET_CYCLES = 20  # long enough for every FIFO and pipeline of the design
CONFIG = load_config(os.environ["SIM_NETWORK"], os.environ["SIM_BOARD"], int(os.environ["SIM_UPSCALE"]))
SEED = int(os.environ["SIM_SEED"])
RERUN = f"again: {os.environ['SIM_AGAIN']}; WAVES=1 leaves a waveform"


class Bench:
    """The top with a stream source and a stream sink.

    Parameters
    ----------
    dut : cocotb handle
    idle, backpressure : float
        Share of cycles in which the source has no data, and in which the sink is not ready.
    """

    def __init__(self, dut: HierarchyObject, idle: float = 0.0, backpressure: float = 0.0) -> None:
        self.dut = dut
        self.rng = np.random.default_rng(SEED)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        for stream in (self.source, self.sink):
            stream.log.setLevel("WARNING")  # whole frames in the log hide what matters
        for stream, share, seed in ((self.source, idle, 1), (self.sink, backpressure, 2)):
            if share:
                pauses = random.Random(SEED * 2 + seed)
                stream.set_pause_generator(pauses.random() < share for _ in itertools.count())
        cocotb.start_soon(Clock(dut.clk, PERIOD_NS, "ns").start())

    async def reset(self) -> None:
        """Reset the design, and forget what its streams held."""
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, RESET_CYCLES)
        self.source.clear()
        self.sink.clear()
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    async def send(self, words: np.ndarray, keep: np.ndarray | None = None) -> None:
        """Queue a transfer."""
        data = np.asarray(words, "<u8").tobytes()
        tkeep = None if keep is None else [int(k) >> i & 1 for k in keep for i in range(8)]
        await self.source.send(AxiStreamFrame(data, tkeep=tkeep))

    async def receive(self, cycles: int) -> np.ndarray:
        """Return the words of the next answer transfer; fails after `cycles`."""
        frame = await with_timeout(self.sink.recv(compact=False), cycles * PERIOD_NS, "ns")
        assert frame.tkeep is None or all(frame.tkeep), "an answer beat is not full"
        return np.frombuffer(bytes(frame.tdata), "<u8")

    async def transfer(self, words: np.ndarray, keep: np.ndarray | None = None, cycles: int = 1_000_000) -> np.ndarray:
        """Send a transfer and return its answer."""
        await self.send(words, keep)
        return await self.receive(cycles)

    async def done(self) -> None:
        """Nothing is left over and nothing more comes: no beat in the sink, none in the source."""
        await ClockCycles(self.dut.clk, IDLE_CYCLES)
        assert self.sink.idle() and self.sink.empty() and self.source.empty(), f"beats are left in the streams; {RERUN}"


def compare(actual: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Fail with the first differing word, the count, and how to run it again."""
    actual, expected = np.asarray(actual, np.uint64), np.asarray(expected, np.uint64)
    same = min(len(actual), len(expected))
    wrong = np.flatnonzero(actual[:same] != expected[:same])
    assert not len(wrong), (
        f"{what}: {len(wrong)} of {same} words differ, first word {wrong[0]}: expected "
        f"{int(expected[wrong[0]]):#018x}, "
        f"actual {int(actual[wrong[0]]):#018x}; {RERUN}"
    )
    assert len(actual) == len(expected), f"{what}: {len(actual)} words, expected {len(expected)}; {RERUN}"


def compare_pixels(actual: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Fail with the first differing pixel."""
    wrong = np.argwhere(actual != expected)
    assert not len(wrong), (
        f"{what}: {len(wrong)} of {expected.size} pixels differ, first at (y, x) = {tuple(int(i) for i in wrong[0])}: "
        f"expected {expected[tuple(wrong[0])]}, actual {actual[tuple(wrong[0])]}; {RERUN}"
    )


def transfers(beats: list[tuple[int, int, int]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split (data, keep, last) rows into transfers: lists of (words, keeps)."""
    rows = np.array(beats, np.uint64)
    ends = np.flatnonzero(rows[:, 2]) + 1
    return [(part[:, 0], part[:, 1].astype(int)) for part in np.split(rows, ends)[:-1]]


@cocotb.test()
@cocotb.parametrize(idle=[0.0, 0.6], backpressure=[0.0, 0.6])
async def every_packet_and_every_error(dut: HierarchyObject, idle: float, backpressure: float) -> None:
    """All packet types, all errors and the recovery from each, with idle cycles and backpressure."""
    bench = Bench(dut, idle, backpressure)
    await bench.reset()
    given, expected = top_beats(CONFIG, np.random.default_rng(SEED))
    for number, ((words, keep), (answer, _)) in enumerate(zip(transfers(given), transfers(expected), strict=True)):
        compare(await bench.transfer(words, keep), answer, f"transfer {number}")
    await bench.done()


@cocotb.test()
async def tiles_of_odd_sizes(dut: HierarchyObject) -> None:
    """Random and extreme weights, tiles down to one pixel, in one transfer after the other."""
    bench = Bench(dut, 0.2, 0.2)
    await bench.reset()
    halo = CONFIG.network.halo
    for extreme, sizes in ((False, [(1, 1), (1, 11), (7, 2)]), (True, [(2, 3), (5, 13)])):
        model = random_model(CONFIG.network, bench.rng, extreme)
        tiles = [random_input(CONFIG.network, bench.rng, h + 2 * halo, w + 2 * halo) for h, w in sizes]
        words = np.concatenate([load_packet(CONFIG, model), *(tile_packet(CONFIG, t, i) for i, t in enumerate(tiles))])
        answers = parse_answers(await bench.transfer(words), CONFIG.network.out_ch)
        assert [a.command for a in answers] == ["load"] + ["tile"] * len(tiles)
        for answer, tile in zip(answers[1:], tiles):
            compare_pixels(
                answer.pixels, golden.infer_valid(model, tile), f"tile {tile.shape}, extreme weights: {extreme}"
            )
    await bench.done()


@cocotb.test()
async def reset_in_the_middle(dut: HierarchyObject) -> None:
    """A reset at any point of a packet leaves a design that works."""
    bench = Bench(dut)
    await bench.reset()
    halo = CONFIG.network.halo
    model = random_model(CONFIG.network, bench.rng)
    tile = random_input(CONFIG.network, bench.rng, 3 + 2 * halo, 5 + 2 * halo)
    load, words = load_packet(CONFIG, model), tile_packet(CONFIG, tile)
    tile_time = tile_cycles(CONFIG, 3, 5)
    for cycles in (1, 5, len(load) // 2, len(load) + 12, len(load) + tile_time // 2, len(load) + tile_time):
        await bench.send(np.concatenate([load, words, words]))
        await ClockCycles(dut.clk, cycles)
        await bench.reset()
        answers = parse_answers(await bench.transfer(np.concatenate([load, words])), CONFIG.network.out_ch)
        compare_pixels(
            answers[1].pixels, golden.infer_valid(model, tile), f"after a reset {cycles} cycles into a transfer"
        )
    await bench.done()


@cocotb.test()
async def cycles_of_queued_tiles(dut: HierarchyObject) -> None:
    """Tiles queued back to back take the cycles of the model within 2 %, with no bubble over 1 % between them."""
    bench = Bench(dut)
    await bench.reset()
    halo = CONFIG.network.halo
    height, width = 24, 24
    model = random_model(CONFIG.network, bench.rng)
    tile = random_input(CONFIG.network, bench.rng, height + 2 * halo, width + 2 * halo)
    await bench.transfer(load_packet(CONFIG, model))
    packet = tile_packet(CONFIG, tile)
    spent = {}
    for count in (1, 3):
        start = get_sim_time("ns")
        words = await bench.transfer(np.concatenate([packet] * count))
        spent[count] = (get_sim_time("ns") - start) / PERIOD_NS
        assert len(words) == count * answer_words(CONFIG, *tile.shape[:2])
        for answer in parse_answers(words, CONFIG.network.out_ch):
            compare_pixels(answer.pixels, golden.infer_valid(model, tile), "queued tile")
    per_tile, expected = (spent[3] - spent[1]) / 2, tile_cycles(CONFIG, height, width)
    dut._log.info(f"{per_tile:.0f} cycles per queued {width}x{height} tile, model {expected}")
    assert expected * 0.99 <= per_tile <= expected * 1.02, f"{per_tile} cycles per tile, the model says {expected}"
    assert spent[1] <= expected * 1.02 + 2000, f"{spent[1]} cycles for a single tile"
    await bench.done()
