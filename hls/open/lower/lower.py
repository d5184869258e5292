"""An optimised LLVM function -> `Step`, a dataflow graph with channel operations.

Blocks are visited in topological order. Each has a predicate; where blocks join, values and memory are selected;
a call to a stream or a RAM becomes an access with the block's predicate. Nothing of control flow is left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hls.open.dataflow.graph import Graph
from hls.open.dataflow.passes.narrow import narrow
from hls.open.dataflow.passes.sums import balance_sums
from hls.open.dataflow.passes.verify import verify_step
from hls.open.dataflow.step import Check, Port, Register, Step
from hls.open.errors import Refused
from hls.open.lower.control_flow import ControlFlow
from hls.open.lower.exclusive import exclusive
from hls.open.lower.instructions import Instructions
from hls.open.lower.memory import Memory, MemoryAccess
from hls.open.names import interface
from hls.open.read.llvm_types import Types
from hls.open.read.verify import verify_layout

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node
    from hls.open.lower.memory import Condition
    from hls.open.read.debug_info import DebugInfo
    from hls.open.read.llvm_text import Function, Instruction, Module


@dataclass(frozen=True)
class Access:
    """One access of a step to a stream ("in", "out") or a RAM ("read", "write"): where, when, and what goes there."""

    kind: str
    name: str
    block: str
    where: str  # file:line
    width: int
    predicate: Node
    data: Node | None = None
    address: Node | None = None
    depth: int = 0
    site: str = ""  # id of the call's place in the source: copies of it have the same
    chosen: bool = False  # not made whenever its block runs: one of several rams


class Lowering:
    """Lowers one function.

    `joins` is true for a function that joins processes and computes nothing (`top.py`).

    Parameters
    ----------
    module : llvm_text.Module
    debug : DebugInfo
    function : llvm_text.Function
        Its first parameter is the kernel's object, or the base of it that the function is a member of; the others are
        streams.
    graph : Graph
    kind : str
        Id of the kernel's type.
    offset : int
        Where that base lies in the object.
    """

    joins = False

    def __init__(
        self, module: Module, debug: DebugInfo, function: Function, graph: Graph, kind: str, offset: int = 0
    ) -> None:
        self.module, self.debug, self.function, self.graph = module, debug, function, graph
        self.types = Types(module.types)
        self.memory = MemoryAccess(graph)
        self.place = debug.place(function.debug)  # file:line of the function
        parameters = debug.parameters(function.debug)
        if len(parameters) != len(function.parameters):
            raise Refused("step has parameters without names: name all of step's parameters", self.place)
        self.layout = debug.layout(kind)
        self.base = offset
        self.this = Memory(
            "this",
            self.layout.size,
            self.layout.cells,
            [graph.input(f"state_{x.name}", x.width) for x in self.layout.cells],
            self.layout.arrays,
            self.layout.rams,
        )
        self.streams = {}  # parameter -> (name, Layout of what it carries)
        for (_, value), (name, kind) in zip(function.parameters[1:], parameters[1:]):
            kind = debug.strip(kind)
            if not debug.node(kind).get("name", "").startswith("stream<"):
                raise Refused(
                    f"parameter '{name}' of step is no hls::stream: pass data through streams or members", self.place
                )
            interface(name, "a stream", self.place)
            self.streams[value] = (name, debug.layout(debug.template_arguments(kind)[0]))
        self.memories = [self.this]
        self.accesses = []
        self.independent = set()  # names of RAMs that the kernel makes this promise for
        self.checks = {}  # Check -> None: each once, in their order

    def run(self) -> dict[tuple[str, int], Node]:
        """Lower all blocks; return the state of memory at the end."""
        self.control = ControlFlow(self.function.blocks, self.graph, self._condition, self._where_block)
        self.instructions = Instructions(self)
        self.memory.know(self.memories)
        self.conditions, self.states = {}, {}
        self._promises()
        ends = []
        for name in self.control.order:
            block = self.control.by_name[name]
            self.control.enter(name)
            edges = self.control.edges[name]
            state = self.memory.merge(self.control, name, [self.states[p] for p, _ in edges]) if edges else {}
            for instruction in block.instructions:
                self.instructions.lower(instruction, name, state)
            self.states[name] = state
            self.conditions[name] = self.instructions.branch_conditions(block.instructions[-1])
            if block.instructions[-1].op == "ret":
                ends.append(name)
        if not ends:
            raise Refused(
                "step never returns: a loop runs for ever; one iteration is one step",
                self._where_block(self.function.blocks[0]),
            )
        final = self.states[ends[-1]]
        for name in ends[-2::-1]:  # several returns: exactly one of them is reached
            keys = set(final) | set(self.states[name])
            final = {
                k: self.graph.select(
                    self.control.predicate[name], self._cell(self.states[name], k), self._cell(final, k)
                )
                for k in keys
            }
        return final

    def _promises(self):
        """Find the RAMs that are promised to be independent, wherever in the step that is said."""
        found = [i for block in self.function.blocks for i in block.instructions]
        made = {i.name: i for i in found if i.op == "getelementptr"}
        for call in (i for i in found if i.op == "call" and i.extra["callee"] == "hls_open_ram_independent"):
            chain, name = [], call.operands[0]
            while name in made:
                chain.append(made[name])
                name = made[name].operands[0]
            for instruction in [*reversed(chain), call]:
                self.instructions.lower(instruction, self.control.entry, {})

    def _cell(self, state, key):
        return state.get(key) or next(m for m in self.memories if m.name == key[0]).initial[key[1]]

    def _condition(self, block, index):
        return self.conditions[block.name][index]

    def _where_block(self, block):
        places = [self.where(i) for i in block.instructions if i.debug]
        return next((place for place in places if not place.endswith(":0")), self.place)

    def where(self, instruction: Instruction) -> str:
        place = self.debug.location(instruction.debug) if instruction.debug else ""
        return self.place if not place or place.endswith(":0") else place

    def access(
        self,
        kind: str,
        name: str,
        block: str,
        where: str,
        width: int,
        data: Node | None = None,
        address: Node | None = None,
        depth: int = 0,
        site: str = "",
        condition: Node | None = None,
    ) -> Node | None:
        """Note an access to a stream or RAM, of its block under a condition; return the node of what comes in, if
        anything does.
        """
        predicate, chosen = self.control.predicate[block], condition is not None
        if chosen:
            predicate = self.graph.and_(predicate, condition)
        self.accesses.append(Access(kind, name, block, where, width, predicate, data, address, depth, site, chosen))
        return self.graph.input(f"{kind}_{name}", width) if kind in ("in", "read") else None

    def check(self, block: str, condition: Condition, where: str) -> None:
        """Note what has to hold when a block runs; refused if it never does."""
        predicate = self.control.predicate[block]
        if condition.ok.op == "literal" and condition.ok.attr or predicate.op == "literal" and not predicate.attr:
            return
        if condition.ok.op == predicate.op == "literal":
            raise Refused(condition.what, where)
        self.checks[Check(predicate, condition.ok, where, condition.what)] = None

    def ports(self) -> list[Port]:
        """Return one `Port` per stream and RAM port: accesses on different paths share it."""
        found = {}
        for access in self.accesses:
            found.setdefault((access.kind, access.name), []).append(access)
        return [self._port(kind, name, group) for (kind, name), group in found.items()]

    def _port(self, kind, name, group):
        for i, a in enumerate(group):
            for b in group[:i]:
                together = self.control.reaches(b.block, a.block) or self.control.reaches(a.block, b.block)
                if together and not exclusive(a.predicate, b.predicate):
                    raise Refused(self._twice(kind, name, a, b), a.where)
        first, select = group[0], self.graph.select
        port = Port(name, kind, first.width, first.predicate, first.data, first.address, first.depth)
        port.where, port.independent = first.where, kind in ("read", "write") and name in self.independent
        for a in group[1:]:
            port.predicate = self.graph.or_(port.predicate, a.predicate)
            port.data = a.data and select(a.predicate, a.data, port.data)
            port.address = a.address and select(a.predicate, a.address, port.address)
        if kind in ("in", "read"):
            port.data = self.graph.input(f"{kind}_{name}", port.width)
        return port

    def _twice(self, kind, name, a, b):
        what = {"in": "is read", "out": "is written", "read": "is read", "write": "is written"}[kind]
        if a.site and a.site == b.site:
            return (
                f"'{name}' {what} by several iterations of a loop, which all belong to one step: note in the loop "
                "which one it is and access once after it, or make one iteration one step"
            )
        return (
            f"'{name}' {what} twice in one step (also at {b.where}): one access per step, keep the value in a variable "
            "or use another step; accesses whose conditions exclude each other are allowed"
        )


@dataclass(frozen=True)
class Symbols:
    """What a kernel's parts are called in LLVM: the constant with its step, its reset function, an object of it."""

    step: str
    reset: str
    object: str


