"""The stand-in for the `pynq` package on the board in software. The same tests run on the real package
(real_pynq.py).
"""

from host.board.processor import AFI0
from sim.board import channels
from tests.stand_ins.pynq.soft_board import SoftBoard


class Clocks:
    """The processor's clocks."""

    def __init__(self, board):
        self.__dict__["board"] = board

    fclk0_mhz = property(lambda self: self.board.fclk0_mhz, lambda self, mhz: self.board.set_clock(mhz))


class Port:
    """Registers of S_AXI_HP0."""

    def __init__(self, board):
        self.read, self.write = board.read_port, board.write_port


class FakePynq(SoftBoard):
    """The package: `Overlay(bitfile)` and `allocate(...)`; also the overlay itself, and the board below."""

    def Overlay(self, bitfile_name):
        self.download()
        vars(self).update(channels.find_dmas(self, bitfile_name))
        return self

    @property
    def Clocks(self):
        return Clocks(self)

    def MMIO(self, base_addr, length):
        assert (base_addr, length) == (AFI0, 0x1000)
        return Port(self)

    def allocate(self, *arguments, **keywords):
        return channels.allocate(self, *arguments, **keywords)
