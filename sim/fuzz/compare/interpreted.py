"""The first half of the fuzzer: every lowered kernel in XLS's interpreter, step by step against g++ with AMD's
headers.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
from typing import TYPE_CHECKING

from hls.csim.ap_types import ap_types_dir
from hls.open.errors import Refused
from hls.open.read.frontend import LIBRARY
from hls.open.route import lower_source
from sim.fuzz.compare.xls_run import StepFunction
from sim.fuzz.random_kernels import STEPS, RandomKernel, kernels_source, reference_source, stimulus

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step

# g++ takes most of a campaign's time: nothing is made that the reference has no use for, and it collects less garbage.
REFERENCE = ["-std=c++17", "-O0", "-w", "-fno-exceptions", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"]
REFERENCE += ["-fno-stack-protector", "-fcf-protection=none", "--param=ggc-min-expand=1000"]
REFERENCE += ["--param=ggc-min-heapsize=1000000"]


class Mismatch(AssertionError):
    """The route and the reference differ; the message names kernel, step, value and the command that repeats it."""


def reference(
    kernels: list[RandomKernel], directory: str | pathlib.Path, steps: int = STEPS
) -> dict[str, list[list[str]]]:
    """Run the kernels with g++ and AMD's headers; return {kernel name: list of printed rows}."""
    source, program = directory / "reference.cpp", directory / "reference"
    source.write_text(reference_source(kernels, steps))
    command = ["g++", *REFERENCE, f"-I{ap_types_dir()}", f"-I{LIBRARY}", str(source), "-o", str(program)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise Refused(f"g++ refuses the reference: {result.stderr[:2000]}")
    rows = {}
    for line in subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.splitlines():
        name, *values = line.split()
        rows.setdefault(name, []).append(values)
    return rows


def lower(kernels: list[RandomKernel], directory: str | pathlib.Path) -> list[Step]:
    """Return the lowered `Step` of every kernel."""
    steps = lower_source(
        kernels_source(kernels), {k.name: k.type for k in kernels}, directory=directory, keep_unused=True
    )
    return [steps[k.name] for k in kernels]


def compare_interpreted(kernel: RandomKernel, step: Step, rows: list[list[str]]) -> None:
    """Run a lowered kernel in XLS's interpreter and compare every step with the reference's rows."""
    queues = stimulus(kernel, len(rows))
    function = StepFunction(step)
    labels = [f"words left in {v.name}" for v in kernel.inputs] + [v.name for v in kernel.outputs]
    labels += [f"{v.name}[{i}]" if v.count else v.name for v in kernel.members for i in range(v.count or 1)]
    left = [len(q) for q in queues]
    for number, row in enumerate(rows):
        heads = {v.name: q[-n] if n else 0 for v, q, n in zip(kernel.inputs, queues, left)}
        result = function.step(heads)
        if function.broken(result):  # the generators draw nothing undefined
            what = f"kernel {kernel.name}, step {number}: {function.broken(result)[0]}"
            raise Mismatch(f"{what}; again with: {kernel.again}\n{kernel.text}")
        got, expected = [], list(row)
        for i, v in enumerate(kernel.inputs):
            left[i] -= result.read(v.name)
            got.append(str(left[i]))
        for v in kernel.outputs:
            written = result.written(v.name)
            got.append("-" if written is None else f"{written:0{(v.width + 3) // 4}x}")
        for v in kernel.members:
            name = re.sub(r"[.\[\]]+", "_", v.name).strip("_")
            names = [name] if not v.count else [f"{name}_{i}" for i in range(v.count)]
            got += [f"{function.state[n]:0{(v.width + 3) // 4}x}" for n in names]
        if got != expected:
            what = next(i for i, (a, b) in enumerate(zip(got, expected)) if a != b)
            raise Mismatch(
                f"kernel {kernel.name}, step {number}, {labels[what]}: {got[what]} instead of {expected[what]}; "
                f"again with: {kernel.again}\n{kernel.text}"
            )
