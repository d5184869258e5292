"""`python -m hls.open`: C++ step kernels to SystemVerilog."""

from __future__ import annotations

import click

from hls.open.dataflow.feedback import longest_feedback
from hls.open.errors import Refused
from hls.open.pipeline.fabric import FABRICS, fabric_of
from hls.open.pipeline.schedule import Timing
from hls.open.route import build


@click.command()
@click.argument("header", type=click.Path(exists=True, dir_okay=False, resolve_path=True))
@click.argument("kernels", nargs=-1, required=True)
@click.option(
    "-I", "--include", multiple=True, type=click.Path(exists=True, file_okay=False), help="Folders for #include."
)
@click.option("-o", "--output", default="build/open", show_default=True, help="Folder for the Verilog.")
@click.option(
    "--part",
    default="xc7z020",
    show_default=True,
    help=f"FPGA whose delays decide the pipeline: {', '.join(FABRICS)}...",
)
@click.option("--clock", default=150.0, show_default=True, type=click.FloatRange(1, 1000), help="In MHz.")
@click.option("--feedback", is_flag=True, help="Name the longest paths that feed state back.")
def main(
    header: str,
    kernels: tuple[str, ...],
    include: tuple[str, ...],
    output: str,
    part: str,
    clock: float,
    feedback: bool,
) -> None:
    """Translate the KERNELS (name=C++ type) that HEADER defines, for example

    python -m hls.open fir.hpp fir=dsp::fir_stage -I include
    """
    named = {}
    for kernel in kernels:
        name, equals, kind = kernel.partition("=")
        if not equals:
            raise Refused(f"'{kernel}' is no kernel; write name=type, for example fir=dsp::fir_stage")
        named[name] = kind
    fabric = fabric_of(part)
    built = build(f'#include "{header}"', named, include, output, Timing(fabric, fabric.budget(clock)))
    for name, result in built.items():
        rams = {p.name: (p.width, p.depth) for p in result.stage.step.ports if p.direction in ("read", "write")}
        state = sum(r.width for r in result.stage.step.registers)
        click.echo(
            f"{name}: {result.stage.depth} pipeline stages, longest path {result.stage.longest_ps} of "
            f"{result.stage.timing.budget_ps} ps, {state} state bits, RAMs "
            + (", ".join(f"{n} {d} x {w}" for n, (w, d) in rams.items()) or "none")
        )
        click.echo("  " + " ".join(str(f) for f in result.files))
        if result.note:
            click.echo(f"  note: {result.note}")
        if feedback:
            for path in longest_feedback(result.stage.step, fabric.delay):
                click.echo(f"  {path}")


if __name__ == "__main__":
    main()
