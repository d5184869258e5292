"""The files of an overlay as Vivado leaves them, as far as PYNQ and cocotbpynq read them: .bit header, .hwh, manifest.

What the handoff file says is what the block design in `bitstreams/` asks of Vivado: its instances' names, addresses and
the DMA's parameters. Real files are larger; nothing here is known better than there.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING

from hls.place import handoff as place

if TYPE_CHECKING:
    import pathlib

    from hls.design.config import Config

DMA, KERNEL, DMA_PARAMETERS = place.DMA, place.KERNEL, place.DMA_PARAMETERS
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
    root, modules = place.system(
        "srcnn", config.part, "zynq" if chip is ZYNQ else "zynquplus", "none: written by a test"
    )
    clocks = {name.format(number): value for number in range(4) for name, value in chip["parameters"].items()}
    clocks[next(iter(chip["parameters"])).format(0)] = 1  # clock 0 is on
    instance = f"{chip['kind']}_0"
    block = place.module(modules, instance, chip["kind"], f"xilinx.com:ip:{chip['kind']}:{chip['version']}", clocks)
    place.interface(block, chip["control"], "MASTER", "aximm", "control")
    place.interface(block, chip["memory"], "SLAVE", "aximm", "memory")
    place.address_range(block, chip["control"], DMA, "S_AXI_LITE", chip["address"], place.RANGE, "REGISTER")
    place.dma(modules, instance, chip["memory"], chip["address_bits"], dma)
    place.kernel(modules, toplevel)
    return place.text(root)
