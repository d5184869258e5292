"""The meaning of dataflow nodes as z3 expressions: what `evaluate.py` says of numbers, said of all numbers at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.open.dataflow.evaluate import topological
from hls.open.errors import Refused

try:
    import z3
except ImportError:
    raise Refused("proofs need the package z3-solver; run `make setup`") from None

if TYPE_CHECKING:
    from hls.open.dataflow.nodes import Node


def resize(x: z3.BitVecRef, width: int, signed: bool = False) -> z3.BitVecRef:
    """x in `width` bits: cut, or extended."""
    more = width - x.size()
    if more <= 0:
        return z3.Extract(width - 1, 0, x) if more else x
    return z3.SignExt(more, x) if signed else z3.ZeroExt(more, x)


def meaning(op: str, width: int, args: list[z3.BitVecRef], attr: int | None = None) -> z3.BitVecRef:
    """Return the result of an operation; `tests/open/test_rules.py` holds it against `evaluate`."""
    a = args[0]
    b = args[1] if len(args) > 1 else None
    if op in _TWO:
        return _TWO[op](a, b)
    if op in _COMPARE:
        return z3.If(_COMPARE[op](a, b), z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))
    if op == "smul":
        return resize(a, width, True) * resize(b, width, True)
    if op in ("shl", "shr", "sra"):
        wide = max(a.size(), b.size())
        return resize(_SHIFT[op](resize(a, wide, op == "sra"), resize(b, wide)), width)
    if op == "slice":
        return z3.Extract(attr + width - 1, attr, a)
    if op in ("zext", "sext"):
        return resize(a, width, op == "sext")
    if op == "not":
        return ~a
    if op == "concat":
        return z3.Concat(*args) if len(args) > 1 else a
    if op == "select":
        return z3.If(a == 1, args[1], args[2])
    if op == "index":
        result = args[-1]
        for i, value in list(enumerate(args[1:-1]))[::-1]:
            if i < 1 << a.size():
                result = z3.If(a == i, value, result)
        return result
    bits = [z3.Extract(i, i, a) for i in range(a.size())]
    if op == "reverse":
        return z3.Concat(*bits) if len(bits) > 1 else a
    if op in ("ctz", "clz"):
        result = z3.BitVecVal(a.size(), width)
        for k, bit in list(enumerate(bits if op == "ctz" else bits[::-1]))[::-1]:
            result = z3.If(bit == 1, z3.BitVecVal(k, width), result)
        return result
    raise ValueError(f"no such operation: {op}")


_TWO = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}
_COMPARE = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ult": z3.ULT,
    "ule": z3.ULE,
    "slt": lambda a, b: a < b,
    "sle": lambda a, b: a <= b,
}
_SHIFT = {"shl": lambda a, n: a << n, "shr": z3.LShR, "sra": lambda a, n: a >> n}


def translate(outputs: list[Node], known: dict[Node, z3.BitVecRef] | None = None) -> list[z3.BitVecRef]:
    """Return the nodes as z3 expressions over their inputs, which are constants named as they are."""
    values = {} if known is None else known
    for node in topological(outputs):
        if node in values:
            continue
        if node.op == "literal":
            values[node] = z3.BitVecVal(node.attr, node.width)
        elif node.op == "input":
            values[node] = z3.BitVec(node.attr, node.width)
        else:
            values[node] = meaning(node.op, node.width, [values[a] for a in node.args], node.attr)
    return [values[node] for node in outputs]


def difference(a: list[Node], b: list[Node]) -> dict[str, int] | None:
    """Return input values for which two rows of nodes differ; None if they are proved equal.

    Raises
    ------
    RuntimeError
        If z3 gives no answer.
    """
    known = {}
    pairs = [(x, y) for x, y in zip(translate(a, known), translate(b, known), strict=True)]
    return counterexample(z3.Or(*(x != y for x, y in pairs)))


def counterexample(claim: z3.BoolRef) -> dict[str, int] | None:
    """Return values of the constants for which a claim holds; None if it is proved that there are none.

    Raises
    ------
    RuntimeError
        If z3 gives no answer.
    """
    claim = z3.simplify(claim)
    if z3.is_false(claim):
        return None
    solver = z3.SolverFor("QF_BV")
    solver.add(claim)
    answer = solver.check()
    if answer == z3.unsat:
        return None
    if answer != z3.sat:
        raise RuntimeError(f"z3 gave no answer: {solver.reason_unknown()}")
    model = solver.model()
    return {str(name): model[name].as_long() for name in model.decls()}
