"""Differential fuzzing of the open route: `make fuzz`, `python -m sim.fuzz -n 20000 --seed 1`."""

from __future__ import annotations

import os
import sys
from collections import Counter

import click
from tqdm import tqdm

from hls.csim.ap_types import ap_types_dir
from model.base.errors import UserError, report_user_errors
from model.base.paths import ROOT
from sim.fuzz.compare.check import EQUAL, FAILED, REFUSED
from sim.fuzz.kinds import KINDS
from sim.fuzz.runner.campaign import Campaign, campaign
from sim.fuzz.runner.record import version_name
from sim.fuzz.runner.results import COMMITTED, write_results


@click.command()
@click.option("-n", "--count", type=click.IntRange(1), default=100, show_default=True, help="Number of kernels.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Seed of the first kernel; the next ones count up.",
)
@click.option("--kind", type=click.Choice(list(KINDS)), help="One kind of kernel alone, not each kind's share.")
@click.option(
    "--verilog",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share of the kernels that also run as Verilog.",
)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Processes.")
@click.option("--seconds", type=click.FloatRange(0), help="No batch begins after so long; go on another time.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failure.")
@click.option("--again", is_flag=True, help="Do again what was done with another version of compiler or tools.")
@click.option("--update-docs", is_flag=True, help="Write docs/results/fuzz.json, which `make pages` puts on the page.")
@report_user_errors
def main(
    count: int,
    seed: int,
    kind: str | None,
    verilog: float,
    jobs: int,
    seconds: float | None,
    fail_fast: bool,
    again: bool,
    update_docs: bool,
) -> None:
    """Compare random kernels between the open route and g++ with AMD's headers; exit code 1 if one differs.

    What is done is kept under build/open/fuzz/, and the same command goes on where it was stopped.
    """
    ap_types_dir()
    running = campaign(count, seed, kind, verilog=verilog, again=again)
    left = sum(len(seeds) for seeds in running.left().values())
    bar = tqdm(
        total=running.total, initial=running.total - left, unit="kernel", desc="fuzz", dynamic_ncols=True, smoothing=0
    )

    def show(kind, batch, reports):
        bar.update(len(batch.rows))
        for report in reports:
            bar.write(f"failed: {report.relative_to(ROOT) if report.is_relative_to(ROOT) else report}")
        bar.set_postfix(failed=len(running.failures))

    try:
        with bar:
            running.run(jobs, seconds, fail_fast, show)
    except KeyboardInterrupt:
        print(f"stopped; {summary(running)}; the same command goes on", file=sys.stderr)
        sys.exit(130)
    print(summary(running))
    failed = sum(counts[FAILED] for counts in running.counts().values())
    for text, times in running.refusals().most_common():
        print(f"  refused {times} times: {text}")
    for phase, spent in sorted(running.record.seconds.items(), key=lambda item: -item[1]):
        print(f"  {spent:8.1f} core seconds so far: {phase}")
    if update_docs:
        if failed:
            raise UserError("docs/results/fuzz.json is of a campaign without failures; mend them first")
        write_results(running)
        print(f"written to {COMMITTED.relative_to(ROOT)}; `make pages` puts it on the page")
    if failed:
        print(
            f"FAIL {failed} of {running.total} kernels differ or crash the compiler; see {running.folder / 'failures'}",
            file=sys.stderr,
        )
        sys.exit(1)


def summary(running: Campaign) -> str:
    """Return in one line what of a campaign is done, by version if there were several."""
    counts = running.counts()
    total = sum(counts.values(), Counter())
    left = running.total - total[EQUAL] - total[REFUSED] - total[FAILED]
    text = (
        f"{total[EQUAL]:,} of {running.total:,} kernels equal, {total['simulated']:,} of them in Verilog, "
        f"{total[REFUSED]:,} refused, {total[FAILED]:,} failed, {left:,} left"
    )
    now = version_name(running.version)
    if set(counts) - {now}:
        text += f"; with today's compiler and tools {counts.get(now, Counter())[EQUAL]:,} of them"
    return text


if __name__ == "__main__":
    main()
