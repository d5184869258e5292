"""Random C++ over ap_int: expressions and statements that are legal, defined and worth comparing.

Used twice: straight-line programs compare this project's `ap_int.h` with AMD's, and step kernels compare the
whole route with g++. Nothing generated here depends on undefined behaviour: indices are in range, divisors are
constants, and built-in integers stay small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.fuzz.random_arithmetic import Arithmetic, type_name

if TYPE_CHECKING:
    from random import Random


@dataclass
class Var:
    """A variable of type ap_int<width> or ap_uint<width>, or an array of `count` of them."""

    name: str
    width: int
    signed: bool
    count: int = 0  # 0: a scalar

    @property
    def type(self) -> str:
        return type_name(self.width, self.signed)


class RandomCpp(Arithmetic):
    """Source of random expressions and statements over a set of variables.

    Parameters
    ----------
    rng : random.Random
    variables : list of Var
        What may be read; those not in `constants` may also be written.
    max_width : int
        Wider results are cut back by a conversion.
    palette : list of (width, signed), optional
        Types that most values are converted to. Programs that share a palette share AMD's templates, which are
        what takes g++'s time.
    """

    def __init__(
        self,
        rng: Random,
        variables: list[Var],
        max_width: int = 200,
        constants: Sequence = (),
        palette: list[tuple[int, bool]] = (),
    ) -> None:
        self.rng = rng
        self.palette = [t for t in palette if t[0] <= max_width]
        self.variables = list(variables)
        self.constants = set(constants)
        self.max_width = max_width
        self.loop_indices = []  # (name, limit) of the unrolled loops around the current statement
        self.tables = []  # (name, count) of constant tables of int
        self._locals = 0

    # -- types and literals

    def width(self) -> int:
        rng = self.rng
        return rng.choice(
            [
                1,
                2,
                3,
                7,
                8,
                9,
                16,
                31,
                32,
                33,
                63,
                64,
                65,
                127,
                128,
                129,
                self.max_width,
                rng.randint(1, 24),
                rng.randint(1, self.max_width),
            ]
        )

    def any_type(self) -> tuple[int, bool]:
        if self.palette and self.rng.random() < 0.9:
            return self.rng.choice(self.palette)
        return min(self.width(), self.max_width), self.rng.random() < 0.5

    def literal(self) -> str:
        return self.rng.choice(["0", "1", "-1", "3", "5", "-7", "100", "255", "-128", "65535", "1000000007"])

    def cast(self, text: str, width: int, signed: bool) -> tuple[str, int, bool]:
        return f"{type_name(width, signed)}({text})", width, signed

    # -- expressions: (text, width, signed) of an ap type

    def leaf(self) -> tuple[str, int, bool]:
        rng = self.rng
        if rng.random() < 0.15 or not self.variables:
            return self.cast(self.literal(), *self.any_type())
        if self.loop_indices and rng.random() < 0.1:
            return self.cast(rng.choice(self.loop_indices)[0], rng.randint(3, 16), rng.random() < 0.5)
        if self.tables and rng.random() < 0.15:
            name, count = rng.choice(self.tables)
            return self.cast(f"{name}[{self.index(Var(name, 32, True, count))}]", *self.any_type())
        var = rng.choice(self.variables)
        return (f"{var.name}[{self.index(var)}]" if var.count else var.name), var.width, var.signed

    def index(self, var: Var) -> str:
        """An index of an array: a literal, a loop counter, or (for a power of two) a computed one."""
        rng = self.rng
        fitting = [name for name, limit in self.loop_indices if limit <= var.count]
        if fitting and rng.random() < 0.7:
            return rng.choice(fitting)
        if var.count & (var.count - 1) == 0 and rng.random() < 0.6:
            scalars = [v for v in self.variables if not v.count]
            bits = var.count.bit_length() - 1
            if bits and scalars:
                return f"{type_name(bits, False)}({rng.choice(scalars).name})"
        return str(rng.randrange(var.count))

    def fit(self, text: str, width: int, signed: bool) -> tuple[str, int, bool]:
        if self.palette and self.rng.random() < 0.7:
            return self.cast(text, *self.rng.choice(self.palette))
        if width > self.max_width:
            return self.cast(text, *(self.rng.choice(self.palette) if self.palette else (self.max_width, signed)))
        return text, width, signed

    def value(self, depth: int) -> tuple[str, int, bool]:
        rng = self.rng
        if depth <= 0 or rng.random() < 0.1:
            return self.leaf()
        kind = rng.choice(
            [
                "sum",
                "sum",
                "difference",
                "product",
                "logic",
                "logic",
                "unary",
                "shift",
                "shift",
                "cast",
                "cast",
                "range",
                "concat",
                "select",
                "select",
                "int",
                "divide",
                "bool",
                "method",
                "saturated",
                "checked",
            ]
        )
        return getattr(self, "_" + kind)(depth - 1)

    def _two(self, depth):
        return self.value(depth), self.value(depth)

    def _sum(self, depth):
        (a, wa, sa), (b, wb, sb) = self._two(depth)
        return self.fit(f"({a} + {b})", max(wa + (sb and not sa), wb + (sa and not sb)) + 1, sa or sb)

    def _difference(self, depth):
        (a, wa, sa), (b, wb, sb) = self._two(depth)
        return self.fit(f"({a} - {b})", max(wa + (sb and not sa), wb + (sa and not sb)) + 1, True)

    def _product(self, depth):
        (a, wa, sa), (b, wb, sb) = self._two(depth)
        return self.fit(f"({a} * {b})", wa + wb, sa or sb)

    def _logic(self, depth):
        (a, wa, sa), (b, wb, sb) = self._two(depth)
        width = max(wa + (sb and not sa), wb + (sa and not sb))
        return self.fit(f"({a} {self.rng.choice('&|^')} {b})", width, sa or sb)

    def _unary(self, depth):
        a, width, signed = self.value(depth)
        if self.rng.random() < 0.5:
            return f"(~{a})", width, signed
        return self.fit(f"(-{a})", max(1 + signed, width) + 1, True)

    def _shift(self, depth):
        rng = self.rng
        a, width, signed = self.value(depth)
        amount = rng.choice(
            [
                str(rng.randint(0, width + 3)),
                str(rng.randint(0, min(width, 8))),
                str(rng.randint(-3, 3)),
                f"{rng.randint(0, 9)}u",
                self.cast(self.value(depth - 1)[0], rng.randint(1, 8), rng.random() < 0.4)[0],
            ]
        )
        return f"({a} {rng.choice(['<<', '>>'])} {amount})", width, signed

    def _cast(self, depth):
        return self.cast(self.value(depth)[0], *self.any_type())

    def _range(self, depth):
        """Part of a number; read through a conversion, as a range has the width of the whole."""
        rng = self.rng
        a, width, signed = self.value(depth)
        lo = rng.randrange(width)
        hi = rng.randrange(lo, width)
        whole = f"{type_name(width, signed)}({a})"
        if width >= 2 and rng.random() < 0.15:  # any two bounds: with hi < lo the bits are reversed
            bits = width.bit_length() - 1
            bounds = [f"{type_name(bits, False)}({self.value(depth - 1)[0]})" for _ in range(2)]
            return self.cast(f"{whole}.range({bounds[0]}, {bounds[1]})", width, False)
        if rng.random() < 0.2:
            return self.cast(f"{whole}.range({lo}, {hi})", hi - lo + 1, False)
        if width >= 4 and rng.random() < 0.3:  # a window that moves at run time
            bits = width.bit_length() - 2  # lo < width / 2, so lo + width / 2 is inside
            moving = f"{type_name(bits, False)}({self.value(depth - 1)[0]}).to_int()"
            return self.cast(f"{whole}.range({moving} + {rng.randint(0, width // 2)}, {moving})", width, False)
        return self.cast(f"{whole}.range({hi}, {lo})", hi - lo + 1, False)

    def _concat(self, depth):
        (a, wa, sa), (b, wb, sb) = self._two(depth)
        wa, wb = min(wa, self.max_width // 2), min(wb, self.max_width // 2)
        a, b = f"({type_name(wa, sa)}({a}))", f"{type_name(wb, sb)}({b})"  # the brackets: T(x), U(x) may declare
        return self.cast(f"({a}, {b})", wa + wb, False)

    def _select(self, depth):
        (a, _, _), (b, _, _) = self._two(depth)
        name, width, signed = self.cast("", *self.any_type())
        name = name[:-2]
        return f"({self.condition(depth)} ? {name}({a}) : {name}({b}))", width, signed

    def _int(self, depth):
        """Mixed with a built-in integer: it counts as 32 signed bits."""
        a, width, signed = self.value(depth)
        number = self.rng.choice([self.literal(), "(unsigned char)200", "(short)-3", "7u"])
        bits, sign = {"(unsigned char)200": (8, False), "(short)-3": (16, True), "7u": (32, False)}.get(
            number, (32, True)
        )
        op = self.rng.choice("+-&|^*")
        a, b = (a, width, signed), (number, bits, sign)
        if self.rng.random() < 0.5:
            a, b = b, a
        wide = max(a[1] + (b[2] and not a[2]), b[1] + (a[2] and not b[2]))
        width = {"*": a[1] + b[1], "+": wide + 1, "-": wide + 1}.get(op, wide)
        return self.fit(f"({a[0]} {op} {b[0]})", width, True if op == "-" else a[2] or b[2])

    def _bool(self, depth):
        return self.cast(self.condition(depth), self.rng.choice([1, 2, 8]), False)

    def condition(self, depth: int) -> str:
        rng = self.rng
        kind = rng.randrange(6)
        if kind <= 2 or depth <= 0:
            (a, _, _), (b, _, _) = self._two(depth - 1)
            b = b if rng.random() < 0.7 else self.literal()
            return f"({a} {rng.choice(['<', '<=', '>', '>=', '==', '!='])} {b})"
        a, width, signed = self.value(depth - 1)
        whole = f"{type_name(width, signed)}({a})"
        if kind == 3:
            if rng.random() < 0.5:  # the parity of a signed number is refused: AMD's C model gets it wrong
                return f"{type_name(width, False)}({a}).{rng.choice(['xor', 'xnor'])}_reduce()"
            return f"{whole}.{rng.choice(['and', 'or', 'nor'])}_reduce()"
        if kind == 4:
            return f"{whole}.test({rng.randrange(width)})"
        return f"({self.condition(depth - 1)} {rng.choice(['&&', '||', '!='])} !{self.condition(depth - 1)})"

    # -- statements: lists of lines

    def target(self) -> tuple[str, int, bool]:
        """Something that can be assigned: (text, width, signed), or None."""
        choice = [v for v in self.variables if v.name not in self.constants]
        var = self.rng.choice(choice)
        return (f"{var.name}[{self.index(var)}]" if var.count else var.name), var.width, var.signed

    def assignment(self, depth: int) -> list[str]:
        rng = self.rng
        name, width, signed = self.target()
        value = self.value(depth)[0]
        kind = rng.randrange(11)
        if kind == 10:
            return [f"{name}.reverse();"]
        if kind == 0:
            if width >= 2 and rng.random() < 0.2:
                kinds = [f"{type_name(width.bit_length() - 1, False)}({self.value(1)[0]})" for _ in range(2)]
                return [f"{name}.range({kinds[0]}, {kinds[1]}) = {value};"]
            return [f"{name}.range({rng.randrange(width)}, {rng.randrange(width)}) = {value};"]
        if kind == 1:
            return [f"{name}[{rng.randrange(width)}] = {self.condition(depth - 1)};"]
        if kind == 2:
            other, _, _ = self.target()
            if other.split("[")[0] != name.split("[")[0]:
                return [f"({name}, {other}) = {value};"]
        if kind == 3:
            return [f"{name}{rng.choice(['++', '--'])};"]
        if kind <= 5:
            return [f"{name} {rng.choice(['+=', '-=', '*=', '&=', '|=', '^='])} {value};"]
        if kind == 6:
            return [
                f"{name} {rng.choice(['<<=', '>>='])} "
                f"{rng.choice([str(rng.randint(0, width)), self.cast(value, 4, False)[0]])};"
            ]
        return [f"{name} = {value};"]

    def statement(self, depth: int, nesting: int = 2) -> list[str]:
        """A statement as lines; `nesting` limits ifs and loops within one another."""
        rng = self.rng
        kind = rng.random()
        if nesting and kind < 0.25:
            lines = [f"if ({self.condition(2)}) {{"] + self.block(depth, nesting - 1)
            if rng.random() < 0.6:
                lines += ["} else {"] + self.block(depth, nesting - 1)
            return lines + ["}"]
        if nesting and kind < 0.4:
            name, limit = f"i{len(self.loop_indices)}", rng.choice([2, 3, 4])
            self.loop_indices.append((name, limit))
            body = self.block(min(depth, 2), nesting - 1)
            self.loop_indices.pop()
            return [f"for (int {name} = 0; {name} < {limit}; {name}++) {{"] + body + ["}"]
        if nesting and kind < 0.47:
            return self._switch(depth, nesting)
        if nesting and kind < 0.54:
            return self._local_array(depth)
        return self.assignment(depth)

    def _switch(self, depth, nesting):
        rng, bits = self.rng, self.rng.randint(1, 3)
        lines = [f"switch (ap_uint<{bits}>({self.value(1)[0]}).to_int()) {{"]
        for case in sorted(rng.sample(range(1 << bits), rng.randint(1, min(4, 1 << bits)))):
            lines += (
                [f"case {case}: {{"]
                + self.block(depth, nesting - 1)
                + ["}" + (" break;" if rng.random() < 0.8 else "")]
            )
        return lines + ["default: {"] + self.block(depth, nesting - 1) + ["} }"]

    def _local_array(self, depth):
        """An array that lives for a few lines, filled by a loop and read by a computed index."""
        self._locals += 1
        array = Var(f"t{self._locals}", *self.any_type(), 4)
        index = (f"j{self._locals}", 4)
        lines = [
            "{",
            f"    {array.type} {array.name}[4];",
            f"    for (int {index[0]} = 0; {index[0]} < 4; {index[0]}++) {{",
        ]
        self.loop_indices.append(index)
        lines += [f"        {array.name}[{index[0]}] = {self.value(depth)[0]};", "    }"]
        self.loop_indices.pop()
        self.variables.append(array)
        self.constants.add(array.name)
        lines += ["    " + line for line in self.assignment(depth)]
        if self.rng.random() < 0.5:
            scalars = [v for v in self.variables if not v.count and v.name not in self.constants]
            lines.append(f"    {array.name}[ap_uint<2>({self.rng.choice(scalars).name})] = {self.value(1)[0]};")
            lines += ["    " + line for line in self.assignment(depth)]
        self.variables.pop()
        return lines + ["}"]

    def block(self, depth: int, nesting: int) -> list[str]:
        lines = []
        for _ in range(self.rng.randint(1, 3)):
            lines += ["    " + line for line in self.statement(depth, nesting)]
        return lines
