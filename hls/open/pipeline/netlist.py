"""Structural SystemVerilog around the pipelines: RAMs, FIFOs, and the start of a step.

A stage is a pipeline with its RAMs and, behind each output, a FIFO. Elasticity lives there alone: a step begins
when its inputs are there and every FIFO has room for all that may be in flight, and then never waits.
"""

from __future__ import annotations

from pathlib import Path

from hls.open.errors import Refused
from hls.open.pipeline.fabric import SHALLOW_RAM
from hls.open.pipeline.verilog import GO, Stage

RTL = Path(__file__).resolve().parents[1] / "rtl"
LIBRARY = ("hls_open_arithmetic.sv", "hls_open_fifo.sv", "hls_open_ram.sv")


def room(stage: Stage) -> int:
    """Words that may be on their way to a FIFO when a step begins: one per pipeline stage, and one more.

    `room` in cycle t comes from the count of cycle t - 1, which has what was written up to t - 2. A word that is
    written in stage depth - 1 leaves at most depth + 1 uncounted: those of the steps behind it, of two cycles, and of
    the next step.
    """
    return stage.depth + 1


def stage_module(stage: Stage, depths: dict[str, int] | None = None) -> str:
    """Return SystemVerilog of module `<name>_stage`.

    Ports: clk, rst (synchronous, active high), and `<stream>_data/_valid/_ready` per stream.

    Parameters
    ----------
    stage : Stage
    depths : dict, optional
        Output stream -> words its FIFO holds beyond what the pipeline needs (default 4).
    """
    step, depths = stage.step, depths or {}
    ports = ["input wire clk", "input wire rst"]
    body, connections = [], [".clk(clk)", ".rst(rst)"]
    rooms = []
    rams = {}
    for p in step.ports:
        bits = f"[{p.width - 1}:0]"
        if p.direction == "in":
            ports += [f"input wire {bits} {p.name}_data", f"input wire {p.name}_valid", f"output wire {p.name}_ready"]
            connections += [f".{p.name}_{s}({p.name}_{s})" for s in ("data", "valid", "ready")]
        elif p.direction == "out":
            ports += [f"output wire {bits} {p.name}_data", f"output wire {p.name}_valid", f"input wire {p.name}_ready"]
            body += _fifo(p, room(stage), depths.get(p.name, 4))
            connections += [
                f".{p.name}_data(pipe_{p.name}_data)",
                f".{p.name}_valid(pipe_{p.name}_valid)",
                f".{p.name}_ready(1'b1)",
            ]
            rooms.append(f"{p.name}_room")
        else:
            rams.setdefault(p.name, {})[p.direction] = p
    for name, access in rams.items():
        lines, wires = _ram(name, access, name in stage.forward)
        body += lines
        connections += wires
    body += [f"wire start = {' & '.join(rooms) or chr(49) + chr(39) + 'b1'};"]
    connections += [f".{GO}_data(1'b0)", f".{GO}_valid(start)", f".{GO}_ready()"]
    body.append(f"{step.name} pipeline (\n        " + ",\n        ".join(connections) + "\n    );")
    inside = "\n    ".join(body)
    return f"module {step.name}_stage (\n    " + ",\n    ".join(ports) + f"\n);\n    {inside}\nendmodule\n"


def _fifo(p, needed, extra):
    return [
        f"wire [{p.width - 1}:0] pipe_{p.name}_data;",
        f"wire pipe_{p.name}_valid, {p.name}_room;",
        f"hls_open_fifo #(.WIDTH({p.width}), .DEPTH({needed + extra}), .ROOM({needed})) {p.name}_fifo (\n"
        f"        .clk(clk), .rst(rst), .room({p.name}_room), .in_data(pipe_{p.name}_data), "
        f".in_valid(pipe_{p.name}_valid),\n"
        f"        .out_data({p.name}_data), .out_valid({p.name}_valid), .out_ready({p.name}_ready)\n    );",
    ]


