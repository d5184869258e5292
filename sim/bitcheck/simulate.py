"""A decoded netlist in the place of the design that it was built from, under the benches of that design.

The bench's model of the processor takes the place of the decoded PS7; which of the package's pins are LEDs, the board's
constraints say.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from typing import TYPE_CHECKING

from hls.open.errors import Refused
from hls.open.verilator import run_bench
from hls.place.designs import RTL as DESIGN_RTL
from hls.readback.verilog import FILES, write
from model.base.cache import digest
from model.base.errors import UserError
from model.base.paths import BUILD, ROOT, atomic_write, make_folder
from sim.benches.zynq import model, primitive
from sim.run import runner

if TYPE_CHECKING:
    from hls.readback.netlist import Netlist

TESTS = {"register": "registers", "loop": "loop", "srcnn": "srcnn"}
XDC = ROOT / "hls" / "place" / "boards"
LEDS = 4
BLINK_CYCLES = 1 << 26  # all that the counter of `blink` can show
PERIOD_NS = 10
WRAPPER = """
module {design} (output wire [{high}:0] led);
    decoded decoded ({ports});
endmodule
"""
BLINK = """
module bench (input wire clk, input wire rst);
    wire [3:0] led, seen;
    reg [3:0] high = 0, low = 0;
    blink dut (.led(seen));
    always @* dut.decoded.processor.ps7.model_clk = clk;
    heartbeat beat (.clk(clk), .led(led));
    always @(posedge clk) begin
        if (led != seen) $fatal(1, "the LEDs show %b where %b belongs", seen, led);
        high <= high | seen;
        low <= low | ~seen;
    end
    final if (&{high, low}) $display("all LEDs changed"); else $display("high %b, low %b", high, low);
endmodule
"""


def pins_of(board: str) -> dict[str, int]:
    """Return the package's pins of a board's LEDs -> number of the LED, from the constraints that placed them."""
    text = (XDC / f"{board}.xdc").read_text()
    found = re.findall(r"LOC (\w+) \[get_ports \{led\[(\d+)\]\}\]", text)
    return {pin: int(led) for pin, led in found}


def sources(netlist: Netlist, design: str, board: str) -> list[pathlib.Path]:
    """Write a decoded netlist as a drop-in for a design; return the Verilog files.

    Raises
    ------
    UserError
        If its pins are not those of the board's LEDs.
    """
    pins = pins_of(board)
    if set(pins) != set(netlist.ports):
        raise UserError(
            f"the bitstream drives the pins {', '.join(sorted(netlist.ports)) or 'none'}, where {design} has its LEDs "
            f"at {', '.join(sorted(pins))}; give a bitstream of {design} for {board}"
        )
    ports = ", ".join(f".{pin}(led[{led}])" for pin, led in sorted(pins.items()))
    text = write(netlist, "decoded") + WRAPPER.format(design=design, high=LEDS - 1, ports=ports)
    path = make_folder(BUILD / "bitcheck") / f"{design}-{digest(text)}.sv"
    if not path.is_file():
        with atomic_write(path) as temporary:
            temporary.write_text(text)
    return [*FILES, path]


def simulate(netlist: Netlist, design: str, board: str, seed: int, extra: dict[str, str]) -> dict[str, int]:
    """Run a design's own test on a decoded netlist.

    Parameters
    ----------
    netlist : Netlist
    design : str
        blink, register, loop or srcnn.
    board : str
    seed : int
    extra : dict
        More environment for the bench.

    Returns
    -------
    dict
        cycles: that were simulated.

    Raises
    ------
    AssertionError
        With the bench's message, if an answer is wrong.
    UserError
    """
    if design == "blink":
        return _blink(sources(netlist, design, board))
    return {"cycles": _run(netlist, design, board, "sim.benches.zynq_bench", TESTS[design], seed, extra)}


def simulate_picture(
    netlist: Netlist, board: str, seed: int, extra: dict[str, str], picture: pathlib.Path, weights: pathlib.Path
) -> dict[str, int]:
    """Run host/run_pynq.py for a picture on a decoded accelerator; its file is the golden model's, byte for byte.

    Parameters
    ----------
    netlist, board, seed, extra
        As in `simulate`.
    picture, weights : pathlib.Path
        A PNG, and the network's weights.

    Returns
    -------
    dict
        picture_cycles: that were simulated.

    Raises
    ------
    AssertionError
        If the files differ.
    UserError
        If the picture cannot be upscaled.
    """
    folder = make_folder(BUILD / "bitcheck" / f"picture-{digest('', [picture, weights])}")
    shutil.copy(picture, folder / "picture.png")
    shutil.copy(weights, folder / "weights.npz")
    script = [sys.executable, str(ROOT / "host" / "run_pynq.py"), "picture.png", "-o", "golden.png", "--quiet"]
    command = [*script, "--weights", "weights.npz", "--backend", "golden"]
    path = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | path)
    if done.returncode:
        raise UserError(f"{picture} cannot be upscaled by the golden model: {done.stderr.strip()}")
    extra = extra | {"SIM_HOST": str(folder)}
    return {"picture_cycles": _run(netlist, "srcnn", board, "sim.board.placed", "placed_picture", seed, extra)}


def _run(netlist, design, board, bench, test, seed, extra):
    """Build the simulation if need be and run a test; return the cycles."""
    text = model(design, "dut.decoded")
    path = make_folder(BUILD / "bitcheck") / f"bench-{digest(text)}.sv"
    if not path.is_file():
        with atomic_write(path) as temporary:
            temporary.write_text(text)
    files = [*sources(netlist, design, board), path]
    again, waves = f"make bitcheck DESIGN={design} ARGS='--seed {seed}'", os.environ.get("WAVES") == "1"
    return _cycles(runner.run_design(f"bitcheck-{design}", files, "bench", bench, test, seed, again, waves, extra))


def _cycles(results):
    """Simulated time stands in cocotb's results, in nanoseconds."""
    properties = xml.etree.ElementTree.parse(results).getroot().iter("property")
    spent = [float(about.get("value")) for about in properties if about.get("name") == "sim_time_duration"]
    return round(sum(spent) / PERIOD_NS)


def _blink(files):
    """The LEDs follow a counter of the design's own source, cycle by cycle, until all have been on and off."""
    clock = "reg model_clk;\nassign FCLKCLK = {3'b0, model_clk};\nendmodule"
    text = primitive().replace("endmodule", clock) + BLINK
    bench = make_folder(BUILD / "bitcheck") / f"bench-{digest(text)}.sv"
    bench.write_text(text)
    folder = make_folder(BUILD / "sim" / f"bitcheck-blink-{digest(text, files)}")
    try:
        said = run_bench([*files, DESIGN_RTL / "heartbeat.sv", bench], "bench", folder, BLINK_CYCLES)
    except Refused as error:
        raise AssertionError(str(error)) from error
    if "all LEDs changed" not in said:
        raise AssertionError(f"not all LEDs changed: {said.strip()}")
    return {"cycles": BLINK_CYCLES}
