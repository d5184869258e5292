"""The check of a dataflow: all of its C++ processes against its Verilog, with gaps, backpressure and resets."""

from __future__ import annotations

import concurrent.futures
import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from hls.open.check.bench import Device, Port, counter
from hls.open.check.cocotb_bench import write_cocotb
from hls.open.check.compare import Difference, ended, same_words
from hls.open.check.reference import ALLOCATE, HEAD, Compiler, crash, transfer
from hls.open.check.simulate import Simulation, Stopped, Stretch
from hls.open.check.stimulus import random_words, write_words
from hls.open.pipeline.netlist import BEYOND, fifo_words
from hls.open.pipeline.verilog import GO

if TYPE_CHECKING:
    from hls.open.lower.top import Top
    from hls.open.pipeline.netlist import Joined
    from hls.open.read.layout import Layout

CYCLES_PER_WORD = 400  # at most, with all gaps
STEPS_PER_WORD = 50  # of all processes together, where a dataflow never comes to an end
PROGRAM = """
namespace of_top {{
#line 1 "{quoted}"
using top_t = decltype(&{function});
{words}
{ports}
static long taken[{count}];
static void print_ports(FILE* out) {{
{print}}}
}}
int main(int count, char** arguments) {{
    using namespace of_top;
    if (count != 4) return 3;
    FILE *epochs = fopen(arguments[2], "r"), *out = fopen(arguments[3], "w");
    if (!epochs || !out) return 3;
    char path[4096];
{load}    {function}({names});
    run_epochs(epochs, out, print_ports);
    return fclose(out) ? 3 : 0;
}}
"""


@dataclass
class Plan:
    """What to check; see `kernels.Plan`.

    Attributes
    ----------
    source, function : str
        C++ text, and the function in it.
    top : Top
    stages : dict
        Process -> Stage.
    joined : Joined
    files : list of str
        Its Verilog, in `folder`.
    """

    source: str
    function: str
    top: Top
    stages: dict
    joined: Joined
    files: list
    folder: Path
    work: Path
    include: Sequence = ()
    compiler: Compiler | None = None
    words: dict | None = None  # input -> words, instead of random ones
    steps: int = 1000
    seed: int = 1
    resets: int = 8
    wave: Path | None = None


@dataclass
class Epoch:
    """What the C++ did between two resets.

    `steps` of each process; `taken` words of each input, `words` of each output by its number among the ports; `more`
    are the processes that could have gone on at the end.
    """

    steps: list
    taken: dict = field(default_factory=dict)
    words: dict = field(default_factory=dict)
    more: list = field(default_factory=list)


def ends_of(top: Top) -> dict[str, tuple[str, int, Layout]]:
    """Return {port of the top: (direction, bits, layout of its words)}."""
    found = {}
    for process in top.processes:
        step = top.steps[process.kernel]
        for name, stream in zip(step.streams, process.streams):
            port = step.port(name, "in") or step.port(name, "out")
            if stream in top.ports:
                found[stream] = port.direction, port.width, step.words[name]
    return {stream: found[stream] for stream in top.ports}


