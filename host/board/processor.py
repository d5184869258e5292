"""What an overlay needs of a Zynq-7000's processor besides its bitstream: the rate of FCLK0, the width of S_AXI_HP0.

PYNQ's `Overlay` sets the clock's dividers by the handoff file, and nothing of the memory port. That port's width is a
register, not a part of the bitstream: the first stage boot loader sets it to what the design in the boot image had. For
PYNQ-Z2's image that is 64 bits (`PCW_S_AXI_HP0_DATA_WIDTH {64}` in boards/Pynq-Z2/base/base.tcl), other images have had
32, where every second word of a transfer is lost. Level shifters and the fabric's resets are Linux' work: its driver
zynq-fpga closes them before a bitstream is loaded and opens them afterwards.
"""

from __future__ import annotations

import types

from model.base.errors import UserError

AFI0 = 0xF8008000  # registers of S_AXI_HP0 (UG585, AXI_HP interface)
AFI_BYTES = 0x1000
WIDTH = (0x00, 0x14)  # of reads, of writes: bit 0 is 1 where the port is 32 bits wide
NARROW = 0x1
TOLERANCE = 0.01  # of the clock: the processor's PLL may not be at 1,000 MHz to the last digit


def prepare(pynq: types.ModuleType, fclk0_mhz: float) -> None:
    """Set the fabric's clock and the memory port's width, and see that they are so.

    Parameters
    ----------
    pynq : module
        The `pynq` package: its `Clocks` and `MMIO`.
    fclk0_mhz : float
        What the overlay's manifest says.

    Raises
    ------
    UserError
        If the processor does not take them.
    """
    set_clock(pynq, fclk0_mhz)
    set_width(pynq)


def set_clock(pynq: types.ModuleType, fclk0_mhz: float) -> None:
    """Set FCLK0; raise `UserError` if it becomes another rate."""
    try:
        pynq.Clocks.fclk0_mhz = fclk0_mhz
        found = float(pynq.Clocks.fclk0_mhz)
    except Exception as error:  # PYNQ raises many kinds
        raise UserError(f"the clock FCLK0 cannot be set to {fclk0_mhz:.2f} MHz ({error!r}); run as root") from error
    if abs(found - fclk0_mhz) > TOLERANCE * fclk0_mhz:
        raise UserError(
            f"the clock FCLK0 is {found:.2f} MHz, the overlay's manifest says {fclk0_mhz:.2f}: the boot image's PLL "
            f"has another rate than PYNQ's (1,000 MHz); use PYNQ's image for this board"
        )


def set_width(pynq: types.ModuleType) -> None:
    """Make S_AXI_HP0 64 bits wide, which the DMA's port is; raise `UserError` if it stays at 32."""
    try:
        port = pynq.MMIO(AFI0, AFI_BYTES)
        for offset in WIDTH:
            value = int(port.read(offset))
            if value & NARROW:
                port.write(offset, value & ~NARROW)
        narrow = [offset for offset in WIDTH if int(port.read(offset)) & NARROW]
    except Exception as error:
        raise UserError(f"the registers of S_AXI_HP0 cannot be read ({error!r}); run as root on the board") from error
    if narrow:
        raise UserError(
            "the memory port S_AXI_HP0 stays 32 bits wide, the DMA's is 64; use PYNQ's image for this board"
        )
