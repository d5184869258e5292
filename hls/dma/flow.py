"""What the DMA consists of: kernels, merges, ways in, and the streams that join them. Verilog, the C++ that runs them
together and the proofs are written from these lists.
"""

from __future__ import annotations

from dataclasses import dataclass

ADDRESS_BITS = (32, 40)  # Zynq-7000's memory; Zynq UltraScale+'s
LENGTH_BITS = 26  # of a transfer's length in bytes
BURST, OPEN_READS = 16, 4  # beats; bursts; as in cpp/dma_types.hpp
BUFFER = OPEN_READS * BURST


@dataclass(frozen=True)
class Part:
    """A part of the dataflow.

    Attributes
    ----------
    name : str
    kind : str
        "kernel", of the C++ type `dma::<name>`; "merge"; or "entry", a stream's way in.
    joins : dict
        Its own stream -> the stream of the dataflow.
    """

    name: str
    kind: str
    joins: dict


def _kernel(name, **joins):
    return Part(name, "kernel", joins)


def _merge(name, *sources):
    return Part(name, "merge", {stream: stream for stream in sources} | {"out": name})


def _entry(stream):
    return Part(f"{stream}_entry", "entry", {"in": stream, "out": f"{stream}_in"})


# Behind a soft reset the movers begin anew, the registers go on.
REGISTERS = [
    _entry("lite_aw"),
    _entry("lite_w"),
    _entry("lite_ar"),
    _kernel("register_request", aw="lite_aw_in", w="lite_w_in", out="writes"),
    _merge("register_events", "writes", "lite_ar_in", "mm2s_reports", "s2mm_reports"),
    _kernel(
        "registers",
        events="register_events",
        r="lite_r",
        b="lite_b",
        to_mm2s="mm2s_commands",
        to_s2mm="s2mm_commands",
        restart="restart",
        interrupts="interrupts",
    ),
]
MOVERS = [
    _entry("r"),
    _merge("mm2s_events", "mm2s_commands", "arrived", "gone"),
    _kernel("mm2s_control", events="mm2s_events", ar="ar", notes="notes", reports="mm2s_reports"),
    _kernel("mm2s_fetch", r="r_in", data="fetched", arrived="arrived"),
    _kernel("mm2s_send", notes="notes", data="fetched", out="mm2s", gone="gone"),
    _entry("b"),
    _entry("s2mm"),
    _merge("s2mm_events", "s2mm_commands", "full", "b_in"),
    _kernel("s2mm_control", events="s2mm_events", packet="packets", go="go", reports="s2mm_reports"),
    _kernel("s2mm_pack", packet="packets", **{"in": "s2mm_in"}, data="packed", full="full"),
    _kernel("s2mm_write", go="go", data="packed", aw="aw", w="w"),
]
# Streams from and to outside of either part: the rest is inside.
REGISTER_PORTS = {
    "lite_aw": "in",
    "lite_w": "in",
    "lite_ar": "in",
    "lite_r": "out",
    "lite_b": "out",
    "mm2s_reports": "in",
    "s2mm_reports": "in",
    "mm2s_commands": "out",
    "s2mm_commands": "out",
    "restart": "out",
    "interrupts": "out",
}
MOVER_PORTS = {
    "mm2s_commands": "in",
    "s2mm_commands": "in",
    "mm2s_reports": "out",
    "s2mm_reports": "out",
    "ar": "out",
    "r": "in",
    "aw": "out",
    "w": "out",
    "b": "in",
    "mm2s": "out",
    "s2mm": "in",
}
# Words that a FIFO holds beyond what the pipeline in front of it needs, where it isn't the compiler's usual number:
# all beats of all open reads have their place; of a packet as many bursts are gathered ahead.
DEPTHS = {"fetched": BUFFER, "packed": BUFFER}

# Bits of the words that come in from outside; all others are what the kernels' C++ says.
OUTSIDE = {"lite_aw": 10, "lite_w": 32, "lite_ar": 10, "r": 67, "b": 2, "s2mm": 73}
