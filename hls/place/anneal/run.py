"""Anneals a placement: the schedule, and the netlist before and after."""

from __future__ import annotations

import ctypes
import functools
import json
import pathlib

from tqdm import tqdm

from hls.place.anneal.device import SLOTS, Device
from hls.place.anneal.problem import CONSTANTS, KINDS, Problem, cells_of
from hls.place.packed import SECOND
from model.base.errors import UserError
from model.base.native import NATIVE, native_library

SOURCE = pathlib.Path(__file__).with_name("cpp") / "anneal.cpp"
# No product joined with a sum: two processors are to give the same placement.
FLAGS = (*NATIVE, "-ffp-contract=off")

STEPS = 320  # temperatures
MOVES = 22  # proposed at each, times the LUTs and flip-flops that move alone
SEED = 1
DELAY_SHARE = 0.5  # of the cost; the rest is wire
HOT, COLD = 8e-6, 3e-8  # temperatures, of a cost that is 1 at each step's beginning
RANGE, NEAR = 40, 3  # slices that a move goes at most, at the beginning and at the end
SHARPEST = 8.0  # exponent of criticality at the end; 1 at the beginning

CARRY_SLOT = 15  # of a carry in nextpnr-xilinx's count of a slice's places


def sources() -> list[pathlib.Path]:
    """Return the files that decide an annealing's result."""
    return sorted(path for path in pathlib.Path(__file__).parent.rglob("*") if path.suffix in (".py", ".cpp", ".hpp"))


class _Statistics(ctypes.Structure):
    _fields_ = [("accepted", ctypes.c_int64), ("wire", ctypes.c_double), ("delay", ctypes.c_double)]


@functools.cache
def library() -> ctypes.CDLL:
    """Return the compiled annealer.

    Raises
    ------
    UserError
        If it cannot be compiled here, or not be loaded.
    """
    path = native_library(SOURCE, "anneal", "place and route where there is one", FLAGS)
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise UserError(f"{path} cannot be loaded ({error}); name a build folder of your own in SRCNN_BUILD") from error
    pointer, number = ctypes.c_void_p, ctypes.c_double
    loaded.analyse.restype = ctypes.c_float
    loaded.analyse.argtypes = [pointer, ctypes.c_float]
    loaded.survey.argtypes = [pointer] * 3
    loaded.anneal.restype = None
    loaded.anneal.argtypes = [pointer, ctypes.c_uint64, ctypes.c_int64, number, ctypes.c_int, number, number, pointer]
    return loaded


class Annealing:
    """What is done to a problem; its arrays change with it.

    Parameters
    ----------
    problem : Problem
    seed : int
    """

    def __init__(self, problem: Problem, seed: int = SEED) -> None:
        self.problem, self.seed = problem, seed
        self._structure = problem.structure()
        assert library().problem_bytes() == self._structure.size
        self._at = ctypes.addressof(self._structure)
        self.wire = self.delay = 0.0

    def survey(self) -> int:
        """Bring wires and delays up to date. Return how many slices hold what no slice can."""
        wire, delay = ctypes.c_double(), ctypes.c_double()
        wrong = library().survey(self._at, ctypes.byref(wire), ctypes.byref(delay))
        self.wire, self.delay = wire.value, delay.value
        return wrong

    def analyse(self, sharpness: float = 1.0) -> float:
        """Weigh connections by how critical they are, to a power. Return the longest path, ns, by estimated wires."""
        return library().analyse(self._at, sharpness)

    def step(self, number: int, moves: int, temperature: float, reach: int) -> _Statistics:
        """Propose so many moves at one temperature, relative to the cost as it is now."""
        done = _Statistics()
        shares = (1 - DELAY_SHARE) / max(self.wire, 1e-9), DELAY_SHARE / max(self.delay, 1e-9)
        seed = self.seed * 1000003 + number
        library().anneal(self._at, seed, moves, temperature, reach, *shares, ctypes.byref(done))
        return done

    def run(self, steps: int = STEPS, moves: int | None = None, progress: bool = False) -> dict:
        """Anneal from hot to cold, then without going back.

        Returns
        -------
        dict
            wire_before, wire_after (tiles, as weighed), longest_before_ns, longest_after_ns (by estimated wires).
        """
        moves = moves or MOVES * max(1, len(self.problem.arrays["atom"]))
        self.survey()
        longest = self.analyse()
        result = {"wire_before": round(self.wire), "longest_before_ns": round(longest, 2)}
        with tqdm(total=steps, desc="anneal", unit=" steps", disable=not progress, dynamic_ncols=True) as bar:
            for number in range(steps):
                done = number / steps
                longest = self.analyse(1 + (SHARPEST - 1) * min(1.0, 1.3 * done))
                self.survey()
                temperature = HOT * (COLD / HOT) ** (done / 0.93) if done < 0.93 else 0.0
                reach = max(NEAR, round(RANGE * (1 - done) ** 2))
                self.step(number, moves, temperature, reach)
                bar.update()
                bar.set_postfix_str(f"wire {self.wire:,.0f}, longest path {longest:.1f} ns", refresh=False)
        self.survey()
        return result | {"wire_after": round(self.wire), "longest_after_ns": round(self.analyse(), 2)}


