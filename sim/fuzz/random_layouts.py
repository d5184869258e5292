"""Random kernels about memory: nested arrays and structs, bases, constant tables; `random_indices.py` has the indices.

What a place in memory is called in C++ and where it lies are drawn together.
"""

from __future__ import annotations

import itertools
import random

from sim.fuzz.random_cpp import Var, type_name
from sim.fuzz.random_indices import BUILT_IN, LayoutCpp, Place
from sim.fuzz.random_kernels import RandomKernel, random_palette

MAX_LEAVES = 70


class RandomLayout:
    """Draws types; `text` collects their definitions, `places` what can be named."""

    def __init__(self, rng: random.Random, palette: list[tuple[int, bool]], name: str) -> None:
        self.rng, self.palette, self.name = rng, [t for t in palette if t[0] <= 40], name
        self.structs = []  # definitions
        self._numbers = itertools.count()

    def scalar(self) -> tuple[str, int, bool]:
        if self.rng.random() < 0.3:
            kind = self.rng.choice(list(BUILT_IN))
            return kind, *BUILT_IN[kind]
        width, signed = self.rng.choice(self.palette)
        return type_name(width, signed), width, signed

    def fields(self, depth: int, room: int, initial: bool) -> tuple[list[str], list[Place]]:
        """Return (declarations, places) of the members of a class; `room` limits its scalars."""
        declarations, places = [], []
        for _ in range(self.rng.randint(1, 3)):
            left = room - sum(len(p.leaves()) for p in places)
            if left < 2:
                break
            lines, more = self.field(depth, left, initial)
            declarations += lines
            places += more
        return declarations, places

    def field(self, depth: int, room: int, initial: bool) -> tuple[list[str], list[Place]]:
        """Return (declaration, places) of one member: a scalar, a struct, or an array of them."""
        rng, name = self.rng, f"m{next(self._numbers)}"
        counts = []
        for _ in range(rng.choice([0, 1, 1, 2, 2, 3])):
            fitting = [n for n in (1, 2, 2, 3, 4, 4, 5, 7, 8, 16) if n <= room]
            counts.append(rng.choice(fitting))
            room //= counts[-1]
        dimensions = "".join(f"[{n}]" for n in counts)
        if depth and room >= 2 and rng.random() < 0.5:
            declarations, places = self.fields(depth - 1, room, initial)
            inside = " ".join(declarations)
            # An anonymous struct: its members are members of the outer class. g++ takes none but plain built-in ones,
            # and forgets the initialisers of structs in it.
            plain = "struct" not in inside and all(p.kind in BUILT_IN and "." not in "".join(p.parts) for p in places)
            if not counts and plain:
                return [f"struct {{ {inside} }};"], places
            if rng.random() < 0.3:
                kind = f"struct {{ {inside} }}"
            else:
                kind = f"{self.name}_{name}"
                self.structs.append(f"struct {kind} {{ {inside} }};")
            prefixed = []
            for p in places:
                parts = (name, *("" for _ in counts[:-1]), f".{p.parts[0]}") if counts else (f"{name}.{p.parts[0]}",)
                prefixed.append(Place(parts + p.parts[1:], (*counts, *p.counts), p.kind, p.width, p.signed))
            return [f"{kind} {name}{dimensions};"], prefixed
        kind, width, signed = self.scalar()
        value = ""
        if initial:
            # What AMD's types are not given they don't have: 0 for built-in types only.
            value = (
                f" = {self._values(counts, width, kind in BUILT_IN)}"
                if counts
                else f" = {rng.randint(0, 1 if width == 1 else 3)}"
            )
        place = Place((name, *("" for _ in counts)), tuple(counts), kind, width, signed)
        return [f"{kind} {name}{dimensions}{value};"], [place]

    def _values(self, counts, width, sparse):
        if not counts:
            return str(self.rng.randint(0, min(99, (1 << (width - 1)) - 1 if width > 1 else 1)))
        if sparse and self.rng.random() < 0.15:
            return "{}"
        shown = self.rng.randint(1, counts[0]) if sparse else counts[0]
        return "{" + ", ".join(self._values(counts[1:], width, sparse) for _ in range(shown)) + "}"

    def table(self) -> tuple[list[str], list[Place]]:
        """Return (declaration, places) of a constant table: dense, sparse, of bytes, of structs; 1-D to 3-D."""
        rng, name = self.rng, f"t{next(self._numbers)}"
        counts = rng.choice([[8], [5], [16], [256], [100], [3, 4], [4, 16], [2, 3, 5], [64]])
        kinds = [k for k in BUILT_IN if k != "bool"]
        dimensions = "".join(f"[{n}]" for n in counts)

        def values(counts, draw):
            if not counts:
                return draw()
            shown = rng.choice([1, 2, 3, counts[0] // 2, counts[0], counts[0]])
            return "{" + ", ".join(values(counts[1:], draw) for _ in range(max(1, min(shown, counts[0])))) + "}"

        def number(kind):
            width, signed = BUILT_IN[kind]
            if width == 8 and rng.random() < 0.1:
                return "92"  # a backslash
            return str(
                rng.choice([0, 1, rng.getrandbits(width - signed), -rng.getrandbits(width - 1) if signed else 7])
            )

        if rng.random() < 0.3:
            kind, fields = f"{self.name}_{name}", [rng.choice(kinds) for _ in range(2)]
            self.structs.append(f"struct {kind} {{ {fields[0]} a; {fields[1]} b; }};")
            text = values(counts, lambda: f"{{{number(fields[0])}, {number(fields[1])}}}")
            places = [
                Place((name, *("" for _ in counts[:-1]), f".{f}"), tuple(counts), k, *BUILT_IN[k], written=False)
                for f, k in zip("ab", fields)
            ]
        else:
            kind = rng.choice(kinds)
            text = values(counts, lambda: number(kind))
            places = [Place((name, *("" for _ in counts)), tuple(counts), kind, *BUILT_IN[kind], written=False)]
        return [f"static constexpr {kind} {name}{dimensions} = {text};"], places


def random_layout_kernel(seed: int) -> RandomKernel:
    """Return the `RandomKernel` about memory of a seed."""
    rng = random.Random(f"layout {seed}")
    name = f"k{seed}"
    palette = random_palette(seed, 200)
    layout = RandomLayout(rng, palette, name)
    bases, inherited = [], False
    room = MAX_LEAVES
    if rng.random() < 0.35:
        bases = [layout.fields(1, 12, True) for _ in range(rng.randint(1, 2))]
        inherited = rng.random() < 0.5
        room = 30
    own = layout.fields(2, room, True)
    tables = [layout.table() for _ in range(rng.randint(0, 2))]
    # What an inherited step can name are the members of its own base.
    seen = bases[-1][1] if inherited else [p for _, places in bases for p in places] + own[1]
    small = [t for t in palette if t[0] <= 40]
    inputs = [Var("in0", 32, False)]
    outputs = [Var("out0", *rng.choice(small)), Var("out1", 64, False)]
    source = LayoutCpp(rng, seen + [p for _, places in tables for p in places], small)
    source.variables = [Var("x0", 32, False), Var("y0", 16, True)]
    lines = ["const ap_uint<32> x0 = in0.read();", "const ap_int<16> y0 = x0 >> 9;"]
    for _ in range(rng.randint(2, 5)):
        lines += source.statement(2)
    for stream in outputs:
        write = f"{stream.name}.write({source.value(3)[0]});"
        lines += [write] if rng.random() < 0.6 else [f"if ({source.condition(2)}) {write}"]
    every = [p for _, places in bases for p in places] + own[1]
    members = [Var(leaf, p.width, p.signed) for p in every for leaf in p.leaves()]
    kernel = RandomKernel(name, members, inputs, outputs, options=" --kind layouts")
    kernel.text = _text(kernel, layout, bases, own, tables, lines, inherited)
    return kernel


def _text(kernel, layout, bases, own, tables, lines, inherited):
    streams = ", ".join(f"hls::stream<{v.type}>& {v.name}" for v in kernel.inputs + kernel.outputs)
    body = "\n".join("        " + line for line in lines)
    step = [f"void step({streams}) {{\n{body}\n    }}"]
    constants = [line for declarations, _ in tables for line in declarations]
    texts = list(layout.structs)
    for i, (declarations, _) in enumerate(bases):
        mine = constants + declarations + step if inherited and i == len(bases) - 1 else declarations
        texts.append(f"struct {kernel.type}_base{i} {{\n" + "".join(f"    {line}\n" for line in mine) + "};")
    derived = " : " + ", ".join(f"{kernel.type}_base{i}" for i in range(len(bases))) if bases else ""
    mine = own[0] if inherited else constants + own[0] + step
    texts.append(f"struct {kernel.type}{derived} {{\n" + "".join(f"    {line}\n" for line in mine) + "};")
    return "\n".join(texts) + "\n"
