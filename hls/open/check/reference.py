"""The C++ itself as the reference: a program that steps kernels as the hardware does, by g++ with AMD's types if there.

A step happens when its inputs are there. One that would read an empty stream hasn't begun: the program takes it back.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.read.frontend import INCLUDE, LIBRARY

if TYPE_CHECKING:
    from hls.open.dataflow.step import Step
    from hls.open.read.layout import Layout

OWN = Path(__file__).resolve().parent / "include"
HEAD = """\
#define HLS_OPEN_CHECK
{allocate}#include <hls_open_check.h>
{source}
using namespace hls_open_check;
"""
# What zig's clang would only find in a C++ library, which takes a minute to compile.
ALLOCATE = """\
#include <stdlib.h>
inline void* operator new[](size_t bytes) { return malloc(bytes); }
inline void* operator new(size_t bytes) { return malloc(bytes); }
inline void operator delete[](void*) noexcept {}
inline void operator delete(void*) noexcept {}
inline void operator delete(void*, size_t) noexcept {}
extern "C" void __cxa_pure_virtual() { abort(); }
"""
KERNEL = """
namespace of_{name} {{
#line 1 "{quoted}"
using kernel_t = {type};
{words}
static void keep(int ram, kernel_t& to, const kernel_t& from) {{
    switch (ram) {{
{rams}    }}
}}
static void run(const char* folder, FILE* epochs, FILE* out) {{
    static kernel_t first, kernel, kept;
    char path[4096];
{declare}{load}    bool written[{count}] = {{}};
    long steps, commits[{ram_count}];
    int last;
    while (fscanf(epochs, "%ld %d", &steps, &last) == 2) {{
        for (int r = 0; r < {rams_there}; r++)
            if (fscanf(epochs, "%ld", &commits[r]) != 1) exit(3);
        memcpy((void*)&kernel, (void*)&first, sizeof kernel);
        for (int r = 0; r < {rams_there}; r++) keep(r, kernel, kept);
        fprintf(out, "epoch\\n");
        long i = 0;
        for (; i < steps; i++) {{
            for (int r = 0; r < {rams_there}; r++)
                if (commits[r] == i) keep(r, kept, kernel);
{before}            if (!try_step(kernel, written, {streams})) break;
            fputc('s', out);
{print}            fputc('\\n', out);
        }}
        for (int r = 0; r < {rams_there}; r++)
            if (commits[r] >= i) keep(r, kept, kernel);
        if (i < steps || (last && !try_step(kernel, written, {streams}))) fprintf(out, "starved\\n");
    }}
}}
}}
"""
MAIN = """
int main(int count, char** arguments) {{
    if (count != 5) return 3;
    FILE *epochs = fopen(arguments[3], "r"), *out = fopen(arguments[4], "w");
    if (!epochs || !out) return 3;
{calls}    return fclose(out) ? 3 : 0;
}}
"""


@dataclass
class Epoch:
    """What a kernel did between two resets: per step a row with a text per stream, and whether it then lacked input.

    Of an input stream the text is "1" where the step read it, else "0"; of an output stream the word in hexadecimal, or
    "-".
    """

    rows: list
    starved: bool = False


@dataclass(frozen=True)
class Compiler:
    """How the reference is compiled: a command, folders of its own types, and the words for it in reports."""

    command: tuple
    folders: tuple
    what: str
    amd: bool

    def program(self, text: str, include: Sequence[str | Path], folder: Path, name: str = "reference") -> Path:
        """Compile C++ text to a program in a folder.

        Raises
        ------
        Refused
            With the compiler's first error.
        """
        source, program = folder / f"{name}.cpp", folder / name
        source.write_text(text)
        folders = (OWN, *self.folders, *include, LIBRARY, INCLUDE)
        command = [*self.command, *(f"-I{path}" for path in folders), str(source), "-o", str(program)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
            raise Refused(f"{self.what} refuses what clang takes: {said[0] if said else 'no message'}")
        return program


def choose_compiler(ap_types: Path | None) -> Compiler:
    """Return g++ with AMD's types if both are there, else clang with this package's, which is a weaker check."""
    flags = ("-std=c++17", "-O1", "-w", "-fno-access-control", "-fno-strict-aliasing", "-fno-threadsafe-statics")
    if ap_types is not None and shutil.which("g++"):
        return Compiler(("g++", *flags), (ap_types,), "g++ with AMD's types", True)
    clang = (sys.executable, "-m", "ziglang", "c++", *flags, "-fno-slp-vectorize", "-fno-sanitize=all")
    clang += ("-nostdinc++", "-nostdlib++", "-fno-exceptions", "-fno-rtti")
    return Compiler(clang, (), "clang with this package's types", False)


def kernels_program(source: str, kernels: dict[str, str], steps: dict[str, Step], compiler: Compiler) -> str:
    """Return the C++ of a program that runs any of the kernels.

    Parameters
    ----------
    source : str
        C++ text that defines them.
    kernels : dict
        name -> C++ type.
    steps : dict
        name -> the lowered `Step`, which knows the layout of words and RAMs.
    compiler : Compiler
    """
    calls = "".join(
        f'    if (!strcmp(arguments[1], "{name}")) of_{name}::run(arguments[2], epochs, out);\n' for name in kernels
    )
    return (
        HEAD.format(source=source, allocate="" if compiler.amd else ALLOCATE)
        + "".join(_kernel(name, kind, steps[name]) for name, kind in kernels.items())
        + MAIN.format(calls=calls)
    )


def _kernel(name, kind, step):
    inputs = {p.name for p in step.ports if p.direction == "in"}
    streams = [f"stream_{i}" for i in range(len(step.streams))]
    words, declare, load, before, show = "", "", "", "", ""
    for i, stream in enumerate(step.streams):
        layout = step.words[stream]
        words += f"using word_{i} = word_at<{i}, decltype(&kernel_t::step)>::type;\n"
        words += transfer(f"word_{i}", str(i), layout)
        declare += f"    hls::stream<word_{i}> stream_{i};\n"
        if stream in inputs:
            load += f'    snprintf(path, sizeof path, "%s/{name}_{stream}.hex", folder);\n'
            load += f"    load(stream_{i}, path, {layout.width}, take_{i});\n"
            before += f"            const size_t size_{i} = stream_{i}.size();\n"
            show += f'            fputs(stream_{i}.size() < size_{i} ? " 1" : " 0", out);\n'
        else:
            show += f'            if (stream_{i}.empty()) fputs(" -", out);\n'
            show += f"            else print(out, stream_{i}.read(), {layout.width}, put_{i});\n"
    rams = "".join(
        f"    case {r}: memcpy((void*)&to{ram.path}, (const void*)&from{ram.path}, sizeof to{ram.path}); break;\n"
        for r, ram in enumerate(step.memories.values())
    )
    return KERNEL.format(
        name=name, type=kind, quoted=f"{name}={kind}".replace("\\", "").replace('"', "'"), words=words, rams=rams,
        declare=declare, load=load, count=max(1, len(streams)), ram_count=max(1, len(step.memories)),
        rams_there=len(step.memories), before=before, streams=", ".join(streams), print=show,
    )  # fmt: skip


def transfer(word: str, number: str, layout: Layout) -> str:
    """Return the C++ of `take_<number>` and `put_<number>`: a word from its bits, and back."""
    take, put, low = "", "", 0
    for cell in layout.cells:
        kind = "_builtin" if cell.builtin else ""
        take += f" take{kind}(x{cell.path}, w, {low}, {cell.width});"
        put += f" put{kind}(x{cell.path}, w, {low}, {cell.width});"
        low += cell.width
    return (
        f"static void take_{number}({word}& x, const unsigned* w) {{{take} }}\n"
        f"static void put_{number}(const {word}& x, unsigned* w) {{{put} }}\n"
    )


def crash(name: str, done: subprocess.CompletedProcess) -> Refused:
    """Return why a reference program came to no end."""
    reason = done.stderr.strip().splitlines()
    code = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return Refused(f"the C++ of '{name}' ends with {code}: {reason[-1] if reason else 'an index out of bounds?'}")


def run(program: Path, name: str, folder: Path, epochs: Sequence[tuple[int, Sequence[int]]]) -> list[Epoch]:
    """Run a kernel of the program from reset to reset.

    Parameters
    ----------
    program : Path
    name : str
        The kernel.
    folder : Path
        With `<kernel>_<stream>.hex` of every input stream.
    epochs : sequence of (int, sequence of int)
        Steps until the next reset, and how many of them had written each RAM by then: the others' writes are lost.

    Returns
    -------
    list of Epoch
    """
    order, out = folder / f"{name}.epochs", folder / f"{name}.rows"
    order.write_text(
        "".join(
            f"{steps} {int(i == len(epochs) - 1)} {' '.join(map(str, commits))}\n"
            for i, (steps, commits) in enumerate(epochs)
        )
    )
    done = subprocess.run([str(program), name, str(folder), str(order), str(out)], capture_output=True, text=True)
    if done.returncode:
        raise crash(name, done)
    result = []
    with open(out) as file:
        for line in file:
            if line.startswith("s "):
                result[-1].rows.append(line.split()[1:])
            elif line.startswith("epoch"):
                result.append(Epoch([]))
            else:
                result[-1].starved = True
    os.remove(out)
    return result