def place_in_tile(place: str) -> int:
    """Return nextpnr-xilinx's number of a place of a slice within its tile, as of "SLICE_X3Y7/B5LUT"."""
    site, _, tail = place.partition("/")
    second = int(site[len("SLICE_X") :].partition("Y")[0]) % 2
    lane, slot = (0, CARRY_SLOT) if tail == "CARRY4" else ("ABCD".index(tail[0]), SLOTS.index(tail[1:]))
    return second * SECOND + lane * 16 + slot


def improve(packed: pathlib.Path, placed: pathlib.Path, tilegrid: pathlib.Path, progress: bool = False) -> dict:
    """Give every cell of a packed netlist its place: nextpnr-xilinx's, annealed.

    Parameters
    ----------
    packed : pathlib.Path
        Written anew; nextpnr-xilinx then has nothing to place and routes it.
    placed : pathlib.Path
        The same netlist, as nextpnr-xilinx has placed it.
    tilegrid : pathlib.Path
        Project X-Ray's, of the device.
    progress : bool

    Returns
    -------
    dict
        See `Annealing.run`; only `not_annealed`, why, where a netlist holds what is not known here. The file is then as
        it was.
    """
    design = json.loads(packed.read_text())
    cells, as_placed = cells_of(design), cells_of(json.loads(placed.read_text()))
    places = {name: cell["attributes"].get("NEXTPNR_BEL", "") for name, cell in as_placed.items()}
    device = Device(tilegrid)
    unknown = not_known(cells, places, device)
    if unknown:
        return {"not_annealed": unknown}
    annealing = Annealing(Problem(cells, places, device))
    if annealing.survey():
        return {"not_annealed": "a slice holds what by the rules here it can't"}
    result = annealing.run(progress=progress)
    if annealing.survey():
        raise UserError("the annealed placement breaks a rule of the device; report it, with build/ kept")
    for name, place in annealing.problem.places().items():
        attributes = cells[name]["attributes"]
        attributes["BEL"] = place
        # A chain, or a RAM, may have left the first slice of a tile.
        if place.startswith("SLICE_") and int(str(attributes.get("CONSTR_ABS_Z", 0)), 2):
            attributes["CONSTR_Z"] = format(place_in_tile(place), "032b")
    packed.write_text(json.dumps(design))
    return result


def not_known(cells: dict[str, dict], places: dict[str, str], device: Device) -> str:
    """Return what of a placed netlist an annealing knows nothing of, "" if it knows all."""
    for name, cell in cells.items():
        if cell["type"] in CONSTANTS:
            continue
        site = places.get(name, "").partition("/")[0]
        if not device.has(site):
            return f"{name} is not at a site of the grid"
        if site.startswith("SLICE_") and cell["type"] not in KINDS:
            return f"{name} is a {cell['type']} in a slice"
    return ""
