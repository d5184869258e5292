"""The annealed placement: legal, each cell once, what belongs together together, its sums and paths as counted anew."""

import copy
import functools
import json
import sys

import numpy as np
import pytest

from hls.place.anneal import run
from hls.place.anneal.device import Device
from hls.place.anneal.problem import Problem
from hls.place.route import place_and_route
from hls.place.tools import Tools
from model.base import native
from model.base.errors import UserError
from tests.hls.anneal_designs import CLOCK, LOW, Design, complaints, design, write_device

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return write_device(tmp_path_factory.mktemp("device") / "tilegrid.json")


def problem(made, grid):
    return Problem(made.cells, made.places, Device(grid))


@pytest.mark.parametrize("seed", SEEDS)
def test_annealed_placements_are_legal_and_shorter(seed, grid):
    made = design(seed)
    assert complaints(made.cells, made.places, made.places) == []
    for hot in (True, False):
        given = problem(made, grid)
        annealing = run.Annealing(given, seed)
        assert annealing.survey() == 0
        result = annealing.run(steps=24, moves=4000) if not hot else None
        if hot:  # where nearly everything is accepted, every kind of move is
            annealing.analyse()
            annealing.survey()
            accepted = sum(annealing.step(i, 5000, 10.0, 8).accepted for i in range(6))
            assert accepted > 2000
        after = given.places()
        assert annealing.survey() == 0
        assert complaints(made.cells, made.places, after) == []
        kinds = {
            kind: sum(after[name] != place for name, place in made.places.items() if name.startswith(kind))
            for kind in ("l", "c", "r", "s", "DSP48", "RAMB36")
        }
        if hot:
            assert all(kinds.values()), kinds
        else:
            assert result["wire_after"] < 0.8 * result["wire_before"]


def test_the_checker_notices(grid):
    """Two cells of any two places exchanged: the C++ and the test agree whether a slice can hold that."""
    made = design(4)
    rng = np.random.default_rng(4)
    names = [name for name in made.places if made.places[name].startswith("SLICE")]
    seen = illegal = 0
    for _ in range(400):
        one, two = rng.choice(names, 2, replace=False)
        tails = [made.places[name].partition("/")[2].lstrip("ABCD") for name in (one, two)]
        if tails[0] != tails[1] or tails[0] == "CARRY4":
            continue
        places = made.places | {one: made.places[two], two: made.places[one]}
        expected = [c for c in complaints(made.cells, places, places) if "left" not in c and "lane than" not in c]
        wrong = run.Annealing(Problem(made.cells, places, Device(grid))).survey()
        assert bool(wrong) == bool(expected), (one, two, expected)
        seen, illegal = seen + 1, illegal + bool(expected)
    assert seen > 50 and 10 < illegal < seen


@pytest.mark.parametrize("seed", SEEDS)
def test_sums_that_follow_the_moves_are_the_sums_counted_anew(seed, grid):
    given = problem(design(seed), grid)
    annealing = run.Annealing(given, seed)
    annealing.survey()
    annealing.analyse(3.0)
    annealing.survey()
    wire, delay = annealing.wire, annealing.delay
    for number in range(5):
        done = annealing.step(number, 3000, 0.3, 6)
        wire, delay = wire + done.wire, delay + done.delay
        box, late = given.arrays["box"].copy(), given.arrays["delay"].copy()
        annealing.survey()
        assert wire == pytest.approx(annealing.wire, rel=1e-5)
        assert delay == pytest.approx(annealing.delay, rel=1e-4)
        wired = given.arrays["net_weight"] > 0
        assert np.array_equal(box[wired], given.arrays["box"][wired])  # edges, and how many pins lie on each
        assert np.array_equal(late, given.arrays["delay"])


