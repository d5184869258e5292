"""Tests that must fail do fail: `make mutation`; what is done with each mistake, `sim.mutation.judge`."""

from __future__ import annotations

import json
import os
import sys

import click
from tqdm import tqdm

from model.base.errors import UserError, report_user_errors
from model.base.paths import ROOT, atomic_write
from model.base.report import table, write_report
from sim.mutation.judge import HOLE, load_mutations, run_mutations

COMMITTED = ROOT / "docs" / "results" / "mutation.json"


@click.command()
@click.option(
    "--only", multiple=True, metavar="NAME", help="Try this mutation; may be given several times. No report is written."
)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="How many at a time.")
@click.option(
    "--update-docs", is_flag=True, help="Write docs/results/mutation.json, from which `make pages` writes the table."
)
@report_user_errors
def main(only: tuple[str, ...], jobs: int, update_docs: bool) -> None:
    """Put each mistake of mutations.toml into the kernels; exit code 1 if one goes unnoticed."""
    mutations = load_mutations()
    if only and update_docs:
        raise UserError("--update-docs takes all mutations; leave --only out")
    unknown = sorted(set(only) - {mutation.name for mutation in mutations})
    if unknown:
        raise UserError(
            f"there is no mutation {unknown[0]}; known: {', '.join(mutation.name for mutation in mutations)}"
        )
    mutations = [mutation for mutation in mutations if not only or mutation.name in only]
    print("the right kernels first", flush=True)
    with tqdm(total=len(mutations), unit="mutation", desc="mutations", dynamic_ncols=True) as bar:

        def show(row):
            bar.update()
            if row["caught_by"] == HOLE:
                bar.write(f"unnoticed: {row['name']}, {row['what']} {row['how']}")

        rows = run_mutations(mutations, jobs, progress=show)
    shown = [{**row, "how": row["how"][:70], "rtl": row["rtl"] and row["rtl"][:70]} for row in rows]
    print(table(shown, ["name", "what", "caught_by", "how", "rtl"]))
    holes = [row["name"] for row in rows if row["caught_by"] == HOLE]
    print(
        f"{len(rows) - len(holes)} of {len(rows)} noticed, {sum(bool(row['rtl']) for row in rows)} of them in the "
        f"Verilog" + ("" if only else f"; written to {write_report('mutation', rows)}")
    )
    if update_docs:
        with atomic_write(COMMITTED) as temporary:
            temporary.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
        print(f"written to {COMMITTED.relative_to(ROOT)}; `make pages` puts it on the page")
    if holes:
        print(
            f"FAIL unnoticed: {', '.join(holes)}; add a test that notices, or a reason to drop the mutation",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
