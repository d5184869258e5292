"""Verilog with assertions -> a transition system in SMT-LIB, by Yosys (the pyosys wheel)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.pipeline.claims import LOOK
from hls.open.prove.bench import TOP

if TYPE_CHECKING:
    from hls.open.prove.bench import Bench

# In a process of its own: Yosys prints to file descriptor 1, and keeps what it has read.
RUNNER = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"
SCRIPT = (
    'logger -werror "implicitly declared"',
    "read_verilog -sv -formal -D SYNTHESIS {files}",
    f"hierarchy -check -top {TOP}",
    "proc",
    "memory_collect",
    "memory_map",  # a register per word, which an invariant can name
    "flatten",
    "{connections}",
    "opt_expr",  # not opt_dff: a register that nothing writes would become undefined anew in every cycle
    "opt_merge",
    "opt_clean",
    "setundef -anyseq",  # what Verilog leaves undefined may be anything, also another value in every cycle
    "async2sync",
    "dffunmap",
    "opt_clean",
    "write_smt2 -wires {out}",
)


def need(*modules: str) -> None:
    """Refuse with one sentence if a package that proofs need is missing."""
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    if missing:
        names = {"z3": "z3-solver"}
        raise Refused(f"proofs need {' and '.join(names.get(m, m) for m in missing)}; run `make setup`")


def transition_text(bench: Bench) -> str:
    """Return the SMT-LIB text of a bench's wrapper, with the design inside.

    Raises
    ------
    Refused
        If pyosys is missing, or Yosys does not take the Verilog.
    """
    need("pyosys")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = [*bench.sources, bench.text()]
        for i, text in enumerate(texts):
            (folder / f"{i}.sv").write_text(text)
        files = " ".join(f"{i}.sv" for i in range(len(texts)))
        connections = [f"connect -nounset -set \\{LOOK}{path} \\{path}" for path in bench.looks]
        script = "".join(f"{line}\n" for line in SCRIPT)
        (folder / "script.ys").write_text(
            script.format(files=files, out="out.smt2", connections="\n".join([f"cd {TOP}", *connections, "cd .."]))
        )
        run = subprocess.run(
            [sys.executable, "-c", RUNNER, "script.ys"], cwd=folder, capture_output=True, text=True, check=False
        )
        out = folder / "out.smt2"
        if run.returncode or not out.exists():
            said = [line for line in (run.stderr + run.stdout).splitlines() if "ERROR" in line]
            raise Refused(f"Yosys does not take {bench.module} {bench.parameters}: {(said or ['no reason given'])[0]}")
        return out.read_text()
