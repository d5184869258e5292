"""From bits to a netlist on a made database: two slices' tiles, one of interconnect, a pad, and nothing else.

CLBLL_L_X0Y0   SLICE_X0Y0: LUT A (and more) -> A_OUT ...
INT_L_X1Y0     multiplexers between what the slice gives and what it and the pad take; GND and VCC
RIOB33_X2Y0    IOB_X0Y0: pad P1
"""

import csv
import json
import random

import numpy as np
import pytest

from hls.readback import faults, rules
from hls.readback.bitfile import BITS, ECC_BITS, ECC_WORD, Frames
from hls.readback.database import Database, read_segbits
from hls.readback.decode import decode
from hls.readback.features import match
from hls.readback.netlist import Pin, Pip
from hls.readback.nodes import ChipNodes, TileConnections, connect, open_nodes
from hls.readback.verilog import write
from model.base.errors import UserError

PART = "xc7z999tst-1"
CLB, INT, IOB = "CLBLL_L_X0Y0", "INT_L_X1Y0", "RIOB33_X2Y0"
TABLE = [f"CLBLL_L.SLICEL_X0.ALUT.INIT[{k:02d}] 0{k // 32}_{k % 32:02d}" for k in range(64)]
SEGBITS = {
    "clbll_l": [
        *TABLE,
        "CLBLL_L.SLICEL_X0.AOUTMUX.O5 02_00 !02_01",
        "CLBLL_L.SLICEL_X0.AOUTMUX.A5Q !02_00 02_01",
        "CLBLL_L.SLICEL_X0.AFFMUX.O6 02_02 !02_03",
        "CLBLL_L.SLICEL_X0.AFFMUX.AX !02_02 02_03",
        "CLBLL_L.SLICEL_X0.AFF.ZINI 02_04",
        "CLBLL_L.SLICEL_X0.AFF.ZRST 02_05",
        "CLBLL_L.SLICEL_X0.FFSYNC 02_06",
        "CLBLL_L.SLICEL_X0.CEUSEDMUX 02_07",
    ],
    "int_l": [
        "INT_L.MID.FROM_A 00_00 00_01",
        "INT_L.MID.FROM_Q 00_00 00_02",
        "INT_L.TO_PAD.MID 00_04 !00_05",
        "INT_L.TO_PAD.FROM_MUX !00_04 00_05",
        "INT_L.TO_A1.FROM_Q 00_06",
        "INT_L.TO_A2.MID 00_07",
        "INT_L.TO_CLK.MID 00_08",
    ],
    "riob33": ["RIOB33.IOB_Y0.LVCMOS33.DRIVE.I12 00_00"],
}
WIRES = {
    "CLBLL_L": ["A", "AMUX", "AQ", "A1", "A2", "A3", "AX", "CLK", "CE", "SR", "IMUX_A1", "IMUX_A2", "OUT_A"],
    "INT_L": ["FROM_A", "FROM_MUX", "FROM_Q", "MID", "TO_PAD", "TO_A1", "TO_A2", "TO_CLK", "GND_WIRE", "VCC_WIRE"],
    "RIOB33": ["O", "I", "T"],
}
PIPS = {
    "CLBLL_L": [("A1", "IMUX_A1"), ("A2", "IMUX_A2"), ("OUT_A", "A")],
    "INT_L": [("MID", "FROM_A"), ("MID", "FROM_Q"), ("TO_PAD", "MID"), ("TO_PAD", "FROM_MUX"), ("TO_A1", "FROM_Q"),
              ("TO_A2", "MID"), ("TO_CLK", "MID"), ("TO_A1", "VCC_WIRE")],
    "RIOB33": [],
}  # fmt: skip
PSEUDO = {
    "clbll_l": ["CLBLL_L.A1.IMUX_A1 always", "CLBLL_L.A2.IMUX_A2 always", "CLBLL_L.OUT_A.A always"],
    "int_l": ["INT_L.TO_A1.VCC_WIRE default"],
}
SITES = {
    "CLBLL_L": [
        ("SLICE", "SLICEL", {pin: pin for pin in ("A", "AMUX", "AQ", "A1", "A2", "A3", "AX", "CLK", "CE", "SR")})
    ],
    "INT_L": [("TIEOFF", "TIEOFF", {"HARD0": "GND_WIRE", "HARD1": "VCC_WIRE"})],
    "RIOB33": [("IOB", "IOB33", {"O": "O", "I": "I", "T": "T"})],
}
OUTPUTS = ("A", "AMUX", "AQ", "HARD0", "HARD1", "I")
JOINED = [  # tile types, where the second lies, wires
    ("CLBLL_L", "INT_L", 1, [("OUT_A", "FROM_A"), ("AMUX", "FROM_MUX"), ("AQ", "FROM_Q"), ("IMUX_A1", "TO_A1"),
                             ("IMUX_A2", "TO_A2"), ("CLK", "TO_CLK")]),
    ("INT_L", "RIOB33", 1, [("TO_PAD", "O"), ("GND_WIRE", "T")]),  # the pad is always on
]  # fmt: skip


