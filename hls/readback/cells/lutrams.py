"""LUTs that are memories (UG474, chapter 2): distributed RAM and shift registers of a SLICEM.

All four LUTs of a slice write at the address at the inputs of LUT D, and at WA7 (CX), WA8 (BX) where several make one
RAM. DI1 is a LUT's own input AI..CI, DI, or what the next LUT has; DI2 is the bypass input AX..DX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hls.readback.cells.builder import Outside

if TYPE_CHECKING:
    from hls.readback.cells.slices import Slice
    from hls.readback.netlist import Cell

NEXT = {"A": "B", "B": "C", "C": "D"}  # whose input or last bit a LUT may take
NEXT_CHOICE = {"A": "BDI1_BMC31", "B": "DI_CMC31", "C": "DI_DMC31"}
HALF = (1 << 32) - 1
HIGH = {"A": 3, "B": 2, "C": 1, "D": 0}  # WA8, WA7 of a LUT's part of a larger RAM


def memory(block: Slice, letter: str, which: int) -> Cell:
    """Return the RAM or shift register behind an output of a LUT, O5 (`which` = 5) or O6.

    RAMD64E, RAMD32: ports O, I, CLK, WE, RADR0.., WADR0..; parameters INIT, and HIGH_MASK, HIGH_VALUE: which of WADR7
    and WADR6 (bits 1 and 0) have to have which value for a write. SRLC32E: Q, Q31, D, CLK, CE, A0..A4; SRL16E likewise.
    """
    small = f"{letter}LUT.SMALL" in block.settings
    bel = f"{letter}{which}LUT" if small else f"{letter}6LUT"
    known = block.builder.netlist.cells.get(block.name(bel))
    if known:
        return known
    table = block.values.get(f"{letter}LUT.INIT", 0)
    if small:
        table = table >> 32 if which == 6 else table & HALF
    inverted = {"IS_CLK_INVERTED": int("CLKINV" in block.settings)}
    if f"{letter}LUT.SRL" in block.settings:
        return _shift(block, letter, bel, table, small, inverted)
    return _ram(block, letter, bel, table, small, inverted)


def _data(block, letter, second):
    """What a LUT stores: its own input, or the next one's."""
    if second:
        return Outside(letter + "X")
    if letter == "D":
        return Outside("DI")
    if block.chosen(f"{letter}LUT.DI1MUX", f"{letter}6LUT") != NEXT_CHOICE[letter]:
        return Outside(letter + "I")
    other = NEXT[letter]
    if f"{letter}LUT.SRL" in block.settings:
        return block.last(other)
    return Outside("DI") if letter in "BC" else _data(block, other, False)


def _write(block):
    return Outside("CE" if "WEMUX.CE" in block.settings else "WE")


def _ram(block, letter, bel, table, small, inverted):
    build = block.builder
    mask = 2 * ("WA8USED" in block.settings) + ("WA7USED" in block.settings)
    parameters = {"INIT": table, "HIGH_MASK": mask, "HIGH_VALUE": HIGH[letter] & mask, **inverted}
    cell = build.cell(block, bel, "RAMD32" if small else "RAMD64E", parameters)
    for k in range(5 if small else 6):
        build.join(block, cell, f"RADR{k}", Outside(f"{letter}{k + 1}"))
        build.join(block, cell, f"WADR{k}", Outside(f"D{k + 1}"))
    for bit, pin in ((0, "CX"), (1, "BX")):
        if mask >> bit & 1:
            build.join(block, cell, f"WADR{6 + bit}", Outside(pin))
    build.join(block, cell, "I", _data(block, letter, small and bel[1] == "6"))
    build.join(block, cell, "WE", _write(block))
    build.join(block, cell, "CLK", Outside("CLK"))
    return cell


def _shift(block, letter, bel, table, small, inverted):
    """Each bit of a shift register stands twice in the table: it moves through pairs of cells."""
    build = block.builder
    length = 16 if small else 32
    start = sum((table >> 2 * k & 1) << k for k in range(length))
    if any((table >> 2 * k & 1) != (table >> 2 * k + 1 & 1) for k in range(length)):
        where = block.name(bel)
        build.fault("mode", where, f"{where} is a shift register whose start value has pairs of unequal bits")
    cell = build.cell(block, bel, "SRL16E" if small else "SRLC32E", {"INIT": start, **inverted})
    for k in range(4 if small else 5):
        build.join(block, cell, f"A{k}", Outside(f"{letter}{k + 2}"))
    build.join(block, cell, "D", _data(block, letter, small and bel[1] == "6"))
    build.join(block, cell, "CE", _write(block))
    build.join(block, cell, "CLK", Outside("CLK"))
    return cell
