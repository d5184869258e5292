"""The DMA as one C++ program: all kernels, and the merges with their order as an input.

Words of streams are files of hexadecimal numbers, one per line. An order is the sources' numbers of a merge's words.
"""

from __future__ import annotations

import pathlib
import subprocess
import tempfile
from typing import TYPE_CHECKING

from hls.dma import flow
from hls.dma.build import CPP, lowered, source

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step

PARTS = flow.REGISTERS + flow.MOVERS
MERGES = tuple(p.name for p in PARTS if p.kind == "merge")
INPUTS = tuple(p.joins["in"] for p in PARTS if p.kind == "entry")
OUTPUTS = ("lite_r", "lite_b", "interrupts", "ar", "aw", "w", "mm2s")


def program_text(steps: dict[str, Step], head: str) -> str:
    """Return the C++ of the program.

    Parameters
    ----------
    steps : dict
        Kernel -> its lowered `Step`, which knows the layout of words.
    head : str
        What a reference program begins with (`hls/open/check/reference.py`).
    """
    from hls.open.check.reference import transfer

    types, widths, helpers = {}, {}, ""
    for p in PARTS:
        if p.kind == "kernel":
            for port, layout in steps[p.name].words.items():
                stream = p.joins[port]
                if stream not in types:
                    types[stream], widths[stream] = f"{stream}_word", layout.width
                    at = list(steps[p.name].streams).index(port)
                    helpers += f"using {stream}_word = word_at<{at}, decltype(&dma::{p.name}::step)>::type;\n"
                    helpers += transfer(f"{stream}_word", stream, layout)
    for stream, width in flow.OUTSIDE.items():
        types.setdefault(f"{stream}_in", f"ap_uint<{width}>")
        widths.setdefault(f"{stream}_in", width)
    kernels, declared, runs, loads, prints = "", "", "", "", ""
    for stream, kind in types.items():
        declared += f"    static hls::stream<{kind}> {stream};\n"
    for p in PARTS:
        streams = ", ".join(p.joins.values())
        if p.kind == "merge":
            given = [stream for port, stream in p.joins.items() if port != "out"]
            takes = ", ".join(f"hls::stream<{types[s]}>& {s}" for s in given)
            kernels += (
                f"struct {p.name}_merge {{\n    hls_open::merge<{widths[p.name] - 2}> inner;\n"
                f"    void step(hls::stream<ap_uint<2> >& order, {takes}, hls::stream<{types[p.name]}>& out) {{\n"
                f"        inner.step(order, {', '.join(given)}, out);\n    }}\n}};\n"
            )
            declared += f"    static hls::stream<ap_uint<2> > {p.name}_order;\n"
            loads += f'    read_all({p.name}_order, arguments[1], "{p.name}", 2);\n'
            runs += f"    static {p.name}_merge {p.name}_process;\n"
            runs += f"    hls_open::run({p.name}_process, {p.name}_order, {', '.join(given)}, {p.name});\n"
        elif p.kind == "kernel":
            streams = ", ".join(p.joins[port] for port in steps[p.name].streams)
            runs += f"    static dma::{p.name} {p.name}_process;\n    hls_open::run({p.name}_process, {streams});\n"
    for stream in INPUTS:
        inner = f"{stream}_in"
        take = f", take_{inner}" if f"take_{inner}(" in helpers else ""
        loads += f'    read_all({inner}, arguments[1], "{stream}", {widths[inner]}{take});\n'
    for stream in OUTPUTS:
        prints += f'    print_all({stream}, arguments[1], "{stream}", {widths[stream]}, put_{stream});\n'
    return f"""{head}
#include <dataflow.h>
template <class T> static void take_plain(T& x, const unsigned* w) {{ take(x, w, 0, T::width); }}
template <class T>
static void read_all(hls::stream<T>& s, const char* folder, const char* name, int bits,
                     void (*take_word)(T&, const unsigned*) = take_plain<T>) {{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.hex", folder, name);
    load(s, path, bits, take_word);
}}
template <class T>
static void print_all(hls::stream<T>& s, const char* folder, const char* name, int bits,
                      void (*put_word)(const T&, unsigned*)) {{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.out", folder, name);
    FILE* file = fopen(path, "w");
    for (; !s.empty(); fputc('\\n', file)) print(file, s.read(), bits, put_word);
    fclose(file);
}}
{helpers}{kernels}
int main(int, char** arguments) {{
{declared}{loads}{runs}
    for (process* p = processes(); p; p = p->next) {{
        p->restart();
        p->most = 1L << 40;
    }}
    run_all();
{prints}    return 0;
}}
"""


def run_model(words: dict[str, list[int]], address_bits: int = 32) -> tuple[dict[str, list[int]], str]:
    """Return what the C++ sends, given what came in and in which order.

    Parameters
    ----------
    words : dict
        Stream of `INPUTS`, or merge of `MERGES` -> its words, or the numbers of its sources.
    address_bits : int

    Returns
    -------
    sent : dict
        Stream of `OUTPUTS` -> its words.
    what : str
        The compiler and types that ran it.
    """
    from hls.open.check.ap_types import find
    from hls.open.check.reference import ALLOCATE, HEAD, choose_compiler

    compiler = choose_compiler(find(None)[0])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        steps = lowered(address_bits, folder)
        head = HEAD.format(source=source(address_bits), allocate="" if compiler.amd else ALLOCATE)
        program = compiler.program(program_text(steps, head), (CPP,), folder, "dma")
        for stream in (*INPUTS, *MERGES):
            (folder / f"{stream}.hex").write_text("".join(f"{word:x}\n" for word in words[stream]))
        subprocess.run([str(program), name], check=True, timeout=120)
        sent = {s: [int(word, 16) for word in (folder / f"{s}.out").read_text().split()] for s in OUTPUTS}
    return sent, compiler.what
