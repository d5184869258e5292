"""C++ names out of mangled ones, and what to say of calls and instructions that have no place in a step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TEXT = (
    "printf",
    "puts",
    "putchar",
    "fprintf",
    "fputs",
    "fputc",
    "fwrite",
    "putc",
    "puts_unlocked",
    "vprintf",
    "sprintf",
)
MEMORY = {
    "_Znwm": "new",
    "_Znam": "new",
    "_ZdlPv": "delete",
    "_ZdaPv": "delete",
    "_ZdlPvm": "delete",
    "_ZdaPvm": "delete",
}
MEMORY |= {name: name for name in ("malloc", "calloc", "realloc", "free", "aligned_alloc")}
CHECKS = {
    "__assert_fail": "assert",
    "abort": "abort",
    "exit": "exit",
    "llvm.trap": "a trap",
    "llvm.ubsantrap": "a trap",
}
CHECKS |= {"llvm.debugtrap": "a trap"}

FLOATS = {"fadd", "fsub", "fmul", "fdiv", "frem", "fneg", "fcmp", "fpext", "fptrunc"}
FLOATS |= {"sitofp", "uitofp", "fptosi", "fptoui"}


def plain_name(symbol: str) -> str:
    """Return the C++ name in an Itanium mangled symbol: namespaces and classes, without arguments."""
    if not symbol.startswith("_Z"):
        return symbol
    if symbol.startswith("_ZZ"):  # a static variable of a function: its own name is at the end
        for number in re.finditer(r"\d+", symbol):
            end = number.end() + int(number.group())
            if re.fullmatch(r"(_\d*)?(\.\d+)?", symbol[end:]) and end <= len(symbol):
                return symbol[number.end() : end]
    parts, at = [], 2
    while at < len(symbol):
        number = re.match(r"\d+", symbol[at:])
        if number:
            at += number.end()
            parts.append(symbol[at : at + int(number.group())])
            at += int(number.group())
        elif symbol[at] in "NKLVRO":
            at += 1
        else:
            break
    return "::".join(parts) or symbol


def refused_call(symbol: str, defined: Mapping[str, Any]) -> str:
    """Return why a function can't be called in a step, and what to write instead.

    Parameters
    ----------
    symbol : str
        Its mangled name.
    defined : dict
        Mangled name -> llvm_text.Function, of all that the file defines.
    """
    name = plain_name(symbol)
    if symbol in TEXT:
        return f"'{name}' in a step: what prints belongs in the testbench, or between #ifndef HLS_OPEN_RTL and #endif"
    if symbol in MEMORY:
        return f"memory from '{MEMORY[symbol]}' in a step: use members, or arrays of a constant size"
    if symbol in CHECKS:
        return (
            f"{CHECKS[symbol]} in a step: hardware can't stop; check in the testbench, or put it between #ifndef "
            "HLS_OPEN_RTL and #endif"
        )
    if symbol.startswith("llvm.va_"):
        return refused_instruction("va_arg")
    if symbol.startswith("llvm.vector."):
        return "a vector in a step: use arrays, each element is a register of its own"
    if symbol.startswith("llvm.stack"):
        return "an array of a computed size: use a constant size"
    if symbol.startswith("llvm."):
        return f"the LLVM intrinsic '{symbol}' has no place in a step, which computes with integers"
    if symbol in defined and any(kind == "..." for kind, _ in defined[symbol].parameters):
        return refused_instruction("va_arg")
    if symbol in defined:
        return (
            f"'{name}' can't be inlined, which is so for recursion: write a loop with a constant bound, or one "
            "iteration per step with the state in members"
        )
    return f"a call of '{name}', which is not defined: a step calls only functions that headers define"


def refused_instruction(op: str) -> str:
    """Return why an LLVM instruction has no place in a step, in words of C++."""
    if op in (
        "fadd",
        "fsub",
        "fmul",
        "fdiv",
        "frem",
        "fneg",
        "fcmp",
        "sitofp",
        "uitofp",
        "fptosi",
        "fptoui",
        "fpext",
        "fptrunc",
    ):
        return "floating point in a step: compute with integers, scaled by a power of two"
    if op in ("extractelement", "insertelement", "shufflevector"):
        return "a vector in a step: use arrays, each element is a register of its own"
    if op in ("atomicrmw", "cmpxchg", "fence"):
        return "an atomic operation in a step: nothing else has access to a kernel's members, use plain ones"
    if op in ("ptrtoint", "inttoptr", "addrspacecast"):
        return "an address used as a number: use members and indices"
    if op in ("indirectbr", "callbr"):
        return "a goto to a computed label: use a switch"
    if op in ("invoke", "landingpad", "resume", "cleanupret", "catchret", "catchswitch", "catchpad"):
        return "an exception in a step: hardware can't throw, return a status"
    if op == "va_arg":
        return "a function with a variable number of arguments: use a template (class... T)"
    return f"the LLVM instruction '{op}' has no place in a step"
