"""Pieces of LLVM IR text: lists, types, operands."""

from __future__ import annotations

import re

OPEN = "([{<"


def split(text: str, separator: str = ",") -> list[str]:
    """Split at separators outside brackets and quotes."""
    parts, depth, start, quoted = [], 0, 0, False
    for i, c in enumerate(text):
        if c == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif c in "([{<":
            depth += 1
        elif c in ")]}>":
            depth -= 1
        elif c == separator and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    tail = text[start:].strip()
    return parts + [tail] if tail or parts else []


def take_type(text: str) -> tuple[str, str]:
    """Split `text` into its leading type and the rest."""
    text = text.lstrip()
    if text[0] in OPEN:
        depth = 0
        for i, c in enumerate(text):
            depth += (c in "([{<") - (c in ")]}>")
            if depth == 0:
                return text[: i + 1], text[i + 1 :].strip()
    quoted = re.match(r'%"[^"]*"', text)
    first = quoted.group(0) if quoted else re.match(r"[^\s,]+", text).group(0)
    return first, text[len(first) :].strip()


def value_of(text: str) -> tuple[str, str]:
    """Return (type, value text) of an operand such as `ptr noundef nonnull align 8 %3` or `i8 5`."""
    kind, rest = take_type(text)
    while True:
        shorter = re.sub(
            r"^(noundef|nonnull|signext|zeroext|readonly|writeonly|noalias|nocapture|returned|inreg"
            r"|align \d+|dereferenceable\(\d+\)|dereferenceable_or_null\(\d+\)|captures\([^)]*\)"
            r"|range\([^)]*\)|byval\([^)]*\)|sret\([^)]*\)|initializes\(\([^)]*\)\)|dead_on_unwind|writable"
            r"|noalias|immarg)\s*",
            "",
            rest,
        )
        if shorter == rest:
            return kind, rest
        rest = shorter
