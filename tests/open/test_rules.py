"""The rewriting rules of the dataflow form are proved; here for few bits (hls/open/prove/passes/rules.py)."""

import itertools
import random

import pytest

from hls.open.dataflow.evaluate import evaluate
from hls.open.dataflow.graph import Graph
from hls.open.dataflow.rules import RULES, Rule, rule

pytest.importorskip("z3")

import z3

from hls.open.prove.passes.bounds import prove_bounds
from hls.open.prove.passes.meaning import meaning
from hls.open.prove.passes.rules import CONSTRUCTORS, Unproved, prove_rule, prove_rules

TWO = ["add", "sub", "and", "or", "xor", "eq", "ne", "ult", "ule", "slt", "sle", "smul"]
ONE = ["not", "zext", "sext", "ctz", "clz", "reverse"]


def test_all_rules_and_bounds_are_proved():
    rows = prove_rules(range(1, 4), (17,)) + prove_bounds(range(1, 3), (17,))
    assert len(rows) > 100
    assert all(row.proved and row.tried for row in rows)


def _cases(width):
    """(operation, width of the result, widths of the arguments, attribute)."""
    for op in TWO:
        yield op, 1 if op in ("eq", "ne", "ult", "ule", "slt", "sle") else width, [width, width], None
    yield "smul", width + 2, [width, 2], None
    for op in ONE:
        yield op, width + 2 if op[1:] == "ext" else 3 if op in ("ctz", "clz") else width, [width], None
    for op, bits in itertools.product(("shl", "shr", "sra"), (1, 3)):
        yield op, width, [width, bits], None
    for start in range(width):
        yield "slice", width - start, [width], start
    yield "concat", width + 3, [width, 1, 2], None
    yield "select", width, [1, width, width], None
    yield "index", width, [2, width, width, width], None
    yield "index", width, [1, width, width, width], None


@pytest.mark.parametrize("width", [1, 2, 3, 40])
def test_the_meaning_that_proofs_use_is_that_of_evaluate(width):
    rng = random.Random(width)
    for op, out, widths, attr in _cases(width):
        rows = list(itertools.product(*(range(1 << w) for w in widths))) if width < 4 else None
        if rows is None or len(rows) > 100:
            rows = [[rng.getrandbits(w) for w in widths] for _ in range(30)]
        for values in rows:
            result = meaning(op, out, [z3.BitVecVal(v, w) for v, w in zip(values, widths)], attr)
            assert result.size() == out
            expected = evaluate(op, out, list(values), widths, attr)
            assert z3.simplify(result).as_long() == expected, f"{op} of {values} in {widths} bits"


def test_a_rule_without_shapes_cannot_be_registered():
    with pytest.raises(ValueError, match="can't be proved"):
        rule("add")
    assert all(r.shapes for rules in RULES.values() for r in rules)
    assert set(RULES) == set(CONSTRUCTORS)


def _added(monkeypatch, op, apply, *shapes):
    """A rule that is asked first, for this test."""
    added = Rule(op, apply, shapes)
    monkeypatch.setitem(RULES, op, [added, *RULES[op]])
    return added


def _top_and_any(s):
    yield s.graph.literal(-1, s.width), s.x()


@pytest.mark.parametrize("widths, above", [(range(2, 9), ()), ((), (33,))])
def test_a_wrong_rule_is_caught(monkeypatch, widths, above):
    """x - x is 1; the largest number plus x is x."""
    with monkeypatch.context() as patch:
        wrong = _added(patch, "sub", lambda g, a, b: g.literal(1, a.width), lambda s: [(s.x(), s.x())])
        with pytest.raises(Unproved, match="sub"):
            prove_rule(wrong, widths, above)
    with monkeypatch.context() as patch:
        wrong = _added(patch, "add", lambda g, a, b: b, _top_and_any)
        with pytest.raises(Unproved, match="add"):
            prove_rule(wrong, widths, above)


def test_a_rule_wrong_for_a_single_value_is_caught(monkeypatch):
    """x < 255 is always true, but for one value."""
    wrong = _added(
        monkeypatch,
        "compare",
        lambda g, op, a, b: g.true if op == "ult" and b.op == "literal" and b.attr == (1 << b.width) - 1 else None,
        lambda s: [("ult", s.x(), s.graph.literal(-1, s.width))],
    )
    with pytest.raises(Unproved, match="'x8': 255"):
        prove_rule(wrong, [8], ())


def test_a_rule_that_its_shapes_do_not_reach_is_an_error(monkeypatch):
    idle = _added(monkeypatch, "add", lambda g, a, b: None, lambda s: [(s.x(), s.x("y"))])
    with pytest.raises(Unproved, match="never makes the rule fire"):
        prove_rule(idle, range(1, 4), ())


def test_wrong_bounds_are_caught(monkeypatch):
    """The least value of a sum is left out."""
    right = Graph.bounds

    def wrong(graph, x):
        low, high = right(graph, x)
        return (low + 1, high) if x.op == "add" and low > -(1 << x.width - 1) else (low, high)

    monkeypatch.setattr(Graph, "bounds", wrong)
    with pytest.raises(Unproved, match="add"):
        prove_bounds(range(2, 5), ())
