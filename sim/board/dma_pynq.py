"""cocotb tests of `dma_top` under PYNQ's own `pynq.lib.dma`, the file as it is (SIM_PYNQ), in a thread of its own."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from typing import TYPE_CHECKING

import cocotb
import numpy as np
from cocotb.task import bridge, resume
from cocotbext.axi import AxiResp, AxiStreamFrame

from sim.benches.dma_bench import FILLED, MEMORY, Bench
from sim.board import channels
from sim.board.handoff import DMA_PARAMETERS

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

PAGE = 4096


class Registers:
    """PYNQ's MMIO, on the bench's AXI-Lite port."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @resume
    async def read(self, offset: int = 0) -> int:
        """Read a register."""
        return await self.bench.read(offset)

    @resume
    async def write(self, offset: int, value: int) -> None:
        """Write a register."""
        await self.bench.write(offset, value)


class Board:
    """Contiguous memory for `channels.allocate`, in the bench's RAM."""

    def __init__(self, bench: Bench) -> None:
        self._all = np.frombuffer(bench.memory.ram.mem, np.uint8, MEMORY)
        self.memory, self._next = {}, PAGE

    def take_memory(self, nbytes: int) -> int:
        """Return the address of fresh memory."""
        address, self._next = self._next, self._next + (nbytes + 2 * PAGE - 1) // PAGE * PAGE
        assert self._next <= MEMORY, "the bench's memory is full"
        self.memory[address] = self._all[address:][:nbytes]
        return address

    def give_back(self, address: int) -> None:
        """Take memory back."""
        del self.memory[address]

    def flushed(self, address: int) -> None:
        """The cache's lines of this memory were written back."""


def load_driver() -> types.ModuleType:
    """Return PYNQ's module, with as much of the package around it as it imports."""
    packages = {name: types.ModuleType(name) for name in ("pynq", "pynqutils", "pynqutils.runtime")}
    packages["pynqutils.runtime.repr_dict"] = repr_dict = types.ModuleType("repr_dict")
    repr_dict.ReprDict = dict
    pynq = packages["pynq"]
    pynq.allocate = None  # of scatter-gather
    pynq.DefaultIP = type("DefaultIP", (), {"__init__": lambda self, description: None})
    pynq.UnsupportedConfiguration = type("UnsupportedConfiguration", (Exception,), {})
    sys.modules.update(packages)
    spec = importlib.util.spec_from_file_location("pynq_lib_dma", os.environ["SIM_PYNQ"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def open_dma(bench: Bench) -> object:
    """Return PYNQ's `DMA`, as an overlay with the handoff file of this project makes it."""
    kind = load_driver().DMA
    kind.mmio = Registers(bench)
    parameters = {name: str(value) for name, value in DMA_PARAMETERS.items()}
    return kind({"parameters": parameters, "interrupts": {}})


def refused(call: object, text: str) -> None:
    """A call of the driver ends in a RuntimeError that says so."""
    try:
        call()
    except RuntimeError as error:
        assert text in str(error), error
        return
    raise AssertionError(f"the driver did not say {text!r}")


@cocotb.test()
async def transfers(dut: HierarchyObject) -> None:
    """Both channels, as a notebook uses them: `transfer`, `wait`, `transferred`, parts of buffers, stop and start."""
    bench = Bench(dut, lazy=0.4)
    await bench.reset()

    async def echo():  # a kernel that gives back what it gets
        while True:
            frame = await bench.sink.recv(compact=False)
            await bench.source.send(AxiStreamFrame(frame.tdata, tkeep=frame.tkeep))

    cocotb.start_soon(echo())

    @bridge
    def script():
        dma, board = open_dma(bench), Board(bench)
        assert dma.buffer_max_size == (1 << 26) - 1
        tx, rx = (channels.allocate(board, 1000, np.uint8, cacheable=1) for _ in range(2))
        for start, count in ((0, 1000), (8, 1), (40, 129), (0, 0), (992, 8)):
            tx[:] = np.arange(1000) * (start + 3)
            rx.fill(FILLED)
            rx.flush()
            dma.recvchannel.transfer(rx)
            dma.sendchannel.transfer(tx, start=start, nbytes=count)
            dma.sendchannel.wait()
            dma.recvchannel.wait()
            count = count or 1000 - start
            assert dma.recvchannel.transferred == count == dma.sendchannel.transferred
            np.testing.assert_array_equal(np.asarray(rx)[:count], np.asarray(tx)[start:][:count])
            assert (np.asarray(rx)[count:] == FILLED).all()
        refused(lambda: dma.sendchannel.transfer(tx, start=4), "unaligned")
        dma.sendchannel.stop()
        refused(lambda: dma.sendchannel.transfer(tx), "not started")
        dma.sendchannel.start()
        assert dma.sendchannel.running and not dma.sendchannel.error

    await script()
    assert bench.rules.quiet()


@cocotb.test()
async def errors(dut: HierarchyObject) -> None:
    """What goes wrong is told in PYNQ's words; behind a reset the channels start again."""
    bench = Bench(dut)
    await bench.reset()

    async def later(channel):
        await bench.cycles(2000)
        channel.pause = False

    @resume
    async def holds(channel):  # the memory answers when the driver already waits
        channel.pause = True
        cocotb.start_soon(later(channel))

    @resume
    async def sends(data):
        await bench.source.send(AxiStreamFrame(data))

    @bridge
    def script():
        dma, board = open_dma(bench), Board(bench)
        buffer = channels.allocate(board, 600, np.uint8, cacheable=1)
        dma.recvchannel.transfer(buffer)
        refused(lambda: dma.recvchannel.transfer(buffer), "not idle")
        sends(bytes(601))
        refused(dma.recvchannel.wait, "Internal Error")
        for channel, resp, text in (
            ("send", AxiResp.SLVERR, "Slave Error"),
            ("send", AxiResp.DECERR, "Decode Error"),
            ("recv", AxiResp.SLVERR, "Internal Error"),  # PG021: of writes both bits are set
        ):
            dma.mmio.write(0, 4)
            while dma.mmio.read(0) & 4:
                pass
            for each in (dma.sendchannel, dma.recvchannel):
                each.start()
            bench.memory.bad = lambda address, resp=resp: resp
            at_fault = getattr(dma, f"{channel}channel")
            holds(bench.memory.channels["b" if channel == "recv" else "r"])
            at_fault.transfer(buffer)
            if channel == "recv":
                sends(bytes(600))
            refused(at_fault.wait, text)
            assert at_fault.error and not at_fault.running
            bench.memory.bad = lambda address: AxiResp.OKAY

    await script()
