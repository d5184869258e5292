"""The real `pynq` package on a board in software: everything of PYNQ runs but what touches silicon.

Overlay, metadata parser, drivers, DMA channels and buffers are PYNQ's own; the device below them answers register
accesses, hands out memory and takes bitstreams as `SoftBoard` does. PYNQ needs numpy below 2, so it has an environment
of its own, build/pynq-<version> (`make setup`); test_pynq.py runs the driver's tests there.
"""

import ctypes
import importlib.util
import mmap
import types
import warnings

import numpy as np

from host.board.processor import AFI0
from sim.board.handoff import processor
from tests.stand_ins.pynq.soft_board import SoftBoard

INSTALLED = importlib.util.find_spec("pynq") is not None
CACHEABLE = 1

if INSTALLED:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a PC: no board, no XRT
        import pynq
        import pynq.lib.dma
        import pynq.pl_server.embedded_device


class BufferObject:
    """What XRT hands out: memory, its address, and the cache's view of it."""

    def __init__(self, board, nbytes):
        self.board, self.nbytes, self.freed = board, nbytes, True
        self.address = board.take_memory(nbytes)
        self.freed = False
        self._mapped = ctypes.CDLL(None)
        self._mapped.mmap.restype = ctypes.c_void_p
        self._mapped.mmap.argtypes = [
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_long,
        ]
        # Real pages: PYNQ unmaps them when it frees a buffer, and a view that is used after that crashes as on the
        # board.
        self.start = self._mapped.mmap(
            None, nbytes, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0
        )
        self.cache = (ctypes.c_char * nbytes).from_address(self.start)
        np.frombuffer(self.cache, np.uint8)[:] = 0x5A

    def free(self):
        assert not self.freed, "a buffer was freed twice"
        self.freed = True
        self.board.give_back(self.address)

    def __del__(self):  # how PYNQ 3.1 frees
        if not self.freed:
            self.free()


def on_board(board):
    """Make `board` PYNQ's active device."""
    embedded = pynq.pl_server.embedded_device

    class Silicon(embedded.EmbeddedDevice):
        """Registers are reached by calls instead of a mapping of /dev/mem."""

        def __init__(self):
            super(embedded.XrtDevice, self).__init__("silicon")
            self.capabilities = {"REGISTER_RW": True}

        def read_registers(self, address, length):
            assert length == 4
            if address & ~0xFFF == AFI0:
                return board.read_port(address & 0xFFF).to_bytes(4, "little")
            return board.read(address - processor(board.config)["address"]).to_bytes(4, "little")

        def write_registers(self, address, data):
            assert len(data) == 4
            if address & ~0xFFF == AFI0:
                board.write_port(address & 0xFFF, int.from_bytes(bytes(data), "little"))
                return
            board.write(address - processor(board.config)["address"], int.from_bytes(bytes(data), "little"))

        def download(self, bitstream, parser=None):
            assert parser.bin_data, "PYNQ found no configuration in the .bit"
            board.download()
            self.post_download(bitstream, parser)

        def allocate_bo(self, size, idx, cacheable):
            assert cacheable == CACHEABLE
            return BufferObject(board, size)

        def map_bo(self, bo):
            return bo.cache

        def get_device_address(self, bo):
            return bo.address

        def flush(self, bo, offset, ptr, size):
            self._cached(bo, offset, ptr, size, lambda memory, cache: np.copyto(memory, cache))
            board.flushed(bo.address)

        def invalidate(self, bo, offset, ptr, size):
            self._cached(bo, offset, ptr, size, lambda memory, cache: np.copyto(cache, memory))

        @staticmethod
        def _cached(bo, offset, ptr, size, copy):
            assert not bo.freed and ptr == bo.start + offset and offset + size <= bo.nbytes
            copy(
                board.memory[bo.address][offset : offset + size],
                np.frombuffer(bo.cache, np.uint8)[offset : offset + size],
            )

    embedded._create_xclbin = lambda memories: embedded.DEFAULT_XCLBIN  # XRT's xclbinutil is not here
    buffers = pynq.buffer
    buffers.ctypes, buffers.libc = ctypes, ctypes.CDLL(None)  # PYNQ 3.1 has them on a board only
    buffers.libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    buffers.xrt = types.SimpleNamespace(xclFreeBO=lambda handle, bo: bo.free())
    Silicon.handle = None
    type(pynq.Clocks).set_pl_clk = lambda cls, *arguments, **keywords: None  # when an overlay is loaded
    clocks = types.SimpleNamespace(
        get_pl_clk=lambda number: board.fclk0_mhz, set_pl_clk=lambda number, clk_mhz: board.set_clock(clk_mhz)
    )
    type(pynq.Clocks)._instance = property(lambda cls: clocks)
    pynq.Device.active_device = Silicon()


class RealPynq(SoftBoard):
    """A board with the same face as `fake_pynq.FakePynq`: `Overlay`, `allocate`, and what lies below."""

    def __init__(self, config, model, fault=None):
        super().__init__(config, model, fault)
        on_board(self)

    def Overlay(self, *arguments, **keywords):
        return pynq.Overlay(*arguments, **keywords)

    def allocate(self, *arguments, **keywords):
        return pynq.allocate(*arguments, **keywords)

    @property
    def Clocks(self):
        return pynq.Clocks

    def MMIO(self, *arguments, **keywords):
        return pynq.MMIO(*arguments, **keywords)
