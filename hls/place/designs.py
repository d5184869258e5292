"""What is placed for a board: four designs, each the processor and what stands behind its ports, as Verilog.

    blink      FCLK0 counts on the LEDs
    register   registers in the fabric (M_AXI_GP0), one of them the LEDs
    loop       registers and memory (M_AXI_GP0, S_AXI_HP0): what the DMA reads it writes back
    srcnn      the same with `srcnn_top` between the DMA's two streams

The first three are what to try on a desk before the fourth. Bridge and registers are C++ kernels
(`hls/place/cpp`), built by the open route; what joins them to the processor is in `hls/place/rtl`.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from typing import TYPE_CHECKING

from hls.generate.verilog import OPEN, TOOLS, build_rtl
from model.base.cache import built, digest
from model.base.errors import UserError
from model.base.paths import BUILD, ROOT
from model.base.tools import tool_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hls.design.config import Config

HERE = pathlib.Path(__file__).resolve().parent
RTL, CPP = HERE / "rtl", HERE / "cpp"
PLANNED_MHZ = 100.0  # the clock for which bridge, registers and DMA are pipelined
DESIGNS = {  # name -> files of hls/place/rtl; the last one holds the top, a module of the design's name
    "blink": ("processor.sv", "heartbeat.sv", "blink.sv"),
    "register": ("processor.sv", "register_block.sv", "register.sv"),
    "loop": ("processor.sv", "heartbeat.sv", "memory_block.sv", "dma_design.sv", "loop.sv"),
    "srcnn": ("processor.sv", "heartbeat.sv", "memory_block.sv", "dma_design.sv", "srcnn.sv"),
}
KERNELS = ("desk_write", "desk_read", "desk_registers")
DEFAULT = "srcnn"


@dataclasses.dataclass(frozen=True)
class DesignFiles:
    """A design as Verilog.

    Attributes
    ----------
    name : str
        Of the design and of its top module.
    files : tuple of pathlib.Path
        Everything that a simulator or a synthesiser needs but for the primitives PS7 and BUFG.
    """

    name: str
    files: tuple[pathlib.Path, ...]


def design_files(name: str, config: Config) -> DesignFiles:
    """Return the Verilog of a design, built if need be.

    Parameters
    ----------
    name : str
        Of `DESIGNS`.
    config : Config
        Of the board; what `srcnn` computes.

    Raises
    ------
    UserError
        If there is no such design, or what it consists of cannot be built.
    """
    if name not in DESIGNS:
        raise UserError(f"there is no design {name!r}; choose one of {', '.join(DESIGNS)}")
    files = []
    if name == "register":
        files += build_blocks(config.part).files
    elif name != "blink":
        from hls.dma.build import build_dma

        files += build_blocks(config.part).bridge
        files += build_dma(config.part, PLANNED_MHZ).files
    if name == "srcnn":
        files += build_rtl(config).files
    return DesignFiles(name, once([*files, *(RTL / file for file in DESIGNS[name])]))


@dataclasses.dataclass(frozen=True)
class Blocks:
    """The bridge from AXI3 to AXI-Lite, and the registers of the desk: their Verilog files."""

    bridge: tuple[pathlib.Path, ...]
    files: tuple[pathlib.Path, ...]  # of both


def build_blocks(part: str) -> Blocks:
    """Return bridge and registers as Verilog, built if they are not there.

    Parameters
    ----------
    part : str
        FPGA whose delays plan the pipelines.
    """
    used = sorted([*CPP.glob("*.hpp"), *OPEN.rglob("*.py"), *OPEN.rglob("*.h"), *OPEN.rglob("*.sv")])
    recipe = part, PLANNED_MHZ, [tool_version(tool) for tool in TOOLS]
    folder = built(BUILD / "place" / f"blocks-{digest(recipe, used, ROOT)}", lambda folder: _build(folder, part))
    named = json.loads((folder / "files.json").read_text())
    return Blocks(*(tuple(folder / file for file in named[which]) for which in ("bridge", "all")))


def _build(folder, part):
    from hls.open.pipeline.timing import Timing
    from hls.open.route import build, build_top, read_top

    timing, work = Timing.at(part, PLANNED_MHZ), folder / "ir"
    top = read_top('#include "axi3_bridge.hpp"', "axi3_bridge", "bridge::axi3_bridge", (CPP,), work)
    _, bridge, _ = build_top(top, folder, timing)
    kernels = build(
        '#include "desk_registers.hpp"', {name: f"desk::{name}" for name in KERNELS}, (CPP,), folder, timing, work=work
    )
    every = once(
        [*bridge, *(file for kernel in kernels.values() for file in kernel.files), OPEN / "rtl" / "hls_open_merge.sv"]
    )
    for path in every:
        if path.parent != folder:  # the library: a build holds all it needs
            shutil.copy(path, folder / path.name)
    shutil.rmtree(work)
    names = {"bridge": [path.name for path in once(bridge)], "all": [path.name for path in every]}
    (folder / "files.json").write_text(json.dumps(names, indent=1) + "\n")


def once(files: Iterable) -> tuple[pathlib.Path, ...]:
    """Return files by name, each once: blocks of a design share the library, and bring a copy each.

    Raises
    ------
    UserError
        Two of one name that differ.
    """
    found = {}
    for path in map(pathlib.Path, files):
        other = found.setdefault(path.name, path)
        if other != path and other.read_bytes() != path.read_bytes():
            raise UserError(f"{other} and {path} differ; delete both folders in build/ and run again")
    return tuple(found.values())
