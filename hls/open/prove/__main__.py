"""`python -m hls.open.prove`: the library and stages, proved for all cycles; planted faults, found."""

from __future__ import annotations

import dataclasses

import click

from hls.open.errors import Refused
from hls.open.pipeline.fabric import FABRICS, fabric_of
from hls.open.pipeline.timing import Timing
from hls.open.prove.campaign import stages_of, tasks
from hls.open.prove.faults import FAULTS
from hls.open.prove.show import conduct
from hls.open.prove.yosys import need


@click.command()
@click.argument("header", required=False, type=click.Path(exists=True, dir_okay=False, resolve_path=True))
@click.argument("kernels", nargs=-1)
@click.option(
    "-I", "--include", multiple=True, type=click.Path(exists=True, file_okay=False), help="Folders for #include."
)
@click.option("--part", default="xc7z020", show_default=True, help=f"FPGA: {', '.join(FABRICS)}...")
@click.option("--clock", default=150.0, show_default=True, type=click.FloatRange(1, 1000), help="In MHz.")
@click.option("--only", default="", metavar="TEXT", help="Proofs and faults whose name has this in it.")
@click.option("--own", is_flag=True, help="The given kernels only.")
@click.option("--traces", is_flag=True, help="Print for each proof the trace in which a word passes.")
@click.option("--timeout", default=600, show_default=True, type=click.IntRange(1), help="Seconds per question to z3.")
@click.option("--report", type=click.Path(dir_okay=False), help="Write all of it to this JSON file.")
def main(
    header: str | None,
    kernels: tuple[str, ...],
    include: tuple[str, ...],
    part: str,
    clock: float,
    only: str,
    own: bool,
    traces: bool,
    timeout: int,
    report: str | None,
) -> None:
    """Prove FIFO, RAM, multiplier and the stages of small kernels; and those of KERNELS (name=C++ type) in HEADER.

    Exit code 1 if something isn't proved, no word passes in it, or a planted fault isn't found.
    """
    need("pyosys", "z3")
    if own and not kernels:
        raise Refused("--own proves the kernels that you name: add HEADER and name=type")
    work = [] if own else tasks()
    if kernels:
        work += stages_of(
            f'#include "{header}"', _named(kernels), include, Timing(fabric_of(part), _budget(part, clock))
        )
    work = [task for task in work if only in task.name]
    faults = [] if own else [fault for fault in FAULTS if only in fault.name]
    if not work and not faults and not (only and only in "rules"):
        raise Refused(f"no proof and no fault has '{only}' in its name")
    conduct(work, faults, timeout, traces, report, lambda: [] if own else _rules(only))


def _named(kernels):
    named = {}
    for kernel in kernels:
        name, equals, kind = kernel.partition("=")
        if not equals:
            raise Refused(f"'{kernel}' is no kernel; write name=type, for example fir=dsp::fir_stage")
        named[name] = kind
    return named


def _budget(part, clock):
    return fabric_of(part).budget(clock)


def _rules(only):
    """Rows of the rewriting rules' proofs."""
    if only not in "rules":
        return []
    from hls.open.prove.passes.rules import Unproved, prove_rules

    try:
        return [dataclasses.asdict(row) for row in prove_rules()]
    except Unproved as error:
        raise click.ClickException(f"a rewriting rule isn't proved: {error}") from None


if __name__ == "__main__":
    main()
