"""A LUT's table as an expression."""

from __future__ import annotations

import functools

MANY = 14  # operations, above which a table that is looked up is faster


def expression(table: int, names: tuple[str, ...]) -> str:
    """Return Verilog for a table.

    Parameters
    ----------
    table : int
        Bit k is the value where the inputs, the first the lowest bit, are k; at most 6 inputs.
    names : tuple of str
        Of the inputs.

    Returns
    -------
    str
        Of &, |, ^, ~ and ?:, or a shift of the table where that would be long.
    """
    text, cost = _split(table & (1 << (1 << len(names))) - 1, names)
    if cost > MANY:
        return f"{1 << len(names)}'h{table:x} >> {{{', '.join(reversed(names))}}}"
    return text


@functools.lru_cache(1 << 16)
def _split(table, names):
    """By the last input: (text, number of operations)."""
    size = 1 << len(names)
    every = (1 << size) - 1
    if table == 0:
        return "1'b0", 0
    if table == every:
        return "1'b1", 0
    half = size // 2
    last, rest = names[-1], names[:-1]
    low, high = table & (1 << half) - 1, table >> half
    ones = (1 << half) - 1
    if low == high:
        return _split(low, rest)
    if low == 0 and high == ones:
        return last, 0
    if low == ones and high == 0:
        return f"~{last}", 1
    if low == high ^ ones:
        text, cost = _split(low, rest)
        return f"({text} ^ {last})", cost + 1
    if low == 0:
        text, cost = _split(high, rest)
        return f"({text} & {last})", cost + 1
    if low == ones:
        text, cost = _split(high, rest)
        return f"({text} | ~{last})", cost + 2
    if high == 0:
        text, cost = _split(low, rest)
        return f"({text} & ~{last})", cost + 2
    if high == ones:
        text, cost = _split(low, rest)
        return f"({text} | {last})", cost + 1
    (a, cost_a), (b, cost_b) = _split(high, rest), _split(low, rest)
    return f"({last} ? {a} : {b})", cost_a + cost_b + 1
