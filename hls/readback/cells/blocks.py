"""DSP48E1, block RAMs, clock buffers, pads and the processor: their settings to cells (UG479, UG473, UG472, UG471).

A RAMB36E1 is two RAMB18E1 side by side that share their addresses: neighbouring bits of its words are in different
halves, as wires and settings are. So there are RAMB18E1 only.
"""

from __future__ import annotations

import functools
import re

from hls.readback.cells.builder import Block, Outside
from hls.readback.netlist import Cell, Pin

VECTOR = re.compile(r"([A-Z0-9]*?[A-Z])(\d+)$")


def port_name(pin: str, vectors: dict[str, int]) -> str:
    """Return a site pin's name as the primitive has it: "DIADI[7]" for "DIADI7".

    Parameters
    ----------
    vectors : dict
        Names of the primitive's ports of several bits.
    """
    for name in sorted(vectors, key=len, reverse=True):
        rest = pin[len(name) :]
        if pin.startswith(name) and rest.isdigit():
            return f"{name}[{rest}]"
    return pin


class Whole(Block):
    """A site that is one cell: all inputs that something drives are joined, all outputs are there."""

    kind: str
    vectors: dict[str, int] = {}

    def output(self, pin: str) -> Pin | None:
        """Return the port behind an output pin of the site."""
        return Pin(self.cell().name, self.port(pin))

    def port(self, pin: str) -> str:
        """Return the primitive's port at a pin of the site."""
        return port_name(pin, self.vectors)

    @functools.cache  # noqa: B019
    def cell(self) -> Cell:
        """Return the cell."""
        cell = self.builder.cell(self, self.kind, self.kind, self.parameters())
        for pin in self.site.pins:
            if pin not in self.site.outputs and self.wanted(pin):
                self.builder.join(self, cell, self.port(pin), Outside(pin), self.needed(pin))
        return cell

    def parameters(self) -> dict:
        """Return the parameters of the cell."""
        return {}

    def wanted(self, pin: str) -> bool:
        """Return whether an input is joined."""
        return True

    def needed(self, pin: str) -> bool:
        """Return whether an input that nothing drives is a fault."""
        return True

    def number(self, name: str, width: int, inverted: bool = False) -> int:
        """Return a setting of several bits; `inverted`: the bits say what is 0."""
        value = self.values.get(name, 0)
        return ~value & (1 << width) - 1 if inverted else value


DSP = {
    "A": 30, "ACIN": 30, "ACOUT": 30, "ALUMODE": 4, "B": 18, "BCIN": 18, "BCOUT": 18, "C": 48, "CARRYINSEL": 3,
    "CARRYOUT": 4, "D": 25, "INMODE": 5, "OPMODE": 7, "P": 48, "PCIN": 48, "PCOUT": 48,
}  # fmt: skip
ONE_BIT = (
    "ADREG",
    "ALUMODEREG",
    "CARRYINREG",
    "CARRYINSELREG",
    "CREG",
    "DREG",
    "INMODEREG",
    "MREG",
    "OPMODEREG",
    "PREG",
)


