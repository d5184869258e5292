"""The top's dataflow, read from its C++: which kernels, which streams, how deep.

The top is a function that declares `hls::stream<T, DEPTH>` objects and calls one process per stage; a process
declares a kernel object and calls `run(kernel, streams...)`, as Vitis HLS wants it for free-running dataflow. Both are
read from clang's unoptimised IR, whose names are those of the source.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hls.open.errors import Refused
from hls.open.read.debug_info import DebugInfo
from hls.open.read.frontend import emit_llvm
from hls.open.read.llvm_text import parse_module

FUNCTION = r"^define [^@]*@{symbol}\(([^\n]*)\{{\n(.*?)^\}}"


@dataclass(frozen=True)
class Process:
    """A stage of the top: its name, its kernel's C++ type, and the top's streams in the order of `step`'s
    parameters.
    """

    name: str
    kernel: str
    streams: tuple


@dataclass(frozen=True)
class Top:
    """A dataflow top: its ports (streams that come from outside), its processes, the depths of its streams."""

    name: str
    ports: tuple
    processes: tuple
    depths: dict


def read_top(
    source: str | pathlib.Path,
    name: str,
    include: Sequence[str | pathlib.Path] = (),
    directory: str | pathlib.Path = "build/open",
) -> Top:
    """Read the dataflow of function `name` from a C++ file.

    Parameters
    ----------
    source : path-like
    name : str
    include : sequence of path-like
    directory : path-like
        Where the IR is written.

    Returns
    -------
    Top

    Raises
    ------
    Refused
        If the function is not a dataflow of processes.
    """
    text = emit_llvm(source, include, directory, ("-D__SYNTHESIS__", "-fno-discard-value-names"))
    debug = DebugInfo(parse_module(text).metadata)
    _, parameters, body = _function(text, rf"_Z{len(name)}{name}\w*", f"the top function '{name}'")
    depths = {
        stream: int(depth)
        for depth, stream in re.findall(r"@_ZN3hls6stream\w*?Li(\d+)EEC[12]EPKc\(ptr[^%]*%(\w+)", body)
    }
    processes = []
    for symbol, arguments in re.findall(r"call void @(_ZL?\d+\w+)\((.*?)\)(?:,| #|$)", body, re.M):
        streams = tuple(_origin(body, argument) for argument in re.findall(r"%([\w.]+)", arguments))
        processes.append(_process(text, debug, symbol, streams))
    ports = tuple(re.findall(r"%(\w+)", parameters))
    if not processes:
        raise Refused(f"'{name}' calls no process: write one function per stage that takes hls::stream references")
    unknown = sorted({s for p in processes for s in p.streams} - set(ports) - set(depths))
    if unknown:
        raise Refused(
            f"stream '{unknown[0]}' of '{name}' has no name and depth: declare it as hls::stream<T, DEPTH> "
            f'{unknown[0]}("{unknown[0]}")'
        )
    return Top(name, ports, tuple(processes), depths)


def _function(text, symbol, what):
    found = re.search(FUNCTION.format(symbol=f"({symbol})"), text, re.M | re.S)
    if not found:
        raise Refused(f"{what} is not defined in this file")
    return found.groups()


def _origin(body, value):
    """Return the variable that a value was loaded from: references are passed through a local `<name>.addr`."""
    found = re.search(rf"^  %{re.escape(value)} = load ptr, ptr %([\w.]+?)(?:\.addr)?,", body, re.M)
    return found.group(1) if found else value


def _process(text, debug, symbol, streams):
    name = re.match(r"_ZL?(\d+)", symbol)
    name = symbol[name.end() : name.end() + int(name.group(1))]
    _, parameters, body = _function(text, re.escape(symbol), f"process '{name}'")
    outer = dict(zip(re.findall(r"%(\w+)", parameters), streams))
    declared = re.search(r"#dbg_declare\(ptr %stage, (!\d+)", body)
    called = re.search(r"call void @_ZN\w*?3run\w*\((.*?)\)(?:,| #|$)", body, re.M)
    if not declared or not called:
        raise Refused(f"process '{name}' has to declare its kernel as `stage` and call run(stage, streams...)")
    kernel = debug.type_name(debug.node(declared.group(1))["type"])
    inner = [_origin(body, value) for value in re.findall(r"%([\w.]+)", called.group(1))]
    return Process(name, kernel, tuple(outer[stream] for stream in inner[1:]))
