"""The handoff file (.hwh) of a placed design: as much of Vivado's format as PYNQ's parser reads.

Processor with its clocks, the blocks in its register range, the streams that join them. Names, addresses and parameters
are those of the block design in `bitstreams/`, so that one driver fits both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from hls.place.clock import Clock

PROCESSOR, DMA, KERNEL, REGISTERS = "processing_system7_0", "axi_dma_0", "srcnn_top_0", "desk_registers_0"
CONTROL_ADDRESS = 0x40400000  # of the DMA's or the desk's registers, in the range of M_AXI_GP0: as in Vivado's design
RANGE = 0x10000  # of a block's registers, bytes
MEMORY = 0x20000000  # bytes that the DMA reaches, from 0 on
DMA_PARAMETERS = {
    "c_include_sg": 0,
    "c_micro_dma": 0,
    "c_include_mm2s": 1,
    "c_include_s2mm": 1,
    "c_include_mm2s_dre": 0,
    "c_include_s2mm_dre": 0,
    "c_m_axi_mm2s_data_width": 64,
    "c_m_axis_mm2s_tdata_width": 64,
    "c_m_axi_s2mm_data_width": 64,
    "c_s_axis_s2mm_tdata_width": 64,
    "c_sg_length_width": 26,
}
_DMA_REGISTERS = tuple(
    (f"{channel}_{name}", base + offset)
    for base, channel in ((0x00, "MM2S"), (0x30, "S2MM"))
    for offset, name in ((0x00, "DMACR"), (0x04, "DMASR"), (0x28, "LENGTH"))
)
_DESK_REGISTERS = (("LEDS", 0x0), ("SCRATCH", 0x4), ("WRITES", 0x8), ("IDENTITY", 0xC))


def handoff(design: str, part: str, clock: Clock) -> bytes:
    """Return the .hwh of a design.

    Parameters
    ----------
    design : str
        Of `hls.place.designs.DESIGNS`.
    part : str
    clock : Clock
        FCLK0: PYNQ sets the dividers named here when it loads the overlay.
    """
    root, modules = system(design, part, "zynq", "none: placed by nextpnr-xilinx")
    parameters = {}
    for number in range(4):
        dividers = clock.dividers if number == 0 else (5, 2)
        parameters |= {
            f"PCW_FPGA_FCLK{number}_ENABLE": int(number == 0),
            f"PCW_FCLK{number}_PERIPHERAL_DIVISOR0": dividers[0],
            f"PCW_FCLK{number}_PERIPHERAL_DIVISOR1": dividers[1],
            f"PCW_FCLK{number}_PERIPHERAL_CLKSRC": "IO PLL",
        }
    parameters |= {"PCW_S_AXI_HP0_DATA_WIDTH": 64}
    processor = module(modules, PROCESSOR, "processing_system7", "xilinx.com:ip:processing_system7:5.5", parameters)
    if design == "blink":
        return text(root)
    interface(processor, "M_AXI_GP0", "MASTER", "aximm", "control")
    if design == "register":
        address_range(processor, "M_AXI_GP0", REGISTERS, "S_AXI", CONTROL_ADDRESS, RANGE, "REGISTER")
        block = module(modules, REGISTERS, "desk_registers", "srcnn:place:desk_registers:1.0", {})
        registers(block, "S_AXI", _DESK_REGISTERS)
        interface(block, "S_AXI", "SLAVE", "aximm", "control")
        return text(root)
    interface(processor, "S_AXI_HP0", "SLAVE", "aximm", "memory")
    address_range(processor, "M_AXI_GP0", DMA, "S_AXI_LITE", CONTROL_ADDRESS, RANGE, "REGISTER")
    streams = ("to_kernel", "from_kernel") if design == "srcnn" else ("loop", "loop")
    dma(modules, PROCESSOR, "S_AXI_HP0", 32, streams=streams)
    if design == "srcnn":
        kernel(modules, "srcnn_top")
    return text(root)


def system(name: str, part: str, architecture: str, made_by: str) -> tuple[ElementTree.Element, ElementTree.Element]:
    """Return an empty system and the list of its modules."""
    root = ElementTree.Element("EDKSYSTEM", EDWVERSION="1.2", VIVADOVERSION=made_by)
    ElementTree.SubElement(root, "SYSTEMINFO", ARCH=architecture, DEVICE=part.partition("-")[0][2:], NAME=name)
    ElementTree.SubElement(root, "EXTERNALPORTS")
    ElementTree.SubElement(root, "EXTERNALINTERFACES")
    return root, ElementTree.SubElement(root, "MODULES")


def dma(
    modules: ElementTree.Element,
    processor: str,
    memory: str,
    address_bits: int,
    parameters: dict[str, object] | None = None,
    streams: tuple[str, str] = ("to_kernel", "from_kernel"),
) -> None:
    """Add the DMA: its registers, its way to memory, its two streams."""
    chosen = {**DMA_PARAMETERS, "c_addr_width": address_bits, **(parameters or {})}
    block = module(modules, DMA, "axi_dma", "xilinx.com:ip:axi_dma:7.1", chosen)
    registers(block, "S_AXI_LITE", _DMA_REGISTERS)
    interface(block, "S_AXI_LITE", "SLAVE", "aximm", "control")
    for name in ("M_AXI_MM2S", "M_AXI_S2MM"):
        interface(block, name, "MASTER", "aximm", "memory")
        address_range(block, name, processor, memory, 0, MEMORY, "MEMORY")
    interface(block, "M_AXIS_MM2S", "INITIATOR", "axis", streams[0])
    interface(block, "S_AXIS_S2MM", "TARGET", "axis", streams[1])


def kernel(modules: ElementTree.Element, toplevel: str) -> None:
    """Add the accelerator between the DMA's streams."""
    block = module(modules, KERNEL, toplevel, "xilinx.com:hls:srcnn_top:1.0", {})
    ElementTree.SubElement(block.find("PORTS"), "PORT", NAME="clk", DIR="I", SIGIS="clk")
    ElementTree.SubElement(block.find("PORTS"), "PORT", NAME="rst", DIR="I", SIGIS="rst", POLARITY="ACTIVE_HIGH")
    interface(block, "s_axis", "TARGET", "axis", "to_kernel")
    interface(block, "m_axis", "INITIATOR", "axis", "from_kernel")


