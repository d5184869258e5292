"""A bitstream to a netlist: what is behind the output pads and the processor's ports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hls.readback.cells import blocks
from hls.readback.cells.builder import Block, Builder
from hls.readback.cells.slices import Slice
from hls.readback.features import match
from hls.readback.netlist import Fault
from hls.readback.routing import Routes

if TYPE_CHECKING:
    from hls.readback.bitfile import Frames
    from hls.readback.database import Database
    from hls.readback.features import Features
    from hls.readback.netlist import Netlist, Site

KINDS = {
    "SLICEL": Slice, "SLICEM": Slice, "DSP48E1": blocks.Dsp, "RAMB18E1": blocks.Ram, "FIFO18E1": blocks.Ram,
    "BUFGCTRL": blocks.Global, "BUFHCE": blocks.Row, "PS7": blocks.Processor, "OLOGICE3": blocks.OutputLogic,
    "ILOGICE3": blocks.InputLogic, "IOB33": blocks.Pad, "IOB33M": blocks.Pad, "IOB33S": blocks.Pad,
}  # fmt: skip


class Unknown(Block):
    """A site of a kind that is not read back."""

    def output(self, pin: str) -> None:
        """Say so."""
        says = f"{self.site.name} is a {self.site.kind}, which is not read back"
        self.builder.fault("mode", f"{self.site.name}/{pin}", says)


def block(builder: Builder, site: Site) -> Block:
    """Return the reader of a site's settings."""
    return KINDS.get(site.kind, Unknown)(builder, site, prefix(builder.database, site))


def prefix(database: Database, site: Site) -> str:
    """Return what the names of a site's settings begin with: "SLICEM_X0", "DSP48.DSP_1", "BUFHCE.BUFHCE_X0Y3"."""
    kind, x, y = re.fullmatch(r"(\w+?)_X(\d+)Y(\d+)", site.name).groups()
    if kind == "SLICE":
        return f"{site.kind}_X{int(x) % 2}"
    if kind == "DSP48":
        return f"DSP48.DSP_{int(y) % 2}"
    if kind.startswith("BUF"):
        first = [re.search(r"X(\d+)Y(\d+)$", s.name).groups() for s in database.sites(site.tile)]
        column, row = int(x) - min(int(a) for a, _ in first), int(y) - min(int(b) for _, b in first)
        return f"{site.kind}.{site.kind}_X{column}Y{row}"
    return f"{kind}_Y{int(y) % 2}"


def decode(frames: Frames, database: Database, features: Features | None = None, progress: bool = False) -> Netlist:
    """Return the netlist of a bitstream.

    Parameters
    ----------
    frames : Frames
    database : Database
        Of the part.
    features : Features, optional
        If they were matched already.
    progress : bool
        A bar on a terminal.

    Returns
    -------
    Netlist
        What decides the output pads and what the processor sees; cells that nobody listens to are left out. `counts`
        has bits, unknown_bits, features, pips, pips_used, tiles, cells, nets.
    """
    features = features or match(frames, database)
    routes = Routes(database, features)
    builder = Builder(database, features, routes, block)
    netlist = builder.netlist
    netlist.faults += [
        Fault("unknown bit", f"{address:#010x}:{bit}", f"bit {bit} of frame {address:#010x} is no feature's")
        for address, bit in features.unknown
    ]
    netlist.faults += routes.conflicts()
    for tile in database.tiles.values():
        if not any(kind in ("PS7", "IOB33", "IOB33M", "IOB33S") for kind in tile.sites.values()):
            continue
        for site in database.sites(tile.name):
            if site.kind == "PS7":
                builder.block(site).cell()
            elif site.kind.startswith("IOB33") and tile.name in features.settings:
                pad = builder.block(site)
                if pad.drives:
                    netlist.ports[database.packaged[site.name]] = pad.driver().name
    builder.run(progress)
    netlist.counts |= {
        "bits": features.bits,
        "unknown_bits": len(features.unknown),
        "features": features.count,
        "pips": len(features.pips),
        "pips_used": sum(pip.bits for pip in routes.walked),
        "tiles": len({*features.settings, *features.values, *(pip.tile for pip in features.pips)}),
        "cells": len(netlist.cells),
        "nets": len(netlist.nets),
    }
    return netlist
