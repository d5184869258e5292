"""LLVM IR as text -> functions, blocks and instructions: the part of the language that optimised steps use.

A reader of its own, because printing single instructions through the LLVM bindings takes quadratic time and the
bindings don't show metadata. Operands stay text (`%12`, `-3`, `@table`); the lowering gives them meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hls.open.errors import Refused
from hls.open.read.llvm_tokens import split, take_type, value_of
from hls.open.read.names import refused_instruction

FLAGS = {
    "nuw",
    "nsw",
    "exact",
    "disjoint",
    "nneg",
    "samesign",
    "inbounds",
    "nusw",
    "fast",
    "tail",
    "notail",
    "musttail",
    "volatile",
    "atomic",
    "inrange",
}
BINARY = {"add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "shl", "lshr", "ashr", "and", "or", "xor"}
CASTS = {"zext", "sext", "trunc", "bitcast", "freeze"}


@dataclass
class Instruction:
    """One instruction: `name = op type operands`; what else an op needs is in `extra`."""

    op: str
    name: str = None
    type: str = None
    operands: list = field(default_factory=list)  # texts
    extra: dict = field(default_factory=dict)
    debug: str = None  # id of its !DILocation


@dataclass
class Block:
    name: str
    instructions: list = field(default_factory=list)

    @property
    def successors(self) -> list[str]:
        return self.instructions[-1].extra.get("targets", []) if self.instructions else []


@dataclass
class Function:
    name: str
    parameters: list  # (type, name)
    blocks: list
    debug: str = None


@dataclass
class Module:
    functions: dict
    globals: dict  # name -> (type, initialiser text, constant)
    types: dict  # %struct name -> body text
    metadata: dict  # id -> text


def _flags(text):
    flags = set()
    while text.split(None, 1)[0] in FLAGS:
        flag, text = text.split(None, 1)
        flags.add(flag)
    return flags, text


def parse_instruction(line: str) -> Instruction | None:
    """Return the `Instruction` of one line of a function body, or None for a debug record.

    What this reader doesn't know becomes an instruction "refused", whose `extra["what"]` says why: the lowering refuses
    it with the line of the kernel, if control gets there at all.
    """
    text = line.strip()
    if text.startswith("#dbg_"):
        return None
    debug = re.search(r", !dbg (!\d+)", text)
    debug = debug.group(1) if debug else None
    text = re.sub(r"(, ![a-zA-Z_.]+ !\d+)+$", "", text)
    text = re.sub(r" #\d+$", "", text)
    name = None
    assigned = re.match(r'(%(?:"[^"]*"|[\w.$-]+)) = (.*)', text)
    if assigned:
        name, text = assigned.groups()
    op, _, rest = text.partition(" ")
    if op in {"tail", "notail", "musttail"}:
        op, _, rest = rest.partition(" ")
    result = Instruction(op, name, debug=debug)
    reader = _READERS.get(op)
    try:
        if op in BINARY:
            result.extra["flags"], rest = _flags(rest)
            result.type, rest = take_type(rest)
            result.operands = split(rest)
        elif reader:
            reader(result, rest)
        else:
            raise Refused(refused_instruction(op))
    except Refused as refusal:
        return Instruction("refused", name, extra={"what": refusal.what}, debug=debug)
    except (AttributeError, IndexError, TypeError, ValueError):
        what = f"the LLVM instruction '{op}' in a form that is not known here ({text[:100]})"
        return Instruction("refused", name, extra={"what": what}, debug=debug)
    return result


def _cast(out, rest):
    _, rest = _flags(rest)
    if out.op == "freeze":
        out.type, value = take_type(rest)
        out.operands, out.extra["from"] = [value], out.type
        return
    source, out.type = rest.rsplit(" to ", 1)
    out.extra["from"], value = take_type(source)
    out.operands = [value]


def _icmp(out, rest):
    _, rest = _flags(rest)
    out.extra["predicate"], rest = rest.split(None, 1)
    out.extra["from"], rest = take_type(rest)
    out.type, out.operands = "i1", split(rest)


def _select(out, rest):
    parts = [value_of(p) for p in split(rest)]
    out.type, out.operands = parts[1][0], [p[1] for p in parts]


def _load(out, rest):
    flags, rest = _flags(rest)
    if "atomic" in flags:
        raise Refused(refused_instruction("fence"))
    parts = split(rest)
    out.type, out.operands = parts[0], [value_of(parts[1])[1]]


def _store(out, rest):
    flags, rest = _flags(rest)
    if "atomic" in flags:
        raise Refused(refused_instruction("fence"))
    parts = split(rest)
    out.type, value = value_of(parts[0])
    out.operands = [value, value_of(parts[1])[1]]


def _gep(out, rest):
    _, rest = _flags(rest)
    parts = split(rest)
    out.type, out.extra["element"] = "ptr", parts[0]
    out.operands = [value_of(p)[1] for p in parts[1:]]


def _phi(out, rest):
    out.type, rest = take_type(rest)
    pairs = [split(p.strip()[1:-1]) for p in split(rest)]
    out.operands = [p[0] for p in pairs]
    out.extra["from"] = [p[1] for p in pairs]


def _call(out, rest):
    rest = re.sub(
        r"^(?:(?:fastcc|coldcc|noundef|zeroext|signext|nonnull|noalias|range\([^)]*\)|align \d+"
        r"|dereferenceable\(\d+\))\s+)*",
        "",
        rest,
    )
    out.type, rest = take_type(rest)
    if rest.startswith("("):  # the type of a function with variable arguments
        rest = take_type(rest)[1]
    callee = re.match(r'@("[^"]*"|[\w.$-]+)\((.*)\)[^)]*$', rest)
    if rest.startswith("asm "):
        raise Refused("inline assembler in a step: it has no meaning in hardware")
    if not callee:
        raise Refused("a call through a function pointer or of a virtual function: choose with an if or switch")
    out.extra["callee"] = callee.group(1).strip('"')
    arguments = [value_of(p) for p in split(callee.group(2))]
    out.operands = [a[1] for a in arguments]
    out.extra["types"] = [a[0] for a in arguments]


def _br(out, rest):
    parts = split(rest)
    out.extra["targets"] = [p.split()[-1] for p in parts if p.startswith("label")]
    out.operands = [] if parts[0].startswith("label") else [value_of(parts[0])[1]]


def _switch(out, rest):
    head, _, cases = rest.partition("[")
    value, default = split(head.strip())
    out.type, text = value_of(value)
    out.operands = [text]
    pairs = re.findall(r"i\d+ (-?\d+|true|false), label (%(?:\"[^\"]*\"|[\w.$-]+))", cases)
    out.extra["targets"] = [default.split()[-1]] + [p[1] for p in pairs]
    out.extra["values"] = [p[0] for p in pairs]


def _ret(out, rest):
    out.type, value = value_of(rest) if rest.strip() != "void" else ("void", "")
    out.operands = [value] if value else []


def _alloca(out, rest):
    parts = split(rest)
    out.type = parts[0]
    if len(parts) > 1 and not parts[1].startswith(("align", "addrspace")):
        raise Refused("an array of a computed size: use a constant size")


def _extract(out, rest):
    parts = split(rest)
    kind, value = value_of(parts[0])
    if out.op == "extractvalue":
        out.extra["from"], out.operands, out.extra["index"] = kind, [value], [int(p) for p in parts[1:]]
    else:
        out.type, out.extra["index"] = kind, [int(p) for p in parts[2:]]
        out.operands = [value, value_of(parts[1])[1]]


_READERS = {
    **dict.fromkeys(CASTS, _cast),
    "icmp": _icmp,
    "select": _select,
    "load": _load,
    "store": _store,
    "getelementptr": _gep,
    "phi": _phi,
    "call": _call,
    "br": _br,
    "switch": _switch,
    "ret": _ret,
    "alloca": _alloca,
    "extractvalue": _extract,
    "insertvalue": _extract,
    "unreachable": lambda out, rest: None,
}


def parse_module(text: str) -> Module:
    """Return the `Module` of LLVM IR text."""
    module = Module({}, {}, {}, {})
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("define "):
            function = _parse_function(line, lines)
            if function:
                module.functions[function.name] = function
        elif line.startswith("!") and " = " in line:
            key, _, value = line.partition(" = ")
            module.metadata[key] = value.removeprefix("distinct ")
        elif line.startswith("@"):
            key, _, value = line.partition(" = ")
            match = re.search(r"\b(global|constant) (.*)", value)
            if match:
                kind, rest = take_type(match.group(2))
                rest = split(rest)[0] if rest else ""
                module.globals[key[1:].strip('"')] = (kind, rest, match.group(1) == "constant")
        elif line.startswith("%") and " = type " in line:
            key, _, value = line.partition(" = type ")
            module.types[key] = value
    return module


def _parse_function(line, lines):
    match = re.search(r'@("[^"]*"|[\w.$]+)\((.*)\)([^()]*)\{$', _without_attributes(line))
    debug = re.search(r"!dbg (!\d+)", line)
    if not match:  # no function of C++ looks so
        return None
    parameters = []
    for i, text in enumerate(split(match.group(2))):
        name = re.search(r'%(?:"[^"]*"|[\w.$-]+)$', text)
        parameters.append((take_type(text)[0], name.group(0) if name else f"%{i}"))
    unnamed = sum(name[1:].isdigit() for _, name in parameters)
    blocks = [Block(f"%{unnamed}")]
    for line in lines:
        if line == "}":
            break
        label = re.match(r'("[^"]*"|[\w.$-]+):', line)
        if label:
            blocks.append(Block("%" + label.group(1)))
            if len(blocks) == 2 and not blocks[0].instructions:
                blocks.pop(0)  # the entry block had a name
            continue
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        if line.lstrip().startswith("switch"):
            while not re.search(r"\](, |$)", line):
                line += " " + next(lines).strip()
        instruction = parse_instruction(line)
        if instruction:
            blocks[-1].instructions.append(instruction)
    return Function(match.group(1).strip('"'), parameters, blocks, debug.group(1) if debug else None)


def _without_attributes(line):
    """`define` lines end in attribute groups, comdat, metadata: keep them out of the parameter list's match."""
    return re.sub(r"\)([^()]*(?:comdat(?:\([^)]*\))?[^()]*)?)\{$", r")\1{", re.sub(r"comdat\([^)]*\)", "comdat", line))
