"""The Verilog half of the fuzzer: pipelines with their RAMs and FIFOs under random gaps and backpressure."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import pathlib
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.pipeline.netlist import write_stage
from hls.open.pipeline.timing import Timing
from hls.open.pipeline.verilog import generate
from hls.open.verilator import build_bench, run_bench
from model.base.paths import BUILD
from sim.fuzz.random_kernels import STEPS, RandomKernel, stimulus

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step

CYCLES_PER_STEP = 40
BENCH = """
module {name}_bench (input wire clk, input wire rst);
    reg [31:0] random = 32'd{seed};
    always_ff @(posedge clk) random <= {{random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]}};
{streams}
    {name}_stage dut (.clk(clk), .rst(rst){pins});
endmodule
"""
# The head of the queue stays valid once offered, as AXI wants it.
INPUT = """
    reg [{high}:0] {s}_values [0:{count}-1];
    integer {s}_at = 0;
    reg {s}_offer = 0;
    wire {s}_ready;
    initial $readmemh("{folder}/{name}_{s}.hex", {s}_values);
    always_ff @(posedge clk) if (!rst) begin
        if ({s}_offer && {s}_ready) {s}_at <= {s}_at + 1;
        {s}_offer <= ({s}_offer && !{s}_ready) || (random[{bit}] && {s}_at + ({s}_offer && {s}_ready ? 1 : 0) < {count});
    end
"""
OUTPUT = """
    wire [{high}:0] {s}_data;
    wire {s}_valid;
    reg {s}_take = 0;
    always_ff @(posedge clk) begin
        {s}_take <= random[{bit}] | random[{other}];
        if (!rst && {s}_valid && {s}_take) $display("{name} {s} %h", {s}_data);
    end
"""


def bench(kernel: RandomKernel, used: list[str], seed: int, folder: pathlib.Path) -> str:
    """Return a SystemVerilog bench that feeds a stage with ports `used` from files in `folder` and prints what
    comes out.
    """
    streams, pins = [], ""
    count = STEPS
    for i, v in enumerate(v for v in kernel.inputs if v.name in used):
        streams.append(
            INPUT.format(name=kernel.name, folder=folder, s=v.name, high=v.width - 1, count=count, bit=(3 + 5 * i) % 32)
        )
        pins += (
            f", .{v.name}_data({v.name}_values[{v.name}_at[3:0]]), .{v.name}_valid({v.name}_offer), "
            f".{v.name}_ready({v.name}_ready)"
        )
    for i, v in enumerate(v for v in kernel.outputs if v.name in used):
        streams.append(
            OUTPUT.format(name=kernel.name, s=v.name, high=v.width - 1, bit=(7 + 5 * i) % 32, other=(20 + i) % 32)
        )
        pins += f", .{v.name}_data({v.name}_data), .{v.name}_valid({v.name}_valid), .{v.name}_ready({v.name}_take)"
    return BENCH.format(name=kernel.name, seed=seed, streams="".join(streams), pins=pins)


def expected_outputs(kernel: RandomKernel, rows: list[list[str]]) -> dict[str, list[str]]:
    """Return {stream: values written, in order} of the reference's rows."""
    first = len(kernel.inputs)
    return {v.name: [row[first + i] for row in rows if row[first + i] != "-"] for i, v in enumerate(kernel.outputs)}


def write_case(kernel: RandomKernel, step: Step, folder: pathlib.Path) -> list[pathlib.Path]:
    """Write a kernel's stage, its stimulus and its bench; return the files that Verilator needs.

    Raises
    ------
    Refused
        If the kernel can't run one step per cycle, as those whose reads depend on RAM data.
    """
    files = write_stage(generate(step, Timing(budget_ps=kernel.budget_ps)), folder)
    return [*files, write_bench(kernel, [p.name for p in step.ports], folder)]


def write_bench(kernel: RandomKernel, used: list[str], folder: pathlib.Path) -> pathlib.Path:
    """Write stimulus and bench of a module `<name>_stage` with streams as a kernel's, of which `used` are its ports."""
    for v, values in zip(kernel.inputs, stimulus(kernel, STEPS)):
        (folder / f"{kernel.name}_{v.name}.hex").write_text("\n".join(f"{x:x}" for x in values) + "\n")
    text = folder / f"{kernel.name}_bench.sv"
    text.write_text(bench(kernel, used, int(kernel.name[1:]) + 1, folder))
    return text


def run_cases(names: list[str], files: list[pathlib.Path], folder: pathlib.Path, cycles: int) -> dict:
    """Run the benches of `names` in one simulation; return {(name, stream): words that came out}."""
    top = folder / "fuzz_bench.sv"
    top.write_text(
        "module fuzz_bench (input wire clk, input wire rst);\n"
        + "".join(f"    {n}_bench {n}_i (.clk(clk), .rst(rst));\n" for n in names)
        + "endmodule\n"
    )
    sources = list(dict.fromkeys([*files, top]))
    got = {}
    for line in run_bench(sources, "fuzz_bench", folder, cycles, runtime=runtime_folder()).splitlines():
        fields = line.split()
        if len(fields) == 3:
            got.setdefault((fields[0], fields[1]), []).append(fields[2])
    return got


def runtime_folder() -> pathlib.Path:
    """Where Verilator's own objects of this version and these options are kept."""
    recipe = repr((importlib.metadata.version("verilator"), inspect.getsource(build_bench)))
    return BUILD / "open" / f"verilated-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"


def difference(name: str, expected: dict[str, list[str]], got: dict) -> str | None:
    """Return the first difference between what came out and the beginning of it that is known, as a sentence."""
    for stream, values in expected.items():
        seen = got.get((name, stream), [])[: len(values)]
        if seen != values:
            first = next((i for i, (a, b) in enumerate(zip(seen, values)) if a != b), len(seen))
            return (
                f"Verilog of {name}, stream {stream}, word {first}: "
                f"{seen[first] if first < len(seen) else 'nothing'} instead of {values[first]} ({len(values)} words)"
            )
    return None


def compare_simulated(cases: list[tuple[RandomKernel, Step, list[list]]], folder: pathlib.Path) -> int:
    """Simulate lowered kernels and compare what their streams carry.

    A kernel that never reads goes on for ever, so the reference's values must be the beginning of what comes out;
    one that reads may go on after the last compared step.

    Parameters
    ----------
    cases : list of (RandomKernel, Step, rows of the reference)

    Returns
    -------
    int
        Kernels simulated. Left out are those whose reads depend on RAM data, or whose words to a RAM take too long to
        be computed from what was read there: they can't run one step per cycle.
    """
    from sim.fuzz.compare.interpreted import Mismatch

    files, kept = [], []
    for kernel, step, rows in cases:
        try:
            files += write_case(kernel, step, folder)
        except Refused as refusal:
            if "RAM" in refusal.what or ".independent()" in refusal.what:
                continue
            raise
        kept.append((kernel, rows))
    if not kept:
        return 0
    got = run_cases([kernel.name for kernel, _ in kept], files, folder, CYCLES_PER_STEP * STEPS)
    for kernel, rows in kept:
        wrong = difference(kernel.name, expected_outputs(kernel, rows), got)
        if wrong:
            raise Mismatch(f"{wrong}; again with: {kernel.again} --verilog 1\n{kernel.text}")
    return len(kept)
