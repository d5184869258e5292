"""Tests that must fail do fail: `make mutation` puts mistakes into the kernels, one at a time, and sees who notices.

Each mistake of mutations.toml is made in a copy of the project, in which the project's own commands run as they are:
csim first, then the cycle model, then the Verilog, until one fails. One that nobody notices is a hole in the tests.
What was judged stays in `build/mutation/` under the sources' digest: a run that was stopped goes on there.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence

from model.base.cache import digest
from model.base.errors import UserError
from model.base.paths import BUILD, ROOT, atomic_write, make_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = pathlib.Path(__file__).resolve().parent / "mutations.toml"
COPIED = ("hls", "host", "model", "sim", "tests", "conftest.py", "pyproject.toml")
PYTEST = ["-m", "pytest", "-q", "-x", "--tb=short", "-p", "no:cacheprovider"]
DMA = "dma"  # the only check of the DMA's kernels, which the others don't use
# In this order, from fast to slow. What only changes the timing passes csim.
CHECKS = {
    "csim": ["-m", "hls.csim", "--types", "native"],
    "wide": ["-m", "hls.csim", "--types", "native", "--board", "kv260"],  # more PEs than a position has steps
    "kinds": [
        *["-m", "hls.csim", "--types", "native", "--network", "tests/descriptions/all_kinds.toml"],
        *["--board", "tests/descriptions/small_board.toml", "--upscale", "3"],
    ],
    "cycles": [*PYTEST, "tests/hls/test_spec.py", "-k", "pynq_z2-40 or never_lock"],
    "rtl": [*PYTEST, "sim/test_frame.py", "-k", "test_picture or test_packets or test_cycles"],
    "kinds_rtl": [*PYTEST, "sim/test_video.py", "-k", "test_top_of_the_graph"],
    DMA: [*PYTEST, "sim/test_dma.py", "-k", "not pynq"],
}
SLACK = 5  # a command may take this much longer than on the right kernels, and
SECONDS_AT_LEAST = 40  # this long in any case, before it counts as hanging
FAILED = 1  # exit code of a check that found something; any other is no verdict
NO_VERDICT = re.compile(
    r"^E +\S*(Refused: |UserError: .*refuses the simulation)", re.M
)  # the route or Verilator didn't get that far
HOLE = "nobody"


@dataclasses.dataclass(frozen=True)
class Mutation:
    """A mistake: in `file` the text `old`, which occurs once, becomes `new`.

    With `rtl` the Verilog has to notice, too: of SRCNN, or with `kinds` of a network that has all other kinds. One in
    the DMA's kernels is for the DMA's tests, which are of its Verilog.
    """

    name: str
    what: str
    file: str
    old: str
    new: str
    rtl: bool = False
    kinds: bool = False

    def checks(self, names: Iterable[str]) -> list[str]:
        """Return those of some checks that use what is mutated."""
        return [name for name in names if (name == DMA) == self.file.startswith("hls/dma/")]


class Unusable(UserError):
    """A mutation or a project that says nothing about the tests."""


def load_mutations(path: pathlib.Path = TABLE) -> list[Mutation]:
    """Return the mutations of a table, each checked against the sources.

    Raises
    ------
    Unusable
        If a text does not occur exactly once, or two mutations share a name.
    """
    with open(path, "rb") as file:
        mutations = [Mutation(**entry) for entry in tomllib.load(file)["mutation"]]
    names = [mutation.name for mutation in mutations]
    for mutation in mutations:
        if names.count(mutation.name) > 1:
            raise Unusable(f"two mutations are called {mutation.name}; rename one in {path}")
        mutated(mutation, ROOT)
    return mutations


def mutated(mutation: Mutation, folder: pathlib.Path) -> str:
    """Return the text of the mutation's file in `folder`, with the mistake."""
    path = folder / mutation.file
    text = path.read_text() if path.is_file() else ""
    count = text.count(mutation.old)
    if count != 1 or mutation.old == mutation.new:
        raise Unusable(
            f"mutation {mutation.name}: its text occurs {count} times in {mutation.file}, not once; update {TABLE.name}"
        )
    return text.replace(mutation.old, mutation.new)


def copy_project(source: pathlib.Path, folder: pathlib.Path) -> None:
    """Copy what the checks need; the build folder is the copy's own, but for clang's cache."""
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, folder / name)
    (BUILD / "zig").mkdir(parents=True, exist_ok=True)
    (folder / "build").mkdir()
    (folder / "build" / "zig").symlink_to(BUILD / "zig")


