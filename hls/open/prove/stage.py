"""A generated stage, its pipeline and FIFOs as they are shipped, against its step done as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.pipeline.claims import Claim, bits, inside
from hls.open.pipeline.invariants import Model
from hls.open.pipeline.netlist import stage_module
from hls.open.prove.bench import RESET_FIRST, STARTED, Bench
from hls.open.prove.templates import library

if TYPE_CHECKING:
    from hls.open.pipeline.verilog import Stage

LIBRARY = ("hls_open_arithmetic", "hls_open_copy", "hls_open_fifo", "hls_open_ram")


def stage_bench(stage: Stage, depths: dict[str, int] | None = None, change: dict[str, str] | None = None) -> Bench:
    """Return the bench of a stage.

    Per output one word is marked, any one: in the cycle in which a step begins, the model says whether it will write
    and what. That word has to leave right behind those owed before it.

    Parameters
    ----------
    stage : Stage
    depths : dict, optional
        As for `netlist.stage_module`.
    change : dict, optional
        Other texts for the design's modules, by name: `<kernel>`, `<kernel>_stage`, or one of the library's.
    """
    model, step = Model(stage, depths), stage.step
    texts = {step.name: stage.text, f"{step.name}_stage": stage_module(stage, depths)}
    texts = {name: library(name) for name in LIBRARY} | texts | (change or {})
    bench = Bench(
        f"{step.name}_stage",
        f"{stage.depth} stages, state {sum(r.width for r in step.registers)}, "
        f"FIFO {'/'.join(f'{f.depth} x {f.width}' for f in model.fifos.values())}",
        [*texts.values(), model.module()],
        {},
        model.looks(),
        [STARTED],
        [RESET_FIRST],
    )
    pins = [".clk(clk)", ".rst(rst)"]
    for p in (*model.inputs, *model.outputs):
        pins += [f".{p.name}_{s}({p.name}_{s})" for s in ("data", "valid", "ready")]
    for p in model.inputs:
        bench.inputs |= {f"{p.name}_data": p.width, f"{p.name}_valid": 1}
        bench.body.append(f"wire {p.name}_ready;")
    for p in model.outputs:
        bench.inputs |= {f"{p.name}_ready": 1, f"{p.name}_mark": 1}
        bench.body.append(f"wire {bits(p.width)}{p.name}_data; wire {p.name}_valid;")
    bench.body += [f"{step.name}_stage dut (" + ", ".join(pins) + ");", *model.body()]
    bench.invariants += model.invariants()
    bench.properties += _begin(model)
    shown = [f"{p.name}_{s}" for p in model.inputs for s in ("valid", "ready", "data")] + ["begins", "flight"]
    for p in model.outputs:
        _output(bench, model, p)
        shown += [f"{p.name}_{s}" for s in ("owed", "where", "valid", "ready", "data")]
    bench.show = ("rst", *shown)
    return bench


def _begin(model):
    """When a step begins, and what it takes."""
    rooms = [f.room for f in model.fifos.values()]
    able = " && ".join([*rooms, *(f"({p.name}_valid || !m0_{p.name}_in_does)" for p in model.inputs)])
    claims = [
        Claim(
            "begins_if_able",
            f"{inside('dut.pipeline.valid_0')} == ({able})",
            "a step begins in each cycle with room behind every output and all words that it reads, and in no other",
        )
    ]
    claims += [
        Claim(
            f"{p.name}_taken",
            f"{p.name}_ready == ({inside('dut.pipeline.valid_0')} && m0_{p.name}_in_does)",
            "an input word is taken once, by the step that reads it",
        )
        for p in model.inputs
    ]
    return claims


def _output(bench, model, p):
    """The marked word of an output: where it is, how many words are in front of it, and that it arrives."""
    name, fifo, done = p.name, model.fifos[p.name], model.plan.done[p.name, "out"]
    counter = (fifo.depth + model.depth + 2).bit_length() + 1
    position = (done + 1).bit_length()
    bench.body += [
        f"wire {name}_take = {name}_valid && {name}_ready && !rst;",
        f"wire {name}_owes = begins && m0_{name}_out_does;",
        f"reg {bits(counter)}{name}_owed, {name}_ahead; reg {bits(position)}{name}_where; "
        f"reg {bits(p.width)}{name}_word;",
        f"wire {name}_leaves = {name}_where == {done + 1} && {name}_take && {name}_ahead == 0;",
        f"reg {name}_held; reg {bits(p.width)}{name}_last;",
        "always @(posedge clk) begin",
        f"    {name}_owed <= rst ? 0 : {name}_owed + {name}_owes - {name}_take;",
        f"    if (rst || {name}_leaves) {name}_where <= 0;",
        f"    else if ({name}_where == 0) {name}_where <= {name}_owes && {name}_mark;",
        f"    else if ({name}_where <= {done}) {name}_where <= {name}_where + 1'b1;",
        f"    if ({name}_where == 0) begin {name}_ahead <= {name}_owed - {name}_take; "
        f"{name}_word <= m0_{name}_out_word; end",
        f"    else if ({name}_take) {name}_ahead <= {name}_ahead - 1'b1;",
        f"    {name}_held <= {name}_valid && !{name}_ready && !rst; {name}_last <= {name}_data;",
        "end",
    ]
    bench.invariants += [
        Claim(
            f"{name}_accounts",
            f"!started || 32'({name}_owed) == 32'({fifo.count}) + {model.words(name, 1, done)}",
            "words owed are those in the FIFO and those of steps in flight that write",
        ),
        Claim(f"{name}_where_known", f"!started || {name}_where <= {done + 1}", "the marked word is somewhere"),
        Claim(
            f"{name}_in_fifo",
            f"!started || {name}_where != {done + 1} || (32'({name}_ahead) < 32'({fifo.count}) && "
            f"{fifo.word(f'{name}_ahead')} == {name}_word)",
            "in the FIFO, the marked word lies unchanged behind those in front of it",
        ),
    ]
    bench.invariants += [
        Claim(
            f"{name}_in_stage_{k}",
            f"!started || {name}_where != {k} || (flight[{k}] && m{k}_{name}_out_does && "
            f"m{k}_{name}_out_word == {name}_word && "
            f"32'({name}_ahead) == 32'({fifo.count}) + {model.words(name, k + 1, done)})",
            "on its way, it is the word of the step in its stage, behind those of the stages further on",
        )
        for k in range(1, done + 1)
    ]
    bench.properties += [
        Claim(
            f"{name}_in_order",
            f"!started || !{name}_leaves || {name}_data == {name}_word",
            "no word is lost, doubled, reordered or changed",
        ),
        Claim(
            f"{name}_arrives",
            f"!started || {name}_where != {done + 1} || {name}_valid",
            f"a word is offered {done + 1} cycles after its step began, or as soon as those in front of it are taken",
        ),
        Claim(
            f"{name}_none_extra",
            f"!started || !{name}_valid || {name}_owed != 0",
            "no word is offered that no step wrote",
        ),
        Claim(
            f"{name}_stable",
            f"!started || !{name}_held || rst || ({name}_valid && {name}_data == {name}_last)",
            "stable until taken",
        ),
        Claim(
            f"{name}_no_overflow",
            f"!started || rst || !{inside(f'dut.pipe_{name}_valid')} || {fifo.count} != {fifo.depth}",
            "no word is put into a full FIFO",
        ),
    ]
    bench.cover += [
        Claim(f"{name}_passes", f"started && {name}_leaves", "a marked word passes"),
    ]
