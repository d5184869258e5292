"""`python -m hls.dma`: Verilog of the DMA, linted, and what it consists of."""

from __future__ import annotations

import os
import time

import click

from hls.dma.build import TOP, build_dma
from hls.dma.flow import ADDRESS_BITS
from model.base.errors import UserError, report_user_errors
from model.base.report import table


@click.command()
@click.option("--part", default="xc7z020clg400-1", show_default=True, help="FPGA whose delays plan the pipelines.")
@click.option("--clock", default=100.0, show_default=True, type=click.FloatRange(1, 1000), help="In MHz.")
@click.option("--address-bits", default=32, show_default=True, type=int, help=f"Of memory: {ADDRESS_BITS}.")
@report_user_errors
def main(part: str, clock: float, address_bits: int) -> None:
    """Build `dma_top`, print where its files are; files.f there lists them in order."""
    from hls.open.verilator import lint

    started = time.monotonic()
    dma = build_dma(part, clock, address_bits, progress=True)
    rows = [
        {
            "kernel": name,
            "pipeline stages": s["depth"],
            "longest path (ps, model)": s["longest_ps"],
            "budget (ps)": s["budget_ps"],
            "state bits": s["state_bits"],
        }
        for name, s in dma.stages.items()
    ]
    print(table(rows))
    complaints = lint(dma.files, TOP)
    if complaints:
        raise UserError(f"Verilator's lint complains: {complaints.splitlines()[0]}; please report it")
    print(f"{os.path.relpath(dma.folder)}: {len(dma.files)} files, lint clean, {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
