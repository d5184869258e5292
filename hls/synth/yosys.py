"""Yosys (the pyosys wheel) as a subprocess, and a cache of what the slow open tools found out.

Results lie in `build/synth/<name>-<hash>/`: the script, the tool's log and `result.json`. The hash covers the text of
all files that go in, the script and the tools' versions, so that an unchanged stage is never run again.
"""

import concurrent.futures
import hashlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from tqdm import tqdm

from hls.open.pipeline.netlist import LIBRARY
from model.base.errors import UserError
from model.base.paths import BUILD, build_lock, make_folder

# pyosys is a library; a process of its own keeps its memory and its errors apart, and lets stages run side by side.
RUNNER = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"
WASM_CACHE = BUILD / "yowasp"     # nextpnr is WebAssembly, compiled at its first use


def tool_version(package):
    """Return "<package> <version>" of an installed tool.

    Raises
    ------
    UserError
        If it is not installed.
    """
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"the package {package} is not installed; run `make setup`") from error


def stage_files(rtl, name):
    """Return the files of one stage of a built design: its pipeline, its RAMs and FIFOs, and the library they need.

    Parameters
    ----------
    rtl : hls.generate.verilog.Rtl
    name : str
        A key of `rtl.stages`.
    """
    return tuple(rtl.folder / file for file in (*LIBRARY, f"{name}.sv", f"{name}_stage.sv"))


def run_tool(command, folder, log, complaint):
    """Run a tool in `folder` and keep what it says there in `log`; raise `UserError` with its first error if it fails."""
    log = folder / log
    environment = os.environ | {"YOWASP_CACHE_DIR": str(WASM_CACHE)}
    with open(log, "w", encoding="utf-8") as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder, env=environment).returncode
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = f"ended by signal {-code}" if code < 0 else lines[-1] if lines else f"exit code {code}"
        wrong = next((line for line in lines if "ERROR" in line), last)
        raise UserError(f"{complaint}: {wrong.strip()}; the whole log is {log}")


def run_yosys(commands, folder, complaint):
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


def cached(name, files, recipe, make):
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
        Takes a folder to work in, returns a JSON value. If it fails, the folder is kept for its logs, as
        `failed-<name>`.

    Returns
    -------
    folder : pathlib.Path
    result : object
    """
    digest = hashlib.sha256(repr((name, recipe)).encode())
    for path in map(pathlib.Path, files):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    folder = BUILD / "synth" / f"{name}-{digest.hexdigest()[:12]}"
    with build_lock(folder.name):
        if not (folder / "result.json").is_file():
            temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{name}-", dir=make_folder(folder.parent)))
            try:
                started = time.monotonic()
                result = {"result": make(temporary), "seconds": round(time.monotonic() - started, 1)}
                (temporary / "result.json").write_text(json.dumps(result, indent=1) + "\n")
                shutil.rmtree(folder, ignore_errors=True)
                temporary.chmod(0o755)
                temporary.rename(folder)
                shutil.rmtree(folder.parent / f"failed-{name}", ignore_errors=True)
            except UserError as error:
                failed = folder.parent / f"failed-{name}"
                shutil.rmtree(failed, ignore_errors=True)
                temporary.rename(failed)
                raise UserError(str(error).replace(str(temporary), str(failed))) from error
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return folder, json.loads((folder / "result.json").read_text())["result"]


def side_by_side(tasks, what, jobs=None, progress=False, tell=None):
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
    with (concurrent.futures.ThreadPoolExecutor(jobs) as pool,
          tqdm(total=len(tasks), desc=what, unit="stage", disable=not progress, dynamic_ncols=True) as bar):
        left = {pool.submit(task): name for name, task in tasks.items()}
        try:
            while left:
                bar.set_postfix_str(", ".join(list(left.values())[:jobs]), refresh=sys.stderr.isatty())    # what runs; ticks once a second
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
