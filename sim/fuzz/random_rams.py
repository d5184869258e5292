"""Random step kernels about RAMs: words that are read again one to four steps after they were written, or in the same
step, under conditions, through registers and other RAMs, with and without the promise that this never happens soon.
"""

from __future__ import annotations

import random

from sim.fuzz.random_cpp import RandomCpp, Var, type_name
from sim.fuzz.random_kernels import RandomKernel, kernel_class, random_palette

STEPS_BACK = 4  # the longest distance from a write to a read that is aimed at
BUDGETS = (2300, 3000, 4066, 9000)  # ps of logic per stage: writes land none, one or two stages after the read


def random_ram_kernel(seed: int) -> RandomKernel:
    """Return the `RandomKernel` of a seed."""
    rng = random.Random(f"ram {seed}")
    palette = [t for t in random_palette(seed, 200) if t[0] <= 70]
    x = Var("x0", *rng.choice(palette))
    inputs = [Var("in0", x.width, x.signed), Var("in1", 16, False)]  # in1 makes the choices
    outputs = [Var("out0", *rng.choice(palette)), Var("out1", *rng.choice(palette))]
    kernel = RandomKernel(f"k{seed}", [], inputs, outputs, options=" --kind rams", budget_ps=rng.choice(BUDGETS))
    state = [Var(f"s{i}", *rng.choice(palette)) for i in range(rng.randint(1, 2))]
    kernel.members += state
    source = RandomCpp(rng, [x, *state], max_width=70, palette=palette)
    lines = [f"const {x.type} x0 = in0.read();", "const ap_uint<16> pick = in1.read();"]
    for number in range(rng.choice([1, 1, 2])):
        lines += _Ram(rng, source, kernel, number).lines()
    held = rng.choice(state)
    data = [v for v in source.variables if v.name.startswith("m")]
    lines.append(f"{held.name} = {_little(rng, source, [held, *data])};")
    lines.append(f"out0.write({rng.choice(data).name});")
    lines += [f"if ({source.condition(1)}) {{", f"    out1.write({source.value(2)[0]});", "}"]
    kernel.text = kernel_class(rng, kernel, lines)
    return kernel


def _little(rng, source, variables):
    """A value with little logic from these variables: it has to fit into a cycle."""
    var = rng.choice(variables)
    a, other = var.name, source.variables[0].name
    b = rng.choice([rng.choice(source.variables).name, source.literal(), rng.choice(variables).name])
    chosen = f"(pick[5] ? {var.type}({a}) : {var.type}({other}))"
    return rng.choice([f"({a} + {b})", f"({a} ^ {b})", f"({a} - {b})", chosen, a])


class _Ram:
    """One RAM of a kernel, and how a step uses it."""

    def __init__(self, rng, source, kernel, number):
        self.rng, self.source, self.kernel = rng, source, kernel
        self.name, self.data, self.number = f"ram{number}", f"m{number}", number
        self.width, _ = rng.choice(source.palette)
        self.depth = rng.choice([2, 3, 4, 5, 8, 8, 16, 64, 65, 100, 128])
        self.bits = (self.depth - 1).bit_length()
        kernel.rams.append((self.name, self.width, self.depth))

    def lines(self):
        """Return the statements; the data is in a variable from then on."""
        lines = [f"{type_name(self.width, False)} {self.data} = 0;"]
        promised = self.depth & (self.depth - 1) == 0 and self.depth >= 8 and self.rng.random() < 0.4
        read, write, when, order = self._promised(lines) if promised else self._free(lines)
        self.source.variables.append(Var(self.data, self.width, False))
        reads = self._under(when[0], f"{self.data} = {self.name}.read({read});")
        writes = self._under(
            when[1], f"{self.name}.write({write}, {type_name(self.width, False)}({self._word(order)}));"
        )
        if promised:
            place = self.rng.choice([[], reads, writes])
            place.append(f"{self.name}.independent();")
            lines += place if place is not reads and place is not writes else []
        return lines + (reads + writes if order == "read" else writes + reads)

    def _word(self, order):
        """What is written: what was read, changed a little, or something else altogether."""
        data = [v for v in self.source.variables if v.name.startswith("m")]
        if order == "write":
            data = [v for v in data if v.name != self.data]
        if data and self.rng.random() < 0.7:
            word = _little(self.rng, self.source, data)
            for _ in range(self.rng.choice([0, 0, 1, 2])):  # more than a stage takes, or a cycle
                more = _little(self.rng, self.source, data)
                word = f"({type_name(self.width, False)}({word}) {self.rng.choice('+-^')} {more})"
            return word
        return (
            self.source.value(1)[0] if order == "write" else _little(self.rng, self.source, self.source.variables[:2])
        )

    def _under(self, condition, access):
        return [access] if condition is None else [f"if ({condition}) {{", f"    {access}", "}"]

    def _condition(self):
        bit = self.rng.randrange(16)
        return self.rng.choice(
            [None, f"pick[{bit}]", f"pick[{bit}] || pick[{(bit + 3) % 16}]", self.source.condition(0)]
        )

    def _promised(self, lines):
        """A counter: the word that is read was written three steps ago at the latest."""
        at = f"at{self.number}"
        self.kernel.members.append(Var(at, self.bits, False))
        lines.append(f"{at}++;")
        if self.rng.random() < 0.3:  # anything anywhere, but written long before it is read
            lines.append(f"const ap_uint<2> phase{self.number} = {at};")
            ends = [f"ap_uint<{self.bits}>(pick)", f"ap_uint<{self.bits}>(pick >> 5)"]
            when = [f"phase{self.number} == 0", f"phase{self.number} == 1"]
            return self.rng.choice(ends), self.rng.choice(ends), when, "read"
        back = self.rng.randint(3, self.depth)  # a whole round is the same word
        order = "read" if back == self.depth else self.rng.choice(["read", "write"])
        return f"ap_uint<{self.bits}>({at} - {back})", at, [self._condition(), self._condition()], order

    def _free(self, lines):
        """Any address, often one of the last steps'."""
        last = f"last{self.number}"
        self.kernel.members.append(Var(last, self.bits, False, STEPS_BACK))
        self.source.constants.add(last)
        name = f"a{self.number}"
        low = self.rng.randint(0, 16 - self.bits)
        lines.append(f"ap_uint<{self.bits}> {name} = ap_uint<{self.bits}>(pick >> {low});")
        chosen = self.rng.choice([1, 2, 3, 4])
        lines.append(f"if (pick[{self.rng.randrange(16)}]) {name} = {last}[{chosen - 1}];")
        self._wrap(lines, name)
        other = f"{last}[{self.rng.randrange(STEPS_BACK)}]"
        read, write = self.rng.choice([(name, name), (name, name), (name, other), (other, name)])
        if other in (read, write):  # kept: the members move on before the accesses
            lines.append(f"ap_uint<{self.bits}> b{self.number} = {other};")
            self._wrap(lines, f"b{self.number}")
            read, write = (f"b{self.number}" if a == other else a for a in (read, write))
        for i in range(STEPS_BACK - 1, 0, -1):
            lines.append(f"{last}[{i}] = {last}[{i - 1}];")
        lines.append(f"{last}[0] = {write};")
        return read, write, [self._condition(), self._condition()], self.rng.choice(["read", "read", "write"])

    def _wrap(self, lines, name):
        if self.depth < 1 << self.bits:
            lines.append(f"if ({name} >= {self.depth}) {name} = {name} - {self.depth};")