@pytest.fixture
def database(tmp_path):
    root = tmp_path / "zynq7"
    (root / "xc7z999").mkdir(parents=True)
    (root / PART).mkdir()
    grid = {}
    for x, (name, words, frames) in enumerate(((CLB, 1, 3), (INT, 1, 1), (IOB, 1, 1))):
        kind = name.partition("_X")[0]
        sites = {f"{prefix}_X0Y0": site for prefix, site, _ in SITES[kind]}
        bits = {"CLB_IO_CLK": {"baseaddr": f"{0x80 * x:#x}", "frames": frames, "offset": 2, "words": words}}
        grid[name] = {"bits": bits, "grid_x": x, "grid_y": 0, "sites": sites, "type": kind}
        pips = {f"{a}<{b}": {"dst_wire": a, "src_wire": b, "is_directional": "1"} for a, b in PIPS[kind]}
        described = [
            {"name": "X0Y0", "prefix": prefix, "type": site, "x_coord": 0, "y_coord": 0,
             "site_pins": {pin: {"wire": wire} for pin, wire in pins.items()}}
            for prefix, site, pins in SITES[kind]
        ]  # fmt: skip
        data = {"pips": pips, "sites": described, "wires": dict.fromkeys(WIRES[kind])}
        (root / f"tile_type_{kind}.json").write_text(json.dumps(data))
        for _, site, pins in SITES[kind]:
            directions = {pin: {"direction": "OUT" if pin in OUTPUTS else "IN"} for pin in pins}
            (root / f"site_type_{site}.json").write_text(json.dumps({"type": site, "site_pins": directions}))
    (root / "xc7z999" / "tilegrid.json").write_text(json.dumps(grid))
    joined = [
        {"tile_types": [a, b], "grid_deltas": [dx, 0], "wire_pairs": [list(pair) for pair in pairs]}
        for a, b, dx, pairs in JOINED
    ]
    (root / "xc7z999" / "tileconn.json").write_text(json.dumps(joined))
    for kind, lines in SEGBITS.items():
        (root / f"segbits_{kind}.db").write_text("\n".join(lines) + "\n")
    for kind, lines in PSEUDO.items():
        (root / f"ppips_{kind}.db").write_text("\n".join(lines) + "\n")
    with open(root / PART / "package_pins.csv", "w", newline="") as file:
        csv.writer(file).writerows([["pin", "site"], ["P1", "IOB_X0Y0"]])
    return Database(root, PART, lambda made: TileConnections(*connect(made, joined)))


def frames_of(database, features, extra=()):
    """Frames in which features are on; `features` are (tile, name)."""
    addresses = [0, 1, 2, 0x80, 0x100]
    bits = np.zeros((len(addresses), BITS), bool)
    row = {address: k for k, address in enumerate(addresses)}
    frames = Frames(np.array(addresses, np.uint32), bits, row, None, 0, 0)
    for tile, name in features:
        for at, column, value in faults.feature_bits(frames, database, tile, name):
            bits[at, column] |= value
    for at, column in extra:
        bits[at, column] ^= True
    return frames


AND = [(CLB, f"SLICEL_X0.ALUT.INIT[{k:02d}]") for k in range(64) if k & 3 == 3]  # A1 and A2
PAD = [(IOB, "IOB_Y0.LVCMOS33.DRIVE.I12")]
Q_AND = [*PAD, *AND, (INT, "TO_PAD.MID"), (INT, "MID.FROM_A")]


