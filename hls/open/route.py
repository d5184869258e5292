"""The whole route for a set of kernels: C++ in, SystemVerilog files out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hls.open.lower.lower import lower_kernel
from hls.open.pipeline.clock import check_clock
from hls.open.pipeline.netlist import write_stage
from hls.open.pipeline.schedule import Timing
from hls.open.pipeline.verilog import generate
from hls.open.read.debug_info import DebugInfo
from hls.open.read.frontend import compile_cpp
from hls.open.read.llvm_text import parse_module
from hls.open.read.passes import optimise

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step


@dataclass
class Built:
    """A kernel's stage, the files that a simulator or a synthesiser needs, and what is to be said of its clock."""

    stage: object
    files: list
    note: str = ""


def lower_source(
    source: str,
    kernels: dict[str, str],
    include: Sequence[str | Path] = (),
    directory: str | Path = "build/open",
    keep_unused: bool = False,
) -> dict[str, Step]:
    """Return {name: Step} of the kernels that `source` (C++ text) defines.

    Parameters are those of `frontend.compile_cpp`; `keep_unused` is `lower_kernel`'s.
    """
    module = parse_module(optimise(compile_cpp(source, kernels, include, directory)))
    debug = DebugInfo(module.metadata)
    return {name: lower_kernel(module, debug, name, keep_unused) for name in kernels}


def build(
    source: str,
    kernels: dict[str, str],
    include: Sequence[str | Path] = (),
    directory: str | Path = "build/open",
    timing: Timing = Timing(),
    depths: dict[tuple[str, str], int] | None = None,
) -> dict[str, Built]:
    """Write the Verilog of kernels into `directory`; return {name: Built}.

    Parameters
    ----------
    depths : dict, optional
        (kernel, output stream) -> words in the FIFO behind it.
    """
    result = {}
    for name, step in lower_source(source, kernels, include, directory).items():
        stage = generate(step, timing)
        note = check_clock(stage)
        mine = {stream: words for (kernel, stream), words in (depths or {}).items() if kernel == name}
        result[name] = Built(stage, write_stage(stage, Path(directory), mine), note)
    return result
