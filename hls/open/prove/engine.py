"""k-induction and bounded search on a `System`, by z3.

Induction of length k: no claim fails in the first k cycles from the initial state, and none fails in a cycle behind k
cycles in which all hold, wherever those began. All claims of a system are proved together: each may lean on the others
in earlier cycles, and all have to hold.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
from tabulate import tabulate

from hls.open.errors import Refused

if TYPE_CHECKING:
    from hls.open.prove.system import System

SOON_S = 10  # for a question about many claims, before it is taken apart
PROVED, FALSE, OPEN, TOO_LONG = "proved", "false", "open", "too long"


class GaveUp(Refused):
    """z3 had no answer in the time that it was given."""


@dataclass
class Outcome:
    """What came out: `proved` (by induction of length `k`), `false` (with a trace), `open` up to `k`, or `too long`.

    `failed` names the claims that don't hold, or that no induction up to `k` shows.
    """

    verdict: str
    k: int
    seconds: float
    failed: list = field(default_factory=list)
    trace: list = field(default_factory=list)


def _solver(timeout_s):
    import z3

    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", int(timeout_s * 1000))
    return solver


def _check(solver, *assumed):
    """Return True if there is a solution; a solver that gives up is an error, not an answer."""
    answer = str(solver.check(*assumed))
    if answer == "unknown":
        raise GaveUp(f"z3 gave up: {solver.reason_unknown()}; allow it more time, or take a smaller size")
    return answer == "sat"


def prove(
    system: System,
    most: int = 4,
    only: set[str] | None = None,
    distinct: bool = False,
    timeout_s: float = 300,
    show: tuple[str, ...] = (),
) -> Outcome:
    """Prove the claims of a system, or say which don't hold.

    Parameters
    ----------
    system : System
    most : int
        The longest induction that is tried.
    only : set of str, optional
        Names of claims; the others are neither proved nor used.
    distinct : bool
        Ask for inductions in which no state comes twice; with it, each true claim is provable for some length.
    timeout_s : float
        For each question to z3.
    show : tuple of str
        Wires of a counterexample's trace.
    """
    import z3

    started = time.monotonic()
    claims = {name: claim for name, claim in system.claims.items() if only is None or name in only}
    base, step = _solver(timeout_s), _solver(timeout_s)
    base.add(system.at([system.initial], 0))
    step.add(_assumed(system, 0))
    failed = []
    for k in range(1, most + 1):
        last = k - 1  # the base case's newest cycle
        base.add(_assumed(system, last))
        broken = z3.Not(z3.And(system.at(claims.values(), last)))
        base.push()
        base.add(broken)
        if _check(base):
            model = base.model()
            names = _broken(system, claims, model, last)
            return Outcome(FALSE, k, time.monotonic() - started, names, trace(system, model, last, show))
        base.pop()
        base.add(z3.Not(broken))
        base.add(system.step(last))
        step.add(system.at(claims.values(), k - 1))
        step.add(system.step(k - 1))
        step.add(_assumed(system, k))
        if distinct:
            new = system.at(system.next, k)
            step.add([z3.Or([a != b for a, b in zip(system.at(system.next, i), new)]) for i in range(k)])
        model = _counter(step, system.at(claims.values(), k), timeout_s)
        if model is None:
            return Outcome(PROVED, k, time.monotonic() - started)
        failed = _broken(system, claims, model, k)
    return Outcome(OPEN, most, time.monotonic() - started, failed)


def _counter(step, claims, timeout_s):
    """A model of `step` in which some of the claims doesn't hold; None if all of them do in all models.

    A question about hundreds of claims at once may take z3 an hour where those about each dozen take it seconds. So if
    it has no answer soon, each half is asked by itself; a single claim has all of the time.
    """
    import z3

    solver = _solver(timeout_s if len(claims) == 1 else min(timeout_s, SOON_S))
    solver.add(step.assertions())
    solver.add(z3.Not(z3.And(claims)))
    try:
        return solver.model() if _check(solver) else None
    except GaveUp:
        if len(claims) == 1:
            raise
    half = len(claims) // 2
    first = _counter(step, claims[:half], timeout_s)
    return _counter(step, claims[half:], timeout_s) if first is None else first


def reach(system: System, name: str, most: int = 40, timeout_s: float = 300, show: tuple[str, ...] = ()) -> Outcome:
    """Find the shortest trace from the initial state to where a cover holds; `proved` if there is one."""
    started, whole = time.monotonic(), system
    system = system.reduced(system.covers[name])
    solver = _solver(timeout_s)
    solver.add(system.at([system.initial], 0))
    for cycle in range(most):
        solver.add(_assumed(system, cycle))
        solver.push()
        solver.add(system.at([system.covers[name]], cycle))
        if _check(solver):
            found = trace(whole, solver.model(), cycle, show)
            return Outcome(PROVED, cycle, time.monotonic() - started, [], found)
        solver.pop()
        solver.add(system.step(cycle))
    return Outcome(OPEN, most, time.monotonic() - started, [name])


def refute(
    system: System, claims: set[str], most: int = 20, timeout_s: float = 300, show: tuple[str, ...] = ()
) -> Outcome:
    """Look for the shortest counterexample to some claims, from the initial state; `false` if there is one."""
    import z3

    started, whole = time.monotonic(), system
    named = {name: system.claims[name] for name in sorted(claims)}
    system = system.reduced(*named.values())
    solver = _solver(timeout_s)
    solver.add(system.at([system.initial], 0))
    for cycle in range(most):
        solver.add(_assumed(system, cycle))
        solver.push()
        solver.add(z3.Not(z3.And(system.at(named.values(), cycle))))
        if _check(solver):
            model = solver.model()
            failed = _broken(system, named, model, cycle)
            return Outcome(FALSE, cycle, time.monotonic() - started, failed, trace(whole, model, cycle, show))
        solver.pop()
        solver.add(system.step(cycle))
    return Outcome(OPEN, most, time.monotonic() - started)


def _assumed(system, cycle):
    return system.at(system.assumptions.values(), cycle)


def _broken(system, claims, model, cycle):
    import z3

    there = zip(claims, system.at(claims.values(), cycle))
    return [n for n, c in there if z3.is_false(model.eval(c, model_completion=True))]


def trace(system: System, model: object, last: int, show: tuple[str, ...]) -> list[list[str]]:
    """Return the rows [wire, value in cycle 0, in cycle 1, ...] of a model, in hexadecimal.

    The model gives the first state and all inputs; what follows from them is computed anew, cycle by cycle.
    """
    import z3

    start = z3.Solver()
    start.add(system.at([system.initial], 0))
    start.add([c() == model[c] for c in model.decls() if c.name().endswith("@0")])
    start.check()
    first, rows = start.model(), [[wire] for wire in show]
    now = [(v, first.eval(c, model_completion=True)) for v, c in zip(system.variables, system.at(system.variables, 0))]
    values = [system.wires[wire] for wire in show] + list(system.next.values())
    together = z3.Concat([z3.If(e, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)) if z3.is_bool(e) else e for e in values])
    for cycle in range(last + 1):
        number, numbers = z3.simplify(z3.substitute(together, now)).as_long(), []
        for e in reversed(values):
            width = 1 if z3.is_bool(e) else e.size()
            numbers.append(number & ((1 << width) - 1))
            number >>= width
        numbers.reverse()
        for row, shown in zip(rows, numbers):
            row.append(f"{shown:x}")
        following = dict(zip(system.next, numbers[len(rows) :]))
        now = [
            (v, _value(v, following[v]) if v in following else model.eval(c, model_completion=True))
            for v, c in zip(system.variables, system.at(system.variables, cycle + 1))
        ]
    return rows


def _value(variable, number):
    import z3

    return z3.BoolVal(bool(number)) if z3.is_bool(variable) else z3.BitVecVal(number, variable.size())


def print_trace(rows: list[list[str]]) -> None:
    """Print a trace as a table with a column per cycle."""
    if rows:
        header = ["cycle", *range(len(rows[0]) - 1)]
        click.echo(tabulate(rows, header, disable_numparse=True))
