"""Differential fuzzing: random step kernels through the route, against g++ with AMD's headers.

`python -m hls.open.fuzz -n 100 --seed 1`. XLS's interpreter runs every lowered kernel step by step; one in ten also
goes through Verilog and Verilator, with random gaps and backpressure.
"""

import subprocess
import time
from pathlib import Path

import click

from hls.open.errors import Refused
from hls.open.random_kernels import (
    kernels_source,
    random_kernel,
    reference_source,
    stimulus,
)
from hls.open.route import lower_source
from hls.open.xls_run import StepFunction
from model.base.errors import report_user_errors
from model.base.paths import BUILD

STEPS = 16


class Mismatch(AssertionError):
    """The route and the reference differ; the message names kernel, step, value and the command that repeats it."""


def reference(kernels, directory, steps=STEPS):
    """Run the kernels with g++ and AMD's headers; return {kernel name: list of printed rows}."""
    from hls.ap_types import ap_types_dir
    source, program = directory / "reference.cpp", directory / "reference"
    source.write_text(reference_source(kernels, steps))
    command = ["g++", "-std=c++17", "-O0", "-w", f"-I{ap_types_dir()}", str(source), "-o", str(program)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise Refused(f"g++ refuses the reference: {result.stderr[:2000]}")
    rows = {}
    for line in subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.splitlines():
        name, *values = line.split()
        rows.setdefault(name, []).append(values)
    return rows


def lower(kernels, directory):
    """Return the lowered `Step` of every kernel."""
    steps = lower_source(kernels_source(kernels), {k.name: k.type for k in kernels}, directory=directory, keep_unused=True)
    return [steps[k.name] for k in kernels]


def compare_interpreted(kernel, step, rows):
    """Run a lowered kernel in XLS's interpreter and compare every step with the reference's rows."""
    queues = stimulus(kernel, len(rows))
    function = StepFunction(step)
    left = [len(q) for q in queues]
    for number, row in enumerate(rows):
        heads = {v.name: q[-n] if n else 0 for v, q, n in zip(kernel.inputs, queues, left)}
        result = function.step(heads)
        got, expected = [], list(row)
        for i, v in enumerate(kernel.inputs):
            left[i] -= result.read(v.name)
            got.append(str(left[i]))
        for v in kernel.outputs:
            written = result.written(v.name)
            got.append("-" if written is None else f"{written:0{(v.width + 3) // 4}x}")
        for v in kernel.members:
            name = v.name.replace(".", "_")
            names = [name] if not v.count else [f"{name}_{i}" for i in range(v.count)]
            got += [f"{function.state[n]:0{(v.width + 3) // 4}x}" for n in names]
        if got != expected:
            what = next(i for i, (a, b) in enumerate(zip(got, expected)) if a != b)
            raise Mismatch(f"kernel {kernel.name}, step {number}, value {what}: {got[what]} instead of {expected[what]}; "
                           f"again with: python -m hls.open.fuzz -n 1 --seed {kernel.name[1:]}\n{kernel.text}")


def fuzz(count, seed, directory=None, batch=50, verilog=0.1, progress=lambda text: None):
    """Compare `count` kernels with seeds from `seed` on; raise `Mismatch` at the first difference.

    Returns
    -------
    dict
        Kernels compared by "interpreted" and "simulated".
    """
    directory = Path(directory or BUILD / "open" / "fuzz")
    done = {"interpreted": 0, "simulated": 0}
    for first in range(seed, seed + count, batch):
        kernels = [random_kernel(s) for s in range(first, min(first + batch, seed + count))]
        folder = directory / f"{first}"
        folder.mkdir(parents=True, exist_ok=True)
        rows = reference(kernels, folder)
        steps = lower(kernels, folder)
        for kernel, step in zip(kernels, steps):
            compare_interpreted(kernel, step, rows[kernel.name])
            done["interpreted"] += 1
        wanted = round((first - seed + len(kernels)) * verilog) - done["simulated"]
        chosen = [i for i, kernel in enumerate(kernels) if not kernel.hazard][:max(0, wanted)]
        if chosen:
            from hls.open.fuzz_verilog import compare_simulated
            done["simulated"] += compare_simulated([(kernels[i], steps[i], rows[kernels[i].name]) for i in chosen], folder)
        progress(f"{done['interpreted']} of {count} kernels, {done['simulated']} of them in Verilog, no difference")
    return done


@click.command()
@click.option("-n", "--count", default=100, show_default=True, help="Number of kernels.")
@click.option("--seed", default=1, show_default=True, help="Seed of the first kernel; the next ones count up.")
@click.option("--batch", default=50, show_default=True, help="Kernels per C++ file.")
@click.option("--verilog", default=0.1, show_default=True, help="Share of the kernels that also run as Verilog.")
@report_user_errors
def main(count, seed, batch, verilog):
    """Compare random kernels between the open route and g++ with AMD's headers."""
    start = time.time()
    done = fuzz(count, seed, batch=batch, verilog=verilog, progress=lambda text: click.echo(text))
    click.echo(f"{done['interpreted']} kernels from seed {seed}: equal step by step in XLS's interpreter, "
               f"{done['simulated']} of them in Verilog too; {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