def _ram(name, access, forward):
    read, write = access.get("read"), access.get("write")
    any_port = read or write
    width, bits = any_port.width, any_port.address.width
    lines = [
        f"wire [{bits - 1}:0] {name}_rd_addr;",
        f"wire [{width - 1}:0] {name}_rd_data;",
        f"wire [{bits + width - 1}:0] {name}_wr_data;",
        f"wire {name}_wr_valid;",
    ]
    connections = []
    if read:
        connections += [f".{name}_rd_req({name}_rd_addr)", f".{name}_rd_resp({name}_rd_data)"]
    else:
        lines.append(f"assign {name}_rd_addr = '0;")
    if write:
        connections += [
            f".{name}_wr_data({name}_wr_data)",
            f".{name}_wr_valid({name}_wr_valid)",
            f".{name}_wr_ready(1'b1)",
        ]
    else:
        lines += [f"assign {name}_wr_data = '0;", f"assign {name}_wr_valid = 1'b0;"]
    lines.append(
        f"hls_open_ram #(.WIDTH({width}), .DEPTH({any_port.depth}), .BITS({bits}), .SHALLOW({SHALLOW_RAM})"
        f"{', .FORWARD(1)' if forward else ''}) "
        f"{name}_ram (\n"
        f"        .clk(clk), .rd_addr({name}_rd_addr), .rd_data({name}_rd_data),\n"
        f"        .wr_en({name}_wr_valid), .wr_addr({name}_wr_data[{bits + width - 1}:{width}]), "
        f".wr_data({name}_wr_data[{width - 1}:0])\n    );"
    )
    return lines, connections


def write_stage(stage: Stage, folder: Path, depths: dict[str, int] | None = None) -> list[Path]:
    """Write `<name>.sv` (pipeline) and `<name>_stage.sv`; return all files a simulator needs, the library included."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{stage.step.name}.sv": stage.text, f"{stage.step.name}_stage.sv": stage_module(stage, depths)}
    for name, text in files.items():
        (folder / name).write_text(text)
    return [RTL / name for name in LIBRARY] + [folder / name for name in files]


def top_module(
    name: str, instances: list[tuple[str, str, dict[str, str]]], streams: dict[str, str], stages: dict[str, Stage]
) -> str:
    """Return SystemVerilog of a dataflow of stages.

    Parameters
    ----------
    name : str
    instances : list of (instance name, kernel name, {port: stream})
    streams : dict
        Streams that are ports of the top: stream -> "in" or "out".
    stages : dict
        kernel name -> Stage.
    """
    ports, wires, body = ["input wire clk", "input wire rst"], {}, []
    users = {}
    for instance, kernel, connection in instances:
        for port, stream in connection.items():
            step_port = next(
                (p for p in stages[kernel].step.ports if p.name == port and p.direction in ("in", "out")), None
            )
            if step_port is None:
                raise Refused(f"'{kernel}' has no stream '{port}'")
            if users.setdefault((stream, step_port.direction), instance) != instance:
                raise Refused(
                    f"stream '{stream}' of '{name}' is used twice as '{step_port.direction}': one writer, one reader"
                )
            if wires.setdefault(stream, step_port.width) != step_port.width:
                raise Refused(f"stream '{stream}' of '{name}' connects {wires[stream]} and {step_port.width} bits")
    for stream, width in wires.items():
        direction = streams.get(stream)
        if direction:
            back = "output" if direction == "in" else "input"
            forward = "input" if direction == "in" else "output"
            ports += [
                f"{forward} wire [{width - 1}:0] {stream}_data",
                f"{forward} wire {stream}_valid",
                f"{back} wire {stream}_ready",
            ]
        else:
            for end in ("in", "out"):
                if (stream, end) not in users:
                    raise Refused(f"stream '{stream}' of '{name}' has no {'reader' if end == 'in' else 'writer'}")
            body += [f"wire [{width - 1}:0] {stream}_data;", f"wire {stream}_valid, {stream}_ready;"]
    for instance, kernel, connection in instances:
        pins = [".clk(clk)", ".rst(rst)"] + [
            f".{port}_{s}({stream}_{s})" for port, stream in connection.items() for s in ("data", "valid", "ready")
        ]
        body.append(f"{kernel}_stage {instance}_i (\n        " + ",\n        ".join(pins) + "\n    );")
    return f"module {name} (\n    " + ",\n    ".join(ports) + ");\n    " + "\n    ".join(body) + "\nendmodule\n"
