"""The lint of the kernels' pragmas: the kernels pass, every kind of mistake is found."""

import pytest

from hls.csim.build import KERNELS, OPEN_LIBRARY
from hls.vendor.pragmas import lint_folder, lint_pragmas
from model.base.errors import UserError

GOOD = """
#pragma once
template <int N> struct stage {
    int window[N];
    void step(hls::stream<int>& in) {
#pragma HLS INLINE
#pragma HLS ARRAY_PARTITION variable=window complete dim=1
        // a comment, then a directive
#pragma HLS DEPENDENCE variable=window type=inter direction=RAW dependent=false
    rotate:
        for (int i = 0; i < N; i++) {
#pragma HLS UNROLL
            window[i] = in.read();
        }
    }
    bool ready() const {
#pragma HLS INLINE
        return true;
    }
};
"""


def test_the_kernels_pass():
    assert sum(path.read_text().count("#pragma HLS") for path in KERNELS.glob("*.*pp")) > 50
    lint_folder(KERNELS)
    lint_folder(OPEN_LIBRARY)


def test_a_correct_source_has_no_findings():
    assert lint_pragmas(GOOD) == []


@pytest.mark.parametrize(
    "before, after, words",
    [
        ("HLS UNROLL", "HLS UNROL", "no pragma HLS UNROL"),
        ("#pragma HLS UNROLL", "#pragma hls UNROLL", "'hls' is none"),
        ("complete dim=1", "complet dim=1", "no option 'complet'"),
        ("dim=1", "dims=1", "no option 'dims'"),
        ("dim=1", "dim=first", "does not take 'dim=first'"),
        ("variable=window complete", "variable=windows complete", "does not take 'variable=windows'"),
        ("variable=window complete", "complete", "needs variable="),
        ("direction=RAW", "direction=RWA", "does not take 'direction=RWA'"),
        ("dependent=false", "", "needs dependent="),
        ("#pragma HLS UNROLL\n", "window[0] = 1;\n#pragma HLS UNROLL\n", "place after other statements"),
        ("#pragma HLS UNROLL", "#pragma HLS INLINE", "stands in a loop"),
        (
            "{\n#pragma HLS INLINE\n        return true;",
            "{\n#pragma HLS PIPELINE II=1\n        return true;",
            "stands in a function",
        ),
        ("for (int i = 0; i < N; i++) {", "if (in.empty()) {", "block that is no function"),
    ],
)
def test_mistakes_are_found(before, after, words):
    changed = GOOD.replace(before, after, 1)
    assert changed != GOOD
    problems = lint_pragmas(changed)
    assert any(words in problem for _, problem in problems), problems
    assert all(1 <= line <= len(changed.splitlines()) for line, _ in problems)


@pytest.mark.parametrize(
    "body, right",
    [
        ("int product;\n#pragma HLS BIND_OP variable=product op=mul impl=dsp\nproduct = a * b;", True),
        ("int product;\nproduct = a * b;\n#pragma HLS BIND_OP variable=product op=mul impl=dsp", False),
        ("#pragma HLS BIND_OP variable=product op=mul impl=dsp\nint product = a * b;", False),
    ],
)
def test_operations_are_bound_right_behind_their_variable(body, right):
    problems = lint_pragmas(f"int f(int a, int b) {{\n{body}\nreturn product;\n}}\n")
    assert not problems if right else ["right behind the declaration" in problem for _, problem in problems] == [True]


def test_a_mistake_in_a_kernel_is_refused_by_name(tmp_path):
    (tmp_path / "stage.hpp").write_text(GOOD.replace("HLS UNROLL", "HLS UNROL"))
    with pytest.raises(UserError, match=r"stage\.hpp line 12: there is no pragma HLS UNROL"):
        lint_folder(tmp_path)
