"""What the analysis found, as rows for scripts and as a text for people."""

from __future__ import annotations

import collections
import re
from typing import TYPE_CHECKING

import numpy as np

from hls.sta.analyse import fits, trace, what
from hls.sta.delays.sdf import SLOW_MAX, SLOW_MIN
from model.base.report import table

if TYPE_CHECKING:
    from hls.sta.analyse import Path, Slacks
    from hls.sta.model import Model

PATHS = 10  # that are shown
AREA, AREAS = (10, 50), 8  # columns and rows of tiles; how many areas are shown
_PLACE = re.compile(r"_X(\d+)Y(\d+)$")
SHARED = 1000  # endpoints whose paths say how much of the time is wire


def clock_row(model: Model, found: Slacks) -> dict:
    """Return the row of a clock.

    Parameters
    ----------
    model : Model
    found : Slacks

    Returns
    -------
    dict
        clock (its root), endpoints, mhz (asked), fits_mhz (slow corner), fits_mhz_fast, slack_ns, uncertainty_ns (of
        the clock, taken off), hold_slack_ns, hold_missed, hold_unknown (endpoints without a number), crossing,
        wire_share (of the slowest paths).
    """
    worst = np.argsort(found.setup, kind="stable")
    paths = [trace(model, found, int(endpoint)) for endpoint in worst[:SHARED]]
    wire, logic = (sum(getattr(path, part) for path in paths) for part in ("wire", "logic"))
    hold = found.hold[~np.isnan(found.hold)]
    return {
        "what": "clock",
        "clock": model.graph.names[found.root],
        "endpoints": len(found.check),
        "mhz": _mhz(found.period),
        "fits_mhz": _fits(found, found.setup),
        "fits_mhz_fast": _fits(found, found.setup_fast),
        "slack_ns": _least(found.setup),
        "uncertainty_ns": round(found.uncertainty, 3),
        "hold_slack_ns": _least(hold),
        "hold_missed": int((hold < 0).sum()),
        "hold_unknown": int(np.isnan(found.hold).sum()),
        "crossing": found.crossing,
        "wire_share": round(wire / (wire + logic), 3) if paths else None,
    }


def _mhz(period):
    return round(1000 / period, 2)


def _fits(found, slack):
    """The clock at which the least slack is 0."""
    needs = found.period - found.uncertainty - slack.min() if len(slack) else 0
    return _mhz(fits(needs, found.uncertainty > 0)) if needs > 0 else None


def _least(slack):
    return round(float(slack.min()), 3) if len(slack) else None


def groups(model: Model, found: Slacks) -> dict[tuple[str, str], np.ndarray]:
    """Return the endpoints by what the latest path begins and ends at: ("DSP", "register") -> int (endpoints,)."""
    groups = collections.defaultdict(list)
    for endpoint, (check, launch) in enumerate(zip(found.check.tolist(), found.launch.tolist())):
        end = model.cell(int(model.checks.pin[check])).kind
        groups[what(model.cell(launch).kind), what(end)].append(endpoint)
    return {ends: np.array(endpoints) for ends, endpoints in groups.items()}


def group_rows(model: Model, found: Slacks) -> list[dict]:
    """Return a row per kind of start and end, the one with the least slack first.

    Returns
    -------
    list of dict
        from, to, endpoints, slack_ns, fits_mhz.
    """
    rows = []
    for (start, end), endpoints in groups(model, found).items():
        slack = found.setup[endpoints]
        rows.append(
            {
                "what": "group",
                "from": start,
                "to": end,
                "endpoints": len(endpoints),
                "slack_ns": _least(slack),
                "fits_mhz": _fits(found, slack),
            }
        )
    return sorted(rows, key=lambda row: row["slack_ns"])


