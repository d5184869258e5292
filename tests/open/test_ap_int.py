"""The `ap_int.h` of the open route against AMD's own headers: random programs must give the same bits."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from sim.fuzz.random_cpp import RandomCpp, Var, type_name
from tests.open.tools import need, need_reference

BLOCKS = 12  # the blocks of a program share types: AMD's templates are what takes g++'s time
INCLUDE = Path(__file__).resolve().parents[2] / "hls" / "open" / "include"
PROGRAM = """
#include <ap_int.h>
#include <stdio.h>

template <class T> static void show(int block, const char* name, T x) {{
    printf("%d %s ", block, name);
    for (int i = 0; i < T::width; i++) putchar('0' + x.test(T::width - 1 - i));
    putchar('\\n');
}}
{blocks}
int main() {{
{calls}
    return 0;
}}
"""


def program(seed, blocks):
    """Return C++ with `blocks` functions of random statements, each printing all its variables."""
    rng = random.Random(seed)
    texts = []
    palette = [
        (w, rng.random() < 0.5)
        for w in [
            1,
            4,
            8,
            13,
            rng.choice([31, 32, 33]),
            rng.choice([63, 64, 65]),
            rng.choice([100, 128, 129]),
            rng.randint(140, 200),
        ]
    ]
    for number in range(blocks):
        variables = [Var(f"v{i}", *rng.choice(palette)) for i in range(4)] + [Var("a", *rng.choice(palette[:6]), 4)]
        source = RandomCpp(rng, variables, palette=palette)
        lines = [f"{v.type} {v.name} = {rng.choice(['-1', '0', '1'])};" for v in variables if not v.count]
        lines += [
            f"{v.name} = ({v.name} << 31) ^ {rng.getrandbits(31)} ^ ({v.name} << 90);" for v in variables if not v.count
        ]
        lines += [f"{v.type} {v.name}[{v.count}] = {{1, -1, 77, 12345}};" for v in variables if v.count]
        for _ in range(6):
            lines += source.statement(3)
        lines += [f'show({number}, "{v.name}", {v.name});' for v in variables if not v.count]
        lines += [f'show({number}, "{v.name}{i}", {v.name}[{i}]);' for v in variables for i in range(v.count)]
        body = "\n".join("    " + line for line in lines)
        texts.append(f"static void block{number}() {{\n{body}\n}}")
    return PROGRAM.format(blocks="\n".join(texts), calls="\n".join(f"    block{n}();" for n in range(blocks)))


def build_and_run(command, source, executable):
    built = subprocess.run(command + [str(source), "-o", str(executable)], capture_output=True, text=True)
    assert built.returncode == 0, f"{' '.join(command)} {source} failed:\n{built.stderr[:3000]}"
    return subprocess.run([str(executable)], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def compilers():
    """The two compilers' command lines, or a skip that says what is missing."""
    need("ziglang")
    amd = need_reference()
    ours = [sys.executable, "-m", "ziglang", "c++", "-std=c++17", "-O0", "-fno-sanitize=all", "-w", f"-I{INCLUDE}"]
    return ours, ["g++", "-std=c++17", "-O0", "-w", f"-I{amd}"]


@pytest.mark.parametrize("seed", range(3))
def test_same_bits_as_amd(compilers, tmp_path, seed):
    source = tmp_path / "program.cpp"
    source.write_text(program(seed, blocks=BLOCKS))
    ours = build_and_run(compilers[0], source, tmp_path / "ours")
    amd = build_and_run(compilers[1], source, tmp_path / "amd")
    assert len(amd.splitlines()) == BLOCKS * 8
    for line, expected in zip(ours.splitlines(), amd.splitlines(), strict=True):
        assert line == expected, (
            f"block and variable {line.split()[:2]} differ: python -m tests.open.test_ap_int {seed}"
        )


def test_widths_of_results(compilers, tmp_path):
    """The static type of every operation, not only its value, is AMD's."""
    rng = random.Random(7)
    lines = []
    for _ in range(16):
        a, b = (type_name(rng.randint(1, 90), rng.random() < 0.5) for _ in range(2))
        for op in ["+", "-", "*", "&", "|", "^", "/", "%", "<<", ">>"]:
            lines.append(
                f'    {{ auto r = {a}(1) {op} {b}(1); using T = decltype(r); printf("%d %d\\n", T::width, T(-1) < 0); '
                f"}}"
            )
        lines.append(f'    {{ auto r = -{a}(1); using T = decltype(r); printf("%d %d\\n", T::width, T(-1) < 0); }}')
    source = tmp_path / "widths.cpp"
    source.write_text("#include <ap_int.h>\n#include <stdio.h>\nint main() {\n" + "\n".join(lines) + "\n}\n")
    assert build_and_run(compilers[0], source, tmp_path / "ours") == build_and_run(
        compilers[1], source, tmp_path / "amd"
    )


def test_equality_of_mixed_signs(compilers, tmp_path):
    """Of equal widths up to 64 bits AMD compares numbers, of different ones bits."""
    lines = []
    for a, b in ((8, 8), (31, 31), (32, 32), (33, 33), (40, 40), (63, 63), (64, 64), (31, 32), (32, 40), (40, 32)):
        for left, right in ((f"ap_uint<{a}>", f"ap_int<{b}>"), (f"ap_int<{a}>", f"ap_uint<{b}>")):
            for x in (-1, 1, f"(1LL << {a - 1})"):
                operands = f"{left}({x}), {right}({x})"
                lines.append(f'    printf("%d %d\\n", eq({operands}), ne({operands}));')
    lines += [f'    printf("%d\\n", ap_uint<{w}>(-1) == -1);' for w in (8, 31, 32, 33, 64)]
    source = tmp_path / "equal.cpp"
    source.write_text(
        "#include <ap_int.h>\n#include <stdio.h>\ntemplate <class A, class B> bool eq(A a, B b) { return a == b; }\n"
        "template <class A, class B> bool ne(A a, B b) { return a != b; }\nint main() {\n" + "\n".join(lines) + "\n}\n"
    )
    ours, amd = (build_and_run(c, source, tmp_path / f"program{i}") for i, c in enumerate(compilers))
    assert ours == amd and "1 0" in amd and "0 1" in amd


if __name__ == "__main__":
    print(program(int(sys.argv[1]), blocks=BLOCKS))
