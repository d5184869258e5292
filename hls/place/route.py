"""Place and route with nextpnr-xilinx: netlist and constraints in, FASM and clock out."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from tqdm import tqdm

from hls.place import packed
from hls.place.anneal.run import improve, library, sources
from hls.place.designs import PLANNED_MHZ
from hls.synth.yosys import cached
from model.base.errors import UserError
from model.base.tools import first_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from hls.place.tools import Tools

LOG, FASM, PACKED, PLACED, SDF = "nextpnr.log", "design.fasm", "packed.json", "placed.json", "design.sdf"
ASKED_MHZ = PLANNED_MHZ  # what the placer aims at; nothing fails if it is missed
PASSES = 200  # of the router, after which it is given up: designs that route take some 10 to 40
STUCK = 60  # passes without an improvement, after which it is given up
STILL_S = 1800  # without a word of the placer, after which it is given up: a step of it takes some 10 to 60 s
_PLACES, _PLACED = "Running main analytical placer", "HeAP Placer Time"  # what it says before and behind these steps
_PASS = re.compile(r"iter=(\d+) wires=(\d+) overused=(\d+)")
_FMAX = re.compile(r"Max frequency for clock\s+'([^']*)': ([\d.]+) MHz")
_POLL_S = 0.5


def place_and_route(
    tools: Tools,
    netlist: pathlib.Path,
    constraints: pathlib.Path,
    name: str,
    progress: bool = False,
    remedy: Callable[[], str] = lambda: "take a smaller design",
    dsps_in_order: bool = False,
    delays: bool = False,
    anneal: bool = True,
) -> tuple[pathlib.Path, dict]:
    """Place and route a netlist, or find the result of the same netlist, constraints and tools.

    Parameters
    ----------
    tools : Tools
    netlist : pathlib.Path
    constraints : pathlib.Path
        XDC.
    name : str
        Of the design.
    progress : bool
        Show what the router has left to do.
    remedy : callable
        Returns what to do about a design that does not route.
    dsps_in_order : bool
        Give each DSP its place, sum by sum (`packed.py`), in place of the placer's choice.
    delays : bool
        Also write the tool's delays, to `SDF` beside the FASM (`paths.py`).
    anneal : bool
        Make the placement better before it is routed (`anneal/`), where the database has the device's grid.

    Returns
    -------
    fasm : pathlib.Path
    routed : dict
        fmax_mhz (after routing, by the tool's own delays), passes (of the router), wires, and what was arranged
        between packing and placing (`packed.py`): chains, second_slice, placed_dsps; of the placement
        (`anneal/run.py`): wire_before, wire_after, longest_before_ns, longest_after_ns; or not_annealed, why: then it
        is as the tool has placed it.

    Raises
    ------
    UserError
        The tool's own error, or that the router gets no further, with the number of passes.
    """
    options = ["--freq", f"{ASKED_MHZ:g}", "--timing-allow-fail", "--seed", "1"]

    def make(folder):
        if anneal:
            library()  # whether it compiles here is said first, not after minutes of placing
        shutil.copy(netlist, folder / "netlist.json")
        shutil.copy(constraints, folder / "pins.xdc")
        command = [tools.nextpnr, "--chipdb", str(tools.chipdb), "--quiet", *options]
        pack = [*command, "--json", "netlist.json", "--xdc", "pins.xdc", "--pack-only", "--write", PACKED]
        _run([*pack, "--log", "pack.log"], folder, name, False, remedy, folder / "pack.log")
        arranged = packed.arrange(folder / PACKED, sites)
        place, annealed = [*command, "--json", PACKED, "--no-pack"], {}
        if anneal:
            place_only = [*place, "--no-route", "--write", PLACED, "--log", "place.log"]
            _run(place_only, folder, name, progress, remedy, folder / "place.log")
            before = (folder / PACKED).read_bytes()
            annealed = improve(folder / PACKED, folder / PLACED, tools.grid, progress)
        route = [*place, "--fasm", FASM, "--log", LOG, *(["--sdf", SDF] if delays else [])]
        try:
            _run(route, folder, name, progress, remedy)
        except UserError as error:
            if "wire_after" not in annealed:
                raise
            annealed = {"not_annealed": str(error)}  # the placement as it was may route
            if (folder / LOG).is_file():
                (folder / LOG).rename(folder / "annealed.log")
            (folder / PACKED).write_bytes(before)
            _run(route, folder, name, progress, remedy)
        for path in ("netlist.json", PACKED, PLACED):
            (folder / path).unlink(missing_ok=True)
        return read_log(folder / LOG) | arranged | annealed

    sites = packed.site_path(tools.grid) if dsps_in_order and tools.grid and tools.both_dsps else []
    anneal = anneal and tools.grid is not None
    recipe = options, tools.recipe(), PASSES, STUCK, sites, delays, anneal
    decides = [netlist, constraints, pathlib.Path(packed.__file__)]  # what is done behind packing is there
    decides += sources() if anneal else []
    folder, routed = cached(f"{name}-routed", decides, recipe, make)
    return folder / FASM, routed


def read_log(path: pathlib.Path) -> dict:
    """Return fmax_mhz, passes and wires of a finished run's log.

    Raises
    ------
    UserError
        If it names no clock or no pass of the router: another version.
    """
    text = path.read_text(errors="replace")
    passes, clocks = _PASS.findall(text), _FMAX.findall(text)
    if not passes or not clocks:
        raise UserError(
            f"{path} names no {'clock' if passes else 'pass of the router'}; this version of nextpnr-xilinx is not "
            f"known, take openXC7's"
        )
    last = dict(clocks)  # the last figure of each clock: behind the router, not the placer's guess
    return {
        "fmax_mhz": min(float(mhz) for mhz in last.values()),
        "passes": int(passes[-1][0]),
        "wires": int(passes[-1][1]),
    }


def _run(command, folder, name, progress, remedy, log=None):
    """Run nextpnr, look at its log meanwhile; end it if the router stands still or this process is interrupted."""
    log = log or folder / LOG
    with (
        open(folder / "console.log", "wb") as console,
        tqdm(desc="place", unit=" passes", disable=not progress, dynamic_ncols=True) as bar,
    ):
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
        )
        try:
            watch = Watch()
            while process.poll() is None:
                time.sleep(_POLL_S)
                watch.read(log)
                if watch.passes > bar.n:
                    bar.set_description("route")
                    bar.update(watch.passes - bar.n)
                    bar.set_postfix_str(f"{watch.left:,} wires used twice", refresh=True)
                if watch.stuck():
                    raise UserError(
                        f"{name} does not route: {watch.left:,} wires are still used twice after {watch.passes} "
                        f"passes of nextpnr's router, {watch.best:,} at best; {remedy()}"
                    )
                if watch.still():
                    raise UserError(
                        f"{name} does not place: nextpnr's placer has not ended a step in {STILL_S / 60:g} minutes; "
                        f"{remedy()}"
                    )
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        told = first_error(log) if log.is_file() else None
        told = told or first_error(folder / "console.log") or f"exit code {process.returncode}"
        raise UserError(f"nextpnr-xilinx does not place and route {name}: {told}; the log is {log}")


class Watch:
    """How far the router is, by its log.

    Attributes
    ----------
    passes : int
    left : int
        Wires that more than one net uses, after the last pass.
    best : int
        The fewest of any pass.
    """

    def __init__(self) -> None:
        self.passes = self.left = 0
        self.best, self._best_pass, self._read = None, 0, 0
        self._places, self._grew = False, time.monotonic()

    def read(self, log: pathlib.Path) -> None:
        """Read what has been added to the log."""
        if not log.is_file():
            return
        with open(log, errors="replace") as file:
            file.seek(self._read)
            text = file.read()
            whole = text.rfind("\n") + 1
            self._read += len(text[:whole].encode())
        if whole:
            self._grew = time.monotonic()
            self._places = (self._places or _PLACES in text[:whole]) and _PLACED not in text[:whole]
        for number, _, overused in _PASS.findall(text[:whole]):
            self.passes, self.left = int(number), int(overused)
            if self.best is None or self.left < self.best:
                self.best, self._best_pass = self.left, self.passes

    def stuck(self) -> bool:
        """Return whether there is no hope: too many passes, or too many without a better one."""
        return bool(self.left) and (self.passes >= PASSES or self.passes - self._best_pass >= STUCK)

    def still(self) -> bool:
        """Return whether the placer goes on with one step for so long that it will not end."""
        return self._places and time.monotonic() - self._grew > STILL_S