def test_the_longest_path_is_the_longest_of_all(grid):
    given = problem(design(5), grid)
    annealing = run.Annealing(given)
    annealing.survey()
    a = given.arrays
    reached = {}

    def arrival(net):
        if net not in reached:
            arcs = range(a["arc_begin"][net], a["arc_begin"][net + 1])
            late = [
                arrival(a["pin_net"][a["arc_pin"][k]]) + a["delay"][a["arc_pin"][k]] + a["arc_delay"][k] for k in arcs
            ]
            reached[net] = max([a["launch"][net], *late])
        return reached[net]

    ends = np.flatnonzero(a["setup"] > -1)
    expected = max(arrival(a["pin_net"][pin]) + a["delay"][pin] + a["setup"][pin] for pin in ends)
    assert annealing.analyse(2.0) == pytest.approx(expected, rel=1e-5)
    assert expected > 3
    weights = a["weight"][ends]
    assert weights.max() == pytest.approx(1, rel=1e-4) and weights.min() < 0.5


def test_the_same_seed_gives_the_same_placement(grid):
    placements = []
    for seed in (7, 7, 8):
        given = problem(design(6), grid)
        run.Annealing(given, seed).run(steps=6, moves=2000)
        placements.append(given.places())
    assert placements[0] == placements[1] != placements[2]


def test_a_netlist_gets_its_places(grid, tmp_path):
    made = design(7)
    packed, placed = tmp_path / "packed.json", tmp_path / "placed.json"
    packed.write_text(json.dumps({"modules": {"top": {"cells": made.cells}}}))
    cells = copy.deepcopy(made.cells)
    for name, cell in cells.items():
        cell["attributes"]["NEXTPNR_BEL"] = made.places.get(name, "PSEUDO/Y")
        cell["connections"].pop("D", None)  # after placing, nextpnr-xilinx has changed pins: they are not looked at
    placed.write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
    result = run.improve(packed, placed, grid)
    assert result["wire_after"] < result["wire_before"]
    after = json.loads(packed.read_text())["modules"]["top"]["cells"]
    places = {name: cell["attributes"].pop("BEL") for name, cell in after.items() if cell["type"] != "PSEUDO_GND"}
    for name, cell in after.items():
        if "CONSTR_ABS_Z" in cell["attributes"]:  # nextpnr-xilinx checks it: 64 for the second slice, 16 for a lane
            (x, _), lane = map(int, places[name].split("/")[0][7:].split("Y")), places[name].split("/")[1][0]
            expected = x % 2 * 64 + (15 if cell["type"] == "CARRY4" else "ABCD".index(lane) * 16)
            assert int(cell["attributes"]["CONSTR_Z"], 2) == expected
            cell["attributes"]["CONSTR_Z"] = made.cells[name]["attributes"]["CONSTR_Z"]
    assert after == made.cells
    assert complaints(made.cells, made.places, places) == []
    assert after["gnd"]["connections"] == {"Y": [LOW]}


def lut(inputs, out, **attributes):
    pins = {f"A{i + 1}": net for i, net in enumerate(inputs)} | {"O6": out}
    return "SLICE_LUTX", pins, attributes


def flip_flop(data, clock=CLOCK, enable=4, **attributes):
    return "SLICE_FFX", {"CK": clock, "CE": enable, "SR": LOW, "D": data, "Q": 90 + data}, attributes


RULES = {
    "a LUT of five inputs beside one of them": (lut((20, 21, 22, 23, 24), 30), lut((20,), 31), True),
    "six inputs of two LUTs": (lut((20, 21, 22, 23), 30), lut((24, 25), 31), False),
    "a LUT of six inputs beside another": (lut((20, 21, 22, 23, 24, 25), 30), lut((20,), 31), False),
    "a RAM and a LUT in a lane": (lut((20,), 30, X_LUT_AS_DRAM="1"), lut((20,), 31), False),
    "a shift register and a LUT in a lane": (lut((20,), 30, X_LUT_AS_SRL="1"), lut((20,), 31), False),
}


@pytest.mark.parametrize("name", RULES)
def test_what_two_luts_of_a_lane_may_be(name, grid):
    six, five, may = RULES[name]
    assert survey({"A6LUT": six, "A5LUT": five}, grid) == (0 if may else 1)