class Dsp(Whole):
    """DSP48E1."""

    kind, vectors = "DSP48E1", DSP

    def output(self, pin: str) -> Pin | None:
        """Return the port; what the model of a DSP has no output for is a fault."""
        if pin.rstrip("0123456789") not in ("P", "PCOUT", "ACOUT", "BCOUT"):
            self.builder.fault("mode", self.name(pin), f"{self.name(pin)} is in use, which is not read back")
            return None
        return super().output(pin)

    def parameters(self) -> dict:
        """Return what UG479 calls the attributes."""
        found = {name: self.number("Z" + name, 1, inverted=True) for name in ONE_BIT}
        for bus in "AB":
            levels = {f"{bus}REG_0": 0, f"{bus}REG_2": 2}
            found[f"{bus}REG"] = next((value for name, value in levels.items() if name in self.settings), 1)
            one = found[f"{bus}REG"] == 2 and f"Z{bus}REG_2_{bus}CASCREG_1" not in self.settings
            found[f"{bus}CASCREG"] = 1 if one else found[f"{bus}REG"]
            found[f"{bus}_INPUT"] = "CASCADE" if self.number(f"{bus}_INPUT", 1) else "DIRECT"
        found["USE_DPORT"] = "TRUE" if self.number("USE_DPORT", 1) else "FALSE"
        simd = "USE_SIMD_FOUR12" in self.settings, "USE_SIMD_FOUR12_TWO24" in self.settings
        found["USE_SIMD"] = "FOUR12" if all(simd) else "TWO24" if simd[1] else "ONE48"
        if simd[1]:
            says = f"{self.site.name} adds several words, which is not read back"
            self.builder.fault("mode", self.name("SIMD"), says)
        found["SEL_MASK"] = "C" if "SEL_MASK_C" in self.settings else "MASK"
        found["MASK"], found["PATTERN"] = self.number("MASK", 48), self.number("PATTERN", 48)
        for name, width in (("ALUMODE", 4), ("INMODE", 5), ("OPMODE", 7)):
            found[f"IS_{name}_INVERTED"] = self.number(f"ZIS_{name}_INVERTED", width, inverted=True)
        for name in ("CARRYIN", "CLK"):
            found[f"IS_{name}_INVERTED"] = int(f"ZIS_{name}_INVERTED" not in self.settings)
        return found

    def wanted(self, pin: str) -> bool:
        """Leave out the cascades that are not taken, those from a DSP that is not in use, and those for numbers of more
        than 48 bits, which the model stops at.
        """
        name = pin.rstrip("0123456789")
        if name in ("CARRYCASCIN", "MULTSIGNIN"):
            return False
        if name == "PCIN":
            return self._below
        cascades = {"ACIN": "A_INPUT", "BCIN": "B_INPUT"}
        return name not in cascades or bool(self.number(cascades[name], 1))

    @functools.cached_property
    def _below(self):
        """Whether the DSP below has any settings; one that is in use always has."""
        wire = self.site.pins["PCIN0"]
        origin, _ = self.builder.routes.back(self.builder.database.node(self.site.tile, wire))
        if origin is None or origin.site is None:
            return False
        other = self.builder.block(origin.site)
        return bool(other.settings or other.values)


RAM = {
    "ADDRARDADDR": 14, "ADDRBWRADDR": 14, "ADDRATIEHIGH": 2, "ADDRBTIEHIGH": 2, "DIADI": 16, "DIBDI": 16, "DIPADIP": 2,
    "DIPBDIP": 2, "DOADO": 16, "DOBDO": 16, "DOPADOP": 2, "DOPBDOP": 2, "WEA": 4, "WEBWE": 8,
}  # fmt: skip
INVERTIBLE = (
    "CLKARDCLK", "CLKBWRCLK", "ENARDEN", "ENBWREN", "REGCLKARDRCLK", "REGCLKB", "RSTRAMARSTRAM", "RSTRAMB",
    "RSTREGARSTREG", "RSTREGB",
)  # fmt: skip


class Ram(Whole):
    """Half a block RAM: RAMB18E1. The lower one's site is that of a FIFO and names some pins otherwise; wires don't."""

    kind, vectors = "RAMB18E1", RAM

    def port(self, pin: str) -> str:
        """Return the port, by the pin's wire: "BRAM_FIFO18_DOADO3" is DOADO[3]."""
        return port_name(self.site.pins[pin].split("_", 2)[2], self.vectors)

    def needed(self, pin: str) -> bool:
        """The clocks of registers that are not used may be open."""
        port = self.port(pin)
        if port.startswith("REGCLK"):
            return f"DO{'B' if port.endswith('B') else 'A'}_REG" in self.settings
        return True

    def parameters(self) -> dict:
        """Return what UG473 calls the attributes."""
        found: dict[str, int | str] = {}
        for port in "AB":
            for way in ("READ", "WRITE"):
                name = f"{way}_WIDTH_{port}"
                widths = [s.rpartition("_")[2] for s in self.settings if s.startswith(name + "_")]
                if len(widths) != 1:
                    self.builder.fault(
                        "mode", self.name(name), f"{self.name(name)} is {' and '.join(widths) or 'open'}"
                    )
                found[name] = int(widths[0]) if widths else 0
            modes = [m for m in ("READ_FIRST", "NO_CHANGE") if f"WRITE_MODE_{port}_{m}" in self.settings]
            found[f"WRITE_MODE_{port}"] = modes[0] if modes else "WRITE_FIRST"
            found[f"DO{port}_REG"] = int(f"DO{port}_REG" in self.settings)
            found[f"SRVAL_{port}"] = self.number(f"ZSRVAL_{port}", 18, inverted=True)
            found[f"INIT_{port}"] = self.number(f"ZINIT_{port}", 18, inverted=True)
            first = f"RSTREG_PRIORITY_{port}_REGCE" in self.settings
            found[f"RSTREG_PRIORITY_{port}"] = "REGCE" if first else "RSTREG"
        if "SDP_READ_WIDTH_36" in self.settings:
            found["READ_WIDTH_A"] = 36
        if "SDP_WRITE_WIDTH_36" in self.settings:
            found["WRITE_WIDTH_B"] = 36
        found["RAM_MODE"] = "SDP" if 36 in (found["READ_WIDTH_A"], found["WRITE_WIDTH_B"]) else "TDP"
        if "FIFO_MODE" in self.settings:
            self.builder.fault("mode", self.name("FIFO"), f"{self.site.name} is a FIFO, which is not read back")
        for name in INVERTIBLE:
            found[f"IS_{name}_INVERTED"] = int(f"ZINV_{name}" not in self.settings)
        for k in range(64):
            found[f"INIT_{k:02X}"] = self.values.get(f"INIT_{k:02X}", 0)
        for k in range(8):
            found[f"INITP_{k:02X}"] = self.values.get(f"INITP_{k:02X}", 0)
        return found


