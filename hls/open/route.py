"""The whole route for a set of kernels: C++ in, SystemVerilog files out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.lower.lower import lower_kernel
from hls.open.lower.top import Process, Top, lower_top
from hls.open.names import Names, stage_names
from hls.open.pipeline.clock import check_clock
from hls.open.pipeline.netlist import Joined, join, write_stage
from hls.open.pipeline.timing import Timing
from hls.open.pipeline.verilog import Stage, generate
from hls.open.read.debug_info import DebugInfo
from hls.open.read.frontend import compile_cpp, compile_top
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


def read_top(
    source: str,
    name: str,
    function: str,
    include: Sequence[str | Path] = (),
    directory: str | Path = "build/open",
) -> Top:
    """Return the `Top` of a C++ function that joins processes; parameters are those of `frontend.compile_top`."""
    text = optimise(compile_top(source, name, function, include, directory))
    module = parse_module(text)
    return lower_top(module, DebugInfo(module.metadata), name, text)


def build_top(
    top: Top, directory: str | Path, timing: Timing = Timing()
) -> tuple[dict[str, Stage], list[Path], Joined]:
    """Write the Verilog of a dataflow into `directory`.

    Returns
    -------
    stages : dict
        Process -> its Stage. Processes of one kernel share one where the FIFOs behind them hold as much, too.
    files : list of Path
        The top's is the last.
    joined : Joined
    """
    directory, wanted = Path(directory), {}
    for process in top.processes:
        wanted[process.name] = (process.kernel, tuple(sorted(depths_of(top, process).items())))
    names, kinds = Names(verilog=False), {}
    for kind in wanted.values():
        if kind not in kinds:
            kinds[kind] = names.take(kind[0])
    modules = stage_names(kinds.values(), [top.name])
    stages, files = {}, []
    for (kernel, depths), kind in kinds.items():
        stages[kernel, depths] = generate(top.steps[kernel], timing, modules[kind])
        check_clock(stages[kernel, depths])
        files += write_stage(stages[kernel, depths], directory, dict(depths))
    by_process = {name: stages[kind] for name, kind in wanted.items()}
    instances = [(p.name, p.name, dict(zip(top.steps[p.kernel].streams, p.streams))) for p in top.processes]
    ports = {
        stream: port.direction
        for p in top.processes
        for port, stream in zip((_port(top.steps[p.kernel], s) for s in top.steps[p.kernel].streams), p.streams)
        if stream in top.ports
    }
    unused = [port for port in top.ports if port not in ports]
    if unused:
        raise Refused(f"no process of '{top.name}' uses its stream '{unused[0]}': remove the parameter")
    joined = join(top.name, instances, {port: ports[port] for port in top.ports}, by_process)
    path = directory / f"{top.name}.sv"
    path.write_text(joined.text)
    return by_process, [*dict.fromkeys(files), path], joined


def depths_of(top: Top, process: Process) -> dict[str, int]:
    """Return {output of a process's kernel: depth that the stream behind it was declared with, if it was}."""
    step = top.steps[process.kernel]
    bound = zip(step.streams, process.streams)
    return {port: top.depths[stream] for port, stream in bound if step.port(port, "out") and top.depths.get(stream)}


def _port(step, stream):
    return step.port(stream, "in") or step.port(stream, "out")


def build(
    source: str,
    kernels: dict[str, str],
    include: Sequence[str | Path] = (),
    directory: str | Path = "build/open",
    timing: Timing = Timing(),
    depths: dict[tuple[str, str], int] | None = None,
    work: str | Path | None = None,
) -> dict[str, Built]:
    """Write the Verilog of kernels into `directory`; return {name: Built}.

    Parameters
    ----------
    depths : dict, optional
        (kernel, output stream) -> words in the FIFO behind it, beyond what the pipeline needs.
    work : path-like, optional
        Where what lies between C++ and Verilog is written, if not beside the Verilog.
    """
    result, modules = {}, stage_names(kernels)
    for name, step in lower_source(source, kernels, include, work or directory).items():
        stage = generate(step, timing, modules[name])
        note = check_clock(stage)
        mine = {stream: words for (kernel, stream), words in (depths or {}).items() if kernel == name}
        result[name] = Built(stage, write_stage(stage, Path(directory), mine), note)
    return result