def test_a_design_is_read_back(database):
    """Pad <- LUT of its own register's output and of 1, which is what a multiplexer without a bit gives."""
    on = [*PAD, *AND, (INT, "TO_PAD.MID"), (INT, "MID.FROM_A"), (INT, "TO_A2.MID")]
    netlist = decode(frames_of(database, on), database)
    assert netlist.faults == [] and netlist.ports == {"P1": "IOB_X0Y0/OBUF"}
    lut = netlist.cells["SLICE_X0Y0/A6LUT"]
    assert lut.kind == "LUT6_2" and lut.parameters["INIT"] == sum(1 << k for k in range(64) if k & 3 == 3)
    assert lut.pins == {"I0": "VCC", "I1": "SLICE_X0Y0/A6LUT.O6", "O6": "SLICE_X0Y0/A6LUT.O6"}
    (pad, loop) = netlist.nets["SLICE_X0Y0/A6LUT.O6"].sinks
    assert (pad.pin, pad.source_pin, pad.site_pin) == (Pin("IOB_X0Y0/OBUF", "I"), "A", "O")
    assert pad.path == (Pip(CLB, "A", "OUT_A", False), Pip(INT, "FROM_A", "MID"), Pip(INT, "MID", "TO_PAD"))
    assert loop.path[-1] == Pip(CLB, "IMUX_A2", "A2", False)
    assert netlist.nets["VCC"].sinks[0].path[0] == Pip(INT, "VCC_WIRE", "TO_A1", False)
    counts = netlist.counts
    assert (counts["features"], counts["pips"], counts["bits"]) == (len(on), 3, 16 + 1 + 1 + 2 + 1)


def test_a_register_is_what_its_settings_say(database):
    names = ["AFFMUX.O6", "AFF.ZINI", "AFF.ZRST", "FFSYNC"]
    on = [*PAD, *AND, *((CLB, f"SLICEL_X0.{name}") for name in names)]
    on += [(INT, "TO_PAD.MID"), (INT, "MID.FROM_Q"), (INT, "TO_A1.FROM_Q"), (INT, "TO_A2.MID"), (INT, "TO_CLK.MID")]
    netlist = decode(frames_of(database, on), database)
    register = netlist.cells["SLICE_X0Y0/AFF"]
    assert netlist.faults == [] and (register.kind, register.parameters) == ("FDRE", {"INIT": 0, "IS_C_INVERTED": 0})
    assert register.pins["D"] == "SLICE_X0Y0/A6LUT.O6" and register.pins["CE"] == "VCC" and register.pins["R"] == "GND"
    for less, kind in (("AFF.ZRST", "FDSE"), ("FFSYNC", "FDCE")):
        other = decode(frames_of(database, [f for f in on if f[1] != f"SLICEL_X0.{less}"]), database)
        assert other.cells["SLICE_X0Y0/AFF"].kind == kind
    text = write(netlist, "decoded")
    assert "SLICE_X0Y0_AFF_Q <= SLICE_X0Y0_A6LUT_O6;" in text and "output wire P1" in text


def test_every_planted_fault_is_told(database):
    whole = [*Q_AND, (INT, "TO_A2.MID")]
    kinds = lambda frames: [fault.kind for fault in decode(frames, database).faults]  # noqa: E731
    assert kinds(frames_of(database, whole)) == []
    assert kinds(frames_of(database, whole, [(3, 64 + 20)])) == ["unknown bit"]
    assert kinds(frames_of(database, [*whole, (INT, "MID.FROM_Q")])) == ["two drivers"]
    cut = [feature for feature in whole if feature[1] != "MID.FROM_A"]
    assert kinds(frames_of(database, cut)) == ["no driver"], "what drives the pad is open: not 0, a fault"
    assert kinds(frames_of(database, [*PAD, (INT, "TO_PAD.FROM_MUX")])) == ["mode", "no driver"]  # AMUX selects nothing
    enabled = [*PAD, (INT, "TO_PAD.MID"), (INT, "MID.FROM_Q"), (INT, "TO_CLK.MID")]
    enabled += [(CLB, "SLICEL_X0.AFFMUX.O6"), (CLB, "SLICEL_X0.CEUSEDMUX")]
    assert kinds(frames_of(database, enabled)) == ["no driver"]  # CE
    with pytest.raises(UserError, match="no driver: .* is open"):
        rules.check(decode(frames_of(database, cut), database))


