"""Testbench of one kernel: a stage of `srcnn_top` with its RAMs and FIFOs, word for word against the golden model.

The environment names the kernel (SIM_KERNEL) and its streams (SIM_STREAMS, JSON: name -> [direction, width]).
"""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Event, RisingEdge, with_timeout

from hls.design.load import load_config
from sim.benches.kernel_words import kernel_words

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

KERNEL = os.environ["SIM_KERNEL"]
STREAMS = json.loads(os.environ["SIM_STREAMS"])
SEED = int(os.environ["SIM_SEED"])
CONFIG = load_config(os.environ["SIM_NETWORK"], os.environ["SIM_BOARD"], int(os.environ["SIM_UPSCALE"]))
PERIOD_NS = 10
LIMIT = 400_000  # cycles: several times what the longest case takes
IDLE_CYCLES = 300  # after the last expected word, nothing more may come


class Bench:
    """Drives all streams of a stage: inputs from lists, outputs into lists, both with random gaps."""

    def __init__(self, dut: HierarchyObject, idle: float = 0.0, backpressure: float = 0.0) -> None:
        self.dut, self.idle, self.backpressure = dut, idle, backpressure
        self.rng = random.Random(SEED)
        self.tasks = []
        cocotb.start_soon(Clock(dut.clk, PERIOD_NS, "ns").start())

    async def reset(self) -> None:
        """Stop the drivers and reset the stage."""
        for task in self.tasks:
            task.cancel()
        self.tasks = []
        for name, (direction, _) in STREAMS.items():
            getattr(self.dut, f"{name}_{'valid' if direction == 'in' else 'ready'}").value = 0
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 20)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    def start(self, words: dict[str, list[int]]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Start driving; return (left, seen): words not yet taken per input, words seen per output."""
        left = {name: list(words[name]) for name, (direction, _) in STREAMS.items() if direction == "in"}
        seen = {name: [] for name, (direction, _) in STREAMS.items() if direction == "out"}
        self.counts = {name: len(words[name]) for name in seen}
        self.complete = Event()
        self.tasks = [cocotb.start_soon(self._drive(name, queue)) for name, queue in left.items()]
        self.tasks += [cocotb.start_soon(self._collect(name, queue, seen)) for name, queue in seen.items()]
        return left, seen

    async def _drive(self, name, queue):
        data, valid, ready = (getattr(self.dut, f"{name}_{s}") for s in ("data", "valid", "ready"))
        edge = RisingEdge(self.dut.clk)
        while queue:
            while self.rng.random() < self.idle:
                await edge
            data.value, valid.value = queue[0], 1
            await edge
            while not int(ready.value):
                await edge
            queue.pop(0)
            valid.value = 0

    async def _collect(self, name, queue, seen):
        data, valid, ready = (getattr(self.dut, f"{name}_{s}") for s in ("data", "valid", "ready"))
        edge = RisingEdge(self.dut.clk)
        while True:
            taking = self.rng.random() >= self.backpressure
            ready.value = int(taking)
            await edge
            if taking and int(valid.value):
                queue.append(int(data.value))
                if all(len(seen[n]) >= count for n, count in self.counts.items()):
                    self.complete.set()

    async def check(self, words: dict[str, list[int]], what: str) -> None:
        """Drive `words` through and compare all outputs; fails after a bounded time, and if anything is left over."""
        left, seen = self.start(words)
        try:
            await with_timeout(self.complete.wait(), LIMIT * PERIOD_NS, "ns")
        except cocotb.triggers.SimTimeoutError:
            pass  # the comparison tells what is missing
        await ClockCycles(self.dut.clk, IDLE_CYCLES)
        hint = f"again: {os.environ['SIM_AGAIN']}; WAVES=1 leaves a waveform"
        for name, actual in seen.items():
            expected = words[name]
            wrong = next((i for i, (a, b) in enumerate(zip(actual, expected)) if a != b), None)
            assert wrong is None, (
                f"{KERNEL}, {what}, stream {name}, word {wrong} of {len(expected)}: expected {expected[wrong]:#x}, "
                f"actual {actual[wrong]:#x}; {hint}"
            )
            assert len(actual) == len(expected), (
                f"{KERNEL}, {what}, stream {name}: {len(actual)} words, expected {len(expected)}; {hint}"
            )
            assert len(set(actual)) > 1, f"{KERNEL}, {what}, stream {name}: all {len(actual)} words are the same"
        over = {name: len(queue) for name, queue in left.items() if queue}
        assert not over, f"{KERNEL}, {what}: words were not taken: {over}; {hint}"


@cocotb.test()
@cocotb.parametrize(idle=[0.0, 0.5], backpressure=[0.0, 0.5])
async def words_in_words_out(dut: HierarchyObject, idle: float, backpressure: float) -> None:
    """Parameters, then tiles of odd sizes back to back, with gaps and backpressure; then everything once more."""
    bench = Bench(dut, idle, backpressure)
    await bench.reset()
    await bench.check(kernel_words(CONFIG, KERNEL, SEED), "random weights")
    await bench.reset()
    await bench.check(kernel_words(CONFIG, KERNEL, SEED + 1, extreme=True), "extreme weights")


@cocotb.test()
async def reset_in_the_middle(dut: HierarchyObject) -> None:
    """A reset after any number of cycles leaves a stage that works."""
    bench = Bench(dut, 0.1, 0.1)
    words = kernel_words(CONFIG, KERNEL, SEED)
    for cycles in (3, 40, 500, 2000):
        await bench.reset()
        bench.start(words)
        await ClockCycles(dut.clk, cycles)
        await bench.reset()
        await bench.check(words, f"after a reset in cycle {cycles}")
        for task in bench.tasks:
            task.cancel()
