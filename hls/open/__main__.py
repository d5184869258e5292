"""`python -m hls.open`, or `hls-open`: C++ step kernels to SystemVerilog, checked."""

from __future__ import annotations

import click

from hls.open.commands.build import build
from hls.open.commands.check import check
from hls.open.commands.options import Commands
from hls.open.commands.top import top


@click.group(cls=Commands)
def main() -> None:
    """Compile C++ step kernels to pipelined SystemVerilog, and check that it does what the C++ says."""


main.add_command(build)
main.add_command(check)
main.add_command(top)

if __name__ == "__main__":
    main(prog_name="hls-open")
