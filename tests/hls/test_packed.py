"""What is changed in a packed netlist: slices of carry chains, who is placed first, places of DSPs."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hls.place.packed import SECOND, arrange, place_dsps, rare_first, site_path, spread_chains

CARRY_Z = 15


def binary(value):
    return format(value, "032b")


def chain(name, height):
    """A carry chain as nextpnr packs it: a root, a carry for each further slice, eight LUTs in each."""
    parent = {"CONSTR_PARENT": name, "CONSTR_X": binary(0), "CONSTR_ABS_Z": binary(1)}
    cells = {}
    for i in range(height):
        if i:
            cells[f"{name}.{i}"] = {"type": "CARRY4", "attributes": parent | {"CONSTR_Z": binary(CARRY_Z)}}
        for z in (0, 1, 16, 17, 32, 33, 48, 49):
            cells[f"{name}.{i}.{z}"] = {"type": "SLICE_LUTX", "attributes": parent | {"CONSTR_Z": binary(z)}}
    attributes = {"CONSTR_CHILDREN": ";".join(cells), "CONSTR_ABS_Z": binary(1), "CONSTR_Z": binary(CARRY_Z)}
    return {name: {"type": "CARRY4", "attributes": attributes}} | cells


def ram(name):
    return {
        name: {"type": "SLICE_LUTX", "attributes": {"CONSTR_CHILDREN": f"{name}.a", "CONSTR_ABS_Z": binary(1)}},
        f"{name}.a": {"type": "SLICE_LUTX", "attributes": {"CONSTR_PARENT": name, "CONSTR_ABS_Z": binary(1)}},
    }


@given(st.lists(st.integers(1, 8), max_size=30), st.integers(0, 20))
def test_chains_and_rams_share_both_slices(heights, rams):
    """Each chain is whole, in one of the two; both slices hold as much as chains of these heights allow."""
    cells = {}
    for i, height in enumerate(heights):
        cells |= chain(f"c{i}", height)
    for i in range(rams):
        cells |= ram(f"r{i}")
    before = {name: int(cell["attributes"].get("CONSTR_Z", "0"), 2) for name, cell in cells.items()}
    done = spread_chains(cells)
    load = [rams, 0]
    for i, height in enumerate(heights):
        moved = {
            (int(cell["attributes"]["CONSTR_Z"], 2) - before[name]) / SECOND
            for name, cell in cells.items()
            if name.partition(".")[0] == f"c{i}"
        }
        assert moved in ({0}, {1})
        load[int(moved.pop())] += height
    assert done == {"chains": len(heights), "second_slice": done["second_slice"]}
    if sum(heights) >= rams:
        assert abs(load[0] - load[1]) <= 8
    else:
        assert load == [rams, sum(heights)]


def flip_flop(enable, reset=0, **attributes):
    return {"type": "SLICE_FFX", "attributes": attributes, "connections": {"CK": [9], "CE": [enable], "SR": [reset]}}


def test_what_fits_few_slices_has_the_last_names():
    lut = {"type": "SLICE_LUTX", "attributes": {}}
    cells = {
        "usual": flip_flop(1),
        "another": flip_flop(1),
        "more": flip_flop(1, CONSTR_PARENT="pair"),
        "rare": flip_flop(5),
        "reset": flip_flop(1, 7),
        "rare in a pair": flip_flop(5, CONSTR_PARENT="rare pair"),
        "pair": lut | {"attributes": {"CONSTR_CHILDREN": "more"}},
        "rare pair": lut | {"attributes": {"CONSTR_CHILDREN": "rare in a pair"}},
        "lut": lut,
    } | chain("short", 1)
    named = rare_first(cells)
    assert list(map(id, named.values())) == list(map(id, cells.values()))
    old = {id(cell): name for name, cell in cells.items()}
    order = [old[id(named[name])] for name in sorted(named, reverse=True)]  # as the placer takes them
    assert order[:5] == ["short", "rare pair", "reset", "rare", "pair"]
    for cell in named.values():  # parents and children find each other
        parent = cell["attributes"].get("CONSTR_PARENT")
        assert parent is None or old[id(cell)] in named[parent]["attributes"]["CONSTR_CHILDREN"].split(";")
        assert all(child in named for child in filter(None, cell["attributes"].get("CONSTR_CHILDREN", "").split(";")))


def test_a_packed_netlist_is_written_anew(tmp_path):
    """Also one without carries, RAMs or flip-flops."""
    packed = tmp_path / "packed.json"
    packed.write_text(json.dumps({"modules": {"top": {"cells": {"own": {"type": "PAD", "attributes": {}}}}}}))
    assert arrange(packed) == {"chains": 0, "second_slice": 0, "placed_dsps": 0}
    packed.write_text(json.dumps({"modules": {"top": {"cells": chain("a", 2) | chain("b", 1) | {"f": flip_flop(1)}}}}))
    assert arrange(packed) == {"chains": 2, "second_slice": 1, "placed_dsps": 0}
    cells = json.loads(packed.read_text())["modules"]["top"]["cells"]
    assert int(cells["~~~~b"]["attributes"]["CONSTR_Z"], 2) == CARRY_Z + SECOND


def test_products_of_one_sum_lie_side_by_side(tmp_path):
    """Two near columns are a ladder, the one far away comes behind it and is walked back; stages follow the data."""
    sites = [(x, grid_x, y) for x, grid_x in ((0, 10), (1, 80), (2, 91)) for y in range(3)]
    grid = {f"T{x}_{y}": {"grid_x": at, "grid_y": 9 - y, "sites": {f"DSP48_X{x}Y{y}": "DSP48E1"}} for x, at, y in sites}
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    path = site_path(tmp_path / "grid.json")
    assert [site[-4:] for site in path] == ["X1Y0", "X2Y0", "X2Y1", "X1Y1", "X1Y2", "X2Y2", "X0Y2", "X0Y1", "X0Y0"]
    dsp = {"type": "DSP48E1_DSP48E1"}
    names = [
        "top.b_i.pipeline.n7_multiply.$mul",
        "top.a_i.pipeline.n12_multiply.$mul",
        "a_i.pipeline.n9_multiply.x",
        "own",
    ]
    cells = {name: dsp | {"attributes": {}} for name in names}
    assert place_dsps(cells, path[:2]) == 0  # more than there are
    assert place_dsps(cells, path) == 3
    where = [cells[name]["attributes"].get("BEL", "")[6:10] for name in names]
    assert where == ["X2Y1", "X2Y0", "X1Y0", ""]