def area_rows(model: Model, found: Slacks) -> list[dict]:
    """Return where slow paths run: for areas of 10 columns and 50 rows of tiles the least slack of all paths through
    them, the least first. What both clocks share is not given back here.

    Returns
    -------
    list of dict
        columns, rows (of tiles, by their names' X and Y), ports, slack_ns.
    """
    checks, number = model.checks, found.check
    due = found.period - found.uncertainty + found.times[checks.clock[number], SLOW_MIN] - checks.setup[number]
    slack = model.graph.required(checks.pin[number], due) - found.times[:, SLOW_MAX]
    areas = collections.defaultdict(list)
    for node in np.flatnonzero(np.isfinite(slack)).tolist():
        if model.cell(node).kind.startswith("BUF"):
            continue  # clocks are everywhere
        place = _PLACE.search(model.sites[model.cell(node).site][0])
        areas[int(place[1]) // AREA[0], int(place[2]) // AREA[1]].append(slack[node])
    rows = [
        {
            "what": "area",
            "columns": f"X{AREA[0] * x} to X{AREA[0] * x + AREA[0] - 1}",
            "rows": f"Y{AREA[1] * y} to Y{AREA[1] * y + AREA[1] - 1}",
            "ports": len(values),
            "slack_ns": round(min(values), 3),
        }
        for (x, y), values in areas.items()
    ]
    return sorted(rows, key=lambda row: row["slack_ns"])


def path_rows(paths: list[Path]) -> list[dict]:
    """Return a row per path, with its hops as a text."""
    return [
        {
            "what": "path",
            "number": number,
            "from": path.start,
            "to": path.end,
            "slack_ns": round(path.slack, 3),
            "logic_ns": round(path.logic, 3),
            "wire_ns": round(path.wire, 3),
            "skew_ns": round(path.capture_clock - path.launch_clock, 3),
            "levels": path.levels,
            "path": path_text(path),
        }
        for number, path in enumerate(paths, 1)
    ]


def path_text(path: Path) -> str:
    """Return a path as one line: cells with what they take, that of wires on arrows; last what the endpoint owes."""
    parts = [
        f"-{hop.ns:.2f}->" if hop.kind == "wire" else f"{hop.place} ({hop.kind} {hop.ns:.2f})" for hop in path.hops
    ]
    return " ".join([*parts, f"{path.end} ({path.owes:.2f})"])


def slowest(model: Model, found: Slacks, count: int = PATHS) -> list[Path]:
    """Return the paths with the least slack, of each launching cell the worst."""
    paths, seen = [], set()
    for endpoint in np.argsort(found.setup, kind="stable").tolist():
        path = trace(model, found, endpoint)
        start = path.start.rpartition(".")[0]
        if start not in seen:
            seen.add(start)
            paths.append(path)
        if len(paths) == count:
            break
    return paths


def tightest_hold(model: Model, found: Slacks) -> Path | None:
    """Return the path with the least hold slack, or None if no hold time is known."""
    known = len(found.hold) and not np.isnan(found.hold).all()
    return trace(model, found, int(np.nanargmin(found.hold)), setup=False) if known else None


def gap_rows(model: Model, all_found: list[Slacks]) -> list[dict]:
    """Return rows of what is not timed: arcs without a number, with a neighbour's, endpoints that no path reaches.

    Returns
    -------
    list of dict
        what ("unknown", "borrowed", "unreached"), kind, count.
    """
    rows = [{"what": "unknown", "kind": kind, "count": count} for kind, count in model.unknown.most_common()]
    rows += [{"what": "borrowed", "kind": kind, "count": count} for kind, count in model.borrowed.most_common()]
    timed = np.zeros(len(model.checks.pin), bool)
    for found in all_found:
        timed[found.check] = True
    left = collections.Counter()
    for check in np.flatnonzero(~timed).tolist():
        pin = model.ports[model.checks.pin[check]]
        left[f"{model.netlist.cells[pin.cell].kind}: {pin.port.split('[')[0]}"] += 1
    return rows + [{"what": "unreached", "kind": kind, "count": count} for kind, count in left.most_common()]


def text(title: str, rows: list[dict]) -> str:
    """Return the report for people.

    Parameters
    ----------
    title : str
    rows : list of dict
        Of the functions above.
    """
    parts = [title]
    for row in rows:
        if row["what"] == "clock":
            parts += ["", *_clock_lines(row)]
    kinds = ("group", "area", "path", "hold path", "unknown", "borrowed", "unreached")
    chosen = {kind: [row for row in rows if row["what"] == kind] for kind in kinds}
    parts += ["", table(chosen["group"], ["from", "to", "endpoints", "slack_ns", "fits_mhz"])]
    parts += ["", "where slow paths run, by tiles:"]
    parts += [table(chosen["area"][:AREAS], ["columns", "rows", "ports", "slack_ns"])]
    for row in chosen["path"] + chosen["hold path"]:
        numbers = f"slack {row['slack_ns']} ns, logic {row['logic_ns']}, wire {row['wire_ns']}, skew {row['skew_ns']}"
        begins = f"{row['number']}." if row["what"] == "path" else "nearest to its hold time:"
        parts += ["", f"{begins} {row['from']} to {row['to']}: {numbers}", f"   {row['path']}"]
    for kind, says in (("unknown", "without a number"), ("borrowed", "with another's number")):
        if chosen[kind]:
            parts += ["", f"arcs {says}:"]
            parts += [f"  {row['count']:,} {row['kind']}" for row in chosen[kind]]
    if chosen["unreached"]:
        parts += ["", "inputs that no path from a clock reaches (constants, pins, what has no number in front):"]
        parts += [f"  {row['count']:,} {row['kind']}" for row in chosen["unreached"]]
    return "\n".join(parts) + "\n"


def _clock_lines(row):
    highest = f"{row['fits_mhz']} MHz (slow corner)" if row["fits_mhz"] else "any clock"
    verdict = "meets" if (row["slack_ns"] or 0) >= 0 else "MISSES"
    share = "" if row["wire_share"] is None else f"; {row['wire_share']:.0%} of the slowest paths is wire"
    return [
        f"clock {row['clock']}: {row['endpoints']:,} endpoints",
        f"  fits {highest}, {row['fits_mhz_fast']} MHz (fast corner), with {row['uncertainty_ns']} ns for jitter",
        f"  {verdict} {row['mhz']} MHz: least slack {row['slack_ns']} ns{share}",
        f"  hold, slow corner: least slack {row['hold_slack_ns']} ns, {row['hold_missed']:,} missed; "
        f"{row['hold_unknown']:,} endpoints without a hold time",
        "  hold, fast corner: not checked, the database has no hold times of it",
        f"  {row['crossing']:,} endpoints of other clocks are reached and not checked",
    ]
