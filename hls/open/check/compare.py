"""Whether two of C++, interpreter and Verilog did the same, and if not, where they differ first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hls.open.check.bench import Port
    from hls.open.check.reference import Epoch
    from hls.open.check.simulate import Stretch

AROUND = 3  # words shown before and after the first difference


class Difference(click.ClickException):
    """Two that should do the same don't; a command prints it and exits with 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print what differs."""
        click.echo(f"difference: {self.message}", err=True, file=file)


def same_words(what: str, one: str, expected: Sequence[str], other: str, got: Sequence[str], whole: bool) -> None:
    """Hold the words of a stream against each other.

    Parameters
    ----------
    what : str
        The stream, for the message.
    one, other : str
        Who expects, who is held against it.
    expected, got : sequence of str
    whole : bool
        `got` has to have all of them; otherwise it may end earlier.

    Raises
    ------
    Difference
    """
    if got == expected[: len(got)] and (not whole or len(got) == len(expected)):
        return
    at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
    wanted = expected[at] if at < len(expected) else "nothing"
    came = got[at] if at < len(got) else "nothing"
    rows = [("word", one, other)]
    for i in range(max(0, at - AROUND), min(max(len(expected), len(got)), at + AROUND + 1)):
        mark = "> " if i == at else ""
        rows.append((f"{mark}{i}", *(words[i] if i < len(words) else "-" for words in (expected, got))))
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    table = "\n".join("  " + "  ".join(cell.rjust(w) for cell, w in zip(row, widths)) for row in rows)
    raise Difference(
        f"{what}, word {at}: {other} has {came} instead of {wanted} ({len(got)} words of {len(expected)})\n{table}"
    )


def same_steps(name: str, streams: Sequence[str], one: str, expected: Epoch, other: str, got: Epoch) -> None:
    """Hold two runs of a kernel against each other, step by step.

    Raises
    ------
    Difference
    """
    for number, (wanted, came) in enumerate(zip(expected.rows, got.rows)):
        if wanted == came:
            continue
        i = next(k for k, (a, b) in enumerate(zip(wanted, came)) if a != b)
        lines = [f"  step {n}: {one} {_shown(streams, expected.rows[n])}; {other} {_shown(streams, got.rows[n])}"
                 for n in range(max(0, number - AROUND), number + 1)]  # fmt: skip
        raise Difference(
            f"{name}, stream {streams[i]}, step {number}: {other} has {_said(came[i])} instead of {_said(wanted[i])}\n"
            + "\n".join(lines)
        )
    if len(expected.rows) != len(got.rows):
        raise Difference(f"{name}: {other} does {len(got.rows)} steps, {one} {len(expected.rows)}")


def _said(value):
    return {"1": "a read", "0": "no read", "-": "no word"}.get(value, value)


def _shown(streams, row):
    return " ".join(f"{stream}={value}" for stream, value in zip(streams, row))


def ended(name: str, stretches: Sequence[Stretch]) -> None:
    """Refuse a simulation that was cut off.

    Raises
    ------
    Difference
    """
    if not stretches[-1].end:
        words = sum(len(w) for w in stretches[-1].words.values())
        raise Difference(f"{name}: the Verilog has not come to an end in time; the last stretch gave {words} words")


def same_hardware(
    name: str, ports: Sequence[Port], one: str, epochs: Sequence[Epoch], stretches: Sequence[Stretch], limit: int
) -> None:
    """Hold what the Verilog did between resets against the reference's steps.

    Between resets every word that came out has to be right, and what went in has to be what these steps read; at the
    end every word has to come.

    Parameters
    ----------
    name : str
    ports : sequence of Port
        Of the device, in the order of a row.
    one : str
        Who the reference is.
    epochs, stretches : sequence
        One each per reset, and one more.
    limit : int
        Steps of all together after which the simulation might end.

    Raises
    ------
    Difference
    """
    before = 0
    for number, (epoch, stretch) in enumerate(zip(epochs, stretches, strict=True)):
        place = f"{name}" + (f" after reset {number}" if number else "")
        rows, last = epoch.rows, number == len(epochs) - 1
        inputs = [(i, port) for i, port in enumerate(ports) if port.direction == "in"]
        if len(rows) < stretch.begun[0]:
            raise Difference(
                f"{place}: the Verilog begins {stretch.begun[0]} steps, {one} has input for {len(rows)} of them"
            )
        for i, port in enumerate(ports):
            if port.direction != "out":
                continue
            due = [row[i] for row in rows if row[i] != "-"]
            got = stretch.words.get(i, [])
            same_words(f"{place}, stream {port.name}", one, due, "Verilog", got, last and stretch.end == "idle")
            if last and stretch.end == "limit":
                least = sum(row[i] != "-" for row in rows[: max(0, limit - before)])
                if len(got) < least:
                    same_words(f"{place}, stream {port.name}", one, due[:least], "Verilog", got, True)
        for (i, port), taken in zip(inputs, stretch.taken):
            due = sum(row[i] == "1" for row in rows)
            if taken != due:
                raise Difference(
                    f"{place}, stream {port.name}: Verilog takes {taken} words in {len(rows)} steps, {one} {due}"
                )
        if last and stretch.end == "idle" and not epoch.starved:
            raise Difference(f"{place}: the Verilog stops after {len(rows)} steps, {one} goes on")
        before += stretch.begun[0]
