"""Verilog of the DMA, `dma_top`, by the open route: `python -m hls.dma`.

Outputs lie in `build/dma/`, in a folder named after a hash of all that goes in.
"""

from __future__ import annotations

import json
import pathlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from hls.dma import flow
from hls.dma.wrapper import top_text
from model.base.cache import built, digest
from model.base.errors import UserError
from model.base.paths import BUILD, ROOT
from model.base.tools import tool_version

if TYPE_CHECKING:
    from hls.open.pipeline.verilog import Stage

CPP = pathlib.Path(__file__).with_name("cpp")
OPEN = ROOT / "hls" / "open"
TOOLS = ("ziglang", "llvmlite")
TOP = "dma_top"


@dataclass(frozen=True)
class Dma:
    """A built DMA.

    Attributes
    ----------
    folder : pathlib.Path
    files : tuple of pathlib.Path
        Everything a simulator or a synthesiser needs; the last one holds `dma_top`.
    stages : dict
        Kernel -> {depth (pipeline stages), longest_ps, budget_ps, state_bits}.
    """

    folder: pathlib.Path
    files: tuple
    stages: dict


def build_dma(
    part: str = "xc7z020clg400-1", clock_mhz: float = 100, address_bits: int = 32, progress: bool = False
) -> Dma:
    """Return the Verilog of the DMA, building it if it is not there.

    Parameters
    ----------
    part : str
        FPGA whose delays plan the pipelines.
    clock_mhz : float
    address_bits : int
        Of memory: one of `flow.ADDRESS_BITS`.
    progress : bool
        Show a progress bar.

    Raises
    ------
    UserError
        If a tool is missing, or the address has another width.
    """
    if address_bits not in flow.ADDRESS_BITS:
        raise UserError(
            f"addresses of {address_bits} bits are not built; the DMA has 32 (Zynq-7000) or 40 (Zynq UltraScale+)"
        )
    sources = [*sorted(pathlib.Path(__file__).parent.rglob("*.[ph]*")), *OPEN.rglob("*.py"), *OPEN.rglob("*.h")]
    used = sorted({path for path in [*sources, *OPEN.rglob("*.sv")] if "__pycache__" not in path.parts})
    recipe = part, clock_mhz, address_bits, [tool_version(tool) for tool in TOOLS]
    folder = built(
        BUILD / "dma" / f"a{address_bits}-{digest(recipe, used, ROOT)}",
        lambda folder: _build(folder, part, clock_mhz, address_bits, progress),
    )
    described = json.loads((folder / "dma.json").read_text())
    return Dma(folder, tuple(folder / name for name in described["files"]), described["stages"])


def lowered(address_bits: int, folder: pathlib.Path) -> dict:
    """Return {kernel: Step} of the DMA's kernels; what lies between C++ and Verilog is written to `folder`."""
    from hls.open.route import lower_source

    kernels = {part.name: f"dma::{part.name}" for part in flow.REGISTERS + flow.MOVERS if part.kind == "kernel"}
    return lower_source(source(address_bits), kernels, (CPP,), folder)


def source(address_bits: int) -> str:
    """Return the C++ text that has all kernels."""
    return f'#define DMA_ADDRESS_BITS {address_bits}\n#include "dma.hpp"\n'


def _build(folder, part, clock_mhz, address_bits, progress):
    from hls.open.pipeline.blocks import SOURCE_BITS, entry, merge
    from hls.open.pipeline.netlist import join, write_stage
    from hls.open.pipeline.timing import Timing
    from hls.open.pipeline.verilog import generate

    work, timing = folder / "ir", Timing.at(part, clock_mhz)
    steps, widths = lowered(address_bits, work), dict(flow.OUTSIDE)
    parts, files, described = flow.REGISTERS + flow.MOVERS, {}, {}
    blocks: dict[str, Stage] = {}
    for p in tqdm(parts, "Verilog", unit="part", disable=not progress, dynamic_ncols=True):
        if p.kind == "kernel":
            stage = blocks[p.name] = generate(steps[p.name], timing)
            depths = {port: flow.DEPTHS[stream] for port, stream in p.joins.items() if stream in flow.DEPTHS}
            files |= dict.fromkeys(write_stage(stage, folder, depths))
            for port in steps[p.name].ports:
                widths[p.joins[port.name]] = port.width
            described[p.name] = {
                "depth": stage.depth,
                "longest_ps": stage.longest_ps,
                "budget_ps": timing.budget_ps,
                "state_bits": sum(r.width for r in steps[p.name].registers),
            }
    for p in sorted(parts, key=lambda p: p.kind):  # entries in front of merges, whose sources they may be
        if p.kind == "entry":
            widths[p.joins["out"]] = widths[p.joins["in"]]
            blocks[p.name] = entry(widths[p.joins["in"]])
        elif p.kind == "merge":
            sources = {port: widths[stream] for port, stream in p.joins.items() if port != "out"}
            blocks[p.name] = merge(f"{p.name}_merge", sources, widths[p.name] - SOURCE_BITS)
        if p.kind != "kernel":
            files |= dict.fromkeys(blocks[p.name].library)
            if blocks[p.name].text:
                path = folder / f"{p.name}_merge.sv"
                path.write_text(blocks[p.name].text)
                files[path] = None
    for name, group, ports, reset_registers in (
        ("dma_registers", flow.REGISTERS, flow.REGISTER_PORTS, False),
        ("dma_movers", flow.MOVERS, flow.MOVER_PORTS, True),  # as `srcnn_top`: both begin anew in the same cycle
    ):
        path = folder / f"{name}.sv"
        path.write_text(join(name, [(p.name, p.name, p.joins) for p in group], ports, blocks, reset_registers).text)
        files[path] = None
    (folder / f"{TOP}.sv").write_text(top_text(address_bits))
    names = []
    for path in [*files, folder / f"{TOP}.sv"]:
        if path.parent != folder:  # the library: a build holds all it needs
            shutil.copy(path, folder / path.name)
        names.append(path.name)
    shutil.rmtree(work)
    (folder / "files.f").write_text("\n".join(names) + "\n")
    (folder / "dma.json").write_text(json.dumps({"files": names, "stages": described}, indent=1) + "\n")
