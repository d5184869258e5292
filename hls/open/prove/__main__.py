"""`python -m hls.open.prove`: the library and stages, proved for all cycles; planted faults, found."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

import click
from tabulate import tabulate
from tqdm import tqdm

from hls.open.errors import Refused
from hls.open.pipeline.fabric import FABRICS, fabric_of
from hls.open.pipeline.timing import Timing
from hls.open.prove.campaign import run, stages_of, tasks
from hls.open.prove.engine import PROVED, print_trace
from hls.open.prove.faults import FAULTS, catch
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
    started = time.monotonic()
    proofs, found = [], []
    with tqdm(total=len(work) + len(faults), unit="proof", disable=None, dynamic_ncols=True) as bar:
        for task in work:
            bar.set_postfix_str(task.name)
            proofs.append(run(task, timeout))
            bar.update()
        for fault in faults:
            bar.set_postfix_str(fault.name)
            found.append(catch(fault, timeout))
            bar.update()
    rules = [] if own else _rules(only)
    good = _show(proofs, found, rules, traces)
    if report:
        _write(Path(report), proofs, found, rules)
        click.echo(f"written to {report}")
    click.echo(f"{time.monotonic() - started:.0f} s")
    if not good:
        sys.exit(1)


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
    from hls.open.prove.rules import Unproved, prove_rules

    try:
        return [dataclasses.asdict(row) for row in prove_rules()]
    except Unproved as error:
        raise click.ClickException(f"a rewriting rule isn't proved: {error}") from None


def _show(proofs, faults, rules, traces):
    """Print the tables; return whether all is as it has to be."""
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


def _write(path, proofs, faults, rules):
    """Write the report, one proof per line, without the traces of faults."""
    faults = [{key: value for key, value in fault.items() if key != "trace"} for fault in faults]
    parts = []
    for name, rows in (("proofs", proofs), ("faults", faults), ("rules", rules)):
        parts.append(f' "{name}": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    temporary.replace(path)


if __name__ == "__main__":
    main()
