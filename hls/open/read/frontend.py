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
    "-Xclang",
    "-fno-use-ctor-homing",  # debug information of every class, also of one that is never constructed
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
template <class F> struct hls_open_is_step { static constexpr bool ok = false; };
template <class K, class... S> struct hls_open_is_step<void (K::*)(S...)> { static constexpr bool ok = true; };
template <class K, class... S> struct hls_open_is_step<void (K::*)(S...) const> { static constexpr bool ok = true; };
template <class K, class... S> struct hls_open_is_step<void (K::*)(S...) noexcept> { static constexpr bool ok = true; };
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
static_assert(hls_open_is_step<decltype(&hls_open_kernel_{name}::step)>::ok,
              "step of {type} has to be `void step(hls::stream<T>& ...)`, a member, not static, without result");
extern const auto hls_open_step_{name} =
    hls_open_member_of<hls_open_kernel_{name}>(&hls_open_kernel_{name}::step);
extern "C" void hls_open_reset_{name}(hls_open_kernel_{name}* kernel) {{ new ((void*)kernel) hls_open_kernel_{name}; }}
extern "C" hls_open_kernel_{name} hls_open_object_{name};
extern "C" void* hls_open_address_{name}() {{ return &hls_open_object_{name}; }}
"""
TOP = """\
extern const auto hls_open_top_{name} = &{top};
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
    parts = [
        f'#line 1 "{_quoted(name, kind)}"\n' + KERNEL.format(name=name, type=kind) for name, kind in kernels.items()
    ]
    return PREAMBLE + "#line 1\n" + source + "\n" + "\n".join(parts)


def compile_top(
    source: str,
    name: str,
    function: str,
    include: Sequence[str | Path] = (),
    directory: str | Path = "build/open",
) -> str:
    """Return the LLVM IR (text) of a function in `source` that joins processes, with the kernels of these.

    Parameters
    ----------
    source : str
        C++ text that defines the function, usually one `#include`.
    name : str
        What the function is called in the IR.
    function : str
        In C++, for example `my::pipeline<4>`.
    include, directory
        As in `compile_cpp`.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    unit = directory / "top.cpp"
    unit.write_text(
        f'{PREAMBLE}#line 1\n{source}\n#line 1 "{_quoted(name, function)}"\n' + TOP.format(name=name, top=function)
    )
    return emit_llvm(unit, include, directory, ("-D__SYNTHESIS__",))


def _quoted(name, kind):
    """What stands for a file's name where clang complains about the kernel that was asked for."""
    return f"{name}={kind}".replace("\\", "").replace('"', "'").replace("\n", " ")


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
        raise first_error(result.stderr)
    return output.read_text()


# What clang says of a class that is no kernel -> what to write.
NO_KERNEL = {
    r"no member named 'step' in '(.*)'": "{0} has no step: a kernel is a struct with `void step(hls::stream<T>& ...)`",
    r"'step' is a (?:private|protected) member of '(.*)'": "step of {0} is not public",
    r"reference to overloaded function": "step is overloaded or a template: a kernel has one step",
    r"no matching constructor for init.* of 'hls_open_kernel_\w+' \(aka '(.*)'\)": "{0} can't be constructed without "
    "arguments: its reset values come from its default constructor",
    r"abstract class type 'hls_open_kernel_\w+' \(aka '(.*)'\)": "{0} has virtual functions: make what "
    "differs a template parameter",
}


def first_error(text: str) -> Refused:
    """Return clang's first error as one sentence, at the line of the kernel rather than of this package's headers."""
    place = r"^(?P<file>[^\n]+?):(?P<line>\d+):\d+: "
    error = re.search(place + r"(?:fatal )?error: (?P<what>[^\n]*)", text, re.M)
    if not error:
        return Refused(f"clang fails: {(text.strip().splitlines() or ['it says nothing'])[0][:300]}")
    asked = "=" in error["file"] and not Path(error["file"]).exists()  # the kernel as it was asked for, see `_quoted`
    where, what = error["file"] if asked else f"{error['file']}:{error['line']}", error["what"]
    if INCLUDE in Path(error["file"]).parents or LIBRARY in Path(error["file"]).parents:
        following = re.split(place + r"(?:fatal )?error: ", text[error.end() :], maxsplit=1, flags=re.M)[0]
        for note in re.finditer(place + r"note: .*requested here$", following, re.M):
            if not {INCLUDE, LIBRARY} & set(Path(note["file"]).parents):
                where = f"{note['file']}:{note['line']}"
                break
    what = re.sub(r"^static assertion failed(?: due to requirement '[^\n]*?')?: ", "", what)
    for pattern, instead in NO_KERNEL.items():
        found = re.search(pattern, what)
        if found and asked:
            return Refused(instead.format(*found.groups()), where)
    if re.search(r"cannot use '(throw|try)' with exceptions disabled", what):
        what = "an exception in a kernel: hardware can't throw, return a status"
    elif re.search(r"from '(const )?(float|double)' to", what):
        what += ": a kernel has no floating point, scale integers"
    elif re.search(r"use of typeid requires|use of dynamic_cast requires", what):
        what += ": a kernel knows its types when it is compiled"
    elif re.match(r"'(\w+)' file not found$", what):
        what += ": a kernel has no C++ standard library, only the headers of C; or give its folder with -I"
    return Refused(what, where)
