"""One batch of random kernels through everything: what each came to, and what it took.

A kernel that differs, or on which the compiler falls over, spoils nothing for the others of its batch: what is done for
all at once (g++, clang, LLVM, Verilator) is done again for the halves of the batch until one is left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.lower.lower import lower_kernel
from hls.open.read.debug_info import DebugInfo
from hls.open.read.frontend import compile_cpp
from hls.open.read.llvm_text import parse_module
from hls.open.read.passes import optimise
from sim.fuzz.compare.interpreted import Mismatch, compare_interpreted, reference
from sim.fuzz.compare.simulated import CYCLES_PER_STEP, difference, expected_outputs, run_cases, write_case
from sim.fuzz.random_kernels import STEPS, kernels_source

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step
    from sim.fuzz.random_kernels import RandomKernel

EQUAL, REFUSED, FAILED = "equal", "refused", "failed"


@dataclasses.dataclass
class Row:
    """What a seed came to.

    `sort` says what kind of kernel it is; `text` what was refused or what is wrong, in one line; `source` the C++ of
    one that failed. A kernel refused as a pipeline only was equal in the interpreter.
    """

    seed: int
    sort: str
    outcome: str = EQUAL
    interpreted: bool = False
    simulated: bool = False
    text: str = ""
    detail: str = ""
    source: str = ""


@dataclasses.dataclass
class Batch:
    """Rows of a batch by seed, and core seconds by phase."""

    rows: dict[int, Row] = dataclasses.field(default_factory=dict)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what the block takes, child processes included."""
        start = _core_seconds()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + _core_seconds() - start

    def fail(self, seed: int, error: BaseException | str, source: str) -> None:
        """Note a difference or a crash; the first of a seed stays."""
        row = self.rows[seed]
        if row.outcome == FAILED:
            return
        row.outcome, row.source = FAILED, source
        if isinstance(error, str):
            row.text = error
        elif isinstance(error, Mismatch | Refused):
            row.text = str(error).split("\n")[0]
            row.detail = str(error)
        else:
            row.text = f"the compiler fell over: {type(error).__name__}: {str(error).split(chr(10))[0]}"
            row.detail = "".join(traceback.format_exception(error))

    def refuse(self, seed: int, refusal: Refused) -> None:
        """Note what the compiler refuses of a kernel."""
        row = self.rows[seed]
        if row.outcome != FAILED:
            row.outcome, row.text = REFUSED, refusal.what.split("\n")[0]


def _core_seconds():
    mine, theirs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def sort_of(kernel: RandomKernel) -> str:
    """Return what kind of kernel it is, for counts."""
    return "with a RAM" if kernel.rams else "registers"


def check_kernels(kernels: list[RandomKernel], folder: Path, verilog: float) -> Batch:
    """Compare kernels with g++ and AMD's headers, step by step in XLS's interpreter and a share of them in Verilog."""
    batch = Batch({seed_of(k): Row(seed_of(k), sort_of(k)) for k in kernels})
    rows = {}
    for part, result in halves(
        kernels, lambda part: reference(part, folder_of(folder)), batch, "g++ and the reference"
    ):
        if isinstance(result, Exception):
            batch.fail(seed_of(part[0]), result, part[0].text)
        else:
            rows |= result
    left = [k for k in kernels if k.name in rows]
    steps = lower_batch(left, folder, batch)
    for kernel in left:
        if kernel.name in steps:
            with batch.phase("XLS's interpreter"):
                _interpret(kernel, steps, rows, batch)
    fit = [k for k in left if k.name in steps]
    count = min(len(fit), -(-len(kernels) * verilog // 1))  # rounded up: one alone has its turn
    chosen = [fit[int(i * len(fit) / count)] for i in range(int(count))]
    simulate_batch(chosen, steps, rows, folder, batch)
    return batch


def seed_of(kernel: RandomKernel) -> int:
    """Return the seed of a kernel from its name."""
    return int(kernel.name[1:])


def folder_of(folder: Path) -> Path:
    """Make and return a new folder: the halves of a batch, and what crashed, leave nothing behind for the next."""
    for i in range(1 << 20):
        with contextlib.suppress(FileExistsError):
            made = folder / f"{i}"
            made.mkdir(parents=True)
            return made


def halves(items: list, work: Callable, batch: Batch, phase: str) -> Iterator[tuple[list, object]]:
    """Yield (items, result of `work`) for all of them at once or, where it raises, for the halves that it does work
    for; one that fails alone comes with its exception.
    """
    if not items:
        return
    try:
        with batch.phase(phase):
            result = work(items)
    except Exception as error:
        if len(items) == 1:
            yield items, error
            return
        middle = len(items) // 2
        yield from halves(items[:middle], work, batch, phase)
        yield from halves(items[middle:], work, batch, phase)
        return
    yield items, result


def lower_batch(kernels: list[RandomKernel], folder: Path, batch: Batch, seed: Callable = seed_of) -> dict[str, Step]:
    """Return {name: Step} of those kernels that the compiler takes."""
    steps = {}

    def read(part):
        text = compile_cpp(kernels_source(part), {k.name: k.type for k in part}, directory=folder_of(folder))
        start = _core_seconds()
        module = parse_module(optimise(text))
        taken = _core_seconds() - start
        batch.seconds["LLVM"] = batch.seconds.get("LLVM", 0.0) + taken
        batch.seconds["clang"] = batch.seconds.get("clang", 0.0) - taken
        return module, DebugInfo(module.metadata)

    for part, result in halves(kernels, read, batch, "clang"):
        for kernel in part:
            with batch.phase("lowering"):
                try:
                    if isinstance(result, Exception):
                        raise result
                    steps[kernel.name] = lower_kernel(*result, kernel.name, True)
                except Refused as refusal:
                    batch.refuse(seed(kernel), refusal)
                except Exception as error:
                    batch.fail(seed(kernel), error, kernel.text)
    return steps


def _interpret(kernel, steps, rows, batch):
    try:
        compare_interpreted(kernel, steps[kernel.name], rows[kernel.name])
        batch.rows[seed_of(kernel)].interpreted = True
    except Exception as error:
        del steps[kernel.name]  # nothing more to be learnt from its Verilog
        batch.fail(seed_of(kernel), error, kernel.text)


def simulate_batch(
    kernels: list[RandomKernel], steps: dict[str, Step], rows: dict[str, list], folder: Path, batch: Batch
) -> None:
    """Compare what streams carry in Verilog."""

    files = {}

    def simulate(part):
        names = [k.name for k in part]
        sources = [file for name in names for file in files[name]]
        return run_cases(names, sources, folder_of(folder), CYCLES_PER_STEP * STEPS)

    place = folder_of(folder)
    for kernel in kernels:
        with batch.phase("scheduling"):
            try:
                files[kernel.name] = write_case(kernel, steps[kernel.name], place)
            except Refused as refusal:
                batch.refuse(seed_of(kernel), refusal)
            except Exception as error:
                batch.fail(seed_of(kernel), error, kernel.text)
    for part, result in halves([k for k in kernels if k.name in files], simulate, batch, "Verilator and its run"):
        for kernel in part:
            wrong = result if isinstance(result, Exception) else None
            wrong = wrong or difference(kernel.name, expected_outputs(kernel, rows[kernel.name]), result)
            if wrong:
                batch.fail(seed_of(kernel), wrong, kernel.text)
            else:
                batch.rows[seed_of(kernel)].simulated = True
