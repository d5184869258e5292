"""Runs many kernels on given words at once: one program by g++ with AMD's types, one bench in Verilator."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hls.open.read.frontend import LIBRARY
from hls.open.verilator import run_bench
from tests.open.goldens import Example, Run, Stream

HEAD = """\
#include <fstream>
#include <string>
#include <vector>
#include <cstdio>

template <int W> std::vector<ap_uint<W>> words(const char* name) {
    std::vector<ap_uint<W>> all;
    std::ifstream file(name);
    for (std::string line; file >> line;) all.push_back(ap_uint<W>(line.c_str(), 16));
    return all;
}
template <int W> void print(const char* name, const ap_uint<W>& bits) {
    std::string digits;
    for (int i = (W - 1) / 4; i >= 0; i--) digits += "0123456789abcdef"[(ap_uint<W + 4>(bits) >> 4 * i).to_uint() & 15];
    printf("%s %s\\n", name, digits.c_str());
}
"""
RUN = """
static void run_{name}() {{
    {kernel} kernel;
{inputs}{outputs}    for (int i = 0; i < {steps}; i++) kernel.step({streams});
{show}}}
"""
INPUT = """\
    hls::stream<{type}> {name};
    for (ap_uint<{width}> bits : words<{width}>("{example}_{name}.hex")) {{
        {type} x;
{fields}        {name}.write(x);
    }}
"""
OUTPUT = """\
    while (!{name}.empty()) {{
        {type} x = {name}.read();
        ap_uint<{width}> bits = 0;
{fields}        print("{example} {name}", bits);
    }}
"""


def _block(template: str, example: str, stream: Stream, assign: str) -> str:
    """Return a template of a stream, its words made from or to `bits`, one assignment per field."""
    fields, at = "", 0
    for member, width in stream.fields:
        x = f"x.{member}" if member else "x"
        fields += "        " + assign.format(x=x, bits=f"bits.range({at + width - 1}, {at})") + "\n"
        at += width
    return template.format(example=example, name=stream.name, type=stream.type, width=stream.width, fields=fields)


def write_words(runs: Mapping[str, Run], folder: Path) -> None:
    """Write what goes into every stream as `<example>_<stream>.hex`."""
    for name, run in runs.items():
        for stream, words in run.inputs.items():
            (folder / f"{name}_{stream}.hex").write_text("".join(f"{word:x}\n" for word in words))


def run_cpp(
    examples: Sequence[Example], runs: Mapping[str, Run], headers: Iterable[Path], types: Path, folder: Path
) -> dict[tuple[str, str], list[int]]:
    """Run kernels by g++ with AMD's types; return {(example, stream): words that came out}."""
    text = "".join(f'#include "{header}"\n' for header in headers) + HEAD
    for e in examples:
        text += RUN.format(
            name=e.name,
            kernel=e.kernel,
            steps=runs[e.name].steps,
            streams=", ".join(s.name for s in e.inputs + e.outputs),
            inputs="".join(_block(INPUT, e.name, s, "{x} = {bits};") for s in e.inputs),
            outputs="".join(f"    hls::stream<{s.type}> {s.name};\n" for s in e.outputs),
            show="".join(_block(OUTPUT, e.name, s, "{bits} = {x};") for s in e.outputs),
        )
    text += "int main() {\n" + "".join(f"    run_{e.name}();\n" for e in examples) + "}\n"
    (folder / "run.cpp").write_text(text)
    command = ["g++", "-std=c++17", "-O0", "-w", f"-I{types}", f"-I{LIBRARY}", "run.cpp", "-o", "run"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[:3000]
    return _words(subprocess.run(["./run"], cwd=folder, capture_output=True, text=True, check=True).stdout)


def _words(printed):
    found = {}
    for line in printed.splitlines():
        *name, word = line.split()
        found.setdefault(tuple(name), []).append(int(word, 16))
    return found


# name -> when a source offers a word, when a sink takes one
TRAFFIC = {"full": ("1'b1", "1'b1"), "random": ("random[{bit}] | random[{other}]", "random[{other}]")}
BENCH = """
module {name}_{traffic} (input wire clk, input wire rst);
    reg [31:0] random = 32'd{seed};
    always_ff @(posedge clk) random <= {{random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]}};
{streams}    {module} dut (.clk(clk), .rst(rst){pins});
endmodule
"""
# The head of the queue stays valid once offered, as AXI wants it.
SOURCE = """\
    reg [{high}:0] {s}_words [0:{count}-1];
    integer {s}_at = 0;
    reg {s}_offer = 0;
    wire {s}_ready, {s}_taken = {s}_offer && {s}_ready;
    initial $readmemh("{name}_{s}.hex", {s}_words);
    always_ff @(posedge clk) if (!rst) begin
        {s}_at <= {s}_at + 32'({s}_taken);
        {s}_offer <= ({s}_offer && !{s}_ready) || (({when}) && {s}_at + 32'({s}_taken) < {count});
    end
"""
SINK = """\
    wire [{high}:0] {s}_data;
    wire {s}_valid;
    reg {s}_take = 0;
    always_ff @(posedge clk) if (!rst) begin
        {s}_take <= {when};
        if ({s}_valid && {s}_take) $display("{name} {traffic} {s} %h", {s}_data);
    end
"""
PINS = ", .{s}_data({data}), .{s}_valid({valid}), .{s}_ready({ready})"


def _bench(e, run, traffic, module):
    """Return the bench of one example under one kind of traffic."""
    streams = pins = ""
    for i, s in enumerate(e.inputs):
        when = TRAFFIC[traffic][0].format(bit=3 + 5 * i, other=6 + 5 * i)
        streams += SOURCE.format(s=s.name, high=s.width - 1, count=len(run.inputs[s.name]), name=e.name, when=when)
        pins += PINS.format(
            s=s.name, data=f"{s.name}_words[{s.name}_at]", valid=f"{s.name}_offer", ready=f"{s.name}_ready"
        )
    for i, s in enumerate(e.outputs):
        when = TRAFFIC[traffic][1].format(other=9 + 5 * i)
        streams += SINK.format(s=s.name, high=s.width - 1, name=e.name, traffic=traffic, when=when)
        pins += PINS.format(s=s.name, data=f"{s.name}_data", valid=f"{s.name}_valid", ready=f"{s.name}_take")
    return BENCH.format(name=e.name, traffic=traffic, seed=len(e.name), streams=streams, pins=pins, module=module)


def run_verilog(
    examples: Sequence[Example],
    runs: Mapping[str, Run],
    modules: Mapping[str, str],
    files: Iterable[Path],
    folder: Path,
) -> dict[tuple[str, str, str], list[int]]:
    """Simulate examples; return {(example, traffic, stream): words that came out}.

    Parameters
    ----------
    modules : mapping
        Example -> Verilog module.
    files : iterable of pathlib.Path
        Verilog of all of them.
    """
    names = [(e, traffic) for e in examples for traffic in TRAFFIC]
    bench = folder / "bench.sv"
    bench.write_text(
        "".join(_bench(e, runs[e.name], traffic, modules[e.name]) for e, traffic in names)
        + "module bench (input wire clk, input wire rst);\n"
        + "".join(f"    {e.name}_{traffic} {e.name}_{traffic}_i (.clk(clk), .rst(rst));\n" for e, traffic in names)
        + "endmodule\n"
    )
    return _words(run_bench([*files, bench], "bench", folder, 4 * max(run.steps for run in runs.values()) + 200))
