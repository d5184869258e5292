"""Timing of any bitstream: `python -m hls.sta design.bit --mhz 58.8`; of an overlay, `make timing TOOLS=open`."""

from __future__ import annotations

import pathlib
import time

import click

from hls.design.boards import DEFAULT_BOARD, read_board
from hls.sta.report import text
from hls.sta.run import report
from model.base.errors import report_user_errors


@click.command()
@click.argument("bit", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--mhz", type=click.FloatRange(1, 1000), default=100.0, show_default=True, help="What its clocks are to run at."
)
@click.option("--board", default=DEFAULT_BOARD, show_default=True, help="Whose part it is for.")
@click.option("--compare", is_flag=True, help="Also as nextpnr-xilinx counts.")
@report_user_errors
def main(bit: pathlib.Path, mhz: float, board: str, compare: bool) -> None:
    """Print the timing of BIT; write build/reports/timing_open_<name>.json, .txt and .svg."""
    started = time.monotonic()
    rows, written = report(bit, read_board(board)["part"], bit.stem, mhz, compare, progress=True)
    print(text(f"{bit.name}, modelled by Project X-Ray's delays", rows), end="")
    print(f"{time.monotonic() - started:.0f} s; written to {', '.join(map(str, written))}")


if __name__ == "__main__":
    main()
