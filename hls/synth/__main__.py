"""What a network takes on a board, by Yosys: `make synth`; how it is counted, `hls.synth.resources`."""

from __future__ import annotations

import time

import click

from hls.design.cost import LIMITS
from hls.design.load import load_config
from hls.design.options import hardware_options
from hls.generate.verilog import build_rtl
from hls.synth.resources import complaints, family, row, synth_rows, synthesise
from model.base.errors import UserError, report_user_errors
from model.base.report import table, write_report
from model.base.tools import tool_version


@click.command()
@hardware_options
@click.option("--jobs", type=click.IntRange(1), help="Stages at once.  [default: cores]")
@click.option("--flat", is_flag=True, help="Also synthesise srcnn_top in one piece, to compare with the sum.")
@report_user_errors
def main(network: str, upscale: int | None, board: str, jobs: int | None, flat: bool) -> None:
    """Count DSPs, block RAMs, LUTs and flip-flops per stage; write build/reports/synth_<board>.json."""
    started = time.monotonic()
    config = load_config(network, board, upscale)
    rows = synth_rows(config, jobs, progress=True)
    total, wrong = rows[-1], complaints(rows)
    if flat:
        rows.append(
            row(config.network, "flattened", synthesise(build_rtl(config).files, "srcnn_top", family(config.part)))
        )
    path = write_report(f"synth_{config.board}", rows)
    print(table(rows, list(rows[0])[2:], floatfmt=".10g"))
    print()
    print(
        table(
            [
                {
                    "resource": what.upper(),
                    "used": total[what],
                    "of": total[f"{what}_budget"],
                    "share": f"{total[what] / total[f'{what}_budget']:.1%}" if total[f"{what}_budget"] else "",
                    "limit": f"{share:.0%}",
                }
                for what, share in LIMITS.items()
            ],
            floatfmt=".10g",
        )
    )
    print(
        f"by {tool_version('pyosys')}, synth_xilinx -family {family(config.part)}, {time.monotonic() - started:.0f} "
        f"s; written to {path}"
    )
    if wrong:
        raise UserError("; ".join(wrong))


if __name__ == "__main__":
    main()
