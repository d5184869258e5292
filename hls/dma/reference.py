"""The DMA as a module of a Vivado block design, `dma_axi`: plain Verilog, its interfaces in attributes.

Its ports are read from `dma_top`'s own text, so nothing is listed twice. Vivado writes the module's parameters into the
handoff file, where the host's driver looks for those of AMD's DMA.
"""

from __future__ import annotations

import re

from hls.dma.wrapper import top_text

NAME = "dma_axi"
REGISTER_BITS = 16  # of an address: the 64 KiB that the block design gives it; `dma_top` decodes the lower ones
_PORT = re.compile(r"^    (input|output)\s+wire\s+(\[\d+:0\])?\s*(\w+),?$", re.M)
_AXI = {"s_axi_lite": "aximm", "m_axi": "aximm", "m_axis_mm2s": "axis", "s_axis_s2mm": "axis"}
_PARAMETER = {  # on the first port of an interface
    "s_axi_lite": "PROTOCOL AXI4LITE",
    "m_axi": "PROTOCOL AXI4, MAX_BURST_LENGTH 16, SUPPORTS_NARROW_BURST 0",
}
_PINS = {
    "aclk": ("clock", "CLK", "ASSOCIATED_BUSIF s_axi_lite:m_axi:m_axis_mm2s:s_axis_s2mm, ASSOCIATED_RESET aresetn"),
    "aresetn": ("reset", "RST", "POLARITY ACTIVE_LOW"),
    "axis_resetn": ("reset", "RST", "POLARITY ACTIVE_LOW"),
    "mm2s_introut": ("interrupt", "INTERRUPT", "SENSITIVITY LEVEL_HIGH"),
    "s2mm_introut": ("interrupt", "INTERRUPT", "SENSITIVITY LEVEL_HIGH"),
}


def reference_text(address_bits: int, parameters: dict[str, int]) -> str:
    """Return Verilog of `dma_axi`.

    Parameters
    ----------
    address_bits : int
        Of memory.
    parameters : dict
        What the handoff file shall say of the DMA, besides `c_addr_width`.
    """
    seen, ports, joined = set(), [], []
    header = top_text(address_bits).partition(");")[0]
    for direction, width, port in _PORT.findall(header):
        if port in _PINS:
            kind, signal, parameter = _PINS[port]
            info = f"xilinx.com:signal:{kind}:1.0 {port} {signal}"
        else:
            interface, _, signal = port.rpartition("_")
            info = f"xilinx.com:interface:{_AXI[interface]}:1.0 {interface} {signal.upper()}"
            parameter = "" if interface in seen else _PARAMETER.get(interface, "")
            seen.add(interface)
        ports.append(f'    (* X_INTERFACE_INFO = "{info}" *)')
        if parameter:
            ports.append(f'    (* X_INTERFACE_PARAMETER = "{parameter}" *)')
        registers = re.fullmatch(r"s_axi_lite_a[rw]addr", port)
        wide = f"[{REGISTER_BITS - 1}:0] " if registers else width and f"{width} "
        ports.append(f"    {direction} wire {wide}{port},")
        joined.append(f".{port}({port}{width if registers else ''})")
    ports[-1] = ports[-1].rstrip(",")
    told = {**parameters, "c_addr_width": address_bits}
    described = ",\n".join(f"    parameter integer {name} = {value}" for name, value in told.items())
    return "\n".join(
        [
            "// The DMA of hls/dma as a module of a Vivado block design. Its parameters change nothing: by them the",
            "// handoff file tells the host's driver what it drives.",
            f"module {NAME} #(\n{described}\n) (",
            *ports,
            ");",
            "    dma_top dma (\n        " + ",\n        ".join(joined) + "\n    );",
            "endmodule\n",
        ]
    )