def check_top(plan: Plan, tell: Callable[[str], None]) -> None:
    """Check a dataflow; `tell` gets a line for each comparison that held.

    Raises
    ------
    Difference
        At the first difference, or where the Verilog comes to a standstill that the C++ doesn't.
    """
    top, what = plan.top, plan.compiler.what
    ends = ends_of(top)
    rng = random.Random(f"{plan.seed} {top.name}")
    words = plan.words or {s: random_words(t, plan.steps, rng) for s, (d, _, t) in ends.items() if d == "in"}
    write_words(plan.work, top.name, words)
    write_words(plan.folder, top.name, words)
    dut = _device(plan, ends, words)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        compiling = pool.submit(plan.compiler.program, _program(plan, ends), plan.include, plan.work)
        files = [plan.folder / file for file in plan.files]
        simulation = Simulation([dut], files, plan.work, plan.seed, plan.wave.suffix if plan.wave else "")
        program = compiling.result()
    most = STEPS_PER_WORD * plan.steps
    (plain,) = _reference(plan, program, [[(most, [0] * len(c.writes)) for c in dut.counters]], dut)
    outputs = {p.name: plain.words.get(i, []) for i, p in enumerate(dut.ports) if p.direction == "out"}
    if not plain.more and any(s < most for s in plain.steps):
        write_cocotb(plan.folder, top.name, top.name, plan.files, dut.ports, outputs)
    for resets in dict.fromkeys((0, plan.resets)):
        stretches = _simulate(plan, simulation, resets, None if resets else plan.wave)
        try:
            ended(top.name, stretches)
            epochs = _reference(plan, program, [list(zip(s.begun, s.written)) for s in stretches], dut)
            _same(plan, dut, epochs, stretches)
        except Difference:
            if resets and plan.wave:
                _simulate(plan, simulation, resets, plan.wave)
            raise
        steps, out = sum(sum(s.begun) for s in stretches), sum(len(w) for s in stretches for w in s.words.values())
        tell(
            f"{top.name}: {what} = Verilog, {len(top.processes)} processes, {steps} steps, {out} words out, "
            + (f"{len(stretches) - 1} resets, " if resets else "")
            + "random gaps and backpressure"
        )


def _device(plan, ends, words):
    top = plan.top
    ports = tuple(Port(s, d, bits, len(words.get(s, ())), f"{top.name}_{s}.hex") for s, (d, bits, _) in ends.items())
    counters, latency, status = [], 0, []
    for process in top.processes:
        stage, instance = plan.stages[process.name], plan.joined.instances[process.name]
        counters.append(counter(stage, instance))
        depths = {stream: depth for stream, depth in zip(process.streams, _depths(top, process)) if depth}
        latency += stage.depth + fifo_words(stage, "", {"": max([BEYOND, *depths.values()])})
        status.append((f"process:{process.name}", f"{instance}.pipeline.{stage.signals[GO, '', 'valid']}"))
    for stream, wires in plan.joined.wires.items():
        if stream not in top.ports:
            status.append((f"stream:{stream}", wires[1]))
    return Device(top.name, top.name, ports, tuple(counters), latency, tuple(status))


def _depths(top, process):
    return [top.depths.get(stream, 0) for stream in process.streams]


def _program(plan, ends):
    words, declare, show, load = "", "", "", ""
    for i, (stream, (direction, bits, layout)) in enumerate(ends.items()):
        words += f"using word_{i} = word_at<{i}, top_t>::type;\n" + transfer(f"word_{i}", str(i), layout)
        declare += f"static stream_at<{i}, top_t>::type port_{i};\n"
        if direction == "in":
            load += f'    snprintf(path, sizeof path, "%s/{plan.top.name}_{stream}.hex", arguments[1]);\n'
            load += f"    load(port_{i}, path, {bits}, take_{i});\n    port_{i}.words->outside = true;\n"
            show += f'    fprintf(out, "in {i} %ld\\n", (long)port_{i}.words->head - taken[{i}]);\n'
            show += f"    taken[{i}] = port_{i}.words->head;\n"
        else:
            show += f'    while (!port_{i}.empty()) {{ fprintf(out, "out {i}"); '
            show += f"print(out, port_{i}.read(), {bits}, put_{i}); fputc('\\n', out); }}\n"
    quoted = f"{plan.top.name}={plan.function}".replace("\\", "").replace('"', "'")
    return HEAD.format(source=plan.source, allocate="" if plan.compiler.amd else ALLOCATE) + PROGRAM.format(
        quoted=quoted, function=plan.function, words=words, ports=declare, count=max(1, len(ends)), print=show,
        load=load, names=", ".join(f"port_{i}" for i in range(len(ends))),
    )  # fmt: skip


