"""A transition system of z3 expressions, read from what Yosys writes.

Yosys declares every register and every free input as a function of an abstract state. Here each becomes a constant of
its own, so that what a solver sees is plain bit-vector logic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from hls.open.prove.bench import TOP
from hls.open.prove.yosys import need, transition_text

if TYPE_CHECKING:
    import z3

    from hls.open.prove.bench import Bench

NOW, NEXT = "|hls now|", "|hls next|"


@dataclass
class System:
    """Registers, how they begin and go on, and the named conditions on them.

    Attributes
    ----------
    variables : list of z3 constants
        Registers and free inputs of one cycle.
    next : dict of {z3 constant: z3 expression}
        The registers.
    initial : z3 expression
    assumptions, claims, covers : dict of {str: z3 expression}
    wires : dict of {str: z3 expression}
        Those of the wrapper itself.
    """

    variables: list
    next: dict
    initial: z3.BoolRef
    assumptions: dict
    claims: dict
    covers: dict
    wires: dict
    _cycles: dict = field(default_factory=dict)

    def at(self, expressions: Iterable[z3.ExprRef], cycle: int) -> list[z3.ExprRef]:
        """Return expressions over the variables of a cycle."""
        import z3

        if cycle not in self._cycles:
            self._cycles[cycle] = [(v, z3.Const(f"{v.decl().name()}@{cycle}", v.sort())) for v in self.variables]
        return substitute(expressions, self._cycles[cycle])

    def step(self, cycle: int) -> list[z3.BoolRef]:
        """Return what joins a cycle to the one behind it."""
        return [a == b for a, b in zip(self.at(self.next, cycle + 1), self.at(self.next.values(), cycle), strict=True)]

    def reduced(self, *goals: z3.ExprRef) -> System:
        """Return the system without the registers on which neither the goals nor the assumptions depend."""
        names = {v.decl().name() for v in self.variables}
        following = {v.decl().name(): (v, e) for v, e in self.next.items()}
        kept, stack = set(), [*goals, *self.assumptions.values()]
        while stack:
            for name in _constants(stack.pop()) & names - kept:
                kept.add(name)
                if name in following:
                    stack.append(following[name][1])
        return replace(
            self,
            variables=[v for v in self.variables if v.decl().name() in kept],
            next={v: e for v, e in self.next.items() if v.decl().name() in kept},
            _cycles={},
        )


def read_system(bench: Bench) -> System:
    """Return the `System` of a bench."""
    need("z3")
    return parse_system(transition_text(bench))


def parse_system(text: str) -> System:
    """Return the `System` that a text of Yosys' `write_smt2` describes.

    Raises
    ------
    ValueError
        If the text has a form that is not known here.
    """
    import z3

    named = {}  # (kind, name) -> function
    for kind, letter in (("assume", "u"), ("assert", "a"), ("cover", "c")):
        for number, name in re.findall(rf"^; yosys-smt2-{kind} (\d+) (\S+)", text, re.M):
            named[kind, name] = f"|{TOP}_{letter} {number}|"
    for name in re.findall(r"^; yosys-smt2-wire ([A-Za-z_]\w*) \d+$", text, re.M):
        named["wire", name] = f"|{TOP}_n {name}|"
    state = f"|{TOP}_s|"
    tail = [f"(declare-fun {NOW} () {state})", f"(declare-fun {NEXT} () {state})"]
    tail += [f"(assert (|{TOP}_t| {NOW} {NEXT}))", f"(assert (|{TOP}_i| {NOW}))"]
    tail += [f"(assert (= ({function} {NOW}) ({function} {NOW})))" for function in named.values()]
    transition, initial, *rest = z3.parse_smt2_string(text + "\n".join(tail))
    shared = _leaves([transition, initial, *rest])
    now = {app: z3.Const(app.decl().name(), app.sort()) for app in shared if app.arg(0).decl().name() == NOW.strip("|")}

    targets, stack = [], [transition]
    while stack:
        part = stack.pop()
        if z3.is_and(part):
            stack.extend(part.children())
        elif z3.is_eq(part):
            value, target = part.children()
            if target not in shared or target in now:
                raise ValueError(f"no register in {part}")
            targets.append((z3.Const(target.decl().name(), target.sort()), value))
        elif not z3.is_true(part):
            raise ValueError(f"no assignment of a register: {part}")
    flat = iter(substitute([initial, *(value for _, value in targets), *(same.arg(0) for same in rest)], now.items()))
    initial, following = next(flat), {target: next(flat) for target, _ in targets}
    groups = {"assume": {}, "assert": {}, "cover": {}, "wire": {}}
    for kind, name in named:
        groups[kind][name] = next(flat)
    variables = {v.decl().name(): v for v in [*now.values(), *following]}
    return System(list(variables.values()), following, initial, *groups.values())


def substitute(expressions: Iterable[z3.ExprRef], pairs: Iterable[tuple]) -> list[z3.ExprRef]:
    """Return expressions with constants replaced; all in one call of z3, whose Python side is slow."""
    import z3

    expressions = list(expressions)
    if not expressions:
        return []
    together = z3.Function("together", *(e.sort() for e in expressions), z3.BoolSort())
    return z3.substitute(together(*expressions), list(pairs)).children()


def _constants(expression):
    """Names of the constants in an expression."""
    found, seen, stack = set(), set(), [expression]
    while stack:
        e = stack.pop()
        if e.get_id() not in seen:
            seen.add(e.get_id())
            if not e.num_args():
                found.add(e.decl().name())
            stack.extend(e.children())
    return found


def _leaves(expressions):
    """Applications of functions of the state: registers and free inputs."""
    found, seen, stack = {}, set(), list(expressions)
    while stack:
        e = stack.pop()
        if e.get_id() in seen:
            continue
        seen.add(e.get_id())
        if e.num_args() == 1 and e.arg(0).decl().name() in (NOW.strip("|"), NEXT.strip("|")):
            found[e] = None
        else:
            stack.extend(e.children())
    return found
