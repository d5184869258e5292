"""docs/ap-int.md is true: what it calls here gives AMD's bits, what it calls refused does not compile."""

import re
import subprocess
from pathlib import Path

from tests.open.test_ap_int import build_and_run, compilers  # noqa: F401
from tests.open.tools import need_reference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "ap-int.md"
TYPES = ["ap_int<7>", "ap_uint<33>", "ap_uint<64>", "ap_int<100>"]
VALUES = ["0", "-1", "1", "T(0x5a5a1234cafe17) << 43 ^ T(0x13579bdf02468a)", "T(-7654321)", "T(1) << (T::width - 1)"]
PROGRAM = """
#include <ap_int.h>
#include <stdio.h>

template <class T> static void show(const T& x) {
    ap_int<130> wide(x);
    for (int i = 129; i >= 0; i--) putchar('0' + wide.test(i));
    putchar(' ');
}
template <class F> static auto result(F f, int) -> decltype(show(f())) { show(f()); }
template <class F> static void result(F f, long) { f(); }

template <class T> static void examples(T value, int i, int j) {
    const int last = T::width - 1;
    i %= T::width; j %= T::width;
    if (i > j) { int k = i; i = j; j = k; }
    (void)last;
ROWS
}
template <class T> static void all() {
    const T values[] = {VALUES};
    for (int n = 0; n < 6; n++) {
        examples<T>(values[n], 2, 5);
        examples<T>(values[n], 11 * n, 29 * n + 3);
    }
}
int main() {
CALLS
    return 0;
}
"""


def rows(what):
    """The examples of the page's rows that say `what`, with their names."""
    found = []
    for line in PAGE.read_text().splitlines():
        cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[1] == what and cells[2] != "example":
            found.append((cells[0], cells[2].strip("`")))
    return found


def test_what_is_here_gives_the_bits_of_amds(compilers, tmp_path):  # noqa: F811
    here = rows("here")
    assert len(here) > 45
    lines = [
        f'    {{ T x = value; ap_uint<12> y = 0xa73; printf("{n} "); result([&] {{ return ({example}); }}, 0); '
        "show(x); show(y); putchar('\\n'); }"
        for n, (_, example) in enumerate(here)
    ]
    text = PROGRAM.replace("ROWS", "\n".join(lines)).replace("VALUES", ", ".join(VALUES))
    source = tmp_path / "api.cpp"
    source.write_text(text.replace("CALLS", "\n".join(f"    all<{t}>();" for t in TYPES)))
    ours = build_and_run(compilers[0], source, tmp_path / "ours").splitlines()
    amd = build_and_run(compilers[1], source, tmp_path / "amd").splitlines()
    assert len(amd) == len(here) * len(TYPES) * len(VALUES) * 2
    for number, (line, expected) in enumerate(zip(ours, amd, strict=True)):
        assert line == expected, f"line {number}: {here[int(expected.split()[0])]} differs"


def test_what_is_refused_compiles_with_amds_only(compilers, tmp_path):  # noqa: F811
    refused = rows("refused")
    assert len(refused) > 8
    lines = ["#include <ap_int.h>", "#include <ap_fixed.h>", "ap_uint<100> x; ap_uint<12> y; int i = 2, j = 5;"]
    lines += [f"void f{n}() {{ (void)({example}); }}" for n, (_, example) in enumerate(refused)]
    lines += ["int main() { return 0; }"]
    source = tmp_path / "refused.cpp"
    source.write_text("\n".join(lines))
    build_and_run(compilers[1], source, tmp_path / "amd")
    source.write_text("\n".join(["template <int W, int I> struct ap_fixed;" if "fixed.h" in x else x for x in lines]))
    built = subprocess.run(
        [*compilers[0], "-ferror-limit=0", "-fsyntax-only", str(source)], capture_output=True, text=True
    )
    wrong = {int(n) for n in re.findall(r"refused\.cpp:(\d+):\d+: (?:error|note: in instantiation)", built.stderr)}
    for n, (name, example) in enumerate(refused):
        assert n + 4 in wrong, f"{name}: `{example}` compiles\n{built.stderr}"


def test_the_page_has_every_member_function_of_amds():
    page = PAGE.read_text()
    for header, kind in [("ap_int_base.h", "ap_int_base"), ("ap_int_ref.h", "")]:
        text = (need_reference() / header).read_text()
        names = set(re.findall(r"INLINE (?!operator)(?:[\w:]+&? )(\w+)\([^()]*\)(?: const)?(?: volatile)? ?\{", text))

        assert len(names) > (30 if kind else 8)
        for name in sorted(names):
            assert re.search(rf"\b{name}\b", page), f"{name} of {header} is not on the page"
