"""A function that joins processes by streams -> a list of both.

It is lowered as a step is, so that loops, templates, functions and arrays of streams are gone; what is left are the
calls by which `dataflow.h` and `hls_stream.h` tell of processes and streams. The kernel's object is followed, too: what
it holds when its process begins is what a reset gives it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hls.open.dataflow.graph import Graph
from hls.open.errors import Refused
from hls.open.lower.lower import Lowering, Symbols, lower_kernel
from hls.open.lower.memory import Address, Memory, MemoryAccess
from hls.open.lower.offsets import Linear
from hls.open.lower.operands import Stream
from hls.open.names import Names, interface
from hls.open.read.llvm_types import Types

if TYPE_CHECKING:
    from hls.open.read.debug_info import DebugInfo
    from hls.open.read.llvm_text import Function, Instruction, Module


@dataclass(frozen=True)
class Process:
    """A process: its own name, its kernel's, the kernel's C++ type, and what streams step's parameters are."""

    name: str
    kernel: str
    type: str
    streams: tuple


@dataclass
class Top:
    """A dataflow.

    Attributes
    ----------
    name : str
    ports : tuple of str
        Streams that come from outside.
    processes : tuple of Process
        In the order in which they are called.
    depths : dict
        Stream between processes -> words that it was declared with; 0 where nothing was said.
    steps : dict
        Kernel -> Step.
    """

    name: str
    ports: tuple
    processes: tuple
    depths: dict
    steps: dict


@dataclass
class _Call:
    """What is known of a process from its calls."""

    symbols: Symbols
    reset: dict  # member -> its value when the process begins
    where: str
    frames: list  # functions that it was called in, the innermost first
    streams: list = field(default_factory=list)


def lower_top(module: Module, debug: DebugInfo, name: str, text: str) -> Top:
    """Return the `Top` of a function.

    Parameters
    ----------
    module : llvm_text.Module
    debug : DebugInfo
    name : str
        As given to `frontend.top_unit`.
    text : str
        The module as text, for names of variables.

    Raises
    ------
    Refused
        If it is not a dataflow of processes.
    """
    function = module.functions[_target(module, name)]
    lowering = _TopLowering(module, debug, function, _variables(text, function.name, debug))
    lowering.run()
    if not lowering.calls:
        raise Refused(f"'{name}' calls no process: call hls_open::run(kernel, streams...) of dataflow.h")
    ports = tuple(stream for stream, _ in lowering.streams.values())
    streams = lowering.names_of_streams(ports)
    kernels, steps, processes, own = {}, {}, [], Names()
    called = Names()
    for call in lowering.calls:
        kind = debug.parameters(module.functions[call.symbols.reset].debug)[0][1]
        type_name = debug.type_name(debug.strip(kind))
        short = re.sub(r"<.*", "", type_name, flags=re.S).split("::")[-1]
        key = call.symbols, tuple(call.reset.values())
        if key not in kernels:
            kernels[key] = lower_kernel(module, debug, own.take(short), symbols=call.symbols, resets=call.reset)
            steps[kernels[key].name] = kernels[key]
        step = kernels[key]
        if len(call.streams) != len(step.streams):
            raise Refused(
                f"'{short}' has {len(step.streams)} streams, its process gives {len(call.streams)}", call.where
            )
        frames = [frame for frame in call.frames if frame]
        wanted = frames[-1] if frames else short
        bound = tuple(s if isinstance(s, str) else streams[s] for s in call.streams)
        twice = next((s for s in bound if bound.count(s) > 1), None)
        if twice:
            raise Refused(
                f"'{twice}' is two streams of one process: what goes back to a kernel is a member of it", call.where
            )
        processes.append(Process(called.take(wanted), step.name, type_name, bound))
    depths = {streams[key]: depth for key, (depth, _) in lowering.declared.items() if key in streams}
    return Top(name, ports, tuple(processes), depths, steps)


def _target(module, name):
    text = next((t for k, (_, t, _) in module.globals.items() if re.fullmatch(rf"(_ZL\d+)?hls_open_top_{name}", k)), "")
    target = re.search(r'@("[^"]*"|[\w.$]+)', text)
    if not target or target.group(1).strip('"') not in module.functions:
        raise Refused(f"the top '{name}' is no function that is defined here")
    return target.group(1).strip('"')


def _variables(text, symbol, debug):
    """Names of the local variables of a function in C++, also of what was inlined."""
    body = re.search(rf'^define [^\n]*@"?{re.escape(symbol)}"?\([^\n]*\{{\n(.*?)^\}}', text, re.M | re.S)
    found = re.findall(r'#dbg_declare\(ptr (%(?:"[^"]*"|[\w.$-]+)), (!\d+)', body.group(1) if body else "")
    return {value: debug.node(key).get("name", "") for value, key in reversed(found)}


