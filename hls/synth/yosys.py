"""Yosys (the pyosys wheel) as a subprocess, and a cache of what the slow open tools found out.

Results lie in `build/synth/<name>-<hash>/`: the script, the tool's log and `result.json`. The hash covers the text of
all files that go in, the script and the tools' versions, so that an unchanged stage is never run again.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from hls.open.pipeline.netlist import library_of
from hls.open.resources import RUNNER
from model.base.cache import built, digest
from model.base.paths import BUILD
from model.base.tools import run_tool

if TYPE_CHECKING:
    from hls.generate.verilog import Rtl


def stage_files(rtl: Rtl, name: str) -> tuple[pathlib.Path, ...]:
    """Return the files of one stage of a built design: its pipeline, its RAMs and FIFOs, and the library they need.

    Parameters
    ----------
    rtl : hls.generate.verilog.Rtl
    name : str
        A key of `rtl.stages`.
    """
    stage = f"{name}_stage.sv"
    library = library_of((rtl.folder / stage).read_text())
    return tuple(rtl.folder / file for file in (*library, f"{name}.sv", stage))


def run_yosys(commands: list[str], folder: pathlib.Path, complaint: str) -> None:
    """Run Yosys commands in a process of its own, in `folder`, where `script.ys` and `yosys.log` stay.

    Parameters
    ----------
    commands : list of str
    folder : pathlib.Path
    complaint : str
        Begins the error message if Yosys fails.
    """
    (folder / "script.ys").write_text("\n".join(commands) + "\n")
    run_tool([sys.executable, "-c", RUNNER, "script.ys"], folder, "yosys.log", complaint)


def cached(name: str, files: Sequence[pathlib.Path], recipe: object, make: Callable) -> tuple[pathlib.Path, object]:
    """Return a folder in which `make(folder)` was called and its result, or those of the same name, files and recipe.

    Parameters
    ----------
    name : str
        Begins the name of the folder.
    files : sequence of path-like
        Their names and contents decide.
    recipe : object
        Whatever else decides: scripts, options, versions; its `repr` is hashed.
    make : callable
        Takes a folder to work in, returns a JSON value.

    Returns
    -------
    folder : pathlib.Path
    result : object
    """

    def work(folder):
        started = time.monotonic()
        result = {"result": make(folder), "seconds": round(time.monotonic() - started, 1)}
        (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")

    folder = built(BUILD / "synth" / f"{name}-{digest((name, recipe), files)}", work)
    return folder, json.loads((folder / "result.json").read_text())["result"]


def side_by_side(
    tasks: dict[str, Callable], what: str, jobs: int | None = None, progress: bool = False, tell: Callable | None = None
) -> dict:
    """Run tasks on the available cores; return their results by name.

    Parameters
    ----------
    tasks : dict
        Name -> callable without arguments. They start in this order.
    what : str
        Title of the progress bar.
    jobs : int, optional
        How many at once; as many as cores by default.
    progress : bool
    tell : callable, optional
        Called with name and result as soon as a task is done; what it returns is shown above the bar.
    """
    jobs = jobs or len(os.sched_getaffinity(0))
    results = {}
    with (
        concurrent.futures.ThreadPoolExecutor(jobs) as pool,
        tqdm(total=len(tasks), desc=what, unit="stage", disable=not progress, dynamic_ncols=True) as bar,
    ):
        left = {pool.submit(task): name for name, task in tasks.items()}
        try:
            while left:
                bar.set_postfix_str(
                    ", ".join(list(left.values())[:jobs]), refresh=sys.stderr.isatty()
                )  # what runs; ticks once a second
                for future in concurrent.futures.wait(left, 1, concurrent.futures.FIRST_COMPLETED).done:
                    name = left.pop(future)
                    results[name] = future.result()
                    if tell and progress:
                        bar.write(tell(name, results[name]))
                    bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {name: results[name] for name in tasks}
