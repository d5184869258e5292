"""Structural SystemVerilog around the pipelines: RAMs, FIFOs, and the start of a step.

A stage is a pipeline with its RAMs and, behind each output, a FIFO. Elasticity lives there alone: a step begins
when its inputs are there and every FIFO has room for all that may be in flight, and then never waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hls.open.errors import Refused
from hls.open.names import Names, module_name
from hls.open.pipeline.fabric import SHALLOW_RAM
from hls.open.pipeline.verilog import GO, PARTS, Stage

RTL = Path(__file__).resolve().parents[1] / "rtl"
BEYOND = 4  # words of a FIFO beyond what the pipeline needs
DEEP = 256  # FIFOs of more words lie in block RAM
DEEP_FIFO = "hls_open_deep_fifo"
LIBRARY = ("hls_open_arithmetic.sv", "hls_open_copy.sv", "hls_open_fifo.sv", "hls_open_ram.sv")


def room(stage: Stage) -> int:
    """Words that may be on their way to a FIFO when a step begins: one per pipeline stage, and one more.

    `room` in cycle t comes from the count of cycle t - 1, which has what was written up to t - 2. A word that is
    written in stage depth - 1 leaves at most depth + 1 uncounted: those of the steps behind it, of two cycles, and of
    the next step.
    """
    return stage.depth + 1


def stage_module(stage: Stage, depths: dict[str, int] | None = None) -> str:
    """Return SystemVerilog of module `stage.module`.

    Ports: clk, rst (synchronous, active high), and `<stream>_data/_valid/_ready` per stream.

    Parameters
    ----------
    stage : Stage
    depths : dict, optional
        Output stream -> words its FIFO holds beyond what the pipeline needs (default `BEYOND`).
    """
    step, depths = stage.step, depths or {}
    streams = [p for p in step.ports if p.direction in ("in", "out")]
    names = Names(["clk", "rst", *(f"{p.name}_{part}" for p in streams for part in PARTS["in"])])
    ports = ["input wire clk", "input wire rst"]
    body, connections = [], [f".{stage.signals['clk', '', '']}(clk)", f".{stage.signals['rst', '', '']}(rst)"]
    rooms = []
    rams = {}
    for p in step.ports:
        bits = f"[{p.width - 1}:0]"
        if p.direction == "in":
            ports += [f"input wire {bits} {p.name}_data", f"input wire {p.name}_valid", f"output wire {p.name}_ready"]
            connections += _pins(stage, p, [f"{p.name}_{part}" for part in PARTS["in"]])
        elif p.direction == "out":
            ports += [f"output wire {bits} {p.name}_data", f"output wire {p.name}_valid", f"input wire {p.name}_ready"]
            room_name = names.take(f"{p.name}_room")
            data, valid = names.take(f"pipe_{p.name}_data"), names.take(f"pipe_{p.name}_valid")
            words = fifo_words(stage, p.name, depths)
            sizes = f".WIDTH({p.width}), .DEPTH({words}), .ROOM({room(stage)})"
            body += [
                f"wire {bits} {data};",
                f"wire {valid}, {room_name};",
                f"{DEEP_FIFO if words > DEEP else 'hls_open_fifo'} #({sizes}) {names.take(f'{p.name}_fifo')} (\n"
                f"        .clk(clk), .rst(rst), .room({room_name}), .in_data({data}), .in_valid({valid}),\n"
                f"        .out_data({p.name}_data), .out_valid({p.name}_valid), .out_ready({p.name}_ready)\n    );",
            ]
            connections += _pins(stage, p, [data, valid, "1'b1"])
            rooms.append(room_name)
        else:
            rams.setdefault(p.name, {})[p.direction] = p
    for name, access in rams.items():
        lines, wires = _ram(stage, name, access, names)
        body += lines
        connections += wires
    start = names.take("start")
    body += [f"wire {start} = {' & '.join(rooms) or chr(49) + chr(39) + 'b1'};"]
    go = [stage.signals[GO, "", part] for part in PARTS["in"]]
    connections += [f".{go[0]}(1'b0)", f".{go[1]}({start})", f".{go[2]}()"]
    body.append(f"{stage.pipeline} {names.take('pipeline')} (\n        " + ",\n        ".join(connections) + "\n    );")
    inside = "\n    ".join(body)
    return f"module {stage.module} (\n    " + ",\n    ".join(ports) + f"\n);\n    {inside}\nendmodule\n"


def fifo_words(stage: Stage, stream: str, depths: dict[str, int] | None = None) -> int:
    """Return how many words the FIFO behind an output holds."""
    return room(stage) + (depths or {}).get(stream, BEYOND)


def _pins(stage, p, wires):
    """Connections of a port of the pipeline."""
    return [f".{stage.signals[p.name, p.direction, part]}({wire})" for part, wire in zip(PARTS[p.direction], wires)]


def _ram(stage, name, access, names):
    read, write = access.get("read"), access.get("write")
    any_port = read or write
    width, bits = any_port.width, any_port.address.width
    rd_addr, rd_data, wr_data, wr_valid = (
        names.take(f"{name}_{part}") for part in ("rd_addr", "rd_data", "wr_data", "wr_valid")
    )
    lines = [
        f"wire [{bits - 1}:0] {rd_addr};",
        f"wire [{width - 1}:0] {rd_data};",
        f"wire [{bits + width - 1}:0] {wr_data};",
        f"wire {wr_valid};",
    ]
    connections = []
    if read:
        connections += _pins(stage, read, [rd_addr, rd_data])
    else:
        lines.append(f"assign {rd_addr} = '0;")
    if write:
        connections += _pins(stage, write, [wr_data, wr_valid, "1'b1"])
    else:
        lines += [f"assign {wr_data} = '0;", f"assign {wr_valid} = 1'b0;"]
    lines.append(
        f"hls_open_ram #(.WIDTH({width}), .DEPTH({any_port.depth}), .BITS({bits}), .SHALLOW({SHALLOW_RAM})"
        f"{', .FORWARD(1)' if name in stage.forward else ''}) "
        f"{names.take(f'{name}_ram')} (\n"
        f"        .clk(clk), .rd_addr({rd_addr}), .rd_data({rd_data}),\n"
        f"        .wr_en({wr_valid}), .wr_addr({wr_data}[{bits + width - 1}:{width}]), "
        f".wr_data({wr_data}[{width - 1}:0])\n    );"
    )
    return lines, connections


def write_stage(stage: Stage, folder: Path, depths: dict[str, int] | None = None) -> list[Path]:
    """Write pipeline and stage, each in a file of its module's name; return all files a simulator needs."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{stage.pipeline}.sv": stage.text, f"{stage.module}.sv": stage_module(stage, depths)}
    for name, text in files.items():
        (folder / name).write_text(text)
    return [RTL / name for name in library_of(files[f"{stage.module}.sv"])] + [folder / name for name in files]


