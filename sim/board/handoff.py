"""The files of an overlay as Vivado leaves them, as far as PYNQ and cocotbpynq read them: .bit header, .hwh, manifest.

What the handoff file says is what the block design in `bitstreams/` asks of Vivado: its instances' names, addresses and
the DMA's parameters. Real files are larger; nothing here is known better than there.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    import pathlib

    from hls.design.config import Config

DMA, KERNEL = "axi_dma_0", "srcnn_top_0"
# Per processor: instance, version, port that reaches registers, their address, port to memory, address width, clocks.
ZYNQ = {
    "kind": "processing_system7",
    "version": "5.5",
    "control": "M_AXI_GP0",
    "address": 0x40400000,
    "memory": "S_AXI_HP0",
    "address_bits": 32,
    "parameters": {
        "PCW_FPGA_FCLK{}_ENABLE": 0,
        "PCW_FCLK{}_PERIPHERAL_DIVISOR0": 5,
        "PCW_FCLK{}_PERIPHERAL_DIVISOR1": 2,
        "PCW_FCLK{}_PERIPHERAL_CLKSRC": "IO PLL",
    },
}
ZYNQ_MP = {
    "kind": "zynq_ultra_ps_e",
    "version": "3.5",
    "control": "M_AXI_HPM0_FPD",
    "address": 0xA0000000,
    "memory": "S_AXI_HP0_FPD",
    "address_bits": 40,
    "parameters": {
        "PSU__FPGA_PL{}_ENABLE": 0,
        "PSU__CRL_APB__PL{}_REF_CTRL__DIVISOR0": 15,
        "PSU__CRL_APB__PL{}_REF_CTRL__DIVISOR1": 1,
        "PSU__CRL_APB__PL{}_REF_CTRL__SRCSEL": "IOPLL",
    },
}
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


def write_overlay(
    folder: pathlib.Path,
    config: Config,
    toplevel: str = "srcnn_top",
    hardware: dict[str, object] | None = None,
    **changes: object,
) -> pathlib.Path:
    """Write an overlay folder that is right but for `changes`.

    Parameters
    ----------
    folder : pathlib.Path
    config : hls.design.config.Config
    toplevel : str
        Verilog module of the kernel.
    hardware : dict, optional
        Parameters of the DMA that differ from the block design's.
    **changes
        What the manifest says otherwise; None leaves it out.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"srcnn.bit": bitstream(config), "srcnn.hwh": handoff(config, toplevel, hardware)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = {
        "network": config.network.name,
        "upscale": config.network.upscale,
        "board": config.board,
        "config_id": f"{config.config_id:#010x}",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        **changes,
    }
    (folder / "manifest.json").write_text(
        json.dumps({key: value for key, value in manifest.items() if value is not None})
    )
    return folder


def bitstream(config: Config) -> bytes:
    """The header of a .bit, and 16 bytes where the configuration would be."""
    content = struct.pack(">H9sH", 9, bytes.fromhex("0ff00ff00ff00ff000"), 1)
    for tag, text in (
        ("a", "srcnn_wrapper;Version=none"),
        ("b", config.part.partition("-")[0][2:]),
        ("c", "2026/01/01"),
        ("d", "00:00:00"),
    ):
        content += struct.pack(">cH", tag.encode(), len(text) + 1) + text.encode() + b"\0"
    return content + struct.pack(">ci", b"e", 16) + bytes(16)


def processor(config: Config) -> dict:
    """`ZYNQ` or `ZYNQ_MP`, by the part."""
    return ZYNQ if config.part.startswith("xc7z") else ZYNQ_MP


