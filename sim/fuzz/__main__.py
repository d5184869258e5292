"""Differential fuzzing of the open route: `python -m sim.fuzz -n 100 --seed 1`."""

from __future__ import annotations

import time

import click

from model.base.errors import report_user_errors
from sim.fuzz.run import KINDS, fuzz


@click.command()
@click.option("-n", "--count", default=100, show_default=True, help="Number of kernels.")
@click.option("--seed", default=1, show_default=True, help="Seed of the first kernel; the next ones count up.")
@click.option("--batch", default=50, show_default=True, help="Kernels per C++ file.")
@click.option("--verilog", default=0.1, show_default=True, help="Share of the kernels that also run as Verilog.")
@click.option("--kind", type=click.Choice(list(KINDS)), default="any", show_default=True, help="What they are about.")
@report_user_errors
def main(count: int, seed: int, batch: int, verilog: float, kind: str) -> None:
    """Compare random kernels between the open route and g++ with AMD's headers."""
    start = time.time()
    done = fuzz(count, seed, batch=batch, verilog=verilog, kind=kind, progress=lambda text: click.echo(text))
    click.echo(
        f"{done['interpreted']} kernels from seed {seed}: equal step by step in XLS's interpreter, "
        f"{done['simulated']} of them in Verilog too; {time.time() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
