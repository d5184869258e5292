"""Random step kernels in C++, and the C++ program that runs them with AMD's headers as the reference.

Every kernel has up to two input and two output streams, scalars and arrays as members, sometimes a RAM. Streams
are accessed under random conditions, at most once per step. The reference prints, for every step, what was read,
what was written and the whole state.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hls.open.pipeline.timing import Timing
from sim.fuzz.random_cpp import RandomCpp, Var, type_name

PRINT = """
#include <stdio.h>
template <class T> static void show(T x) {
    for (int i = (T::width + 3) / 4 - 1; i >= 0; i--) {
        int digit = 0;
        for (int j = 3; j >= 0; j--) digit = 2 * digit + (4 * i + j < T::width && x.test(4 * i + j));
        putchar("0123456789abcdef"[digit]);
    }
    putchar(' ');
}
static void show(bool x) { show(ap_uint<1>(x)); }
static void show(signed char x) { show(ap_int<8>(x)); }
static void show(unsigned char x) { show(ap_uint<8>(x)); }
static void show(short x) { show(ap_int<16>(x)); }
static void show(unsigned short x) { show(ap_uint<16>(x)); }
static void show(int x) { show(ap_int<32>(x)); }
static void show(long long x) { show(ap_int<64>(x)); }
"""
# The words of a stream from a table, bit by bit: an expression per word takes g++ longer than the kernels do.
FEED = """
template <class T> static void feed(hls::stream<T>& stream, const unsigned* words, int count) {
    for (int i = 0; i < count; i++) {
        T x = 0;
        for (int j = 0; j < T::width; j++) x.set_bit(j, words[j / 32] >> j % 32 & 1);
        words += (T::width + 31) / 32;
        stream.write(x);
    }
}
"""


@dataclass
class RandomKernel:
    """A kernel: its class, and what the harnesses need to know of it."""

    name: str
    members: list  # Var
    inputs: list  # Var per stream
    outputs: list
    text: str = ""
    rams: list = field(default_factory=list)  # (name, width, depth)
    options: str = " --kind any"  # of `python -m sim.fuzz`, which draw it
    budget_ps: int = Timing().budget_ps  # of logic that its pipeline has per stage

    @property
    def again(self) -> str:
        """The command that repeats it."""
        return f"python -m sim.fuzz -n 1 --seed {self.name[1:]}{self.options}"

    @property
    def type(self) -> str:
        return f"struct_{self.name}"


STEPS = 16  # of every kernel
SHARED = 100  # AMD's templates are most of g++'s time: kernels of one C++ file use the same types


def random_palette(seed: int, max_width: int) -> list[tuple[int, bool]]:
    """Return the (width, signed) pairs that the kernels of `SHARED` consecutive seeds share."""
    rng = random.Random(f"palette {seed // SHARED}")
    widths = [
        1,
        rng.randint(2, 9),
        rng.randint(2, 16),
        rng.randint(9, 24),
        rng.choice([31, 32, 33]),
        rng.randint(17, 63),
        rng.choice([63, 64, 65]),
        rng.randint(66, 140),
        rng.randint(100, max_width),
    ]
    return [(w, rng.random() < 0.5) for w in widths] + [(rng.randint(2, 16), True), (rng.randint(2, 16), False)]


def random_kernel(seed: int, max_width: int = 200) -> RandomKernel:
    """Return the `RandomKernel` of a seed."""
    rng = random.Random(seed)
    name = f"k{seed}"
    palette = random_palette(seed, max_width)
    width = rng.choice([16, 40, 70, max_width])
    kinds = [t for t in palette if t[0] <= width]
    small = [t for t in kinds if t[0] <= 40]

    def var(name, count=0):
        return Var(name, *rng.choice(small if count else kinds), count)

    members = [var(f"s{i}") for i in range(rng.randint(1, 4))]
    members += [var(f"a{i}", rng.choice([2, 4, 4, 3, 5])) for i in range(rng.randint(0, 2))]
    if rng.random() < 0.4:  # a struct within the kernel
        members += [var("inner.a"), var("inner.b", rng.choice([0, 3, 4]))]
    inputs = [var(f"in{i}") for i in range(rng.randint(1, 2))]
    outputs = [var(f"out{i}") for i in range(rng.randint(1, 2))]
    local = [Var(f"x{i}", v.width, v.signed) for i, v in enumerate(inputs)]
    kernel = RandomKernel(name, members, inputs, outputs)
    source = RandomCpp(rng, members, max_width=width, palette=palette)
    if rng.random() < 0.3:
        source.tables.append(("table", 8))
    lines = [f"{v.type} {v.name} = 0;" for v in local]
    for v, stream in zip(local, inputs):
        access = f"{v.name} = {stream.name}.read();"
        lines += [access] if rng.random() < 0.4 else [f"if ({source.condition(2)}) {{", f"    {access}", "}"]
    source.variables += local
    has_ram = rng.random() < 0.4
    if has_ram:
        lines += _ram(rng, source, kernel)
    feeds_back = rng.random() < 0.3  # RAM data in the state: refused where it decides what is read next
    if has_ram and not feeds_back:
        data = source.variables.pop()
    for _ in range(rng.randint(1, 4)):
        lines += source.statement(rng.randint(1, 3))
    if has_ram and not feeds_back:
        source.variables.append(data)
    if rng.random() < 0.2:
        lines += [f"if ({source.condition(2)}) return;"]
    for stream in outputs:
        lines += _write(rng, source, stream.name)
    if kernel.rams:
        ram, bits, depth = kernel.rams[0]
        address = (
            f"ap_uint<{depth.bit_length() - 1}>({source.value(1)[0]})"
            if "at" not in [v.name for v in kernel.members]
            else "at"
        )
        lines += [
            f"if ({source.condition(1)}) {{",
            f"    {ram}.write({address}, {type_name(bits, False)}({source.value(2)[0]}));",
            "}",
        ]
    kernel.text = kernel_class(rng, kernel, lines)
    return kernel


def _ram(rng, source, kernel):
    anywhere = rng.random() < 0.4
    bits, depth = rng.randint(1, 100), rng.choice([2, 8, 32] if anywhere else [8, 32])
    kernel.rams.append(("mem", bits, depth))
    lines = [f"{type_name(bits, False)} m = 0;"]
    address = f"ap_uint<{depth.bit_length() - 1}>({source.value(1)[0]})"
    if not anywhere:  # an address of its own for every step, so that a write is long done when read
        kernel.members.append(Var("at", depth.bit_length() - 1, False))
        source.constants.add("at")
        lines.append("at++;" if rng.random() < 0.5 else "at++; mem.independent();")
        address = "at"
    source.variables.append(Var("m", bits, False))
    read = f"m = mem.read({address});"
    return lines + ([read] if rng.random() < 0.5 else [f"if ({source.condition(1)}) {{", f"    {read}", "}"])


def _write(rng, source, stream):
    if rng.random() < 0.3:
        return [f"{stream}.write({source.value(2)[0]});"]
    lines = [f"if ({source.condition(2)}) {{", f"    {stream}.write({source.value(2)[0]});"]
    if rng.random() < 0.4:
        lines += ["} else {", f"    {stream}.write({source.value(2)[0]});"]
    return lines + ["}"]


def kernel_class(rng: random.Random, kernel: RandomKernel, lines: list[str]) -> str:
    """Return the C++ class of a kernel whose step is these lines."""

    def member(v):
        name = v.name.removeprefix("inner.")
        values = ", ".join(str(rng.randint(-3, 99)) for _ in range(v.count))
        return (
            f"{v.type} {name}[{v.count}] = {{{values}}};"
            if v.count
            else f"{v.type} {name} = {rng.choice(['0', '1', '-1', '77'])};"
        )

    members = [member(v) for v in kernel.members if not v.name.startswith("inner.")]
    inner = " ".join(member(v) for v in kernel.members if v.name.startswith("inner."))
    members += [f"struct {{ {inner} }} inner;"] if inner else []
    if "table[" in "".join(lines):
        members.append(
            f"static constexpr int table[8] = {{{', '.join(str(rng.randint(-999, 9999)) for _ in range(8))}}};"
        )
    members += [f"ram<{type_name(bits, False)}, {depth}> {name};" for name, bits, depth in kernel.rams]
    streams = ", ".join(f"hls::stream<{v.type}>& {v.name}" for v in kernel.inputs + kernel.outputs)
    body = "\n".join("        " + line for line in lines)
    inside = "\n".join("    " + m for m in members)
    return f"struct {kernel.type} {{\n{inside}\n    void step({streams}) {{\n{body}\n    }}\n}};\n"


def stimulus(kernel: RandomKernel, steps: int) -> list[list[int]]:
    """Return one list of unsigned values per input stream, enough for `steps` steps."""
    rng = random.Random(kernel.name)
    return [
        [rng.choice([0, (1 << v.width) - 1, rng.getrandbits(v.width), rng.getrandbits(v.width)]) for _ in range(steps)]
        for v in kernel.inputs
    ]


def kernels_source(kernels: list[RandomKernel]) -> str:
    """Return the C++ of the kernels alone, for the route."""
    return "#include <ap_int.h>\n#include <hls_stream.h>\n#include <ram.h>\nusing hls_open::ram;\n" + "\n".join(
        k.text for k in kernels
    )


def reference_source(kernels: list[RandomKernel], steps: int) -> str:
    """Return a C++ program that prints every kernel's behaviour, one line per step."""
    runs = []
    for kernel in kernels:
        streams = kernel.inputs + kernel.outputs
        lines = [f"static void run_{kernel.name}() {{", f"    {kernel.type} kernel;"]
        lines += [f"    hls::stream<{v.type}> {v.name};" for v in streams]
        for v, values in zip(kernel.inputs, stimulus(kernel, steps)):
            words = ", ".join(f"0x{x >> 32 * i & 0xFFFFFFFF:x}" for x in values for i in range(-(-v.width // 32)))
            lines.append(f"    static const unsigned {v.name}_words[] = {{{words}}};")
            lines.append(f"    feed({v.name}, {v.name}_words, {len(values)});")
        lines += [
            f"    for (int i = 0; i < {steps}; i++) {{",
            f"        kernel.step({', '.join(v.name for v in streams)});",
            f'        printf("{kernel.name} ");',
        ]
        lines += [f'        printf("%d ", (int){v.name}.size());' for v in kernel.inputs]
        for v in kernel.outputs:
            lines.append(f'        if ({v.name}.empty()) printf("- "); else show({v.name}.read());')
        for v in kernel.members:
            lines += (
                [f"        show(kernel.{v.name});"]
                if not v.count
                else [f"        for (int j = 0; j < {v.count}; j++) show(kernel.{v.name}[j]);"]
            )
        lines += ["        putchar('\\n');", "    }"]
        lines += [f"    while (!{v.name}.empty()) {v.name}.read();" for v in kernel.inputs]
        runs.append("\n".join(lines + ["}"]))
    calls = "\n".join(f"    run_{k.name}();" for k in kernels)
    return kernels_source(kernels) + PRINT + FEED + "\n".join(runs) + f"\nint main() {{\n{calls}\n}}\n"
