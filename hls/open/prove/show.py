"""A campaign of proofs and planted faults under a bar, and what is printed and written of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from tabulate import tabulate
from tqdm import tqdm

from hls.open.prove.campaign import Task, run
from hls.open.prove.engine import PROVED, print_trace
from hls.open.prove.faults import Fault, catch


def conduct(
    tasks: Sequence[Task],
    faults: Sequence[Fault],
    timeout: int,
    traces: bool,
    report: str | None,
    rules: Callable[[], list[dict]] = list,
) -> None:
    """Prove, look for the planted faults, print and write it; end with exit code 1 if anything is not as it has to be.

    Parameters
    ----------
    tasks : sequence of Task
    faults : sequence of Fault
    timeout : int
        Seconds per question to z3.
    traces : bool
        Print the trace in which a word passes.
    report : str or None
        A JSON file to write.
    rules : callable
        Proves what else there is, and returns its rows.
    """
    started, proofs, found = time.monotonic(), [], []
    with tqdm(total=len(tasks) + len(faults), unit="proof", disable=None, dynamic_ncols=True) as bar:
        for one, rows, work in [(run, proofs, tasks), (catch, found, faults)]:
            for item in work:
                bar.set_postfix_str(item.name)
                rows.append(one(item, timeout))
                bar.update()
    more = rules()
    good = show(proofs, found, more, traces)
    if report:
        write(Path(report), proofs, found, more)
        click.echo(f"written to {report}")
    click.echo(f"{time.monotonic() - started:.0f} s")
    if not good:
        sys.exit(1)


def show(proofs: list[dict], faults: list[dict], rules: list[dict], traces: bool) -> bool:
    """Print the tables of a campaign's rows; return whether all is as it has to be."""
    if proofs:
        click.echo(tabulate([_proof_row(row) for row in proofs], headers="keys"))
    if faults:
        rows = [[f["fault"], f["says"], f["broken"] or "NOT FOUND", f["cycles"], f["seconds"]] for f in faults]
        click.echo("\n" + tabulate(rows, ["planted fault", "", "breaks", "after cycles", "seconds"]))
    if rules:
        shown = [row | {"widths": f"{min(row['widths'])}..{max(row['widths'])}"} for row in rules if row["widths"]]
        click.echo("\n" + tabulate(shown, headers="keys", floatfmt=".1f"))
    for row in proofs:
        if row["verdict"] != PROVED or traces:
            click.echo(f"\n{row['proof']}, {row['module']} {row['parameters']}: {row['verdict']}")
            if row["failed"]:
                click.echo(f"not shown: {', '.join(row['failed'])}")
            print_trace(row["trace"] or row["cover_trace"])
    return all(r["verdict"] == PROVED for r in proofs) and all(f["broken"] and f["proof"] != PROVED for f in faults)


def _proof_row(row):
    bare = row.get("without_invariants")
    return {
        "proof": row["proof"],
        "module": row["module"],
        "parameters": row["parameters"],
        "properties": len(row["properties"]),
        "invariants": len(row["invariants"]),
        "assumptions": len(row["assumptions"]),
        "verdict": f"{row['verdict']}, k = {row['induction']}",
        "seconds": row["seconds"],
        "word passes in cycle": "/".join("-" if depth is None else str(depth) for _, _, depth in row["covers"]),
        "without invariants": f"{bare[0]}, k = {bare[1]}, {bare[2]} s" if bare else "",
    }


def write(path: Path, proofs: list[dict], faults: list[dict], rules: list[dict]) -> None:
    """Write the report, one proof per line, without the traces of faults."""
    faults = [{key: value for key, value in fault.items() if key != "trace"} for fault in faults]
    parts = []
    for name, rows in (("proofs", proofs), ("faults", faults), ("rules", rules)):
        parts.append(f' "{name}": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    temporary.replace(path)
