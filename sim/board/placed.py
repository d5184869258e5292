"""The host's script on a design as it is placed: processor's ports, bridge, this project's DMA, `srcnn_top`, memory.

Between the script and the Verilog nothing is left but a stand-in for the `pynq` package (channels.py) and the PS7's two
ports: registers are read and written over M_AXI_GP0, and what the DMA moves lies in a memory behind S_AXI_HP0.

Started by `pytest sim/test_host.py -k placed`.
"""

from __future__ import annotations

import pathlib
import sys
import types
from typing import TYPE_CHECKING

import cocotb
import numpy as np
from cocotb.task import bridge, resume
from cocotbext.axi import AxiResp

from host.board.processor import AFI0, NARROW, WIDTH
from host.picture.backends import GoldenBackend, open_backend
from host.picture.pipeline import load_model
from model.base.errors import UserError
from model.integer.examples import random_input
from sim.benches.axi_rules import AxiRules
from sim.benches.top_bench import CONFIG, SEED, compare_pixels
from sim.benches.zynq_bench import PERIOD_NS, Bench
from sim.board import channels
from sim.board.bench import COMMAND, FOLDER, NETWORK, WEIGHTS, check_output
from sim.board.board import PAGE, Board, run_script

if TYPE_CHECKING:
    from cocotb.handle import HierarchyObject

MEMORY = 1 << 22  # bytes behind S_AXI_HP0
FCLK0_MHZ = 1000 / PERIOD_NS
STALL_CYCLES = 60_000  # longer than the driver's patience


class PlacedBoard(Board):
    """A board whose fabric is the whole design: the DMA is Verilog, and a fresh bitstream is a reset."""

    period_steps = PERIOD_NS * 1000

    def __init__(self, dut: HierarchyObject, folder: pathlib.Path) -> None:
        super().__init__(CONFIG, folder, fclk0_mhz=FCLK0_MHZ)
        self.clock_hz = FCLK0_MHZ * 1e6
        self.bench, self.rules = Bench(dut, MEMORY), AxiRules(dut)
        self.memory_bytes = np.frombuffer(self.bench.memory.ram.mem, np.uint8, MEMORY)
        self.port = dict.fromkeys(WIDTH, NARROW)  # as a boot image with a narrow port leaves it
        self._next_address = PAGE
        module = sys.modules["pynq"]
        module.Clocks, module.MMIO = types.SimpleNamespace(fclk0_mhz=50.0), self._registers

    @resume
    async def read(self, offset: int) -> int:
        """Read a register of the DMA, over M_AXI_GP0."""
        return await self.bench.read(offset)

    @resume
    async def write(self, offset: int, value: int) -> None:
        """Write a register of the DMA, over M_AXI_GP0."""
        if offset in (channels.SEND + channels.LENGTH, channels.RECEIVE + channels.LENGTH):
            assert not any(self.port.values()), "a transfer through a port that is 32 bits wide"
            assert sys.modules["pynq"].Clocks.fclk0_mhz == FCLK0_MHZ, (
                "a transfer with another clock than the manifest's"
            )
        await self.bench.write(offset, value)

    @resume
    async def download(self) -> None:
        """Load the bitstream anew, as far as a simulation can: everything in the fabric is reset."""
        await self.bench.reset()
        self.downloads += 1

    def take_memory(self, nbytes: int) -> int:
        """Return the address of fresh memory behind S_AXI_HP0."""
        address = super().take_memory(nbytes)
        assert address + nbytes <= MEMORY, "the bench's memory is full"
        place = self.memory_bytes[address:][:nbytes]
        place[:] = self.memory[address]
        self.memory[address] = place
        return address

    def _open(self, bitfile):
        self.download()
        self.overlay = types.SimpleNamespace(download=self.download, **channels.find_dmas(self, bitfile))
        return self.overlay

    def _registers(self, base, length):
        assert (base, length) == (AFI0, 0x1000), "only S_AXI_HP0's registers are modelled"
        return types.SimpleNamespace(read=self.port.__getitem__, write=self.port.__setitem__)


@cocotb.test()
async def placed_picture(dut: HierarchyObject) -> None:
    """The script's file, byte for byte, while every AXI channel pauses now and then."""
    board = PlacedBoard(dut, FOLDER / "overlays")
    board.bench.lazy(0.1)
    check_output(await run_script(*COMMAND, WEIGHTS, "--tile", "8x8"))
    assert board.allocations and not board.memory and board.downloads == 1 and board.rules.quiet()
    dut._log.info(f"{board.cycles()} cycles")


@cocotb.test()
async def placed_faults(dut: HierarchyObject) -> None:
    """Memory that answers with errors, or after the driver gave up: one sentence each, then right pixels."""
    board, model, rng = (
        PlacedBoard(dut, FOLDER / "overlays"),
        load_model(None, None, WEIGHTS),
        np.random.default_rng(SEED),
    )
    memory = board.bench.memory

    async def answer_later(channel):
        await board.pass_cycles(STALL_CYCLES)
        channel.pause = False

    @resume
    async def begin(fault):
        memory.bad = lambda address: AxiResp.SLVERR if fault == "error" else AxiResp.OKAY
        for name in ("r", "b"):
            if fault == f"late {name}":
                memory.channels[name].pause = True
                cocotb.start_soon(answer_later(memory.channels[name]))

    def tile():
        return random_input(NETWORK, rng, *(int(side) + 2 * NETWORK.halo for side in rng.integers(1, 5, 2)))

    @bridge
    def use():
        said = {}
        with open_backend("pynq", model)[0] as backend:
            for fault in ("error", "late r", "late b"):
                begin(fault)
                try:
                    list(backend.infer([tile()]))
                    said[fault] = "no error"
                except UserError as error:
                    said[fault] = str(error)
                begin("none")
                pixels = tile()
                compare_pixels(next(backend.infer([pixels])), next(GoldenBackend(model).infer([pixels])), fault)
        return said

    said = await use()
    assert "the DMA reported an error" in said["error"] and "slave error" in said["error"], said
    for fault in ("late r", "late b"):
        assert "the DMA did not finish in time" in said[fault], said
    assert board.downloads == 1 + len(said) and not board.memory and board.rules.quiet()
