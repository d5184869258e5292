"""A slice's settings to its cells: LUTs, wide multiplexers, carry chains, registers (UG474).

    LUT A..D      O6 of all six inputs, O5 of the lower five; both from one table of 64 bits
    F7AMUX        A (I1) or B (I0), by AX; F7BMUX: C or D, by CX; F8MUX: F7AMUX (I1) or F7BMUX (I0), by BX
    CARRY4        S from O6, DI from O5 or the bypass input AX..DX
    AFF, A5FF     registers; what they take, and what leaves through AMUX, is chosen by multiplexers

LUTs as memories are in `hls/readback/cells/lutrams.py`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from hls.readback.cells.builder import Block, Outside
from hls.readback.cells.lutrams import memory
from hls.readback.netlist import Cell, Pin

if TYPE_CHECKING:
    from hls.readback.cells.builder import Signal

LETTERS = "ABCD"
LUT_BITS = 64


def depends(table: int, inputs: int) -> list[int]:
    """Return the inputs that decide the value of a LUT.

    Parameters
    ----------
    table : int
        Bit k is the value where the inputs, the first the lowest bit, are k.
    inputs : int
        Number of inputs, at most 6.
    """
    size = 1 << inputs
    found = []
    for k in range(inputs):
        step = 1 << k
        low = sum(((1 << step) - 1) << at for at in range(0, size, 2 * step))  # where input k is 0
        if (table ^ table >> step) & low:
            found.append(k)
    return found


class Slice(Block):
    """SLICEL or SLICEM."""

    def output(self, pin: str) -> Pin | None:
        """Return the port behind A, AMUX, AQ, ... or COUT."""
        letter = pin[0]
        if pin == "COUT":
            return self.carry("CO", 3)
        if pin == letter:
            return self.o6(letter)
        if pin == letter + "Q":
            return Pin(self.register(letter).name, "Q")
        chosen = self.chosen(f"{letter}OUTMUX", pin)
        if chosen is None:
            return None
        if chosen == f"{letter}5Q":
            return Pin(self.register(letter + "5").name, "Q")
        return self.inner(letter, chosen)

    def inner(self, letter: str, chosen: str) -> Signal | None:
        """Return the signal that a multiplexer in front of a register, or of the output AMUX, has chosen."""
        at = LETTERS.index(letter)
        if chosen == "O6":
            return self.o6(letter)
        if chosen == "O5":
            return self.o5(letter)
        if chosen == "CY":
            return self.carry("CO", at)
        if chosen == "XOR":
            return self.carry("O", at)
        if chosen in ("F7", "F8"):
            return Pin(self.wide("F8MUX" if chosen == "F8" else f"F7{letter}MUX").name, "O")
        if chosen == letter + "X":
            return Outside(chosen)
        if chosen == "MC31":
            return self.last(letter)
        self.builder.fault(
            "mode", f"{self.site.name}/{letter}", f"{self.site.name} selects {chosen}, which is not known"
        )
        return None

    def o6(self, letter: str) -> Pin:
        """Return the output O6 of a LUT, or of the memory that it is."""
        return self._lut(letter, 6)

    def o5(self, letter: str) -> Pin:
        """Return the output O5."""
        return self._lut(letter, 5)

    @functools.cache  # noqa: B019
    def last(self, letter: str) -> Pin | None:
        """Return what a LUT as a shift register passes on."""
        found = memory(self, letter, 6)
        return Pin(found.name, "Q31") if found else None

    @functools.cache  # noqa: B019
    def _lut(self, letter, which):
        """Make a LUT's inputs, as far as this output depends on them."""
        if self.is_memory(letter):
            made = memory(self, letter, which)
            return Pin(made.name, "O" if made.kind.startswith("RAMD") else "Q")
        table = self.values.get(f"{letter}LUT.INIT", 0)
        cell = self._table(letter, table)
        seen = table if which == 6 else table & (1 << LUT_BITS // 2) - 1
        for k in depends(seen, which):
            self.builder.join(self, cell, f"I{k}", Outside(f"{letter}{k + 1}"))
        return Pin(cell.name, f"O{which}")

    @functools.cache  # noqa: B019
    def _table(self, letter, table):
        return self.builder.cell(self, f"{letter}6LUT", "LUT6_2", {"INIT": table})

    def is_memory(self, letter: str) -> bool:
        """Return whether a LUT is a RAM or a shift register."""
        return not self.settings.isdisjoint((f"{letter}LUT.RAM", f"{letter}LUT.SRL"))

    @functools.cache  # noqa: B019
    def wide(self, bel: str) -> Cell:
        """Return F7AMUX, F7BMUX or F8MUX."""
        cell = self.builder.cell(self, bel, f"MUX{bel[:2]}", {})
        if bel == "F8MUX":
            inputs = Pin(self.wide("F7BMUX").name, "O"), Pin(self.wide("F7AMUX").name, "O"), Outside("BX")
        elif bel == "F7AMUX":
            inputs = self.o6("B"), self.o6("A"), Outside("AX")
        else:
            inputs = self.o6("D"), self.o6("C"), Outside("CX")
        for port, signal in zip(("I0", "I1", "S"), inputs):
            self.builder.join(self, cell, port, signal)
        return cell

    @functools.cache  # noqa: B019
    def carry(self, port: str, at: int) -> Pin:
        """Return an output of CARRY4, "CO" or "O", and make the inputs that it depends on."""
        cell = self._chain()
        letter = LETTERS[at]
        if at:
            self.carry("CO", at - 1)
        self.builder.join(self, cell, f"S[{at}]", self.o6(letter))
        if port == "CO":
            lut = f"CARRY4.{letter}CY0" in self.settings
            self.builder.join(self, cell, f"DI[{at}]", self.o5(letter) if lut else Outside(letter + "X"))
        return Pin(cell.name, f"{port}[{at}]")

    @functools.cache  # noqa: B019
    def _chain(self):
        cell = self.builder.cell(self, "CARRY4", "CARRY4", {})
        start = self.chosen("PRECYINIT", "CARRY4")
        self.builder.join(self, cell, "CI", Outside("CIN") if start == "CIN" else 0)
        inside = {"CIN": 0, "AX": Outside("AX"), "C0": 0, "C1": 1}.get(start)
        self.builder.join(self, cell, "CYINIT", inside)
        return cell

    @functools.cache  # noqa: B019
    def register(self, which: str) -> Cell:
        """Return a register: "A" to "D", or "A5" to "D5"."""
        letter, five = which[0], which[1:] == "5"
        synchronous, latch = "FFSYNC" in self.settings, "LATCH" in self.settings and not five
        reset = f"{which}FF.ZRST" in self.settings
        if latch:
            kind = "LDCE" if reset else "LDPE"
        else:
            kind = "FD" + ({True: "R", False: "S"} if synchronous else {True: "C", False: "P"})[reset] + "E"
        inverted = int("CLKINV" in self.settings)
        parameters = {"INIT": int(f"{which}FF.ZINI" not in self.settings)}
        parameters["IS_G_INVERTED" if latch else "IS_C_INVERTED"] = inverted
        cell = self.builder.cell(self, f"{which}FF", kind, parameters)
        chosen = self.chosen(f"{which}FFMUX", f"{which}FF")
        if five:
            data = {"IN_A": self.o5(letter), "IN_B": Outside(letter + "X")}.get(chosen) if chosen else None
        else:
            data = self.inner(letter, chosen) if chosen else None
        self.builder.join(self, cell, "D", data)
        self.builder.join(self, cell, "G" if latch else "C", Outside("CLK"))
        enable = Outside("CE") if "CEUSEDMUX" in self.settings else 1
        self.builder.join(self, cell, "GE" if latch else "CE", enable)
        port = {"R": "R", "S": "S", "C": "CLR", "P": "PRE"}[kind[2]]
        self.builder.join(self, cell, port, Outside("SR") if "SRUSEDMUX" in self.settings else 0)
        return cell
