"""A PYNQ board inside the simulation: `import pynq` finds an overlay whose fabric is `srcnn_top` in Verilator.

    host/run_pynq.py      in a thread of cocotb's `bridge`: the simulation stands still while the script runs
      host/driver.py
        pynq              this module: Overlay, allocate
          cocotbpynq      finds DMA and kernel in the .hwh; clock and reset; the buffers' memory; a script's thread
          cocotbext-axi   the two 64-bit streams between DMA and kernel

cocotbpynq 0.2 (GPL-3: for tests only, nothing that is shipped imports it) has channels that transfer 32-bit words and
know `transfer` and `wait`; here they get 64 bits and what PYNQ has besides: `idle`, `error`, `running`, `transferred`,
`start`, the DMA's registers and largest transfer, `download`, and buffers that live behind a cache. It wants a .hwh of a
Zynq-7000 (`processing_system7`), whatever the board.

The script's time is simulated time. A look at a register costs some clock cycles, `time.sleep` in the driver lets the
simulation run, and the driver's deadlines are deadlines of the simulation: a kernel that never answers ends in the
driver's own error. A script that waits in any other way runs into `LIMIT_CYCLES`.
"""

import contextlib
import functools
import hashlib
import importlib.machinery
import io
import json
import os
import pathlib
import runpy
import sys
import types
from xml.etree import ElementTree

import cocotb
import cocotbpynq
import cocotbpynq.overlay
import numpy as np
from cocotb.task import bridge, resume
from cocotb.triggers import Timer
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

import host.driver
import host.overlay
from model.paths import ROOT

PERIOD_STEPS = 1000      # of the clock that cocotbpynq starts
RESET_CYCLES = 20        # long enough for every FIFO and pipeline of the design
REGISTER_CYCLES = 20     # of a read or write over AXI-Lite
PATIENCE_S = 2e-4        # of the driver: 30,000 cycles at 150 MHz; its default of 5 s would take hours
LIMIT_CYCLES = 20_000_000
DMACR, DMA_RESET = 0x00, 0x4
GARBAGE = 0xA5           # in fresh memory
STALE = 0x5A             # in a fresh cache


def write_overlay(folder, config, toplevel, **changes):
    """Write an overlay folder: a .bit stand-in, the .hwh of the block design, and the manifest.

    Parameters
    ----------
    folder : pathlib.Path
    config : Config
    toplevel : str
        Verilog module that is simulated.
    changes
        What the manifest says otherwise.
    """
    folder.mkdir(parents=True)
    (folder / "srcnn.bit").write_bytes(b"a stand-in for a bitstream")
    (folder / "srcnn.hwh").write_bytes(_hwh(toplevel))
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("srcnn.bit", "srcnn.hwh")}
    manifest = {"network": config.network.name, "board": config.board, "config_id": f"{config.config_id:#010x}", "files": files, **changes}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _hwh(toplevel):
    """The hardware handoff that Vivado would write, as far as PYNQ and cocotbpynq read it: processor, DMA, kernel."""
    system = ElementTree.Element("EDKSYSTEM")
    modules = ElementTree.SubElement(system, "MODULES")

    def module(instance, kind, vlnv):
        return ElementTree.SubElement(modules, "MODULE", INSTANCE=instance, FULLNAME=f"/{instance}", MODTYPE=kind, VLNV=vlnv)

    def streams(parent, *directions, ports=()):
        interfaces = ElementTree.SubElement(parent, "BUSINTERFACES")
        for bus, name, role in directions:
            interface = ElementTree.SubElement(interfaces, "BUSINTERFACE", BUSNAME=bus, NAME=name, TYPE=role, VLNV="xilinx.com:interface:axis:1.0")
            maps = ElementTree.SubElement(interface, "PORTMAPS")
            for port in ports:
                ElementTree.SubElement(maps, "PORTMAP", LOGICAL=port, PHYSICAL=f"{name}_{port.lower()}")

    processor = module("processing_system7_0", "processing_system7", "xilinx.com:ip:processing_system7:5.5")
    ranges = ElementTree.SubElement(processor, "MEMORYMAP")
    ElementTree.SubElement(ranges, "MEMRANGE", INSTANCE="axi_dma_0", BASEVALUE="0x40400000", HIGHVALUE="0x4040FFFF")
    dma = module("axi_dma_0", "axi_dma", "xilinx.com:ip:axi_dma:7.1")
    ElementTree.SubElement(ElementTree.SubElement(dma, "PARAMETERS"), "PARAMETER", NAME="c_sg_length_width", VALUE="26")
    streams(dma, ("to_kernel", "M_AXIS_MM2S", "INITIATOR"), ("from_kernel", "S_AXIS_S2MM", "TARGET"))
    kernel = module("srcnn_top_0", toplevel, "xilinx.com:hls:srcnn_top:1.0")
    ports = ElementTree.SubElement(kernel, "PORTS")
    ElementTree.SubElement(ports, "PORT", NAME="clk", DIR="I", SIGIS="clk")
    ElementTree.SubElement(ports, "PORT", NAME="rst", DIR="I", SIGIS="rst", POLARITY="ACTIVE_HIGH")
    streams(kernel, ("to_kernel", "s_axis", "TARGET"), ("from_kernel", "m_axis", "INITIATOR"), ports=("TDATA", "TKEEP", "TLAST", "TVALID", "TREADY"))
    return ElementTree.tostring(system)