def module(
    modules: ElementTree.Element, instance: str, kind: str, vlnv: str, parameters: dict[str, object]
) -> ElementTree.Element:
    """Add a block to a list of modules and return it."""
    element = ElementTree.SubElement(
        modules, "MODULE", INSTANCE=instance, FULLNAME=f"/{instance}", MODTYPE=kind, VLNV=vlnv
    )
    for part in ("ADDRESSBLOCKS", "PARAMETERS", "PORTS", "BUSINTERFACES", "MEMORYMAP"):
        ElementTree.SubElement(element, part)
    for name, value in parameters.items():
        ElementTree.SubElement(element.find("PARAMETERS"), "PARAMETER", NAME=name, VALUE=str(value))
    return element


def interface(block: ElementTree.Element, name: str, role: str, kind: str, bus: str) -> None:
    """Add a bus interface to a block; of a stream also its ports."""
    element = ElementTree.SubElement(
        block.find("BUSINTERFACES"),
        "BUSINTERFACE",
        BUSNAME=bus,
        NAME=name,
        TYPE=role,
        VLNV=f"xilinx.com:interface:{kind}:1.0",
    )
    maps = ElementTree.SubElement(element, "PORTMAPS")
    for port in ("TDATA", "TKEEP", "TLAST", "TVALID", "TREADY") if kind == "axis" else ():
        physical = f"{name}_{port}".lower()
        drives = (role == "INITIATOR") != (port == "TREADY")
        ElementTree.SubElement(maps, "PORTMAP", LOGICAL=port, PHYSICAL=physical)
        ElementTree.SubElement(block.find("PORTS"), "PORT", NAME=physical, DIR="O" if drives else "I", SIGIS="undef")


def address_range(
    block: ElementTree.Element, master: str, instance: str, slave: str, base: int, size: int, kind: str
) -> None:
    """Say where a master of a block sees a slave of another instance."""
    ElementTree.SubElement(
        block.find("MEMORYMAP"),
        "MEMRANGE",
        ADDRESSBLOCK="Reg" if kind == "REGISTER" else "HP0_DDR_LOW",
        INSTANCE=instance,
        MASTERBUSINTERFACE=master,
        SLAVEBUSINTERFACE=slave,
        MEMTYPE=kind,
        BASEVALUE=f"0x{base:08X}",
        HIGHVALUE=f"0x{base + size - 1:08X}",
    )


def registers(block: ElementTree.Element, name: str, named: tuple[tuple[str, int], ...]) -> None:
    """Add registers behind an interface: names and offsets."""
    element = ElementTree.SubElement(
        block.find("ADDRESSBLOCKS"), "ADDRESSBLOCK", INTERFACE=name, NAME="Reg", RANGE="4096", USAGE="register"
    )
    there = ElementTree.SubElement(element, "REGISTERS")
    for register_name, offset in named:
        register = ElementTree.SubElement(there, "REGISTER", NAME=register_name)
        for key, value in (
            ("ADDRESS_OFFSET", hex(offset)),
            ("SIZE", "32"),
            ("ACCESS", "read-write"),
            ("IS_ENABLED", "true"),
        ):
            ElementTree.SubElement(register, "PROPERTY", NAME=key, VALUE=value)
        ElementTree.SubElement(register, "FIELDS")


def text(root: ElementTree.Element) -> bytes:
    """Return the file's bytes."""
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
