"""Sizes and places of LLVM types (text), as on x86-64, and the values of constant tables."""

from __future__ import annotations

import re

from hls.open.errors import Refused
from hls.open.read.layout import Cell
from hls.open.read.llvm_tokens import split, take_type


class Types:
    """Layout of types; `named` maps %struct names to their bodies."""

    def __init__(self, named: dict[str, str]) -> None:
        self.named = named

    def body(self, kind: str) -> str:
        while kind in self.named:
            kind = self.named[kind]
        return kind

    def size_align(self, kind: str) -> tuple[int, int]:
        """Return (allocated size, alignment) in bytes."""
        kind = self.body(kind)
        integer = re.fullmatch(r"i(\d+)", kind)
        if integer:
            bits = int(integer.group(1))
            if bits > 64:
                return -(-bits // 128) * 16, 16
            size = 1 << max(0, (bits - 1).bit_length() - 3)
            return size, size
        if kind == "ptr":
            return 8, 8
        if kind[0] == "[":
            count, element = self.array(kind)
            size, align = self.size_align(element)
            return count * size, align
        if kind[0] in "{<":
            places, size, align = self.members(kind)
            return size, align
        raise Refused(f"a value of LLVM type {kind}: a kernel computes with ap_int only")

    def size(self, kind: str) -> int:
        return self.size_align(kind)[0]

    def array(self, kind: str) -> tuple[int, str]:
        count, element = re.fullmatch(r"\[(\d+) x (.*)\]", kind).groups()
        return int(count), element

    def members(self, kind: str) -> tuple[list[tuple[int, str]], int, int]:
        """Return ([(offset, type)], size, alignment) of a struct."""
        kind = self.body(kind)
        packed = kind[0] == "<"
        inside = kind.strip("<>").strip()[1:-1]
        offset, widest, places = 0, 1, []
        for member in split(inside):
            size, align = self.size_align(member)
            align = 1 if packed else align
            offset = -(-offset // align) * align
            places.append((offset, member))
            offset, widest = offset + size, max(widest, align)
        return places, -(-offset // widest) * widest, widest

    def cells(self, kind: str, offset: int = 0) -> list[Cell]:
        """Return the scalars of a type as memory cells."""
        kind = self.body(kind)
        if kind[0] == "[":
            count, element = self.array(kind)
            size = self.size(element)
            return [c for i in range(count) for c in self.cells(element, offset + i * size)]
        if kind[0] in "{<":
            return [c for place, member in self.members(kind)[0] for c in self.cells(member, offset + place)]
        size = self.size(kind)
        return [Cell(offset, size, 8 * size)]

    def constants(self, kind: str, text: str, offset: int = 0) -> dict[int, tuple[int, int]]:
        """Return {offset: (size, value)} of an initialiser."""
        kind, text = self.body(kind), text.strip()
        if text in ("zeroinitializer", "undef", "poison"):
            return {c.offset: (c.size, 0) for c in self.cells(kind, offset)}
        if kind[0] == "[":
            count, element = self.array(kind)
            size = self.size(element)
            if text.startswith('c"'):
                return {offset + i: (1, byte) for i, byte in enumerate(_string(text[2:-1]))}
            values = [take_type(v)[1] for v in split(text[1:-1])]
            return {
                k: v
                for i, value in enumerate(values)
                for k, v in self.constants(element, value, offset + i * size).items()
            }
        if kind[0] in "{<":
            values = [take_type(v)[1] for v in split(text.strip("<>").strip()[1:-1])]
            return {
                k: v
                for (place, member), value in zip(self.members(kind)[0], values)
                for k, v in self.constants(member, value, offset + place).items()
            }
        if not re.fullmatch(r"-?\d+|true|false", text):
            raise Refused("a table of addresses: constant tables hold integers only")
        value = {"true": 1, "false": 0}.get(text)
        return {offset: (self.size(kind), int(text) if value is None else value)}


def _string(text):
    out, i = [], 0
    while i < len(text):
        if text[i : i + 2] == "\\\\":
            out.append(ord("\\"))
            i += 2
        elif text[i] == "\\":
            out.append(int(text[i + 1 : i + 3], 16))
            i += 3
        else:
            out.append(ord(text[i]))
            i += 1
    return out
