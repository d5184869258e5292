"""Statements about places in memory, with indices of every form.

Indices are literals, loop counters, computed, scaled, signed, offset, clamped, guarded or chosen; none is ever out of
bounds where it is used.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

from sim.fuzz.random_cpp import RandomCpp, type_name

BUILT_IN = {"int": (32, True), "unsigned short": (16, False), "signed char": (8, True), "unsigned char": (8, False)}
BUILT_IN |= {"bool": (1, False), "short": (16, True), "long long": (64, True)}


@dataclass(frozen=True)
class Place:
    """Scalars of one path: `parts` are texts between subscripts, `counts` the elements of the arrays between them."""

    parts: tuple
    counts: tuple
    kind: str
    width: int
    signed: bool
    written: bool = True

    def at(self, indices: list[str | int]) -> str:
        return self.parts[0] + "".join(f"[{i}]{part}" for i, part in zip(indices, self.parts[1:], strict=True))

    def leaves(self) -> list[str]:
        return [self.at(list(indices)) for indices in itertools.product(*map(range, self.counts))]


class LayoutCpp(RandomCpp):
    """Expressions and statements over places."""

    def __init__(self, rng: random.Random, places: list[Place], palette: list[tuple[int, bool]]) -> None:
        super().__init__(rng, [], 64, palette=palette)
        self.places = places
        self._temporaries = itertools.count()
        self._chosen = False

    # -- indices

    def number(self, bits: int, signed: bool = False) -> str:
        """Some bits of a value, as an ap_int."""
        scalars = [v for v in self.variables if not v.count]
        return f"{type_name(bits, signed)}({self.rng.choice(scalars).name})"

    def subscript(self, count: int) -> str:
        """Return an index in 0 .. count - 1."""
        forms = [
            self._at_literal,
            self._at_counter,
            self._at_counter,
            self._at_computed,
            self._at_computed,
            self._at_scaled,
        ]
        forms += [self._at_product, self._at_offset, self._at_signed, self._at_clamped, self._at_chosen]
        while True:
            text = self.rng.choice(forms)(count)
            if text is not None:
                return text

    def _at_literal(self, count):
        return str(self.rng.randrange(count))

    def _at_counter(self, count):
        fitting = []
        for name, limit in self.loop_indices:
            if limit <= count:
                fitting += [name, f"{count - 1} - {name}", f"{name} + {count - limit}"]
            if 2 * limit <= count:
                fitting += [f"2 * {name}", f"2 * {name} + 1", f"({name} << 1)"]
        return self.rng.choice(fitting) if fitting else None

    def _at_computed(self, count):
        bits = count.bit_length() - 1
        return self.number(self.rng.randint(1, bits)) if bits else None

    def _at_scaled(self, count):
        scale = self.rng.choice([2, 2, 3, 4])
        bits = ((count - 1) // scale + 1).bit_length() - 1
        if bits < 1:
            return None
        rest = count - 1 - scale * ((1 << bits) - 1)
        text = self.rng.choice([f"{scale} * (int){self.number(bits)}", f"{self.number(bits)} * {scale}"])
        return f"{text} + {self.rng.randint(0, rest)}" if rest and self.rng.random() < 0.6 else text

    def _at_product(self, count):
        """A fraction of the array: every count, not only powers of two."""
        return f"(((unsigned){self.number(8)} * {count}) >> 8)"

    def _at_offset(self, count):
        bits = count.bit_length() - 1
        if bits < 1:
            return None
        most = count - (1 << bits)
        text = self.number(bits)
        if self.rng.random() < 0.5:
            return f"{self.rng.randint(0, most)} + {text}"
        return f"(int){text} + {1 + self.rng.randint(0, most)} - 1"

    def _at_signed(self, count):
        bits = count.bit_length() - 1
        if bits < 1:
            return None
        half, most = 1 << (bits - 1), count - (1 << bits)
        if self.rng.random() < 0.5:
            return f"{half + self.rng.randint(0, most)} + {self.number(bits, True)}"
        return f"{half - 1 + self.rng.randint(0, most)} - (int){self.number(bits, True)}"

    def _at_clamped(self, count):
        value = self.number(self.rng.choice([3, 5, 9]))
        return f"((unsigned){value} < {count}u ? (unsigned){value} : {self.rng.randrange(count)}u)"

    def _at_chosen(self, count):
        if self._chosen:  # what is compared has subscripts too: no choice within a choice
            return None
        self._chosen = True
        text = f"({self.condition(1)} ? (int)({self.subscript(count)}) : (int)({self.subscript(count)}))"
        self._chosen = False
        return text

    # -- places as values and targets

    def named(self, place: Place) -> str:
        return place.at([self.subscript(n) for n in place.counts])

    def leaf(self) -> tuple[str, int, bool]:
        if self.rng.random() < 0.6:
            place = self.rng.choice(self.places)
            return f"{type_name(place.width, place.signed)}({self.named(place)})", place.width, place.signed
        return super().leaf()

    def target(self) -> tuple[str, int, bool]:
        place = self.rng.choice([p for p in self.places if p.written])
        return self.named(place), place.width, place.signed

    def assign(self, place: Place, text: str) -> str:
        value = self.value(2)[0]
        kind = place.kind
        if kind in BUILT_IN:
            value = f"({kind})({type_name(*BUILT_IN[kind])}({value}))"
        return f"{text} = {value};"

    def statement(self, depth: int, nesting: int = 2) -> list[str]:
        rng = self.rng
        kind = rng.random()
        if nesting and kind < 0.15:
            lines = [f"if ({self.condition(1)}) {{"] + self.block(depth, nesting - 1)
            return lines + (["} else {"] + self.block(depth, nesting - 1) if rng.random() < 0.5 else []) + ["}"]
        if nesting and kind < 0.35:
            name, limit = f"i{len(self.loop_indices)}", rng.choice([2, 3, 4])
            self.loop_indices.append((name, limit))
            body = self.block(1, nesting - 1)
            self.loop_indices.pop()
            return [f"for (int {name} = 0; {name} < {limit}; {name}++) {{"] + body + ["}"]
        place = rng.choice([p for p in self.places if p.written])
        special = [
            self._do_guarded,
            self._do_reference,
            self._do_pointer,
            self._do_local,
            self._do_shifted,
            self._do_copied,
        ]
        if place.counts and kind < 0.75:
            lines = rng.choice(special)(place)
            if lines:
                return lines
        return [self.assign(place, self.named(place))]

    def _do_guarded(self, place):
        """`if (i < N) t[i] = ...` with an index that may be outside otherwise."""
        count, rest = place.counts[-1], [self.subscript(n) for n in place.counts[:-1]]
        name, i = f"g{next(self._temporaries)}", count.bit_length() + self.rng.randint(0, 2)
        signed = self.rng.random() < 0.4
        inside = f"{name} < {count}" + (f" && {name} >= 0" if signed else "")
        lines = [f"const int {name} = {self.number(i + signed, signed)};"]
        if self.rng.random() < 0.4 and count > 1:
            inside = inside.replace(f"{name} <", f"{name} - 1 <").replace(f"{name} >=", f"{name} - 1 >=")
            inside += f" && {name} > 0"
            return [*lines, f"if ({inside}) {self.assign(place, place.at([*rest, f'{name} - 1']))}"]
        return [*lines, f"if ({inside}) {self.assign(place, place.at([*rest, name]))}"]

    def _do_reference(self, place):
        """An element by reference, used several times."""
        name = f"r{next(self._temporaries)}"
        return [f"auto& {name} = {self.named(place)};", self.assign(place, name), self.assign(place, name)]

    def _do_pointer(self, place):
        """The innermost array as a pointer."""
        if place.parts[-1] or len(place.parts) < 2:
            return None
        name = f"p{next(self._temporaries)}"
        row = place.at([*(self.subscript(n) for n in place.counts[:-1]), "0"])
        lines = [f"{place.kind}* {name} = &{row};"]
        lines.append(self.assign(place, f"{name}[{self.subscript(place.counts[-1])}]"))
        if self.rng.random() < 0.5:
            i, j = (self.subscript(place.counts[-1]) for _ in range(2))
            lines.append(f"{name}[{i}] = *({name} + ({j}));")
        return lines

    def _do_local(self, place):
        """A local array of the same shape."""
        name, counts = f"l{next(self._temporaries)}", place.counts[:2]
        dimensions = "".join(f"[{n}]" for n in counts)
        local = Place((name, *("" for _ in counts)), counts, place.kind, place.width, place.signed)
        lines = ["{", f"    {place.kind} {name}{dimensions} = {{}};"]
        loops = [f"j{next(self._temporaries)}" for _ in counts]
        head = "".join(f"for (int {i} = 0; {i} < {n}; {i}++) " for i, n in zip(loops, counts))
        lines.append("    " + head + self.assign(local, local.at(loops)))
        self.places.append(local)
        for _ in range(2):
            lines.append("    " + self.assign(local, self.named(local)))
        lines.append("    " + self.assign(place, self.named(place)))
        self.places.pop()
        return [*lines, "}"]

    def _do_shifted(self, place):
        """A shift register along the last array."""
        count, rest = place.counts[-1], [self.subscript(n) for n in place.counts[:-1]]
        i = f"k{next(self._temporaries)}"
        body = f"{place.at([*rest, i])} = {place.at([*rest, f'{i} - 1'])};"
        return [f"for (int {i} = {count - 1}; {i} > 0; {i}--) {body}"]

    def _do_copied(self, place):
        """A whole struct or element from one index to another."""
        cut = next((k for k, part in enumerate(place.parts) if part and k), None)
        head = place.parts[: cut + 1] if cut else place.parts
        counts = place.counts[: len(head) - 1]
        if cut:
            head = (*head[:-1], "")
        whole = Place(head, counts, place.kind, place.width, place.signed)
        name = f"c{next(self._temporaries)}"
        return [f"auto {name} = {self.named(whole)};", f"{self.named(whole)} = {name};"]

    def assignment(self, depth: int) -> list[str]:
        return self.statement(depth, 0)
