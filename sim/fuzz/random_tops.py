"""Random tops: several random kernels joined by FIFOs, with splits, joins and feedback, against a model in C++.

Kernels that wait for what they read, one writer and one reader per FIFO: such a network is determinate (Kahn, 1974),
whatever waits for how long, so what an output carries is comparable word by word though nothing is said of when. The
model steps the processes with AMD's types. A step that finds a stream empty is taken back; it begins only if every FIFO
behind it has room, of fewer words than in hardware. What the model can do the hardware can therefore do, and with more
room it never does less: the model's outputs must be the beginning of the hardware's.
"""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from hls.csim.ap_types import ap_types_dir
from hls.open.errors import Refused
from hls.open.pipeline.netlist import top_module, write_stage
from hls.open.pipeline.timing import Timing
from hls.open.pipeline.verilog import generate
from hls.open.read.frontend import LIBRARY
from sim.fuzz.compare.check import Batch, Row, folder_of, halves, lower_batch
from sim.fuzz.compare.interpreted import REFERENCE
from sim.fuzz.compare.simulated import difference, run_cases, write_bench
from sim.fuzz.random_cpp import Var
from sim.fuzz.random_kernels import FEED, PRINT, SHARED, RandomKernel, kernels_source, random_kernel, stimulus

MODEL = Path(__file__).with_name("model_of_tops")  # its hls_stream.h
STEPS = 32  # of each process in the model
CYCLES = 16_000  # every step of every process alone, through its pipeline and gaps
FIRST = 50_000_000  # seeds of the kernels of tops are apart from those of kernels alone
MOST = 5  # kernels of a top, but for one that feeds back
BATCH = 25  # tops whose kernels share their types


@dataclass
class RandomTop:
    """Kernels, and the streams that join their ports.

    `joined` is a list of (kernel, port, stream); a stream with one end only is a port of the top. `room` is how many
    words every FIFO holds beyond what is in flight.
    """

    name: str
    kernels: list[RandomKernel]
    joined: list[tuple[int, Var, str]] = field(default_factory=list)
    inputs: list[Var] = field(default_factory=list)
    outputs: list[Var] = field(default_factory=list)
    room: int = 4
    feedback: bool = False

    @property
    def text(self) -> str:
        """The C++ of its kernels, and how they are joined."""
        joins = "".join(f"// {self.kernels[k].name}.{v.name}: stream {s}\n" for k, v, s in self.joined)
        return f"// FIFOs of {self.room} words\n{joins}" + "\n".join(k.text for k in self.kernels)


