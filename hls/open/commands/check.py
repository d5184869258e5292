"""`check`: whether a kernel's Verilog does what its C++ says."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click

from hls.open.check.ap_types import find
from hls.open.check.compare import Difference
from hls.open.check.kernels import Plan, check_kernels, wave_path
from hls.open.check.reference import Compiler, choose_compiler
from hls.open.check.stimulus import read_stimulus
from hls.open.commands.build import own_files
from hls.open.commands.options import SOURCE, common, include_text, named, traffic
from hls.open.errors import Refused
from hls.open.output import whole_folder
from hls.open.pipeline.timing import Timing
from hls.open.route import build as build_kernels


@click.command()
@SOURCE
@click.argument("kernels", nargs=-1, required=True)
@common("build/check")
@click.option("--steps", default=1000, show_default=True, type=click.IntRange(1), help="Steps of each kernel.")
@traffic
def check(
    source: str,
    kernels: tuple[str, ...],
    include: tuple[str, ...],
    output: str,
    part: str,
    clock: float,
    steps: int,
    resets: int,
    seed: int,
    stimulus: str | None,
    wave: str | None,
    ap_types: str | None,
) -> None:
    """Run the KERNELS (name=C++ type) of SOURCE as C++, in the interpreter and as Verilog, and compare every word.

    \b
    python -m hls.open check fir.hpp fir=dsp::fir_stage --steps 10000
    """
    started = time.monotonic()
    wanted = named("kernel", kernels, "fir=dsp::fir_stage")
    timing, waveform = Timing.at(part, clock), wave_path(wave)
    difference = None
    with whole_folder(output) as folder, tempfile.TemporaryDirectory() as work:
        built = build_kernels(include_text(source), wanted, include, folder, timing, work=work)
        files = {name: own_files(result.files, folder) for name, result in built.items()}
        stages = {name: result.stage for name, result in built.items()}
        words = read_stimulus(stimulus, {name: stage.step for name, stage in stages.items()}) if stimulus else None
        plan = Plan(include_text(source), wanted, stages, files, folder, Path(work), include)
        plan.compiler, plan.words, plan.steps, plan.seed, plan.resets = compiler(ap_types), words, steps, seed, resets
        plan.wave = waveform
        try:
            check_kernels(plan, click.echo)
        except Difference as found:  # what was built stays, to look into
            difference = found
    if difference is not None:
        where = f"\n  Verilog, words and a cocotb bench: {output}; seed {seed}" + (f"; waveform {wave}" if wave else "")
        raise Difference(difference.message + where)
    for name in wanted:
        click.echo(f"{name}: go on from {Path(output) / f'test_{name}.py'} (python test_{name}.py runs it)")
    click.echo(f"{time.monotonic() - started:.1f} s" + (f", waveform {wave}" if wave else ""))


def compiler(ap_types: str | None) -> Compiler:
    """Return what compiles the reference, saying so if it isn't g++ with AMD's types."""
    folder, reason = find(ap_types)
    chosen = choose_compiler(folder)
    if not chosen.amd:
        if ap_types:
            raise Refused("--ap-types needs g++, which is not installed")
        reason = reason or "g++ is not installed"
        click.echo(f"note: the reference is compiled by {chosen.what}, a weaker check: {reason}", err=True)
    return chosen
