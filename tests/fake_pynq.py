"""The stand-in for the `pynq` package on the board in software. The same tests run on the real package (real_pynq.py)."""

from sim import host_pynq
from soft_board import SoftBoard


class FakePynq(SoftBoard):
    """The package: `Overlay(bitfile)` and `allocate(...)`; also the overlay itself, and the board below."""

    def Overlay(self, bitfile_name):
        self.download()
        vars(self).update(host_pynq.find_dmas(self, bitfile_name))
        return self

    def allocate(self, *arguments, **keywords):
        return host_pynq.allocate(self, *arguments, **keywords)