class _TopLowering(Lowering):
    """Lowers a function without an object of its own; notes streams and processes."""

    joins = True

    def __init__(self, module: Module, debug: DebugInfo, function: Function, variables: dict[str, str]) -> None:
        self.module, self.debug, self.function, self.graph = module, debug, function, Graph()
        self.types, self.memory, self.base = Types(module.types), MemoryAccess(self.graph), 0
        self.variables = variables
        self.this = Memory("this", 0, [], [])
        self.memories, self.accesses, self.independent, self.checks = [self.this], [], set(), {}
        self.place = where = debug.place(function.debug)
        parameters = debug.parameters(function.debug)
        if not parameters or len(parameters) != len(function.parameters):
            raise Refused("a top has unused, unnamed or no parameters: name all its streams, and use them", where)
        self.streams = {}
        for (_, value), (name, kind) in zip(function.parameters, parameters):
            kind = debug.strip(kind)
            if not debug.node(kind).get("name", "").startswith("stream<"):
                raise Refused(f"parameter '{name}' of a top is no hls::stream: pass data through streams", where)
            interface(name, "a stream", where)
            self.streams[value] = (name, None)
        self.declared = {}  # (memory, offset) -> (depth, name)
        self.calls = []

    def note_stream(self, i: Instruction) -> None:
        """A stream was declared."""
        depth = self.instructions.operand(i.operands[1], "i32")
        if depth.op != "literal":
            raise Refused("a stream whose depth is no constant", self.where(i))
        self.declared.setdefault(self._place(i, 0), (depth.attr, self._string(i.operands[2])))

    def note_process(self, i: Instruction) -> None:
        """`run` was called for a kernel."""
        predicate = self.control.predicate[self.instructions.block]
        if predicate.op != "literal" or not predicate.attr:
            raise Refused("a process under a condition: what a dataflow consists of is fixed", self.where(i))
        symbols = Symbols(*(text[1:].strip('"') for text in (i.operands[1], i.operands[2], i.operands[3])))
        kernel = self.instructions.operand(i.operands[0], "ptr")
        if not isinstance(kernel, Address) or kernel.memory.constant:
            raise Refused("a process whose kernel is no local variable", self.where(i))
        kind = self.debug.parameters(self.module.functions[symbols.reset].debug)[0][1]
        reset = {}
        for cell in self.debug.layout(kind).cells:
            place = kernel.plus(Linear(cell.offset))
            value = self.graph.slice(self.instructions.load(place, cell.size), 0, cell.width)
            if value.op != "literal":
                raise Refused(f"member '{cell.name}' of a process's kernel begins with no constant", self.where(i))
            reset[cell.name] = value.attr
        self.calls.append(_Call(symbols, reset, self._called_at(i), self._frames(i)))

    def note_process_stream(self, i: Instruction) -> None:
        """... with this stream."""
        stream = self.instructions.operand(i.operands[0], "ptr")
        if isinstance(stream, Stream):
            self.calls[-1].streams.append(stream.name)
            return
        place = self._place(i, 0)
        if place not in self.declared:
            raise Refused("a process with a stream that is no variable of the top", self.where(i))
        self.calls[-1].streams.append(place)

    def names_of_streams(self, ports: tuple[str, ...]) -> dict[tuple[str, int], str]:
        """Return {place: name} of the streams between processes: what they were given, or what their variable is
        called, with a number in an array.
        """
        names = Names(ports, verilog=False)
        result = {}
        sizes = {}
        for memory, _ in self.declared:
            sizes[memory] = sizes.get(memory, 0) + 1
        for number, (place, (_, given)) in enumerate(self.declared.items()):
            variable = self.variables.get(place[0], "") or f"stream_{number}"
            wanted = given or (f"{variable}_{place[1]}" if sizes[place[0]] > 1 else variable)
            result[place] = names.take(re.sub(r"[^A-Za-z0-9_]", "_", wanted))
        return result

    def _place(self, i, operand):
        place = self.instructions.operand(i.operands[operand], "ptr")
        if not isinstance(place, Address) or place.terms or place.memory.name == "nowhere":
            raise Refused("a stream chosen at run time: what a dataflow consists of is fixed", self.where(i))
        return place.memory.name, place.offset

    def _string(self, operand):
        text = self.module.globals.get(operand[1:].strip('"'), ("", "", False))[1]
        found = re.fullmatch(r'c"(.*)\\00"', text)
        return found.group(1) if found else ""

    def _frames(self, i):
        """Functions between the top and `run` that the call was inlined from, the innermost first."""
        found, key = [], i.debug
        while key in self.debug.metadata:
            place = self.debug.node(key)
            scope = self.debug.node(place["scope"])
            while scope["kind"] != "DISubprogram" and scope.get("scope") in self.debug.metadata:
                scope = self.debug.node(scope["scope"])
            found.append(re.sub(r"<.*", "", scope.get("name", ""), flags=re.S))
            key = place.get("inlinedAt")
        return found[1:-1]  # without `run` itself and the top

    def _called_at(self, i):
        place = self.debug.node(i.debug) if i.debug else {}
        outer = place.get("inlinedAt")
        return self.debug.location(outer) if outer else self.where(i)