def library_of(stage_text: str) -> tuple[str, ...]:
    """Return the files of the library that a stage needs, given its Verilog."""
    return (*LIBRARY, f"{DEEP_FIFO}.sv") if DEEP_FIFO in stage_text else LIBRARY


@dataclass(frozen=True)
class Joined:
    """A dataflow of stages as SystemVerilog.

    Attributes
    ----------
    text : str
    wires : dict
        Stream -> its wires (data, valid, ready).
    instances : dict
        Instance, as given -> its name in the module.
    """

    text: str
    wires: dict
    instances: dict


def top_module(
    name: str,
    instances: list[tuple[str, str, dict[str, str]]],
    streams: dict[str, str],
    stages: dict[str, Stage],
    reset_registers: bool = False,
) -> str:
    """Return the text of `join`."""
    return join(name, instances, streams, stages, reset_registers).text


def join(
    name: str,
    instances: list[tuple[str, str, dict[str, str]]],
    streams: dict[str, str],
    stages: dict[str, Stage],
    reset_registers: bool = False,
) -> Joined:
    """Return a dataflow of stages.

    Parameters
    ----------
    name : str
    instances : list of (instance name, kernel name, {port: stream})
    streams : dict
        Streams that are ports of the top: stream -> "in" or "out".
    stages : dict
        kernel name -> Stage.
    reset_registers : bool, optional
        Each stage has a register of its own for the reset: one source reaches these, and they what lies beside
        them. All of a dataflow then begins anew one cycle later. Reset has to be there for two: a word that is handed
        over right behind a shorter one is lost.
    """
    module_name(name, "a top")
    ports, widths, body = ["input wire clk", "input wire rst"], {}, []
    users = {}
    for _, kernel, connection in instances:
        for port, stream in connection.items():
            step_port = next(
                (p for p in stages[kernel].step.ports if p.name == port and p.direction in ("in", "out")), None
            )
            if step_port is None:
                raise Refused(f"'{kernel}' has no stream '{port}'")
            if (stream, step_port.direction) in users:
                raise Refused(
                    f"stream '{stream}' of '{name}' is used twice as '{step_port.direction}': one writer, one reader"
                )
            users[stream, step_port.direction] = kernel
            if widths.setdefault(stream, step_port.width) != step_port.width:
                raise Refused(f"stream '{stream}' of '{name}' connects {widths[stream]} and {step_port.width} bits")
    names = Names(["clk", "rst", *(f"{stream}_{part}" for stream in streams for part in PARTS["in"])])
    wires = {}
    for stream, width in widths.items():
        direction = streams.get(stream)
        if direction:
            back = "output" if direction == "in" else "input"
            forward = "input" if direction == "in" else "output"
            data, valid, ready = wires[stream] = [f"{stream}_{part}" for part in PARTS["in"]]
            ports += [f"{forward} wire [{width - 1}:0] {data}", f"{forward} wire {valid}", f"{back} wire {ready}"]
        else:
            for end in ("in", "out"):
                if (stream, end) not in users:
                    raise Refused(f"stream '{stream}' of '{name}' has no {'reader' if end == 'in' else 'writer'}")
            data, valid, ready = wires[stream] = [names.take(f"{stream}_{part}") for part in PARTS["in"]]
            body += [f"wire [{width - 1}:0] {data};", f"wire {valid}, {ready};"]
    called = {}
    for instance, kernel, connection in instances:
        called[instance] = names.take(f"{instance}_i")
        reset = "rst"
        if reset_registers:
            reset, copy = names.take(f"{instance}_rst"), names.take(f"{instance}_reset")
            body += [f"wire {reset};", f"hls_open_copy {copy} (.clk(clk), .d(rst), .q({reset}));"]
        pins = [".clk(clk)", f".rst({reset})"] + [
            f".{port}_{part}({wire})"
            for port, stream in connection.items()
            for part, wire in zip(PARTS["in"], wires[stream])
        ]
        body.append(f"{stages[kernel].module} {called[instance]} (\n        " + ",\n        ".join(pins) + "\n    );")
    text = f"module {name} (\n    " + ",\n    ".join(ports) + ");\n    " + "\n    ".join(body) + "\nendmodule\n"
    return Joined(text, wires, called)
