"""`build`: C++ step kernels to SystemVerilog, and what it consists of."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click

from hls.open.commands.options import SOURCE, common, include_text, named
from hls.open.dataflow.passes.feedback import longest_feedback
from hls.open.errors import Refused
from hls.open.output import whole_folder
from hls.open.pipeline.timing import Timing
from hls.open.report import describe, lines
from hls.open.resources import available, resources
from hls.open.route import build as build_kernels

WITHOUT_YOSYS = "resources: not known without Yosys; pip install pyosys"


@click.command()
@SOURCE
@click.argument("kernels", nargs=-1, required=True)
@common("build/open")
@click.option("--feedback", is_flag=True, help="Name the longest paths that feed state back.")
@click.option("--resources/--no-resources", "synthesise", default=True, show_default=True, help="Run Yosys.")
@click.option("--json", "report", type=click.Path(dir_okay=False), help="Write the report to a file, too.")
def build(
    source: str,
    kernels: tuple[str, ...],
    include: tuple[str, ...],
    output: str,
    part: str,
    clock: float,
    feedback: bool,
    synthesise: bool,
    report: str | None,
) -> None:
    """Translate the KERNELS (name=C++ type) that SOURCE defines.

    \b
    python -m hls.open build fir.hpp fir=dsp::fir_stage -o build/fir
    """
    wanted = named("kernel", kernels, "fir=dsp::fir_stage")
    timing = Timing.at(part, clock)
    with whole_folder(output) as folder, tempfile.TemporaryDirectory() as work:
        built = build_kernels(include_text(source), wanted, include, folder, timing, work=work)
        described, paths = {}, {}
        for name, result in built.items():
            files = own_files(result.files, folder)
            described[name] = {"kernel": wanted[name], **describe(result.stage), "files": files}
            if synthesise and available():
                described[name]["resources"] = resources([folder / f for f in files], result.stage.module, part)
            if feedback:
                paths[name] = [str(p) for p in longest_feedback(result.stage.step, timing.fabric.delay)]
                described[name]["feedback"] = paths[name]
        everything = list(dict.fromkeys(f for d in described.values() for f in d["files"]))
        (folder / "files.f").write_text("\n".join(everything) + "\n")
        if report:
            write_json(report, {"source": source, "part": part, "clock_mhz": clock, "kernels": described})
    for name, d in described.items():
        click.echo("\n".join(lines(name, d, clock)))
        if built[name].note:
            click.echo(f"  note: {built[name].note}")
        for path in paths.get(name, ()):
            click.echo(f"  feedback {path}")
    if synthesise and not available():
        click.echo(WITHOUT_YOSYS)
    click.echo(f"{output}: {', '.join(everything)}, all of them in files.f")


def own_files(files: Iterable[Path], folder: Path) -> list[str]:
    """Copy what lies elsewhere, the library of RAMs and FIFOs, into a folder; return the names of all files there."""
    names = []
    for path in map(Path, files):
        if path.parent != folder:
            shutil.copyfile(path, folder / path.name)
        names.append(path.name)
    return names


def write_json(path: str, value: dict) -> None:
    """Write a report, refusing in a sentence if that is impossible."""
    try:
        Path(path).write_text(json.dumps(value, indent=1) + "\n")
    except OSError as error:
        raise Refused(f"the report '{path}' can't be written: {error.strerror}") from None