class Gate(Whole):
    """BUFGCTRL or BUFHCE."""

    def parameters(self) -> dict:
        """Return which inputs are inverted."""
        found = {name[1:]: 0 for name in self.settings if name.startswith("ZINV_")}
        if "IN_USE" not in self.settings:
            self.builder.fault("mode", self.site.name, f"{self.site.name} passes a clock on and is not switched on")
        for pin in self.site.pins:
            found.setdefault(f"INV_{pin}", 1) if pin[:2] in ("CE", "S0", "S1") else None
        for pin in ("IGNORE0", "IGNORE1"):
            found[f"INV_{pin}"] = int(f"IS_{pin}_INVERTED" in self.settings)
        return found


class Global(Gate):
    """BUFGCTRL."""

    kind = "BUFGCTRL"


class Row(Gate):
    """BUFHCE."""

    kind = "BUFHCE"


class Processor(Whole):
    """PS7."""

    kind = "PS7"

    def port(self, pin: str) -> str:
        """Return the port; how wide it is, the database says."""
        return port_name(pin, self.builder.database.processor_ports)

    def needed(self, pin: str) -> bool:
        """What a design leaves open at the processor is nobody's fault."""
        return False


class Pass(Block):
    """A site in which a signal goes through: an OLOGIC without its registers, a pad's input."""

    kind = "PASS"
    inputs: dict[str, str] = {}

    def output(self, pin: str) -> Pin | None:
        """Return the port of a cell that does nothing."""
        taken = self.inputs.get(pin)
        if taken is None or not self.idle(pin):
            self.builder.fault("mode", f"{self.site.name}/{pin}", f"{self.site.name} does more than pass {pin} on")
            return None
        return Pin(self._made(pin, taken).name, "O")

    @functools.cache  # noqa: B019
    def _made(self, pin, taken):
        cell = self.builder.cell(self, pin, "INV" if self.inverts(taken) else "BUF", {})
        self.builder.join(self, cell, "I", Outside(taken))
        return cell

    def inverts(self, pin: str) -> bool:
        """Return whether the site inverts an input."""
        return False

    def idle(self, pin: str) -> bool:
        """Return whether the signal goes through as it is."""
        return True


class OutputLogic(Pass):
    """OLOGICE3."""

    inputs = {"OQ": "D1", "TQ": "T1"}

    def idle(self, pin: str) -> bool:
        """Return whether no register is in the way."""
        if pin == "OQ":
            return "OMUX.D1" in self.settings and not any("OSERDES.DATA_RATE_OQ" in name for name in self.settings)
        return "OSERDES.DATA_RATE_TQ.BUF" in self.settings

    def inverts(self, pin: str) -> bool:
        """Return whether the site inverts an input: said of D1 if it does, of T1 if it does not."""
        return f"IS_{pin}_INVERTED" in self.settings if pin[0] == "D" else f"ZINV_{pin}" not in self.settings


class InputLogic(Pass):
    """ILOGICE3."""

    inputs = {"O": "D"}


class Pad(Block):
    """An IOB: OBUF, IBUF or both."""

    @property
    def drives(self) -> bool:
        """Return whether it is an output."""
        return any(".DRIVE." in name for name in self.settings)

    def output(self, pin: str) -> Pin | None:
        """Return what an input pad brings."""
        if pin != "I":
            self.builder.fault("mode", f"{self.site.name}/{pin}", f"{self.site.name}/{pin} is no plain input")
            return None
        return Pin(self._made("IBUF").name, "O")

    def driver(self) -> Cell:
        """Return the OBUF."""
        cell = self._made("OBUF")
        self.builder.join(self, cell, "I", Outside("O"))
        self.builder.join(self, cell, "T", Outside("T"))  # 1: it drives nothing
        return cell

    @functools.cache  # noqa: B019
    def _made(self, kind):
        return self.builder.cell(self, kind, kind, {})