def symbols_of(module: Module, name: str) -> Symbols:
    """Return the `Symbols` of a kernel that `frontend.translation_unit` has named."""
    step = next((key for key in module.globals if re.fullmatch(rf"(_ZL\d+)?hls_open_step_{name}", key)), "")
    return Symbols(step, f"hls_open_reset_{name}", f"hls_open_object_{name}")


def lower_kernel(
    module: Module,
    debug: DebugInfo,
    name: str,
    keep_unused: bool = False,
    symbols: Symbols | None = None,
    resets: dict[str, int] | None = None,
) -> Step:
    """Return the `Step` of a kernel.

    Parameters
    ----------
    module : llvm_text.Module
    debug : DebugInfo
    name : str
        As given to `frontend.translation_unit`, which has named the kernel's functions after it.
    keep_unused : bool
        Accept streams that are never accessed; otherwise they are refused.
    symbols : Symbols, optional
        Where its parts have other names.
    resets : dict, optional
        Member -> its value after a reset, instead of those that the default constructor gives.
    """
    symbols = symbols or symbols_of(module, name)
    pointer = module.globals[symbols.step][1] if symbols.step else ""
    target = re.search(r'@("[^"]*"|[\w.$]+).*i64 (-?\d+) \}', pointer)
    if not target or target.group(1).strip('"') not in module.functions:
        raise Refused(f"kernel '{name}' has no step function of its own")
    graph = Graph()
    kind = debug.parameters(module.functions[symbols.reset].debug)[0][1]
    function = module.functions[target.group(1).strip('"')]
    lowering = Lowering(module, debug, function, graph, kind, int(target.group(2)))
    verify_layout(lowering.layout, lowering.types, module.globals[symbols.object][0])
    final = lowering.run()
    step = Step(name, graph)
    reset = _reset_values(module, debug, symbols.reset)
    if resets is not None:
        reset = [resets[cell.name] for cell in lowering.layout.cells]
    for i, cell in enumerate(lowering.layout.cells):
        value = lowering.this.initial[i]
        step.registers.append(Register(cell.name, cell.width, value, final.get(("this", i), value), reset[i]))
    step.ports = lowering.ports()
    step.checks = list(lowering.checks)
    step.words = dict(lowering.streams.values())
    step.streams = tuple(step.words)
    step.memories = {ram.name: ram for ram in lowering.layout.rams}
    unused = set(step.streams) - {p.name for p in step.ports if p.direction in ("in", "out")}
    if unused and not keep_unused:
        raise Refused(
            f"kernel '{name}' never uses its stream '{sorted(unused)[0]}': remove the parameter", lowering.place
        )
    balance_sums(step)
    narrow(step)
    verify_step(step, [cell.name for cell in lowering.layout.cells])
    return step


def _reset_values(module, debug, symbol):
    """Values of the state after its constructor, which must be constants; what it leaves open is 0."""
    graph = Graph()
    function = module.functions[symbol]
    lowering = Lowering(module, debug, function, graph, debug.parameters(function.debug)[0][1])
    final = lowering.run()
    for access in lowering.accesses:  # of a RAM: there are no streams
        raise Refused(
            f"ram '{access.name}' in a constructor: a reset leaves a ram as it is, and its words are 0 at the start; "
            f"write it in steps",
            access.where,
        )
    values = []
    for i, cell in enumerate(lowering.layout.cells):
        node = final.get(("this", i))
        if node is None or node.op == "input":
            values.append(0)
        elif node.op == "literal":
            values.append(node.attr)
        else:
            raise Refused(f"the reset value of member '{cell.name}' is no constant: initialise it with one")
    return values