def _reference(plan, program, epochs, dut):
    """Run the C++; an epoch is a list of (steps, [steps whose write of a RAM has landed]) per process."""
    order, out = plan.work / "top.epochs", plan.work / "top.rows"
    order.write_text(
        "".join(
            f"{int(i == len(epochs) - 1)} " + " ".join(f"{steps} {' '.join(map(str, w))}" for steps, w in epoch) + "\n"
            for i, epoch in enumerate(epochs)
        )
    )
    done = subprocess.run([str(program), str(plan.work), str(order), str(out)], capture_output=True, text=True)
    if done.returncode:
        raise crash(plan.top.name, done)
    result = []
    for line in out.read_text().splitlines():
        what, *rest = line.split()
        if what == "epoch":
            result.append(Epoch([int(n) for n in rest]))
        elif what == "in":
            result[-1].taken[int(rest[0])] = int(rest[1])
        elif what == "out":
            result[-1].words.setdefault(int(rest[0]), []).append(rest[1])
        else:
            result[-1].more.append(int(rest[0]))
    return result


def _simulate(plan, simulation, resets, wave):
    cycles = 100000 + CYCLES_PER_WORD * plan.steps
    period = max(4, plan.steps // (resets + 1))
    limit = STEPS_PER_WORD * plan.steps
    with tqdm(total=None, desc=f"{plan.top.name}: Verilog", unit="cycle", disable=None, leave=False) as bar:
        try:
            return simulation.run(cycles, limit, resets, period, wave, bar.update)[plan.top.name]
        except Stopped as stopped:
            raise Difference(f"{plan.top.name}: the simulated Verilog stops: {stopped}") from None


def _same(plan, dut: Device, epochs: list[Epoch], stretches: list[Stretch]):
    names, one = [p.name for p in plan.top.processes], plan.compiler.what
    for number, (epoch, stretch) in enumerate(zip(epochs, stretches, strict=True)):
        place = plan.top.name + (f" after reset {number}" if number else "")
        last = number == len(epochs) - 1
        whole = last and stretch.end == "idle"
        if whole and epoch.more:  # first: what is missing then is a consequence
            raise Difference(f"{place}: {_standstill(plan, dut, stretch, [names[i] for i in epoch.more])}")
        for i, port in enumerate(dut.ports):
            if port.direction == "out":
                due, got = epoch.words.get(i, []), stretch.words.get(i, [])
                same_words(f"{place}, stream {port.name}", one, due, "Verilog", got, whole)
        for name, begun, steps in zip(names, stretch.begun, epoch.steps):
            if begun != steps:
                raise Difference(f"{place}: process {name} begins {begun} steps, {one} has input for {steps} of them")
        inputs = [(i, port) for i, port in enumerate(dut.ports) if port.direction == "in"]
        for (i, port), taken in zip(inputs, stretch.taken):
            if taken != epoch.taken[i]:
                raise Difference(f"{place}, stream {port.name}: Verilog takes {taken} words, {one} {epoch.taken[i]}")


def _standstill(plan, dut, stretch, could):
    """Why nothing moves any more, though processes could go on if streams had no bound."""
    empty = [name.partition(":")[2] for name, value in stretch.status.items() if name[0] == "s" and not value]
    waiting = [name.partition(":")[2] for name, value in stretch.status.items() if name[0] == "s" and value]
    full = [name.partition(":")[2] for name, value in stretch.status.items() if name[0] == "p" and not value]
    text = f"a standstill: for {1000 + 4 * dut.latency} cycles nothing moves, where the C++ goes on with {could[0]}"
    if full:
        writes = {
            s: plan.top.depths.get(s) or "as many as by default"
            for p in plan.top.processes
            if p.name in full
            for port, s in zip(plan.top.steps[p.kernel].streams, p.streams)
            if plan.top.steps[p.kernel].port(port, "out") and s not in plan.top.ports
        }
        text += f"; {', '.join(full)} has no room to write, the depths are {_listed(writes)}: make them deeper"
    if waiting:
        text += f"; words wait in {', '.join(waiting)}"
    if empty:
        text += f"; empty: {', '.join(empty)}"
    return text


def _listed(depths):
    return ", ".join(f"{stream} {depth}" for stream, depth in depths.items())
