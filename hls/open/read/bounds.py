"""What C++ knows of an index, kept for the lowering: in which array it has to be.

clang's unoptimised IR has a typed `getelementptr [N x T], ptr, i64 0, i64 %i` for every subscript of an array; the
optimiser then turns it into arithmetic on bytes, from which the array can't be told any more. So each such index goes
through a call of an undefined function, `hls_open_within.N`(i), whose value is i and which nothing looks into. (N is
part of its name: calls of one function with several N could be merged.) An index that becomes a constant inside of its
array, as in an unrolled loop, is taken as it is: `llvm.is.constant` lets LLVM do that where it happens, so that its
passes see what they would have seen without any of this.

A constant outside stays a call: what an optimiser may do with an address that it knows to be in the object, but not in
the array, must not hide it.
"""

from __future__ import annotations

import re

from hls.open.read.llvm_tokens import split, value_of
from hls.open.read.llvm_types import Types

WITHIN = "hls_open_within."
KNOWN = "llvm.is.constant.i64"
_EFFECTS = "nounwind willreturn speculatable nocallback nofree nosync memory(none)"
_SUBSCRIPT = re.compile(r"^( +%\S+ = getelementptr (?:inbounds |nuw |nusw )*)([^,]*\[\d+ x .*, i64 .*)$")
_DEBUG = re.compile(r"(?:, ![a-zA-Z_.]+ !\d+)+$")
_CALL = re.compile(rf"^( +%\S+ = )(?:tail |notail )?call i64 @{re.escape(WITHIN)}(\d+)\(i64 (\d+)\).*$", re.M)


def bound_indices(ir: str) -> str:
    """Return the IR (text, unoptimised) with every subscript of an array wrapped that is computed or out of bounds."""
    types = Types(dict(re.findall(r"^(%\S+|%\"[^\"]*\") = type (.*)$", ir, re.M)))
    source, lines, number, counts = ir.splitlines(), [], 0, set()
    for at, line in enumerate(source):
        found = _SUBSCRIPT.match(line) if "getelementptr" in line else None
        if found:
            debug = _DEBUG.search(found.group(2))
            debug = debug.group(0) if debug else ""
            parts = split(found.group(2).removesuffix(debug))
            for place, count in _subscripts(parts, types):
                index = value_of(parts[place])[1]
                if index == str(count) and _is_end(line, source[at + 1 :]):
                    continue
                lines += [text + debug for text in _wrapped(f"%within.{number}", index, count)]
                parts[place] = f"i64 %within.{number}"
                number += 1
                counts.add(count)
            line = found.group(1) + ", ".join(parts) + debug
        lines.append(line)
    lines += [f"declare i64 @{WITHIN}{count}(i64) {_EFFECTS}" for count in sorted(counts)]
    if counts and f"declare i1 @{KNOWN}(" not in ir:
        lines.append(f"declare i1 @{KNOWN}(i64)")
    return "\n".join([*lines, ""])


def _wrapped(name, index, count):
    return [
        f"  {name}.known = call i1 @{KNOWN}(i64 {index})",
        f"  {name}.inside = icmp ult i64 {index}, {count}",
        f"  {name}.settled = and i1 {name}.known, {name}.inside",
        f"  {name}.opaque = call i64 @{WITHIN}{count}(i64 {index})",
        f"  {name} = select i1 {name}.settled, i64 {index}, i64 {name}.opaque",
    ]


def _subscripts(parts, types):
    """Yield (position, elements) of the operands of a `getelementptr` that may be outside of their arrays."""
    kind = parts[0]
    for place, operand in list(enumerate(parts))[3:]:  # behind the type, the pointer, and what moves the pointer
        body, index = types.body(kind), value_of(operand)[1]
        if body[0] == "[":
            count, kind = types.array(body)
            if not (index.isdigit() and int(index) < count):
                yield place, count
        else:
            kind = types.members(body)[0][int(index)][1]


def _is_end(line, behind):
    """True if a `getelementptr` is the address behind an array, kept or compared, not what is read or written."""
    name = line.split(" = ")[0].strip()
    use = next((text for text in behind if re.search(rf"{re.escape(name)}(?![\w.])", text)), "")
    return f"store ptr {name}," in use or " icmp " in use


def settle_indices(ir: str) -> str:
    """Return optimised IR with the indices that became constants inside their arrays too late for LLVM to see it."""

    def settled(call):
        name, count, index = call.group(1), int(call.group(2)), int(call.group(3))
        return f"{name}add i64 {index}, 0" if index < count else call.group(0)

    return _CALL.sub(settled, ir)