def test_a_lut_of_six_inputs_has_no_place_in_the_small_half(grid):
    assert survey({"A5LUT": lut((20, 21, 22, 23, 24, 25), 30)}, grid) == 1
    assert survey({"A5LUT": lut((20, 21, 22, 23, 24), 30)}, grid) == 0


def test_what_flip_flops_of_a_slice_share(grid):
    one = flip_flop(20)
    assert survey({"AFF": one, "BFF": flip_flop(21)}, grid) == 0
    assert survey({"AFF": one, "BFF": flip_flop(21, clock=5)}, grid) == 1
    assert survey({"AFF": one, "BFF": flip_flop(21, enable=5)}, grid) == 1
    assert survey({"AFF": one, "BFF": flip_flop(21, X_FFSYNC="1")}, grid) == 1
    latch = flip_flop(21, X_FF_AS_LATCH="1")
    assert (survey({"AFF": latch}, grid), survey({"A5FF": latch}, grid)) == (0, 1)
    memory = lut((20,), 30, X_LUT_AS_DRAM="1")
    memory[1]["CLK"] = CLOCK
    assert survey({"A6LUT": memory, "BFF": one}, grid) == 0
    assert survey({"A6LUT": memory, "BFF": flip_flop(20, clock=5)}, grid) == 1
    assert survey({"A6LUT": memory}, grid, slice="SLICE_X1Y0") == 1


def survey(held, grid, slice="SLICE_X0Y0"):
    """How many slices hold what they can't: of one slice, whose inputs come from pins."""
    made = Design(1)
    made.add("pins", "IOB33_INBUF", {f"B{net}": net for net in (4, 5, *range(20, 29))}, "IOB_X0Y0/IOB33", "B456789")
    directions = made.cells["pins"]["port_directions"]
    directions.update(dict.fromkeys(directions, "output"))
    for tail, (kind, pins, attributes) in held.items():
        made.add(tail, kind, pins, f"{slice}/{tail}", "OQ", **attributes)
    return run.Annealing(problem(made, grid)).survey()


def test_blocks_that_are_bound_stay(grid):
    for bound in ({"BEL": "DSP48_X0Y0/DSP48E1"}, {"CONSTR_ABS_Z": "1"}, {"CONSTR_CHILDREN": "DSP481"}):
        made = design(8)
        made.cells["DSP480"]["attributes"].update(bound)
        given = problem(made, grid)
        annealing = run.Annealing(given)
        annealing.survey(), annealing.analyse(), annealing.survey()
        for number in range(4):
            annealing.step(number, 4000, 10.0, 8)
        after = given.places()
        assert after["DSP480"] == made.places["DSP480"] and after["DSP482"] != made.places["DSP482"]


def test_compilers_agree(grid, monkeypatch):
    """The same placement by any: nothing hangs on the order in which one evaluates."""
    pytest.importorskip("ziglang")
    placements = []
    for which in (native.shutil.which, lambda name: None):
        monkeypatch.setattr(native.shutil, "which", which)
        monkeypatch.setattr(run, "library", functools.cache(run.library.__wrapped__))
        given = problem(design(9), grid)
        run.Annealing(given).run(steps=6, moves=3000)
        placements.append(given.places())
    assert placements[0] == placements[1]


def written(folder, made, places):
    packed, placed = folder / "packed.json", folder / "placed.json"
    packed.write_text(json.dumps({"modules": {"top": {"cells": made.cells}}}))
    cells = copy.deepcopy(made.cells)
    for name, cell in cells.items():
        if name in places:
            cell["attributes"]["NEXTPNR_BEL"] = places[name]
    placed.write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
    return packed, placed


