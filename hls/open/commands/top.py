"""`top`: a function that joins processes to SystemVerilog, checked as kernels are."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click

from hls.open.check.compare import Difference
from hls.open.check.kernels import wave_path
from hls.open.check.stimulus import read_words
from hls.open.check.tops import Plan, check_top, ends_of
from hls.open.commands.build import WITHOUT_YOSYS, own_files, write_json
from hls.open.commands.check import compiler
from hls.open.commands.options import SOURCE, common, include_text, named, traffic
from hls.open.names import module_name
from hls.open.output import whole_folder
from hls.open.pipeline.timing import Timing
from hls.open.report import describe, lines
from hls.open.resources import available, resources
from hls.open.route import build_top, depths_of, read_top


@click.command()
@SOURCE
@click.argument("function")
@common("build/top")
@click.option("--check/--no-check", "checked", default=True, show_default=True, help="Against the C++.")
@click.option("--steps", default=1000, show_default=True, type=click.IntRange(1), help="Words for each input.")
@traffic
@click.option("--resources/--no-resources", "synthesise", default=True, show_default=True, help="Run Yosys.")
@click.option("--json", "report", type=click.Path(dir_okay=False), help="Write the report to a file, too.")
def top(
    source: str,
    function: str,
    include: tuple[str, ...],
    output: str,
    part: str,
    clock: float,
    checked: bool,
    steps: int,
    resets: int,
    seed: int,
    stimulus: str | None,
    wave: str | None,
    ap_types: str | None,
    synthesise: bool,
    report: str | None,
) -> None:
    """Translate the FUNCTION (name=C++ function) of SOURCE, which joins processes by streams, and check it.

    \b
    python -m hls.open top pipeline.hpp run=my::pipeline -o build/p
    """
    started = time.monotonic()
    ((name, cpp),) = named("top", (function,), "run=my::pipeline").items()
    module_name(name, "a top")
    timing, waveform = Timing.at(part, clock), wave_path(wave)
    difference = None
    with whole_folder(output) as folder, tempfile.TemporaryDirectory() as work:
        read = read_top(include_text(source), name, cpp, include, work)
        stages, paths, joined = build_top(read, folder, timing)
        files = own_files(paths, folder)
        (folder / "files.f").write_text("\n".join(files) + "\n")
        processes = {}
        for process in read.processes:
            depths = depths_of(read, process)
            streams = dict(zip(read.steps[process.kernel].streams, process.streams))
            described = describe(stages[process.name], depths)
            processes[process.name] = {"kernel": process.type, "joins": streams, **described}
        whole = {"source": source, "part": part, "clock_mhz": clock, "top": cpp, "module": name, "files": files}
        whole["processes"] = processes
        if synthesise and available():
            whole["resources"] = resources([folder / f for f in files], name, part)
        if report:
            write_json(report, whole)
        if checked:
            plan = Plan(include_text(source), cpp, read, stages, joined, files, folder, Path(work), include)
            plan.compiler, plan.steps, plan.seed, plan.resets = compiler(ap_types), steps, seed, resets
            plan.wave = waveform
            if stimulus:
                inputs = {("", s): bits for s, (direction, bits, _) in ends_of(read).items() if direction == "in"}
                plan.words = {stream: words for (_, stream), words in read_words(stimulus, inputs).items()}
            try:
                check_top(plan, click.echo)
            except Difference as found:  # what was built stays, to look into
                difference = found
    if difference is not None:
        raise Difference(difference.message + f"\n  Verilog and words: {output}; seed {seed}")
    for process, d in processes.items():
        click.echo("\n".join(lines(process, d, clock)))
    if "resources" in whole:
        click.echo(f"{name} by Yosys: " + ", ".join(f"{v:g} {k.upper()}" for k, v in whole["resources"].items() if v))
    elif synthesise:
        click.echo(WITHOUT_YOSYS)
    click.echo(f"{output}: {', '.join(files)}, all of them in files.f; {time.monotonic() - started:.1f} s")
