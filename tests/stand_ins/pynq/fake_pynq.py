"""The stand-in for the `pynq` package on the board in software. The same tests run on the real package
(real_pynq.py).
"""

from sim.board import channels
from tests.stand_ins.pynq.soft_board import SoftBoard


class FakePynq(SoftBoard):
    """The package: `Overlay(bitfile)` and `allocate(...)`; also the overlay itself, and the board below."""

    def Overlay(self, bitfile_name):
        self.download()
        vars(self).update(channels.find_dmas(self, bitfile_name))
        return self

    def allocate(self, *arguments, **keywords):
        return channels.allocate(self, *arguments, **keywords)
