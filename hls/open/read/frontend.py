"""C++ -> LLVM IR, unoptimised, with debug information.

The debug information is more than file and line: it tells the names, widths and places of a kernel's members and
of what its streams carry (`debug_info.py`), which LLVM's own types no longer know.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hls.open.errors import Refused

OPEN = Path(__file__).resolve().parents[1]
INCLUDE = OPEN / "include"  # what stands in for AMD's headers
LIBRARY = OPEN / "lib"  # headers of its own, for any compiler
TARGET = "x86_64-linux-gnu"  # fixed, so that every machine gives the same IR
FLAGS = [
    "-target",
    TARGET,
    "-mcpu=baseline",
    "-std=c++17",
    "-O1",
    "-Xclang",
    "-disable-llvm-passes",
    "-g",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-sanitize=all",
    "-nostdinc++",
    "-fno-threadsafe-statics",
    "-Wno-unknown-pragmas",
    "-Wno-unused-command-line-argument",
    "-Wno-unused-label",
    "-DHLS_OPEN_RTL",
]

PREAMBLE = """\
inline void* operator new(__SIZE_TYPE__, void* place) noexcept { return place; }
template <class K, class R, class B, class... A> constexpr auto hls_open_member_of(R (B::*step)(A...)) {
    return static_cast<R (K::*)(A...)>(step);
}
template <class K, class R, class B, class... A> constexpr auto hls_open_member_of(R (B::*step)(A...) const) {
    return static_cast<R (K::*)(A...) const>(step);
}
"""
# `step` tells the function and, if a base has it, where that base lies. `reset` constructs the object in place: what
# it stores are the state's values after reset. `object` tells LLVM's type of the kernel.
KERNEL = """\
using hls_open_kernel_{name} = {type};
extern const auto hls_open_step_{name} =
    hls_open_member_of<hls_open_kernel_{name}>(&hls_open_kernel_{name}::step);
extern "C" void hls_open_reset_{name}(hls_open_kernel_{name}* kernel) {{ new ((void*)kernel) hls_open_kernel_{name}; }}
extern "C" hls_open_kernel_{name} hls_open_object_{name};
extern "C" void* hls_open_address_{name}() {{ return &hls_open_object_{name}; }}
"""


def translation_unit(source: str, kernels: dict[str, str]) -> str:
    """Return the C++ that clang gets: `source`, then one step and one reset function per kernel.

    Parameters
    ----------
    source : str
        C++ text that defines the kernels, usually one `#include`.
    kernels : dict
        name -> C++ type, for example `{"fir": "dsp::fir_stage<16>"}`.
    """
    for name in kernels:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise Refused(f"'{name}' can't name a kernel; use letters, digits and underscores")
    parts = [KERNEL.format(name=name, type=kind) for name, kind in kernels.items()]
    return PREAMBLE + source + "\n" + "\n".join(parts)


def compile_cpp(
    source: str,
    kernels: dict[str, str],
    include: Sequence[str | Path] = (),
    directory: str | Path = "build/open",
) -> str:
    """Return the LLVM IR (text) of the kernels in `source`.

    Parameters
    ----------
    source, kernels
        As in `translation_unit`.
    include : sequence of path-like
        Folders for `#include`, before this package's own.
    directory : path-like
        Where the translation unit is written.

    Raises
    ------
    Refused
        With clang's own messages, if the C++ is wrong or uses what the models of ap_int and stream don't offer.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    unit = directory / "kernels.cpp"
    unit.write_text(translation_unit(source, kernels))
    return emit_llvm(unit, include, directory)


def emit_llvm(
    source: str | Path,
    include: Sequence[str | Path] = (),
    directory: str | Path = "build/open",
    flags: Sequence[str] = (),
) -> str:
    """Return clang's unoptimised LLVM IR (text) of a C++ file; `flags` are added to `FLAGS`."""
    if importlib.util.find_spec("ziglang") is None:
        raise Refused("the open route needs the package ziglang (clang); run `make setup`")
    output = Path(directory) / (Path(source).stem + ".ll")
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "c++",
        *FLAGS,
        *flags,
        *(f"-I{folder}" for folder in include),
        f"-I{LIBRARY}",
        f"-I{INCLUDE}",
        "-S",
        "-emit-llvm",
        "-o",
        str(output),
        str(source),
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise Refused("clang refuses the kernels:\n" + result.stderr[:4000])
    return output.read_text()