def test_open_inputs_that_change_nothing_are_no_fault(database):
    """A1 and A2 decide; A3 to A6 are open."""
    assert decode(frames_of(database, [*Q_AND, (INT, "TO_A2.MID")]), database).faults == []
    wider = [(CLB, f"SLICEL_X0.ALUT.INIT[{k:02d}]") for k in range(64) if k & 7 == 7]
    netlist = decode(frames_of(database, [*PAD, *wider, *Q_AND[-2:], (INT, "TO_A2.MID")]), database)
    assert [fault.where for fault in netlist.faults] == ["SLICE_X0Y0/A3"]


def test_planting_says_what_it_did(database):
    frames = frames_of(database, [*Q_AND, (INT, "TO_A2.MID")])
    netlist = decode(frames, database)
    planted = faults.plant("lut", frames, database, netlist)
    assert np.count_nonzero(planted.frames.bits != frames.bits) == 1 and "A6LUT" in planted.says
    other = decode(planted.frames, database).cells["SLICE_X0Y0/A6LUT"].parameters["INIT"]
    assert bin(other ^ netlist.cells["SLICE_X0Y0/A6LUT"].parameters["INIT"]).count("1") == 1
    for kind in ("dsp", "ram"):
        with pytest.raises(UserError, match="nothing for the planted fault"):
            faults.plant(kind, frames, database, netlist)
    with pytest.raises(UserError, match="no planted fault 'cosmic'"):
        faults.plant("cosmic", frames, database, netlist)


def test_random_flips_stay_with_what_is_in_use(database):
    """One bit each: of a table, by entries that its signals can reach; of a route, told by decoding, or means 1."""
    frames = frames_of(database, [*Q_AND, (INT, "TO_A2.MID")])
    netlist, rng = decode(frames, database), random.Random(1)
    for _ in range(20):
        table = faults.flipped_table(frames, database, netlist, rng)
        ((row, column),) = np.argwhere(table.frames.bits != frames.bits)
        index = 32 * int(row) + int(column) - 64
        assert index & 0b111101 == 0b111101, "A1 and A3 to A6 are 1"
        route = faults.flipped_route(frames, database, netlist, rng)
        assert np.count_nonzero(route.frames.bits != frames.bits) == 1
        told = decode(route.frames, database)
        assert told.faults or told.cells["SLICE_X0Y0/A6LUT"].pins != netlist.cells["SLICE_X0Y0/A6LUT"].pins, route.says


def test_check_bits_of_frames_are_no_features(database):
    frames = frames_of(database, Q_AND, [(0, 32 * ECC_WORD + k) for k in range(ECC_BITS)])
    assert match(frames, database).unknown == []
    frames.bits[0, 32 * ECC_WORD + ECC_BITS] = True
    assert match(frames, database).unknown == [(0, 32 * ECC_WORD + ECC_BITS)]


def test_nodes_join_all_neighbours(database):
    """Against the definition: a wire reaches what it is joined to, step by step."""
    nodes = open_nodes(database)  # by the file; kept in build/
    number = {tile: database.tiles[tile].number for tile in (CLB, INT, IOB)}
    assert nodes.source == "tileconn.json" and nodes.of(number[CLB], database.tile_type("CLBLL_L").number["AQ"]) >= 0
    for tiles, pairs in (((CLB, INT), JOINED[0][3]), ((INT, IOB), JOINED[1][3])):
        for one, other in pairs:
            node = database.node(tiles[0], one)
            assert node == database.node(tiles[1], other)
            assert {(tile.name, wire) for tile, wire in database.wires(node)} == {(tiles[0], one), (tiles[1], other)}
    assert len(database.wires(database.node(INT, "MID"))) == 1


