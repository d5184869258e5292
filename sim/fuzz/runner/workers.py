"""Batches in processes of their own: one that dies or doesn't end takes nothing with it but its batch."""

from __future__ import annotations

import collections
import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sim.fuzz.kinds import KINDS

if TYPE_CHECKING:
    from sim.fuzz.compare.check import Batch

SECONDS_PER_BATCH, SECONDS_PER_KERNEL = 120, 8  # of one core; no process of a batch takes nearly as long


@dataclass(frozen=True)
class Work:
    """A batch: a kind of kernel, its seeds, and the share of them in Verilog."""

    kind: str
    seeds: tuple[int, ...]
    verilog: float

    def halves(self) -> list[Work]:
        """Return the work in two parts."""
        middle = len(self.seeds) // 2
        return [Work(self.kind, part, self.verilog) for part in (self.seeds[:middle], self.seeds[middle:])]


def limit(work: Work) -> int:
    """Return after how many core seconds a process of a batch has certainly lost its way."""
    return SECONDS_PER_BATCH + SECONDS_PER_KERNEL * len(work.seeds)


def run_work(
    todo: Iterable[Work], jobs: int, folder: Path, may_begin: Callable[[], bool] = lambda: True
) -> Iterator[tuple[Work, Batch | str]]:
    """Yield (work, its batch) as batches end, `jobs` at a time.

    What kills a process is looked for: its batch is done again in halves, and a seed that does it alone comes with a
    sentence instead of a batch. When the generator is closed, or interrupted, what runs is killed.

    Parameters
    ----------
    todo : iterable of Work
    jobs : int
    folder : pathlib.Path
        For the files of a batch while it runs.
    may_begin : callable
        Asked before each batch; once it says no, only what runs is waited for.
    """
    waiting, running = collections.deque(), {}
    todo = iter(todo)
    try:
        while True:
            while len(running) < jobs and may_begin():
                work = waiting.popleft() if waiting else next(todo, None)
                if work is None:
                    break
                process, results = _begin(work, folder)
                running[results] = (process, work)
            if not running:
                return
            for results in multiprocessing.connection.wait(list(running)):
                process, work = running.pop(results)
                batch = _end(process, results, folder)
                if not isinstance(batch, str) or len(work.seeds) == 1:
                    yield work, batch
                else:
                    waiting.extend(work.halves())
    finally:
        for process, _ in running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.join()
            shutil.rmtree(folder / str(process.pid), ignore_errors=True)


def _begin(work, folder):
    context = multiprocessing.get_context("fork")  # spawned ones would import everything again for every batch
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, folder, send, os.getpid()), daemon=False)
    process.start()
    with contextlib.suppress(OSError):
        os.setpgid(process.pid, process.pid)  # here and there, whichever comes first
    send.close()
    return process, receive


def _end(process, results, folder):
    """Return what a process sent, or how it ended without."""
    try:
        batch = results.recv()
    except EOFError:
        batch = None
    process.join()
    results.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # compilers it left behind
    shutil.rmtree(folder / str(process.pid), ignore_errors=True)
    if batch is not None:
        return batch
    if process.exitcode == -signal.SIGXCPU:
        return "the compiler doesn't end"
    how = signal.Signals(-process.exitcode).name if process.exitcode < 0 else f"exit code {process.exitcode}"
    return f"the compiler took its process down: {how}"


def _work(work, folder, send, parent):
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)  # Ctrl-C is the parent's; it ends its children
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # Linux: with the parent, however that ends
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CPU, (limit(work), limit(work) + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = KINDS[work.kind]
    place = folder / str(os.getpid())
    start = time.process_time()
    kernels = [kind.draw(seed) for seed in work.seeds]
    drawn = time.process_time() - start
    batch = kind.check(kernels, place, work.verilog)
    batch.seconds["drawing"] = drawn
    send.send(batch)
    send.close()
