"""The check of kernels: C++ = interpreter = Verilog, with gaps, backpressure and resets."""

from __future__ import annotations

import concurrent.futures
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from hls.open.check import reference
from hls.open.check.bench import device
from hls.open.check.cocotb_bench import write_cocotb
from hls.open.check.compare import Difference, ended, same_hardware, same_steps
from hls.open.check.interpreter import Broken, Interpreter
from hls.open.check.simulate import Simulation, Stopped
from hls.open.check.stimulus import random_words, write_words
from hls.open.errors import Refused
from hls.open.pipeline.netlist import fifo_words

if TYPE_CHECKING:
    pass

CYCLES_PER_STEP = 80  # at most, with all gaps


@dataclass
class Plan:
    """What to check.

    Attributes
    ----------
    source : str
        C++ text that defines the kernels.
    kernels : dict
        name -> C++ type.
    stages : dict
        name -> Stage.
    files : dict
        name -> the Verilog of its stage, all in `folder`.
    folder : Path
        Where words, expected words and the cocotb benches go.
    work : Path
        For what nobody needs afterwards.
    """

    source: str
    kernels: dict
    stages: dict
    files: dict
    folder: Path
    work: Path
    include: Sequence = ()
    compiler: reference.Compiler | None = None
    words: dict | None = None  # kernel -> stream -> words, instead of random ones
    steps: int = 1000
    seed: int = 1
    resets: int = 8
    wave: Path | None = None
    said: list = field(default_factory=list)  # lines of the report


def check_kernels(plan: Plan, tell: Callable[[str], None]) -> None:
    """Check every kernel; `tell` gets a line for each comparison that held.

    Raises
    ------
    Difference
        At the first difference.
    """
    words = plan.words or {name: _random(plan, name) for name in plan.kernels}
    for name, of_kernel in words.items():
        write_words(plan.work, name, of_kernel)
        write_words(plan.folder, name, of_kernel)
    steps = {name: stage.step for name, stage in plan.stages.items()}
    text = reference.kernels_program(plan.source, plan.kernels, steps, plan.compiler)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        compiling = pool.submit(plan.compiler.program, text, plan.include, plan.work)
        with _bar("Verilator", None) as bar:  # two processes at once: both take seconds
            simulations = {name: _simulation(plan, name, words[name], bar) for name in plan.kernels}
        program = compiling.result()
    for name in plan.kernels:
        _check(plan, name, words[name], program, simulations[name], tell)


def _random(plan, name):
    step, rng = plan.stages[name].step, random.Random(f"{plan.seed} {name}")
    inputs = [p.name for p in step.ports if p.direction == "in"]
    return {stream: random_words(step.words[stream], plan.steps, rng) for stream in step.streams if stream in inputs}


def _simulation(plan, name, words, bar):
    stage = plan.stages[name]
    fifo = max([0, *(fifo_words(stage, p.name) for p in stage.step.ports if p.direction == "out")])
    dut = device(stage, words, fifo)
    folder = plan.work / f"simulation_{name}"
    folder.mkdir()
    write_words(folder, name, words)
    bar.set_postfix_str(name)
    files = [plan.folder / file for file in plan.files[name]]
    return Simulation([dut], files, folder, plan.seed, plan.wave.suffix if plan.wave else "")


def _check(plan, name, words, program, simulation, tell):
    stage, what = plan.stages[name], plan.compiler.what
    step, dut = stage.step, simulation.devices[0]
    rams = [plan.steps] * len(step.memories)
    with _bar(f"{name}: interpreter", plan.steps) as bar:
        try:
            interpreted = Interpreter(step).run(words, plan.steps, bar.update)
        except Broken as broken:
            raise Difference(f"{name}, {broken}") from None
    (plain,) = reference.run(program, name, plan.work, [(plan.steps, rams)])
    if plain.starved or len(plain.rows) == plan.steps:
        expected = {
            stream: [row[i] for row in plain.rows if row[i] != "-"]
            for i, stream in enumerate(step.streams)
            if step.port(stream, "out")
        }
        write_cocotb(plan.folder, name, stage.module, plan.files[name], dut.ports, expected)
    same_steps(name, step.streams, what, plain, "the interpreter", interpreted)
    tell(f"{name}: {what} = interpreter, {len(plain.rows)} steps" + _input_ended(plain, plan.steps))
    runs = [(0, _own(plan, name))] + [(plan.resets, None)] * (plan.resets > 0)
    for resets, wave in runs:
        try:
            stretches = _hardware(plan, name, program, simulation, resets, wave)
        except Difference:
            if resets and plan.wave:
                _simulate(plan, name, simulation, resets, _own(plan, name))
            raise
        begun, out = sum(s.begun[0] for s in stretches), sum(len(w) for s in stretches for w in s.words.values())
        tell(
            f"{name}: {what} = Verilog, {begun} steps, {out} words out, "
            + (f"{len(stretches) - 1} resets, " if resets else "")
            + "random gaps and backpressure"
        )


def _own(plan, name):
    """Each kernel's waveform has a file of its own."""
    return plan.wave if plan.wave is None or len(plan.kernels) == 1 else plan.wave.with_stem(f"{plan.wave.stem}_{name}")


def _input_ended(epoch, steps):
    return ", then the input is used up" if epoch.starved and len(epoch.rows) < steps else ""


def _hardware(plan, name, program, simulation, resets, wave):
    stretches = _simulate(plan, name, simulation, resets, wave)
    ended(name, stretches)
    epochs = reference.run(program, name, plan.work, [(s.begun[0], s.written[0]) for s in stretches])
    same_hardware(name, simulation.devices[0].ports, plan.compiler.what, epochs, stretches, plan.steps)
    return stretches


def _simulate(plan, name, simulation, resets, wave):
    cycles = 20000 + CYCLES_PER_STEP * plan.steps
    period = max(4, plan.steps // (resets + 1))
    with _bar(f"{name}: Verilog", plan.steps) as bar:
        try:
            return simulation.run(cycles, plan.steps, resets, period, wave, bar.update)[name]
        except Stopped as stopped:
            raise Difference(f"{name}: the simulated Verilog stops: {stopped}") from None


def _bar(what, total):
    return tqdm(total=total, desc=what, unit="step", disable=None, leave=False, dynamic_ncols=True)


def wave_path(given: str | None) -> Path | None:
    """Return where a waveform goes.

    Raises
    ------
    Refused
        If its ending is no kind of waveform, or its folder isn't there.
    """
    if given is None:
        return None
    path = Path(given).absolute()
    if path.suffix not in (".vcd", ".fst"):
        raise Refused(f"'{given}' is no waveform: its name ends in .fst or .vcd")
    if not path.parent.is_dir() or path.is_dir():
        raise Refused(f"the waveform '{given}' can't be written: no such folder")
    return path