def test_what_is_not_known_is_left_as_placed(grid, tmp_path):
    made = design(10)
    made.add("mux", "SELMUX2_1", {"I0": 50, "OUT": 51}, "SLICE_X11Y7/F7AMUX", "OUT")
    for change, says in (
        ({}, "mux is a SELMUX2_1 in a slice"),
        ({"mux": "SLICE_X99Y99/F7AMUX"}, "mux is not at a site of the grid"),
        ({"mux": "IOB_X0Y0/PAD", "DSP480": ""}, "DSP480 is not at a site of the grid"),
    ):
        packed, placed = written(tmp_path, made, made.places | change)
        before = packed.read_bytes()
        assert run.improve(packed, placed, grid) == {"not_annealed": says}
        assert packed.read_bytes() == before
    del made.cells["mux"]
    wrong = dict(made.places)
    one, two = [name for name in made.cells if name.startswith("l") and "6LUT" in made.places[name]][:2]
    wrong[two] = made.places[one].replace("6LUT", "5LUT")
    made.cells[two]["connections"] = {f"A{i + 1}": [LOW + 20 + i] for i in range(6)} | {"O6": [77]}
    made.cells[two]["port_directions"] = {f"A{i + 1}": "input" for i in range(6)} | {"O6": "output"}
    packed, placed = written(tmp_path, made, wrong)
    assert "holds what by the rules" in run.improve(packed, placed, grid)["not_annealed"]


def test_without_a_compiler_it_is_said_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    monkeypatch.setattr(native.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"no C\+\+ compiler was found; install one"):
        run.library.__wrapped__()
    damaged = tmp_path / "libanneal.so"
    damaged.write_bytes(b"no library")
    monkeypatch.setattr(run, "native_library", lambda *arguments: damaged)
    with pytest.raises(UserError, match="cannot be loaded"):
        run.library.__wrapped__()


NEXTPNR = """\
#!{python}
import json, pathlib, sys
arguments = sys.argv[1:]
def value(name):
    return pathlib.Path(arguments[arguments.index(name) + 1])
design = json.loads(value("--json").read_text())
cells = design["modules"]["top"]["cells"]
places = json.loads(pathlib.Path({places!r}).read_text())
if "--no-route" in arguments:
    for name, cell in cells.items():
        cell["attributes"]["NEXTPNR_BEL"] = places.get(name.lstrip("~"), "")
if "--write" in arguments:
    value("--write").write_text(json.dumps(design))
if "--fasm" in arguments:
    if {fails!r} and any("BEL" in cell["attributes"] for cell in cells.values()):
        value("--log").write_text("ERROR: Invalid global constant node\\n")
        sys.exit(1)
    bels = {{name.lstrip("~"): cell["attributes"].get("BEL", "") for name, cell in cells.items()}}
    value("--fasm").write_text(json.dumps(bels))
value("--log").write_text("iter=1 wires=10 overused=0\\nMax frequency for clock 'clk': 100.00 MHz\\n")
"""


@pytest.mark.parametrize("fails", [False, True])
def test_place_and_route_anneals_in_between(fails, grid, tmp_path, monkeypatch):
    """And where the router ends with an error, takes the placement as it was."""
    made = design(11)
    (tmp_path / "places.json").write_text(json.dumps(made.places))
    program = tmp_path / "nextpnr"
    program.write_text(NEXTPNR.format(python=sys.executable, fails=fails, places=str(tmp_path / "places.json")))
    program.chmod(0o755)
    netlist, constraints, chip = tmp_path / "netlist.json", tmp_path / "pins.xdc", tmp_path / "chip.bin"
    netlist.write_text(json.dumps({"modules": {"top": {"cells": made.cells}}}))
    constraints.write_text("")
    chip.write_bytes(b"chip")
    monkeypatch.setattr("hls.synth.yosys.BUILD", tmp_path / "build")
    tools = Tools(str(program), "", "", None, chip, tmp_path, grid, True)
    fasm, routed = place_and_route(tools, netlist, constraints, "made")
    if fails:
        assert "Invalid global constant node" in routed["not_annealed"] and "wire_after" not in routed
        assert not any(json.loads(fasm.read_text()).values())
        return
    assert routed["wire_after"] < routed["wire_before"]
    placed = {name: place for name, place in json.loads(fasm.read_text()).items() if place}
    assert placed != made.places and complaints(made.cells, made.places, placed) == []
    fasm, routed = place_and_route(tools, netlist, constraints, "made", anneal=False)
    assert "wire_after" not in routed and not any(json.loads(fasm.read_text()).values())
