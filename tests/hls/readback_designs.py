"""Netlists of a few cells whose ports are pads, and a bench that runs them beside a reference."""

import functools
import importlib.util
import pathlib

from hls.open.verilator import run_bench
from hls.readback.netlist import Cell, Net, Netlist, Pin, Sink
from hls.readback.verilog import FILES, write

CYCLES = 2000


@functools.cache
def library():
    """Yosys' models, without what only tells delays."""
    folder = pathlib.Path(importlib.util.find_spec("pyosys").origin).parent
    return next(path for path in folder.rglob("cells_sim.v") if path.parent.name == "xilinx").read_text()


def modules(names, folder):
    """Some modules of the library."""
    text = library()
    found = []
    for name in names:
        start = text.index(f"module {name} ") if f"module {name} " in text else text.index(f"module {name}(")
        found.append(text[start : text.index("endmodule", start)] + "endmodule\n")
    path = folder / "library.v"
    path.write_text("`timescale 1ns/1ps\n" + "\n".join(found))
    return path


class Design:
    """A netlist of one cell or a few, whose ports are pads."""

    def __init__(self):
        self.netlist, self.inputs = Netlist("part"), []

    def add(self, kind, inputs, outputs, parameters, name="CELL"):
        cell = self.netlist.cells[name] = Cell(name, kind, name, kind, parameters, {})
        for port in inputs:
            self._input(cell, port)
        for port in outputs:
            self._output(cell, port)
        return self

    def _net(self, driver):
        name = f"{driver.cell}.{driver.port}"
        self.netlist.cells[driver.cell].pins[driver.port] = name
        return self.netlist.nets.setdefault(name, Net(name, driver))

    def _join(self, net, cell, port):
        net.sinks.append(Sink(Pin(cell.name, port), None, None, ()))
        cell.pins[port] = net.name

    def _input(self, cell, port):
        pad = f"IN{len(self.inputs)}"
        self.netlist.cells[pad] = Cell(pad, "IBUF", pad, "IBUF", {}, {})
        self.inputs.append((cell.name, port))
        self._join(self._net(Pin(pad, "O")), cell, port)

    def _output(self, cell, port):
        pad = f"OUT{len(self.netlist.ports)}"
        self.netlist.cells[pad] = Cell(pad, "OBUF", pad, "OBUF", {}, {})
        self.netlist.ports[pad] = pad
        self._join(self._net(Pin(cell.name, port)), self.netlist.cells[pad], "I")


def same(design, reference, clock, names, folder, runtime, biased=()):
    """Run a design beside a reference, whose ports are the design's pads in their order: inputs, outputs, clock."""
    count, outputs = len(design.inputs), len(design.netlist.ports)
    joins = [f".pad_IN{k}({'clk' if port == clock else f'stimulus[{k}]'})" for k, (_, port) in enumerate(design.inputs)]
    joins += [f".OUT{k}(seen[{k}])" for k in range(outputs)]
    rare = "".join(
        f"stimulus[{k}] <= $urandom_range(15) == 0;\n" for k, (_, port) in enumerate(design.inputs) if port in biased
    )
    bench = f"""
{reference}
module bench (input wire clk, input wire rst);
    reg [{count - 1}:0] stimulus = 0;
    wire [{outputs - 1}:0] seen, wanted;
    reg [{outputs - 1}:0] ones = 0, zeros = 0;
    integer cycle = 0;
    decoded dut ({", ".join(joins)});
    reference model (.clk(clk), .in(stimulus), .out(wanted));
    always @(posedge clk) begin
        cycle <= cycle + 1;
        ones <= ones | seen;
        zeros <= zeros | ~seen;
        if (seen !== wanted) $fatal(1, "cycle %0d: %b where %b belongs, of %b", cycle, seen, wanted, stimulus);
    end
    always @(negedge clk) begin
        stimulus <= {{stimulus, 32'($urandom)}};
        {rare}
    end
    final $display("moved %b", ones & zeros);
endmodule
"""
    path = folder / "bench.sv"
    path.write_text(write(design.netlist, "decoded") + bench)
    files = [*FILES, path, *([modules(names, folder)] if names else [])]
    said = run_bench(files, "bench", folder / "build", CYCLES, runtime=runtime)
    moved = said.partition("moved ")[2].split()[0]
    assert set(moved) == {"1"}, f"outputs that stayed as they were: {moved}"


def reference(body, count, outputs):
    ports = f"input wire clk, input wire [{count - 1}:0] in, output wire [{outputs - 1}:0] out"
    return f"module reference ({ports});\n{body}\nendmodule"
