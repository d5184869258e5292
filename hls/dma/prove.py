"""`python -m hls.dma.prove`: the DMA's stages and AXI's rules, proved for all cycles; planted faults, found.

A part of `make prove`.
"""

from __future__ import annotations

import functools
import pathlib
import tempfile

import click

from hls.dma import flow
from hls.dma.build import CPP, source
from hls.dma.rules import RULES
from hls.open.pipeline.timing import Timing
from hls.open.pipeline.verilog import Stage, generate
from hls.open.prove.bench import Bench
from hls.open.prove.campaign import Task
from hls.open.prove.faults import Fault
from hls.open.prove.show import conduct
from hls.open.prove.stage import stage_bench
from hls.open.prove.yosys import need
from hls.open.route import lower_source
from model.base.errors import report_user_errors

PART, CLOCK_MHZ = "xc7z020", 100


def stages(texts: dict[str, str] | None = None, only: str = "", address_bits: int = 32) -> dict[str, Stage]:
    """Return {kernel: Stage} of the DMA.

    Parameters
    ----------
    texts : dict, optional
        Headers of other contents: name of the file -> its text.
    only : str
        One kernel, if not all.
    address_bits : int
    """
    kernels = {p.name: f"dma::{p.name}" for p in flow.REGISTERS + flow.MOVERS if p.kind == "kernel"}
    kernels = {name: kind for name, kind in kernels.items() if only in ("", name)}
    with tempfile.TemporaryDirectory() as folder:
        changed = pathlib.Path(folder) / "cpp"
        changed.mkdir()
        for path in CPP.iterdir():
            (changed / path.name).write_text((texts or {}).get(path.name, path.read_text()))
        steps = lower_source(source(address_bits), kernels, (changed,), folder)
    timing = Timing.at(PART, CLOCK_MHZ)
    return {name: generate(step, timing) for name, step in steps.items()}


def bench_of(name: str, stage: Stage, address_bits: int = 32) -> Bench:
    """Return the bench of a kernel's stage, with its rules."""
    bench = stage_bench(stage)
    if name in RULES:
        RULES[name](bench, address_bits)
    return bench


def tasks(address_bits: int = 32) -> list[Task]:
    """Return the proofs of all kernels; FIFOs have the compiler's usual size."""
    built = stages(address_bits=address_bits)
    return [Task(f"dma {n}", functools.partial(bench_of, n, stage, address_bits)) for n, stage in built.items()]


def _fault(name, breaks, says, file, kernel, pattern, put):
    def bench(text):
        return bench_of(kernel, stages({file: text}, kernel)[kernel])

    return Fault(name, breaks, says, pattern, put, (CPP / file).read_text, bench)


FAULTS = [
    _fault("page", "ar_in_page", "reads: a beat too many at the end of a page", "dma_types.hpp", "mm2s_control",
           r"PAGE / WORD - word\)", "PAGE / WORD - word + 1)"),
    _fault("unaligned", "ar_in_page", "reads: an address that is no multiple of 8 is taken", "mm2s.hpp", "mm2s_control",
           r"errors = asked.address.range\(2, 0\) == 0 \? 0 : INTERNAL_ERROR", "errors = 0"),
    _fault("places", "reads_have_places", "reads: one more than has a place", "mm2s.hpp", "mm2s_control",
           r"places = OPEN_READS;", "places = OPEN_READS + 1;"),
    _fault("stop-early", "stopped_means_closed", "reads: a stop that doesn't wait", "mm2s.hpp", "mm2s_control",
           r"stops = stopping && !stopped && open == 0;", "stops = stopping && !stopped;"),
    _fault("goes-on", "none_after_stop", "reads: bursts are asked for after a stop", "mm2s.hpp", "mm2s_control",
           r"asks = active && !stopping", "asks = active"),
    _fault("done-early", "done_means_answered", "writes: done before the answers", "s2mm.hpp", "s2mm_control",
           r"ends = active && !stopping && open == 0 && ", "ends = active && !stopping && "),
    _fault("length", "filled_in_page", "writes: a burst of one beat less than is told", "s2mm.hpp", "s2mm_pack",
           r"said.len = beats;", "said.len = beats + 1;"),
    _fault("border", "filled_in_page", "writes: a burst that goes on at the end of a page", "s2mm.hpp", "s2mm_pack",
           r" \|\| word == PAGE / WORD - 1;", ";"),
    _fault("room", "inside_room", "writes: bytes beyond the room", "s2mm.hpp", "s2mm_pack",
           r"out.strb = beat.keep & room;", "out.strb = beat.keep;"),
    _fault("wlast", "wlast", "writes: no WLAST", "s2mm.hpp", "s2mm_write", r"out.last = beat.last;", "out.last = 0;"),
    _fault("tlast", "tlast_at_end", "stream: TLAST at the end of each burst", "mm2s.hpp", "mm2s_send",
           r"sent.last = last && note.final;", "sent.last = last;"),
    _fault("busy", "mm2s_starts_when_idle", "registers: a transfer is begun while one is under way", "registers.hpp",
           "registers", r"offset == LENGTH && !channel.busy", "offset == LENGTH"),
    _fault("answer", "b_once", "registers: no answer to a write during a reset", "registers.hpp", "registers",
           r"if \(write\) \{\s+b.write", "if (write && !reset) { b.write"),
]  # fmt: skip


@click.command()
@click.option("--only", default="", metavar="TEXT", help="Proofs and faults whose name has this in it.")
@click.option("--traces", is_flag=True, help="Print for each proof the trace in which a word passes.")
@click.option("--timeout", default=600, show_default=True, type=click.IntRange(1), help="Seconds per question to z3.")
@click.option("--report", type=click.Path(dir_okay=False), help="Write all of it to this JSON file.")
@report_user_errors
def main(only: str, traces: bool, timeout: int, report: str | None) -> None:
    """Prove the DMA's stages and rules. Exit code 1 if something isn't proved, or a planted fault isn't found."""
    need("pyosys", "z3")
    work = [task for task in tasks() if only in task.name]
    conduct(work, [fault for fault in FAULTS if only in fault.name], timeout, traces, report)


if __name__ == "__main__":
    main()