def run_check(name: str, project: pathlib.Path, limit: float) -> str:
    """Run one of `CHECKS` in a copy of the project.

    Returns
    -------
    str
        The first line of what it complained about; empty if it passed.
    """
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("SRCNN_BUILD", "PYTHONPATH") and not key.startswith("PYTEST")
    }
    process = subprocess.Popen(
        [sys.executable, *CHECKS[name]],
        cwd=project,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output = process.communicate(timeout=limit)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # compilers and test benches of this command, too
        process.communicate()
        return f"no end within {limit:.0f} s"
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    complaint = _first_line(output)
    if process.returncode not in (0, FAILED) or (process.returncode and NO_VERDICT.search(output)):
        raise Unusable(f"{name} gave no verdict but exit code {process.returncode}: {complaint}")
    return complaint if process.returncode else ""


def _first_line(output):
    """Return what a test said when it failed, on one line."""
    found = re.search(r"^(?:FAIL |E +(?:\S*(?:Error|Mismatch|Exception): )?|error: )(.+)$", output, re.M)
    lines = output.strip().splitlines()
    return found.group(1).strip() if found else lines[-1] if lines else "no message"


def judge(mutation: Mutation, source: pathlib.Path, limits: dict[str, float]) -> dict:
    """Make a mistake in a copy of `source` and run the checks of `limits` until one fails; with `rtl`, that one in any
    case.

    Returns
    -------
    dict
        A row of mutation.json: name, what, file, caught_by, how, rtl (what the Verilog's tests said, if asked),
        seconds.
    """
    begin = time.monotonic()
    caught, how, rtl = HOLE, "", None
    asked = mutation.rtl and ("kinds_rtl" if mutation.kinds else "rtl")
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        project = pathlib.Path(folder)
        copy_project(source, project)
        (project / mutation.file).write_text(mutated(mutation, source))
        for check in mutation.checks(limits):
            if caught != HOLE and check != asked:
                continue
            try:
                complaint = run_check(check, project, limits[check])
            except Unusable as error:
                raise Unusable(f"mutation {mutation.name}: {error}") from error
            if check == asked:
                rtl = complaint
            if complaint and caught == HOLE:
                caught, how = check, complaint
    if mutation.rtl and rtl == "":
        caught = HOLE
        how = f"not in the Verilog; elsewhere: {how}"
    return {
        "name": mutation.name,
        "what": mutation.what,
        "file": mutation.file,
        "caught_by": caught,
        "how": how,
        "rtl": rtl,
        "seconds": round(time.monotonic() - begin, 1),
    }


def calibrate(source: pathlib.Path, checks: Sequence[str]) -> dict[str, float]:
    """Run checks on the right kernels, which have to pass; return how many seconds each may take on wrong ones."""
    limits = {}
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        project = pathlib.Path(folder)
        copy_project(source, project)
        for check in checks:
            begin = time.monotonic()
            complaint = run_check(check, project, 3600)
            if complaint:
                raise Unusable(f"{check} fails without any mutation ({complaint}); mend that first")
            limits[check] = SECONDS_AT_LEAST + SLACK * (time.monotonic() - begin)
    return limits


def run_mutations(
    mutations: list[Mutation],
    jobs: int = 1,
    checks: Sequence[str] = tuple(CHECKS),
    progress: Callable = lambda row: None,
) -> list[dict]:
    """Judge mutations, several at a time.

    Parameters
    ----------
    mutations : list of Mutation
    jobs : int
    checks : sequence of str
        Of `CHECKS`, in their order; each runs once on the right kernels first.
    progress : callable, optional
        Called with each row as it comes.

    Returns
    -------
    list of dict
        In the order of `mutations`; those that were noticed by an earlier run on the same sources are not judged again.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="mutation-") as folder:
        source = pathlib.Path(folder) / "source"  # the tree may change meanwhile: all see the same
        source.mkdir()
        copy_project(ROOT, source)
        kept = make_folder(BUILD / "mutation" / digest(tuple(checks), _files(source), source))
        rows = {
            name: row for name in (mutation.name for mutation in mutations) if (row := _read(kept / f"{name}.json"))
        }
        for row in rows.values():
            progress(row)
        left = [mutation for mutation in mutations if mutation.name not in rows]
        needed = {check for mutation in left for check in mutation.checks(checks)}
        limits = calibrate(source, [check for check in checks if check in needed])
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            pending = [pool.submit(judge, mutation, source, limits) for mutation in left]
            try:
                for done in concurrent.futures.as_completed(pending):
                    row = done.result()
                    rows[row["name"]] = row
                    if row["caught_by"] != HOLE:
                        with atomic_write(kept / f"{row['name']}.json") as temporary:
                            temporary.write_text(json.dumps(row))
                    progress(row)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return [rows[mutation.name] for mutation in mutations]


def _files(source):
    """Return the files of a copy that decide, in a fixed order."""
    build = source / "build"
    return sorted(path for path in source.rglob("*") if path.is_file() and build not in path.parents)


def _read(path):
    """Return a row that an earlier run left, or None."""
    return json.loads(path.read_text()) if path.is_file() else None
