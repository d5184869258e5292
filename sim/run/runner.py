"""Builds a Verilator simulation once and runs cocotb tests on it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import Verilator, VerilatorControlFile

from hls.generate.verilog import build_rtl
from hls.open.verilator import SIMULATE, environment
from hls.vendor.vitis import build_folder, exported_verilog
from model.base.cache import build_lock, digest
from model.base.paths import BUILD, ROOT, make_folder

if TYPE_CHECKING:
    from hls.design.config import Config

BUILD_ARGS = ["-O3", *SIMULATE, "-CFLAGS", "-O1"]  # compiling for longer than it runs does not pay
# cocotb reaches the ports of the top; with every signal of the design public, Verilator takes minutes instead of
# seconds.
PUBLIC = """\
`verilator_config
public_flat_rw -module "{top}" -var "*"
"""
WATCHED = """\
public_flat_rd -module "{module}" -var "*"
"""
# Vitis HLS' names around the AXI4-Stream ports.
VITIS_TOP = """\
module srcnn_sim (
    input wire clk, input wire rst,
    input wire [63:0] s_axis_tdata, input wire [7:0] s_axis_tkeep, input wire s_axis_tlast, input wire s_axis_tvalid, output wire s_axis_tready,
    output wire [63:0] m_axis_tdata, output wire [7:0] m_axis_tkeep, output wire m_axis_tlast, output wire m_axis_tvalid, input wire m_axis_tready
);
    srcnn_top dut (
        .ap_clk(clk), .ap_rst_n(!rst),
        .in_r_TDATA(s_axis_tdata), .in_r_TKEEP(s_axis_tkeep), .in_r_TSTRB(s_axis_tkeep), .in_r_TLAST(s_axis_tlast), .in_r_TVALID(s_axis_tvalid), .in_r_TREADY(s_axis_tready),
        .out_r_TDATA(m_axis_tdata), .out_r_TKEEP(m_axis_tkeep), .out_r_TSTRB(), .out_r_TLAST(m_axis_tlast), .out_r_TVALID(m_axis_tvalid), .out_r_TREADY(m_axis_tready)
    );
endmodule
"""


class _Verilator(Verilator):
    """cocotb's runner, with public ports instead of everything public."""

    def _build_command(self):
        commands = super()._build_command()
        commands[0].remove("--public-flat-rw")
        return commands


def open_sources(config: Config) -> tuple[pathlib.Path, ...]:
    """Return the Verilog files of the open route, built if need be."""
    return build_rtl(config).files


def vitis_sources(config: Config) -> tuple[list[pathlib.Path], str]:
    """Return (files, "") of the Verilog that Vitis HLS exported for this configuration, or ([], why not)."""
    files = exported_verilog(config)
    if not files:
        return (
            [],
            f"Vitis HLS has not exported {config.name} as it is now (looked for in {build_folder(config)}); run `make "
            f"hls` with its NETWORK= and BOARD=",
        )
    wrapper = build_folder(config) / "srcnn_sim.sv"
    wrapper.write_text(VITIS_TOP)
    return [*files, wrapper], ""


def run(
    config: Config,
    options: dict,
    files: Sequence[pathlib.Path],
    top: str,
    bench: str,
    test: str,
    waves: bool,
    extra: dict[str, str],
) -> None:
    """Run one cocotb test; raises AssertionError with the test's own message if it fails.

    Parameters
    ----------
    config : Config
    options : dict
        network, board (as given: a bench loads the same description), upscale, seed, rtl.
    files : sequence of pathlib.Path
    top, bench, test : str
        Verilog module, Python module, test function.
    waves : bool
        Leave a waveform in the simulation's folder.
    extra : dict
        More environment for the bench.
    """
    toplevel, seed = "srcnn_sim" if options["rtl"] == "vitis" else top, options["seed"]
    again = f"pytest sim/ -k {test} " + " ".join(f"--{name} {value}" for name, value in options.items())
    variables = {
        "SIM_NETWORK": options["network"],
        "SIM_BOARD": options["board"],
        "SIM_UPSCALE": str(options["upscale"]),
    }
    run_design(f"{config.name}-{top}", files, toplevel, bench, test, seed, again, waves, variables | extra)


def run_design(
    name: str,
    files: Sequence[pathlib.Path],
    toplevel: str,
    bench: str,
    test: str,
    seed: int,
    again: str,
    waves: bool,
    extra: dict[str, str],
    watched: Sequence[str] = (),
) -> pathlib.Path:
    """Run one cocotb test on any design; return cocotb's results, an XML file. Raises AssertionError with the test's own message if it fails.

    Parameters
    ----------
    name : str
        The simulation's folder begins with it.
    files : sequence of pathlib.Path
    toplevel, bench, test : str
        Verilog module, Python module, test function.
    seed : int
        The bench finds it in SIM_SEED.
    again : str
        The command that repeats the test; in SIM_AGAIN.
    waves : bool
    extra : dict
        More environment for the bench.
    watched : sequence of str
        Modules inside the design whose signals the bench reads.
    """
    folder = make_folder(BUILD / "sim" / f"{name}-{digest((BUILD_ARGS, waves, toplevel, *watched), files)}")
    simulator = _Verilator()
    with _environment(environment()):
        with build_lock(folder.name):
            public = folder / "public.vlt"
            if not public.is_file():
                inside = (WATCHED.format(module=module) for module in watched)
                public.write_text(PUBLIC.format(top=toplevel) + "".join(inside))
            simulator.build(
                sources=[VerilatorControlFile(public), *files],
                hdl_toplevel=toplevel,
                build_dir=folder,
                build_args=BUILD_ARGS,
                waves=waves,
                log_file=folder / "build.log",
            )  # make: up to date stays as it is
        log, results = folder / f"{test}-{seed}.log", folder / f"{test}-{seed}.xml"
        variables = {
            "SIM_SEED": str(seed),
            "SIM_AGAIN": again,
            "COCOTB_RANDOM_SEED": str(seed),
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
            **extra,
        }
        print(f"{toplevel}: {bench}.{test}, seed {seed}, log {log}")
        try:
            simulator.test(
                hdl_toplevel=toplevel,
                test_module=bench,
                test_filter=rf"\.{test}(/|$)",
                build_dir=folder,
                test_dir=folder,
                results_xml=str(results),
                log_file=log,
                extra_env=variables,
                waves=waves,
                seed=seed,
            )
        except (RuntimeError, SystemExit) as error:  # the simulator's exit code: the results tell more
            print(error)
    count, failed = get_results(results) if results.is_file() else (0, 0)
    text = log.read_text() if log.is_file() else ""
    reasons = re.findall(r"^\s*(?:AssertionError|\w*Error|\w*Exception): .*", text, re.M)
    assert count, f"no test ran: {text[-2000:]}"
    assert not failed, (
        f"{failed} of {count} failed: {' | '.join(r.strip() for r in reasons[:3]) or text[-1500:]}\n"
        f"again: {again}; WAVES=1 leaves a waveform; log: {log}"
    )
    return results


@contextlib.contextmanager
def _environment(values):
    """Set os.environ for the runner, which passes it on to make, Verilator and the simulation."""
    before = dict(os.environ)
    path = os.pathsep.join(
        [str(pathlib.Path(sys.executable).parent), values["PATH"]]
    )  # Verilator's makefiles call `python`
    os.environ.update(values, PATH=path)
    sys.path.insert(0, str(ROOT))
    try:
        yield
    finally:
        sys.path.remove(str(ROOT))
        os.environ.clear()
        os.environ.update(before)