def chip_file(database, path, spelt=lambda kind, wire: wire):
    """A file as nextpnr-xilinx's: words, and pointers that count words from where they stand."""
    words, fixes, at = [], [], {}

    def label(name):
        at[name] = len(words)

    def refer(name):
        fixes.append((len(words), name))
        words.append(0)

    def text(name, value):
        label(name)
        data = value.encode() + b"\0"
        data += b"\0" * (-len(data) % 4)
        words.extend(np.frombuffer(data, "<i4").tolist())

    refer("root")
    kinds = [database.tiles[tile].kind for tile in (CLB, INT, IOB)]
    texts = [spelt(kind, wire) for kind in kinds for wire in database.tile_type(kind).wires]
    for k, value in enumerate(texts):
        text(f"text{k}", value)
    label("texts")
    for k in range(len(texts)):
        refer(f"text{k}")
    label("ids")
    words.extend([100, len(texts)])  # 100 names are the program's own
    refer("texts")
    count = 100
    for kind in kinds:
        label(f"wires{kind}")
        for _ in database.tile_type(kind).wires:
            words.extend([count] + [0] * 9)
            count += 1
    label("types")
    for kind in kinds:
        words.extend([0, 0, 0, len(database.tile_type(kind).wires)])
        refer(f"wires{kind}")
        words.extend([0, 0, 0])
    groups = [
        database.wires(database.node(tile, wire)) for tile in (CLB, INT) for wire in WIRES[tile.partition("_X")[0]]
    ]
    unique = sorted(
        {tuple(sorted((t.number, database.tile_type(t.kind).number[w]) for t, w in g)) for g in groups if len(g) > 1}
    )
    for k, members in enumerate(unique):
        label(f"members{k}")
        words.extend(value for pair in members for value in pair)
    label("nodes")
    for k, members in enumerate(unique):
        words.extend([len(members), 0])
        refer(f"members{k}")
    node = {pair: k for k, members in enumerate(unique) for pair in members}
    for tile in (CLB, INT, IOB):
        text(f"name{tile}", tile)
        label(f"table{tile}")
        number, wires = database.tiles[tile].number, database.tile_type(database.tiles[tile].kind).wires
        words.extend(node.get((number, wire), -1) for wire in range(len(wires)))
    label("tiles")
    for k, tile in enumerate((CLB, INT, IOB)):
        refer(f"name{tile}")
        words.extend([k, len(database.tile_type(kinds[k]).wires)])
        refer(f"table{tile}")
        words.extend([0, 0])
    label("root")
    words.extend([0, 0, 1, 3, 1, 3, 3, len(unique)])
    for name in ("types", "tiles", "nodes", "ids"):
        refer(name)
    for place, name in fixes:
        words[place] = at[name] - place
    path.write_bytes(np.array(words, "<i4").tobytes())
    return path


def test_nodes_of_a_chip_database_are_the_same(database, tmp_path):
    """Where there is no `tileconn.json`: the same nodes, and the same netlist."""
    chip = ChipNodes(database, chip_file(database, tmp_path / "chip.bin"))
    other = Database(database.root, PART, lambda made: chip)
    for tile in (CLB, INT, IOB):
        for wire in WIRES[tile.partition("_X")[0]]:
            seen, wanted = (d.wires(d.node(tile, wire)) for d in (other, database))
            assert {(t.name, w) for t, w in seen} == {(t.name, w) for t, w in wanted}, wire
    frames = frames_of(database, [*Q_AND, (INT, "TO_A2.MID")])
    assert decode(frames, other) == decode(frames, database)


def test_a_chip_database_of_another_part_is_refused(database, tmp_path):
    other = chip_file(database, tmp_path / "chip.bin", lambda kind, wire: wire[::-1] if kind == "INT_L" else wire)
    with pytest.raises(UserError, match="numbers the wires of INT_L otherwise"):
        ChipNodes(database, other)


def test_segbits_are_read_as_they_stand():
    (feature,) = read_segbits(["INT_L.A.B 21_07 !22_107"])
    assert (feature.name, feature.ones, feature.zeros) == ("A.B", ((21, 7),), ((22, 107),))


def test_a_database_that_is_not_whole_is_refused(database, tmp_path):
    (tmp_path / "zynq7" / "tile_type_CLBLL_L.json").unlink()
    with pytest.raises(UserError, match="tile_type_CLBLL_L.json"):
        decode(frames_of(database, PAD), database)
    with pytest.raises(UserError, match="tilegrid.json cannot be read"):
        Database(tmp_path, PART)
