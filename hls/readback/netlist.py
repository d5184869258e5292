"""What a bitstream is decoded to: cells on BELs, nets with the routes that join them, and what could not be read.

Names of kinds and ports are those of the vendor's primitives (UG953): LUT6_2, FDRE, CARRY4, MUXF7, RAMB18E1. The wires
inside a slice or a block are nets like all others, with an empty route.

    netlist = decode(frames, database)
    for net in netlist.nets.values():
        for sink in net.sinks:
            sink.path       # pips from the driver's site pin to the sink's, in the order of the signal
"""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

CONSTANTS = ("GND", "VCC")  # names of the two nets without a cell as driver


class Wire(NamedTuple):
    """A wire of a tile, by names: `Wire("INT_L_X0Y0", "NN2BEG0")`. Wires that are one piece of metal are a node."""

    tile: str
    name: str


class Pip(NamedTuple):
    """A programmable interconnect point that is on: in `tile`, from wire `source` to wire `target`.

    `bits` is False for those that have no configuration bit (always on, or the default of a multiplexer).
    """

    tile: str
    source: str
    target: str
    bits: bool = True


class Pin(NamedTuple):
    """A port of a cell; one bit: "D", "A3", "DIADI[7]"."""

    cell: str
    port: str


@dataclasses.dataclass(frozen=True)
class Site:
    """A place for cells.

    Attributes
    ----------
    name, kind, tile : str
        "SLICE_X106Y53", "SLICEL", "CLBLL_L_X68Y53".
    pins : dict
        Site pin ("A1", "AMUX", "CLK") -> wire's name in the tile.
    outputs : frozenset of str
        The site pins that drive their wires.
    """

    name: str
    kind: str
    tile: str
    pins: dict[str, str]
    outputs: frozenset[str]


@dataclasses.dataclass
class Cell:
    """A primitive.

    Attributes
    ----------
    name : str
        "SLICE_X106Y53/A6LUT": site and BEL.
    kind : str
        LUT6_2, FDRE, FDSE, FDCE, FDPE, LDCE, LDPE, CARRY4, MUXF7, MUXF8, RAMD64E, RAMD32, SRL16E, SRLC32E, RAMB18E1,
        RAMB36E1, DSP48E1, BUFGCTRL, BUFHCE, PS7, OBUF, IBUF, and BUF, INV: what a pad's logic does.
    site, bel : str
    parameters : dict
        Name -> int, or str where the primitive's own parameter is a text.
    pins : dict
        Port -> name of its net. A port that nothing drives, or whose net nobody reads, is not in it.
    site_pins : dict
        Port -> pin of the site that it is joined to, for ports that are joined to one (a LUT's "A3" to "B3").
    """

    name: str
    kind: str
    site: str
    bel: str
    parameters: dict[str, int | str]
    pins: dict[str, str]
    site_pins: dict[str, str] = dataclasses.field(default_factory=dict)


class Sink(NamedTuple):
    """A reader of a net, and the way to it.

    Attributes
    ----------
    pin : Pin
    source_pin, site_pin : str or None
        Pins of the driver's and the sink's site through which the signal leaves and enters; None if it stays inside.
    path : tuple of Pip
        From `source_pin` to `site_pin`, pips without bits included. Between two pips lies one node:
        `Database.node(pip.tile, pip.target)`.
    """

    pin: Pin
    source_pin: str | None
    site_pin: str | None
    path: tuple[Pip, ...]


@dataclasses.dataclass
class Net:
    """A signal.

    Attributes
    ----------
    name : str
        GND, VCC, or the driver's cell and port.
    driver : Pin or None
        None for a constant.
    sinks : list of Sink
    """

    name: str
    driver: Pin | None
    sinks: list[Sink] = dataclasses.field(default_factory=list)


class Fault(NamedTuple):
    """Something in a bitstream that no design of ours may have.

    Attributes
    ----------
    kind : str
        "unknown bit", "two drivers", "no driver", "mode".
    where : str
        Bit, node or pin.
    says : str
        A sentence.
    """

    kind: Literal["unknown bit", "two drivers", "no driver", "mode"]
    where: str
    says: str


@dataclasses.dataclass
class Netlist:
    """A decoded bitstream.

    Attributes
    ----------
    part : str
    cells : dict
        Name -> Cell.
    nets : dict
        Name -> Net; GND and VCC are there if something reads them.
    ports : dict
        Package pin ("R14") -> the OBUF's or IBUF's cell.
    faults : list of Fault
    counts : dict
        What was decoded, in numbers: bits, features, pips, ...
    """

    part: str
    cells: dict[str, Cell] = dataclasses.field(default_factory=dict)
    nets: dict[str, Net] = dataclasses.field(default_factory=dict)
    ports: dict[str, str] = dataclasses.field(default_factory=dict)
    faults: list[Fault] = dataclasses.field(default_factory=list)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