class Buffer(np.ndarray):
    """What the host sees, its cache; `memory` is what the DMA sees."""

    def __array_finalize__(self, parent):
        if isinstance(parent, Buffer):
            self.board, self.memory, self.start = parent.board, parent.memory, parent.start

    def place(self):
        """Return the part of the memory behind this slice."""
        assert self.start in self.board.buffers, "a freed buffer was used: a segmentation fault on the board"
        at = (self.__array_interface__["data"][0] - self.start) // self.itemsize
        return self.memory[at:at + len(self)]

    def flush(self):
        self.place()[...] = np.asarray(self)

    def invalidate(self):
        np.asarray(self)[...] = self.place()

    def freebuffer(self):
        self.place()
        self.board.buffers.remove(self.start)


class Channel:
    """One direction of the DMA, with what PYNQ's simple channels offer.

    Parameters
    ----------
    board : Board
    stream : AxiStreamSource or AxiStreamSink
    most_bytes : int
        Of a transfer.
    """

    def __init__(self, board, stream, most_bytes):
        self.board, self.stream, self.most_bytes = board, stream, most_bytes
        self.receives = isinstance(stream, AxiStreamSink)
        self.transferred, self.active, self._received = 0, None, 0
        self._start()

    def _start(self):
        self._running, self._error, self._task = True, False, None
        self.stream.pause = self.receives  # no word is taken before a receive is armed

    def busy(self):
        """Return whether a transfer is under way, without the time of a look at a register."""
        return self._task is not None if self.receives else not self.stream.idle()

    @property
    def running(self):
        self.board.register_access()
        return self._running

    @property
    def idle(self):
        self.board.register_access()
        return self._running and not self.busy()

    @property
    def error(self):
        self.board.register_access()
        return self._error

    def start(self):
        self.board.register_access()
        self._start()

    @resume
    async def transfer(self, array, start=0, nbytes=0):
        assert start == 0 and nbytes == 0, "not modelled"
        await self.board.pass_cycles(REGISTER_CYCLES)
        if not self._running or self.busy():
            raise RuntimeError("DMA channel not started, or not idle")
        if array.nbytes > self.most_bytes:
            raise ValueError(f"Transfer size exceeds the maximum of {self.most_bytes} bytes")
        if self.receives:
            self._task = cocotb.start_soon(self._receive(array.place()))
        else:
            array.flush()
            words = array.place().copy()
            self.board.sent.append(words)
            self.stream.send_nowait(AxiStreamFrame(words.tobytes()))
        self.active, self.transferred = array, 0

    async def _receive(self, memory):
        """Take words up to TLAST; more of them than fit are an error."""
        self.stream.pause = False
        frame = await self.stream.recv(compact=False)
        self.stream.pause = True
        count = min(len(frame.tdata), memory.nbytes)
        self._error = len(frame.tdata) > memory.nbytes or not all(frame.tkeep)
        memory.view(np.uint8)[:count] = np.frombuffer(bytes(frame.tdata[:count]), np.uint8)
        self._received, self._task = count, None

    def wait(self):
        while not self.idle:
            pass
        if self.receives:
            self.active.invalidate()
        self.transferred = self._received if self.receives else self.active.nbytes

    def reset(self):
        """Stop at once, in the middle of a word's handshake if need be."""
        if self._task is not None:
            self._task.cancel()
        self._running, self._task = False, None
        self.stream.clear()
        self.stream.pause = True