def handoff(config: Config, toplevel: str = "srcnn_top", dma: dict[str, object] | None = None) -> bytes:
    """The .hwh: processor, DMA and kernel, joined by two streams and one address range."""
    chip = processor(config)
    system = ElementTree.Element("EDKSYSTEM", EDWVERSION="1.2", VIVADOVERSION="none: written by a test")
    ElementTree.SubElement(
        system,
        "SYSTEMINFO",
        ARCH="zynq" if chip is ZYNQ else "zynquplus",
        DEVICE=config.part.partition("-")[0][2:],
        NAME="srcnn",
    )
    ElementTree.SubElement(system, "EXTERNALPORTS")
    ElementTree.SubElement(system, "EXTERNALINTERFACES")
    modules = ElementTree.SubElement(system, "MODULES")

    clocks = {name.format(number): value for number in range(4) for name, value in chip["parameters"].items()}
    clocks[next(iter(chip["parameters"])).format(0)] = 1  # clock 0 is on
    module = _module(
        modules, f"{chip['kind']}_0", chip["kind"], f"xilinx.com:ip:{chip['kind']}:{chip['version']}", clocks
    )
    _interface(module, chip["control"], "MASTER", "aximm", "control")
    _interface(module, chip["memory"], "SLAVE", "aximm", "memory")
    _range(module, chip["control"], DMA, "S_AXI_LITE", chip["address"], 0x10000, "REGISTER")

    parameters = {**DMA_PARAMETERS, "c_addr_width": chip["address_bits"], **(dma or {})}
    module = _module(modules, DMA, "axi_dma", "xilinx.com:ip:axi_dma:7.1", parameters)
    _registers(module)
    _interface(module, "S_AXI_LITE", "SLAVE", "aximm", "control")
    for name in ("M_AXI_MM2S", "M_AXI_S2MM"):
        _interface(module, name, "MASTER", "aximm", "memory")
        _range(module, name, f"{chip['kind']}_0", chip["memory"], 0, 0x20000000, "MEMORY")
    _interface(module, "M_AXIS_MM2S", "INITIATOR", "axis", "to_kernel")
    _interface(module, "S_AXIS_S2MM", "TARGET", "axis", "from_kernel")

    module = _module(modules, KERNEL, toplevel, "xilinx.com:hls:srcnn_top:1.0", {})
    ElementTree.SubElement(module.find("PORTS"), "PORT", NAME="clk", DIR="I", SIGIS="clk")
    ElementTree.SubElement(module.find("PORTS"), "PORT", NAME="rst", DIR="I", SIGIS="rst", POLARITY="ACTIVE_HIGH")
    _interface(module, "s_axis", "TARGET", "axis", "to_kernel")
    _interface(module, "m_axis", "INITIATOR", "axis", "from_kernel")
    return ElementTree.tostring(system, encoding="utf-8", xml_declaration=True)


def _module(modules, instance, kind, vlnv, parameters):
    module = ElementTree.SubElement(
        modules, "MODULE", INSTANCE=instance, FULLNAME=f"/{instance}", MODTYPE=kind, VLNV=vlnv
    )
    for part in ("ADDRESSBLOCKS", "PARAMETERS", "PORTS", "BUSINTERFACES", "MEMORYMAP"):
        ElementTree.SubElement(module, part)
    for name, value in parameters.items():
        ElementTree.SubElement(module.find("PARAMETERS"), "PARAMETER", NAME=name, VALUE=str(value))
    return module


def _interface(module, name, role, kind, bus):
    """A bus interface; of a stream also its ports."""
    element = ElementTree.SubElement(
        module.find("BUSINTERFACES"),
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
        ElementTree.SubElement(module.find("PORTS"), "PORT", NAME=physical, DIR="O" if drives else "I", SIGIS="undef")


def _range(module, master, instance, slave, base, size, kind):
    ElementTree.SubElement(
        module.find("MEMORYMAP"),
        "MEMRANGE",
        ADDRESSBLOCK="Reg" if kind == "REGISTER" else "HP0_DDR_LOW",
        INSTANCE=instance,
        MASTERBUSINTERFACE=master,
        SLAVEBUSINTERFACE=slave,
        MEMTYPE=kind,
        BASEVALUE=f"0x{base:08X}",
        HIGHVALUE=f"0x{base + size - 1:08X}",
    )


def _registers(module):
    """The DMA's registers, as far as the host uses them."""
    block = ElementTree.SubElement(
        module.find("ADDRESSBLOCKS"), "ADDRESSBLOCK", INTERFACE="S_AXI_LITE", NAME="Reg", RANGE="4096", USAGE="register"
    )
    registers = ElementTree.SubElement(block, "REGISTERS")
    for base, channel in ((0x00, "MM2S"), (0x30, "S2MM")):
        for offset, name in ((0x00, "DMACR"), (0x04, "DMASR"), (0x28, "LENGTH")):
            register = ElementTree.SubElement(registers, "REGISTER", NAME=f"{channel}_{name}")
            for key, value in (
                ("ADDRESS_OFFSET", hex(base + offset)),
                ("SIZE", "32"),
                ("ACCESS", "read-write"),
                ("IS_ENABLED", "true"),
            ):
                ElementTree.SubElement(register, "PROPERTY", NAME=key, VALUE=value)
            ElementTree.SubElement(register, "FIELDS")
