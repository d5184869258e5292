"""A SystemVerilog bench around a module with streams: words from files, random gaps, backpressure and resets.

Every stream moves as a mode says that changes from time to time: always, every other cycle, rarely, hardly ever. A
word stays offered until it is taken, as AXI wants it. The bench prints what is taken from the outputs, what had gone in
when a reset came, and at the end why it ended; `simulate.py` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hls.open.names import Names

if TYPE_CHECKING:
    from hls.open.pipeline.verilog import Stage

MODULE = """
module {bench} #(parameter [63:0] SEED = 64'd{seed}) (input wire clk, input wire rst, output reg done);
    reg [63:0] random = SEED * 64'h9E3779B97F4A7C15 + 64'd1;
    wire [63:0] random_1 = random ^ (random << 13);
    wire [63:0] random_2 = random_1 ^ (random_1 >> 7);
    always @(posedge clk) random <= random_2 ^ (random_2 << 17);
    reg [5:0] phase = 0;
    reg [63:0] modes = 0;
    always @(posedge clk) begin
        phase <= phase == 0 ? random[5:0] : phase - 1'b1;
        if (phase == 0) modes <= draining ? 64'd0 : random_2;
    end
    integer resets = 0, reset_in = 0, reset_for = 0, period = 100, limit = 0, idle = 0, drained = 0, cycle = 0;
    integer total = 0;
    wire draining = limit != 0 && total >= limit;
    initial begin
        done = 0;
        if ($value$plusargs("resets=%d", resets)) begin end
        if ($value$plusargs("period=%d", period)) begin end
        if ($value$plusargs("limit=%d", limit)) begin end
        reset_in = period;
    end
    reg pause = 0;
    wire quiet = rst | pause;
    reg was_quiet = 1;
{streams}
    {module} dut (.clk(clk), .rst(quiet){pins});
{counters}
    wire begins = {begins};
    wire moves = begins{moves};
    always @(posedge clk) begin
        was_quiet <= quiet;
        cycle <= cycle + 1;
        if (cycle % 4096 == 4095) $display("{label} cycle %0d %0d", cycle, total);
        if (quiet && !was_quiet) begin
            $display("{label} reset{formats}"{values});
        end else if (begins) total <= total + 1;
        if (rst || draining) pause <= 0;
        else if (pause) begin
            reset_for <= reset_for - 1;
            pause <= reset_for > 1;
        end else if (resets > 0 && reset_in <= 0) begin
            pause <= 1;
            reset_for <= random[9:8] + 1;
            resets <= resets - 1;
            reset_in <= random[7:6] == 0 ? random[5:0] % 24 : random[40:11] % (2 * period) + 1;
        end else if ({steady} || random[50:47] == 0) reset_in <= reset_in - 1;
        idle <= quiet || moves ? 0 : idle + 1;
        drained <= draining ? drained + 1 : 0;
        if (!done && idle > {patience}) begin
            $display("{label} idle{formats}"{values});
{status}            done <= 1;
        end else if (!done && drained > {drain}) begin
            $display("{label} limit{formats}"{values});
            done <= 1;
        end
    end
endmodule
"""
INPUT = """
    reg [{high}:0] {words} [0:{last}];
    integer {at} = 0, {since} = 0;
    reg {offer} = 0;
    wire {ready};
    wire {taken} = {offer} & {ready} & !quiet;
    initial if ({count} > 0) $readmemh("{file}", {words});
    always @(posedge clk) begin
        if (quiet) {offer} <= 0;
        else {offer} <= ({offer} && !{ready}) || ({go} && {at} + {taken} < {count});
        if ({taken}) {at} <= {at} + 1;
        {since} <= quiet && !was_quiet ? 0 : {since} + {taken};
    end
"""
# How many steps have begun since the last reset, and how many had some cycles ago.
COUNTER = """
    wire {starts} = !quiet & {signal};
    integer {begun} = 0;
    always @(posedge clk)
        if (quiet && !was_quiet) {begun} <= 0;
        else {begun} <= {begun} + {starts};
"""
PAST = """
    integer {past} [1:{depth}];
    always @(posedge clk)
        for (int i = 1; i <= {depth}; i++) {past}[i] <= quiet ? 0 : i == 1 ? {begun} : {past}[i - 1];
"""
OUTPUT = """
    wire [{high}:0] {data};
    wire {valid};
    reg {take} = 0;
    wire {taken} = {valid} & {take} & !quiet;
    always @(posedge clk) begin
        {take} <= {go};
        if ({taken}) $display("{label} out {number} %h", {data});
    end
"""
TOP = """
module {top} (input wire clk, input wire rst);
    wire [{high}:0] done;
    string wave;
    initial if ($value$plusargs("wave=%s", wave)) begin
        $dumpfile(wave);
        $dumpvars;
    end
{instances}
    always @(posedge clk) if (&done) $finish;
endmodule
"""


@dataclass(frozen=True)
class Port:
    """A stream of the module: its words' file and number, if it goes in."""

    name: str
    direction: str  # "in" or "out"
    bits: int
    words: int = 0
    file: str = ""


@dataclass(frozen=True)
class Counter:
    """A pipeline inside a device.

    Attributes
    ----------
    signal : str
        What is true inside `dut` in a cycle in which a step begins.
    writes : tuple of int
        RAMs: cycles from the begin of a step to its write.
    """

    signal: str
    writes: tuple = ()


