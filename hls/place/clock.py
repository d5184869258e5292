"""The clock that a routed design gets: FCLK0, the processor's PLL divided.

PYNQ's boot image leaves the IO PLL at 1,000 MHz, and two dividers of 1 to 63 in a row make FCLK0 from it. So there are
only the rates 1000 / n MHz. nextpnr-xilinx's figure leaves out the delays inside DSPs and RAMs, clock skew, the
processor's own ports and most of a LUT's pins; a share of it is taken, or a larger one of this project's own figure,
which has these (`hls/sta`), where its data are found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from model.base.errors import UserError

PLL_MHZ = 1000.0
MOST = 63  # of a divider
# Of nextpnr-xilinx's figure: bitstreams with the processor fit 0.56 to 0.77 of it by Project X-Ray's delays
# (docs/bit-timing.md, docs/clock.md).
SHARE = 0.5
# Of our own, slow corner: the rest is for the clock's long wires, the processor's pins, and that no board has run it.
TIMED_SHARE = 0.9
HIGHEST_MHZ = 100.0  # what bridge, registers and DMA are planned for


@dataclass(frozen=True)
class Clock:
    """FCLK0.

    Attributes
    ----------
    dividers : tuple of int
        Of the PLL, one behind the other.
    """

    dividers: tuple[int, int]

    @property
    def mhz(self) -> float:
        """The rate."""
        return PLL_MHZ / (self.dividers[0] * self.dividers[1])


def choose(fmax_mhz: float, timed_mhz: float | None = None) -> Clock:
    """Return the fastest clock that leaves a margin, and is no more than `HIGHEST_MHZ`.

    Parameters
    ----------
    fmax_mhz : float
        By nextpnr-xilinx, of which `SHARE` may be taken.
    timed_mhz : float, optional
        By `hls/sta`, in the slow corner: `TIMED_SHARE` of this is taken instead.

    Raises
    ------
    UserError
        If the design is too slow for any.
    """
    figure, share = (fmax_mhz, SHARE) if timed_mhz is None else (timed_mhz, TIMED_SHARE)
    most = min(figure * share, HIGHEST_MHZ)
    if not most > 0:
        raise UserError(f"a routed figure of {figure:g} MHz leaves no clock; the design did not route")
    for total in range(math.ceil(PLL_MHZ / most - 1e-9), MOST * MOST + 1):
        for first in range(1, MOST + 1):
            if total % first == 0 and total // first <= MOST and first >= total // first:
                return Clock((first, total // first))
    raise UserError(
        f"the design routed to {figure:g} MHz, {share:.0%} of that is less than the slowest FCLK0 "
        f"({PLL_MHZ / MOST**2:.2f} MHz)"
    )
