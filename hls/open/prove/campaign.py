"""What `python -m hls.open.prove` proves, and what it notes of each proof."""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hls.open.pipeline.timing import Timing
from hls.open.pipeline.verilog import generate
from hls.open.prove import templates
from hls.open.prove.engine import OPEN, PROVED, TOO_LONG, GaveUp, Outcome, prove, reach, refute
from hls.open.prove.stage import stage_bench
from hls.open.prove.system import read_system
from hls.open.route import lower_source

if TYPE_CHECKING:
    from hls.open.pipeline.verilog import Stage
    from hls.open.prove.bench import Bench

KERNELS = Path(__file__).with_name("kernels.hpp")
NAMES = ("pass", "some", "split", "mac", "histogram", "delay_line")
FIFOS = ((4, 1, 1), (8, 2, 1), (4, 3, 2), (8, 4, 3), (1, 5, 5), (8, 9, 5), (73, 9, 5), (8, 16, 12))
DEEP_FIFOS = ((4, 2, 1), (4, 3, 2), (8, 4, 3), (8, 9, 5), (73, 9, 5))
WRITERS = ((4, 3, 3), (4, 7, 3), (8, 9, 5), (1, 16, 12), (8, 18, 14))
RAMS = ((8, 1, 1, 64), (8, 4, 2, 64), (4, 5, 3, 64), (8, 16, 4, 64), (8, 4, 2, 2), (4, 5, 3, 2), (8, 16, 4, 2))
PRODUCTS = ((1, 1, 2), (4, 3, 7), (4, 4, 6), (5, 5, 10), (6, 4, 10))
MERGES = ((2, 4), (3, 59), (4, 42))
ENTRIES = (1, 8)
LONGEST = 4  # induction that is tried
WITHOUT = 10  # the same without invariants
SEARCH = 20  # cycles in which a counterexample is looked for
SOON_S = 20  # for each question to z3 then
COVER = 40  # cycles in which a word has to pass


@dataclass(frozen=True)
class Task:
    """One proof to do: what makes its bench, and whether to try it without invariants, too."""

    name: str
    bench: Callable[[], Bench]
    without: bool = False


@functools.cache
def small_stages() -> dict[str, Stage]:
    """Return the stages of the kernels in `kernels.hpp`."""
    named = {f"k_{name}": f"prove::{name}" for name in NAMES}
    with tempfile.TemporaryDirectory() as folder:
        steps = lower_source(f'#include "{KERNELS}"', named, directory=folder)
    return {name: generate(steps[f"k_{name}"]) for name in NAMES}


def tasks() -> list[Task]:
    """Return the proofs of the library and of the small kernels."""
    found = [Task("fifo", functools.partial(templates.fifo, *size), size == (8, 4, 3)) for size in FIFOS]
    found += [Task("fifo room", functools.partial(templates.fifo_room, *size), size == (8, 9, 5)) for size in WRITERS]
    found += [Task("fifo", functools.partial(templates.fifo, *size, deep=True)) for size in DEEP_FIFOS]
    found += [Task("fifo room", functools.partial(templates.fifo_room, *size, deep=True)) for size in WRITERS]
    for forward in (0, 1):
        found += [Task("ram", functools.partial(templates.ram, *size, forward)) for size in RAMS]
    found += [Task("multiply", functools.partial(templates.multiply, *size)) for size in PRODUCTS]
    found += [Task("merge", functools.partial(templates.merge, *size)) for size in MERGES]
    found += [Task("entry", functools.partial(templates.entry, width)) for width in ENTRIES]
    found += [Task(f"stage {name}", lambda n=name: stage_bench(small_stages()[n]), name == "pass") for name in NAMES]
    return found


def stages_of(source: str, kernels: dict[str, str], include: tuple[str, ...], timing: Timing) -> list[Task]:
    """Return the proofs of a user's kernels; `kernels` is name -> C++ type."""
    with tempfile.TemporaryDirectory() as folder:
        steps = lower_source(source, kernels, include, folder)
    return [Task(f"stage {n}", functools.partial(stage_bench, generate(s, timing))) for n, s in steps.items()]


def run(task: Task, timeout_s: float = 600) -> dict:
    """Prove a task's bench; return a row of the report.

    The verdict is `proved` only if induction closes and a word passes in a reachable trace.
    """
    started = time.monotonic()
    bench = task.bench()
    system = read_system(bench)
    try:
        done = prove(system, LONGEST, timeout_s=timeout_s, show=bench.show)
    except GaveUp:
        done = Outcome(TOO_LONG, 1, timeout_s)
    properties = {c.name for c in bench.properties}
    if done.verdict == OPEN:  # do the invariants not suffice, or is a property wrong?
        found = _counterexample(system, sorted(properties), bench.show)
        done = found or done
    covers = [(c, _reached(system, c.name, timeout_s, bench.show)) for c in bench.cover]
    passed = [c for c, found in covers if found.verdict == PROVED]
    row = {
        "proof": task.name,
        "module": bench.module,
        "parameters": bench.parameters,
        "verdict": done.verdict if passed or done.verdict != PROVED else "vacuous",
        "induction": done.k,
        "seconds": round(time.monotonic() - started, 2),
        "solver_seconds": round(done.seconds, 2),
        "assumptions": [c.says for c in bench.assumptions],
        "invariants": [[c.name, c.says] for c in bench.invariants],
        "properties": [[c.name, c.says] for c in bench.properties],
        "covers": [[c.name, c.says, found.k if found.verdict == PROVED else None] for c, found in covers],
        "failed": done.failed,
        "trace": done.trace,
        "cover_trace": next((found.trace for _, found in covers if found.verdict == PROVED), []),
    }
    if task.without:
        bare = prove(system, WITHOUT, properties, timeout_s=timeout_s)
        row["without_invariants"] = [bare.verdict, bare.k, round(bare.seconds, 2)]
    return row


def _reached(system, name, timeout_s, show):
    try:
        return reach(system, name, COVER, timeout_s, show)
    except GaveUp:
        return Outcome(TOO_LONG, COVER, timeout_s, [name])


def _counterexample(system, properties, show):
    """The first counterexample from the initial state to one of the properties, if z3 finds one soon."""
    for name in properties:
        try:
            found = refute(system, {name}, SEARCH, SOON_S, show)
        except GaveUp:  # not soon
            continue
        if found.failed:
            return found
    return None
