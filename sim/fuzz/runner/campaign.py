"""A campaign: many random kernels in several processes, its results kept as they come, each failure in a file."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from model.base.errors import UserError
from model.base.paths import BUILD, atomic_write, make_folder, take_lock
from sim.fuzz.compare.check import FAILED, REFUSED, Batch, Row
from sim.fuzz.kinds import KINDS, kernels_of
from sim.fuzz.runner.record import Done, Record, versions
from sim.fuzz.runner.workers import Work, run_work

FOLDER = BUILD / "open" / "fuzz"


@dataclass
class Campaign:
    """Kernels of some kinds with seeds from `seed` on, compared and recorded in `folder`.

    Parameters
    ----------
    seeds : dict
        Kind -> range of seeds.
    verilog : float
        Share of the step kernels that are also run as Verilog.
    again : bool
        Do again what was done with another compiler or another version of a tool. What another generator drew is
        another kernel and doesn't count at all.
    """

    seeds: dict[str, range]
    verilog: float = 0.1
    again: bool = False
    folder: Path | None = None  # by default FOLDER
    failures: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder or FOLDER)
        self.record = Record(self.folder / "record.jsonl")
        self.version = versions()

    @property
    def total(self) -> int:
        """Kernels of the campaign, done or not."""
        return sum(len(seeds) for seeds in self.seeds.values())

    def left(self) -> dict[str, list[int]]:
        """Return kind -> seeds that are still to be done; what failed before is done again."""
        return {kind: self.record.wanting(kind, seeds, self.version, self.again) for kind, seeds in self.seeds.items()}

    def done(self) -> Iterator[tuple[str, Done]]:
        """Yield (kind, what it came to) of the campaign's kernels that have been tried."""
        for kind, seeds in self.seeds.items():
            for seed in seeds:
                done = self.record.of(kind, seed, self.version)
                if done is not None:
                    yield kind, done

    def work(self) -> Iterator[Work]:
        """Yield what is left in batches, the kinds in turns; those that share types stay together."""
        kinds = []
        for kind, seeds in self.left().items():
            size = KINDS[kind].batch
            parts = itertools.groupby(seeds, key=lambda seed, size=size: seed // size)
            kinds.append([Work(kind, tuple(part), self.verilog) for _, part in parts])
        for works in itertools.zip_longest(*kinds):
            yield from (work for work in works if work is not None)

    def run(
        self,
        jobs: int = 1,
        seconds: float | None = None,
        fail_fast: bool = False,
        progress: Callable[[str, Batch, list[Path]], None] = lambda kind, batch, reports: None,
    ) -> None:
        """Do what is left; `failures` are the reports of what failed.

        Parameters
        ----------
        jobs : int
            Processes.
        seconds : float, optional
            After so long no batch begins; those that run are finished.
        fail_fast : bool
            Stop at the first batch with a failure.
        progress : callable
            Called with kind, batch and its reports as a batch is done.
        """
        end = None if seconds is None else time.monotonic() + seconds
        with self._alone():
            works = run_work(self.work(), jobs, self.folder / "work", lambda: end is None or time.monotonic() < end)
            with contextlib.closing(works):
                for work, batch in works:
                    reports = self.keep(work, batch)
                    progress(work.kind, batch if isinstance(batch, Batch) else Batch(), reports)
                    if reports and fail_fast:
                        return

    def keep(self, work: Work, batch: Batch | str) -> list[Path]:
        """Write a batch's failures to files and the batch to the record; return the files."""
        if isinstance(batch, str):
            source = getattr(KINDS[work.kind].draw(work.seeds[0]), "text", "")
            batch = Batch({work.seeds[0]: Row(work.seeds[0], "?", FAILED, text=batch, source=source)})
        reports = [self._report(work.kind, row) for row in batch.rows.values() if row.outcome == FAILED]
        for row in batch.rows.values():  # of a failure that is none any more
            if row.outcome != FAILED:
                self._report_path(work.kind, row.seed).unlink(missing_ok=True)
        self.record.add(work.kind, batch, self.version)
        self.failures += reports
        return reports

    def counts(self) -> dict[str, Counter]:
        """Return how many kernels of the campaign were equal, refused, failed, not tried, by name of their version."""
        found = {}
        for _, done in self.done():
            counter = found.setdefault(done.version, Counter())
            counter[done.row.outcome] += 1
            counter["simulated"] += done.row.simulated
        return found

    def refusals(self) -> Counter:
        """Return how often what was refused; names and numbers of a kernel are left out."""
        texts = (done.row.text for _, done in self.done() if done.row.outcome == REFUSED)
        return Counter(re.sub(r"\d+", "N", re.sub(r"'[^']*'", "'...'", text)) for text in texts)

    @contextlib.contextmanager
    def _alone(self):
        make_folder(self.folder)
        with open(self.folder / "lock", "a", encoding="ascii") as file:
            if not take_lock(file):
                raise UserError(f"a campaign is already running in {self.folder}; wait for it, or stop it first")
            yield

    def _report_path(self, kind, seed):
        return self.folder / "failures" / (f"{seed}.md" if kind == "any" else f"{kind}-{seed}.md")

    def _report(self, kind, row):
        path = self._report_path(kind, row.seed)
        tools = ", ".join(f"{name} {value}" for name, value in self.version.items())
        text = (
            f"# Seed {row.seed} of kind {kind}\n\n{row.text}\n\n"
            f"Again: `{command(kind, row.seed)}`\n\nWith {tools}.\n\n"
            f"```cpp\n{row.source.rstrip()}\n```\n"
        )
        detail = row.detail.replace(row.source, "").strip() if row.source else row.detail.strip()
        if detail and detail != row.text:
            text += f"\n```\n{detail}\n```\n"
        with atomic_write(path) as temporary:
            temporary.write_text(text)
        return path


def command(kind: str, seed: int) -> str:
    """Return the command that does one seed again, as Verilog too."""
    return f"python -m sim.fuzz -n 1 --seed {seed} --kind {kind} --verilog 1 --again"


def campaign(total: int, first: int, kind: str | None = None, **options: object) -> Campaign:
    """Return the campaign of `total` kernels from seed `first` on, of one kind or of all."""
    counts = kernels_of(total, kind)
    return Campaign({name: range(first, first + count) for name, count in counts.items() if count}, **options)
