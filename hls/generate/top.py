"""The C++ top of a configuration, written from its processes: `srcnn_top.hpp` and `srcnn_top.cpp`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.design.kinds.add import AddProcess

if TYPE_CHECKING:
    from hls.design.config import Config


def top_header(config: Config) -> str:
    """Return the text of `srcnn_top.hpp`: kernels and streams as types, and all of it as one object for C
    simulation.
    """
    flow = config.dataflow
    processes = [joined.process for joined in flow.joined]
    depth = {stream.name: f"depth_{stream.name}" for stream in flow.streams}
    words = " + ".join(f"{p.name}_kernel::PARAM_BEATS" for p in processes if p.param_beats)
    lines = [
        _generated(config),
        "// One process per line; of its streams it reads the first ones and writes the rest:",
        "//",
        *[
            f"//   {j.process.name}({', '.join(j.streams[: j.reads])}) -> {', '.join(j.streams[j.reads :])}"
            for j in flow.joined
        ],
        "#pragma once",
        *[f'#include "{name}"' for name in sorted({"dataflow.hpp", *(p.header for p in processes)})],
        "",
        "namespace srcnn {",
        "",
        *[f"typedef {p.kernel} {p.name}_kernel;" for p in processes],
        "",
        f'static_assert({words} == PARAM_BEATS, "the kernels and the configuration disagree on the parameters");',
        "",
        *[f"static constexpr int {depth[s.name]} = {s.depth};" for s in flow.streams],
        "",
        "// All kernels and streams as one object: the software form, of which there can be several.",
        "struct srcnn_core {",
        *[f"    {p.name}_kernel {p.name}_process;" for p in processes],
        *[f"    hls::stream<{s.word}> {s.name};" for s in flow.streams],
        "",
        "    // The dataflow only runs forward, so one pass in its order uses up all input.",
        "    void run(hls::stream<beat_t>& in, hls::stream<beat_t>& out) {",
        *[f"        srcnn::run({', '.join((j.process.name + '_process', *j.streams))});" for j in flow.joined],
        "    }",
        "",
        "#if !defined(__SYNTHESIS__) && !defined(HLS_OPEN_RTL)",
        "    // One clock cycle of all stages with the FIFO depths of the hardware; false if none could step. From "
        "the back to the",
        "    // front, so that a stage sees what was in its FIFO when the cycle began (a FIFO frees its place a cycle "
        "later than",
        "    // some real ones do, and passes data on a cycle earlier).",
        "    bool cycle(hls::stream<beat_t>& in, hls::stream<beat_t>& out) {",
        "        bool any = false;",
        *[line for j in reversed(flow.joined) for line in _clock(j, depth)],
        "        return any;",
        "    }",
        "#endif",
        "};",
        "",
        "// For the testbench, a kernel per line: name, values per input word and their bits, the same of an output "
        "word, signed;",
        "// for an addition also those of a word of the earlier tensor.",
        *_listed("STAGES", "STAGE", [_described(p) for p in processes[1:-1] if p.takes_commands and not _adds(p)]),
        *_listed("ADDITIONS", "ADDITION", [_described(p) for p in processes if _adds(p)]),
        *_listed("FORKS", "FORK", [p.name for p in processes if not p.takes_commands]),
        f"typedef {config.network.convs[0].name}_cfg srcnn_first_cfg;",
        "",
        "}  // namespace srcnn",
        "",
        "void srcnn_top(hls::stream<srcnn::beat_t>& in, hls::stream<srcnn::beat_t>& out);",
        "",
    ]
    return "\n".join(lines)


def top_source(config: Config) -> str:
    """Return the text of `srcnn_top.cpp`: the top function as Vitis HLS sees it, and as C simulation calls it."""
    flow = config.dataflow
    types = {"in": "beat_t", "out": "beat_t"} | {s.name: s.word for s in flow.streams}
    lines = [
        _generated(config),
        "// The top as Vitis HLS sees it: one process per kernel, joined by FIFOs.",
        '#include "srcnn_top.hpp"',
        "",
        "using namespace srcnn;",
        "",
        "#ifdef __SYNTHESIS__",
        "",
    ]
    for j in flow.joined:
        parameters = ", ".join(f"hls::stream<{types[name]}>& {name}" for name in j.streams)
        lines += [
            f"static void {j.process.name}_process({parameters}) {{",
            f"    {j.process.name}_kernel stage;",
            f"    run({', '.join(('stage', *j.streams))});",
            "}",
        ]
    lines += [
        "",
        "void srcnn_top(hls::stream<beat_t>& in, hls::stream<beat_t>& out) {",
        "#pragma HLS INTERFACE axis port=in",
        "#pragma HLS INTERFACE axis port=out",
        "#pragma HLS INTERFACE ap_ctrl_none port=return",
        "#pragma HLS DATAFLOW",
        *[f'    hls::stream<{s.word}, depth_{s.name}> {s.name}("{s.name}");' for s in flow.streams],
        *[f"    {j.process.name}_process({', '.join(j.streams)});" for j in flow.joined],
        "}",
        "",
        "#else",
        "",
        "// C simulation: the state outlives the call, as it does in hardware.",
        "void srcnn_top(hls::stream<beat_t>& in, hls::stream<beat_t>& out) {",
        "    static srcnn_core core;",
        "    core.run(in, out);",
        "}",
        "",
        "#endif",
        "",
    ]
    return "\n".join(lines)


def _generated(config):
    return f"// The dataflow of {config.network.name} on {config.board}. Generated by hls/generate/top.py."


def _clock(joined, depth):
    """The line that clocks a process: it steps if its FIFOs have room."""
    room = (
        " && ".join(f"{name}.size() < {depth[name]}" for name in joined.streams[joined.reads :] if name in depth)
        or "true"
    )
    return [
        f"        any |= clock({room},",
        f"                     {', '.join((joined.process.name + '_process', *joined.streams))});",
    ]


def _adds(process):
    return isinstance(process, AddProcess)


def _listed(name, each, entries):
    """A macro that calls another one for each entry."""
    return [f"#define SRCNN_{name}({each}) \\", *[f"    {each}({entry}) \\" for entry in entries], ""]


def _described(process):
    given, made = process.in_word, process.out_word
    skip = f", {process.skip_word.values}, {process.skip_word.bits}" if _adds(process) else ""
    return f"{process.name}, {given.values}, {given.bits}, {made.values}, {made.bits}, {str(made.signed).lower()}{skip}"
