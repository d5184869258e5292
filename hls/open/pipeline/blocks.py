"""Parts of a dataflow that are no kernels: a merge of streams by arrival, a stream's way in from outside.

Each has what `netlist.join` wants to know of a stage: its module and its streams.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hls.open.dataflow.step import Port
from hls.open.pipeline.netlist import RTL

SOURCE_BITS = 2  # of the number of a merge's source


@dataclass
class Streams:
    """The ports of a block, as of a `Step`."""

    ports: list


@dataclass
class Block:
    """A block for `netlist.join`.

    Attributes
    ----------
    module : str
        With its parameters, as an instance names it.
    step : Streams
    text : str
        SystemVerilog that is written for it, none if it is a module of the library.
    library : tuple of Path
        Files of the library that it needs.
    """

    module: str
    step: Streams
    text: str = ""
    library: tuple[Path, ...] = field(default_factory=tuple)


def entry(width: int) -> Block:
    """Return a stream's way in from outside, streams `in` and `out`: nothing combinational between its signals."""
    ports = [Port("in", "in", width), Port("out", "out", width)]
    library = tuple(RTL / f"hls_open_{name}.sv" for name in ("fifo", "entry"))
    return Block(f"hls_open_entry #(.WIDTH({width}))", Streams(ports), library=library)


def merge(name: str, sources: dict[str, int], width: int) -> Block:
    """Return a merge by arrival (lib/merge.h) as a module of its own.

    Parameters
    ----------
    name : str
        Of the module.
    sources : dict
        Input stream -> its bits, no more than `width`; in the order of their numbers.
    width : int
        Of the word that they all become; the stream `out` has `SOURCE_BITS` more.
    """
    assert 2 <= len(sources) <= 1 << SOURCE_BITS and max(sources.values()) <= width, (name, sources, width)
    ports = ["input wire clk", "input wire rst"]
    for stream, bits in sources.items():
        ports += [f"input wire [{bits - 1}:0] {stream}_data", f"input wire {stream}_valid"]
        ports.append(f"output wire {stream}_ready")
    ports += [f"output wire [{width + SOURCE_BITS - 1}:0] out_data", "output wire out_valid", "input wire out_ready"]
    words = [f"{{{width - b}'d0, {s}_data}}" if b < width else f"{s}_data" for s, b in reversed(sources.items())]
    last_first = list(reversed(sources))
    text = (
        f"module {name} (\n    " + ",\n    ".join(ports) + "\n);\n"
        f"    hls_open_merge #(.SOURCES({len(sources)}), .WIDTH({width})) merge (\n        .clk(clk), .rst(rst),\n"
        f"        .in_data({{{', '.join(words)}}}),\n"
        f"        .in_valid({{{', '.join(f'{s}_valid' for s in last_first)}}}),\n"
        f"        .in_ready({{{', '.join(f'{s}_ready' for s in last_first)}}}),\n"
        "        .out_data(out_data), .out_valid(out_valid), .out_ready(out_ready)\n    );\nendmodule\n"
    )
    step = Streams([Port(s, "in", b) for s, b in sources.items()] + [Port("out", "out", width + SOURCE_BITS)])
    return Block(name, step, text, (RTL / "hls_open_merge.sv",))
