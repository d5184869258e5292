"""Reports: a table for people, `build/reports/<name>.json` (a list of flat rows) for scripts."""

from __future__ import annotations

import json
import pathlib

from tabulate import tabulate

from model.base.paths import BUILD, atomic_write


def write_report(name: str, rows: list[dict]) -> pathlib.Path:
    """Write `build/reports/<name>.json`.

    Parameters
    ----------
    name : str
        Report name, e.g. "evaluate".
    rows : list of dict
        Flat rows; values are str, int, float, bool or None.

    Returns
    -------
    pathlib.Path
    """
    path = BUILD / "reports" / f"{name}.json"
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(rows, indent=1) + "\n")
    return path


def table(rows: list[dict], columns: list[str] | None = None, style: str = "simple", floatfmt: str = ".4g") -> str:
    """Format rows as text; `style` is a tabulate format ("simple", "github" for markdown)."""
    columns = columns or (list(rows[0]) if rows else [])
    return tabulate([[row.get(c) for c in columns] for row in rows], headers=columns, tablefmt=style, floatfmt=floatfmt)