@dataclass(frozen=True)
class Device:
    """What a bench drives.

    Attributes
    ----------
    label : str
        Begins every line that the bench prints; no blanks.
    module : str
    ports : tuple of Port
    counters : tuple of Counter
    latency : int
        Cycles that words may be under way without being seen.
    status : tuple of (str, str)
        What is printed when nothing moves any more: a name without blanks, and a signal inside `dut`.
    """

    label: str
    module: str
    ports: tuple
    counters: tuple = ()
    latency: int = 0
    status: tuple = ()


def device(stage: Stage, words: dict[str, list[int]], fifo: int, label: str = "") -> Device:
    """Return the `Device` of a stage.

    Parameters
    ----------
    stage : Stage
    words : dict
        Input stream -> its words, which lie in `<kernel>_<stream>.hex`.
    fifo : int
        Words that the FIFOs behind it hold.
    label : str, optional
        The kernel's name, if not that of its step.
    """
    name = stage.step.name
    directions = {p.name: p for p in stage.step.ports if p.direction in ("in", "out")}
    ports = tuple(
        Port(s, directions[s].direction, directions[s].width, len(words.get(s, ())), f"{name}_{s}.hex")
        for s in stage.step.streams
        if s in directions
    )
    return Device(label or name, stage.module, ports, (counter(stage),), stage.depth + fifo)


def counter(stage: Stage, instance: str = "") -> Counter:
    """Return the `Counter` of a stage, which is `instance` inside of the device, if not the device itself."""
    writes = tuple(stage.plan.done.get((ram, "write"), 0) for ram in stage.step.memories)
    inside = f"{instance}.pipeline" if instance else "pipeline"
    return Counter(f"{inside}.{stage.signals['go', '', 'ready']}", writes)


def bench_module(dut: Device, bench: str, seed: int, traffic: tuple[int, int] | None = None) -> str:
    """Return the text of a bench.

    Parameters
    ----------
    dut : Device
    bench : str
        Name of the module: ports `clk`, `rst`, `done`.
    seed : int
    traffic : tuple of int, optional
        A mode for all inputs and one for all outputs, instead of changing ones: 0 always, 1 every other cycle, 2 one
        in eight, 3 one in 32.
    """
    names = Names(
        "clk rst done SEED random random_1 random_2 phase modes resets reset_in reset_for period limit idle drained "
        "cycle total draining pause quiet was_quiet dut begins moves".split()
    )
    streams, pins, moves, sums = [], "", "", []
    for i, port in enumerate(dut.ports):
        mode = f"modes[{2 * i % 64} +: 2]" if traffic is None else f"2'd{traffic[port.direction == 'out']}"
        low = 9 * i % 59
        go = (
            f"({mode} == 0 || ({mode} == 1 && random[{low}]) || ({mode} == 2 && random[{low} +: 3] == 0) || "
            f"({mode} == 3 && random[{low} +: 5] == 0))"
        )
        parts = "data valid ready words at since offer take taken".split()
        named = {part: names.take(f"{port.name}_{part}") for part in parts}
        if port.direction == "in":
            text = INPUT.format(
                **named, high=port.bits - 1, last=max(0, port.words - 1), count=port.words, file=port.file, go=go
            )
            wires = (
                f"{named['words']}[{named['at']} < {max(1, port.words)} ? {named['at']} : 0]",
                named["offer"],
                named["ready"],
            )
            sums.append(named["since"])
        else:
            text = OUTPUT.format(**named, high=port.bits - 1, go=go, label=dut.label, number=i)
            wires = named["data"], named["valid"], named["take"]
        streams.append(text)
        pins += "".join(f", .{port.name}_{part}({wire})" for part, wire in zip(("data", "valid", "ready"), wires))
        moves += f" | {named['taken']}"
    counters, values, starts = "", list(sums), []
    for one in dut.counters:
        text, own, start = _counter(one, names)
        counters += text
        values += own
        starts.append(start)
    status = "".join(
        f'            $display("{dut.label} status {name} %0d", dut.{signal});\n' for name, signal in dut.status
    )
    return MODULE.format(
        bench=bench, seed=seed, module=dut.module, label=dut.label, streams="".join(streams), pins=pins, moves=moves,
        begins=" | ".join(starts) or "1'b0", counters=counters, steady="begins" if len(starts) == 1 else "moves",
        status=status, formats=" %0d" * len(values),
        values="".join(f", {v}" for v in values), patience=1000 + 4 * dut.latency, drain=200 + 8 * dut.latency,
    )  # fmt: skip


def _counter(one, names):
    """Text of a counter, what it tells (steps begun; for each RAM, those whose write has landed), its signal.

    In the first cycle of a reset a write of a step that began `n` cycles ago lands; the number of steps that had begun
    by then is the count of `n - 1` cycles ago.
    """
    starts, begun, past = (names.take(name) for name in ("starts", "begun", "past"))
    text = COUNTER.format(starts=starts, begun=begun, signal=f"dut.{one.signal}")
    depth = max([0, *one.writes]) - 1
    if depth > 0:
        text += PAST.format(past=past, begun=begun, depth=depth)
    return text, [begun, *(f"{past}[{w - 1}]" if w > 1 else begun for w in one.writes)], starts


def top_module(benches: list[str], top: str) -> str:
    """Return the text of a module with several benches, which ends when all of them are done."""
    instances = "\n".join(
        f"    {bench} bench_{i} (.clk(clk), .rst(rst), .done(done[{i}]));" for i, bench in enumerate(benches)
    )
    return TOP.format(top=top, high=len(benches) - 1, instances=instances)