def random_top(seed: int) -> RandomTop:
    """Return the `RandomTop` of a seed."""
    rng = random.Random(f"top {seed}")
    numbers = range(FIRST + (MOST + 1) * seed, FIRST + (MOST + 1) * (seed + 1))
    kernels = [_kernel(rng, seed // BATCH, number) for number in numbers[: rng.randint(2, MOST)]]
    top = RandomTop(f"t{seed}", kernels, room=rng.choice([1, 2, 4, 9]))
    back = rng.random() < 0.4
    if back:
        kernels.append(_primer(rng, numbers[MOST]))
    loose = []  # streams without a reader: (name, writer, variable)
    for number, kernel in enumerate(kernels):
        for v in kernel.inputs:
            ready = [s for s in loose if s[1] != number]
            if ready and (rng.random() < 0.85):
                name, _, written = source = rng.choice(ready)
                loose.remove(source)
                _retype(kernel, v, written)
            else:
                name = f"in{len(top.inputs)}"
                top.inputs.append(Var(name, v.width, v.signed))
            top.joined.append((number, v, name))
        for v in kernel.outputs:
            name = f"w{number}_{v.name}"
            loose.append((name, number, v))
            top.joined.append((number, v, name))
    if back:
        _feed_back(rng, top, loose)
    top.outputs = [Var(name, v.width, v.signed) for name, _, v in loose]
    return top


def _kernel(rng, group, number):
    """A kernel that can be a pipeline, with a name that no other kernel of a batch has."""
    while True:
        kernel = random_kernel(FIRST + SHARED * group + rng.randrange(SHARED))
        # Of those with a RAM some decide by its data and are no pipeline, which would be a refused top: fewer of them.
        if not kernel.rams or rng.random() < 0.3:
            before, kernel.name = kernel.type, f"k{number}"
            kernel.text = kernel.text.replace(before, kernel.type)
            return kernel


def _primer(rng, seed):
    """A kernel that sends a few words before it passes on what it reads: feedback needs something to begin with."""
    width, words = rng.randint(1, 40), rng.randint(1, 3)
    text = (
        f"struct struct_k{seed} {{\n    ap_uint<2> sent = 0;\n"
        f"    void step(hls::stream<ap_uint<{width}>>& in0, hls::stream<ap_uint<{width}>>& out0) {{\n"
        f"        if (sent != {words}) {{\n            sent++;\n            out0.write(sent);\n"
        f"        }} else out0.write(in0.read());\n    }}\n}};\n"
    )
    return RandomKernel(
        f"k{seed}", [Var("sent", 2, False)], [Var("in0", width, False)], [Var("out0", width, False)], text
    )


def _feed_back(rng, top, loose):
    """Let an input of an earlier kernel read what the last one, the primer, writes."""
    last = len(top.kernels) - 1
    found = next((s for s in loose if s[1] == last), None)
    ports = [i for i, (k, _, stream) in enumerate(top.joined) if k != last and stream.startswith("in")]
    if found is None or not ports:
        return
    index = rng.choice(ports)
    k, v, stream = top.joined[index]
    top.inputs = [x for x in top.inputs if x.name != stream]
    loose.remove(found)
    _retype(top.kernels[k], v, found[2])
    top.joined[index] = (k, v, found[0])
    top.feedback, top.room = True, max(top.room, 4)  # more than the primer sends, or the cycle is full at once


def _retype(kernel, port, written):
    """Let a port carry what its writer writes; in the kernel it is converted."""
    kernel.text = kernel.text.replace(
        f"hls::stream<{port.type}>& {port.name},", f"hls::stream<{written.type}>& {port.name},", 1
    )
    port.width, port.signed = written.width, written.signed


def model_source(tops: list[RandomTop]) -> str:
    """Return a C++ program that prints what the outputs of tops carry: top, stream, word."""
    runs = []
    for top in tops:
        kinds = {v.name: v.type for v in top.inputs + top.outputs} | {s: v.type for _, v, s in top.joined}
        lines = [f"static void run_{top.name}() {{"]
        lines += [f"    hls::stream<{kind}> {stream};" for stream, kind in kinds.items()]
        for v, values in zip(top.inputs, stimulus(bench_kernel(top), 16)):
            words = ", ".join(f"0x{x >> 32 * i & 0xFFFFFFFF:x}" for x in values for i in range(-(-v.width // 32)))
            lines.append(f"    static const unsigned {v.name}_words[] = {{{words}}};")
            lines.append(f"    feed({v.name}, {v.name}_words, {len(values)}); {v.name}.keep();")
        outside = {v.name for v in top.outputs}
        lines += ["    hls::process processes[] = {"]
        for number, kernel in enumerate(top.kernels):
            streams = {v.name: s for k, v, s in top.joined if k == number}
            arguments = ", ".join(streams[v.name] for v in kernel.inputs + kernel.outputs)
            inside = ", ".join("&" + streams[v.name] for v in kernel.outputs if streams[v.name] not in outside)
            every = ", ".join("&" + stream for stream in streams.values())
            step = f"[=, &{', &'.join(streams.values())}]() mutable {{ "
            step += f"auto before = k{number}; k{number}.step({arguments}); if (hls::starved) k{number} = before; }}"
            lines.insert(1, f"    {kernel.type} k{number};")
            lines.append(f"        {{{step}, {{{every}}}, {{{inside}}}}},")
        lines += ["    };", f"    hls::run(processes, {len(top.kernels)}, {top.room}, {STEPS});"]
        for v in top.outputs:
            lines.append(
                f'    while (!{v.name}.empty()) {{ printf("{top.name} {v.name} "); show({v.name}.read()); puts(""); }}'
            )
        runs.append("\n".join(lines + ["}"]))
    calls = "\n".join(f"    run_{top.name}();" for top in tops)
    kernels = kernels_source([k for top in tops for k in top.kernels])
    return kernels + PRINT + FEED + "\n".join(runs) + f"\nint main() {{\n{calls}\n}}\n"


def model(tops: list[RandomTop], folder: Path) -> dict[tuple[str, str], list[str]]:
    """Return {(top, output): words} as the model with AMD's types has them."""
    source, program = folder / "model.cpp", folder / "model"
    source.write_text(model_source(tops))
    include = [f"-I{MODEL}", f"-I{ap_types_dir()}", f"-I{LIBRARY}"]
    made = subprocess.run(
        ["g++", *REFERENCE, *include, str(source), "-o", str(program)], capture_output=True, text=True
    )
    if made.returncode:
        raise Refused(f"g++ refuses the model: {made.stderr[:2000]}")
    words = {}
    for line in subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.splitlines():
        name, stream, word = line.split()
        words.setdefault((name, stream), []).append(word)
    return words


def bench_kernel(top: RandomTop) -> RandomKernel:
    """Return what a bench has to know of a top, as if it were a kernel."""
    return RandomKernel(top.name, [], top.inputs, top.outputs)


def write_top(top: RandomTop, steps: dict, folder: Path) -> list[Path]:
    """Write the Verilog of a top, its kernels and its bench; return the files that Verilator needs."""
    stages, files, instances, ends = {}, [], [], {}
    for number, kernel in enumerate(top.kernels):
        stage = stages[kernel.name] = generate(steps[kernel.name], Timing())
        files += write_stage(stage, folder, {v.name: top.room for v in kernel.outputs})
        ports = {p.name for p in stage.step.ports}
        connection = {v.name: stream for k, v, stream in top.joined if k == number and v.name in ports}
        for port, stream in connection.items():
            ends.setdefault(stream, []).append("out" if port.startswith("out") else "in")
        instances.append((f"i{number}", kernel.name, connection))
    # LLVM may find that a port is never used: the other end is a port of the top then, and nothing happens there.
    outside = {stream: directions[0] for stream, directions in ends.items() if len(directions) == 1}
    text = folder / f"{top.name}_stage.sv"
    text.write_text(top_module(f"{top.name}_stage", instances, outside, stages))
    return [*files, text, write_bench(bench_kernel(top), list(outside), folder)]


def sort_of(top: RandomTop) -> str:
    """Return what kind of top it is, for counts."""
    return "with feedback" if top.feedback else "without feedback"


def seed_of(item: RandomTop | RandomKernel) -> int:
    """Return the seed of a top."""
    return int(item.name[1:])


def check_tops(tops: list[RandomTop], folder: Path, verilog: float = 1) -> Batch:
    """Compare what tops send in Verilog, under gaps and backpressure, with the model; `verilog` makes no difference."""
    batch = Batch({seed_of(top): Row(seed_of(top), sort_of(top)) for top in tops})
    words, fit, files = {}, [], {}
    for part, result in halves(tops, lambda part: model(part, folder_of(folder)), batch, "g++ and the reference"):
        if isinstance(result, Exception):
            batch.fail(seed_of(part[0]), result, part[0].text)
        else:
            words |= result
            fit += part
    owner = {k.name: seed_of(top) for top in fit for k in top.kernels}
    kernels = [k for top in fit for k in top.kernels]
    steps = lower_batch(kernels, folder, batch, lambda kernel: owner[kernel.name])
    place = folder_of(folder)
    for top in fit:
        if all(k.name in steps for k in top.kernels):
            with batch.phase("scheduling"):
                try:
                    files[top.name] = write_top(top, steps, place)
                except Refused as refusal:
                    batch.refuse(seed_of(top), refusal)
                except Exception as error:
                    batch.fail(seed_of(top), error, top.text)

    def simulate(part):
        names = [top.name for top in part]
        return run_cases(names, [f for name in names for f in files[name]], folder_of(folder), CYCLES)

    for part, result in halves([t for t in fit if t.name in files], simulate, batch, "Verilator and its run"):
        for top in part:
            expected = {v.name: words.get((top.name, v.name), []) for v in top.outputs}
            if not any(expected.values()):
                batch.rows[seed_of(top)].sort += ", nothing comes out"
            wrong = result if isinstance(result, Exception) else difference(top.name, expected, result)
            if wrong:
                batch.fail(seed_of(top), wrong, top.text)
            else:
                batch.rows[seed_of(top)].simulated = True
    return batch
