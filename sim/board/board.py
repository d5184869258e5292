"""A PYNQ board inside the simulation: `import pynq` finds an overlay whose fabric is `srcnn_top` in Verilator.

    host/run_pynq.py      in a thread of cocotb's `bridge`: the simulation stands still while the script runs
      host/board/driver.py
        pynq              this module's Overlay; allocate and the DMA's channels of channels.py
          cocotbpynq      finds DMA and kernel in the .hwh; clock and reset; a script's thread
          dma.py          the DMA's registers, and by cocotbext-axi the two 64-bit streams between DMA and kernel

cocotbpynq 0.2 (GPL-3: for tests only, nothing that is shipped imports it) has channels that transfer 32-bit words and
know `transfer` and `wait`; here they get 64 bits, registers, and what PYNQ has besides. It wants a .hwh of a Zynq-7000
(`processing_system7`), whatever the board.

The script's time is simulated time. A look at a register costs some clock cycles, `time.sleep` in the driver lets the
simulation run, and the driver's deadlines are deadlines of the simulation: a kernel that never answers ends in the
driver's own error. A script that waits in any other way runs into `LIMIT_CYCLES`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import io
import os
import pathlib
import runpy
import sys
import types
from typing import TYPE_CHECKING

import cocotb
import cocotbpynq
import cocotbpynq.overlay
import numpy as np
from cocotb.task import bridge, resume
from cocotb.triggers import Timer
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

import host.board.driver
import host.board.overlay
from model.base.paths import ROOT
from sim.board import channels, handoff
from sim.board.dma import DmaEngine

if TYPE_CHECKING:
    from hls.design.config import Config

RESET_CYCLES = 20  # long enough for every FIFO and pipeline of the design
PATIENCE_S = 2e-4  # of the driver: 30,000 cycles at 150 MHz; its default of 5 s would take hours
LIMIT_CYCLES = 20_000_000
GARBAGE = 0xA5  # in fresh memory
PAGE = 4096


class Overlay(cocotbpynq.Overlay):
    """cocotbpynq's overlay, with a DMA as PYNQ's, and `download`, which resets the kernel as a new bitstream does."""

    def __init__(self, board: Board, bitfile: str | pathlib.Path) -> None:
        bitfile = pathlib.Path(bitfile)
        assert bitfile.is_file()
        self._board = board
        kind = handoff.processor(board.config)["kind"]
        folder = bitfile.parent / "cocotbpynq"  # its handoff file: of the one processor that it knows
        folder.mkdir(exist_ok=True)
        (folder / "srcnn.hwh").write_text(bitfile.with_suffix(".hwh").read_text().replace(kind, handoff.ZYNQ["kind"]))
        os.environ["HWH_LOCATION_DIR"] = str(folder)
        super().__init__("srcnn.bit")
        self.hierarchy_dict.update(channels.find_dmas(board, bitfile))
        self.download()

    def create_IP(self, instance_name: str) -> object:
        found = super().create_IP(instance_name)
        if isinstance(found, cocotbpynq.DMA):
            self._board.dma = DmaEngine(
                self._board,
                *(
                    self._stream(channel, kind)
                    for channel, kind in ((found.sendchannel, AxiStreamSource), (found.recvchannel, AxiStreamSink))
                ),
            )
        return found

    @staticmethod
    def _stream(channel, kind):
        kernel = channel.cpbus.cpdut
        stream = kind(
            AxiStreamBus.from_prefix(kernel.dut, channel.cpbus.portname), kernel.clk
        )  # no reset: the kernel's is not the DMA's
        stream.log.setLevel("WARNING")  # whole frames in the log hide what matters
        return stream

    @resume
    async def download(self) -> None:
        await cocotbpynq.overlay.cptop.await_reset()
        await self._board.reset_kernel()
        self._board.downloads += 1


class Board:
    """The simulated board: makes `import pynq`, the overlay's folder and the driver's time its own. One per simulation.

    Parameters
    ----------
    config : Config
    folder : pathlib.Path
        Where the overlay's folder is written.
    batch_bytes : int, optional
        Of the driver: the size of a transfer.
    label : str, optional
        The network whose folder the overlay lies in; its own if None.
    **changes
        What the overlay's manifest says otherwise.

    Attributes
    ----------
    dma : DmaEngine or None
    memory : dict of {int: ndarray of uint8}
        What is allocated, by its address.
    starved : bool
        There is no more contiguous memory.
    allocations, downloads : int
    overlay : Overlay or None
    """

    period_steps = 1000  # of the clock that cocotbpynq starts

    def __init__(
        self,
        config: Config,
        folder: pathlib.Path,
        batch_bytes: int = host.board.driver.BATCH_BYTES,
        label: str | None = None,
        **changes: object,
    ) -> None:
        self.config, self.clock_hz = config, config.clock_mhz * 1e6
        self.dma, self.memory, self.starved, self.allocations, self.downloads, self.overlay = (
            None,
            {},
            False,
            0,
            0,
            None,
        )
        self._next_address = 1 << 24
        label = label or config.network.label
        handoff.write_overlay(folder / config.board / label, config, cocotb.top._name, **changes)
        module = types.ModuleType("pynq")
        module.__spec__ = importlib.machinery.ModuleSpec("pynq", None)
        module.Overlay, module.allocate = self._open, functools.partial(channels.allocate, self)
        sys.modules["pynq"] = module
        os.environ["BOARD"] = config.board
        host.board.overlay.OVERLAYS = folder
        host.board.driver.time = types.SimpleNamespace(monotonic=self.seconds, sleep=self._sleep)
        host.board.driver.Driver = functools.partial(
            host.board.driver.Driver, patience_s=PATIENCE_S, batch_bytes=batch_bytes
        )

    def commands(self) -> list[int]:
        """Return the command of the first packet of each transfer."""
        return [int(words[0]) >> 16 & 0xFF for words in self.dma.sent]

    def cycles(self) -> int:
        """Return the clock cycles since the simulation began."""
        return int(get_sim_time("step")) // self.period_steps

    def seconds(self) -> float:
        """Return the time on the board's clock."""
        return self.cycles() / self.clock_hz

    async def pass_cycles(self, count: int) -> None:
        """Let the simulation run, without any Python per cycle."""
        if self.cycles() > LIMIT_CYCLES:
            raise TimeoutError(f"the test's limit of {LIMIT_CYCLES} cycles is over")
        await Timer(count * self.period_steps, "step")

    async def reset_kernel(self) -> None:
        """Reset `srcnn_top`."""
        kernel = cocotbpynq.overlay.cptop
        kernel.rst.value = not kernel.rst_active_low
        await self.pass_cycles(RESET_CYCLES)
        kernel.rst.value = kernel.rst_active_low
        await self.pass_cycles(1)

    def read(self, offset: int) -> int:
        """Read a register of the DMA."""
        return self.dma.read(offset)

    def write(self, offset: int, value: int) -> None:
        """Write a register of the DMA."""
        self.dma.write(offset, value)

    def take_memory(self, nbytes: int) -> int:
        """Return the address of fresh contiguous memory."""
        if self.starved:
            raise RuntimeError("Allocate failed: 4294967295")  # PYNQ's words
        address = self._next_address
        self._next_address += (nbytes + 2 * PAGE) // PAGE * PAGE
        self.memory[address] = np.full(nbytes, GARBAGE, np.uint8)
        self.allocations += 1
        return address

    def give_back(self, address: int) -> None:
        """Take memory back."""
        del self.memory[address]

    def flushed(self, address: int) -> None:
        """The cache's lines of this memory were written back; the software board looks closer at that."""

    @resume
    async def _sleep(self, seconds):
        await self.pass_cycles(max(1, round(seconds * self.clock_hz)))

    def _open(self, bitfile):
        self.overlay = Overlay(self, bitfile)
        return self.overlay


@bridge
def run_script(*arguments: object) -> tuple[int, str, str]:
    """Run host/run_pynq.py, the file as it is, as the main program.

    Returns
    -------
    code : int
    out, err : str
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    before, sys.argv = sys.argv, ["run_pynq.py", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            runpy.run_path(str(ROOT / "host" / "run_pynq.py"), run_name="__main__")
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = before
    return code, out.getvalue(), err.getvalue()
