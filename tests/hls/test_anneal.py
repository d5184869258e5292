"""The annealed placement: legal, each cell once, what belongs together together, its sums and paths as counted anew."""

import copy
import json

import numpy as np
import pytest

from hls.place.anneal import run
from hls.place.anneal.device import Device
from hls.place.anneal.problem import Problem
from tests.hls.anneal_designs import LOW, complaints, design, write_device

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
    """Each rule, broken once: the C++ and the test agree that no slice can hold it."""
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