class Dma:
    """The DMA that cocotbpynq found in the .hwh, with channels of its streams' real width."""

    def __init__(self, board, found, element):
        self.board = board
        width = int(element.find("./PARAMETERS/PARAMETER[@NAME='c_sg_length_width']").get("VALUE"))
        self.buffer_max_size = (1 << width) - 1
        channels = []
        for channel, kind in ((found.sendchannel, AxiStreamSource), (found.recvchannel, AxiStreamSink)):
            kernel = channel.cpbus.cpdut
            stream = kind(AxiStreamBus.from_prefix(kernel.dut, channel.cpbus.portname), kernel.clk, kernel.rst, not kernel.rst_active_low)
            stream.log.setLevel("WARNING")  # whole frames in the log hide what matters
            channels.append(Channel(board, stream, self.buffer_max_size))
        self.sendchannel, self.recvchannel = channels

    def write(self, offset, value):
        assert (offset, value) == (DMACR, DMA_RESET), "not modelled"
        self.board.register_access()
        for channel in (self.sendchannel, self.recvchannel):
            channel.reset()

    def read(self, offset):
        assert offset == DMACR, "not modelled"
        self.board.register_access()
        return 0  # the reset bit falls at once


class Overlay(cocotbpynq.Overlay):
    """cocotbpynq's overlay, with a DMA as PYNQ's, and `download`, which resets the kernel as a new bitstream does."""

    def __init__(self, board, bitfile):
        assert pathlib.Path(bitfile).is_file()
        self._board = board
        os.environ["HWH_LOCATION_DIR"] = str(pathlib.Path(bitfile).parent)
        super().__init__(str(bitfile))
        self.download()

    def create_IP(self, instance_name):
        found = super().create_IP(instance_name)
        if not isinstance(found, cocotbpynq.DMA):
            return found
        return Dma(self._board, found, cocotbpynq.overlay.hwh_tree.find(f"./MODULES/MODULE[@INSTANCE='{instance_name}']"))

    @resume
    async def download(self):
        kernel = cocotbpynq.overlay.cptop
        await kernel.await_reset()
        kernel.rst.value = not kernel.rst_active_low
        await self._board.pass_cycles(RESET_CYCLES)
        kernel.rst.value = kernel.rst_active_low
        await self._board.pass_cycles(1)
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
    **changes
        What the overlay's manifest says otherwise.

    Attributes
    ----------
    sent : list of ndarray of uint64
        The words of each transfer to the kernel.
    buffers : set of int
        Addresses of the buffers that are not freed.
    allocations, downloads : int
    overlay : Overlay or None
    """

    def __init__(self, config, folder, batch_bytes=host.driver.BATCH_BYTES, **changes):
        self.clock_hz = config.clock_mhz * 1e6
        self.sent, self.buffers, self.allocations, self.downloads, self.overlay = [], set(), 0, 0, None
        write_overlay(folder / config.board, config, cocotb.top._name, **changes)
        module = types.ModuleType("pynq")
        module.__spec__ = importlib.machinery.ModuleSpec("pynq", None)
        module.Overlay, module.allocate = self._open, self._allocate
        sys.modules["pynq"] = module
        os.environ["BOARD"] = config.board
        host.overlay.OVERLAYS = folder
        host.driver.time = types.SimpleNamespace(monotonic=self.seconds, sleep=self._sleep)
        host.driver.Driver = functools.partial(host.driver.Driver, patience_s=PATIENCE_S, batch_bytes=batch_bytes)

    def commands(self):
        """Return the command of the first packet of each transfer."""
        return [int(words[0]) >> 16 & 0xFF for words in self.sent]

    def cycles(self):
        """Return the clock cycles since the simulation began."""
        return int(get_sim_time("step")) // PERIOD_STEPS

    def seconds(self):
        """Return the time on the board's clock."""
        return self.cycles() / self.clock_hz

    async def pass_cycles(self, count):
        """Let the simulation run, without any Python per cycle."""
        if self.cycles() > LIMIT_CYCLES:
            raise TimeoutError(f"the test's limit of {LIMIT_CYCLES} cycles is over")
        await Timer(count * PERIOD_STEPS, "step")

    @resume
    async def register_access(self):
        """Let the time of a register access pass."""
        await self.pass_cycles(REGISTER_CYCLES)

    @resume
    async def _sleep(self, seconds):
        await self.pass_cycles(max(1, round(seconds * self.clock_hz)))

    def _open(self, bitfile):
        self.overlay = Overlay(self, bitfile)
        return self.overlay

    def _allocate(self, shape, dtype="u4", target=None, cacheable=0):
        memory = cocotbpynq.allocate(shape, dtype, target)
        memory.view(np.uint8)[...] = GARBAGE
        buffer = (np.full_like(memory, STALE) if cacheable else memory).view(Buffer)
        buffer.board, buffer.memory, buffer.start = self, memory, buffer.__array_interface__["data"][0]
        self.buffers.add(buffer.start)
        self.allocations += 1
        return buffer


@bridge
def run_script(*arguments):
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
